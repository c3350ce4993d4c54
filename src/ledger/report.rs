//! What verifying a log found.

use super::hash::Hash;

/// What became of verifying a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// How many entries there are, one more than the last index.
    pub size: u64,
    /// The root over them; none when an entry is missing or unreadable.
    pub root: Option<Hash>,
    /// What is wrong; at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How many more things are wrong.
    pub more_findings: u64,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where, such as `journal 1/42` (log and index).
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl LogReport {
    /// Adds a finding, or only counts it when there are many.
    pub(super) fn add(&mut self, place: String, problem: String) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { place, problem });
        } else {
            self.more_findings += 1;
        }
    }
}

/// Most findings that are listed one by one.
pub const MAX_FINDINGS: usize = 1_000;
