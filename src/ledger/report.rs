//! What verifying a log found.

use super::hash::Hash;
use crate::store::ColumnId;

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
    /// The column.
    pub column: ColumnId,
    /// The row: log and index (`1/42`), and likewise for other columns; hex when not even the key
    /// can be read.
    pub place: String,
    /// What is wrong there.
    pub fault: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.column.name(), self.place, self.fault)
    }
}

impl LogReport {
    /// Adds a finding, or only counts it when there are many.
    pub(super) fn add(&mut self, column: ColumnId, place: String, fault: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { column, place, fault: fault.into() });
        } else {
            self.more_findings += 1;
        }
    }
}

/// Most findings that are listed one by one.
pub const MAX_FINDINGS: usize = 1_000;
