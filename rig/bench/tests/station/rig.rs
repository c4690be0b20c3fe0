//! A model with a bench file and a folder of its own, and trials on it.
//!
//! Boundary: what a bench would have beside the instruments. What comes of a trial is for the tests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use brickproof_bench::OpenStation;
use brickproof_bench::driver::{Job, Outcome, Stop, run};
use brickproof_bench::file::{self, Cloud, Identity, World};
use brickproof_bench::state::StateFolder;
use brickproof_firmware::Firmware;
use brickproof_instruments::{Factory, Kind, Settings, Value};
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Library, load};
use tokio::sync::watch;

use crate::model::{Bay, Model, SERIAL};

/// A model with its bench file and a folder for its state.
pub(crate) struct Rig {
    pub(crate) model: Arc<Model>,
    pub(crate) file: file::Station,
    pub(crate) state: StateFolder,
    pub(crate) folder: PathBuf,
    _folder: tempfile::TempDir,
}

/// Every instrument that the model has.
pub(crate) const KINDS: [Kind; 5] = [Kind::Lines, Kind::Console, Kind::Supply, Kind::Light, Kind::Probe];

impl Rig {
    pub(crate) fn new() -> Self {
        Self::of(Model::new(), "lantern-nrf51", KINDS)
    }

    /// With a board that has a bootloader, and its USB.
    pub(crate) fn on_usb() -> Self {
        Self::of(Model::on_usb(), "lantern-nrf52840", KINDS.into_iter().chain([Kind::Dfu]))
    }

    fn of(model: Arc<Model>, board: &str, kinds: impl IntoIterator<Item = Kind>) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let state = StateFolder::at(folder.path()).expect("it is there");
        let map = |lines: &[(&str, &str)]| {
            Value::LineMap(lines.iter().map(|(name, place)| ((*name).to_owned(), (*place).to_owned())).collect())
        };
        let lines = Settings::new()
            .with("drive", map(&[("reset", "17"), ("mode", "27")]))
            .with("watch", map(&[("radio", "23 active-high")]));
        let driver = |kind| {
            let factory: &'static dyn Factory = Box::leak(Box::new(Bay { kind, model: Arc::clone(&model) }));
            let settings = match kind {
                Kind::Lines => lines.clone(),
                Kind::Dfu => Settings::new().with("serial", Value::Text("000000000001".to_owned())),
                _ => Settings::new(),
            };
            (kind, file::Driver::Real(factory, settings))
        };
        let file = file::Station {
            name: "desk".to_owned(),
            board: Arc::clone(Library::built_in().board(board).expect("a profile that ships")),
            serial: Some(Identity::of(SERIAL.to_vec())),
            world: World::Lane,
            instruments: kinds.into_iter().map(driver).collect(),
            lights: BTreeMap::new(),
            cloud: Some(Cloud::Console),
            keys: file::StationKeys::default(),
        };
        let path = folder.path().to_owned();
        Self { model, file, state, folder: path, _folder: folder }
    }

    pub(crate) async fn open(&self) -> Arc<OpenStation> {
        let (station, restored) = OpenStation::open("model", &self.file, &self.state).await.expect("it opens");
        assert_eq!(restored, None);
        station
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("model.desk.journal")
    }

    /// Opens the station and runs one trial to its end.
    pub(crate) async fn run(&self, plan: Plan) -> Outcome {
        let station = self.open().await;
        run_on(&station, plan).await
    }
}

/// Runs a trial to its end.
pub(crate) async fn run_on(station: &Arc<OpenStation>, plan: Plan) -> Outcome {
    let (_keep, stop) = watch::channel(Stop::No);
    run(station, &job(plan), stop, &mut ()).await.expect("the journal can be written")
}

/// A trial with the firmware of its plan.
pub(crate) fn job(plan: Plan) -> Job {
    let firmware = if plan.leaves_the_board_alone() {
        Firmware::not_written()
    } else {
        Firmware::shipped(&plan.firmware.0).expect("an image that ships")
    };
    Job { plan: Arc::new(plan), firmware, seed: 1, name: "model.1-00000000".to_owned() }
}

/// The only cell of a scenario with this firmware and these lines behind the head.
pub(crate) fn scenario(release: &str, lines: &str) -> Plan {
    plan(&format!("scenario: A trial on the model\nboard: lantern-nrf51\nfirmware: lantern-{release}\n{lines}"))
}

/// The only cell of a scenario.
pub(crate) fn plan(text: &str) -> Plan {
    let loaded = load("model.yaml", text, &Library::built_in());
    let mut cells = loaded.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110))).cells;
    assert_eq!(cells.len(), 1);
    cells.remove(0)
}

/// The cell of a shipped scenario on the model's board with this release.
pub(crate) fn shipped(path: &str, release: &str) -> Plan {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let text = std::fs::read_to_string(&path).expect("the scenario is shipped");
    let loaded = load("shipped.yaml", text, &Library::built_in()).expect("it has no mistakes");
    let firmware = format!("lantern-{release}");
    let mut cells = loaded.cells.into_iter().filter(|it| it.board.name == "lantern-nrf51" && it.firmware.0 == firmware);
    cells.next().expect("it has this release")
}

/// The verdict in one line.
pub(crate) fn verdict(outcome: &Outcome) -> String {
    let verdict = outcome.trial.verdict().expect("it is over");
    let blame = verdict.blame.map(|blame| format!(", blame: {blame}")).unwrap_or_default();
    format!("{}{blame}: {}", verdict.kind, verdict.reason)
}
