//! The store on RocksDB: the embedded default.
//!
//! Each column is a column family. A commit is one write batch, synced before it returns and
//! visible before its number is published. After a failed commit, or a failed flush or compaction
//! in the background, the store takes no more writes until it is opened again: recovery then
//! decides what survived. Reads go on.

mod options;
mod recent;
mod transaction;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rocksdb::{Cache, ColumnFamily, DB, DBAccess, DBRawIteratorWithThreadMode, ReadOptions};
use rocksdb::{Snapshot, properties};

use super::{ColumnId, Direction, Read, ReadPoint, Store, StoreError, Transaction, Visit, format};
pub use options::RocksSettings;
use recent::{GENERATION_KEYS, Recent};
use transaction::RocksTransaction;

/// A store in a folder.
pub struct RocksStore {
    db: DB,
    folder: PathBuf,
    cache: Cache,
    read_options: ReadOptions,
    /// Held by the one open transaction.
    writer: Mutex<Recent>,
    /// The newest commit that readers are told of.
    published: AtomicU64,
    stopped: OnceLock<String>,
    quiet_epoch: AtomicU64,
}

impl RocksStore {
    /// Opens the store in `folder`, makes it when there is none, and brings an older format up to
    /// date. A folder in use and a newer format are refused before anything is changed.
    pub fn open(folder: &Path, settings: &RocksSettings) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| {
            StoreError::Engine(format!("{} cannot be opened: {error}", folder.display()))
        };
        if !folder.exists() {
            std::fs::create_dir_all(folder).map_err(failed)?;
            format::sync_folder_of(folder).map_err(failed)?;
        }
        // RocksDB's lock against this very process goes by the folder's name.
        let folder = folder.canonicalize().map_err(failed)?;
        format::admit(&folder)?;
        let cache = Cache::new_hyper_clock_cache(options::size(settings.cache_bytes), 0);
        let options = options::store_options(settings, &cache)?;
        let columns = options::columns(settings, &cache);
        let db = DB::open_cf_descriptors(&options, &folder, columns)
            .map_err(|error| opening_failed(error, &folder))?;
        let store = Self {
            db,
            folder,
            cache,
            read_options: ReadOptions::default(),
            writer: Mutex::new(Recent::new(GENERATION_KEYS)),
            published: AtomicU64::new(0),
            stopped: OnceLock::new(),
            quiet_epoch: AtomicU64::new(0),
        };
        format::settle(&store, &store.folder)?;
        Ok(store)
    }

    /// Writes rows without syncing them and without a commit: a crash may leave any part of them.
    /// For filling a store that nobody uses yet; [`RocksStore::finish_load`] makes them durable.
    pub(super) fn load(&self, column: ColumnId, rows: &[(&[u8], &[u8])]) -> Result<(), StoreError> {
        let mut batch = rocksdb::WriteBatch::default();
        for (key, row) in rows {
            batch.put_cf(self.column(column), key, row);
        }
        self.db.write(batch).map_err(engine)
    }

    /// Makes everything loaded durable.
    pub(super) fn finish_load(&self) -> Result<(), StoreError> {
        for id in ColumnId::ALL {
            self.db.flush_cf(self.column(id)).map_err(engine)?;
        }
        Ok(())
    }

    fn column(&self, id: ColumnId) -> &ColumnFamily {
        self.db.cf_handle(id.name()).expect("the store is opened with all columns")
    }

    /// Stops writes for good; the first reason is kept.
    fn stop(&self, reason: String) {
        if self.stopped.set(reason).is_ok() {
            let reason = self.stopped.get().map_or("", String::as_str);
            tracing::error!(reason, "the store has stopped taking writes until the next start");
        }
    }

    /// Stops writes when the engine has failed behind the scenes.
    fn notice_background_errors(&self) {
        if self.stopped.get().is_some() {
            return;
        }
        let errors = self.db.property_int_value(properties::BACKGROUND_ERRORS);
        if let Ok(Some(count @ 1..)) = errors {
            let log = self.folder.join("LOG");
            self.stop(format!("{count} background writes failed, see {}", log.display()));
        }
    }

    /// The sum of a property over all columns.
    fn sum(&self, property: &properties::PropName) -> f64 {
        let of = |id| self.db.property_int_value_cf(self.column(id), property);
        ColumnId::ALL.into_iter().filter_map(|id| of(id).ok().flatten()).sum::<u64>() as f64
    }
}

