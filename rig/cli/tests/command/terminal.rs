//! What a person at a terminal sees, in windows of several widths, and what a pipe and a log get instead.
//!
//! Boundary: a real pseudo-terminal of the kernel, and somebody else's terminal emulator that shows what arrives there.
#![cfg(unix)]

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Child;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::desk::{BOOTS, Desk, FAILS};

const ROWS: u16 = 24;
/// What the screen of a test remembers of what scrolled by.
const SCROLLED: usize = 1000;

/// A board that somebody else's key keeps from connecting, in twenty cells.
const MANY: &str = "\
scenario: A board with somebody else's server key connects
board: lantern-nrf51
matrix:
  hold: [20ms, 21ms, 22ms, 23ms, 24ms, 25ms, 26ms, 27ms, 28ms, 29ms, 30ms, 31ms, 32ms, 33ms, 34ms, 35ms, 36ms, 37ms, 38ms, 39ms]
firmware: lantern-no-heal
steps:
  - corrupt: { slot: server_public, class: valid_but_wrong }
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 1s }
  - wait: \"${hold}\"
";

/// A serial line: one end, the other, which keeps it up, and its path.
pub(crate) fn line() -> (File, OwnedFd, PathBuf) {
    let (master, path) = pair();
    let there = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("it is there");
    let mut settings = tcgetattr(&there).expect("it is a terminal");
    settings.make_raw();
    tcsetattr(&there, OptionalActions::Now, &settings).expect("it is a terminal");
    (master, there, path)
}

fn pair() -> (File, PathBuf) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
    let path = ptsname(&master, Vec::new()).expect("it has a name");
    (File::from(master), PathBuf::from(path.to_string_lossy().into_owned()))
}

/// A terminal, what came there, and what is on its screen.
pub(crate) struct Terminal {
    master: File,
    ours: OwnedFd,
    came: Vec<u8>,
    screen: vt100::Parser,
}

impl Terminal {
    fn new(columns: u16) -> Self {
        let (master, path) = pair();
        let ours = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("it is there");
        let screen = vt100::Parser::new(ROWS, columns, SCROLLED);
        let mut terminal = Self { master, ours, came: Vec::new(), screen };
        terminal.resize(columns);
        terminal
    }

    fn resize(&mut self, columns: u16) {
        let size = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).expect("it is a terminal");
        self.screen.screen_mut().set_size(ROWS, columns);
    }

    /// The command in this terminal, with an environment of these words alone.
    fn start(&self, desk: &Desk, words: &[&str], wishes: &[(&str, &str)]) -> Child {
        let mut command = desk.command(words);
        command.env_remove("NO_COLOR").env("TERM", "xterm-256color").env_remove("COLORTERM");
        command.envs(wishes.iter().copied());
        let end = || self.ours.try_clone().expect("there is a descriptor");
        command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("the command was built")
    }

    /// Takes what comes next; false if everybody has closed it.
    fn take(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.master.read(&mut bytes) {
            Ok(0) => false,
            Ok(taken) => {
                self.screen.process(&bytes[..taken]);
                self.came.extend(&bytes[..taken]);
                true
            }
            // The kernel's word for a terminal that nobody holds.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => false,
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) => panic!("{error}"),
        }
    }

    /// Takes everything until the command has ended; its exit status.
    fn end(mut self, mut child: Child) -> (Self, Option<i32>) {
        // The command's ends are the last ones then.
        let gone = std::mem::replace(&mut self.ours, File::open("/dev/null").expect("it is there").into());
        drop(gone);
        while self.take() {}
        let exit = child.wait().expect("it is our child").code();
        (self, exit)
    }

    /// Every row that came, whether it is still on the screen or not, and whether it goes on in the next.
    pub(crate) fn rows(&mut self) -> Vec<(String, bool)> {
        let (_, columns) = self.screen.screen().size();
        self.screen.screen_mut().set_scrollback(SCROLLED);
        let scrolled = self.screen.screen().scrollback();
        let mut rows = Vec::new();
        let row_at = |screen: &vt100::Screen, row: u16| {
            (screen.rows(0, columns).nth(usize::from(row)).unwrap_or_default(), screen.row_wrapped(row))
        };
        for back in (1..=scrolled).rev() {
            self.screen.screen_mut().set_scrollback(back);
            rows.push(row_at(self.screen.screen(), 0));
        }
        self.screen.screen_mut().set_scrollback(0);
        rows.extend((0..ROWS).map(|row| row_at(self.screen.screen(), row)));
        rows
    }

    fn came(&self) -> String {
        String::from_utf8(self.came.clone()).expect("it is text")
    }
}

pub(crate) fn shown(columns: u16, wishes: &[(&str, &str)], desk: &Desk, words: &[&str]) -> (Terminal, Option<i32>) {
    let terminal = Terminal::new(columns);
    let child = terminal.start(desk, words, wishes);
    terminal.end(child)
}

fn desk() -> Desk {
    Desk::with(&[("a.yaml", BOOTS), ("b.yaml", FAILS)])
}

/// What is on the screen without what differs from run to run.
pub(crate) fn seen(terminal: &mut Terminal) -> String {
    let rows = terminal.rows();
    let lines: Vec<&str> = rows.iter().map(|(row, _)| row.trim_end()).collect();
    lines.join("\n").trim_end().to_owned()
}

