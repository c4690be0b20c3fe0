//! `brickproof board`: the profiles, as a list, one in plain words, one's own out of a theme, and every mistake of one's own.

use std::fs;
use std::path::{Path, PathBuf};

use brickproof_boards::{Theme, as_json, describe};
use brickproof_scenario::{Library, counted};
use serde_json::json;

use crate::arguments::{BoardCommand, Format};
use crate::exit::{Exit, Problem};
use crate::{library, output};

pub(crate) fn board(command: &BoardCommand) -> Result<Exit, Problem> {
    match command {
        BoardCommand::List { format } => list(*format),
        BoardCommand::Show { board, format: Format::Human } => {
            output::line(describe(library::board(board)?).trim_end());
        }
        BoardCommand::Show { board, format: Format::Json } => output::json(&as_json(library::board(board)?)),
        BoardCommand::Theme { dump, board } => theme(dump, board)?,
        BoardCommand::Lint { files, format } => return lint(files, *format),
    }
    Ok(Exit::Passed)
}

fn list(format: Format) {
    for board in library::library().boards() {
        if format == Format::Json {
            let is_virtual = board.virtual_chip.is_some();
            output::json(
                &json!({ "board": board.name, "about": board.about, "mcu": board.mcu, "virtual": is_virtual }),
            );
            continue;
        }
        let world = if board.virtual_chip.is_some() { " (virtual, too)" } else { "" };
        output::line(&format!("{:16} {}{world}", board.name, board.about));
    }
}

fn theme(dump: &Path, board: &str) -> Result<(), Problem> {
    let like = library::board(board)?;
    let bytes = fs::read(dump).map_err(|source| Problem::Unreadable { path: dump.to_owned(), source })?;
    let theme = Theme::read(&bytes).map_err(|error| Problem::Selection {
        what: format!("{}: {error}", dump.display()),
        help: "read the table out with `dfu-util -a 1 -s 0:8391 -U FILE`; without a theme of its own a board shows what its profile says"
            .to_owned(),
    })?;
    output::line(theme.product(like).trim_end());
    Ok(())
}

fn lint(files: &[PathBuf], format: Format) -> Result<Exit, Problem> {
    let mut library: Library = library::library().clone();
    let mistakes = library::add(&mut library, files)?;
    if !mistakes.is_empty() {
        return Err(Problem::Mistakes(mistakes));
    }
    match format {
        Format::Human => output::line(&format!("no mistakes in {}", counted(files.len(), "path"))),
        Format::Json => output::json(&json!({ "summary": { "paths": files.len() } })),
    }
    Ok(Exit::Passed)
}
