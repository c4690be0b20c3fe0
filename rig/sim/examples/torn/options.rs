//! What is asked on a command line: options, each with its value.
//!
//! Boundary: reading words. What an option means is said by whoever has it.

use std::num::NonZero;
use std::process::ExitCode;

use brickproof_sim::cuts::CutsError;

/// An option as it was given.
pub(crate) struct Given {
    pub(crate) option: String,
    pub(crate) value: String,
}

impl Given {
    /// What the value names.
    pub(crate) fn named<T>(&self, named: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        named(&self.value).ok_or_else(|| format!("`{}` is nothing for `{}`", self.value, self.option))
    }

    /// A number above 0.
    pub(crate) fn number(&self) -> Result<u32, String> {
        self.named(|value| value.parse().ok().filter(|number| *number > 0))
    }

    /// As many threads.
    pub(crate) fn threads(&self) -> Result<NonZero<usize>, String> {
        self.named(|value| value.parse().ok())
    }

    /// There is no such option.
    pub(crate) fn unknown(&self) -> Result<(), String> {
        Err(format!("`{}` is unknown", self.option))
    }
}

/// As many threads as there are processors.
pub(crate) fn processors() -> NonZero<usize> {
    std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

/// Sets what is asked from the command line, and does it; or helps, or says what is wrong with it.
pub(crate) fn run<A>(
    help: &str,
    mut asked: A,
    set: impl Fn(&mut A, &Given) -> Result<(), String>,
    work: impl FnOnce(A) -> Result<(), CutsError>,
) -> ExitCode {
    let mut words = std::env::args().skip(1);
    while let Some(option) = words.next() {
        if option == "--help" {
            print(help);
            return ExitCode::SUCCESS;
        }
        let set = match words.next() {
            Some(value) => set(&mut asked, &Given { option, value }),
            None => Err(format!("`{option}` is unknown or lacks its value")),
        };
        if let Err(mistake) = set {
            eprintln!("{mistake}; try --help");
            return ExitCode::from(2);
        }
    }
    match work(asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to record the updates: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "printing is what these programs are for")]
pub(crate) fn print(text: &str) {
    print!("{text}");
}
