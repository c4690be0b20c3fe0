//! The live part of the page, for everybody who watches: made once, as soon as something changes, however many they are.
//!
//! Boundary: when it is made and who gets it. How it looks is `pages`'.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::pages::now;
use crate::runs::Shelf;

/// How often it is looked whether there is anything new: as often as a run tells anything.
const EVERY: Duration = Duration::from_millis(250);
/// So many watch at the same time; the pages of the others load themselves anew.
const MOST: usize = 48;

/// Those who watch.
#[derive(Clone, Debug)]
pub(crate) struct Watchers {
    /// The page's part as it was made last; empty at the end.
    page: Arc<watch::Sender<Arc<str>>>,
    seats: Arc<Semaphore>,
}

/// One who watches.
#[derive(Debug)]
pub(crate) struct Watcher {
    page: watch::Receiver<Arc<str>>,
    _seat: OwnedSemaphorePermit,
}

impl Watchers {
    /// Begins to look, whenever there is anybody who watches.
    pub(crate) fn begin(shelf: Arc<Shelf>) -> Self {
        let page = Arc::new(watch::Sender::new(Arc::from(" ")));
        tokio::spawn(look(shelf, Arc::clone(&page)));
        Self { page, seats: Arc::new(Semaphore::new(MOST)) }
    }

    /// A seat, if there is one left.
    pub(crate) fn watch(&self) -> Option<Watcher> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        Some(Watcher { page: self.page.subscribe(), _seat: seat })
    }

    /// Everybody is let go.
    pub(crate) fn end(&self) {
        self.page.send_replace(Arc::from(""));
    }
}

impl Watcher {
    /// The page's part, as soon as it is another than the one before; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Arc<str>> {
        self.page.changed().await.ok()?;
        let page = Arc::clone(&self.page.borrow_and_update());
        (!page.is_empty()).then_some(page)
    }
}

async fn look(shelf: Arc<Shelf>, page: Arc<watch::Sender<Arc<str>>>) {
    let mut pause = tokio::time::interval(EVERY);
    loop {
        pause.tick().await;
        if page.borrow().is_empty() {
            return;
        }
        if page.receiver_count() == 0 {
            continue;
        }
        let shelf = Arc::clone(&shelf);
        let Ok(made) = tokio::task::spawn_blocking(move || now::live_part(&shelf).into_string()).await else { return };
        page.send_if_modified(|page| {
            let is_news = !page.is_empty() && **page != *made;
            if is_news {
                *page = made.into();
            }
            is_news
        });
    }
}
