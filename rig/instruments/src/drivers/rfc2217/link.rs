//! One connection to a server: what was agreed, what it answered, and the data in between.
//!
//! Boundary: one connection. It is given up when a message could be sent only in part, because what follows would be misread.

use std::collections::{BTreeMap, VecDeque};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use brickproof_units::Baud;

use crate::clock::{Deadline, Moment};
use crate::failure::FailureKind;
use crate::kinds::Chunk;
use crate::reopening::Port;
use crate::stream::{Arrivals, Lateness, write_all};

use super::telnet::{self, Decoder, Item, Verb, option};

/// The server answers a command with its number and this (RFC 2217, section 3).
const ANSWER: u8 = 100;

/// The standard library refuses to connect within no time at all.
const SHORTEST: Duration = Duration::from_millis(1);

/// What of a server's text is worth quoting.
const QUOTED: usize = 80;

/// A setting of the port at the server's end: the number of its command, and of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    EightBits,
    NoParity,
    OneStopBit,
    NoHandshake,
    DtrOn,
    DtrOff,
    RtsOn,
    RtsOff,
    PurgeReceived,
}

impl Control {
    const fn codes(self) -> (u8, u8) {
        match self {
            Self::EightBits => (2, 8),
            Self::NoParity => (3, 1),
            Self::OneStopBit => (4, 1),
            Self::NoHandshake => (5, 1),
            Self::DtrOn => (5, 8),
            Self::DtrOff => (5, 9),
            Self::RtsOn => (5, 11),
            Self::RtsOff => (5, 12),
            Self::PurgeReceived => (12, 1),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::EightBits => "eight data bits",
            Self::NoParity => "no parity",
            Self::OneStopBit => "one stop bit",
            Self::NoHandshake => "no flow control",
            Self::DtrOn | Self::DtrOff => "DTR",
            Self::RtsOn | Self::RtsOff => "RTS",
            Self::PurgeReceived => "purging what was received",
        }
    }
}

/// An open connection.
pub(crate) struct Link {
    output: OwnedFd,
    arrivals: Arrivals,
    decoder: Decoder,
    data: VecDeque<Chunk>,
    answers: BTreeMap<u8, Vec<u8>>,
    agreement: Agreement,
}

/// What the server said to what is asked of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Agreement {
    com_port: Option<bool>,
    /// A server that refuses changes bytes on their way.
    binary_refused: bool,
}

impl Link {
    /// Connects and agrees on RFC 2217.
    pub(crate) fn connect(address: &str, lateness: Lateness, deadline: Deadline) -> Result<Self, FailureKind> {
        let stream = connect(address, deadline)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let output = OwnedFd::from(stream);
        let arrivals = Arrivals::start(address, output.try_clone()?, lateness)?;
        let mut link = Self {
            output,
            arrivals,
            decoder: Decoder::default(),
            data: VecDeque::new(),
            answers: BTreeMap::new(),
            agreement: Agreement::default(),
        };
        link.agree(deadline).map_err(|kind| link.explain(kind))?;
        Ok(link)
    }

    fn agree(&mut self, deadline: Deadline) -> Result<(), FailureKind> {
        let opening = [
            telnet::negotiate(Verb::Will, option::BINARY),
            telnet::negotiate(Verb::Do, option::BINARY),
            telnet::negotiate(Verb::Will, option::SUPPRESS_GO_AHEAD),
            telnet::negotiate(Verb::Do, option::SUPPRESS_GO_AHEAD),
            telnet::negotiate(Verb::Will, option::COM_PORT),
        ];
        self.send(&opening.concat(), deadline)?;
        self.pump_until(deadline, |link| link.agreement.com_port)?
            .then_some(())
            .ok_or_else(|| FailureKind::Unsupported("the server does not control its port (RFC 2217)".to_owned()))
    }

    /// Sets the rate; the server says which it really has.
    pub(crate) fn set_baud(&mut self, baud: Baud, deadline: Deadline) -> Result<Moment, FailureKind> {
        const SET_BAUDRATE: u8 = 1;
        let (answer, moment) = self.request(SET_BAUDRATE, &baud.get().to_be_bytes(), deadline)?;
        match <[u8; 4]>::try_from(answer).map(u32::from_be_bytes) {
            Ok(set) if set == baud.get() => Ok(moment),
            Ok(set) => Err(FailureKind::ReadBack(format!("asked for {baud}, the server set {}", Baud::new(set)))),
            Err(answer) => Err(FailureKind::Answer(format!("a line rate of {} bytes", answer.len()))),
        }
    }

    /// Sets something else. A server that answers with another value cannot.
    pub(crate) fn set(&mut self, control: Control, deadline: Deadline) -> Result<Moment, FailureKind> {
        let (command, value) = control.codes();
        let (answer, moment) = self.request(command, &[value], deadline)?;
        if answer == [value] {
            Ok(moment)
        } else {
            Err(FailureKind::Unsupported(format!("the server's port refuses {}", control.words())))
        }
    }

    /// All settings came through by now, so that a refusal of binary mode has as well.
    pub(crate) fn check_binary(&self) -> Result<(), FailureKind> {
        if self.agreement.binary_refused {
            return Err(FailureKind::Unsupported("the server refuses to pass bytes unchanged (RFC 856)".to_owned()));
        }
        Ok(())
    }

