//! Printing: results to standard output, progress and problems to standard error. Where a program reads, nothing but lines of JSON is on
//! standard output, and what went wrong is among them, too.
//!
//! Boundary: the only place that writes to the terminal and that asks what kind it is.

mod problems;
mod progress;
mod screen;

use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::{self, ExitCode};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use brickproof_report::terminal::{Colour, Look};
use brickproof_scenario::Diagnostics;
use brickproof_units::{is_inert, push_inert};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use self::progress::Progress;
use self::screen::steers;
use crate::arguments::Format;
use crate::exit::{Exit, Problem};
use crate::runner;

/// Mistakes are shown this wide, if there is room.
const WIDTH: usize = 120;
/// In less they cannot be shown.
const LEAST_WIDTH: usize = 40;

/// Who reads standard output; people, if nobody says so.
static READER: OnceLock<Format> = OnceLock::new();

/// Held while a line is printed.
static PRINTING: Mutex<()> = Mutex::new(());
/// Who wants to leave at once waits so long for the reader of a line to take the rest of it.
const REST_OF_A_LINE: Duration = Duration::from_secs(1);

/// Why a line of results could not be printed.
static NOT_PRINTED: OnceLock<io::Error> = OnceLock::new();

/// Says for whom standard output is, once.
pub(crate) fn is_for(format: Format) {
    READER.get_or_init(|| format);
}

/// The colours that are welcome on standard output.
pub(crate) fn colour() -> Colour {
    screen::colour(&io::stdout())
}

/// What standard output shows: a terminal's lines are to fit it as it is now.
pub(crate) fn look() -> Look {
    let out = io::stdout();
    Look { colour: screen::colour(&out), width: out.is_terminal().then(|| screen::columns(&out)) }
}

/// One line of results, or several. What is in it that is not ours does not steer the terminal. A reader that went away (`| head`) is no
/// problem of ours; any other failure is told by [`finish`].
pub(crate) fn line(text: &str) {
    print(&inert(text, colour()));
}

/// One line of results for a program.
pub(crate) fn json(value: &impl Serialize) {
    // What is printed has no keys but texts, so that it always has a form.
    print(&inert_json(&serde_json::to_string(value).unwrap_or_default()));
}

/// What was done to a station: a sentence for people, behind its name; its fields for a program, behind station and act.
pub(crate) fn act(station: &str, act: &str, people: &str, fields: Value) {
    if is_read_by_a_program() {
        let mut told = json!({ "station": station, "act": act });
        if let (Value::Object(told), Value::Object(fields)) = (&mut told, fields) {
            told.extend(fields);
        }
        json(&told);
    } else {
        line(&format!("{station}: {people}"));
    }
}

fn print(text: &str) {
    let _whole = PRINTING.lock().unwrap_or_else(PoisonError::into_inner);
    match writeln!(io::stdout().lock(), "{}", runner::inert(text)) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let _ = NOT_PRINTED.set(error);
        }
        _ => {}
    }
}

/// `text` with whatever steers a terminal written out, but ends of lines, tabs and, where there is colour, colours.
fn inert(text: &str, colour: Colour) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let paint = if colour == Colour::Plain { 0 } else { paint(rest) };
        if paint > 0 {
            shown.push_str(&rest[..paint]);
            rest = &rest[paint..];
            continue;
        }
        match c {
            '\n' | '\t' => shown.push(c),
            c => push_inert(&mut shown, c),
        }
        rest = &rest[c.len_utf8()..];
    }
    shown
}

/// The length of the colour that `text` begins with, `ESC [ 1 ; 31 m`; 0 if it is none.
fn paint(text: &str) -> usize {
    let Some(numbers) = text.strip_prefix("\x1b[") else { return 0 };
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(numbers.len());
    if numbers[end..].starts_with('m') { "\x1b[".len() + end + 1 } else { 0 }
}

/// The same of JSON, in which only texts have such characters, and can write them otherwise.
fn inert_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_inert(c) {
            shown.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| shown.push_str(&format!("\\u{unit:04x}")));
        }
    }
    shown
}

/// Something to know about what is going to be done.
pub(crate) fn note(text: &str) {
    complain(&format!("note: {}", inert(text, Colour::Plain)));
}

