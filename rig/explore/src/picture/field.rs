//! The plane over two axes in which a picture is drawn.
//!
//! Boundary: where it lies on its sheet, and what its axes say. What is in it is the pictures' business.

use super::sheet::Sheet;
use super::svg::{Anchor, Svg};

const INK: &str = "#404040";

/// What stands at an axis.
pub(super) struct Labels<'a> {
    pub(super) low: String,
    pub(super) name: &'a str,
    pub(super) high: String,
}

/// Where it lies.
pub(super) struct Field {
    pub(super) left: f64,
    pub(super) wide: f64,
    pub(super) top: f64,
    pub(super) high: f64,
    sheet: Sheet,
    /// Where words stand that are above it and above what its axes say.
    pub(super) above: f64,
}

impl Field {
    /// Below what is there already; left of it is room for what the axes that stand there say, and for `beside`.
    pub(super) fn new(sheet: Sheet, below: f64, high: f64, axes: &[&Labels<'_>], beside: &[&str]) -> Self {
        let mut words = beside.to_vec();
        for Labels { low, name, high } in axes {
            words.extend([low.as_str(), high.as_str()]);
            words.extend((sheet == Sheet::Wide).then_some(*name));
        }
        let longest = words.into_iter().map(|it| sheet.extent(it)).fold(0.0, f64::max);
        let left = Sheet::SIDE + longest + 6.0;
        // On a narrow sheet the name of an axis stands above it.
        let named = if sheet == Sheet::Narrow && !axes.is_empty() { sheet.line() } else { 0.0 };
        let wide = sheet.width() - left - 2.0 * Sheet::SIDE;
        Self { left, wide, top: below + named, high, sheet, above: below - 4.0 }
    }

    pub(super) const fn bottom(&self) -> f64 {
        self.top + self.high
    }

    pub(super) const fn right(&self) -> f64 {
        self.left + self.wide
    }

    /// Where something stands that is so far along the lower axis, from 0 to 1.
    pub(super) const fn x(&self, share: f64) -> f64 {
        self.left + share * self.wide
    }

    /// ... and so far up the other one.
    pub(super) const fn y(&self, share: f64) -> f64 {
        self.bottom() - share * self.high
    }

    /// Words left of it.
    pub(super) fn beside(&self, svg: &mut Svg, y: f64, words: &str) {
        svg.words(self.left - 6.0, y, Anchor::End, words);
    }

    /// The axis at its left.
    pub(super) fn up(&self, svg: &mut Svg, Labels { low, name, high }: &Labels<'_>) {
        svg.line([self.left, self.top, self.left, self.bottom()], INK);
        self.beside(svg, self.bottom(), low);
        self.beside(svg, self.top + 10.0, high);
        match self.sheet {
            Sheet::Wide => self.beside(svg, self.top + self.high / 2.0, name),
            Sheet::Narrow => svg.words(Sheet::SIDE, self.top - 5.0, Anchor::Start, name),
        }
    }

    /// Its lower edge.
    pub(super) fn ground(&self, svg: &mut Svg) {
        svg.line([self.left, self.bottom(), self.right(), self.bottom()], INK);
    }

    /// The axis under it. What is drawn next may begin where this ends.
    pub(super) fn across(&self, svg: &mut Svg, Labels { low, name, high }: &Labels<'_>) -> f64 {
        self.ground(svg);
        let y = self.bottom() + self.sheet.line();
        svg.words(self.left, y, Anchor::Start, low);
        svg.words(self.x(0.5), y, Anchor::Middle, name);
        svg.words(self.right(), y, Anchor::End, high);
        y + 8.0
    }
}
