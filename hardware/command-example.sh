#!/bin/sh
# A relay as a board's supply or as its RESET line, in the protocol of command-protocol.md. The relay is a file of the kernel that takes
# 1 and 0, such as /sys/class/leds/relay/brightness; put the call of your PDU or of labgrid in its place.
relay=${1:?"usage: $0 FILE"}

put() {
    echo "$1" >"$relay" && echo ok || echo "error cannot write to $relay"
}

while read -r request; do
    case $request in
    "hello brickproof-command/1 supply") echo "value brickproof-command/1 switch" ;;
    "hello brickproof-command/1 lines") echo "value brickproof-command/1 drive read" ;;
    "switch on" | "drive reset asserted") put 1 ;;
    "switch off" | "drive reset released") put 0 ;;
    "read reset") if [ "$(cat "$relay")" = 1 ]; then echo "value active"; else echo "value inactive"; fi ;;
    *) echo "error cannot: $request" ;;
    esac
done

# The rig is gone, however it went: back to the safe state.
put 0 >/dev/null