impl Read for RocksStore {
    fn read(
        &self,
        column: ColumnId,
        key: &[u8],
        found: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, StoreError> {
        let row = self.db.get_pinned_cf_opt(self.column(column), key, &self.read_options);
        Ok(row.map_err(engine)?.map(|row| found(&row)).is_some())
    }

    fn scan(
        &self,
        column: ColumnId,
        range: Range<Vec<u8>>,
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        if range.start >= range.end {
            return Ok(());
        }
        let rows = self.db.raw_iterator_cf_opt(self.column(column), scan_options(range));
        walk(rows, direction, visit)
    }
}

impl Store for RocksStore {
    fn read_point(&self) -> ReadPoint {
        ReadPoint(self.published.load(Ordering::Acquire))
    }

    fn snapshot(&self) -> Box<dyn Read + '_> {
        Box::new(RocksSnapshot { store: self, snapshot: self.db.snapshot() })
    }

    fn begin(&self) -> Box<dyn Transaction + '_> {
        // What a panic in the writer leaves behind is sound: it changes once, behind the commit.
        let recent = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        Box::new(RocksTransaction::new(self, recent))
    }

    fn quiet_epoch(&self) -> u64 {
        self.quiet_epoch.load(Ordering::SeqCst)
    }

    fn stopped(&self) -> Option<String> {
        self.notice_background_errors();
        self.stopped.get().cloned()
    }

    fn figures(&self) -> Vec<(&'static str, f64)> {
        self.notice_background_errors();
        let whole = |property| match self.db.property_int_value(property) {
            Ok(Some(number)) => number as f64,
            _ => 0.0,
        };
        let records = self.column(ColumnId::Records);
        let keys = self.db.property_int_value_cf(records, properties::ESTIMATE_NUM_KEYS);
        vec![
            ("block_cache_bytes", self.cache.get_usage() as f64),
            ("block_cache_pinned_bytes", self.cache.get_pinned_usage() as f64),
            ("memtable_bytes", self.sum(properties::CUR_SIZE_ALL_MEM_TABLES)),
            ("records_estimate", keys.ok().flatten().unwrap_or(0) as f64),
            ("sst_bytes", self.sum(properties::LIVE_SST_FILES_SIZE)),
            ("pending_compaction_bytes", self.sum(properties::ESTIMATE_PENDING_COMPACTION_BYTES)),
            ("delayed_bytes_per_second", whole(properties::ACTUAL_DELAYED_WRITE_RATE)),
            ("stalled", whole(properties::IS_WRITE_STOPPED)),
            ("background_errors", whole(properties::BACKGROUND_ERRORS)),
            ("stopped", f64::from(u8::from(self.stopped.get().is_some()))),
            ("commits", self.published.load(Ordering::Relaxed) as f64),
        ]
    }
}

/// A view that later commits do not change.
struct RocksSnapshot<'a> {
    store: &'a RocksStore,
    snapshot: Snapshot<'a>,
}

impl Read for RocksSnapshot<'_> {
    fn read(
        &self,
        column: ColumnId,
        key: &[u8],
        found: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, StoreError> {
        let row = self.snapshot.get_pinned_cf(self.store.column(column), key);
        Ok(row.map_err(engine)?.map(|row| found(&row)).is_some())
    }

    fn scan(
        &self,
        column: ColumnId,
        range: Range<Vec<u8>>,
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        if range.start >= range.end {
            return Ok(());
        }
        let column = self.store.column(column);
        walk(self.snapshot.raw_iterator_cf_opt(column, scan_options(range)), direction, visit)
    }
}

fn scan_options(range: Range<Vec<u8>>) -> ReadOptions {
    let mut options = ReadOptions::default();
    // A walk from the very first key is a backup, an export or a check: it would only drive out
    // of the cache what lookups want.
    options.fill_cache(!range.start.is_empty());
    options.set_iterate_range(range);
    options
}

fn walk<D: DBAccess>(
    mut rows: DBRawIteratorWithThreadMode<'_, D>,
    direction: Direction,
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    match direction {
        Direction::Forward => rows.seek_to_first(),
        Direction::Backward => rows.seek_to_last(),
    }
    while let Some((key, row)) = rows.item() {
        if visit(key, row).is_break() {
            return Ok(());
        }
        match direction {
            Direction::Forward => rows.next(),
            Direction::Backward => rows.prev(),
        }
    }
    rows.status().map_err(engine)
}

fn engine(error: rocksdb::Error) -> StoreError {
    StoreError::Engine(error.into_string())
}

fn opening_failed(error: rocksdb::Error, folder: &Path) -> StoreError {
    let text = error.into_string();
    // Of another process, and of this one.
    if text.contains("While lock file") || text.contains("lock hold by current process") {
        return StoreError::InUse(folder.display().to_string());
    }
    if text.contains("Column families not opened") {
        return StoreError::Engine(format!(
            "{} has columns that this program does not know ({text}): start the program that made \
             it",
            folder.display()
        ));
    }
    StoreError::Engine(text)
}
