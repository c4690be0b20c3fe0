//! `brickproof campaign`, `sweep`, `find-window`, `prove` and `soak`: the same campaigns, from a reviewed file or from the command line.
//!
//! Boundary: from arguments to a campaign and the scenario's cell that it varies. Carrying it out is `campaigns`' business.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use brickproof_explore::{
    Arm, Budget, Campaign, CampaignError, CampaignFile, Exhaustive, Firmwares, Kind, ProveSettings, Range, SecondCuts,
    SoakSettings, Strata, SweepSettings, Wear, WindowAsked, load,
};
use brickproof_firmware::Firmware;
use brickproof_scenario::plan::{CellModel, FirmwareName, Plan};
use brickproof_scenario::{Override, Setting};
use brickproof_statistics::Probability;
use brickproof_units::{Ratio, Span};

use crate::arguments::{self, Asked, Selection};
use crate::campaigns::{self, Prepared, Subject};
use crate::exit::{Exit, Problem};
use crate::{files, library, output};

/// Into how many strata a range is cut if nothing is said.
const STRATA: u32 = 4;

pub(crate) fn file(arguments: &arguments::Campaign) -> Result<Exit, Problem> {
    let mut prepared = prepared(&arguments.file)?;
    let Prepared { campaign, subjects } = &mut prepared;
    if let Kind::Sweep(SweepSettings::Exhaustive(asked)) = &campaign.kind {
        campaign.kind = Kind::Sweep(aimed(asked, &subjects[0], campaign.seed)?);
    }
    campaigns::conduct(prepared, &arguments.conduct)
}

/// A campaign's file and everything that it names. Nothing runs: the places of an exhaustive sweep are still to be looked for.
pub(crate) fn prepared(path: &Path) -> Result<Prepared, Problem> {
    let bytes = std::fs::read(path).map_err(|source| Problem::Unreadable { path: path.to_owned(), source })?;
    let CampaignFile { mut campaign, scenario, set, firmware, over } =
        load(&files::label(path), bytes).map_err(|mistakes| Problem::Mistakes(vec![mistakes]))?;
    let scenario = beside(path, &scenario);
    let subjects = match firmware {
        Firmwares::One(firmware) => vec![subject(&scenario, &set, firmware.as_deref(), Arm::Only)?],
        Firmwares::Two { baseline, candidate } => {
            let (subjects, names) = two(&scenario, &set, &baseline, &candidate, over.as_deref())?;
            if let (Kind::Prove(settings), Some(names)) = (&mut campaign.kind, names) {
                settings.strata.cells = names;
            }
            subjects
        }
    };
    let prepared = Prepared { campaign, subjects };
    prepared.check()?;
    Ok(prepared)
}

/// A path that a file names from its own folder on, without the detours, so that ids and replay commands read well.
fn beside(file: &Path, named: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in file.parent().unwrap_or(Path::new("")).join(named).components() {
        let steps_back =
            part == Component::ParentDir && matches!(path.components().next_back(), Some(Component::Normal(_)));
        if steps_back {
            path.pop();
        } else {
            path.push(part);
        }
    }
    path
}

pub(crate) fn sweep(arguments: &arguments::Sweep) -> Result<Exit, Problem> {
    let Asked { scenario, set, seed, .. } = &arguments.asked;
    let subject = subject(scenario, set, arguments.firmware.as_deref(), Arm::Only)?;
    let settings = if arguments.exhaustive {
        let second_cuts = if arguments.second_cuts { SecondCuts::Every } else { SecondCuts::None };
        let (window, fractions, each) = (arguments.window, arguments.fractions, arguments.each);
        let cells = each_once(&arguments.cells)?;
        let asked = Exhaustive { window, fractions, cells, second_cuts, each };
        aimed(&asked, &subject, u64::from(*seed))?
    } else {
        SweepSettings::Ranges { ranges: ranges(&arguments.vary)?, each: arguments.each }
    };
    let title = format!("What happens to {} in {}?", subject.firmware.name(), subject.plan.scenario.path);
    let campaign = campaign(&arguments.asked, title, Kind::Sweep(settings));
    campaigns::conduct(Prepared { campaign, subjects: vec![subject] }, &arguments.conduct)
}

/// The places that an exhaustive sweep strikes.
fn aimed(asked: &Exhaustive, subject: &Subject, seed: u64) -> Result<SweepSettings, Problem> {
    library::check_virtual(&subject.plan)?;
    let found = asked.places(&subject.plan, &subject.firmware, seed).map_err(|error| Problem::Selection {
        what: error.to_string(),
        help: "`--window TIME` looks for longer, as for large sectors; `--vary fault.after=FROM..TO` strikes anywhere in a range".to_owned(),
    })?;
    let (all, second) = (found.places.len(), found.places.iter().filter(|place| place.again.is_some()).count());
    output::note(&format!(
        "{} places in {} flash operations{}",
        all - second,
        found.operations,
        if asked.second_cuts == SecondCuts::Every {
            format!(", and {second} in the boots after them")
        } else {
            String::new()
        }
    ));
    if found.out_of_reach > 0 {
        output::note(&format!("{} places come sooner than the fault takes to bite", found.out_of_reach));
    }
    Ok(SweepSettings::Places(found.places.into()))
}

