//! Backups: one file with every row, made from a snapshot of any store and read into a new one.
//!
//! The file knows no engine. It is a magic and a format number, blocks (each a zstd frame behind
//! its two lengths), and SHA-256 over everything before it. The first block is the header, the
//! last one counts the rows; between them stand the files that belong to the node and the rows,
//! column by column in key order. What was cut off or altered is refused before anything restored
//! from it can be used. Every length is checked before memory is taken for it. Layout:
//! `schemas/store-format.md`.

mod read;
mod restore;
mod write;

#[cfg(test)]
mod tests;

use super::{ColumnId, StoreError};

pub use read::{TakeRows, read_backup};
pub use restore::{Restoration, STORE_FOLDER};
pub use write::write_backup;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BackupHeader {
    /// Format of the store it was made from.
    pub store_format: u32,
    /// Program that made it, with its version.
    pub program: String,
    /// When; milliseconds since 1970.
    pub created_ms: u64,
    /// Whether the node's private keys are among the files.
    pub holds_private_keys: bool,
    /// Files of the data folder: name relative to it, with `/`, and content.
    #[serde(skip)]
    pub files: Vec<(String, Vec<u8>)>,
}

/// What was written or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// Rows of each column.
    pub rows: Vec<(ColumnId, u64)>,
    /// Size of the backup in bytes.
    pub bytes: u64,
    /// SHA-256 over all of it but its last 32 bytes, which hold the same.
    pub sha256: [u8; 32],
}

/// Why a backup could not be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It does not start like a backup.
    #[error("this is not a Nameplate backup: it does not start with {MAGIC:?}")]
    NotABackup,
    /// A newer program made it.
    #[error(
        "the backup has format {found}, this program knows up to {known}: restore it with the \
         program that made it"
    )]
    Newer {
        /// Format found.
        found: u32,
        /// Newest format known.
        known: u32,
    },
    /// It is cut off or altered.
    #[error("the backup is damaged ({0}): nothing was restored from it, use another copy")]
    Damaged(&'static str),
    /// A row or file is larger than a backup can hold.
    #[error("{what} has {bytes} bytes; a backup holds at most {MAX_BLOCK_BYTES} in one piece")]
    TooLarge {
        /// Column or file.
        what: String,
        /// Its size.
        bytes: usize,
    },
    /// The name of a file leads out of the data folder.
    #[error("file name {0:?} in the backup is not a plain relative path: nothing was restored")]
    FileName(String),
    /// The folder to restore into holds something.
    #[error("{0} is not empty: restore into a new folder")]
    Taken(String),
    /// An earlier restore was interrupted.
    #[error("{0} is left over from an interrupted restore: delete it and try again")]
    LeftOver(String),
    /// Reading or writing failed.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn io_failed(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> BackupError {
    let what = what.into();
    move |error| BackupError::Io(what, error)
}

fn sha256(digest: ring::digest::Context) -> [u8; 32] {
    digest.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// What stands in a block; its first byte.
mod kind {
    pub const HEADER: u8 = 1;
    pub const FILE: u8 = 2;
    pub const ROWS: u8 = 3;
    pub const END: u8 = 4;
}

/// The first bytes of a backup.
const MAGIC: &str = "NPBACKUP";

/// Number of the backup's format, behind the magic.
const BACKUP_FORMAT: u32 = 1;

/// Bytes after which a block of rows is closed.
const BLOCK_BYTES: usize = 1 << 20;

/// Most bytes of a block before compression.
const MAX_BLOCK_BYTES: usize = 4 << 20;

/// Most files in a backup.
const MAX_FILES: usize = 64;
