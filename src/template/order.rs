//! Bytes of values for indexes: in the order of the values, and no value's bytes begin another's,
//! so that the store can put more behind them.

use super::decimal::{Digits, ordered_length};
use super::{Fault, Kind, Template, dates};
use crate::identifier::Identifier;

impl Template {
    /// The index bytes of a value in a question: the attribute's index and the bytes under which
    /// [`Template::fill`] files equal values. Bounds and patterns are not checked, because a
    /// question's value need not be one that a record may have.
    pub fn index_bytes(&self, name: &str, text: &str) -> Result<(u32, Vec<u8>), Fault> {
        let place = || format!("attributes.{name}");
        let Some(attribute) = self.attribute(name) else {
            return Err(Fault::new(place(), "unknown", text, "the template has no such attribute"));
        };
        if !attribute.unique && !attribute.indexed {
            let message = "not indexed: only indexed or unique attributes can be asked for";
            return Err(Fault::new(place(), "indexed", text, message));
        }
        let bytes = ordered_bytes(&attribute.item.kind, text).ok_or_else(|| {
            let message = format!("must be {}", attribute.item.kind.expected());
            Fault::new(place(), "type", text, message)
        })?;
        Ok((attribute.index, bytes))
    }
}

impl Kind {
    /// How many of the bytes at the front are the index bytes of one value; none when they are of
    /// no value of the type.
    pub fn indexed_length(&self, bytes: &[u8]) -> Option<usize> {
        let length = match self {
            Kind::String(_) | Kind::Enumeration(_) | Kind::Url | Kind::Reference { .. } => {
                bytes.iter().position(|&byte| byte == END)? + 1
            }
            Kind::Integer { .. } => 8,
            Kind::Decimal(_) => ordered_length(bytes)?,
            Kind::Boolean => 1,
            Kind::Date | Kind::Time => 4,
            Kind::Datetime => 12,
            Kind::File | Kind::List(_) | Kind::Group(_) => return None,
        };
        (length <= bytes.len()).then_some(length)
    }
}

/// The bytes of a value's text; none when the text is no value of the type or the type has no
/// order.
pub(super) fn ordered_bytes(kind: &Kind, text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() + 4);
    match kind {
        Kind::String(_) | Kind::Enumeration(_) | Kind::Url => write_text(text.as_bytes(), &mut out),
        Kind::Integer { .. } => {
            // Moved up by half the range, negative numbers come first.
            let number = text.parse::<i64>().ok()?.cast_unsigned() ^ (1 << 63);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Kind::Decimal(_) => Digits::read(text)?.write_ordered(&mut out),
        Kind::Boolean => out.push(u8::from(text.parse::<bool>().ok()?)),
        Kind::Date => {
            let day = dates::day(text)?.to_julian_day().cast_unsigned() ^ (1 << 31);
            out.extend_from_slice(&day.to_be_bytes());
        }
        Kind::Time => out.extend_from_slice(&dates::time_of_day(text)?.to_be_bytes()),
        Kind::Datetime => {
            let (seconds, nanoseconds) = dates::moment(text)?;
            out.extend_from_slice(&(seconds.cast_unsigned() ^ (1 << 63)).to_be_bytes());
            out.extend_from_slice(&nanoseconds.to_be_bytes());
        }
        Kind::Reference { .. } => {
            write_text(Identifier::parse(text).ok()?.key().as_bytes(), &mut out);
        }
        Kind::File | Kind::List(_) | Kind::Group(_) => return None,
    }
    Some(out)
}

/// Appends bytes and an end below all others; 0 and 1 become pairs that begin with 1.
fn write_text(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        match byte {
            END | ESCAPE => out.extend_from_slice(&[ESCAPE, byte + 1]),
            _ => out.push(byte),
        }
    }
    out.push(END);
}

const END: u8 = 0;
const ESCAPE: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{MAX_STRING_CHARACTERS, StringBounds};
    use proptest::prelude::*;

    /// Checks order and separation of two values' bytes.
    fn check<T: Ord + std::fmt::Debug>(
        kind: &Kind,
        (one, one_text): (T, String),
        (two, two_text): (T, String),
    ) {
        let a = ordered_bytes(kind, &one_text).unwrap();
        let b = ordered_bytes(kind, &two_text).unwrap();
        assert_eq!(a.cmp(&b), one.cmp(&two), "{one_text:?} {two_text:?}");
        assert!(a == b || !a.starts_with(&b) && !b.starts_with(&a), "{one_text:?} {two_text:?}");
        assert_eq!(kind.indexed_length(&[&a[..], b"suffix"].concat()), Some(a.len()));
    }

    fn string() -> Kind {
        let (min_length, max_length) = (0, MAX_STRING_CHARACTERS);
        Kind::String(StringBounds { min_length, max_length, pattern: None })
    }

    #[test]
    fn times_and_truths() {
        let times = ["00:00:00", "00:00:59", "00:01:00", "09:59:59", "23:59:59"];
        for pair in times.windows(2) {
            check(&Kind::Time, (0, pair[0].into()), (1, pair[1].into()));
        }
        check(&Kind::Boolean, (false, "false".into()), (true, "true".into()));
    }

    proptest! {
        #[test]
        fn integers(one in any::<i64>(), two in any::<i64>()) {
            let kind = Kind::Integer { minimum: i64::MIN, maximum: i64::MAX };
            check(&kind, (one, one.to_string()), (two, two.to_string()));
            check(&kind, (one, one.to_string()), (one, one.to_string()));
        }

        #[test]
        fn texts(one in "[\\x00-\\x02ab泵]{0,6}", two in "[\\x00-\\x02ab泵]{0,6}") {
            let pair = |text: &String| (text.as_bytes().to_vec(), text.clone());
            check(&string(), pair(&one), pair(&two));
        }

        #[test]
        fn days(
            one in (0u16..=9_999, 1u8..=12, 1u8..=28), two in (0u16..=9_999, 1u8..=12, 1u8..=28),
        ) {
            let text = |(year, month, day)| format!("{year:04}-{month:02}-{day:02}");
            check(&Kind::Date, (one, text(one)), (two, text(two)));
        }

        #[test]
        fn moments(one in any::<u32>(), two in any::<u32>(), hours in -11i64..=12) {
            let text = |seconds: u32| {
                let local = i64::from(seconds) + hours * 3_600;
                let moment = time::OffsetDateTime::from_unix_timestamp(local).unwrap();
                let (date, time) = (moment.date(), moment.time());
                let (hour, minute, second) = time.as_hms();
                let sign = if hours < 0 { '-' } else { '+' };
                format!("{date}T{hour:02}:{minute:02}:{second:02}{sign}{:02}:00", hours.abs())
            };
            check(&Kind::Datetime, (one, text(one)), (two, text(two)));
        }

        #[test]
        fn references(one in "[a-c./]{1,3}", two in "[a-c./]{1,3}") {
            let pair = |suffix: &String| (suffix.to_ascii_uppercase(), format!("88.1/{suffix}"));
            check(&Kind::Reference { template: None }, pair(&one), pair(&two));
        }

        #[test]
        fn any_text_has_bytes_or_none(text in ".{0,40}") {
            for kind in [Kind::Date, Kind::Datetime, Kind::Time, Kind::Boolean, Kind::File] {
                let _ = ordered_bytes(&kind, &text);
            }
        }
    }
}
