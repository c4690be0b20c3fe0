//! The code that a bootloader runs from, apart from the flash that it writes.
//!
//! Boundary: bytes that never change. When the chip executes them is the board's to say.

use std::sync::Arc;

/// As large as the pages in which the core keeps decoded code.
const PAGE: usize = 4096;

/// A copy of an image, beginning at address 0 as it does. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct BootCode {
    pages: Arc<[Arc<[u8]>]>,
}

impl BootCode {
    pub(crate) fn of(image: &[u8]) -> Self {
        let page = |bytes: &[u8]| {
            let mut page = bytes.to_vec();
            page.resize(PAGE, 0xFF);
            page.into()
        };
        Self { pages: image.chunks(PAGE).map(page).collect() }
    }

    /// The page that holds `address`, and the page's address; `None` beyond the image.
    #[inline]
    pub(crate) fn page(&self, address: u32) -> Option<(u32, &Arc<[u8]>)> {
        let index = address as usize / PAGE;
        self.pages.get(index).map(|page| ((index * PAGE) as u32, page))
    }

    /// `N` bytes at `address`, a multiple of `N`.
    pub(crate) fn read<const N: usize>(&self, address: u32) -> Option<[u8; N]> {
        let (base, page) = self.page(address)?;
        let within = (address - base) as usize;
        page.get(within..within + N)?.try_into().ok()
    }
}