fn complain(text: &str) {
    // Whoever closed it does not want to know.
    let _ = writeln!(io::stderr().lock(), "{}", runner::inert(text));
}

/// What GitHub's runner is to read, and nobody else.
pub(crate) fn annotation(command: &str) {
    let _ = writeln!(io::stderr().lock(), "{command}");
}

/// Ends the process at once, but for the line that is being printed: a program reads whole ones.
pub(crate) fn leave(exit: Exit) -> ! {
    let until = Instant::now() + REST_OF_A_LINE;
    let mut whole = PRINTING.try_lock();
    while whole.is_err() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
        whole = PRINTING.try_lock();
    }
    process::exit(exit.status().into())
}

/// The status to end with, given the one that the work came to: results that were not printed are a failure too.
pub(crate) fn finish(exit: Exit) -> Exit {
    match NOT_PRINTED.get() {
        Some(error) => exit.min(problem(&Problem::Print(error.kind().into()))),
        None => exit,
    }
}

/// What went wrong, and what to try. Gives the status that it calls for.
pub(crate) fn problem(problem: &Problem) -> Exit {
    if is_read_by_a_program() {
        problems::lines(problem).iter().for_each(json);
    }
    let files = if let Problem::Mistakes(files) = problem { files.as_slice() } else { &[] };
    files.iter().for_each(|diagnostics| complain(&rendered(diagnostics)));
    // An instrument or somebody's program may have had a say in it.
    complain(&inert(&told(problem), Colour::Plain));
    files.iter().flat_map(runner::of_mistakes).for_each(|command| annotation(&command));
    problem.exit()
}

fn is_read_by_a_program() -> bool {
    READER.get() == Some(&Format::Json)
}

/// What is wrong with the words of a command, or what they ask to be told.
pub(crate) fn usage(error: &clap::Error, words: &[OsString]) -> ExitCode {
    if error.use_stderr() && asks_for_json(words) {
        json(&problems::usage(error));
    }
    // Whoever closed it does not want to know.
    let _ = error.print();
    if error.use_stderr() { Exit::BadInput.into() } else { Exit::Passed.into() }
}

/// Of words that are no command: whether a program is to read what comes of them.
fn asks_for_json(words: &[OsString]) -> bool {
    let asked = words.windows(2).any(|pair| pair == ["--format", "json"]);
    asked || words.iter().any(|word| word == "--format=json")
}

fn told(problem: &Problem) -> String {
    let mut text = String::new();
    let mut about = None;
    for (scenario, told) in problem.reasons() {
        match scenario {
            Some(scenario) if about == Some(scenario) => text.push_str(&format!("  {told}\n")),
            Some(scenario) => text.push_str(&format!("{scenario}\n  {told}\n")),
            None => text.push_str(&format!("{told}\n")),
        }
        about = scenario;
    }
    text.push_str(&format!("error: {}", problem.message()));
    if let Some(help) = problem.help() {
        text.push_str(&format!("\nhelp: {help}"));
    }
    text
}

fn rendered(diagnostics: &Diagnostics) -> String {
    let err = io::stderr();
    let width = if err.is_terminal() { screen::columns(&err).clamp(LEAST_WIDTH, WIDTH) } else { WIDTH };
    match screen::colour(&err) {
        Colour::Plain => diagnostics.render(width),
        _ => diagnostics.render_coloured(width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal_but_our_colours() {
        let text = "\x1b[31mred\x1b[0m\tone\n\x1b[2J\x1b]0;title\x07\u{202e}\u{9b}31m\r\x1b[";
        let rest = "\tone\n\\x1b[2J\\x1b]0;title\\x07\\xe2\\x80\\xae\\xc2\\x9b31m\\x0d\\x1b[";
        assert_eq!(inert(text, Colour::Sixteen), format!("\x1b[31mred\x1b[0m{rest}"));
        assert_eq!(inert(text, Colour::Plain), format!("\\x1b[31mred\\x1b[0m{rest}"));
    }

    #[test]
    fn json_is_inert_and_says_the_same() {
        let said = "\u{7f}\u{9b}\u{202e}\u{e0041}\x1b\n<b>ü";
        let shown = inert_json(&serde_json::to_string(said).unwrap());
        assert!(shown.chars().all(is_inert), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), said);
    }
}
