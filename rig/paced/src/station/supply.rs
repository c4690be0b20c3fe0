//! A laboratory supply at the board's input that speaks SCPI over a serial port.
//!
//! Boundary: one output and the commands for it. Parser, number formats and error queue are those of the crate `scpi`.

use std::collections::VecDeque;

use brickproof_units::{Current, Voltage};
use scpi::error::{Error, ErrorCode};
use scpi::parser::format::Character;
use scpi::tree::prelude::*;
use scpi::{Branch, Leaf, Root, cmd_both, cmd_nquery, cmd_qonly};

use crate::board::{BenchFeed, Hand};
use crate::devices::cdc_acm::CdcAcm;
use crate::devices::descriptors::Identity;
use crate::news::News;
use crate::usbip::{self, Setup, Stall};

/// The highest voltage that it gives: more than any board of its station stands; assumed.
const HIGHEST: f64 = 6.0;
/// The highest limit; assumed.
const STRONGEST: f64 = 3.0;
/// Longer than any command; what is longer is thrown away.
const LONGEST_LINE: usize = 256;
/// As many errors as it keeps; more are lost. IEEE 488.2 asks for two at least.
const QUEUE: usize = 16;

pub(super) struct BenchSupply {
    port: CdcAcm,
    line: Vec<u8>,
    output: Output,
}

struct Output {
    hand: Hand,
    serial: String,
    volts: f64,
    amperes: f64,
    on: bool,
    errors: VecDeque<Error>,
}

impl Output {
    fn apply(&self) {
        let micro = |value: f64| (value * 1e6).round() as i64;
        let feed =
            BenchFeed { voltage: Voltage::new(micro(self.volts)), current_limit: Current::new(micro(self.amperes)) };
        self.hand.feed_from_bench(self.on.then_some(feed));
    }
}

impl Device for Output {
    fn handle_error(&mut self, error: Error) {
        if self.errors.len() < QUEUE {
            self.errors.push_back(error);
        }
    }
}

impl BenchSupply {
    pub(super) fn new(hand: Hand, serial: &str) -> Self {
        // A number that pid.codes keeps for tests.
        let identity = Identity::new(0x1209, 0x0001, "bench supply", serial);
        let output =
            Output { hand, serial: serial.to_owned(), volts: 0.0, amperes: 0.1, on: false, errors: VecDeque::new() };
        Self { port: CdcAcm::of(identity), line: Vec::new(), output }
    }

    fn hear(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.line.push(byte);
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                let mut answer = Vec::new();
                // An error stands in the queue, where whoever wants to know asks for it.
                let _ = TREE.run(&line, &mut self.output, &mut Context::default(), &mut answer);
                self.port.send(&answer);
            } else if self.line.len() > LONGEST_LINE {
                self.line.clear();
                self.output.handle_error(ErrorCode::InputBufferOverrun.into());
            }
        }
    }
}

impl usbip::Device for BenchSupply {
    fn device_descriptor(&self) -> Vec<u8> {
        self.port.device_descriptor()
    }

    fn configuration(&self) -> Vec<u8> {
        self.port.configuration()
    }

    fn strings(&self) -> Vec<String> {
        self.port.strings()
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Result<Vec<u8>, Stall> {
        self.port.control(setup, data)
    }

    fn tells(&mut self, news: News) {
        self.port.tells(news);
    }

    fn received(&mut self, endpoint: u8, bytes: &[u8]) {
        self.port.received(endpoint, bytes);
        let bytes = self.port.take_received();
        self.hear(&bytes);
    }

    fn to_send(&mut self, endpoint: u8, room: usize) -> Option<Vec<u8>> {
        self.port.to_send(endpoint, room)
    }
}

type Said = scpi::error::Result<()>;

struct WhoAreYou;
impl Command<Output> for WhoAreYou {
    cmd_qonly!();
    fn query(&self, device: &mut Output, _: &mut Context, _: Parameters, mut resp: ResponseUnit) -> Said {
        resp.data(Character(format!("Brickproof,virtual supply,{},1", device.serial).as_bytes())).finish()
    }
}

struct Clear;
impl Command<Output> for Clear {
    cmd_nquery!();
    fn event(&self, device: &mut Output, _: &mut Context, _: Parameters) -> Said {
        device.errors.clear();
        Ok(())
    }
}

struct NextError;
impl Command<Output> for NextError {
    cmd_qonly!();
    fn query(&self, device: &mut Output, _: &mut Context, _: Parameters, mut resp: ResponseUnit) -> Said {
        let error = device.errors.pop_front().unwrap_or(Error::new(ErrorCode::NoError));
        resp.data(error).finish()
    }
}

fn within(value: f64, highest: f64) -> scpi::error::Result<f64> {
    if (0.0..=highest).contains(&value) { Ok(value) } else { Err(ErrorCode::DataOutOfRange.into()) }
}

struct Volts;
impl Command<Output> for Volts {
    cmd_both!();
    fn event(&self, device: &mut Output, _: &mut Context, mut params: Parameters) -> Said {
        device.volts = within(params.next_data()?, HIGHEST)?;
        device.apply();
        Ok(())
    }
    fn query(&self, device: &mut Output, _: &mut Context, _: Parameters, mut resp: ResponseUnit) -> Said {
        resp.data(device.volts).finish()
    }
}

struct Amperes;
impl Command<Output> for Amperes {
    cmd_both!();
    fn event(&self, device: &mut Output, _: &mut Context, mut params: Parameters) -> Said {
        device.amperes = within(params.next_data()?, STRONGEST)?;
        device.apply();
        Ok(())
    }
    fn query(&self, device: &mut Output, _: &mut Context, _: Parameters, mut resp: ResponseUnit) -> Said {
        resp.data(device.amperes).finish()
    }
}

struct Switch;
impl Command<Output> for Switch {
    cmd_both!();
    fn event(&self, device: &mut Output, _: &mut Context, mut params: Parameters) -> Said {
        device.on = params.next_data()?;
        device.apply();
        Ok(())
    }
    fn query(&self, device: &mut Output, _: &mut Context, _: Parameters, mut resp: ResponseUnit) -> Said {
        resp.data(device.on).finish()
    }
}

struct MeasureVolts;
impl Command<Output> for MeasureVolts {
    cmd_qonly!();
    fn query(&self, device: &mut Output, _: &mut Context, _: Parameters, mut resp: ResponseUnit) -> Said {
        resp.data(device.hand.read_supply().input.get() as f64 * 1e-6).finish()
    }
}

struct MeasureAmperes;
impl Command<Output> for MeasureAmperes {
    cmd_qonly!();
    fn query(&self, device: &mut Output, _: &mut Context, _: Parameters, mut resp: ResponseUnit) -> Said {
        // What another source feeds does not come from here.
        let amperes = if device.on { device.hand.read_supply().current.get() as f64 * 1e-6 } else { 0.0 };
        resp.data(amperes).finish()
    }
}

const TREE: Node<Output> = Root![
    Leaf!(b"*IDN" => &WhoAreYou),
    Leaf!(b"*CLS" => &Clear),
    Leaf!(b"VOLTage" => &Volts),
    Leaf!(b"CURRent" => &Amperes),
    Leaf!(b"OUTPut" => &Switch),
    Branch![b"MEASure"; Leaf!(b"VOLTage" => &MeasureVolts), Leaf!(b"CURRent" => &MeasureAmperes)],
    Branch![b"SYSTem"; Leaf!(b"ERRor" => &NextError)]
];
