//! The one open transaction.

use std::collections::HashSet;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::{WriteBatch, WriteOptions};

use super::{ColumnId, ReadPoint, Recent, RocksStore, StoreError, Transaction};
use crate::store::remembered::is_quiet;
use crate::store::{Guard, Store};

/// Changes gathered in one write batch; holds the writer's lock.
pub(super) struct RocksTransaction<'a> {
    store: &'a RocksStore,
    recent: MutexGuard<'a, Recent>,
    batch: WriteBatch,
    /// Digests of the keys changed so far that can be guarded.
    touched: HashSet<u64>,
    /// Whether rows of quiet columns change.
    quiet: bool,
}

impl<'a> RocksTransaction<'a> {
    pub(super) fn new(store: &'a RocksStore, recent: MutexGuard<'a, Recent>) -> Self {
        Self { store, recent, batch: WriteBatch::default(), touched: HashSet::new(), quiet: false }
    }

    fn touch(&mut self, column: ColumnId, key: &[u8]) {
        self.quiet |= is_quiet(column);
        if column.can_be_guarded() {
            self.touched.insert(self.recent.digest(column, key));
        }
    }
}

impl Transaction for RocksTransaction<'_> {
    fn admit(&mut self, read_at: ReadPoint, guards: &[Guard]) -> bool {
        if !self.recent.reaches(read_at) {
            metrics::counter!("nameplate_store_old_read_points_total").increment(1);
            return false;
        }
        guards.iter().all(|guard| {
            let digest = self.recent.digest(guard.column, &guard.key);
            guard.column.can_be_guarded()
                && !self.touched.contains(&digest)
                && !self.recent.changed_since(digest, read_at)
        })
    }

    fn put(&mut self, column: ColumnId, key: &[u8], row: &[u8]) {
        self.batch.put_cf(self.store.column(column), key, row);
        self.touch(column, key);
    }

    fn delete(&mut self, column: ColumnId, key: &[u8]) {
        self.batch.delete_cf(self.store.column(column), key);
        self.touch(column, key);
    }

    fn bytes(&self) -> usize {
        self.batch.size_in_bytes()
    }

    fn commit(mut self: Box<Self>) -> Result<ReadPoint, StoreError> {
        let store = self.store;
        store.notice_background_errors();
        if let Some(reason) = store.stopped.get() {
            return Err(StoreError::Stopped(reason.clone()));
        }
        let published = store.read_point();
        if self.batch.is_empty() {
            return Ok(published);
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        let change = self.quiet.then(|| QuietChange::begin(&store.quiet_epoch));
        let written = store.db.write_opt(std::mem::take(&mut self.batch), &options);
        if let Err(error) = written {
            metrics::counter!("nameplate_store_commit_failures_total").increment(1);
            store.stop(error.to_string());
            return Err(StoreError::Engine(error.into_string()));
        }
        let number = ReadPoint(published.0 + 1);
        self.recent.remember(&self.touched, number);
        store.published.store(number.0, Ordering::Release);
        drop(change);
        Ok(number)
    }
}

/// A change of quiet columns; the epoch is odd while it lasts.
struct QuietChange<'a>(&'a AtomicU64);

impl<'a> QuietChange<'a> {
    fn begin(epoch: &'a AtomicU64) -> Self {
        epoch.fetch_add(1, Ordering::SeqCst);
        Self(epoch)
    }
}

impl Drop for QuietChange<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
