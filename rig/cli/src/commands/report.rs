//! `brickproof report`: the page of a run or of a campaign once more, out of what is kept of it.
//!
//! Boundary: nothing is run, and nothing but pages is written.

use std::io;
use std::path::Path;

use brickproof_report::evidence::Folder;

use crate::arguments::Report;
use crate::campaigns::pages;
use crate::exit::{Exit, Problem};
use crate::output;

pub(crate) fn report(arguments: &Report) -> Result<Exit, Problem> {
    let Report { folder, trial } = arguments;
    let page = match trial {
        None if pages::is_kept_in(folder) => pages::make(folder)?,
        None => {
            let (kept, results) = kept_in(folder)?;
            kept.write_page(&results)?
        }
        Some(id) => {
            let (kept, results) = kept_in(folder)?;
            kept.write_page_of(&results, id)?.ok_or_else(|| Problem::Selection {
                what: format!("{} has no trial {id}", folder.display()),
                help: "copy the id from the page or from results.json".to_owned(),
            })?
        }
    };
    output::line(&format!("page: {}", page.display()));
    Ok(Exit::Passed)
}

fn kept_in(folder: &Path) -> Result<(Folder, brickproof_report::Results), Problem> {
    Folder::kept(folder).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Problem::Selection {
            what: format!("{} holds no run and no campaign", folder.display()),
            help: "runs are kept under .brickproof/runs, campaigns under .brickproof/campaigns, and both where --report said"
                .to_owned(),
        },
        _ => Problem::Unreadable { path: folder.join("results.json"), source },
    })
}