/// Models of cells, each of which strikes each place once.
fn each_once(models: &[CellModel]) -> Result<Vec<CellModel>, Problem> {
    match models.iter().enumerate().find(|(position, model)| models[..*position].contains(model)) {
        None => Ok(models.to_vec()),
        Some((_, twice)) => Err(Problem::Selection {
            what: format!("--cells names `{}` twice", twice.name()),
            help: "each model strikes each place once; --each says how often".to_owned(),
        }),
    }
}

pub(crate) fn find_window(arguments: &arguments::FindWindow) -> Result<Exit, Problem> {
    let subject = subject(&arguments.asked.scenario, &arguments.asked.set, arguments.firmware.as_deref(), Arm::Only)?;
    let range = Range::new(Setting::after(arguments.from), Setting::after(arguments.to), None).map_err(refused)?;
    let asked = WindowAsked {
        range,
        resolution: arguments.resolution,
        narrowest: arguments.narrowest,
        credibility: share("--credibility", arguments.credibility)?,
        weakest: share("--weakest", arguments.weakest)?,
        confidence: share("--confidence", arguments.confidence)?,
    };
    let title = format!("At which instants does {} fail in {}?", subject.firmware.name(), subject.plan.scenario.path);
    let campaign = campaign(&arguments.asked, title, Kind::FindWindow(asked));
    campaigns::conduct(Prepared { campaign, subjects: vec![subject] }, &arguments.conduct)
}

pub(crate) fn prove(arguments: &arguments::Prove) -> Result<Exit, Problem> {
    let arguments::Prove { asked, baseline, candidate, vary, strata, over, good, bad, alpha, beta, cap, conduct } =
        arguments;
    let (subjects, names) = two(&asked.scenario, &asked.set, baseline, candidate, over.as_deref())?;
    let test = brickproof_statistics::Asked {
        good: share("--good", *good)?,
        bad: share("--bad", *bad)?,
        alpha: share("--alpha", *alpha)?,
        beta: share("--beta", *beta)?,
        cap: *cap,
    };
    let ranges = ranges(vary)?;
    let usual = if names.is_none() && ranges.first().is_some_and(|range| range.holds(STRATA)) { STRATA } else { 1 };
    let strata = Strata { cells: names.unwrap_or_default(), bands: strata.unwrap_or(usual) };
    let settings = ProveSettings { asked: test, ranges, strata };
    let title = format!("Is {candidate} fixed, where {baseline} fails, in {}?", files::label(&asked.scenario));
    campaigns::conduct(Prepared { campaign: campaign(asked, title, Kind::Prove(settings)), subjects }, conduct)
}

pub(crate) fn soak(arguments: &arguments::Soak) -> Result<Exit, Problem> {
    let arguments::Soak { asked, firmware, cycles, stop_at_failures, evidence, boards, endurance, conduct } = arguments;
    let subject = subject(&asked.scenario, &asked.set, firmware.as_deref(), Arm::Only)?;
    let settings = SoakSettings {
        cycles: *cycles,
        stop_at_failures: *stop_at_failures,
        wear: endurance.map(|endurance| Wear { endurance, per_cycle: Vec::new() }),
        boards: *boards,
    };
    let title = format!("Does {} last in {}?", subject.firmware.name(), subject.plan.scenario.path);
    let mut campaign = campaign(asked, title, Kind::Soak(settings));
    campaign.budget.evidence = *evidence;
    campaigns::conduct(Prepared { campaign, subjects: vec![subject] }, conduct)
}

fn campaign(asked: &Asked, title: String, kind: Kind) -> Campaign {
    let budget = Budget { trials: asked.trials, time: asked.time, evidence: None };
    Campaign { title, kind, seed: u64::from(asked.seed), budget }
}

pub(crate) fn refused(error: CampaignError) -> Problem {
    Problem::Selection {
        what: error.to_string(),
        help: "`--help` tells what each option takes; scenarios/README.md shows campaigns".to_owned(),
    }
}

fn share(option: &str, ratio: Ratio) -> Result<Probability, Problem> {
    // Parts per million are exact in a float.
    Probability::new(ratio.get() as f64 / 1e6).map_err(|error| Problem::Selection {
        what: format!("{option} {ratio}: {error}"),
        help: "write a percentage from 0% to 100%".to_owned(),
    })
}

/// `fault.after=0ms..60ms/61`.
fn ranges(texts: &[String]) -> Result<Vec<Range>, Problem> {
    texts.iter().map(|text| range(text)).collect()
}

