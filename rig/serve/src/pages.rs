//! The pages, and the addresses under which they are.
//!
//! Boundary: from an address to an answer. What is known is `runs`' and `live`'s; a page asks for nothing that could keep others waiting.

pub(crate) mod history;
pub(crate) mod layout;
pub(crate) mod now;
mod run;
mod trial;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use brickproof_report::live::Live;
use brickproof_report::live::folder::Pulse;
use futures_util::stream;
use maud::Markup;
use serde::Serialize;

use crate::files;
use crate::live::Watchers;
use crate::runs::{REPORT, RESULTS, Shelf};

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/live.js");
const ICON: &str = include_str!("assets/icon.svg");

/// How often a watcher is written to who has nothing to be told: what lies in between must not take the connection for a dead one.
const KEPT_ALIVE: Duration = Duration::from_secs(15);

/// What pages are made of.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) watchers: Watchers,
}

pub(crate) fn router(site: Site) -> Router {
    Router::new()
        .route("/", get(now_page))
        .route("/live", get(watch))
        .route("/runs/{run}", get(run_page))
        .route("/runs/{run}/files", get(files_page))
        .route("/runs/{run}/files/{*name}", get(file))
        .route("/runs/{run}/report.html", get(report))
        .route("/trials/{id}", get(trial_page))
        .route("/history", get(history_page))
        .route("/api/now", get(api_now))
        .route("/api/runs/{run}", get(api_run))
        .route("/style.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/live.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/icon.svg", get(async || asset("image/svg+xml", ICON)))
        .fallback(async || not_found("There is no such page."))
        .with_state(site)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn page(made: Markup) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], made.into_string()).into_response()
}

fn not_found(what: &str) -> Response {
    (StatusCode::NOT_FOUND, page(layout::message("Not found", what))).into_response()
}

/// Reads files where that keeps nobody waiting.
async fn read<R: Send + 'static>(site: Site, look: impl FnOnce(&Shelf) -> R + Send + 'static) -> Result<R, Response> {
    let read = tokio::task::spawn_blocking(move || look(&site.shelf)).await;
    read.map_err(|_| {
        (StatusCode::INTERNAL_SERVER_ERROR, page(layout::message("Failed", "This page could not be made.")))
            .into_response()
    })
}

/// A run's number as addresses have it.
fn number(run: &str) -> Option<u64> {
    run.parse().ok().filter(|_| run.bytes().all(|c| c.is_ascii_digit()))
}

async fn now_page(State(site): State<Site>) -> Result<Response, Response> {
    read(site, |shelf| page(now::page(shelf))).await
}

/// The live part of the page, whenever it is another.
async fn watch(State(site): State<Site>) -> Response {
    let Some(watcher) = site.watchers.watch() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many are watching: load the page anew now and then\n")
            .into_response();
    };
    let events = stream::unfold(watcher, |mut watcher| async move {
        let part = watcher.next().await?;
        // As JSON it is one line, whatever is in it.
        let text = serde_json::to_string(&*part).unwrap_or_default();
        Some((Ok::<_, Infallible>(Event::default().event("now").data(text)), watcher))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEPT_ALIVE)).into_response()
}

async fn run_page(State(site): State<Site>, Path(run): Path<String>) -> Result<Response, Response> {
    read(site, move |shelf| match number(&run).and_then(|number| shelf.run(number)) {
        None => not_found("There is no such run: it may be over for long, or not yet."),
        Some(run) if run.has_report => Redirect::to(&format!("/runs/{}/report.html", run.number)).into_response(),
        Some(run) => Redirect::to(&format!("/runs/{}/files", run.number)).into_response(),
    })
    .await
}

async fn report(State(site): State<Site>, Path(run): Path<String>) -> Result<Response, Response> {
    read(site, move |shelf| {
        let found = number(&run).and_then(|number| files::open(&shelf.folder(number), REPORT));
        found.map_or_else(|| not_found("This run has no report."), files::report)
    })
    .await
}

async fn files_page(State(site): State<Site>, Path(run): Path<String>) -> Result<Response, Response> {
    read(site, move |shelf| {
        let known = number(&run).and_then(|number| shelf.run(number).zip(shelf.results(number)));
        let missing = || not_found("There is no such run: it may be over for long, or not yet.");
        known.map_or_else(missing, |(run, results)| page(run::page(shelf, &run, &results)))
    })
    .await
}

async fn file(State(site): State<Site>, Path((run, name)): Path<(String, String)>) -> Result<Response, Response> {
    read(site, move |shelf| {
        let found = number(&run).and_then(|number| files::open(&shelf.folder(number), &name));
        found.map_or_else(|| not_found("There is no such file."), |found| files::evidence(found, &name))
    })
    .await
}

async fn trial_page(State(site): State<Site>, Path(id): Path<String>) -> Result<Response, Response> {
    read(site, move |shelf| {
        let known = shelf.run_with(&id).and_then(|number| Some((number, shelf.results(number)?)));
        let made = known.and_then(|(number, results)| trial::page(shelf, number, &results, &id));
        made.map_or_else(|| not_found("No run that is kept has this trial."), page)
    })
    .await
}

async fn history_page(State(site): State<Site>) -> Result<Response, Response> {
    read(site, |shelf| page(shelf.history().map_or_else(|why| history::none(&why), |told| history::page(&told)))).await
}

/// What `/` shows, for programs.
#[derive(Serialize)]
struct Process {
    alive: bool,
    live: Live,
}

async fn api_now(State(site): State<Site>) -> Result<Response, Response> {
    read(site, |shelf| {
        let told = shelf.now().into_iter().map(|(pulse, live)| Process { alive: pulse == Pulse::Alive, live });
        let text = serde_json::to_string(&told.collect::<Vec<_>>()).unwrap_or_default();
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    })
    .await
}

async fn api_run(State(site): State<Site>, Path(run): Path<String>) -> Result<Response, Response> {
    read(site, move |shelf| {
        let found = number(&run).and_then(|number| files::open(&shelf.folder(number), RESULTS));
        found.map_or_else(|| not_found("There is no such run."), |found| files::evidence(found, RESULTS))
    })
    .await
}
