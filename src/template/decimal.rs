//! Decimal numbers as text: exact, of any size a template allows, without floating point.

use std::cmp::Ordering;

/// A decimal number in its canonical text: no leading or trailing zeros, no minus before zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(String);

impl Decimal {
    /// Reads `-12.50`: an optional minus, digits without leading zeros, at most one point with
    /// digits on both sides; at most 38 digits on either.
    pub fn parse(text: &str) -> Option<Self> {
        Digits::read(text).map(|digits| Self(digits.canonical()))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number's parts.
    pub(super) fn digits(&self) -> Digits<'_> {
        let (negative, rest) = sign(&self.0);
        let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
        Digits { negative, whole, fraction, written: fraction.len() }
    }
}

/// The parts of a number in the text it was read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits<'a> {
    /// Below zero.
    pub negative: bool,
    /// Digits before the point, without leading zeros but at least one.
    pub whole: &'a str,
    /// Digits behind the point, without trailing zeros.
    pub fraction: &'a str,
    /// Digits behind the point as written, trailing zeros included.
    pub written: usize,
}

impl<'a> Digits<'a> {
    pub fn read(text: &'a str) -> Option<Self> {
        let (negative, rest) = sign(text);
        let (whole, fraction) = match rest.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (rest, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || leading_zero || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        if whole.len() > MAX_DIGITS || fraction.len() > MAX_DIGITS {
            return None;
        }
        let written = fraction.len();
        let fraction = fraction.trim_end_matches('0');
        let zero = whole == "0" && fraction.is_empty();
        Some(Self { negative: negative && !zero, whole, fraction, written })
    }

    /// Digits before the point; a lone zero counts as none.
    pub fn whole_digits(&self) -> usize {
        if self.whole == "0" { 0 } else { self.whole.len() }
    }

    pub fn canonical(&self) -> String {
        let minus = if self.negative { "-" } else { "" };
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{minus}{}{point}{}", self.whole, self.fraction)
    }

    /// Length of [`Digits::canonical`].
    pub fn canonical_length(&self) -> usize {
        let point = usize::from(!self.fraction.is_empty());
        usize::from(self.negative) + self.whole.len() + point + self.fraction.len()
    }

    pub fn compare(&self, other: &Digits<'_>) -> Ordering {
        let magnitude = || {
            let by_length = self.whole.len().cmp(&other.whole.len());
            by_length.then_with(|| (self.whole, self.fraction).cmp(&(other.whole, other.fraction)))
        };
        match (self.negative, other.negative) {
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }

    /// Appends bytes whose order is that of the numbers and of which none begins another: sign,
    /// power of ten, significant digits, an end below every digit; all but the sign inverted for
    /// numbers below zero.
    pub fn write_ordered(&self, out: &mut Vec<u8>) {
        let zeros = self.fraction.len() - self.fraction.trim_start_matches('0').len();
        let (power, whole, fraction) = match (self.whole, self.fraction) {
            ("0", "") => return out.push(ZERO),
            ("0", fraction) => (POWER_OF_ONE - zeros as u8, "", &fraction[zeros..]),
            (whole, "") => (POWER_OF_ONE + whole.len() as u8, whole.trim_end_matches('0'), ""),
            (whole, fraction) => (POWER_OF_ONE + whole.len() as u8, whole, fraction),
        };
        let invert = if self.negative { 0xff } else { 0 };
        out.push(if self.negative { NEGATIVE } else { POSITIVE });
        out.push(power ^ invert);
        out.extend(whole.bytes().chain(fraction.bytes()).map(|digit| digit ^ invert));
        out.push(invert);
    }
}

/// How many of the bytes at the front [`Digits::write_ordered`] wrote for one number.
pub(super) fn ordered_length(bytes: &[u8]) -> Option<usize> {
    let end = match *bytes.first()? {
        ZERO => return Some(1),
        NEGATIVE => 0xff,
        POSITIVE => 0,
        _ => return None,
    };
    let digits = bytes.get(2..)?;
    digits.iter().position(|&byte| byte == end).map(|digits| digits + 3)
}

fn sign(text: &str) -> (bool, &str) {
    text.strip_prefix('-').map_or((false, text), |rest| (true, rest))
}

/// Most digits on either side of the point; a template allows this many in all.
pub(super) const MAX_DIGITS: usize = 38;

const NEGATIVE: u8 = 1;
const ZERO: u8 = 2;
const POSITIVE: u8 = 3;

/// The power byte of numbers from 0.1 up to but not 1; [`MAX_DIGITS`] fit on both sides of it.
const POWER_OF_ONE: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ordered(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        Digits::read(text).unwrap().write_ordered(&mut bytes);
        bytes
    }

    #[test]
    fn numbers_have_one_text() {
        for (given, canonical) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.000", "0"),
            ("7.50", "7.5"),
            ("-7.0", "-7"),
            ("100", "100"),
            ("0.010", "0.01"),
        ] {
            let decimal = Decimal::parse(given).unwrap();
            assert_eq!(decimal.as_str(), canonical);
            assert_eq!(decimal.digits().canonical(), canonical);
            assert_eq!(Digits::read(given).unwrap().canonical_length(), canonical.len());
        }
        let long = "9".repeat(MAX_DIGITS + 1);
        for broken in ["", "-", ".5", "5.", "05", "00", "+5", "1e3", "1 ", "１", "1.2.3", &long] {
            assert!(Decimal::parse(broken).is_none(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_have_the_order_of_the_numbers(
            one in -2_000i64..2_000, one_scale in 0u32..5,
            two in -2_000i64..2_000, two_scale in 0u32..5,
        ) {
            let text = |number: i64, scale: u32| {
                let unit = 10i64.pow(scale);
                let sign = if number < 0 { "-" } else { "" };
                let (whole, fraction) = (number.abs() / unit, number.abs() % unit);
                match scale {
                    0 => format!("{sign}{whole}"),
                    _ => format!("{sign}{whole}.{fraction:0width$}", width = scale as usize),
                }
            };
            let (one_text, two_text) = (text(one, one_scale), text(two, two_scale));
            let (a, b) = (ordered(&one_text), ordered(&two_text));
            let exact = (one * 10i64.pow(two_scale)).cmp(&(two * 10i64.pow(one_scale)));
            prop_assert_eq!(a.cmp(&b), exact, "{} {}", one_text, two_text);
            let (x, y) = (Digits::read(&one_text).unwrap(), Digits::read(&two_text).unwrap());
            prop_assert_eq!(x.compare(&y), exact);
            prop_assert!(a == b || !a.starts_with(&b) && !b.starts_with(&a));
        }
    }
}
