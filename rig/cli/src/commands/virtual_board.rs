//! `brickproof virtual`: a virtual board in wall-clock time, held by other people's tools until somebody has had enough.
//!
//! Boundary: it says where the ends are. What they are is `brickproof-paced`'s.

use std::sync::Arc;

use brickproof_boards::{BoardProfile, UsbId};
use brickproof_paced::attach::{AttachError, attach};
use brickproof_paced::board::PacedBoard;
use brickproof_paced::serve::{ServeOptions, serve};
use brickproof_paced::station::{StationConfig, UsbNames, devices};
use brickproof_sim::factory_board;
use brickproof_units::Voltage;

use crate::arguments::{VirtualAttach, VirtualBoard, VirtualCommand, VirtualServe};
use crate::exit::{Exit, Problem};
use crate::{files, library, output, stations};

/// What a board that nobody else feeds lives on.
const USB: Voltage = Voltage::new(5_000_000);

pub(crate) fn virtual_board(command: &VirtualCommand) -> Result<Exit, Problem> {
    match command {
        VirtualCommand::Serve(arguments) => serve_one(arguments),
        VirtualCommand::Attach(arguments) => attach_one(arguments),
    }
}

/// A board that is alive and has no source.
struct Alive {
    board: PacedBoard,
    profile: Arc<BoardProfile>,
    /// In a line: `lantern-nrf51 with lantern-heal-full, seed 1, serial 0123456789abcdef`.
    shown: String,
}

fn start(wanted: &VirtualBoard) -> Result<Alive, Problem> {
    let profile = Arc::clone(library::board(&wanted.board)?);
    library::check_emulated(&profile)?;
    let firmware = files::firmware_called(&wanted.firmware, &profile)?;
    let failed = |what: String| Problem::Bench(vec![what]);
    let (board, wiring) = factory_board(&profile, &firmware, wanted.seed).map_err(|error| failed(error.to_string()))?;
    let serial = serial(&board.soc().unique_id());
    let board = PacedBoard::start(board, wiring, wanted.seed)
        .map_err(|error| failed(format!("the board cannot be given a thread: {error}")))?;
    let shown = format!("{} with {}, seed {}, serial {serial}", wanted.board, wanted.firmware, wanted.seed);
    Ok(Alive { board, profile, shown })
}

fn serve_one(arguments: &VirtualServe) -> Result<Exit, Problem> {
    until_interrupted(|| {
        let Alive { board, profile, shown } = start(&arguments.board)?;
        let hand = board.hand();
        let served = serve(&hand, ServeOptions { debug: arguments.debug }).map_err(|error| {
            Problem::Bench(vec![format!("the board cannot be served at {}: {error}", arguments.debug)])
        })?;
        hand.feed_from_usb(Some(USB));
        output::line(&format!("board     {shown}"));
        output::line(&format!("console   {}", served.console().display()));
        output::line(&format!("debug     {}, as a Black Magic probe, one user at a time", served.debug()));
        let chip = &profile.probe;
        output::line(&format!("probe-rs  info --probe 1d50:6018:{} --protocol swd --chip {chip}", served.debug()));
        Ok((board, served))
    })
    .map(|(exit, _)| exit)
}

fn attach_one(arguments: &VirtualAttach) -> Result<Exit, Problem> {
    let (exit, (_board, attached)) = until_interrupted(|| {
        let Alive { board, profile, shown } = start(&arguments.board)?;
        let hand = board.hand();
        let pin = |lines: &[brickproof_boards::Line], name: &str| {
            lines.iter().find(|line| line.name == name).and_then(|line| line.pin.parse().ok())
        };
        let usual = StationConfig::lantern_nrf51(&arguments.serial);
        let config = StationConfig {
            mode: pin(&profile.buttons, "mode").unwrap_or(usual.mode),
            radio: pin(&profile.lines, "radio").unwrap_or(usual.radio),
            own_usb: usb_names(&profile),
            ..usual
        };
        let attached = attach(&devices(&hand, &config)).map_err(|error| refused(&error))?;
        output::line(&format!("board      {shown}; its power comes through the station"));
        output::line(&format!("plugged in {}", attached.lasting().collect::<Vec<_>>().join(", ")));
        let passing: Vec<_> = attached.passing().collect();
        if !passing.is_empty() {
            output::line(&format!("           {} whenever the board is on its own", passing.join(", ")));
        }
        output::line(&format!("next       brickproof bench discover --board {}", profile.name));
        Ok((board, attached))
    })?;
    attached.detach().map_err(|error| Problem::Bench(vec![format!("the station cannot be pulled out: {error}")]))?;
    Ok(exit)
}

/// What the board is called on USB, and what its bootloader offers.
fn usb_names(profile: &BoardProfile) -> Option<UsbNames> {
    let ids = profile.usb?;
    let numbers = |id: UsbId| (id.vendor, id.product);
    let mut alternates: Vec<_> = profile.dfu.iter().collect();
    alternates.sort_by_key(|alternate| alternate.number);
    let alternates = alternates.into_iter().map(|alternate| alternate.name.clone()).collect();
    Some(UsbNames { normal: numbers(ids.normal), dfu: numbers(ids.dfu), alternates })
}

/// The unique id as a bench file has it.
fn serial(unique_id: &[u8]) -> String {
    unique_id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why the kernel does not take the station, and what to do about it.
fn refused(error: &AttachError) -> Problem {
    let source = std::error::Error::source(error).map_or(String::new(), |source| format!(": {source}"));
    let help = match error {
        AttachError::Controller(_) => "; `modprobe vhci-hcd` loads it, as root",
        AttachError::Full { .. } => "; pull something out, or end another `brickproof virtual attach`",
        _ => "; it takes root",
    };
    Problem::Bench(vec![format!("the station cannot be plugged in: failed to {error}{source}{help}")])
}

/// Keeps what was begun until Ctrl-C, and hands it back. A signal that comes while it begins is not lost.
fn until_interrupted<T>(begin: impl FnOnce() -> Result<T, Problem>) -> Result<(Exit, T), Problem> {
    stations::on_threads(async {
        let mut stop = stations::watch_signals();
        let begun = begin()?;
        output::note("Ctrl-C ends it");
        // An error says that signals cannot be watched: then the first one ends it without being heard.
        if stop.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        Ok((Exit::Interrupted, begun))
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_serial_number_is_the_ids_bytes_as_they_lie_in_memory() {
        assert_eq!(serial(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]), "0123456789abcdef");
    }

    #[test]
    fn a_kernel_without_the_controller_is_told_how_to_get_it() {
        let problem = refused(&AttachError::Controller(io::ErrorKind::NotFound.into()));
        assert_eq!(problem.exit(), Exit::BenchFailed);
        assert_eq!(
            problem.to_string(),
            "the station cannot be plugged in: failed to find the kernel's USB controller for simulated devices (is vhci-hcd loaded?): \
             entity not found; `modprobe vhci-hcd` loads it, as root"
        );
    }
}
