//! The store: ordered columns of rows, durable atomic commits, snapshots.
//!
//! This is the only room that names an engine. The interface is small on purpose, so that engines
//! with other notions (SQL) fit behind it: read one row, visit an ordered range, take a snapshot,
//! and commit one transaction that admits changes only while nothing they read has changed.
//!
//! There is one writer at a time; readers never wait for it. A commit that returns is on stable
//! storage. After a commit fails the store refuses every further one until it is opened again,
//! because nobody can know what an engine kept (`StoreError::Stopped`).

mod backup;
mod column;
mod documents;
mod format;
mod index;
#[cfg(test)]
pub(crate) mod memory;
mod remembered;
mod rocks;
#[cfg(test)]
pub(crate) mod staged;
mod statistics;
mod tables;

use std::ops::{ControlFlow, Range};

use crate::codec::Corrupt;

pub use backup::{
    BackupError, BackupHeader, BackupSummary, Restoration, STORE_FOLDER, TakeRows, read_backup,
    write_backup,
};
pub use column::{Column, Key, Row, key_bytes};
pub use documents::{
    Document, DocumentKey, DocumentKind, StoredDocument, document_guard, document_row,
    find_document, scan_documents,
};
pub use format::{FORMAT, FORMAT_FILE, FORMAT_KEY, Format, STORE_FORMAT, all_keys};
pub use index::{
    INDEXES, IndexKey, Present, REFERENCES, ReferenceKey, ReferringAttributes, UNIQUE, UniqueKey,
};
pub use remembered::Remembered;
pub use rocks::{RocksSettings, RocksStore};
pub use statistics::{LOOKUP_CELLS, STATISTICS, StatisticsKey, StatisticsRow};
pub use tables::{
    COUNTERS, Count, NAMES, NameKey, PREFIXES, RECORDS, StoredPrefix, StoredRecord, VERSIONS,
    VersionKey, identifier_counter, write_position,
};

/// The columns, in the order in which dumps and backups list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnId {
    /// Name -> what the node knows about itself (store format, logs).
    Meta,
    /// Canonical key -> latest record.
    Records,
    /// Canonical key and version -> record as it was.
    Versions,
    /// Prefix and short digest -> canonical key, for names too long for DNS labels.
    Names,
    /// Prefix -> what the node is to it.
    Prefixes,
    /// Digest of a token -> what it allows.
    Tokens,
    /// Day, account and idempotency key -> outcome.
    Idempotency,
    /// Kind and name -> registrant, account, group, grant, transfer, template.
    Documents,
    /// Name -> number that only grows: identifiers of a prefix, numbers minted, last use.
    Counters,
    /// Prefix, template, attribute and value -> suffixes that have it.
    Indexes,
    /// Prefix, template, attribute and value -> the identifier that has it.
    Unique,
    /// Identifier referred to, and identifier that refers -> by which attributes.
    References,
    /// Prefix and day -> what was registered and looked up.
    Statistics,
    /// Job, and job and row -> where an import or export stands.
    Jobs,
    /// Log and index -> entry and its subject.
    Journal,
    /// Log and index -> metadata and body of entries that are not about records.
    Bodies,
    /// Log, level and number -> full tile.
    Tiles,
    /// Log and size -> signed checkpoint.
    Checkpoints,
}

impl ColumnId {
    /// All columns, in order.
    pub const ALL: [ColumnId; 18] = [
        ColumnId::Meta,
        ColumnId::Records,
        ColumnId::Versions,
        ColumnId::Names,
        ColumnId::Prefixes,
        ColumnId::Tokens,
        ColumnId::Idempotency,
        ColumnId::Documents,
        ColumnId::Counters,
        ColumnId::Indexes,
        ColumnId::Unique,
        ColumnId::References,
        ColumnId::Statistics,
        ColumnId::Jobs,
        ColumnId::Journal,
        ColumnId::Bodies,
        ColumnId::Tiles,
        ColumnId::Checkpoints,
    ];

