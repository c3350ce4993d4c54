//! Changes of many requests that become one, together with a note of how far their asker is.
//!
//! An import writes a bundle of records and its own progress in one transaction, so that nothing
//! is ever done twice or forgotten. Requests in a bundle are planned without sight of each other:
//! a change that read what another one in the bundle writes does not fit in, and is planned again
//! when that one is written.

use std::collections::{BTreeMap, HashSet};

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
    /// Rows that were read, by since when they must not have changed. One that stands at two
    /// moments must not have changed since either.
    guards: BTreeMap<ReadPoint, Vec<Guard>>,
    /// Rows that the change before read, and when: its neighbours read most of them too.
    lately: (ReadPoint, Vec<Guard>),
    writes: Writes,
}

/// Guarded rows that changes write, column by column: most guards are of columns without any.
#[derive(Default)]
pub struct Writes(BTreeMap<ColumnId, HashSet<Vec<u8>>>);

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
        written(&change).for_each(|row| self.writes.add(row));
        self.members += 1;
        self.bytes += change.bytes();
        let mut change = change;
        self.guard(change.read_at, std::mem::take(&mut change.guards));
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

    /// Adds rows that were read. Each is looked for only among those of the change before: one that
    /// is there twice costs time and nothing else.
    fn guard(&mut self, since: ReadPoint, guards: Vec<Guard>) {
        let (then, lately) = std::mem::replace(&mut self.lately, (since, guards));
        let known = |guard: &&Guard| then == since && lately.contains(guard);
        let fresh = self.lately.1.iter().filter(|guard| !known(guard)).cloned();
        self.guards.entry(since).or_default().extend(fresh);
    }

    /// The one change, with a row of the jobs column in it; none when the bundle is empty.
    pub fn seal(self, key: Vec<u8>, row: Vec<u8>) -> Option<(Change, Writes)> {
        let mut whole = self.whole?;
        // What was planned again later must not be held against an earlier moment.
        whole.more_guards = self.guards.into_iter().collect();
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
        change.guards.iter().any(|guard| self.contains(guard))
    }

    /// Whether this record is one of the rows.
    pub fn touch_record(&self, key: &CanonicalKey) -> bool {
        self.contains(&RECORDS.guard(key))
    }

    /// Adds those of others.
    pub fn extend(&mut self, others: Writes) {
        for (column, keys) in others.0 {
            self.0.entry(column).or_default().extend(keys);
        }
    }

    fn add(&mut self, row: Guard) {
        self.0.entry(row.column).or_default().insert(row.key);
    }

    fn contains(&self, row: &Guard) -> bool {
        self.0.get(&row.column).is_some_and(|keys| keys.contains(&row.key))
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
    let rows = change.rows.iter().filter(|row| row.column.can_be_guarded());
    effects.chain(rows.map(|row| Guard { column: row.column, key: row.key.clone() }))
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
