//! How often each page was erased.
//!
//! Boundary: counts. That wear changes how cells behave is not modelled; how much a part bears is its data sheet's to say.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Erases by the address of the page. Clones share it until one of them erases.
#[derive(Clone, Debug, Default)]
pub(super) struct Wear(Arc<BTreeMap<u32, u32>>);

impl Wear {
    /// One that was cut short counts in full: it stressed the cells all the same.
    pub(super) fn erased(&mut self, page: u32) {
        let count = Arc::make_mut(&mut self.0).entry(page).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn erases(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().map(|(page, count)| (*page, *count))
    }
}
