//! The decoder on bytes that no firmware of this table wrote.

use proptest::prelude::*;

use super::*;

const ELF: &[u8] = include_bytes!("../../../../../../fixtures/firmware/images/telltale-defmt.elf");
const OTHER: &[u8] = include_bytes!("../../../../../../fixtures/firmware/images/telltale-text.elf");

#[test]
fn what_is_no_table_is_said() {
    let failed = |elf: &[u8], location| LogTable::parse(&Elf::new(elf), location).err().unwrap().to_string();
    let none = failed(OTHER, Location::Hidden);
    assert!(none.starts_with("not found: it has no section `.defmt`"), "{none}");
    let no_elf = failed(b"\x7fELFwhatever", Location::Hidden);
    assert!(no_elf.starts_with("unexpected answer: its table of defmt: "), "{no_elf}");
}

#[test]
fn a_table_is_read_wherever_in_memory_its_file_came_to_lie() {
    for begins in 0..8 {
        let shifted = [vec![0; begins], ELF.to_vec()].concat();
        assert!(LogTable::parse(&Elf::new(&shifted[begins..]), Location::Shown).is_ok(), "{begins} bytes on");
    }
}

#[test]
fn wrong_frames_are_lines_and_the_next_right_one_is_understood() {
    let table = LogTable::parse(&Elf::new(ELF), Location::Hidden).unwrap();
    let mut lines = table.listener();
    let heard = String::from_utf8(lines.hear(vec![0x7f, 0xff, 0xff, 1, 0, 0])).unwrap();
    assert!(heard.starts_with("[rig] defmt: a frame that the table of the ELF does not explain: "), "{heard:?}");
    assert_eq!(heard.lines().count(), 1);
}

proptest! {
    #[test]
    fn no_bytes_whatever_end_the_reading(bytes in prop::collection::vec(prop::collection::vec(0_u8..32, 0..40), 0..20)) {
        let table = LogTable::parse(&Elf::new(ELF), Location::Shown).unwrap();
        let mut lines = table.listener();
        for chunk in bytes {
            let text = String::from_utf8(lines.hear(chunk)).unwrap();
            prop_assert!(text.is_empty() || text.ends_with('\n'));
        }
    }
}
