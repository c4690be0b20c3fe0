//! The driver `serial` on CDC-ACM devices of the kernel, with what the device saw beside it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brickproof_instruments::{Console, Deadline, Failure, FailureKind, Instrument, Kind, Settings, Touch, Value, now};
use brickproof_paced::devices::cdc_acm::CdcAcm;
use brickproof_paced::vhci::{self, Plugged};
use brickproof_units::{Baud, Span};
use libtest_mimic::Trial;

use super::{open, soon, trial};
use crate::{Mishap, eventually, note, same};

const SERIAL: &str = "310038000547343337373738";
const OTHER: &str = "310038000547343337373739";

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("serial::finds_a_board_by_usb_id_and_serial_number", finds_a_board_by_usb_id_and_serial_number),
        trial("serial::sets_the_rate_and_the_modem_lines", sets_the_rate_and_the_modem_lines),
        trial("serial::loses_nothing_either_way", loses_nothing_either_way),
        trial("serial::stamps_bytes_when_they_arrive", stamps_bytes_when_they_arrive),
        trial("serial::a_touch_reaches_the_board", a_touch_reaches_the_board),
        trial("serial::is_held_alone", is_held_alone),
        trial("serial::an_unplugged_board_is_gone_once_and_then_back", an_unplugged_board_is_gone_once_and_then_back),
    ]
}

struct Board {
    port: u32,
    device: Arc<Mutex<CdcAcm>>,
    plugged: Plugged,
}

impl Board {
    fn plug(port: u32, serial: &str) -> Result<Self, Mishap> {
        let device = Arc::new(Mutex::new(CdcAcm::new(serial)));
        let plugged = vhci::plug(port, device.clone())?;
        let board = Self { port, device, plugged };
        eventually("its port appears", Duration::from_secs(10), || console(serial).ok())?;
        board.device().take_received();
        Ok(board)
    }

    fn device(&self) -> MutexGuard<'_, CdcAcm> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pull(&mut self) -> Result<(), Mishap> {
        Ok(self.plugged.pull()?)
    }

    fn plug_in_again(&mut self) -> Result<(), Mishap> {
        self.plugged = vhci::plug(self.port, self.device.clone())?;
        Ok(())
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // The next test plugs in another one with the same number.
        let _ = self.plugged.pull();
        let serial = self.device().serial().to_owned();
        let is_missing = || match console(&serial).map_err(Failure::into_kind) {
            Err(FailureKind::Missing(_)) => Some(()),
            _ => None,
        };
        let _ = eventually("the port goes", Duration::from_secs(10), is_missing);
    }
}

fn settings(serial: &str) -> Settings {
    Settings::new().with("usb", Value::Text("2b04:c006".to_owned())).with("serial", Value::Text(serial.to_owned()))
}

fn console(serial: &str) -> Result<Box<dyn Console>, Failure> {
    console_with(&settings(serial))
}

fn console_with(settings: &Settings) -> Result<Box<dyn Console>, Failure> {
    match open(Kind::Console, "serial", settings)? {
        Instrument::Console(console) => Ok(console),
        _ => unreachable!("the factory of consoles opens consoles"),
    }
}

/// Reads until there are `count` bytes.
fn read(console: &mut dyn Console, count: usize) -> Result<Vec<u8>, Mishap> {
    let (mut bytes, deadline) = (Vec::new(), Deadline::after(Span::secs(20)));
    while bytes.len() < count {
        let chunk = console.read(deadline)?.ok_or_else(|| format!("only {} of {count} bytes came", bytes.len()))?;
        bytes.extend(chunk.bytes);
    }
    Ok(bytes)
}

fn finds_a_board_by_usb_id_and_serial_number() -> Result<(), Mishap> {
    let (first, second) = (Board::plug(2, SERIAL)?, Board::plug(3, OTHER)?);
    for (board, serial) in [(&second, OTHER), (&first, SERIAL)] {
        let mut console = console(serial)?;
        console.write(serial.as_bytes(), soon())?;
        let arrived = || (board.device().take_received() == serial.as_bytes()).then_some(());
        eventually(&format!("{serial} hears its own number"), Duration::from_secs(5), arrived)?;
    }
    let ambiguous = Settings::new().with("usb", Value::Text("2b04:c006".to_owned()));
    let failure = console_with(&ambiguous).err().ok_or("one of two boards was taken without asking which")?;
    note(&failure.to_string());
    Ok(())
}

