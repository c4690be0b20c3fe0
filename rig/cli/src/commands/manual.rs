//! `brickproof completions` and `brickproof man`: the command line for shells and for `man`.
//!
//! Boundary: made from the grammar in `arguments`, so that neither can differ from `--help`.

use std::fs;

use clap::CommandFactory;

use crate::arguments::{Arguments, Completions, Man};
use crate::exit::{Exit, Problem};
use crate::output;

const NAME: &str = "brickproof";

pub(crate) fn completions(arguments: &Completions) -> Result<Exit, Problem> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), NAME, &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Passed)
}

pub(crate) fn man(arguments: &Man) -> Result<Exit, Problem> {
    let Some(folder) = &arguments.folder else {
        let mut page = Vec::new();
        let written = clap_mangen::Man::new(Arguments::command()).render(&mut page);
        written.map_err(|source| Problem::Print(source.kind().into()))?;
        output::line(String::from_utf8_lossy(&page).trim_end());
        return Ok(Exit::Passed);
    };
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    written.map_err(|source| Problem::NotKept { path: folder.clone(), source })?;
    Ok(Exit::Passed)
}