#[test]
fn what_a_person_sees_fits_the_window() {
    let desk = desk();
    for columns in [20, 80, 200] {
        let (mut terminal, exit) = shown(columns, &[], &desk, &["run", "a.yaml", "b.yaml", "--report", "out"]);
        assert_eq!(exit, Some(1), "{}", terminal.came());
        let rows = terminal.rows();
        let trials: Vec<_> = rows
            .iter()
            .take_while(|(row, _)| !row.is_empty())
            .filter(|(row, _)| row.starts_with("passed ") || row.starts_with("FAILED "))
            .collect();
        assert_eq!(trials.len(), 3, "{rows:?}");
        assert!(trials.iter().all(|(_, goes_on)| !goes_on), "a trial's line is wrapped at {columns} columns: {rows:?}");
        assert!(!rows.iter().any(|(row, _)| row.contains(" trials, ")), "progress is left over: {rows:?}");
        let mut settings = insta::Settings::clone_current();
        // How long the run took, wherever the window breaks it.
        settings.add_filter(r"board time in[\s\d.]+s\n", "board time in [t]\n");
        settings.bind(|| insta::assert_snapshot!(format!("terminal_{columns}"), seen(&mut terminal)));
    }
}

#[test]
fn progress_keeps_to_a_window_that_is_made_narrower() {
    let desk = Desk::with(&[("many.yaml", MANY)]);
    let mut terminal = Terminal::new(80);
    let child = terminal.start(&desk, &["run", "many.yaml", "--jobs", "1"], &[]);
    while !terminal.came().contains("1 of 20 trials") {
        assert!(terminal.take(), "it tells how far it is: {}", terminal.came());
    }
    let until_then = terminal.came.len();
    terminal.resize(20);
    let (mut terminal, exit) = terminal.end(child);
    assert_eq!(exit, Some(1));
    let came = terminal.came();
    // What was under way when the window changed may have been for the wide one.
    let told: Vec<&str> =
        came[until_then..].split("\r\x1b[K").skip(4).map(|it| it.split(['\r', '\n']).next().unwrap_or("")).collect();
    let progress: Vec<&&str> = told.iter().filter(|it| it.contains(" of 20 tri")).collect();
    assert!(!progress.is_empty(), "{came}");
    assert!(progress.iter().all(|it| it.chars().count() < 20), "{progress:?}");
    assert!(!seen(&mut terminal).contains("of 20 tri\u{2026}"), "{}", seen(&mut terminal));
}

#[test]
fn the_last_screen_says_which_trials_failed_and_how_many() {
    let desk = Desk::with(&[("many.yaml", MANY)]);
    let (terminal, exit) = shown(100, &[], &desk, &["run", "many.yaml"]);
    assert_eq!(exit, Some(1));
    let screen = terminal.screen.screen().contents();
    let listed = screen.lines().filter(|line| line.starts_with("FAILED    many.")).count();
    assert_eq!(listed, 16, "{screen}");
    assert!(screen.contains("… and 4 more") && screen.contains("0 passed, 20 failed of 20 trials"), "{screen}");
}

#[test]
fn a_light_has_its_own_colour_where_there_are_colours() {
    let desk = desk();
    let run = |wishes: &[(&str, &str)]| shown(80, wishes, &desk, &["run", "b.yaml"]).0.came();
    assert!(run(&[]).contains("light: \x1b[38;5;37m●\x1b[0m "), "{}", run(&[]));
    assert!(run(&[("COLORTERM", "truecolor")]).contains("light: \x1b[38;2;0;172;193m●\x1b[0m "));
    assert!(run(&[("TERM", "linux")]).contains("light: \x1b[36m●\x1b[0m "));
    for forbidden in [("NO_COLOR", "1"), ("CLICOLOR", "0")] {
        let came = run(&[forbidden]);
        assert!(!came.contains("\x1b[3") && !came.contains('●'), "{forbidden:?}: {came}");
    }
    let dumb = run(&[("TERM", "dumb")]);
    assert!(!dumb.contains('\x1b'), "{dumb}");
    let mistakes = |wishes: &[(&str, &str)]| {
        desk.put("c.yaml", b"scenario: T\nboord: x\n");
        shown(60, wishes, &desk, &["lint", "c.yaml"]).0
    };
    let (mut told, plain) = (mistakes(&[]), mistakes(&[("NO_COLOR", "1")]).came());
    assert!(told.came().contains("\x1b[3") && !plain.contains('\x1b'), "{plain}");
    assert!(told.rows().iter().all(|(_, goes_on)| !goes_on), "{}", seen(&mut told));
}

#[test]
fn a_pipe_gets_no_control_characters_and_no_progress() {
    let desk = desk();
    for words in [
        &["run", "a.yaml", "b.yaml"][..],
        &["run", "a.yaml", "--matrix"],
        &["run", "a.yaml", "--format", "json"],
        &["soak", "a.yaml", "--set", "release=heal-full", "--cycles", "3"],
        &["lint", "a.yaml"],
        &["explain", "a.yaml"],
        &["diagnose", "--seen", "cyan fast, one red after 45 s", "--board", "argon"],
        &["board", "list"],
        &["board", "show", "argon"],
    ] {
        let mut command = desk.command(words);
        command.env_remove("NO_COLOR").env("TERM", "xterm-256color").env("COLORTERM", "truecolor");
        let output = command.output().expect("the command was built");
        for (name, stream) in [("out", &output.stdout), ("err", &output.stderr)] {
            let text = String::from_utf8(stream.clone()).expect("it is text");
            let steering: String = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
            assert!(steering.is_empty(), "{words:?}, {name}: {text:?}");
            assert!(!text.contains("progress: ") && !text.contains(" per second;"), "{words:?}, {name}: {text}");
        }
    }
    let forced = desk.command(&["run", "b.yaml"]).env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").output();
    let forced = String::from_utf8(forced.expect("the command was built").stdout).expect("it is text");
    assert!(forced.contains("\x1b[31mFAILED"), "whoever insists on colours gets them: {forced}");
}
