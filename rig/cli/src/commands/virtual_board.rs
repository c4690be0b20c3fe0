//! `brickproof virtual`: a virtual board in wall-clock time, held by other people's tools until somebody has had enough.
//!
//! Boundary: it says where the ends are. What they are is `brickproof-paced`'s.

use brickproof_paced::attach::attach;
use brickproof_paced::board::PacedBoard;
use brickproof_paced::serve::{ServeOptions, serve};
use brickproof_paced::station::{StationConfig, devices};
use brickproof_scenario::board::BoardProfile;
use brickproof_scenario::{Library, suggestion};
use brickproof_sim::factory_board;
use brickproof_units::Voltage;

use crate::arguments::{VirtualAttach, VirtualBoard, VirtualCommand, VirtualServe};
use crate::exit::{Exit, Problem};
use crate::{files, output, stations};

/// What a board that nobody else feeds lives on.
const USB: Voltage = Voltage::new(5_000_000);

pub(crate) fn virtual_board(command: &VirtualCommand) -> Result<Exit, Problem> {
    match command {
        VirtualCommand::Serve(arguments) => serve_one(arguments),
        VirtualCommand::Attach(arguments) => attach_one(arguments),
    }
}

/// The board, alive and without a source, and its profile.
fn start(wanted: &VirtualBoard) -> Result<(PacedBoard, std::sync::Arc<BoardProfile>), Problem> {
    let library = Library::built_in();
    let Some(profile) = library.board(&wanted.board).cloned() else {
        return Err(Problem::Selection {
            what: format!("there is no board called `{}`", wanted.board),
            help: suggestion("boards", &wanted.board, library.board_names()),
        });
    };
    let firmware = files::firmware_called(&wanted.firmware, &profile)?;
    let failed = |what: String| Problem::Bench(vec![what]);
    let (board, wiring) = factory_board(&profile, &firmware, wanted.seed).map_err(|error| failed(error.to_string()))?;
    let board = PacedBoard::start(board, wiring, wanted.seed)
        .map_err(|error| failed(format!("the board cannot be given a thread: {error}")))?;
    Ok((board, profile))
}

fn serve_one(arguments: &VirtualServe) -> Result<Exit, Problem> {
    let (board, profile) = start(&arguments.board)?;
    let hand = board.hand();
    let served = serve(&hand, ServeOptions { debug: arguments.debug })
        .map_err(|error| Problem::Bench(vec![format!("the board cannot be served at {}: {error}", arguments.debug)]))?;
    hand.feed_from_usb(Some(USB));
    output::line(&format!("console   {}", served.console().display()));
    output::line(&format!("debug     {}, as a Black Magic probe", served.debug()));
    output::line(&format!("probe-rs  --probe 1d50:6018:{} --protocol swd --chip {}", served.debug(), chip(&profile)));
    wait()
}

fn attach_one(arguments: &VirtualAttach) -> Result<Exit, Problem> {
    let (board, profile) = start(&arguments.board)?;
    let hand = board.hand();
    let pin = |lines: &[brickproof_scenario::board::Line], name: &str| {
        lines.iter().find(|line| line.name == name).and_then(|line| line.pin.parse().ok())
    };
    let usual = StationConfig::lantern_nrf51(&arguments.serial);
    let config = StationConfig {
        mode: pin(&profile.buttons, "mode").unwrap_or(usual.mode),
        radio: pin(&profile.lines, "radio").unwrap_or(usual.radio),
        ..usual
    };
    let attached = attach(&devices(&hand, &config)).map_err(|error| {
        let source = std::error::Error::source(&error).map_or(String::new(), |source| format!(": {source}"));
        Problem::Bench(vec![format!("the station cannot be plugged in: failed to {error}{source}")])
    })?;
    output::line(&format!("plugged in: {}", attached.names().collect::<Vec<_>>().join(", ")));
    output::line(&format!("`brickproof bench discover --board {}` drafts a bench file for it", profile.name));
    let exit = wait()?;
    attached.detach().map_err(|error| Problem::Bench(vec![format!("the station cannot be pulled out: {error}")]))?;
    Ok(exit)
}

/// Until Ctrl-C.
fn wait() -> Result<Exit, Problem> {
    stations::block_on(async |_| {
        let mut stop = stations::watch_signals();
        // Nobody can want it to stop any more if the sender is gone: then there is no end to wait for either.
        let _ = stop.changed().await;
        Ok(Exit::Interrupted)
    })
}

/// The part in probe-rs's words; an nRF51822 with 256 KiB of flash and 16 KiB of RAM is variant AA.
fn chip(profile: &BoardProfile) -> &'static str {
    if profile.mcu == "nRF52840" { "nRF52840_xxAA" } else { "nRF51822_xxAA" }
}
