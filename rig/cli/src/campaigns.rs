//! Campaigns under way: shots out, findings back in the order of asking, each in the journal before it counts.
//!
//! Boundary: threads, clocks, files and what is printed. What to try and what to conclude is `brickproof-explore`'s.

mod carried;
mod evidence;
mod here;
mod keeping;
pub(crate) mod pages;
mod showing;
mod there;

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use brickproof_explore::picture::{Busy, Caption};
use brickproof_explore::{
    Answer, Arm, BoardNumber, Campaign, Class, Conclusion, Course, Finding, Kind, Repeats, Seen, Shot, SoakBoards,
    SoakSettings, Stopped, SweepSettings, undisturbed,
};
use brickproof_firmware::Firmware;
use brickproof_report::Secrets;
use brickproof_report::results::World;
use brickproof_scenario::plan::Plan;
use brickproof_trial::{Trial, TrialId};
use brickproof_units::Span;
use sha2::{Digest, Sha256};

use crate::arguments::{Conduct, Format};
use crate::commands::campaign::{as_duration, refused};
use crate::exit::{Exit, Problem};
use crate::files::{self, Source};
use crate::jobs::{FirmwareFrom, replay_command, secrets_of};
use crate::live::{Beginning, Telling};
use crate::stations::{Chosen, Interrupted};
use crate::{library, output};
use evidence::{Evidence, Standing};
use keeping::Journal;
pub(crate) use keeping::kept;
use showing::Showing;

/// A plan and a firmware that a campaign makes trials of.
pub(crate) struct Subject {
    pub(crate) arm: Arm,
    pub(crate) cell: usize,
    pub(crate) source: Source,
    pub(crate) plan: Arc<Plan>,
    pub(crate) firmware: Firmware,
}

impl Subject {
    /// The plan of a shot, and the name by which it is made again.
    fn plan_of(&self, shot: &Shot) -> Result<(Arc<Plan>, TrialId), Problem> {
        let plan = Arc::new(files::turned(&self.plan, &shot.settings)?);
        let id = TrialId::new(&plan, &self.firmware.sha256_of_all(), shot.seed);
        Ok((plan, id))
    }

    fn replay(&self, plan: &Plan, id: &TrialId) -> String {
        replay_command(id, &self.source, plan, FirmwareFrom::Asked)
    }
}

/// A campaign and its subjects: one, or baseline and candidate.
pub(crate) struct Prepared {
    pub(crate) campaign: Campaign,
    pub(crate) subjects: Vec<Subject>,
}

impl Prepared {
    /// Says what cannot be turned before anything runs.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        for subject in &self.subjects {
            for end in self.campaign.ends() {
                files::turned(&subject.plan, &[end])?;
            }
        }
        Ok(())
    }

    /// The private keys that may turn up in its trials.
    fn secrets(&self) -> Secrets {
        secrets_of(self.subjects.iter().map(|subject| (&subject.plan, &subject.firmware)))
    }

    /// What the boards are called that the campaign asks for one by one.
    fn boards(&self, chosen: Option<&Chosen>) -> Result<Vec<String>, Problem> {
        let soak = match &self.campaign.kind {
            Kind::Soak(settings) => Some(settings),
            _ => None,
        };
        let Some(chosen) = chosen.filter(|it| !it.is_virtual()) else {
            return Ok(SoakBoards::names(soak.and_then(|it| it.boards)));
        };
        soak.map_or(Ok(()), check_for_stations)?;
        Ok(self.stations(chosen).into_iter().map(|index| chosen.board_of(index)).collect())
    }

    /// The stations that can make all of its trials; every one if none can.
    fn stations(&self, chosen: &Chosen) -> Vec<usize> {
        let is_fit = |index: &usize| self.subjects.iter().all(|it| chosen.fit_for(&it.plan).contains(index));
        let fit: Vec<usize> = (0..chosen.stations.len()).filter(is_fit).collect();
        if fit.is_empty() { (0..chosen.stations.len()).collect() } else { fit }
    }

    /// Whether trials may be told by the first second of their board.
    fn may_be_told(&self) -> bool {
        matches!(self.campaign.kind, Kind::Sweep(SweepSettings::Places(_)))
    }

    fn subject(&self, shot: &Shot) -> &Subject {
        let is_meant = |subject: &&Subject| (subject.arm, subject.cell) == (shot.arm, shot.cell);
        self.subjects.iter().find(is_meant).expect("a campaign asks for the firmwares and cells that it was given")
    }

    /// What the flash does over the instants that are varied, where the world knows.
    fn busy(&self) -> Vec<Busy> {
        let latest = self.campaign.latest();
        let subject = &self.subjects[0];
        if latest == Span::ZERO {
            Vec::new()
        } else {
            undisturbed(&subject.plan, &subject.firmware, self.campaign.seed, latest)
        }
    }

    /// Over everything that its trials depend on.
    fn digest(&self, world: World, boards: &[String]) -> String {
        let mut hash = Sha256::new();
        // What it is called, and how much it may cost, changes no trial: a budget can be raised.
        let Campaign { title: _, kind, seed, budget: _ } = &self.campaign;
        let mut parts = vec![env!("CARGO_PKG_VERSION").to_owned(), world.name().to_owned(), seed.to_string()];
        for subject in &self.subjects {
            parts.push(subject.plan.scenario.sha256.clone());
            parts.push(format!("{:?}", subject.plan.parameters));
            parts.push(subject.firmware.sha256().to_owned());
        }
        // Which of several boards meets which fault.
        if matches!(kind, Kind::Prove(_)) && boards.len() > 1 {
            parts.extend(boards.iter().cloned());
        }
        // A list of places is too long for a text of its own.
        let _ = write!(Written(&mut hash), "{kind:?}");
        for part in parts {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Refuses a soak that no station can make.
fn check_for_stations(soak: &SoakSettings) -> Result<(), Problem> {
    let refused = |what: &str, help: &str| Problem::Selection { what: what.to_owned(), help: help.to_owned() };
    if soak.boards.is_some() {
        return Err(refused(
            "the boards of a bench are those of its stations, and `boards` chooses virtual ones",
            "leave `boards` out; --station chooses stations",
        ));
    }
    if soak.wear.as_ref().is_some_and(|wear| wear.per_cycle.is_empty()) {
        return Err(refused(
            "no station can tell how often the flash of its board was erased, and the soak has a budget of wear",
            "say what a cycle costs, as in `wear: { endurance: 10000, erases_per_cycle: { 0x3e800: 2 } }`; the virtual bench counts it",
        ));
    }
    Ok(())
}

/// A digest that can be written to.
struct Written<'a>(&'a mut Sha256);

impl fmt::Write for Written<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// A course, its journal, and what is shown of both. Findings come in the order of asking.
struct Desk<'p> {
    prepared: &'p Prepared,
    course: Course,
    journal: Journal,
    /// Of a soak.
    evidence: Option<Evidence>,
    showing: Showing,
    world: World,
    deadline: Option<Instant>,
    trouble: Option<Problem>,
}

