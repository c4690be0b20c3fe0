//! Single instructions against Unicorn's Cortex-M0: `fixtures/vectors/instructions.bin`, written by `instructions.py` beside it,
//! which says what is left out and why.

use std::{collections::BTreeSet, path::Path};

use brickproof_virtual_board::core::{
    Core, CoreOptions, Register, Stop,
    encoding::{Class, classify, is_wide},
};

use crate::flat::{Flat, Lending, RAM, RAM_BYTES};

/// The code area whose bytes follow from their address, as in the generator.
const CODE: std::ops::Range<u32> = 0x1000..0x2000;

/// Classes whose effect is an exception or a sleep, which Unicorn does not model, and YIELD, which it refuses.
const NOT_IN_VECTORS: &[Class] = &[
    Class::Cps,
    Class::Bkpt,
    Class::Yield,
    Class::Wfe,
    Class::Wfi,
    Class::UdfNarrow,
    Class::Svc,
    Class::Msr,
    Class::UdfWide,
    Class::Undefined,
];

#[derive(Debug)]
struct Vector {
    address: u32,
    first: u16,
    second: u16,
    nzcv_before: u32,
    nzcv_after: u32,
    before: [u32; 15],
    after: [u32; 16],
    ram: Vec<(u32, u32)>,
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk().expect("the file ends inside a vector");
        self.0 = rest;
        *head
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn half(&mut self) -> u16 {
        u16::from_le_bytes(self.bytes())
    }

    fn byte(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    fn vector(&mut self) -> Vector {
        let (address, first, second) = (self.word(), self.half(), self.half());
        let (flags, changed, ram_words) = (self.byte(), self.half(), self.byte());
        let before: [u32; 15] = std::array::from_fn(|_| self.word());
        let next = address + if is_wide(first) { 4 } else { 2 };
        let after = std::array::from_fn(|register| match before.get(register) {
            _ if changed & 1 << register != 0 => self.word(),
            Some(value) => *value,
            None => next,
        });
        let ram = (0..ram_words).map(|_| (self.word(), self.word())).collect();
        let (nzcv_before, nzcv_after) = (u32::from(flags >> 4), u32::from(flags & 15));
        Vector { address, first, second, nzcv_before, nzcv_after, before, after, ram }
    }
}

fn vectors() -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors/instructions.bin");
    let bytes = std::fs::read(path).expect("the vectors are committed");
    let mut reader = Reader(&bytes);
    let mut vectors = Vec::new();
    while !reader.0.is_empty() {
        vectors.push(reader.vector());
    }
    vectors
}

fn initial_byte(address: u32) -> u8 {
    address.wrapping_mul(0x9D).wrapping_add((address >> 8) * 0x35).wrapping_add(0x5B) as u8
}

fn memory(lending: Lending) -> Flat {
    let mut chip = Flat::new(lending);
    chip.burn(CODE.start, &CODE.map(initial_byte).collect::<Vec<u8>>());
    chip.ram = (RAM..RAM + RAM_BYTES as u32).map(initial_byte).collect();
    chip
}

fn check(vector: &Vector, pristine: &Flat) {
    let mut chip = pristine.clone();
    chip.burn(vector.address, &vector.first.to_le_bytes());
    if is_wide(vector.first) {
        chip.burn(vector.address + 2, &vector.second.to_le_bytes());
    }
    let mut core = Core::new(CoreOptions::NRF51);
    for (number, value) in (0..).zip(vector.before) {
        core.write_register(Register::General(number), value);
    }
    core.write_register(Register::General(15), vector.address);
    core.write_register(Register::Xpsr, vector.nzcv_before << 28 | 1 << 24);

    assert_eq!(core.run(&mut chip, 1), Stop::Reached, "{vector:x?}");

    let registers = core.registers();
    assert_eq!(registers.general, vector.after, "{vector:x?}");
    assert_eq!(registers.xpsr >> 28, vector.nzcv_after, "flags of {vector:x?}");
    assert_eq!(core.instructions(), 1);
    let mut ram = pristine.clone();
    for &(address, value) in &vector.ram {
        ram.set_word(address, value);
    }
    assert!(chip.ram == ram.ram, "memory after {vector:x?}");
}

#[test]
fn instructions_do_what_unicorn_says_when_fetched() {
    let chip = memory(Lending::Fetches);
    vectors().iter().for_each(|vector| check(vector, &chip));
}

#[test]
fn instructions_do_what_unicorn_says_when_decoded_by_the_page() {
    let chip = memory(Lending::Pages);
    vectors().iter().for_each(|vector| check(vector, &chip));
}

#[test]
fn the_vectors_cover_every_class_but_those_named() {
    let covered: BTreeSet<Class> = vectors().iter().map(|vector| classify(vector.first, vector.second)).collect();
    let missing: Vec<Class> = Class::ALL.iter().copied().filter(|class| !covered.contains(class)).collect();
    assert_eq!(missing, NOT_IN_VECTORS);
    println!("{} vectors, {} of {} classes", vectors().len(), covered.len(), Class::ALL.len());
}
