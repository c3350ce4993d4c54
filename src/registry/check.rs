//! The check of a whole store: every row decodes, every index leads somewhere, and the ledger
//! proves every row and is proved by its tiles and checkpoint.
//!
//! Faults are collected, not thrown: an operator wants to know all of them at once. Memory is
//! bounded by [`MAX_FINDINGS`], not by the store.

mod counters;
mod documents;
mod grants;
mod ledger;
mod records;

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::idempotency::IDEMPOTENCY;
use crate::access::TOKENS;
use crate::ledger::logs;
use crate::signing::NodeKeys;
use crate::store::{Column, ColumnId, Direction, Key, Read, Row, STATISTICS, StoreError, all_keys};
use documents::Templates;

/// What a check found.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct CheckReport {
    /// Rows looked at, by column.
    pub rows: std::collections::BTreeMap<&'static str, u64>,
    /// Entries of all logs.
    pub ledger_entries: u64,
    /// Logs, by origin, whose commitments could not be compared: the salt key they were made with
    /// is not among the node's keys.
    pub unproved_logs: Vec<String>,
    /// The first [`MAX_FINDINGS`] faults.
    pub findings: Vec<Finding>,
    /// How many faults there are in all.
    pub faults: u64,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Column it is in.
    pub column: &'static str,
    /// Where in the column, readable.
    pub place: String,
    /// What is wrong.
    pub fault: String,
}

/// Walks every column of a consistent view; `progress` is told the rows done so far.
pub fn check(
    read: &dyn Read,
    keys: &NodeKeys,
    progress: &mut dyn FnMut(u64),
) -> Result<CheckReport, StoreError> {
    let (proved, unproved): (Vec<_>, Vec<_>) =
        logs(read)?.into_iter().partition(|log| log.salt_key_id == keys.salt.id());
    let report = CheckReport {
        unproved_logs: unproved.into_iter().map(|log| log.origin).collect(),
        ..Default::default()
    };
    let proved = proved.into_iter().map(|log| log.id).collect();
    let (templates, filed) = (Templates::default(), HashMap::new());
    let mut checking = Checking { read, keys, proved, progress, report, done: 0, templates, filed };
    checking.records()?;
    checking.filed()?;
    checking.versions()?;
    checking.names()?;
    checking.prefixes()?;
    checking.counters()?;
    checking.documents()?;
    checking.tokens()?;
    checking.walk(&IDEMPOTENCY, |_, _, _| Ok(()))?;
    checking.walk(&STATISTICS, |_, _, _| Ok(()))?;
    checking.grants()?;
    checking.ledger()?;
    Ok(checking.report)
}

struct Checking<'a> {
    read: &'a dyn Read,
    keys: &'a NodeKeys,
    /// Logs whose commitments can be compared.
    proved: Vec<u32>,
    progress: &'a mut dyn FnMut(u64),
    report: CheckReport,
    done: u64,
    templates: Templates,
    /// Rows that the records account for, by column.
    filed: HashMap<ColumnId, u64>,
}

impl Checking<'_> {
    fn tokens(&mut self) -> Result<(), StoreError> {
        self.walk(&TOKENS, |checking, digest, token| {
            if digest.id() != token.id {
                checking.fault(TOKENS.id(), &token.id, "stands under another token's digest");
            }
            Ok(())
        })
    }

    /// Decodes every row of a column and looks at those that decode.
    fn walk<K: Key, R: Row>(
        &mut self,
        column: &Column<K, R>,
        mut look: impl FnMut(&mut Self, &K, &R) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut failure = None;
        let read = self.read;
        read.scan(column.id(), all_keys(), Direction::Forward, &mut |key, row| {
            self.done += 1;
            if self.done.is_multiple_of(PROGRESS_ROWS) {
                (self.progress)(self.done);
            }
            *self.report.rows.entry(column.id().name()).or_default() += 1;
            let decoded =
                column.decode_key(key).and_then(|typed| Ok((typed, column.decode(key, row)?)));
            let looked = match decoded {
                Ok((key, row)) => look(self, &key, &row),
                Err(error) => {
                    let place = data_encoding::HEXLOWER.encode(key);
                    self.fault(column.id(), &place, &error.to_string());
                    Ok(())
                }
            };
            match looked {
                Ok(()) => ControlFlow::Continue(()),
                // Rows met on the way may be corrupt too; their own column's walk reports them.
                Err(StoreError::Corrupt { .. }) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failure.map_or(Ok(()), Err)
    }

    fn fault(&mut self, column: ColumnId, place: &str, fault: &str) {
        self.report.faults += 1;
        if self.report.findings.len() < MAX_FINDINGS {
            let (column, place) = (column.name(), place.to_owned());
            self.report.findings.push(Finding { column, place, fault: fault.to_owned() });
        }
    }
}

/// Most faults that are listed; all are counted.
pub const MAX_FINDINGS: usize = 1_000;

/// Rows between two reports of progress.
const PROGRESS_ROWS: u64 = 10_000;