impl Desk<'_> {
    /// Whether no further shot is to be asked for.
    fn is_over(&self) -> bool {
        self.trouble.is_some() || self.course.is_over()
    }

    /// Whether trials are kept, and not only what came of them.
    fn keeps_evidence(&self) -> bool {
        self.evidence.is_some()
    }

    /// Takes what came of the oldest open shot: its evidence first, then into the journal, then into the counts.
    fn take(&mut self, shot: &Shot, finding: &Finding, seen: Seen, trial: Option<&Trial>) {
        if self.is_over() {
            return;
        }
        let subject = self.prepared.subject(shot);
        let standing = if self.course.holds_back(finding) { Standing::HeldBack } else { Standing::Final };
        let kept = subject.plan_of(shot).and_then(|(plan, id)| {
            if let (Some(evidence), Some(trial)) = (&mut self.evidence, trial) {
                evidence.keep(shot, finding.class, standing, trial)?;
            }
            // Where it is kept is known once it counts.
            if standing == Standing::Final || !self.has_a_past() {
                self.remember(shot, finding.class, || subject.replay(&plan, &id));
            }
            self.journal.keep(shot, finding, seen, self.course.name_of(finding.board), &id.to_string())
        });
        let kept = kept.and_then(|()| {
            drop(self.course.record(finding));
            self.file_late()
        });
        if let Err(problem) = kept {
            self.cannot_keep(problem);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.course.stop(Stopped::OutOfTime);
        }
        self.showing.progress(&self.course);
    }
}

impl Desk<'_> {
    /// Files what was held back and counts by now as the failures that they are.
    fn file_late(&mut self) -> Result<(), Problem> {
        for (shot, class) in self.course.take_late() {
            if let Some(evidence) = &mut self.evidence {
                evidence.counts(&shot, class)?;
            }
            if self.has_a_past() {
                self.remember(&shot, class, String::new);
            }
        }
        Ok(())
    }

    /// Whether its trials are made again with the whole past of their boards only.
    fn has_a_past(&self) -> bool {
        self.evidence.is_some() && self.course.carries() && self.world == World::Virtual
    }

    /// Where to find a trial of this class, or how to make it again.
    fn remember(&mut self, shot: &Shot, class: Class, replay: impl FnOnce() -> String) {
        let has_a_past = self.has_a_past();
        self.showing.remember(class, || match &self.evidence {
            Some(evidence) if has_a_past => evidence.place_of(shot, class),
            _ => replay(),
        });
    }

    /// A board was brought back, or another put in its place.
    fn recovered(&mut self, board: BoardNumber) {
        self.showing.recovered(self.course.name_of(board));
        match self.journal.keep_recovery(self.course.name_of(board)) {
            Ok(()) => drop(self.course.recovered(board)),
            Err(problem) => self.cannot_keep(problem),
        }
    }

    /// A full disk ends the course where it is; with room it goes on from there. Anything else ends the command.
    fn cannot_keep(&mut self, problem: Problem) {
        if problem.is_full_disk() {
            let why = std::error::Error::source(&problem).map(|it| format!(": {it}")).unwrap_or_default();
            output::note(&format!("{problem}{why}"));
            self.course.stop(Stopped::DiskFull);
        } else {
            self.trouble = Some(problem);
        }
    }
}

