//! A store that lets a test look in right before and right after each commit, on the writer's
//! thread: what happens there by chance otherwise, happens every time.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use crate::store::memory::MemoryStore;
use crate::store::{
    ColumnId, Direction, Guard, Read, ReadPoint, Store, StoreError, Transaction, Visit,
};

/// Which side of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

type Look = dyn FnMut(Side) + Send;

/// A store in memory with a place to look in.
#[derive(Default)]
pub(super) struct Between {
    store: MemoryStore,
    look: Mutex<Option<Box<Look>>>,
}

impl Between {
    /// What is to be done around each commit from now on.
    pub(super) fn look(self: &Arc<Self>, look: impl FnMut(Side) + Send + 'static) {
        *self.look.lock().unwrap() = Some(Box::new(look));
    }

    fn call(&self, side: Side) {
        if let Some(look) = &mut *self.look.lock().unwrap() {
            look(side);
        }
    }
}

impl Read for Between {
    fn read(
        &self,
        column: ColumnId,
        key: &[u8],
        found: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, StoreError> {
        self.store.read(column, key, found)
    }

    fn scan(
        &self,
        column: ColumnId,
        range: Range<Vec<u8>>,
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        self.store.scan(column, range, direction, visit)
    }
}

impl Store for Between {
    fn read_point(&self) -> ReadPoint {
        self.store.read_point()
    }

    fn snapshot(&self) -> Box<dyn Read + '_> {
        self.store.snapshot()
    }

    fn begin(&self) -> Box<dyn Transaction + '_> {
        Box::new(Watched { store: self, inner: self.store.begin() })
    }

    fn quiet_epoch(&self) -> u64 {
        self.store.quiet_epoch()
    }

    fn stopped(&self) -> Option<String> {
        None
    }

    fn figures(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}

struct Watched<'a> {
    store: &'a Between,
    inner: Box<dyn Transaction + 'a>,
}

impl Transaction for Watched<'_> {
    fn admit(&mut self, read_at: ReadPoint, guards: &[Guard]) -> bool {
        self.inner.admit(read_at, guards)
    }

    fn put(&mut self, column: ColumnId, key: &[u8], row: &[u8]) {
        self.inner.put(column, key, row);
    }

    fn delete(&mut self, column: ColumnId, key: &[u8]) {
        self.inner.delete(column, key);
    }

    fn bytes(&self) -> usize {
        self.inner.bytes()
    }

    fn commit(self: Box<Self>) -> Result<ReadPoint, StoreError> {
        self.store.call(Side::Before);
        let outcome = self.inner.commit();
        self.store.call(Side::After);
        outcome
    }
}
