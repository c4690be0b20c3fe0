//! What a trial costs: power cut inside a key update and reboot, judged by flash, on one core; and whole trials, judged by light and console, on one
//! core and on all of them.
//!
//! Boundary: figures of this machine; nothing here passes or fails. One iteration is one trial: the fork, the fault, the boot, the
//! verdict. What was measured (image, geometry, cell model, instructions) is printed before each figure.

use std::hint::black_box;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use brickproof_firmware::Firmware;
use brickproof_keys::KeySet;
use brickproof_keys::lantern_layout::{self, Area, Store};
use brickproof_keys::{Slot, SlotContent};
use brickproof_scenario::Library;
use brickproof_scenario::plan::Plan;
use brickproof_sim::{Simulation, WorldConfig};
use brickproof_trial::{Happening, VerdictKind};
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::{Board, BoardConfig, Pause, PauseOn};
use brickproof_virtual_board::chip::{Chip, UartTiming};
use brickproof_virtual_board::flash::{Cells, CutPoint, FlashCut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const KEY_OLD: &[u8] = include_bytes!("../../../fixtures/keys/device-old.sec1.der");
const KEY_NEW: &[u8] = include_bytes!("../../../fixtures/keys/device-new.sec1.der");
const SERVER: &[u8] = include_bytes!("../../../fixtures/keys/server.spki.der");
const ADDRESS: &[u8] = include_bytes!("../../../fixtures/keys/server-address.bin");

const CHIPS: [(&str, Chip); 2] =
    [("nRF51822, 16 MHz, 1 KiB pages", Chip::Nrf51822), ("nRF52840, 64 MHz, 4 KiB pages", Chip::Nrf52840)];
const UARTS: [(&str, UartTiming); 2] = [("instant UART", UartTiming::Instant), ("timed UART", UartTiming::Timed)];
/// Where each operation of the update is cut.
const CUT_POINTS: [CutPoint; 4] = [
    CutPoint::Before,
    CutPoint::Fraction { numerator: 1, denominator: 3 },
    CutPoint::Fraction { numerator: 2, denominator: 3 },
    CutPoint::After,
];

fn content(slot: Slot, bytes: &[u8]) -> SlotContent {
    SlotContent::new(slot, bytes).expect("the published keys fit")
}

/// What the device's slot holds after the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Old,
    New,
    Blank,
    Torn,
}

/// The two keys that the slot may hold.
struct Keys {
    old: SlotContent,
    new: SlotContent,
}

impl Keys {
    fn published() -> Self {
        Self { old: content(Slot::DevicePrivate, KEY_OLD), new: content(Slot::DevicePrivate, KEY_NEW) }
    }

    fn classify(&self, found: &SlotContent) -> Outcome {
        match found {
            _ if *found == self.old => Outcome::Old,
            _ if *found == self.new => Outcome::New,
            _ if found.used() == 0 => Outcome::Blank,
            _ => Outcome::Torn,
        }
    }
}

fn layout(chip: Chip) -> lantern_layout::Chip {
    match chip {
        Chip::Nrf51822 => lantern_layout::Chip::Nrf51822,
        Chip::Nrf52840 => lantern_layout::Chip::Nrf52840,
        Chip::Stm32f205 => lantern_layout::Chip::Stm32f205,
    }
}

/// One image on one board with one kind of console.
#[derive(Clone, Copy)]
struct Subject {
    image: &'static str,
    store: Store,
    chip: Chip,
    uart: UartTiming,
}

/// A board on the point of being cut.
struct Poised {
    board: Board,
    cut: FlashCut,
}

impl Subject {
    /// Provisioned, booted, and told to store another key; the update has not begun.
    fn updating(self) -> Board {
        let firmware = Firmware::shipped(self.image).expect("a shipped image");
        let config = BoardConfig { uart: self.uart, ..BoardConfig::new(self.chip) };
        let mut board = Board::new(config, firmware.image()).expect("the image fits");
        let keys = KeySet::new(
            content(Slot::DevicePrivate, KEY_OLD),
            content(Slot::ServerPublic, SERVER),
            content(Slot::ServerAddress, ADDRESS),
        );
        for area in lantern_layout::factory_content(layout(self.chip), self.store, &keys.expect("one per slot")) {
            board.write_flash(area.address, &area.bytes).expect("the area lies in flash");
        }
        board.run_until(Instant::START + Span::millis(200));
        let key: String = KEY_NEW.iter().map(|byte| format!("{byte:02x}")).collect();
        for byte in format!("keys put device {key}\n").bytes() {
            // The receiver holds six bytes: it has to be given the time to take them out. The last one is on its way.
            board.run_until(board.now() + Span::micros(100));
            board.console_input(board.now(), byte);
        }
        board
    }