/// Carries a campaign out, from its beginning or from where its journal ends.
pub(crate) fn conduct(prepared: Prepared, conduct: &Conduct) -> Result<Exit, Problem> {
    let chosen = Chosen::of(&conduct.on)?;
    let world = chosen.as_ref().map_or(World::Virtual, Chosen::world);
    if world == World::Virtual {
        prepared.subjects.iter().try_for_each(|subject| library::check_virtual(&subject.plan))?;
    }
    let boards = prepared.boards(chosen.as_ref())?;
    let digest = prepared.digest(world, &boards);
    let repeats = if world == World::Virtual { Repeats::Exactly } else { Repeats::Roughly };
    let mut course = Course::on(prepared.campaign.clone(), repeats, boards).map_err(refused)?;
    prepared.check()?;
    let (journal, told) = Journal::open(conduct, &digest, &mut course)?;
    let telling = Telling::begin(Beginning {
        title: prepared.campaign.title.clone(),
        world,
        bench: chosen.as_ref().filter(|it| !it.is_virtual()).map(|it| it.bench.clone()),
        run: None,
        total: course.progress().size,
    });
    let showing = Showing::new(conduct.format, &prepared.campaign.title, world, &course, telling.teller());
    let deadline = prepared.campaign.budget.time.map(|time| Instant::now() + as_duration(time));
    let evidence = match prepared.campaign.kind {
        Kind::Soak(_) => Some(Evidence::open(
            journal.folder(),
            prepared.campaign.budget.evidence,
            prepared.secrets(),
            conduct.fresh,
        )?),
        _ => None,
    };
    let mut desk = Desk { prepared: &prepared, course, journal, evidence, showing, world, deadline, trouble: None };
    // An earlier process may have ended before it filed them.
    desk.file_late()?;
    let interrupted = match &chosen {
        Some(chosen) if !chosen.is_virtual() => there::make(&mut desk, chosen, conduct, &telling.teller())?,
        _ if desk.course.carries() => carried::make(&mut desk, conduct.jobs, &told)?,
        _ => here::make(&mut desk, conduct),
    };
    if let Some(problem) = desk.trouble {
        return Err(problem);
    }
    if interrupted == Interrupted::Yes {
        desk.course.stop(Stopped::Interrupted);
    }
    let mut answer = desk.course.answer();
    if let Some(told) = desk.evidence.as_ref().and_then(|evidence| evidence.told(&desk.course)) {
        answer.text.push_str(&format!("{told}\n"));
    }
    desk.showing.answer(&answer, &desk.course, desk.journal.folder());
    let kept = keep_answer(&mut desk, &answer, world);
    if desk.course.stopped() != Some(Stopped::DiskFull) {
        kept?;
    }
    if conduct.format == Format::Human {
        output::line(&format!("kept: {}", desk.journal.folder().display()));
        if interrupted == Interrupted::Yes {
            output::line("the same command goes on from here");
        }
    }
    Ok(if interrupted == Interrupted::Yes { Exit::Interrupted } else { exit(&answer) })
}

/// The answer, the picture and the page, beside the journal.
fn keep_answer(desk: &mut Desk<'_>, answer: &Answer, world: World) -> Result<(), Problem> {
    desk.journal.conclude(answer, &desk.course, world, desk.showing.told_by_their_first_second())?;
    let busy = if world == World::Virtual { desk.prepared.busy() } else { Vec::new() };
    let caption = Caption { title: &desk.prepared.campaign.title, world: world.name(), busy: &busy };
    desk.journal.draw(&desk.course, &caption)?;
    pages::keep_answer(desk.journal.folder(), answer, &desk.course, world)?;
    pages::make(desk.journal.folder()).map(drop)
}

fn exit(answer: &Answer) -> Exit {
    match answer.conclusion {
        Conclusion::Looked | Conclusion::Fixed => Exit::Passed,
        Conclusion::NotFixed => Exit::Failed,
        Conclusion::Inconclusive => Exit::Inconclusive,
        Conclusion::BenchFailed => Exit::BenchFailed,
    }
}
