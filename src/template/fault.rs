//! What is wrong with a definition or a record: all of it at once, each fault with its place.

use std::cell::RefCell;
use std::fmt::{Display, Formatter};

use serde::{Deserialize, Serialize};

/// One thing that is wrong, where it is and which rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Fault {
    /// Where: `attributes.dimension.length`, `attributes.parts[3]`; empty for the whole.
    pub path: String,
    /// What was found there, shortened; empty when nothing was.
    pub value: String,
    /// The rule that is broken, as a stable word: `required`, `type`, `pattern`, `maximum` …
    pub rule: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Fault {
    /// A fault at `path`; the value is shortened.
    pub fn new(path: impl Display, rule: &str, value: impl Display, message: impl Display) -> Self {
        let value = shorten(&value.to_string());
        Self { path: path.to_string(), value, rule: rule.to_owned(), message: message.to_string() }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let separator = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}", self.path, self.message)
    }
}

/// The faults found so far, at most [`MAX_FAULTS`]; a last one says that there are more.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: RefCell<Vec<Fault>>,
}

impl Faults {
    pub fn add(&self, path: &Path<'_>, rule: &str, value: impl Display, message: impl Display) {
        let mut found = self.found.borrow_mut();
        if found.len() < MAX_FAULTS {
            found.push(Fault::new(path, rule, value, message));
        } else if found.len() == MAX_FAULTS {
            let message = format!("more than {MAX_FAULTS} faults; correct these first");
            found.push(Fault::new("", "more", "", message));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    pub fn into_vec(self) -> Vec<Fault> {
        self.found.into_inner()
    }
}

/// A place in a document, built on the stack so that only faults pay for its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Name(&'a str),
    Position(usize),
}

impl<'a> Path<'a> {
    /// A place without a parent; an empty name is the whole document.
    pub fn root(name: &'a str) -> Self {
        Self { parent: None, step: Step::Name(name) }
    }

    pub fn name(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Name(name) }
    }

    pub fn position(&'a self, position: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Position(position) }
    }

    fn is_whole(&self) -> bool {
        self.parent.is_none() && matches!(self.step, Step::Name(""))
    }
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Position(position) => write!(f, "[{position}]"),
            Step::Name(name) => {
                let inner = self.parent.is_some_and(|parent| !parent.is_whole());
                write!(f, "{}{name}", if inner { "." } else { "" })
            }
        }
    }
}

/// The beginning of a long text.
fn shorten(text: &str) -> String {
    if text.chars().count() <= MAX_SHOWN_CHARACTERS {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(MAX_SHOWN_CHARACTERS).collect();
    short.push('…');
    short
}

/// Most faults that are named at once.
pub const MAX_FAULTS: usize = 500;

/// Most characters of a value that a fault shows.
const MAX_SHOWN_CHARACTERS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_people_write_them() {
        let root = Path::root("attributes");
        let parts = root.name("parts");
        assert_eq!(parts.position(3).name("length").to_string(), "attributes.parts[3].length");
        let whole = Path::root("");
        assert_eq!(whole.to_string(), "");
        assert_eq!(whole.name("labels").name("zh").to_string(), "labels.zh");
    }

    #[test]
    fn faults_and_their_values_are_bounded() {
        let faults = Faults::default();
        for _ in 0..MAX_FAULTS + 7 {
            faults.add(&Path::root("x"), "type", "泵".repeat(1_000), "wrong");
        }
        let found = faults.into_vec();
        assert_eq!(found.len(), MAX_FAULTS + 1);
        assert_eq!(found[0].value.chars().count(), MAX_SHOWN_CHARACTERS + 1);
        assert_eq!(found.last().unwrap().rule, "more");
        assert_eq!(found[0].to_string(), "x: wrong");
    }
}
