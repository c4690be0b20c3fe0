//! What people type, and what comes of it.

#![expect(clippy::unwrap_used, reason = "helpers of tests: clippy only knows the functions that are tests")]

use brickproof_boards::Shelf;
use brickproof_diagnose::{Observed, Reader, diagnose, tell};

fn observed(board: &str, text: &str) -> Result<Observed, String> {
    let shelf = Shelf::shipped();
    let mut reader = Reader::new(shelf.board(board).unwrap());
    reader.words(text).map_err(|error| error.to_string())?;
    Ok(reader.finish())
}

fn told(board: &str, text: &str) -> String {
    let observed = observed(board, text).unwrap();
    let transport = Shelf::shipped().board(board).unwrap().cloud.as_ref().map(|cloud| cloud.transport);
    tell(&observed, &diagnose(&observed, transport))
}

#[test]
fn people_say_it_in_many_ways() {
    let said = [
        "cyan fast, then one red",
        "flashing cyan with quick red burst",
        "rapidly blinking cyan followed by 1 red flash after 45 s",
        "fast cyan, one red after 2 seconds",
        "breathing cyan",
        "blinking cyan then three orange",
        "Blinking blue",
        "pulsing magenta; after an update",
        "SOS 1",
        "no light at all",
        "white blinking, then cyan fast and 1 orange",
        "battery died, fast cyan, red",
        "-6800",
        "handshake failed -7b00, code 17",
        "Unable to receive key -19",
        "Could not receive nonce: -1",
        "fast cyan, red, hotspot works",
        "fast cyan, red, not others too, permission denied",
        "green blinking",
        "yellow blinking",
    ];
    let mut text = String::new();
    for said in said {
        let observed = observed("argon", said).unwrap_or_else(|error| panic!("{error}"));
        let signs: Vec<_> = observed.all().map(|seen| format!("{:?}", seen.sign)).collect();
        text += &format!("{said}\n    {}\n", signs.join(" "));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_not_understood_is_named() {
    for (text, clause) in [
        ("cyan fast, then mauve", "mauve"),
        ("it hums", "it hums"),
        ("fast cyan, one red, like a disco", "like a disco"),
    ] {
        assert_eq!(observed("argon", text).unwrap_err(), format!("`{clause}` says nothing that is known here"));
    }
}

#[test]
fn the_two_threads_end_where_they_ended() {
    // An Argon behind a firewall, and a Photon whose battery had died.
    insta::assert_snapshot!("argon", told("argon", "cyan fast, then one red, -6800, after 45 s"));
    insta::assert_snapshot!(
        "photon",
        told("photon", "battery died, flashing cyan with quick red burst, Unable to receive key -19")
    );
    // By the light alone they look the same, and nobody is sent to write keys.
    insta::assert_snapshot!("light_alone", told("argon", "cyan fast, then one red"));
}

proptest::proptest! {
    /// Whatever somebody types, it is understood or refused.
    #[test]
    fn no_words_are_too_much(text in "\\PC{0,120}") {
        let _ = observed("argon", &text);
    }
}
