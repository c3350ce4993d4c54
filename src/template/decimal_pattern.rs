//! Bounds of decimal numbers as regular expressions, because JSON Schema cannot compare numbers
//! that travel as strings.
//!
//! Each pattern takes for granted that the text is a decimal number without leading zeros, which
//! [`shape`] says. Numbers of equal length compare digit by digit; that is what the alternatives
//! spell out.

use super::decimal::{Decimal, Digits};

/// What a decimal number with so many digits looks like.
pub(super) fn shape(digits: usize, fraction_digits: usize) -> String {
    let whole = match digits - fraction_digits {
        0 => "0".to_owned(),
        whole => format!("(?:0|[1-9][0-9]{{0,{}}})", whole - 1),
    };
    let fraction = match fraction_digits {
        0 => String::new(),
        most => format!("(?:\\.[0-9]{{1,{most}}})?"),
    };
    format!("^-?{whole}{fraction}$")
}

/// Numbers not below `minimum`.
pub(super) fn at_least(minimum: &Decimal) -> String {
    let digits = minimum.digits();
    if digits.negative {
        format!("^(?:[0-9]|-(?:{})$)", not_above(&digits))
    } else if minimum.as_str() == "0" {
        "^(?:[0-9]|-0(?:\\.0+)?$)".to_owned()
    } else {
        format!("^(?:{})$", not_below(&digits))
    }
}

/// Numbers not above `maximum`.
pub(super) fn at_most(maximum: &Decimal) -> String {
    let digits = maximum.digits();
    if digits.negative {
        format!("^-(?:{})$", not_below(&digits))
    } else {
        format!("^(?:-|(?:{})$)", not_above(&digits))
    }
}

/// Magnitudes not below that of `bound`.
fn not_below(bound: &Digits<'_>) -> String {
    let (whole, fraction) = (bound.whole, bound.fraction);
    // More digits, or the same number of digits and a greater one somewhere.
    let mut choices = vec![format!("[1-9][0-9]{{{},}}{ANY_FRACTION}", whole.len())];
    for (at, digit) in digits_of(whole) {
        if digit < 9 {
            let (before, rest) = (&whole[..at], whole.len() - at - 1);
            choices.push(format!("{before}[{}-9][0-9]{{{rest}}}{ANY_FRACTION}", digit + 1));
        }
    }
    for (at, digit) in digits_of(fraction) {
        if digit < 9 {
            choices.push(format!("{whole}\\.{}[{}-9][0-9]*", &fraction[..at], digit + 1));
        }
    }
    choices.push(match fraction {
        "" => format!("{whole}{ANY_FRACTION}"),
        fraction => format!("{whole}\\.{fraction}[0-9]*"),
    });
    choices.join("|")
}

/// Magnitudes not above that of `bound`.
fn not_above(bound: &Digits<'_>) -> String {
    let (whole, fraction) = (bound.whole, bound.fraction);
    let mut choices = Vec::new();
    if whole.len() > 1 {
        let shorter = whole.len() - 2;
        choices.push(format!("(?:0|[1-9][0-9]{{0,{shorter}}}){ANY_FRACTION}"));
    }
    for (at, digit) in digits_of(whole) {
        let least = if at == 0 && whole.len() > 1 { 1 } else { 0 };
        if digit > least {
            let (before, rest) = (&whole[..at], whole.len() - at - 1);
            choices.push(format!("{before}[{least}-{}][0-9]{{{rest}}}{ANY_FRACTION}", digit - 1));
        }
    }
    // The same whole number, with no fraction, the beginning of the bound's or a smaller one.
    choices.push(whole.to_owned());
    for (at, digit) in digits_of(fraction) {
        let before = &fraction[..at];
        if at > 0 {
            choices.push(format!("{whole}\\.{before}"));
        }
        if digit > 0 {
            choices.push(format!("{whole}\\.{before}[0-{}][0-9]*", digit - 1));
        }
    }
    choices.push(match fraction {
        "" => format!("{whole}\\.0+"),
        fraction => format!("{whole}\\.{fraction}0*"),
    });
    choices.join("|")
}

fn digits_of(text: &str) -> impl Iterator<Item = (usize, u8)> {
    text.bytes().map(|byte| byte - b'0').enumerate()
}

const ANY_FRACTION: &str = "(?:\\.[0-9]+)?";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    #[test]
    fn shapes_count_digits() {
        for (digits, fraction, right, wrong) in [
            (3, 2, &["0", "-9.99", "9.9", "0.00"][..], &["10", "0.001", "00", "-", "1.", ".1"][..]),
            (2, 0, &["99", "-1"], &["100", "1.0"]),
            (2, 2, &["0.12", "0"], &["1", "1.1"]),
        ] {
            let shape = Regex::new(&shape(digits, fraction)).unwrap();
            assert!(right.iter().all(|text| shape.is_match(text)), "{shape}");
            assert!(!wrong.iter().any(|text| shape.is_match(text)), "{shape}");
        }
    }

    proptest! {
        #[test]
        fn patterns_compare_as_numbers_do(
            bound in "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,3})?",
            near in "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,3})?",
            tail in "[0-9]{0,2}",
        ) {
            let bound = Decimal::parse(&bound).unwrap();
            let (least, most) =
                (Regex::new(&at_least(&bound)).unwrap(), Regex::new(&at_most(&bound)).unwrap());
            let longer = match bound.as_str().contains('.') {
                true => format!("{}{tail}", bound.as_str()),
                false => format!("{}.0{tail}", bound.as_str()),
            };
            let negated = format!("-{}", longer.trim_start_matches('-'));
            for text in [near.as_str(), bound.as_str(), &longer, &negated, "0", "-0", "-0.0"] {
                let order = Digits::read(text).unwrap().compare(&bound.digits());
                prop_assert_eq!(least.is_match(text), order.is_ge(), "{} {}", text, least);
                prop_assert_eq!(most.is_match(text), order.is_le(), "{} {}", text, most);
            }
        }
    }
}
