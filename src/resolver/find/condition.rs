//! What is asked of an attribute: `model:P-100`, `rated_power_kw:5..10`.
//!
//! The attribute's name stands before the first colon, the wanted value behind it:
//!
//! | written | meaning |
//! |---|---|
//! | `a:5` | exactly 5 |
//! | `a:5..10` | from 5 up to but not 10 |
//! | `a:5..=10` | from 5 up to and with 10 |
//! | `a:5..`, `a:..10`, `a:..=10` | bounded on one side |
//! | `a:=5..10` | exactly the text behind the first `=`, whatever it holds |

use crate::template::{Fault, Template};

/// A condition on one attribute, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The attribute's name.
    pub attribute: String,
    /// What its value must be.
    pub wanted: Wanted,
}

/// The values that a condition takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This one.
    Exactly(String),
    /// Those of a range.
    Range {
        /// The least; none has no bound.
        from: Option<String>,
        /// The end; none has no bound.
        until: Option<String>,
        /// Whether the end belongs to the range.
        with_end: bool,
    },
}

impl Condition {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<Self, BadCondition> {
        let bad = || BadCondition(text.chars().take(SHOWN_CHARACTERS).collect());
        if text.len() > MAX_CONDITION_OCTETS {
            return Err(bad());
        }
        let (attribute, wanted) = text.split_once(':').ok_or_else(bad)?;
        if attribute.is_empty() {
            return Err(bad());
        }
        let wanted = match (wanted.strip_prefix('='), wanted.split_once("..")) {
            (Some(literal), _) => Wanted::Exactly(literal.to_owned()),
            (None, None) => Wanted::Exactly(wanted.to_owned()),
            (None, Some((from, until))) => {
                let (until, with_end) =
                    until.strip_prefix('=').map_or((until, false), |until| (until, true));
                let bound = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                if until.contains("..") || with_end && until.is_empty() {
                    return Err(bad());
                }
                Wanted::Range { from: bound(from), until: bound(until), with_end }
            }
        };
        Ok(Self { attribute: attribute.to_owned(), wanted })
    }

    /// The condition in the bytes of the template's indexes; a fault when the attribute is not
    /// indexed or a value is none of its type.
    pub(super) fn bounds(&self, template: &Template) -> Result<Bounds, Fault> {
        let index = self.index_of(template)?;
        let bytes = |text: &String| {
            let bytes = template.index_bytes(&self.attribute, text);
            bytes.map(|(_, bytes)| bytes)
        };
        let (from, until, with_end) = match &self.wanted {
            Wanted::Exactly(text) => (Some(text), Some(text), true),
            Wanted::Range { from, until, with_end } => (from.as_ref(), until.as_ref(), *with_end),
        };
        let from = from.map(bytes).transpose()?.unwrap_or_default();
        let until = until.map(bytes).transpose()?;
        let until = until.and_then(|end| if with_end { successor(end) } else { Some(end) });
        Ok(Bounds { attribute: index, from, until })
    }

    fn index_of(&self, template: &Template) -> Result<u32, Fault> {
        let found = template.attribute(&self.attribute);
        let found = found.filter(|attribute| attribute.indexed);
        found.map(|attribute| attribute.index).ok_or_else(|| {
            let place = format!("attributes.{}", self.attribute);
            Fault::new(place, "indexed", self, format!("is not indexed; {}", indexed(template)))
        })
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let attribute = &self.attribute;
        match &self.wanted {
            Wanted::Exactly(text) => write!(f, "{attribute}:={text}"),
            Wanted::Range { from, until, with_end } => {
                let [from, until] = [from, until].map(|bound| bound.as_deref().unwrap_or(""));
                write!(f, "{attribute}:{from}..{}{until}", if *with_end { "=" } else { "" })
            }
        }
    }
}

/// A condition in the bytes of indexes, which have the order of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// The attribute's index.
    pub attribute: u32,
    /// The least bytes.
    pub from: Vec<u8>,
    /// The first bytes behind; none is the attribute's end.
    pub until: Option<Vec<u8>>,
}

impl Bounds {
    /// Whether a value's bytes lie inside. No value's bytes begin another's, so that what lies
    /// before the successor of a value is the value itself or less.
    pub fn contain(&self, bytes: &[u8]) -> bool {
        bytes >= &self.from[..] && self.until.as_ref().is_none_or(|until| bytes < &until[..])
    }
}

/// The first bytes behind all that begin with `bytes`; none when there are none such.
pub(super) fn successor(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            return Some(bytes);
        }
    }
    None
}

/// Says which attributes can be asked for.
fn indexed(template: &Template) -> String {
    let attributes = template.attributes().iter();
    let names: Vec<_> = attributes
        .filter(|attribute| attribute.indexed)
        .map(|attribute| attribute.item.name.as_str())
        .collect();
    match names[..] {
        [] => "the template has no indexed attributes".into(),
        _ => format!("these are: {}", names.join(", ")),
    }
}

/// A text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no condition: write attribute:value or attribute:from..until, such as model:P-100 or \
     rated_power_kw:5..10"
)]
pub struct BadCondition(String);

/// Most octets of a condition.
const MAX_CONDITION_OCTETS: usize = 4_096;

/// Characters of a broken condition that are shown.
const SHOWN_CHARACTERS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(from: &str, until: &str, with_end: bool) -> Wanted {
        let bound = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Wanted::Range { from: bound(from), until: bound(until), with_end }
    }

    #[test]
    fn conditions_are_read() {
        let exactly = |text: &str| Wanted::Exactly(text.into());
        for (text, wanted) in [
            ("a:P-100", exactly("P-100")),
            ("a:", exactly("")),
            ("a:2026-01-05T08:30:00+08:00", exactly("2026-01-05T08:30:00+08:00")),
            ("a:=5..10", exactly("5..10")),
            ("a:==", exactly("=")),
            ("a:5..10", range("5", "10", false)),
            ("a:-5..=-1", range("-5", "-1", true)),
            ("a:5..", range("5", "", false)),
            ("a:..10", range("", "10", false)),
            ("a:..=10", range("", "10", true)),
            ("a:..", range("", "", false)),
        ] {
            let condition = Condition::parse(text).unwrap();
            assert_eq!((condition.attribute.as_str(), &condition.wanted), ("a", &wanted), "{text}");
        }
        for text in ["", "a", ":5", "a:1..2..3", "a:5..=", &format!("a:{}", "x".repeat(5_000))] {
            assert!(Condition::parse(text).is_err(), "{text:.40}");
        }
    }

    #[test]
    fn successors_stand_behind_all_that_begin_so() {
        assert_eq!(successor(vec![1, 2]), Some(vec![1, 3]));
        assert_eq!(successor(vec![1, 255, 255]), Some(vec![2]));
        assert_eq!(successor(vec![255]), None);
        assert_eq!(successor(vec![]), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(text in "a{0,2}[:=.]{0,4}.{0,9}") {
            if let Ok(condition) = Condition::parse(&text) {
                prop_assert_eq!(Condition::parse(&condition.to_string()), Ok(condition));
            }
        }
    }
}
