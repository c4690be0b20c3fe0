//! The code that a bootloader runs from, apart from the flash that it writes.
//!
//! Boundary: bytes that never change, and whether the core executes them in place of the flash's. When it does is the board's to say.

use std::sync::Arc;

/// As large as the pages in which the core keeps decoded code.
const PAGE: usize = 4096;

/// A copy of an image, or none. Clones share it. Offsets count from the beginning of the image, and of the flash.
#[derive(Clone, Debug, Default)]
pub(crate) struct BootCode {
    pages: Arc<[Arc<[u8]>]>,
    runs: bool,
}

impl BootCode {
    /// Keeps a copy of the image.
    pub(crate) fn keep(&mut self, image: &[u8]) {
        let page = |bytes: &[u8]| {
            let mut page = bytes.to_vec();
            page.resize(PAGE, 0xFF);
            page.into()
        };
        self.pages = image.chunks(PAGE).map(page).collect();
    }

    /// Has the core execute it from here on, if there is any.
    pub(crate) fn run(&mut self) {
        self.runs = !self.pages.is_empty();
    }

    /// Has the core execute the flash's.
    pub(crate) fn stop(&mut self) {
        self.runs = false;
    }

    /// Whether the core executes it.
    #[inline]
    pub(crate) fn runs(&self) -> bool {
        self.runs
    }

    /// The page that holds `offset`, and the page's offset; `None` beyond the image, and while the core executes the flash's code.
    #[inline]
    pub(crate) fn page(&self, offset: u32) -> Option<(u32, &Arc<[u8]>)> {
        if !self.runs {
            return None;
        }
        let index = offset as usize / PAGE;
        self.pages.get(index).map(|page| ((index * PAGE) as u32, page))
    }

    /// `N` bytes at `offset`, a multiple of `N`; `None` where [`BootCode::page`] is.
    #[inline]
    pub(crate) fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let (base, page) = self.page(offset)?;
        let within = (offset - base) as usize;
        page.get(within..within + N)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_in_for_the_flash_while_it_runs_and_as_far_as_it_goes() {
        let mut code = BootCode::default();
        code.run();
        assert!(!code.runs(), "there is none");
        code.keep(&[0xA5; PAGE + 4]);
        assert_eq!(code.read::<4>(0), None);
        code.run();
        assert_eq!((code.read(0), code.read(PAGE as u32)), (Some([0xA5; 4]), Some([0xA5; 4])));
        assert_eq!(code.read(PAGE as u32 + 4), Some([0xFF; 4]), "the rest of its last page is erased");
        assert_eq!((code.read::<4>(2 * PAGE as u32), code.page(2 * PAGE as u32)), (None, None));
        code.stop();
        assert_eq!(code.page(0), None);
    }
}