fn range(text: &str) -> Result<Range, Problem> {
    let wrong = |what: String| Problem::Selection {
        what,
        help: "write `fault.after=0ms..60ms`, or `fault.after=0ms..60ms/61` for so many points".to_owned(),
    };
    let (name, places) = text.split_once('=').ok_or_else(|| wrong(format!("`{text}` names no knob")))?;
    let (from, rest) =
        places.split_once("..").ok_or_else(|| wrong(format!("`{text}` has no `..` between two ends")))?;
    // A slope has a `/` of its own, and a digit never follows it.
    let counted = rest.rsplit_once('/').filter(|(_, points)| points.starts_with(|c: char| c.is_ascii_digit()));
    let (to, points) = match counted {
        None => (rest, None),
        Some((to, points)) => {
            let count = points.parse().map_err(|_| wrong(format!("`{points}` in `{text}` is no number of points")))?;
            (to, Some(count))
        }
    };
    let setting = |value: &str| {
        Setting::parse(name.trim(), value)
            .map_err(|error| Problem::Selection { what: error.to_string(), help: error.help().to_owned() })
    };
    Range::new(setting(from)?, setting(to)?, points).map_err(refused)
}

/// Baseline and candidate; with `over` each of them in every cell that differs in that axis, and what the cells are called.
fn two(
    scenario: &Path,
    set: &[Override],
    baseline: &str,
    candidate: &str,
    over: Option<&str>,
) -> Result<(Vec<Subject>, Option<Vec<String>>), Problem> {
    let arms = [(baseline, Arm::Baseline), (candidate, Arm::Candidate)];
    let Some(axis) = over else {
        let subjects = arms.map(|(firmware, arm)| subject(scenario, set, Some(firmware), arm));
        return Ok((subjects.into_iter().collect::<Result<_, _>>()?, None));
    };
    let source = files::read(&[scenario.to_owned()])?.pop();
    let values = source.as_ref().and_then(|source| source.values(axis)).map(<[String]>::to_vec).unwrap_or_default();
    let wanted: Vec<&Override> = set.iter().filter(|it| it.axis == axis).collect();
    let met = |value: &String| wanted.is_empty() || wanted.iter().any(|it| it.value == *value);
    let values: Vec<String> = values.into_iter().filter(met).collect();
    if values.is_empty() {
        return Err(Problem::Selection {
            what: format!("{} has no axis `{axis}` to go over", scenario.display()),
            help: "`brickproof explain PATH` shows the axes of a scenario".to_owned(),
        });
    }
    let rest: Vec<Override> = set.iter().filter(|it| it.axis != axis).cloned().collect();
    let mut subjects = Vec::new();
    for (cell, value) in values.iter().enumerate() {
        let this = Override { axis: axis.to_owned(), value: value.clone() };
        let set: Vec<Override> = rest.iter().cloned().chain([this]).collect();
        for (firmware, arm) in arms {
            subjects.push(Subject { cell, ..subject(scenario, &set, Some(firmware), arm)? });
        }
    }
    let names = values.iter().map(|value| format!("{axis} {value}")).collect();
    Ok((subjects, Some(names)))
}

/// The only cell that is left of the scenario, with a firmware that is asked to survive.
fn subject(path: &Path, set: &[Override], firmware: Option<&str>, arm: Arm) -> Result<Subject, Problem> {
    let selection = |firmware: Option<String>| Selection {
        paths: vec![PathBuf::from(path)],
        firmware,
        set: set.to_vec(),
        tag: Vec::new(),
    };
    let mut loaded = files::load(&selection(firmware.map(str::to_owned)))?;
    let (source, scenario) = loaded.pop().filter(|_| loaded.is_empty()).ok_or_else(|| Problem::Selection {
        what: format!("{} is more than one scenario", path.display()),
        help: "a campaign varies one".to_owned(),
    })?;
    let plan: Plan = only_cell(&source, &scenario.cells)?.clone();
    // Its own firmware may be expected to brick; here it is asked whether it does.
    let scenario =
        if firmware.is_none() { scenario.with_firmware(&FirmwareName(plan.firmware.0.clone())) } else { scenario };
    let plan = only_cell(&source, &scenario.cells)?.clone();
    let firmware: Firmware = files::firmware_of(&plan)?;
    Ok(Subject { arm, cell: 0, source, plan: Arc::new(plan), firmware })
}

fn only_cell<'a>(source: &files::Source, cells: &'a [Plan]) -> Result<&'a Plan, Problem> {
    match cells {
        [only] => Ok(only),
        several => {
            let differing: Vec<&str> = several.first().map_or(Vec::new(), |first| {
                let differs = |axis: &&(String, String)| several.iter().any(|cell| !cell.parameters.contains(axis));
                first.parameters.iter().filter(differs).map(|(axis, _)| axis.as_str()).collect()
            });
            Err(Problem::Selection {
                what: format!("{} has {} cells, and a campaign varies one", source.label, several.len()),
                help: format!("choose with --set one value of {}", differing.join(", ")),
            })
        }
    }
}

/// How long a campaign may last, as the clock on the wall counts it.
pub(crate) fn as_duration(span: Span) -> std::time::Duration {
    std::time::Duration::from_nanos(span.as_nanos())
}
