"""Pyserial's RFC 2217 server on the terminal NODE, for the driver's test: prints its TCP port and serves one client."""

import socket
import sys
import threading

import serial
import serial.rfc2217


class Terminal(serial.Serial):
    """A pseudo-terminal has no modem lines; the server polls them all the same."""

    cts = dsr = ri = cd = False

    def _update_dtr_state(self):
        pass

    def _update_rts_state(self):
        pass


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    port = Terminal(sys.argv[1], timeout=0.01)
    print(listener.getsockname()[1], flush=True)
    client, _ = listener.accept()
    lock = threading.Lock()

    class Connection:
        def write(self, data):
            with lock:
                client.sendall(data)

    connection = Connection()
    manager = serial.rfc2217.PortManager(port, connection)

    def to_network():
        while True:
            data = port.read(port.in_waiting or 1)
            if data:
                connection.write(b"".join(manager.escape(data)))

    threading.Thread(target=to_network, daemon=True).start()
    while data := client.recv(1024):
        port.write(b"".join(manager.filter(data)))


main()
