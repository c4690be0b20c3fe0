//! A drawing of rectangles, lines and words.
//!
//! Boundary: coordinates in, SVG out. What stands for what is the pictures' business.

use std::fmt::Write as _;

use super::Caption;
use super::sheet::Sheet;

/// An SVG under way.
pub(super) struct Svg {
    body: String,
    sheet: Sheet,
}

/// Where words stand relative to their place.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) fn new(sheet: Sheet) -> Self {
        Self { body: String::new(), sheet }
    }

    /// `title` is what is said of it under a mouse. Two further digits of the colour, as in CSS, say how opaque it is.
    pub(super) fn rect(&mut self, [x, y, width, height]: [f64; 4], fill: &str, title: &str) {
        // What reads SVG and is no browser knows colours of six digits.
        let (fill, opaque) = fill.split_at_checked(7).unwrap_or((fill, ""));
        let opacity =
            u8::from_str_radix(opaque, 16).map(|it| format!(r#" fill-opacity="{:.2}""#, f64::from(it) / 255.0));
        let opacity = opacity.unwrap_or_default();
        let is_untitled = title.is_empty() || self.sheet == Sheet::Narrow;
        let title = if is_untitled { String::new() } else { format!("<title>{}</title>", escaped(title)) };
        let _ = writeln!(
            self.body,
            r#"<rect x="{x:.2}" y="{y:.2}" width="{width:.2}" height="{height:.2}" fill="{fill}"{opacity}>{title}</rect>"#
        );
    }

    pub(super) fn line(&mut self, [x1, y1, x2, y2]: [f64; 4], stroke: &str) {
        let _ = writeln!(self.body, r#"<line x1="{x1:.2}" y1="{y1:.2}" x2="{x2:.2}" y2="{y2:.2}" stroke="{stroke}"/>"#);
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], stroke: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.2},{y:.2}")).collect();
        let _ = writeln!(
            self.body,
            r#"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="2"/>"#,
            points.join(" ")
        );
    }

    pub(super) fn words(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(self.body, r#"<text x="{x:.2}" y="{y:.2}" text-anchor="{anchor}">{}</text>"#, escaped(text));
    }

    /// Words in as many lines as they need; where the next line would stand.
    pub(super) fn paragraph(&mut self, [x, y, width]: [f64; 3], text: &str) -> f64 {
        let mut next = y;
        for line in self.sheet.lines(text, width) {
            self.words(x, next, Anchor::Start, &line);
            next += self.sheet.line();
        }
        next
    }

    /// Words over `x`, moved as far as the edges of the sheet ask for, if they begin right of `free`; where they end.
    pub(super) fn over(&mut self, [x, y]: [f64; 2], free: f64, text: &str) -> Option<f64> {
        let (extent, right) = (self.sheet.extent(text), self.sheet.width() - Sheet::SIDE);
        let (from, place, anchor) = match x - extent / 2.0 {
            from if from < Sheet::SIDE => (Sheet::SIDE, Sheet::SIDE, Anchor::Start),
            from if from + extent > right => (right - extent, right, Anchor::End),
            from => (from, x, Anchor::Middle),
        };
        (from >= free).then(|| {
            self.words(place, y, anchor, text);
            from + extent
        })
    }

    /// What every picture begins with, its world and its legend; below it may be drawn.
    pub(super) fn head(&mut self, caption: &Caption<'_>, legend: &[(&str, String)]) -> f64 {
        let width = self.sheet.width() - 2.0 * Sheet::SIDE;
        let title = format!("{} ({} world)", caption.title, caption.world);
        let next = self.paragraph([Sheet::SIDE, 20.0, width], &title);
        self.legend(Sheet::SIDE, next + 6.0, legend)
    }

    /// Boxes with words beside them, from left to right and in as many rows as they need; below them may be drawn.
    pub(super) fn legend(&mut self, left: f64, y: f64, entries: &[(&str, String)]) -> f64 {
        let (right, line) = (self.sheet.width() - Sheet::SIDE, self.sheet.line() + 2.0);
        let (mut x, mut row) = (left, y);
        for (fill, text) in entries {
            let extent = 14.0 + self.sheet.extent(text);
            if x > left && x + extent > right {
                (x, row) = (left, row + line);
            }
            self.rect([x, row - 9.0, 10.0, 10.0], fill, "");
            let next = self.paragraph([x + 14.0, row, right - x - 14.0], text);
            row = row.max(next - self.sheet.line());
            x += extent + 16.0;
        }
        row + self.sheet.line()
    }

    pub(super) fn finish(self, height: f64) -> String {
        let Self { body, sheet } = self;
        let (width, letters) = (sheet.width(), sheet.letters());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"{letters}\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
