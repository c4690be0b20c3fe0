//! What documents have in them: blocks, and words between ticks.
//!
//! Boundary: Markdown in, pieces of it with their places out.

use std::fs;
use std::path::PathBuf;

use crate::desk::repository;

/// What somebody types or reads.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) document: String,
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) text: String,
}

/// Every document of the repository, with its path in it.
pub(super) fn documents() -> Vec<(String, String)> {
    let root = repository();
    let (mut found, mut open) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("it is a folder") {
            let path: PathBuf = entry.expect("it is there").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                open.push(path);
            } else if name.ends_with(".md") {
                let place = path.strip_prefix(&root).expect("it was found there").to_string_lossy().into_owned();
                found.push((place, fs::read_to_string(&path).expect("it is text")));
            }
        }
    }
    found.sort();
    found
}

/// The fenced blocks of a document, and the indented ones behind a blank line.
fn blocks_of(document: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut fenced, mut indented, mut blank) = (false, false, true);
    for (number, line) in text.lines().enumerate() {
        let begin = |language: &str| Block {
            document: document.to_owned(),
            line: number + 1,
            language: language.to_owned(),
            text: String::new(),
        };
        if let Some(language) = line.strip_prefix("```") {
            fenced = !fenced;
            if fenced {
                blocks.push(begin(language.trim()));
            }
        } else if let (true, Some(block)) = (fenced, blocks.last_mut()) {
            block.text.push_str(&format!("{line}\n"));
        } else if let Some(typed) = line.strip_prefix("    ").filter(|_| blank || indented) {
            if !indented {
                blocks.push(begin("indented"));
            }
            if let Some(block) = blocks.last_mut() {
                block.text.push_str(&format!("{typed}\n"));
            }
            indented = true;
            continue;
        }
        indented = false;
        blank = line.trim().is_empty();
    }
    blocks
}

pub(super) fn blocks() -> Vec<Block> {
    documents().iter().flat_map(|(place, text)| blocks_of(place, text)).collect()
}

/// What stands between ticks, outside of blocks: document, line and words.
pub(super) fn spans() -> Vec<(String, usize, String)> {
    let mut spans = Vec::new();
    for (document, text) in documents() {
        let mut fenced = false;
        for (number, line) in text.lines().enumerate() {
            fenced ^= line.starts_with("```");
            let between = line.split('`').skip(1).step_by(2).filter(|_| !fenced);
            spans.extend(between.map(|words| (document.clone(), number + 1, words.to_owned())));
        }
    }
    spans
}
