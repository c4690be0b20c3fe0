//! A station whose console is a ring in the chip's RAM: from the bench file to the lines, through one probe that others use meanwhile.
//!
//! Boundary: this machine. The board is served over TCP as a Black Magic probe; that a probe has one user at a time is the server's to hold.

use std::path::Path;
use std::time::{Duration, Instant};

use brickproof_bench::OpenStation;
use brickproof_bench::desk::{self, Conversation, Purpose};
use brickproof_bench::file::{Bench, Driver, load};
use brickproof_bench::state::StateFolder;
use brickproof_instruments::Kind;
use brickproof_paced::board::{Hand, PacedBoard};
use brickproof_paced::serve::{ServeOptions, Served, serve};
use brickproof_scenario::{Diagnostics, Library};
use brickproof_units::{Span, Voltage};
use brickproof_virtual_board::board::{Board, BoardConfig, BoardState};
use brickproof_virtual_board::chip::{Chip, Pin};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::wiring::Wiring;

const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/firmware/images");
const PATIENCE: Duration = Duration::from_secs(20);

/// A bench file that lies beside the images.
fn read(console: &str, probe: &str) -> Result<Bench, Diagnostics> {
    let station = format!(
        "bench: desk
stations:
  left:
    board: lantern-nrf51
    serial: \"0011223344556677\"
    console: {console}
    probe: {{ driver: probe-rs, usb: \"1d50:6018\", serial: \"{probe}\", chip: nRF51822_xxAA }}
"
    );
    load(&format!("{IMAGES}/bench.yaml"), station, &Library::built_in())
}

fn board(image: &str) -> (PacedBoard, Served) {
    let wiring = Wiring { light: [13, 14, 15].map(Pin::p0), modem: Some(Pin::p0(16)) };
    let config = BoardConfig { source: Source::None, pins: wiring.pins(), ..BoardConfig::new(Chip::Nrf51822) };
    let image = std::fs::read(Path::new(IMAGES).join(image)).expect("it is committed");
    let board = PacedBoard::start(Board::new(config, &image).expect("it fits"), wiring, 1).expect("a thread");
    let served = serve(&board.hand(), ServeOptions::default()).expect("a port");
    (board, served)
}

/// The first lines that a station says.
async fn hear(station: &OpenStation, lines: usize) -> Vec<String> {
    let (talk, began, mut heard) = (Conversation::begin(station), Instant::now(), String::new());
    while heard.matches('\n').count() < lines {
        assert!(began.elapsed() < PATIENCE, "too little was said: {heard:?}");
        if let Some((_, bytes)) = talk.hear(Span::millis(100)).await.expect("the console can be read") {
            heard.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    heard.lines().take(lines).map(str::to_owned).collect()
}

fn cut_power(hand: &Hand) {
    let began = Instant::now();
    hand.feed_from_usb(None);
    while hand.state() != BoardState::Off {
        assert!(began.elapsed() < PATIENCE, "it has no power and runs");
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_is_heard_through_its_probe_in_text_and_in_defmt() {
    let cases = [
        ("telltale-text.bin", "{ driver: rtt, elf: telltale-text.elf }", "line 0 skipped 0"),
        ("telltale-defmt.bin", "{ driver: defmt, elf: telltale-defmt.elf }", "0.000 telltale speaks defmt"),
    ];
    for (image, console, first) in cases {
        let (board, served) = board(image);
        let bench = read(console, &served.debug().to_string()).unwrap_or_else(|wrong| panic!("{}", wrong.render(110)));
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateFolder::at(folder.path()).expect("it is ours");
        // At the desk only what is needed is opened: the console, and the probe below it. Then all of it is let go for whoever comes next.
        for _ in 0..2 {
            let at_hand = desk::open("desk", &bench.stations[0], &state, Purpose::Console).await.expect("it opens");
            board.hand().feed_from_usb(Some(Voltage::new(5_000_000)));
            let heard = hear(&at_hand.station, 30).await;
            assert_eq!(heard[0], first, "{heard:?}");
            cut_power(&board.hand());
        }
    }
}

#[test]
fn an_elf_is_looked_for_beside_the_bench_file_and_looked_into() {
    let bench =
        read("{ driver: defmt, elf: telltale-defmt.elf }", "1").unwrap_or_else(|wrong| panic!("{}", wrong.render(110)));
    let Driver::Real(_, settings) = &bench.stations[0].instruments[&Kind::Console] else { panic!("a real one") };
    assert_eq!(settings.text("elf"), Some(format!("{IMAGES}/telltale-defmt.elf").as_str()));
    let wrong = |console: &str| {
        let mistakes = read(console, "1").expect_err("it is wrong");
        let all: Vec<_> = mistakes.mistakes().iter().map(|mistake| mistake.to_string()).collect();
        assert_eq!(all.len(), 1, "{all:?}");
        mistakes.render(400)
    };
    let no_table = wrong("{ driver: defmt, elf: telltale-text.elf }");
    assert!(
        no_table.contains("not found: it has no section `.defmt`") && no_table.contains("bench.yaml:6:"),
        "{no_table}"
    );
    let no_elf = wrong("{ driver: rtt, elf: SHA256SUMS }");
    assert!(no_elf.contains("it is no ELF") && no_elf.contains("bench.yaml:6:"), "{no_elf}");
    let missing = wrong("{ driver: rtt, elf: ../nowhere.elf }");
    assert!(missing.contains("No such file") && missing.contains("bench.yaml:6:"), "{missing}");
}
