//! Firmware that says what a test wants it to, byte for byte, once it has power: machine code for the nRF51822 and the nRF52840.
//!
//! Boundary: it touches the UART and some RAM, and then waits for ever.

/// The UART as both parts have it: nRF51 reference manual v3.0, chapter UART.
const ENABLE: (u32, u32) = (0x4000_2500, 4);
const BAUD_115200: (u32, u32) = (0x4000_2524, 0x01D7_E000);
const START: (u32, u32) = (0x4000_2008, 1);
const SENT: u32 = 0x4000_211C;
const SEND: u32 = 0x4000_251C;
/// Both have RAM from here on, at least 16 KiB of it.
const STACK: u32 = 0x2000_4000;
/// Where the control block of RTT is, and the ring behind it.
pub(crate) const BLOCK: u32 = 0x2000_0400;
const RING: u32 = BLOCK + 0x40;

/// An image that says `text` on its serial console.
pub(crate) fn says(text: &[u8]) -> Vec<u8> {
    image(text, |code, from, to| {
        [ENABLE, BAUD_115200, START].into_iter().for_each(|(address, value)| code.store(address, value));
        code.load(3, from);
        code.load(4, to);
        code.load(6, SEND);
        code.load(7, SENT);
        // ldrb r5, [r3]; str r5, [r6]; wait: ldr r1, [r7]; cmp r1, #0; beq wait; movs r1, #0; str r1, [r7]
        code.half(&[0x781D, 0x6035, 0x6839, 0x2900, 0xD0FC, 0x2100, 0x6039]);
        // adds r3, #1; cmp r3, r4; bne to the beginning
        code.half(&[0x3301, 0x42A3, 0xD1F4]);
    })
}

/// An image in whose ring of RTT `text` stands, at most 8 KiB of it.
pub(crate) fn has_in_its_ring(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("it is short");
    assert!(length < 8 << 10, "there is RAM for it");
    image(text, |code, from, to| {
        code.load(3, from);
        code.load(4, to);
        code.load(6, RING);
        // ldrb r5, [r3]; strb r5, [r6]; adds r3, #1; adds r6, #1; cmp r3, r4; bne to the beginning
        code.half(&[0x781D, 0x7035, 0x3301, 0x3601, 0x42A3, 0xD1F9]);
        // One channel up, none down: name, buffer, size, where is written, where is read, flags.
        let channel = [0, RING, length + 1, length, 0, 0];
        for (place, value) in [1, 0].into_iter().chain(channel).enumerate() {
            code.store(BLOCK + 16 + 4 * place as u32, value);
        }
        // The id goes last: the block is there once it says so.
        let id = b"SEGGER RTT\0\0\0\0\0\0".as_chunks::<4>().0;
        for (place, word) in id.iter().enumerate().rev() {
            code.store(BLOCK + 4 * place as u32, u32::from_le_bytes(*word));
        }
    })
}

/// Instructions, and the words that they load.
struct Code {
    halves: Vec<u16>,
    /// Which instruction loads which word.
    words: Vec<(usize, u32)>,
}

impl Code {
    /// `ldr`, of a word behind the instructions.
    fn load(&mut self, register: u16, word: u32) {
        self.words.push((self.halves.len(), word));
        self.halves.push(0x4800 | register << 8);
    }

    /// `str`, of a word to an address.
    fn store(&mut self, address: u32, word: u32) {
        self.load(0, address);
        self.load(1, word);
        self.halves.push(0x6001);
    }

    fn half(&mut self, halves: &[u16]) {
        self.halves.extend(halves);
    }
}

/// A vector table, the instructions and a loop without end, the words, the text.
fn image(text: &[u8], write: impl Fn(&mut Code, u32, u32)) -> Vec<u8> {
    const CODE: usize = 8;
    // Where the text is depends on the length of the code, which does not depend on where the text is.
    let assemble = |at: usize| {
        let mut code = Code { halves: Vec::new(), words: Vec::new() };
        write(&mut code, at as u32, (at + text.len()) as u32);
        // wfe; b to it
        code.half(&[0xBF20, 0xE7FD]);
        if code.halves.len() % 2 == 1 {
            code.half(&[0xBF00]);
        }
        let pool = CODE + 2 * code.halves.len();
        for (number, (place, _)) in code.words.iter().enumerate() {
            let counted_from = (CODE + 2 * place + 4) & !3;
            let words = (pool + 4 * number - counted_from) / 4;
            code.halves[*place] |= u16::try_from(words).ok().filter(|it| *it < 256).expect("it is within reach");
        }
        let halves = code.halves.iter().flat_map(|half| half.to_le_bytes());
        let words = code.words.iter().flat_map(|(_, word)| word.to_le_bytes());
        let start = [STACK, CODE as u32 | 1];
        start.into_iter().flat_map(u32::to_le_bytes).chain(halves).chain(words).collect::<Vec<u8>>()
    };
    let at = assemble(0).len();
    [assemble(at), text.to_vec()].concat()
}
