//! Changes of many requests that become one, together with a note of how far their asker is.
//!
//! An import writes a bundle of records and its own progress in one transaction, so that nothing
//! is ever done twice or forgotten. Requests in a bundle are planned without sight of each other:
//! a change that read what another one in the bundle writes does not fit in, and is planned again
//! when that one is written.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::submit::{Change, CountChange, Effect, RowChange};
use crate::access::TOKENS;
use crate::identifier::{CanonicalKey, Prefix};
use crate::store::{ColumnId, Guard, RECORDS, ReadPoint, identifier_counter};

/// Changes that are written together or not at all.
#[derive(Default)]
pub struct Bundle {
    whole: Option<Change>,
    members: usize,
    bytes: usize,
    /// Rows that were read, and since when each must not have changed.
    guards: HashMap<Guard, ReadPoint>,
    writes: Writes,
}

/// Guarded rows that changes write.
#[derive(Default)]
pub struct Writes(HashSet<Guard>);

impl Bundle {
    /// How many changes are in it.
    pub fn len(&self) -> usize {
        self.members
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.members == 0
    }

    /// Roughly how many bytes it writes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows it writes.
    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Adds a change of the same account; false, and nothing is added, when the change read what
    /// the bundle writes.
    pub fn add(&mut self, change: Change) -> bool {
        if self.writes.touch(&change) {
            return false;
        }
        self.writes.0.extend(written(&change));
        self.members += 1;
        self.bytes += change.bytes();
        let mut change = change;
        for guard in std::mem::take(&mut change.guards) {
            let since = self.guards.entry(guard).or_insert(change.read_at);
            *since = change.read_at.min(*since);
        }
        let Some(whole) = &mut self.whole else {
            self.whole = Some(change);
            return true;
        };
        whole.authorised_at = whole.authorised_at.min(change.authorised_at);
        for guard in change.authority {
            if !whole.authority.contains(&guard) {
                whole.authority.push(guard);
            }
        }
        whole.effects.extend(change.effects);
        whole.rows.extend(change.rows);
        change.counts.into_iter().for_each(|count| add_count(&mut whole.counts, count));
        true
    }

    /// The one change, with a row of the jobs column in it; none when the bundle is empty.
    pub fn seal(self, key: Vec<u8>, row: Vec<u8>) -> Option<(Change, Writes)> {
        let mut whole = self.whole?;
        // What was planned again later must not be held against an earlier moment.
        let mut groups: BTreeMap<ReadPoint, Vec<Guard>> = BTreeMap::new();
        for (guard, since) in self.guards {
            groups.entry(since).or_default().push(guard);
        }
        whole.more_guards = groups.into_iter().collect();
        whole.rows.push(RowChange { column: ColumnId::Jobs, key, row: Some(row) });
        Some((whole, self.writes))
    }
}

impl Writes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the change read one of the rows.
    pub fn touch(&self, change: &Change) -> bool {
        !self.0.is_empty() && change.guards.iter().any(|guard| self.0.contains(guard))
    }

    /// Whether this record is one of the rows.
    pub fn touch_record(&self, key: &CanonicalKey) -> bool {
        self.0.contains(&RECORDS.guard(key))
    }

    /// Adds those of others.
    pub fn extend(&mut self, others: Writes) {
        self.0.extend(others.0);
    }
}

impl Change {
    /// Whether it registers an identifier.
    pub fn creates(&self) -> bool {
        self.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Record(change) if change.previous.is_none()))
    }

    /// Identifier of the first record it writes.
    pub fn identifier(&self) -> Option<&str> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Record(change) => Some(change.record.identifier.spelling()),
            _ => None,
        })
    }

    /// Whether it adds to the identifiers that count under a prefix.
    pub fn adds_under(&self, prefix: &Prefix) -> bool {
        let wanted = identifier_counter(prefix);
        self.counts
            .iter()
            .any(|count| matches!(count, CountChange::Add { counter, .. } if *counter == wanted))
    }
}

/// The guarded rows that a change writes.
fn written(change: &Change) -> impl Iterator<Item = Guard> {
    let effects = change.effects.iter().filter_map(|effect| match effect {
        Effect::Record(change) => Some(RECORDS.guard(change.record.identifier.key())),
        Effect::Token { digest, .. } => Some(TOKENS.guard(digest)),
        Effect::Document(change) => Some(Guard { column: change.column, key: change.key.clone() }),
        Effect::Nothing(_) => None,
    });
    let row = |row: &RowChange| Guard { column: row.column, key: row.key.clone() };
    effects.chain(change.rows.iter().map(row))
}

/// Adds a count to others, in one with the last where it is of the same counter.
fn add_count(counts: &mut Vec<CountChange>, count: CountChange) {
    match (counts.last_mut(), &count) {
        (
            Some(CountChange::Add { counter, amount, limit }),
            CountChange::Add { counter: other, amount: more, limit: bound },
        ) if counter == other && limit == bound => *amount = amount.saturating_add(*more),
        (
            Some(CountChange::Raise { counter, to }),
            CountChange::Raise { counter: other, to: further },
        ) if counter == other => {
            *to = (*to).max(*further);
        }
        _ => counts.push(count),
    }
}
