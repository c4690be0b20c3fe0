//! Evidence as files: found below the folder of a run, and handed out as something that no browser takes for a page.
//!
//! Boundary: from names to bytes. A name that leads elsewhere, by dots or by links, is the name of nothing.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

/// So much of a file is read at a time.
const PIECE: usize = 64 * 1024;
/// No evidence lies deeper.
const DEEPEST: usize = 4;
/// A folder with more entries is not listed to its end.
const LISTED: usize = 200;

/// Nothing of it runs, whatever it turns out to be.
const INERT: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";
/// A report has a style and a script of its own. It runs without an origin: it reaches nothing of this server, and nothing else.
const REPORT: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; font-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-downloads";

/// A file that was found.
pub(crate) struct Found {
    pub(crate) file: File,
    length: u64,
}

/// The place that `name` stands for below `folder`, if there is one.
fn place(folder: &Path, name: &str) -> Option<PathBuf> {
    let parts: Vec<&str> = name.split('/').collect();
    let is_plain = |part: &&str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
    if parts.len() > DEEPEST || !parts.iter().all(is_plain) {
        return None;
    }
    let folder = folder.canonicalize().ok()?;
    // Links were followed: what they lead to has to lie below as well.
    let path = folder.join(name).canonicalize().ok()?;
    path.starts_with(&folder).then_some(path)
}

/// Opens the file called `name` below `folder`.
pub(crate) fn open(folder: &Path, name: &str) -> Option<Found> {
    let path = place(folder, name)?;
    // A pipe would keep whoever opens it waiting.
    let metadata = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
    Some(Found { file: File::open(&path).ok()?, length: metadata.len() })
}

/// Whether there is a folder called `name` below `folder`.
pub(crate) fn is_folder(folder: &Path, name: &str) -> bool {
    place(folder, name).is_some_and(|path| path.is_dir())
}

/// The files in `folder` itself or in the one called `name` below it, each with its length, by their names.
pub(crate) fn list(folder: &Path, name: Option<&str>) -> Vec<(String, u64)> {
    let listed = name.map_or_else(|| Some(folder.to_owned()), |name| place(folder, name));
    let entries = listed.and_then(|path| fs::read_dir(path).ok()).into_iter().flatten().flatten();
    let file = |entry: fs::DirEntry| {
        // Of a link, not of what it leads to.
        let length = entry.metadata().ok().filter(fs::Metadata::is_file)?.len();
        Some((entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'))?, length))
    };
    let mut files: Vec<(String, u64)> = entries.take(LISTED).filter_map(file).collect();
    files.sort();
    files
}

/// As a file to be saved, of a type that is shown as text at the most.
pub(crate) fn evidence(found: Found, name: &str) -> Response {
    let file = name.rsplit('/').next().unwrap_or_default();
    let (_, extension) = file.rsplit_once('.').unwrap_or_default();
    let kind = match extension {
        "json" => "application/json",
        "jsonl" | "xml" | "vcd" | "txt" | "yaml" | "html" | "svg" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    // A name that would have to be quoted in a header is left out.
    let is_plain = file.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
    let saved = if is_plain { format!("attachment; filename=\"{file}\"") } else { "attachment".to_owned() };
    let head = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, saved),
        (header::CONTENT_LENGTH, found.length.to_string()),
        (header::CONTENT_SECURITY_POLICY, INERT.to_owned()),
    ];
    (head, bytes_of(found)).into_response()
}

/// As the page that it is.
pub(crate) fn report(found: Found) -> Response {
    let head = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_LENGTH, found.length.to_string()),
        (header::CONTENT_SECURITY_POLICY, REPORT.to_owned()),
    ];
    (head, bytes_of(found)).into_response()
}

/// Piece by piece, as they are taken.
fn bytes_of(found: Found) -> Body {
    Body::from_stream(stream::try_unfold(found.file.take(found.length), |mut rest| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE];
            let length = rest.read(&mut piece)?;
            piece.truncate(length);
            Ok::<_, std::io::Error>((piece, rest))
        });
        let (piece, rest) = read.await.map_err(std::io::Error::other)??;
        Ok::<_, std::io::Error>((!piece.is_empty()).then(|| (Bytes::from(piece), rest)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_not_found_by_any_name() {
        let outside = tempfile::tempdir().unwrap();
        let run = outside.path().join("run");
        fs::create_dir_all(run.join("trials/a.1-00000000")).unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        fs::write(run.join("results.json"), "{}").unwrap();
        fs::write(run.join(".hidden"), "x").unwrap();
        fs::write(run.join("trials/a.1-00000000/console.raw"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), run.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path(), run.join("trials/up")).unwrap();
        std::os::unix::fs::symlink("results.json", run.join("inside")).unwrap();
        for there in ["results.json", "trials/a.1-00000000/console.raw", "inside"] {
            assert!(open(&run, there).is_some(), "{there}");
        }
        let absolute = outside.path().join("secret");
        for name in [
            "",
            ".",
            "..",
            "../secret",
            "trials/../../secret",
            "/etc/passwd",
            absolute.to_str().unwrap(),
            "trials//a.1-00000000",
            "trials",
            "link",
            "trials/up/secret",
            ".hidden",
            "results.json/",
            "results.json\0",
            "..\\secret",
            "a/b/c/d/e",
        ] {
            assert!(open(&run, name).is_none(), "{name}");
        }
        assert!(is_folder(&run, "trials/a.1-00000000") && !is_folder(&run, "trials/up") && !is_folder(&run, ".."));
        assert_eq!(list(&run, Some("trials/a.1-00000000")), [("console.raw".to_owned(), 1)]);
        assert_eq!(list(&run, Some("trials/up")), []);
    }
}