fn sets_the_rate_and_the_modem_lines() -> Result<(), Mishap> {
    let board = Board::plug(2, SERIAL)?;
    for (rate, dtr, rts) in [(115_200, "asserted", "released"), (1_000_000, "released", "asserted")] {
        let settings = settings(SERIAL)
            .with("baud", Value::Baud(Baud::new(rate)))
            .with("dtr", Value::Text(dtr.to_owned()))
            .with("rts", Value::Text(rts.to_owned()));
        let _console = console_with(&settings)?;
        let seen = || {
            let device = board.device();
            let lines = device.modem_lines() == [dtr == "asserted", rts == "asserted"];
            (lines && device.rates().last() == Some(&rate)).then_some(())
        };
        eventually(&format!("{rate} Bd, DTR {dtr}, RTS {rts}"), Duration::from_secs(5), seen)?;
    }
    Ok(())
}

fn loses_nothing_either_way() -> Result<(), Mishap> {
    const LINES: usize = 4_000;
    let board = Board::plug(2, SERIAL)?;
    let mut console = console(SERIAL)?;
    let text: Vec<u8> = (0..LINES).flat_map(|line| format!("{line:08} the board says so\r\n").into_bytes()).collect();
    board.device().send(&text);
    same("what the board said", read(console.as_mut(), text.len())? == text, true)?;
    for part in text.chunks(3_333) {
        console.write(part, soon())?;
    }
    let mut heard = Vec::new();
    let complete = || {
        heard.extend(board.device().take_received());
        (heard.len() >= text.len()).then_some(())
    };
    eventually("the board hears all of it", Duration::from_secs(20), complete)?;
    same("what the board heard", heard == text, true)
}

fn stamps_bytes_when_they_arrive() -> Result<(), Mishap> {
    let board = Board::plug(2, SERIAL)?;
    let mut console = console(SERIAL)?;
    for round in 0..20 {
        let before = now();
        board.device().send(b"x");
        let chunk = console.read(soon())?.ok_or("nothing came")?;
        let after = now();
        let at = chunk.arrival.at;
        same(&format!("round {round}: stamped in between"), at <= after && at >= before, true)?;
    }
    same("and nothing else", console.read(Deadline::after(Span::millis(20)))?.map(|chunk| chunk.bytes), None)
}

fn a_touch_reaches_the_board() -> Result<(), Mishap> {
    let board = Board::plug(2, SERIAL)?;
    let mut console = console(SERIAL)?;
    for rate in [14_400, 28_800, 1_200] {
        console.touch(Touch(Baud::new(rate)), soon())?;
        let seen = || {
            let device = board.device();
            let rates = device.rates();
            (rates.contains(&rate) && rates.last() == Some(&115_200)).then_some(())
        };
        eventually(&format!("{rate} Bd, then the console's own rate"), Duration::from_secs(5), seen)?;
    }
    board.device().send(b"still here");
    same("the console goes on", read(console.as_mut(), 10)?, b"still here".to_vec())
}

fn is_held_alone() -> Result<(), Mishap> {
    let _board = Board::plug(2, SERIAL)?;
    let _console = console(SERIAL)?;
    match console(SERIAL).map(drop).map_err(Failure::into_kind) {
        Err(FailureKind::Busy(_)) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn an_unplugged_board_is_gone_once_and_then_back() -> Result<(), Mishap> {
    let mut board = Board::plug(2, SERIAL)?;
    let mut console = console(SERIAL)?;
    for round in 0..3 {
        board.device().send(b"before");
        same("before", read(console.as_mut(), 6)?, b"before".to_vec())?;
        board.pull()?;
        let failure = console.read(soon()).err().ok_or("an unplugged board was read")?;
        if round == 0 {
            note(&failure.to_string());
        }
        same("it is gone", matches!(failure.kind(), FailureKind::Gone(_)), true)?;
        board.plug_in_again()?;
        let back = || match console.read(Deadline::after(Span::secs(1))) {
            Ok(None) => {
                board.device().send(b"after");
                Some(())
            }
            _ => None,
        };
        eventually("it is opened again", Duration::from_secs(10), back)?;
        same("after", read(console.as_mut(), 5)?, b"after".to_vec())?;
    }
    Ok(())
}
