//! `brickproof board`: the profiles, as a list, one in plain words, and every mistake of one's own.

use std::path::PathBuf;

use brickproof_boards::describe;
use brickproof_scenario::{Library, counted};

use crate::arguments::BoardCommand;
use crate::exit::{Exit, Problem};
use crate::{library, output};

pub(crate) fn board(command: &BoardCommand) -> Result<Exit, Problem> {
    match command {
        BoardCommand::List => list(),
        BoardCommand::Show { board } => output::line(describe(library::board(board)?).trim_end()),
        BoardCommand::Lint { files } => return lint(files),
    }
    Ok(Exit::Passed)
}

fn list() {
    for board in library::library().boards() {
        let world = if board.virtual_chip.is_some() { " (virtual, too)" } else { "" };
        output::line(&format!("{:16} {}{world}", board.name, board.about));
    }
}

fn lint(files: &[PathBuf]) -> Result<Exit, Problem> {
    let mut library: Library = library::library().clone();
    let mistakes = library::add(&mut library, files)?;
    if !mistakes.is_empty() {
        return Err(Problem::Mistakes(mistakes));
    }
    output::line(&format!("no mistakes in {}", counted(files.len(), "path")));
    Ok(Exit::Passed)
}
