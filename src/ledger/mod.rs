//! The ledger: an append-only RFC 6962 Merkle log of every change.
//!
//! An [`Entry`] is 50 bytes and names nothing: it commits, with salts, to the subject, the
//! metadata and the values of a change. Entry and change are written in one transaction. Full
//! tiles are stored from level 1 up; level 0 is made from the entries. The growing right edge of
//! the tree lives in the [`Appender`] and is rebuilt at start. A checkpoint is a signed note
//! (C2SP `signed-note`, `tlog-checkpoint`) over origin, size and root, and is durable together
//! with everything it covers.
//!
//! A log that lost entries never goes on: the node starts another one, of the next generation.
//! All columns are keyed by log, so that old generations and the logs of others stay readable.

mod appender;
mod checkpoint;
mod commitment;
mod edge;
mod entry;
mod hash;
mod logs;
mod note;
mod report;
mod resume;
mod rows;
mod tile;
mod tree;
mod verify;

pub use appender::{Appender, CHECKPOINT_AFTER_ENTRIES, CHECKPOINT_AFTER_MS, SignedCheckpoint};
pub use checkpoint::Checkpoint;
pub use commitment::{body_commitment, record_commitment, subject_of_node, subject_of_prefix};
pub use entry::{ENTRY_BYTES, Entry, EntryKind};
pub use hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash};
pub use logs::{LogRow, Predecessor, current_log, logs, start_log};
pub use note::{NoteError, VerifierKey, open_note, sign_note};
pub use report::{Finding, LogReport, MAX_FINDINGS};
pub use resume::{LedgerError, log_end};
pub use rows::{
    BODIES, BodyRow, CHECKPOINTS, CheckpointKey, CheckpointRow, JOURNAL, JournalRow, TILES,
    TileKey, TileRow,
};
pub use tile::{TILE_WIDTH, TileKind, tile_path, tile_widths};
pub use tree::{Peaks, tree_hash};
pub use verify::verify_log;

/// Where in which log an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The node's own number for the log; a generation each.
    pub log: u32,
    /// Index in the log, from 0.
    pub index: u64,
}

#[cfg(test)]
mod vectors;
