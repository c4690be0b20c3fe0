//! Text to quantity and back: exact decimals, mandatory units.

use std::fmt;

use crate::Quantity;

/// Why a text is not the quantity that was asked for. The message names the text, what was wanted and a spelling that is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ParseQuantityError {
    problem: String,
    help: String,
}

impl ParseQuantityError {
    /// What to write instead.
    pub fn help(&self) -> &str {
        &self.help
    }
}

fn units_of<Q: Quantity>() -> String {
    let plain = Q::UNITS.iter().map(|(unit, _)| *unit).filter(|unit| unit.is_ascii());
    plain.collect::<Vec<_>>().join(", ")
}

fn error<Q: Quantity>(problem: String) -> ParseQuantityError {
    ParseQuantityError {
        problem,
        help: format!("write {} with its unit ({}), as in `{}`", Q::WHAT, units_of::<Q>(), Q::EXAMPLE),
    }
}

pub(crate) fn out_of_range<Q: Quantity>(text: &str) -> ParseQuantityError {
    error::<Q>(format!("`{text}` is too large or negative for {}", Q::WHAT))
}

/// Splits `text` into number and unit and returns the value in base units, exactly.
pub(crate) fn parse<Q: Quantity>(text: &str) -> Result<i128, ParseQuantityError> {
    let trimmed = text.trim();
    let split =
        trimmed.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | '_'))).unwrap_or(trimmed.len());
    let (number, unit) = (&trimmed[..split], trimmed[split..].trim_start());
    let decimal = Decimal::parse(number).ok_or_else(|| error::<Q>(format!("`{text}` is not {}", Q::WHAT)))?;
    if unit.is_empty() {
        return Err(ParseQuantityError {
            problem: format!("`{text}` has no unit"),
            help: format!("{} needs one of {}, as in `{}`", Q::WHAT, units_of::<Q>(), Q::EXAMPLE),
        });
    }
    let Some((_, size)) = Q::UNITS.iter().find(|(name, _)| *name == unit) else {
        let same_letters = Q::UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let mut wrong = error::<Q>(format!("`{unit}` is not a unit of {}", Q::WHAT));
        if let Some((name, _)) = same_letters {
            wrong.help = format!("did you mean `{number}{name}`?");
        }
        return Err(wrong);
    };
    decimal.scale(*size).ok_or_else(|| error::<Q>(format!("`{text}` is finer or larger than {} can be", Q::WHAT)))
}

/// `digits / 10^places`, signed.
struct Decimal {
    digits: i128,
    places: u32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let well_formed = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
        if whole.is_empty() || !well_formed(whole) || !well_formed(fraction) || unsigned.ends_with('.') {
            return None;
        }
        let joined: String = whole.chars().chain(fraction.chars()).filter(|c| *c != '_').collect();
        let places = fraction.bytes().filter(|b| *b != b'_').count();
        let digits: i128 = (joined.len() <= 30).then(|| joined.parse().ok()).flatten()?;
        Some(Self { digits: if negative { -digits } else { digits }, places: u32::try_from(places).ok()? })
    }

    /// The value times `size`, if that is whole.
    fn scale(&self, size: u64) -> Option<i128> {
        let scaled = self.digits.checked_mul(i128::from(size))?;
        let divisor = 10i128.checked_pow(self.places)?;
        (scaled % divisor == 0).then_some(scaled / divisor)
    }
}

/// Writes `value` in the largest of `units` in which it is at least one, with as many decimals as it takes to be exact.
pub(crate) fn show(f: &mut fmt::Formatter<'_>, value: i128, units: &[(&str, u64)]) -> fmt::Result {
    // Nothing is nothing in any unit; the largest reads best.
    let fits = |size: u64| value == 0 || value.unsigned_abs() >= u128::from(size);
    let (unit, size) = units.iter().rev().find(|(_, size)| fits(*size)).or(units.first()).copied().unwrap_or(("", 1));
    let size = i128::from(size);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, rest) = (value.abs() / size, value.abs() % size);
    let mut text = format!("{sign}{whole}");
    if rest != 0 {
        let places = size.ilog10() as usize;
        let decimals = format!("{rest:0places$}");
        text.push('.');
        text.push_str(decimals.trim_end_matches('0'));
    }
    text.push_str(unit);
    f.pad(&text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Baud, Charge, Current, Ratio, Slew, Span, Voltage};

    #[test]
    fn the_spellings_of_the_design_parse_exactly() {
        assert_eq!("12.4ms".parse(), Ok(Span::micros(12_400)));
        assert_eq!("1.6V".parse(), Ok(Voltage::new(1_600_000)));
        assert_eq!("50us/V".parse(), Ok(Slew::new(50_000)));
        assert_eq!("115200Bd".parse(), Ok(Baud::new(115_200)));
        assert_eq!("1200mAh".parse(), Ok(Charge::new(1_200_000)));
        assert_eq!("6%".parse(), Ok(Ratio::new(60_000)));
        assert_eq!("-3 mA".parse(), Ok(Current::new(-3_000)));
    }

    #[test]
    fn a_bare_number_is_refused_with_an_example() {
        let error = "5".parse::<Span>().unwrap_err();
        assert_eq!(error.to_string(), "`5` has no unit");
        assert!(error.help().contains("12.4ms"), "{}", error.help());
    }

    #[test]
    fn a_unit_in_the_wrong_case_is_corrected() {
        assert_eq!("5v".parse::<Voltage>().unwrap_err().help(), "did you mean `5V`?");
    }

    #[test]
    fn text_that_is_no_quantity_is_refused() {
        for text in [
            "",
            "ms",
            "1.ms",
            ".5ms",
            "1.2.3ms",
            "5 parsecs",
            "--1ms",
            "0.0000001ns",
            "-5ms",
            "99999999999999999999999s",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_parses_to_the_same_value(nanos in any::<u64>(), microvolts in any::<i64>(), ppm in any::<u64>()) {
            prop_assert_eq!(Span::nanos(nanos).to_string().parse(), Ok(Span::nanos(nanos)));
            prop_assert_eq!(Voltage::new(microvolts).to_string().parse(), Ok(Voltage::new(microvolts)));
            prop_assert_eq!(Ratio::new(ppm).to_string().parse(), Ok(Ratio::new(ppm)));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<Span>();
            let _ = text.parse::<Voltage>();
        }
    }
}
