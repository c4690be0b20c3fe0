//! Telnet as far as a serial port needs it (RFC 854, RFC 856, RFC 2217): data, negotiations and subnegotiations, told apart at any split.
//!
//! Boundary: bytes. What was agreed, and what an answer means, is the link's.

/// Escapes everything that is not data.
const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;

/// A longer subnegotiation is none of RFC 2217's and is dropped; its longest is a signature, which nobody asks for here.
const LONGEST: usize = 64;

/// The options that matter here.
pub(crate) mod option {
    /// Eight-bit data without end-of-line rules (RFC 856).
    pub(crate) const BINARY: u8 = 0;
    /// No go-ahead after each turn (RFC 858); every server expects it.
    pub(crate) const SUPPRESS_GO_AHEAD: u8 = 3;
    /// RFC 2217.
    pub(crate) const COM_PORT: u8 = 44;
}

/// Who wants what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Will,
    Wont,
    Do,
    Dont,
}

impl Verb {
    const fn code(self) -> u8 {
        match self {
            Self::Will => 251,
            Self::Wont => 252,
            Self::Do => 253,
            Self::Dont => 254,
        }
    }

    fn of(code: u8) -> Option<Self> {
        [Self::Will, Self::Wont, Self::Do, Self::Dont].into_iter().find(|verb| verb.code() == code)
    }
}

/// What a byte completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Data(u8),
    Negotiation {
        verb: Verb,
        option: u8,
    },
    /// The option first, then what it says.
    Subnegotiation(Vec<u8>),
}

/// Takes a stream apart, byte by byte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoder {
    state: State,
    inside: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Data,
    Escape,
    Option(Verb),
    Inside,
    InsideEscape,
}

impl Decoder {
    pub(crate) fn push(&mut self, byte: u8) -> Option<Item> {
        let (state, item) = match (self.state, byte) {
            (State::Data, IAC) => (State::Escape, None),
            (State::Data, _) => (State::Data, Some(Item::Data(byte))),
            (State::Escape, IAC) => (State::Data, Some(Item::Data(IAC))),
            (State::Escape, SB) => {
                self.inside.clear();
                (State::Inside, None)
            }
            // Commands without an operand, such as NOP and BREAK, say nothing to a console.
            (State::Escape, _) => (Verb::of(byte).map_or(State::Data, State::Option), None),
            (State::Option(verb), option) => (State::Data, Some(Item::Negotiation { verb, option })),
            (State::Inside, IAC) => (State::InsideEscape, None),
            (State::Inside, _) => (self.keep(byte), None),
            (State::InsideEscape, IAC) => (self.keep(IAC), None),
            (State::InsideEscape, _) => (State::Data, self.complete()),
        };
        self.state = state;
        item
    }

    fn keep(&mut self, byte: u8) -> State {
        // One more than allowed marks it as too long.
        if self.inside.len() <= LONGEST {
            self.inside.push(byte);
        }
        State::Inside
    }

    fn complete(&mut self) -> Option<Item> {
        let inside = std::mem::take(&mut self.inside);
        (inside.len() <= LONGEST).then_some(Item::Subnegotiation(inside))
    }
}

/// Data as it goes over the connection.
pub(crate) fn escape(data: &[u8]) -> Vec<u8> {
    data.iter().flat_map(|&byte| std::iter::repeat_n(byte, if byte == IAC { 2 } else { 1 })).collect()
}

/// One word of a negotiation.
pub(crate) fn negotiate(verb: Verb, option: u8) -> [u8; 3] {
    [IAC, verb.code(), option]
}

/// A command of RFC 2217 and its value.
pub(crate) fn command(command: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![IAC, SB, option::COM_PORT, command];
    bytes.extend(escape(value));
    bytes.extend([IAC, SE]);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Vec<Item> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|&byte| decoder.push(byte)).collect()
    }

    fn data(bytes: &[u8]) -> Vec<Item> {
        bytes.iter().map(|&byte| Item::Data(byte)).collect()
    }

    #[test]
    fn the_example_of_the_specification_is_written_as_it_is_there() {
        // RFC 2217, section 3: "IAC SB COM-PORT-OPTION SET-BAUD <value(4)> IAC SE", most significant byte first.
        assert_eq!(command(1, &115_200u32.to_be_bytes()), [255, 250, 44, 1, 0, 1, 0xC2, 0, 255, 240]);
        assert_eq!(negotiate(Verb::Will, option::COM_PORT), [255, 251, 44]);
    }

    #[test]
    fn a_command_without_operand_is_no_data() {
        assert_eq!(decode(&[b'a', 255, 241, b'b']), data(b"ab"));
    }

    #[test]
    fn a_subnegotiation_too_long_to_be_one_takes_nothing_with_it() {
        let mut bytes = command(0, &[7; 1000]);
        bytes.extend(b"after");
        assert_eq!(decode(&bytes), data(b"after"));
    }

    proptest! {
        #[test]
        fn data_and_values_survive_escaping(
            before: Vec<u8>, code: u8, value in prop::collection::vec(any::<u8>(), 0..60), after: Vec<u8>
        ) {
            // The command's number is never 255, which is not one.
            let code = code.min(200);
            let stream = [escape(&before), command(code, &value), escape(&after)].concat();
            let mut expected = data(&before);
            expected.push(Item::Subnegotiation([vec![option::COM_PORT, code], value].concat()));
            expected.extend(data(&after));
            prop_assert_eq!(decode(&stream), expected);
        }

        #[test]
        fn no_stream_makes_it_panic_or_grow(bytes: Vec<u8>) {
            let mut decoder = Decoder::default();
            for byte in bytes {
                decoder.push(byte);
                prop_assert!(decoder.inside.len() <= LONGEST + 1);
            }
        }
    }
}
