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
        "Internet available, Cloud not reachable!",
        "handshake failed with code 17",
        "Public Server Key was blank, restoring.",
        "two orange after 3 seconds",
        "breathing cyan for 10 s",
        "breathing green",
        "3 orange flashes, others connect",
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
        ("I removed the cover", "i removed the cover"),
        ("i restarted it", "i restarted it"),
    ] {
        assert_eq!(observed("argon", text).unwrap_err(), format!("`{clause}` says nothing that is known here"));
    }
}

/// A negation turns what it stands with round, and nothing else.
#[test]
fn what_is_denied_is_not_seen() {
    use brickproof_diagnose::Sign;
    for (text, sign) in [
        ("it does not breathe cyan", Sign::LightConnected),
        ("no red", Sign::LightRed),
        ("never three orange", Sign::LightThreeOrange),
        ("not others too", Sign::OthersToo),
        ("other devices connect fine", Sign::OthersToo),
        ("hotspot works not", Sign::OtherNetworkHelps),
    ] {
        let observed = observed("argon", text).unwrap_or_else(|error| panic!("{error}"));
        assert!(observed.seen(sign).is_none() && observed.is_denied(sign), "{text}");
    }
    assert!(observed("argon", "registering it was not allowed").unwrap().seen(Sign::PermissionDenied).is_some());
}

/// Every line that the log is read by is understood when somebody copies it.
#[test]
fn lines_of_the_log_are_understood_as_they_stand() {
    let lines = [
        "0000045470 [system] WARN: Cloud handshake failed, code=17",
        "Cloud socket connection failed: -1",
        "Server settings are invalid, restoring defaults",
        "Error extracting public key",
    ];
    for line in lines {
        for text in [line, line.split("WARN: ").last().unwrap()] {
            let read = observed("argon", text).unwrap_or_else(|error| panic!("{error}"));
            assert!(read.all().next().is_some(), "{text}");
        }
    }
}

/// Which board it is, and whether it is known, changes nothing in that.
#[test]
fn nobody_is_sent_to_write_keys_by_a_light_that_a_firewall_shows_too() {
    let shelf = Shelf::shipped();
    let mut reader = Reader::of_whichever_kind(shelf.board("argon").unwrap());
    reader.words("cyan fast, then one red").unwrap();
    let diagnosis = diagnose(&reader.finish(), None);
    assert_eq!(diagnosis.first().hypothesis.to_string(), "network_blocked");
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