    fn request(&mut self, command: u8, value: &[u8], deadline: Deadline) -> Result<(Vec<u8>, Moment), FailureKind> {
        let answer = command.saturating_add(ANSWER);
        self.answers.remove(&answer);
        let (value, moment) = Moment::of(|| {
            self.send(&telnet::command(command, value), deadline)?;
            self.pump_until(deadline, |link| link.answers.remove(&answer))
        })?;
        Ok((value, moment))
    }

    fn pump_until<R>(
        &mut self,
        deadline: Deadline,
        mut done: impl FnMut(&mut Self) -> Option<R>,
    ) -> Result<R, FailureKind> {
        loop {
            if let Some(result) = done(self) {
                return Ok(result);
            }
            if !self.pump(deadline)? {
                return Err(FailureKind::NoAnswer(deadline.within()));
            }
        }
    }

    /// Takes in what comes next; whether something did.
    fn pump(&mut self, deadline: Deadline) -> Result<bool, FailureKind> {
        let Some(chunk) = self.arrivals.next(deadline)? else { return Ok(false) };
        for reply in self.take_in(chunk) {
            self.send(&reply, deadline)?;
        }
        Ok(true)
    }

    fn take_in(&mut self, chunk: Chunk) -> Vec<[u8; 3]> {
        let mut bytes = Vec::new();
        let mut replies = Vec::new();
        for byte in chunk.bytes {
            match self.decoder.push(byte) {
                None => {}
                Some(Item::Data(byte)) => bytes.push(byte),
                Some(Item::Negotiation { verb, option }) => replies.extend(self.negotiated(verb, option)),
                Some(Item::Subnegotiation(said)) => self.answered(&said),
            }
        }
        if !bytes.is_empty() {
            self.data.push_back(Chunk { bytes, arrival: chunk.arrival });
        }
        replies
    }

    /// Answers only what was not asked for, so that two sides never acknowledge each other for ever.
    fn negotiated(&mut self, verb: Verb, option: u8) -> Option<[u8; 3]> {
        let reply = |verb| Some(telnet::negotiate(verb, option));
        match (verb, option) {
            (Verb::Do, option::COM_PORT) => {
                self.agreement.com_port = Some(true);
                None
            }
            // Some servers offer what is the client's to offer. To agree costs nothing.
            (Verb::Will, option::COM_PORT) => {
                let news = self.agreement.com_port.replace(true) != Some(true);
                news.then(|| telnet::negotiate(Verb::Do, option))
            }
            (Verb::Dont, option::COM_PORT) => {
                self.agreement.com_port.get_or_insert(false);
                None
            }
            (Verb::Do | Verb::Will, option::BINARY | option::SUPPRESS_GO_AHEAD) => None,
            (Verb::Dont | Verb::Wont, option::BINARY) => {
                self.agreement.binary_refused = true;
                None
            }
            (Verb::Dont | Verb::Wont, _) => None,
            (Verb::Do, _) => reply(Verb::Wont),
            (Verb::Will, _) => reply(Verb::Dont),
        }
    }

    fn answered(&mut self, said: &[u8]) {
        if let [option::COM_PORT, command, value @ ..] = said {
            self.answers.insert(*command, value.to_vec());
        }
    }

    fn send(&mut self, bytes: &[u8], deadline: Deadline) -> Result<Moment, FailureKind> {
        write_all(&self.output, bytes, deadline).map_err(|kind| match kind {
            FailureKind::NoAnswer(within) => FailureKind::Gone(format!(
                "the server did not take a message within {within}, so the connection was given up"
            )),
            kind => kind,
        })
    }

    /// A server that is in use says so in plain text and hangs up (ser2net).
    fn explain(&self, kind: FailureKind) -> FailureKind {
        let said: Vec<u8> = self.data.iter().flat_map(|chunk| &chunk.bytes).copied().take(QUOTED).collect();
        match kind {
            FailureKind::Gone(_) if !said.is_empty() => {
                FailureKind::Answer(format!("it hung up, saying `{}`", String::from_utf8_lossy(&said).trim()))
            }
            kind => kind,
        }
    }
}

impl Port for Link {
    fn next(&mut self, deadline: Deadline) -> Result<Option<Chunk>, FailureKind> {
        loop {
            if let Some(chunk) = self.data.pop_front() {
                return Ok(Some(chunk));
            }
            if !self.pump(deadline)? {
                return Ok(None);
            }
        }
    }

    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<Moment, FailureKind> {
        self.send(&telnet::escape(bytes), deadline)
    }

    fn close(self) -> Vec<Chunk> {
        let Self { arrivals, mut decoder, mut data, .. } = self;
        for chunk in arrivals.stop() {
            let items = chunk.bytes.into_iter().filter_map(|byte| decoder.push(byte));
            let bytes: Vec<u8> =
                items.filter_map(|item| if let Item::Data(byte) = item { Some(byte) } else { None }).collect();
            if !bytes.is_empty() {
                data.push_back(Chunk { bytes, arrival: chunk.arrival });
            }
        }
        data.into()
    }
}

fn connect(address: &str, deadline: Deadline) -> Result<TcpStream, FailureKind> {
    let missing = |error: std::io::Error| FailureKind::Missing(error.to_string());
    let mut last = FailureKind::Missing("the name stands for no address".to_owned());
    for address in address.to_socket_addrs().map_err(missing)? {
        if deadline.has_passed() {
            return Err(FailureKind::NoAnswer(deadline.within()));
        }
        match TcpStream::connect_timeout(&address, deadline.left().max(SHORTEST)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = missing(error),
        }
    }
    Err(last)
}
