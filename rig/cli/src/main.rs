//! The `brickproof` command: arguments in, exit status out.
//!
//! Boundary: thin. It finds files, calls the crates below, prints what they say. Every decision about a board is made further down.

mod arguments;
mod campaigns;
mod commands;
mod exit;
mod files;
mod jobs;
mod library;
mod live;
mod output;
mod remembering;
mod runner;
mod signals;
mod stations;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error, &words),
    };
    output::is_for(arguments.command.format());
    let outcome = library::stock(&arguments.profiles).and_then(|()| match arguments.command {
        Command::Run(run) => commands::run::run(&run),
        Command::Replay(replay) => commands::replay::replay(&replay),
        Command::Campaign(campaign) => commands::campaign::file(&campaign),
        Command::Sweep(sweep) => commands::campaign::sweep(&sweep),
        Command::FindWindow(find) => commands::campaign::find_window(&find),
        Command::Prove(prove) => commands::campaign::prove(&prove),
        Command::Soak(soak) => commands::campaign::soak(&soak),
        Command::Report(report) => commands::report::report(&report),
        Command::Lint(lint) => commands::lint::lint(&lint),
        Command::Explain(explain) => commands::explain::explain(&explain),
        Command::History(history) => commands::history::history(&history),
        Command::Serve(serve) => commands::serve::serve(&serve),
        Command::Virtual(board) => commands::virtual_board::virtual_board(&board.command),
        Command::Bench(bench) => commands::bench::bench(&bench.command),
        Command::Power(power) => commands::power::power(&power.command),
        Command::Reset(reset) => commands::reset::reset(&reset),
        Command::Enter(enter) => commands::enter::enter(&enter),
        Command::Flash(flash) => commands::flash::flash(&flash),
        Command::Keys(keys) => commands::keys::keys(&keys),
        Command::Console(console) => commands::console::console(&console),
        Command::Diagnose(diagnose) => commands::diagnose::diagnose(&diagnose),
        Command::Autopsy(autopsy) => commands::autopsy::autopsy(&autopsy),
        Command::Board(board) => commands::board::board(&board.command),
        Command::Schema(schema) => commands::schema::schema(&schema),
        Command::Completions(completions) => commands::manual::completions(&completions),
        Command::Man(man) => commands::manual::man(&man),
        Command::Waves(waves) => commands::waves::waves(&waves),
    });
    let exit = outcome.unwrap_or_else(|problem| output::problem(&problem));
    output::finish(exit).into()
}
