//! Campaigns under way: shots out, findings back in the order of asking, each in the journal before it counts.
//!
//! Boundary: threads, clocks, files and what is printed. What to try and what to conclude is `brickproof-explore`'s.

mod here;
mod keeping;
mod showing;
mod there;

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use brickproof_explore::picture::{self, Busy, Caption};
use brickproof_explore::{
    Answer, Arm, Campaign, Conclusion, Course, Finding, Kind, Repeats, Seen, Shot, Stopped, SweepSettings, undisturbed,
};
use brickproof_firmware::Firmware;
use brickproof_report::results::World;
use brickproof_scenario::plan::Plan;
use brickproof_trial::TrialId;
use brickproof_units::Span;
use sha2::{Digest, Sha256};

use crate::arguments::{Conduct, Format};
use crate::commands::campaign::{as_duration, refused};
use crate::commands::run::{FirmwareFrom, replay_command};
use crate::exit::{Exit, Problem};
use crate::files::{self, Source};
use crate::output;
use crate::stations::{Chosen, Interrupted};
use keeping::Journal;
pub(crate) use keeping::kept_settings;
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
        let id = TrialId::new(&plan, self.firmware.sha256(), shot.seed);
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
    fn digest(&self, world: World) -> String {
        let mut hash = Sha256::new();
        // What it is called, and how much it may cost, changes no trial: a budget can be raised.
        let Campaign { title: _, kind, seed, budget: _ } = &self.campaign;
        let mut parts = vec![env!("CARGO_PKG_VERSION").to_owned(), world.name().to_owned(), seed.to_string()];
        for subject in &self.subjects {
            parts.push(subject.plan.scenario.sha256.clone());
            parts.push(format!("{:?}", subject.plan.parameters));
            parts.push(subject.firmware.sha256().to_owned());
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
    showing: Showing,
    deadline: Option<Instant>,
    trouble: Option<Problem>,
}

impl Desk<'_> {
    /// Whether no further shot is to be asked for.
    fn is_over(&self) -> bool {
        self.trouble.is_some() || self.course.is_over()
    }

    /// Takes what came of the oldest open shot: into the journal first, then into the counts.
    fn take(&mut self, shot: &Shot, finding: &Finding, seen: Seen) {
        if self.is_over() {
            return;
        }
        let subject = self.prepared.subject(shot);
        let kept = subject.plan_of(shot).and_then(|(plan, id)| {
            self.showing.remember(finding.class, || subject.replay(&plan, &id));
            self.journal.keep(shot, finding, seen, &id.to_string())
        });
        match kept {
            Ok(()) => drop(self.course.record(finding)),
            Err(problem) => self.trouble = Some(problem),
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.course.stop(Stopped::OutOfTime);
        }
        self.showing.progress(&self.course);
    }
}

/// Carries a campaign out, from its beginning or from where its journal ends.
pub(crate) fn conduct(prepared: Prepared, conduct: &Conduct) -> Result<Exit, Problem> {
    let chosen = Chosen::of(&conduct.on)?;
    let world = chosen.as_ref().map_or(World::Virtual, Chosen::world);
    let digest = prepared.digest(world);
    let repeats = if world == World::Virtual { Repeats::Exactly } else { Repeats::Roughly };
    let mut course = Course::new(prepared.campaign.clone(), repeats).map_err(refused)?;
    prepared.check()?;
    let journal = Journal::open(conduct, &digest, &mut course)?;
    let showing = Showing::new(conduct.format, &prepared.campaign.title, world, &course);
    let deadline = prepared.campaign.budget.time.map(|time| Instant::now() + as_duration(time));
    let mut desk = Desk { prepared: &prepared, course, journal, showing, deadline, trouble: None };
    let interrupted = match &chosen {
        Some(chosen) if !chosen.is_virtual() => there::make(&mut desk, chosen, conduct)?,
        _ => here::make(&mut desk, conduct),
    };
    if let Some(problem) = desk.trouble {
        return Err(problem);
    }
    if interrupted == Interrupted::Yes {
        desk.course.stop(Stopped::Interrupted);
    }
    let answer = desk.course.answer();
    desk.showing.answer(&answer, &desk.course);
    desk.journal.conclude(&answer, &desk.course, world)?;
    let busy = if world == World::Virtual { prepared.busy() } else { Vec::new() };
    let caption = Caption { title: &prepared.campaign.title, world: world.name(), busy: &busy };
    if let Some(picture) = picture::svg(&desk.course, &caption) {
        desk.journal.draw(&picture)?;
    }
    if conduct.format == Format::Human {
        output::line(&format!("kept: {}", desk.journal.folder().display()));
        if interrupted == Interrupted::Yes {
            output::line("the same command goes on from here");
        }
    }
    Ok(if interrupted == Interrupted::Yes { Exit::Interrupted } else { exit(&answer) })
}

fn exit(answer: &Answer) -> Exit {
    match answer.conclusion {
        Conclusion::Looked | Conclusion::Fixed => Exit::Passed,
        Conclusion::NotFixed => Exit::Failed,
        Conclusion::Inconclusive => Exit::Inconclusive,
        Conclusion::BenchFailed => Exit::BenchFailed,
    }
}
