//! Strikes every flash operation of lantern's key update, and tells how its releases take it and how fast that is found out.
//!
//! Boundary: arguments, one thread, the clock on the wall and printing. What is done is `brickproof_explore`'s.
//!
//! `cargo run --release -p brickproof-explore --example every-operation -- --help`

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use brickproof_explore::{
    Ask, Budget, Campaign, Course, Exhaustive, Kind, Laboratory, Repeats, SecondCuts, Spared, SweepSettings,
};
use brickproof_firmware::Firmware;
use brickproof_scenario::plan::{CellModel, FirmwareName, Plan};
use brickproof_scenario::{Library, load};

const HELP: &str = "\
Strikes every flash operation of lantern's key update, and tells how its releases take it and how fast that is found out.

usage: every-operation [OPTIONS]

  --release NAME     no-heal, heal-blank, heal-parse or heal-full [all of them]
  --cells MODELS     ideal, fractional, marginal, or several with commas between [all of them]
  --fractions N      places inside an operation, besides before and after it [8]
  --second-cuts      strike every operation of the boot after each place too
  --trials N         no more trials than these, spread evenly over the places
  --whole            make every trial to its end
  --help
";

const SCENARIO: &str = include_str!("../../../scenarios/battery-death/brown-out.yaml");
const RELEASES: [&str; 4] = ["no-heal", "heal-blank", "heal-parse", "heal-full"];
/// What all trials share up to the fault.
const SEED: u64 = 1;

struct Arguments {
    releases: Vec<String>,
    asked: Exhaustive,
    trials: Option<u64>,
    whole: bool,
}

impl Arguments {
    /// `None` if help is asked for.
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut parsed = Self {
            releases: RELEASES.map(str::to_owned).to_vec(),
            asked: Exhaustive {
                window: Exhaustive::WINDOW,
                fractions: Exhaustive::FRACTIONS,
                cells: CellModel::ALL.to_vec(),
                second_cuts: SecondCuts::None,
                each: 1,
            },
            trials: None,
            whole: false,
        };
        while let Some(option) = words.next() {
            match option.as_str() {
                "--help" => return Ok(None),
                "--whole" => parsed.whole = true,
                "--second-cuts" => parsed.asked.second_cuts = SecondCuts::Every,
                _ => {
                    let value = words.next().ok_or_else(|| format!("`{option}` is unknown or lacks its value"))?;
                    parsed.set(&option, &value)?;
                }
            }
        }
        Ok(Some(parsed))
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        let unknown = || format!("`{value}` is nothing for `{option}`");
        match option {
            "--release" => {
                let known = RELEASES.iter().find(|known| **known == value).ok_or_else(unknown)?;
                self.releases = vec![(*known).to_owned()];
            }
            "--cells" => {
                let models = value.split(',').map(|name| CellModel::from_name(name).ok_or_else(unknown));
                self.asked.cells = models.collect::<Result<_, _>>()?;
            }
            "--fractions" => {
                let fractions = value.parse().ok().filter(|count| *count <= Exhaustive::MOST_FRACTIONS);
                self.asked.fractions = fractions.ok_or_else(unknown)?;
            }
            "--trials" => self.trials = Some(value.parse().map_err(|_| unknown())?),
            _ => return Err(format!("`{option}` is unknown")),
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print(HELP);
            return ExitCode::SUCCESS;
        }
        Err(mistake) => {
            eprintln!("{mistake}; try --help");
            return ExitCode::from(2);
        }
    };
    for release in &arguments.releases {
        match sweep(release, &arguments) {
            Ok(told) => print(&told),
            Err(error) => {
                eprintln!("failed to sweep {release}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn print(text: &str) {
    print!("{text}");
}

fn plan(firmware: &str) -> Result<Plan, String> {
    let scenario = load("brown-out.yaml", SCENARIO, &Library::built_in()).map_err(|mistakes| mistakes.render(110))?;
    let cells = scenario.with_firmware(&FirmwareName(firmware.to_owned())).cells;
    cells.into_iter().next().ok_or_else(|| "the scenario has no cell".to_owned())
}

fn sweep(release: &str, arguments: &Arguments) -> Result<String, String> {
    let name = format!("lantern-{release}");
    let plan = Arc::new(plan(&name)?);
    let firmware = Firmware::shipped(&name).ok_or_else(|| format!("{name} does not ship"))?;
    let began = Instant::now();
    let found = arguments.asked.places(&plan, &firmware, SEED).map_err(|error| error.to_string())?;
    let (all, looked) = (found.places.len(), began.elapsed().as_secs_f64());
    let kind = Kind::Sweep(SweepSettings::Places(found.places.into()));
    let budget = Budget { trials: arguments.trials, ..Budget::default() };
    let campaign = Campaign { title: name.clone(), kind, seed: SEED, budget };
    let mut course = Course::new(campaign, Repeats::Exactly).map_err(|error| error.to_string())?;
    let began = Instant::now();
    let laboratory = Laboratory::new(plan, firmware, SEED);
    let laboratory = if arguments.whole { laboratory } else { laboratory.sparing() };
    while let Ask::Shot(shot) = course.ask() {
        let plan = laboratory.plan_of(&shot.settings).map_err(|error| error.to_string())?;
        let (finding, _) = laboratory.find(plan, &shot);
        course.record(&finding);
    }
    let (took, done) = (began.elapsed().as_secs_f64(), course.progress().done);
    let Spared { made, told, checked, contradicted } = laboratory.spared();
    Ok(format!(
        "{name}: {} flash operations, {all} places (looked for in {looked:.2} s)\n{}  made to their end {made}, told {told}, checked {checked}, \
         contradicted {contradicted}; {done} trials in {took:.2} s: {:.0} per second on one core\n\n",
        found.operations,
        course.answer().text,
        done as f64 / took.max(1e-9)
    ))
}
