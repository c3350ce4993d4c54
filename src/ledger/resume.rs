//! Taking up a log: what an appender must remember, read back from the store.

use std::ops::{ControlFlow, Range};

use super::Position;
use super::appender::SignedCheckpoint;
use super::checkpoint::Checkpoint;
use super::edge::{Edge, untiled};
use super::hash::leaf_hash;
use super::logs::{LogRow, Predecessor};
use super::note::{NoteError, VerifierKey, open_note};
use super::rows::{CHECKPOINTS, CheckpointKey, JOURNAL, TILES, TileKey};
use crate::store::{Direction, Read, StoreError, key_bytes};

/// Where a log ends, for the log that is to follow it; refuses what [`super::Appender`] refuses,
/// but needs no private key.
pub fn log_end(read: &dyn Read, log: &LogRow) -> Result<Predecessor, LedgerError> {
    let refused = |reason| LedgerError::Checkpoint { log: log.id, reason };
    let (edge, _) = resume(read, log.id, &log.verifier().map_err(refused)?)?;
    Ok(Predecessor { log: log.id, size: edge.size(), root: edge.root() })
}

/// The edge of a log and its newest checkpoint, which it must fit.
pub(super) fn resume(
    read: &dyn Read,
    log: u32,
    verifier: &VerifierKey,
) -> Result<(Edge, Option<SignedCheckpoint>), LedgerError> {
    let size = stored_size(read, log)?;
    let last = stored_checkpoint(read, log, verifier)?;
    let covered = last.as_ref().map(|last| &last.checkpoint);
    if let Some(covered) = covered.filter(|covered| covered.size > size) {
        return Err(LedgerError::Shorter { log, size, covered: covered.size });
    }
    let edge = rebuild(read, log, size, covered)?;
    Ok((edge, last))
}

/// The number of entries of a log: one more than the last index.
fn stored_size(read: &dyn Read, log: u32) -> Result<u64, StoreError> {
    let mut size = 0;
    JOURNAL.scan(read, journal_range(log, 0), Direction::Backward, |position, _| {
        size = position.index.saturating_add(1);
        ControlFlow::Break(())
    })?;
    Ok(size)
}

/// The newest checkpoint of a log, with its signature checked.
fn stored_checkpoint(
    read: &dyn Read,
    log: u32,
    verifier: &VerifierKey,
) -> Result<Option<SignedCheckpoint>, LedgerError> {
    let mut newest = None;
    CHECKPOINTS.scan(read, checkpoint_range(log), Direction::Backward, |_, row| {
        newest = Some(row.note);
        ControlFlow::Break(())
    })?;
    let Some(note) = newest else { return Ok(None) };
    open_note(&note, std::slice::from_ref(verifier))
        .and_then(Checkpoint::parse)
        .map_err(|reason| LedgerError::Checkpoint { log, reason })
        .map(|checkpoint| Some(SignedCheckpoint { checkpoint, note }))
}

/// The edge of a log of `size` entries, compared with the checkpoint on the way.
fn rebuild(
    read: &dyn Read,
    log: u32,
    size: u64,
    covered: Option<&Checkpoint>,
) -> Result<Edge, LedgerError> {
    let mut edge = Edge::from_tiles(size, |level, number| {
        let tile = TILES.get(read, &TileKey { log, level, number })?;
        tile.map(|tile| tile.hashes).ok_or(LedgerError::NoTile { log, level, number })
    })?;
    let fits = |edge: &Edge| {
        covered.is_none_or(|covered| covered.size != edge.size() || covered.root == edge.root())
    };
    let mut fault = None;
    if !fits(&edge) {
        fault = Some(LedgerError::Differs { log, size: edge.size() });
    }
    let range = journal_range(log, untiled(size));
    JOURNAL.scan(read, range, Direction::Forward, |position, row| {
        if fault.is_none() && position.index != edge.size() {
            fault = Some(LedgerError::NoEntry { log, index: edge.size() });
        }
        if fault.is_some() {
            return ControlFlow::Break(());
        }
        edge.push(leaf_hash(&row.entry.to_bytes()), |_, _, _| {});
        if !fits(&edge) {
            fault = Some(LedgerError::Differs { log, size: edge.size() });
        }
        ControlFlow::Continue(())
    })?;
    fault.map_or(Ok(edge), Err)
}

/// Keys of a log's entries from an index on.
pub(super) fn journal_range(log: u32, index: u64) -> Range<Vec<u8>> {
    key_bytes(&Position { log, index })..key_bytes(&Position { log, index: u64::MAX })
}

/// Keys of a log's checkpoints.
pub(super) fn checkpoint_range(log: u32) -> Range<Vec<u8>> {
    key_bytes(&CheckpointKey { log, size: 0 })..key_bytes(&CheckpointKey { log, size: u64::MAX })
}

/// Why a log cannot be appended to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node's log key is not the one that the log was started with.
    #[error(
        "log {0} was started with another log key: put that key back, or restore a backup, which \
         starts the next generation of the log"
    )]
    OtherKey(u32),
    /// An entry is missing before others.
    #[error("log {log} has no entry {index}, but later ones: run `nameplate check`, then restore")]
    NoEntry {
        /// The log's number.
        log: u32,
        /// The missing index.
        index: u64,
    },
    /// A full tile is missing.
    #[error("log {log} has no tile {level}/{number}: run `nameplate check`, then restore")]
    NoTile {
        /// The log's number.
        log: u32,
        /// The tile's level.
        level: u8,
        /// The tile's number.
        number: u64,
    },
    /// The log's newest checkpoint, or its name, is not as it was written.
    #[error("log {log} is refused: {reason}; run `nameplate check`, then restore a backup")]
    Checkpoint {
        /// The log's number.
        log: u32,
        /// What is wrong with note or name.
        reason: NoteError,
    },
    /// Entries that a checkpoint covers are gone.
    #[error(
        "log {log} has {size} entries, but a checkpoint for {covered}: entries were lost; restore \
         a backup, which starts the next generation of the log"
    )]
    Shorter {
        /// The log's number.
        log: u32,
        /// Entries found.
        size: u64,
        /// Entries that the checkpoint covers.
        covered: u64,
    },
    /// The entries do not lead to the signed root.
    #[error(
        "the first {size} entries of log {log} do not lead to the root that the node signed: run \
         `nameplate check`, then restore"
    )]
    Differs {
        /// The log's number.
        log: u32,
        /// Entries that the checkpoint covers.
        size: u64,
    },
}
