//! Walking the ledger's journal: in order, by time, log after log.

use std::ops::{ControlFlow, Range};

use super::Resolver;
use crate::ledger::{JOURNAL, JournalRow, Position, logs};
use crate::store::{ColumnId, Direction, StoreError, key_bytes};

/// A span of time; milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Its first moment; none has no bound.
    pub from_ms: Option<u64>,
    /// The first moment behind it; none has no bound.
    pub until_ms: Option<u64>,
}

impl Period {
    /// Whether a moment lies inside.
    pub fn contains(&self, ms: u64) -> bool {
        self.from_ms.is_none_or(|from| ms >= from) && self.until_ms.is_none_or(|until| ms < until)
    }

    /// Whether it has a bound.
    pub fn is_bounded(&self) -> bool {
        self.from_ms.is_some() || self.until_ms.is_some()
    }
}

impl Resolver {
    /// The keys of the entries that can lie in `period`, give or take [`DISORDER_MS`].
    pub(super) fn entries_of(&self, period: Period) -> Result<Range<Vec<u8>>, StoreError> {
        let from = period.from_ms.map(|from| from.saturating_sub(DISORDER_MS));
        let until = period.until_ms.map(|until| until.saturating_add(DISORDER_MS));
        let start = from.map(|from| self.first_entry_at(from)).transpose()?.unwrap_or(FIRST);
        let end = until.map(|until| self.first_entry_at(until)).transpose()?.unwrap_or(LAST);
        Ok(key_bytes(&start)..key_bytes(&end))
    }

    /// Where the newest entry stands; none before the first.
    pub fn newest_entry(&self) -> Result<Option<Position>, StoreError> {
        let mut newest = None;
        let all = key_bytes(&FIRST)..key_bytes(&LAST);
        self.visit_entries(all, Direction::Backward, &mut |position, _| {
            newest = Some(position);
            ControlFlow::Break(())
        })?;
        Ok(newest)
    }

    /// Shows entries to `visit` until it breaks. A row that cannot be read is passed over and
    /// logged: `nameplate check` finds it.
    pub(super) fn visit_entries(
        &self,
        range: Range<Vec<u8>>,
        direction: Direction,
        visit: &mut dyn FnMut(Position, JournalRow) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.store.scan(ColumnId::Journal, range, direction, &mut |key, row| {
            let read = JOURNAL.decode_key(key).and_then(|at| Ok((at, JOURNAL.decode(key, row)?)));
            match read {
                Ok((position, row)) => visit(position, row),
                Err(error) => super::pass_over(&error),
            }
        })
    }

    /// The first entry that is not older than `ms`, as far as times are in order. Halves the
    /// journal: some thirty reads for each log.
    fn first_entry_at(&self, ms: u64) -> Result<Position, StoreError> {
        for log in logs(&*self.store)? {
            let last = Position { log: log.id, index: self.last_index(log.id)? };
            if self.entry_time(last)?.is_none_or(|time| time < ms) {
                continue;
            }
            let (mut older, mut not_older) = (0, last.index);
            while older < not_older {
                let middle = older.midpoint(not_older);
                match self.entry_time(Position { log: log.id, index: middle })? {
                    Some(time) if time >= ms => not_older = middle,
                    _ => older = middle + 1,
                }
            }
            return Ok(Position { log: log.id, index: not_older });
        }
        Ok(LAST)
    }

    fn last_index(&self, log: u32) -> Result<u64, StoreError> {
        let at = |index| key_bytes(&Position { log, index });
        let mut last = 0;
        self.visit_entries(at(0)..at(u64::MAX), Direction::Backward, &mut |position, _| {
            last = position.index;
            ControlFlow::Break(())
        })?;
        Ok(last)
    }

    fn entry_time(&self, position: Position) -> Result<Option<u64>, StoreError> {
        Ok(JOURNAL.get(&*self.store, &position)?.map(|row| row.entry.time_ms))
    }
}

/// How far entries may stand out of the order of their times, in milliseconds: the time of a change
/// is taken when it is planned, its place when it is written, and clocks are set back.
pub const DISORDER_MS: u64 = 10_000;

/// Before every entry.
const FIRST: Position = Position { log: 0, index: 0 };

/// Behind every entry.
const LAST: Position = Position { log: u32::MAX, index: u64::MAX };
