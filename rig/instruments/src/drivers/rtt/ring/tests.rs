//! A ring in a memory of the tests', written as firmware does it, with resets between any two accesses.

use proptest::prelude::*;

use super::*;

const RAM: u32 = 0x2000_0000;
const BLOCK: usize = 64;
const UP: usize = BLOCK + HEADER as usize;
const BUFFER: usize = 256;
const SIZE: usize = 32;

/// A chip whose firmware writes one channel up.
struct Model {
    ram: Vec<u8>,
    reset: bool,
    accesses: usize,
    /// The firmware is reset and begins anew before this access, and says this at once.
    reset_before: Option<(usize, Vec<u8>)>,
    /// Start-up code clears the RAM before this access.
    cleared_before: Option<usize>,
}

impl Model {
    fn new() -> Self {
        let mut model = Self { ram: vec![0; 1024], reset: true, accesses: 0, reset_before: None, cleared_before: None };
        model.begin();
        model
    }

    fn word(&self, at: usize) -> usize {
        u32::from_le_bytes(self.ram[at..at + 4].try_into().unwrap()) as usize
    }

    fn set(&mut self, at: usize, word: u32) {
        self.ram[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    /// What start-up code and `rtt_init` leave.
    fn begin(&mut self) {
        self.ram.fill(0);
        let words = [0, RAM + BUFFER as u32, SIZE as u32, 0, 0, 0];
        for (index, word) in words.into_iter().enumerate() {
            self.set(UP + 4 * index, word);
        }
        self.set(BLOCK + 16, 1);
        self.ram[BLOCK..][..16].copy_from_slice(ID);
    }

    /// Writes all of it or nothing.
    fn say(&mut self, bytes: &[u8]) -> bool {
        let (written, read) = (self.word(UP + 12), self.word(UP + 16));
        if bytes.len() > (read + SIZE - written - 1) % SIZE {
            return false;
        }
        for (index, byte) in bytes.iter().enumerate() {
            self.ram[BUFFER + (written + index) % SIZE] = *byte;
        }
        self.set(UP + 12, ((written + bytes.len()) % SIZE) as u32);
        true
    }

    fn access(&mut self) {
        self.accesses += 1;
        if self.cleared_before == Some(self.accesses) {
            self.ram.fill(0);
        }
        if let Some((_, words)) = self.reset_before.take_if(|(at, _)| *at == self.accesses) {
            self.reset = true;
            self.begin();
            self.say(&words);
        }
    }
}

impl Memory for Model {
    fn ram(&self) -> Vec<Region> {
        vec![Region { address: RAM, length: self.ram.len() as u32 }]
    }

    fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), FailureKind> {
        self.access();
        bytes.copy_from_slice(&self.ram[(address - RAM) as usize..][..bytes.len()]);
        Ok(())
    }

    fn read_words(&mut self, address: u32, words: &mut [u32]) -> Result<(), FailureKind> {
        self.access();
        for (index, word) in words.iter_mut().enumerate() {
            *word = self.word((address - RAM) as usize + 4 * index) as u32;
        }
        Ok(())
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), FailureKind> {
        self.access();
        self.ram[(address - RAM) as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn write_word(&mut self, address: u32, word: u32) -> Result<(), FailureKind> {
        self.access();
        self.set((address - RAM) as usize, word);
        Ok(())
    }

    fn take_reset(&mut self) -> Result<bool, FailureKind> {
        self.access();
        Ok(std::mem::take(&mut self.reset))
    }
}

fn ring(block: Block) -> Ring {
    Ring::new(Place { block, up: 0, down: 0, mode: None }, Vec::new())
}

/// What a look brings, and whether it belongs to another life.
fn heard(ring: &mut Ring, model: &mut Model) -> Option<(Vec<u8>, Life)> {
    loop {
        match ring.look(model).unwrap() {
            Seen::Bytes(heard) => return Some((heard.bytes, heard.life)),
            Seen::Nothing { next: Next::AtOnce, .. } => {}
            Seen::Nothing { next: Next::Later, .. } => return None,
        }
    }
}

#[test]
fn a_block_is_found_by_searching_also_behind_what_only_looks_like_one() {
    let mut model = Model::new();
    model.ram[16..][..16].copy_from_slice(ID);
    model.say(b"here");
    // The false one has no channels, which a real one would be told of: nothing may be read into it.
    model.set(32, 300);
    let mut ring = ring(Block::Anywhere);
    assert_eq!(heard(&mut ring, &mut model), Some((b"here".to_vec(), Life::Same)));
}

#[test]
fn a_reset_between_any_two_accesses_is_told_and_harms_no_later_byte() {
    let accesses = {
        let mut model = Model::new();
        let mut ring = ring(Block::At(RAM + BLOCK as u32));
        model.say(b"first");
        heard(&mut ring, &mut model);
        model.accesses = 0;
        model.say(b"second");
        heard(&mut ring, &mut model);
        model.accesses
    };
    assert!(accesses >= 5, "the reset, the channel, the bytes, the reset, the pointer, the reset");
    for at in 1..=accesses {
        for words in [&b""[..], b"anew", b"anew and more than was there before"] {
            let mut model = Model::new();
            let mut ring = ring(Block::At(RAM + BLOCK as u32));
            ring.begins = Span::ZERO;
            model.say(b"first");
            assert_eq!(heard(&mut ring, &mut model), Some((b"first".to_vec(), Life::Same)));
            model.say(b"second");
            model.accesses = 0;
            model.reset_before = Some((at, words.to_vec()));
            let mut seen: Vec<_> = heard(&mut ring, &mut model).into_iter().collect();
            seen.extend((0..3).filter_map(|_| heard(&mut ring, &mut model)));
            let told = seen.iter().filter(|(_, life)| *life == Life::Anew).count();
            assert_eq!(told, 1, "before access {at}: {seen:?}");
            for (bytes, life) in &seen {
                let fits = |whole: &[u8]| bytes.is_empty() || bytes == whole;
                assert!(
                    if *life == Life::Same { fits(b"second") } else { fits(words) },
                    "before access {at}: {seen:?}"
                );
            }
            assert!(model.say(b"later"), "before access {at} the ring was left full");
            assert_eq!(heard(&mut ring, &mut model), Some((b"later".to_vec(), Life::Same)), "before access {at}");
        }
    }
}

#[test]
fn a_ring_that_was_reset_is_left_alone_until_its_firmware_begins() {
    let mut model = Model::new();
    let mut ring = ring(Block::At(RAM + BLOCK as u32));
    model.say(b"first");
    heard(&mut ring, &mut model);
    model.say(b"last words");
    let before = model.ram.clone();
    model.reset = true;
    assert_eq!(heard(&mut ring, &mut model), None);
    assert!(model.ram == before);
    model.begin();
    model.say(b"anew");
    assert_eq!(heard(&mut ring, &mut model), Some((b"anew".to_vec(), Life::Anew)));
}

#[test]
fn a_block_that_start_up_code_clears_meanwhile_is_none_and_not_one_without_channels() {
    for at in 1..=6 {
        let mut model = Model { cleared_before: Some(at), ..Model::new() };
        let mut ring = ring(Block::At(RAM + BLOCK as u32));
        let seen = ring.look(&mut model);
        assert!(seen.is_ok(), "before access {at}: {seen:?}");
    }
}

#[test]
fn firmware_that_keeps_its_ring_over_a_reset_loses_nothing() {
    let mut model = Model::new();
    let mut ring = ring(Block::At(RAM + BLOCK as u32));
    ring.begins = Span::ZERO;
    model.say(b"first");
    heard(&mut ring, &mut model);
    model.say(b"last words");
    model.reset = true;
    assert_eq!(heard(&mut ring, &mut model), Some((b"last words".to_vec(), Life::Same)));
}

#[test]
fn another_image_is_told_where_it_differs_and_once_in_a_life() {
    const AT: usize = 512;
    let bytes: Vec<u8> = (0..300).map(|at| at as u8).collect();
    let hold = |model: &mut Model| model.ram[AT..][..bytes.len()].copy_from_slice(&bytes);
    let mut model = Model::new();
    hold(&mut model);
    let place = Place { block: Block::At(RAM + BLOCK as u32), up: 0, down: 0, mode: None };
    let segment = Segment { address: RAM + AT as u32, bytes: bytes.clone() };
    let mut ring = Ring::new(place, vec![segment]);
    let mut differences = |model: &mut Model| -> Vec<u32> {
        let looks = (0..6).map(|_| ring.look(model).unwrap());
        looks.filter_map(|seen| if let Seen::Bytes(heard) = seen { heard.differs } else { None }).collect()
    };
    assert!(differences(&mut model).is_empty());
    model.reset = true;
    model.ram[AT + 299] ^= 1;
    assert_eq!(differences(&mut model), [RAM + AT as u32 + 299]);
}

proptest! {
    #[test]
    fn whatever_is_written_is_heard_in_its_order(words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..SIZE), 0..40)) {
        let mut model = Model::new();
        let mut ring = ring(Block::Anywhere);
        let (mut said, mut all) = (Vec::new(), Vec::new());
        for word in words {
            if !model.say(&word) {
                all.extend(heard(&mut ring, &mut model).unwrap().0);
                prop_assert!(model.say(&word), "the ring was read and has no room");
            }
            said.extend(word);
        }
        all.extend(heard(&mut ring, &mut model).unwrap().0);
        prop_assert_eq!(all, said);
    }
}