    /// The column's name, on disk and in messages.
    pub fn name(self) -> &'static str {
        match self {
            ColumnId::Meta => "meta",
            ColumnId::Records => "records",
            ColumnId::Versions => "versions",
            ColumnId::Names => "names",
            ColumnId::Prefixes => "prefixes",
            ColumnId::Tokens => "tokens",
            ColumnId::Idempotency => "idempotency",
            ColumnId::Documents => "documents",
            ColumnId::Counters => "counters",
            ColumnId::Indexes => "indexes",
            ColumnId::Unique => "unique",
            ColumnId::References => "references",
            ColumnId::Statistics => "statistics",
            ColumnId::Jobs => "jobs",
            ColumnId::Journal => "journal",
            ColumnId::Bodies => "bodies",
            ColumnId::Tiles => "tiles",
            ColumnId::Checkpoints => "checkpoints",
        }
    }

    /// Whether changes of the column's rows are remembered, so that they can be guarded; rows of
    /// the others are written once, or by the writer alone.
    pub fn can_be_guarded(self) -> bool {
        match self {
            ColumnId::Meta
            | ColumnId::Records
            | ColumnId::Names
            | ColumnId::Prefixes
            | ColumnId::Tokens
            | ColumnId::Idempotency
            | ColumnId::Documents
            | ColumnId::Unique
            | ColumnId::Jobs => true,
            ColumnId::Versions
            | ColumnId::Counters
            | ColumnId::Indexes
            | ColumnId::References
            | ColumnId::Statistics
            | ColumnId::Journal
            | ColumnId::Bodies
            | ColumnId::Tiles
            | ColumnId::Checkpoints => false,
        }
    }
}

/// What a scan shows a key and its row to; the scan ends when it breaks.
pub type Visit<'a> = &'a mut (dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a);

/// Reading rows; the store itself and its snapshots do it alike.
pub trait Read: Send + Sync {
    /// Shows the row under `key` to `found`; false when there is none.
    fn read(
        &self,
        column: ColumnId,
        key: &[u8],
        found: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, StoreError>;

    /// Shows rows with keys in `range` to `visit` until it breaks, in the given direction.
    fn scan(
        &self,
        column: ColumnId,
        range: Range<Vec<u8>>,
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError>;
}

/// A whole store.
pub trait Store: Read {
    /// The moment as of now: everything committed up to it is seen by reads that follow.
    fn read_point(&self) -> ReadPoint;

    /// A number that moves on before and after each commit that changes tokens, documents or
    /// prefixes; odd in between. See [`Remembered`].
    fn quiet_epoch(&self) -> u64;

    /// A view that later commits do not change.
    fn snapshot(&self) -> Box<dyn Read + '_>;

    /// Starts the one transaction that may be open; waits while another is.
    fn begin(&self) -> Box<dyn Transaction + '_>;

    /// Why writes have stopped; none while they work.
    fn stopped(&self) -> Option<String>;

    /// Figures for metrics: name (without prefix) and value.
    fn figures(&self) -> Vec<(&'static str, f64)>;
}

/// Changes that become durable together.
#[must_use = "a transaction that is not committed changes nothing"]
pub trait Transaction {
    /// Whether all guarded rows are as they were at `read_at`, counting what this transaction has
    /// put so far. May say no without cause (an old `read_at`); the caller reads again and retries.
    /// Rows that are written once or by the writer alone (versions, journal, counters …) are never
    /// guarded: guarding one is always refused.
    fn admit(&mut self, read_at: ReadPoint, guards: &[Guard]) -> bool;

    /// Sets a row.
    fn put(&mut self, column: ColumnId, key: &[u8], row: &[u8]);

    /// Removes a row; nothing happens when there is none.
    fn delete(&mut self, column: ColumnId, key: &[u8]);

    /// Bytes put so far.
    fn bytes(&self) -> usize;

    /// Makes all of it durable, with one sync.
    fn commit(self: Box<Self>) -> Result<ReadPoint, StoreError>;
}

/// A row that must not have changed since it was read; rows that do not exist can be guarded too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Guard {
    /// Column of the row.
    pub column: ColumnId,
    /// Key of the row.
    pub key: Vec<u8>,
}

/// A moment in the store's life: commits are numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadPoint(pub u64);

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// Why the store could not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A row cannot be decoded.
    #[error("column {column}, key {key}: {reason}; run `nameplate check`")]
    Corrupt {
        /// The column's name.
        column: &'static str,
        /// The key, in hex.
        key: String,
        /// What is wrong with the row.
        reason: Corrupt,
    },
    /// The engine failed.
    #[error("the store failed: {0}")]
    Engine(String),
    /// The store was written by a newer program.
    #[error(
        "the store has format {found}, this program knows up to {known}: start the newer program, \
         or restore a backup made by this one"
    )]
    Newer {
        /// Format found.
        found: u32,
        /// Newest format known.
        known: u32,
    },
    /// Another node has the folder.
    #[error("{0} is in use by another node: stop it first, or choose another --data")]
    InUse(String),
    /// A commit failed earlier; writes are over until the next start.
    #[error("writes are stopped: {0}; lookups go on; free space or repair the disk, then restart")]
    Stopped(String),
}
