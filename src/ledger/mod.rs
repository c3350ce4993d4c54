//! The ledger: an append-only RFC 6962 Merkle log of every change.
//!
//! An entry is 50 bytes and names nothing: it commits, with salts, to the subject, the metadata
//! and the values of a change. Entry and change are written in one transaction. Full tiles are
//! stored from level 1 up; level 0 is made from the entries. The growing right edge of the tree
//! lives in the [`Appender`] and is rebuilt at start.

use crate::store::Transaction;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What an entry is about (`np-entry/v1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    Put = 1,
    Retire = 2,
    Prefix = 3,
    Delegation = 4,
    Registrant = 5,
    Template = 6,
    Grant = 7,
    Key = 8,
    Epoch = 9,
}

/// One entry: what the tree hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: EntryKind,
    pub time_ms: u64,
    pub version: u64,
    pub commitment: Hash,
}

/// Where in which log an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The node's own number for the log; a generation each.
    pub log: u32,
    /// Index in the log, from 0.
    pub index: u64,
}