    /// A snapshot shortly before each cut that `CUT_POINTS` makes of each operation of the update.
    fn poised(self) -> Vec<Poised> {
        /// From the snapshot to the operation: enough for the run to get there on its own.
        const LEAD: Span = Span::micros(5);
        let mut board = self.updating();
        let first = board.flash().operations();
        let mut whole = board.clone();
        whole.run_until(whole.now() + Span::millis(300));
        whole
            .take_flash_log()
            .iter()
            .filter(|done| done.index >= first)
            .flat_map(|done| {
                board.run_until(done.start - LEAD);
                let snapshot = settled(&board);
                CUT_POINTS.map(|at| Poised { board: snapshot.clone(), cut: FlashCut { operation: done.index, at } })
            })
            .collect()
    }

    /// The slot in the copy that counts.
    fn device_slot(self, board: &Board, keys: &Keys) -> Outcome {
        let area = |area: Area| {
            let mut bytes = vec![0; lantern_layout::AREA_SIZE];
            board.flash().read_raw(area.address(layout(self.chip)), &mut bytes).expect("the area lies in flash");
            bytes
        };
        let current = match self.store {
            Store::SingleCopy => area(Area::A),
            Store::TwoCopies => {
                let (a, b) = (area(Area::A), area(Area::B));
                let states = [&a, &b].map(|it| lantern_layout::CopyState::read(it));
                if lantern_layout::current_copy(states[0], states[1]) == Some(Area::B) { b } else { a }
            }
        };
        keys.classify(&SlotContent::from_dct(Slot::DevicePrivate, &current).expect("a whole area"))
    }
}

/// A copy that has given away everything it emitted: what a fork need not carry.
fn settled(board: &Board) -> Board {
    let mut board = board.clone();
    board.take_console();
    board.take_pin_edges();
    board.take_flash_log();
    board.take_life_log();
    board
}

/// Forks, cuts, powers up and boots until the line with the state of the keys has been written: the firmware has looked at its flash.
fn cut_and_reboot(poised: &Poised) -> Board {
    let mut board = poised.board.clone();
    board.aim(poised.cut);
    let cut = board.run_until(board.now() + Span::millis(200));
    assert_eq!(cut, Pause::PowerCut, "the operation comes right after the snapshot");
    board.power_on();
    board.pause_on(PauseOn::ConsoleLine);
    for _line in ["version", "state of the keys"] {
        let pause = board.run_until(board.now() + Span::millis(50));
        assert_eq!(pause, Pause::ConsoleLine, "lantern reports within a few milliseconds");
    }
    board
}

fn cuts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cut and reboot to a flash verdict");
    let keys = Keys::published();
    for (geometry, chip) in CHIPS {
        for (image, store) in [("lantern-no-heal", Store::SingleCopy), ("lantern-heal-full", Store::TwoCopies)] {
            for (uart_name, uart) in UARTS {
                let subject = Subject { image, store, chip, uart };
                let poised = subject.poised();
                let executed: u64 = poised
                    .iter()
                    .map(|it| cut_and_reboot(it).core().instructions() - it.board.core().instructions())
                    .sum();
                eprintln!(
                    "{image} on {geometry}, {uart_name}, {:?} cells: {} cuts ({} operations x {} points), {} instructions per trial",
                    Cells::default(),
                    poised.len(),
                    poised.len() / CUT_POINTS.len(),
                    CUT_POINTS.len(),
                    executed / poised.len() as u64,
                );
                let mut next = poised.iter().cycle();
                group.throughput(Throughput::Elements(1));
                group.bench_function(format!("{image}/{chip:?}/{uart_name}"), |bencher| {
                    bencher.iter(|| {
                        let board = cut_and_reboot(next.next().expect("there are cuts"));
                        black_box(subject.device_slot(&board, &keys))
                    });
                });
            }
        }
    }
    group.finish();
}

