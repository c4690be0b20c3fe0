//! What kind of terminal there is, and what its user wants to see.
//!
//! Boundary: environment and terminal are asked, nothing is written. The order of the wishes is that of <https://no-color.org> and
//! <https://bixense.com/clicolors>: `NO_COLOR` forbids, `CLICOLOR_FORCE` asks, `CLICOLOR=0` declines, and else a terminal that is not dumb has
//! colour.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use brickproof_report::terminal::Colour;

/// When nobody can tell.
const COLUMNS: usize = 80;

/// The colours that are welcome on `stream`.
pub(super) fn colour(stream: &impl IsTerminal) -> Colour {
    colour_of(stream.is_terminal(), |name| std::env::var_os(name))
}

/// Whether the terminal follows escape sequences at all.
pub(super) fn steers() -> bool {
    !is_dumb(&|name| std::env::var_os(name))
}

/// How many columns a terminal has now.
pub(super) fn columns(terminal: &impl AsFd) -> usize {
    let told = rustix::termios::tcgetwinsize(terminal).map_or(0, |size| size.ws_col);
    let said = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0);
    if told > 0 { usize::from(told) } else { said().unwrap_or(COLUMNS) }
}

fn colour_of(is_terminal: bool, wish: impl Fn(&str) -> Option<OsString>) -> Colour {
    let is = |name: &str, values: &[&str]| wish(name).is_some_and(|it| values.iter().any(|value| it == *value));
    let said = |name: &str| wish(name).is_some_and(|it| !it.is_empty());
    let forced = said("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", &["0"]);
    let welcome = is_terminal && !is("CLICOLOR", &["0"]) && !is_dumb(&wish);
    if said("NO_COLOR") || !(forced || welcome) {
        Colour::Plain
    } else if is("COLORTERM", &["truecolor", "24bit"]) {
        Colour::True
    } else if wish("TERM").is_some_and(|it| it.to_string_lossy().contains("256color")) {
        Colour::Palette
    } else {
        Colour::Sixteen
    }
}

fn is_dumb(wish: &impl Fn(&str) -> Option<OsString>) -> bool {
    wish("TERM").is_none_or(|it| it.is_empty() || it == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_wish_gets_it() {
        let colour = |is_terminal, wishes: &[(&str, &str)]| {
            let wish = |name: &str| wishes.iter().find(|(wished, _)| *wished == name).map(|(_, value)| (*value).into());
            colour_of(is_terminal, wish)
        };
        let xterm = ("TERM", "xterm-256color");
        for (is_terminal, wishes, wanted) in [
            (true, &[xterm][..], Colour::Palette),
            (true, &[("TERM", "linux")], Colour::Sixteen),
            (true, &[xterm, ("COLORTERM", "truecolor")], Colour::True),
            (false, &[xterm, ("COLORTERM", "truecolor")], Colour::Plain),
            (true, &[("TERM", "dumb")], Colour::Plain),
            (true, &[], Colour::Plain),
            (true, &[xterm, ("NO_COLOR", "1")], Colour::Plain),
            (true, &[xterm, ("NO_COLOR", "")], Colour::Palette),
            (true, &[xterm, ("CLICOLOR", "0")], Colour::Plain),
            (false, &[("CLICOLOR_FORCE", "1")], Colour::Sixteen),
            (false, &[("CLICOLOR_FORCE", "0")], Colour::Plain),
            (false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], Colour::Plain),
        ] {
            assert_eq!(colour(is_terminal, wishes), wanted, "{is_terminal} {wishes:?}");
        }
    }
}
