//! A store in memory, for unit tests of the rooms above: the same contract, nothing durable.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use super::remembered::is_quiet;
use super::{ColumnId, Direction, Guard, Read, ReadPoint, Store, StoreError, Transaction, Visit};

/// Rows in a map; forgotten when dropped.
#[derive(Default)]
pub(crate) struct MemoryStore {
    state: RwLock<Arc<State>>,
    writer: Mutex<()>,
    quiet_epoch: AtomicU64,
}

impl MemoryStore {
    /// What a crash at this moment would leave.
    pub(crate) fn crashed(&self) -> Self {
        Self {
            state: RwLock::new(self.state.read().unwrap().clone()),
            writer: Mutex::default(),
            ..Self::default()
        }
    }

    fn view(&self) -> Snapshot {
        Snapshot(self.state.read().unwrap().clone())
    }
}

impl Read for MemoryStore {
    fn read(
        &self,
        column: ColumnId,
        key: &[u8],
        found: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, StoreError> {
        self.view().read(column, key, found)
    }

    fn scan(
        &self,
        column: ColumnId,
        range: Range<Vec<u8>>,
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        self.view().scan(column, range, direction, visit)
    }
}

impl Store for MemoryStore {
    fn read_point(&self) -> ReadPoint {
        ReadPoint(self.view().0.point)
    }

    fn snapshot(&self) -> Box<dyn Read + '_> {
        Box::new(self.view())
    }

    fn begin(&self) -> Box<dyn Transaction + '_> {
        let turn = self.writer.lock().unwrap();
        Box::new(Changes { store: self, rows: BTreeMap::new(), bytes: 0, _turn: turn })
    }

    fn quiet_epoch(&self) -> u64 {
        self.quiet_epoch.load(Ordering::SeqCst)
    }

    fn stopped(&self) -> Option<String> {
        None
    }

    fn figures(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}

#[derive(Clone, Default)]
struct State {
    rows: BTreeMap<(ColumnId, Vec<u8>), Cell>,
    point: u64,
}

/// A row, or the memory of one that was removed, and the commit that left it so.
#[derive(Clone)]
struct Cell {
    row: Option<Vec<u8>>,
    changed: u64,
}

struct Snapshot(Arc<State>);

impl Read for Snapshot {
    fn read(
        &self,
        column: ColumnId,
        key: &[u8],
        found: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, StoreError> {
        let row = self.0.rows.get(&(column, key.to_vec())).and_then(|cell| cell.row.as_deref());
        if let Some(row) = row {
            found(row);
        }
        Ok(row.is_some())
    }

    fn scan(
        &self,
        column: ColumnId,
        range: Range<Vec<u8>>,
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        let mut rows = self
            .0
            .rows
            .range((column, range.start)..(column, range.end))
            .filter_map(|((_, key), cell)| Some((key, cell.row.as_ref()?)));
        loop {
            let next = match direction {
                Direction::Forward => rows.next(),
                Direction::Backward => rows.next_back(),
            };
            match next {
                Some((key, row)) if visit(key, row).is_continue() => {}
                _ => return Ok(()),
            }
        }
    }
}

struct Changes<'a> {
    store: &'a MemoryStore,
    rows: BTreeMap<(ColumnId, Vec<u8>), Option<Vec<u8>>>,
    bytes: usize,
    _turn: MutexGuard<'a, ()>,
}

impl Transaction for Changes<'_> {
    fn admit(&mut self, read_at: ReadPoint, guards: &[Guard]) -> bool {
        let view = self.store.view();
        guards.iter().all(|guard| {
            let place = (guard.column, guard.key.clone());
            let committed = view.0.rows.get(&place).map_or(0, |cell| cell.changed);
            committed <= read_at.0 && !self.rows.contains_key(&place)
        })
    }

    fn put(&mut self, column: ColumnId, key: &[u8], row: &[u8]) {
        self.bytes += key.len() + row.len();
        self.rows.insert((column, key.to_vec()), Some(row.to_vec()));
    }

    fn delete(&mut self, column: ColumnId, key: &[u8]) {
        self.rows.insert((column, key.to_vec()), None);
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn commit(self: Box<Self>) -> Result<ReadPoint, StoreError> {
        let quiet = self.rows.keys().any(|(column, _)| is_quiet(*column));
        self.store.quiet_epoch.fetch_add(u64::from(quiet), Ordering::SeqCst);
        let mut shared = self.store.state.write().unwrap();
        let state = Arc::make_mut(&mut shared);
        state.point += 1;
        let changed = state.point;
        state.rows.extend(self.rows.into_iter().map(|(place, row)| (place, Cell { row, changed })));
        self.store.quiet_epoch.fetch_add(u64::from(quiet), Ordering::SeqCst);
        Ok(ReadPoint(changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(read: &dyn Read, direction: Direction) -> Vec<u8> {
        let mut keys = Vec::new();
        let range = vec![1]..vec![9];
        read.scan(ColumnId::Names, range, direction, &mut |key, _| {
            keys.extend_from_slice(key);
            ControlFlow::Continue(())
        })
        .unwrap();
        keys
    }

    #[test]
    fn commits_show_and_snapshots_stay() {
        let store = MemoryStore::default();
        let before = store.snapshot();
        let mut changes = store.begin();
        for key in [0, 3, 1, 9] {
            changes.put(ColumnId::Names, &[key], b"row");
        }
        changes.put(ColumnId::Records, &[2], b"elsewhere");
        changes.commit().unwrap();
        assert!(keys(&*before, Direction::Forward).is_empty());
        assert_eq!(keys(&store, Direction::Forward), [1, 3]);
        assert_eq!(keys(&store, Direction::Backward), [3, 1]);
        let mut changes = store.begin();
        changes.delete(ColumnId::Names, &[3]);
        changes.commit().unwrap();
        assert_eq!(keys(&store, Direction::Forward), [1]);
    }

    #[test]
    fn guards_see_commits_removals_and_the_transaction_itself() {
        let store = MemoryStore::default();
        let guard = |key| [Guard { column: ColumnId::Names, key: vec![key] }];
        let start = store.read_point();
        let mut changes = store.begin();
        assert!(changes.admit(start, &guard(1)));
        changes.put(ColumnId::Names, &[1], b"row");
        assert!(!changes.admit(start, &guard(1)));
        assert!(changes.admit(start, &guard(2)));
        let put = changes.commit().unwrap();
        let mut changes = store.begin();
        assert!(!changes.admit(start, &guard(1)));
        assert!(changes.admit(put, &guard(1)));
        changes.delete(ColumnId::Names, &[1]);
        changes.commit().unwrap();
        assert!(!store.begin().admit(put, &guard(1)));
    }
}