/// Light and console decide together how it ended; nothing is cleaned up, because a fork is thrown away. Whether the board came back or broke depends on the image and the geometry.
fn scenario(board: &str, firmware: &str, after: &str) -> String {
    format!(
        "scenario: A brown-out strikes while the device key is being rewritten
board: {board}
firmware: {firmware}
throughout:
  - not: {{ light: sos }}
steps:
  - supply: {{ usb: 5V }}
  - expect: {{ light: cloud_connected, within: 30s }}
  - send: keys rotate
  - on: {{ console: erasing key page, within: 5s }}
    fault: {{ brown_out: {{ after: {after}, rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 20ms }} }}
  - expect:
      any: [{{ console: Cloud connected }}, {{ console: handshake failed }}, {{ console: Cloud not reachable }}]
      within: 60s
  - expect: {{ any: [{{ light: cloud_connected }}, {{ light: handshake_error }}, {{ light: cloud_unreachable }}], within: 60s }}
outcome: passed
"
    )
}

/// The trial at the instant at which the fault has been asked for and has not struck yet.
fn poised_for_fault(plan: &Arc<Plan>, firmware: &Firmware, config: WorldConfig) -> Simulation {
    let mut simulation = Simulation::with_config(Arc::clone(plan), firmware, config);
    let asked_for = simulation.run_until(|it| !it.trial().faults().is_empty());
    assert!(asked_for, "{:?}", simulation.trial().verdict());
    simulation.freeze();
    simulation
}

/// What the recogniser last said of the light.
fn ending(simulation: &Simulation) -> String {
    let lights = simulation.trial().timeline().events.iter().filter_map(|event| match &event.what {
        Happening::Light { sight, .. } => Some(sight.to_string()),
        _ => None,
    });
    lights.fold(String::new(), |_, sight| sight)
}

/// How long it takes to run so many trials, shared among all processors, as `brickproof run` does.
fn on_every_core(trials: u64, trial: impl Fn() + Sync) -> Duration {
    let left = AtomicU64::new(trials);
    let take_one = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    let began = std::time::Instant::now();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while take_one() {
                    trial();
                }
            });
        }
    });
    began.elapsed()
}

fn full_trials(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("full trial with light and console verdict");
    let library = Library::built_in();
    // In the middle of the erase, which takes 22.3 ms and 85 ms.
    for (board, geometry, after) in [("lantern-nrf51", CHIPS[0].0, "12.4ms"), ("lantern-nrf52840", CHIPS[1].0, "40ms")]
    {
        for image in ["lantern-no-heal", "lantern-heal-full"] {
            let text = scenario(board, image, after);
            let loaded =
                brickproof_scenario::load("trials.yaml", text, &library).expect("the scenario has no mistakes");
            let plan = Arc::new(loaded.cells.into_iter().next().expect("one cell"));
            let firmware = Firmware::shipped(image).expect("a shipped image");
            let config = WorldConfig::new(1);
            let poised = poised_for_fault(&plan, &firmware, config);
            let trial = || {
                let mut fork = poised.clone();
                fork.run();
                fork
            };
            let once = trial();
            let verdict = once.trial().verdict().expect("the trial is over");
            assert_eq!(verdict.kind, VerdictKind::Passed, "{verdict:?}");
            let instructions = |it: &Simulation| it.world().board().core().instructions();
            eprintln!(
                "{image} on {geometry}, timed UART, {:?} cells: {} of board time and {} instructions per trial; it ended {}",
                config.cells,
                once.trial().now().since(poised.trial().now()),
                instructions(&once) - instructions(&poised),
                ending(&once),
            );
            group.throughput(Throughput::Elements(1));
            group.bench_function(format!("{image}/{board}"), |bencher| bencher.iter(|| black_box(trial())));
            group.bench_function(format!("{image}/{board}/every core"), |bencher| {
                bencher.iter_custom(|trials| on_every_core(trials, || drop(black_box(trial()))));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    // All benches together take some four minutes.
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = cuts, full_trials
}
criterion_main!(benches);
