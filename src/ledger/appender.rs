//! Appending: the one place that gives entries their index.

use std::sync::Arc;

use super::Position;
use super::checkpoint::Checkpoint;
use super::edge::Edge;
use super::entry::Entry;
use super::hash::{Hash, leaf_hash};
use super::logs::LogRow;
use super::note::{VerifierKey, sign_note};
use super::resume::{LedgerError, resume};
use super::rows::{
    BODIES, BodyRow, CHECKPOINTS, CheckpointKey, CheckpointRow, JOURNAL, JournalRow, TILES,
    TileKey, TileRow,
};
use crate::signing::NodeKeys;
use crate::store::{Read, Transaction};

/// Appends to one log, for the one writer.
///
/// It knows the log as it is once the transactions it was given are committed, in order. When one
/// of them is not, the appender is of no use any more: open another.
pub struct Appender {
    log: LogRow,
    keys: Arc<NodeKeys>,
    verifier: VerifierKey,
    edge: Edge,
    last: Option<SignedCheckpoint>,
    checkpoint_ms: u64,
}

impl Appender {
    /// Takes up a log where its last transaction left it.
    ///
    /// Reads at most 65,535 entries and 255 tiles per level. Refuses a log that does not fit its
    /// newest checkpoint, or that another key signs for: to go on would make this node sign two
    /// histories.
    pub fn open(read: &dyn Read, log: LogRow, keys: Arc<NodeKeys>) -> Result<Self, LedgerError> {
        if log.public != keys.log.public() {
            return Err(LedgerError::OtherKey(log.id));
        }
        let refused = |reason| LedgerError::Checkpoint { log: log.id, reason };
        let verifier = log.verifier().map_err(refused)?;
        let (edge, last) = resume(read, log.id, &verifier)?;
        Ok(Self { log, keys, verifier, edge, last, checkpoint_ms: 0 })
    }

    /// Gives a record's entry the next index and puts its row, and any tiles it completes.
    pub fn append(
        &mut self,
        transaction: &mut dyn Transaction,
        entry: &Entry,
        subject: &[u8],
    ) -> Position {
        let log = self.log.id;
        let position = Position { log, index: self.edge.size() };
        JOURNAL.put(transaction, &position, &JournalRow { entry: *entry, subject: subject.into() });
        self.edge.push(leaf_hash(&entry.to_bytes()), |level, number, hashes| {
            let tile = TileRow { hashes: hashes.to_vec() };
            TILES.put(transaction, &TileKey { log, level, number }, &tile);
        });
        position
    }

    /// As [`Appender::append`], for kinds with a body.
    pub fn append_with_body(
        &mut self,
        transaction: &mut dyn Transaction,
        entry: &Entry,
        subject: &[u8],
        meta: String,
        body: String,
    ) -> Position {
        debug_assert!(entry.kind.has_body());
        let position = self.append(transaction, entry, subject);
        BODIES.put(transaction, &position, &BodyRow { meta, body });
        position
    }

    /// The log.
    pub fn log(&self) -> &LogRow {
        &self.log
    }

    /// How many entries the log has.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The log's root.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// The newest checkpoint; serve it only after its transaction is committed.
    pub fn last_checkpoint(&self) -> Option<&SignedCheckpoint> {
        self.last.as_ref()
    }

    /// Whether entries wait for a checkpoint and there are many of them or the last checkpoint is
    /// some time ago ([`CHECKPOINT_AFTER_ENTRIES`], [`CHECKPOINT_AFTER_MS`]).
    pub fn checkpoint_due(&self, now_ms: u64) -> bool {
        let covered = self.last.as_ref().map_or(0, |last| last.checkpoint.size);
        let waiting = self.size().saturating_sub(covered);
        // A clock that was set back must not hold checkpoints up: the distance counts.
        let late = now_ms.abs_diff(self.checkpoint_ms) >= CHECKPOINT_AFTER_MS;
        waiting > 0 && (late || waiting >= CHECKPOINT_AFTER_ENTRIES)
    }

    /// Signs everything appended so far, and puts the note in place of the one before it; durable
    /// with the transaction.
    ///
    /// Only the newest note is kept: it proves all that older ones did.
    pub fn write_checkpoint(&mut self, transaction: &mut dyn Transaction, now_ms: u64) {
        let (log, size) = (self.log.id, self.size());
        let checkpoint = Checkpoint { origin: self.log.origin.clone(), size, root: self.root() };
        let note = sign_note(&checkpoint.to_text(), &self.verifier, &self.keys.log);
        if let Some(before) = &self.last {
            CHECKPOINTS.delete(transaction, &CheckpointKey { log, size: before.checkpoint.size });
        }
        let row = CheckpointRow { note: note.clone() };
        CHECKPOINTS.put(transaction, &CheckpointKey { log, size }, &row);
        self.last = Some(SignedCheckpoint { checkpoint, note });
        self.checkpoint_ms = now_ms;
    }
}

/// A checkpoint and the note that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
}

/// Milliseconds after which waiting entries get a checkpoint.
pub const CHECKPOINT_AFTER_MS: u64 = 1_000;

/// Waiting entries that get a checkpoint at once.
pub const CHECKPOINT_AFTER_ENTRIES: u64 = 10_000;

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::super::entry::EntryKind;
    use super::super::logs::{Predecessor, start_log};
    use super::super::note::{NoteError, open_note};
    use super::super::resume::log_end;
    use super::super::tile::tile_widths;
    use super::super::tree::defined_root;
    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::{Direction, Store};
    use proptest::prelude::*;

    fn keys(seed: u8) -> Arc<NodeKeys> {
        Arc::new(NodeKeys::from_seeds(&[seed; 32], [2; 32]))
    }

    fn new_log() -> (MemoryStore, LogRow) {
        let store = MemoryStore::default();
        let mut changes = store.begin();
        // A neighbour whose rows must not be taken for this log's.
        let log = LogRow { id: 7, ..LogRow::first("a", &keys(1), 5) };
        let other = LogRow { id: 8, ..LogRow::first("b", &keys(1), 5) };
        start_log(&mut *changes, &log);
        start_log(&mut *changes, &other);
        let mut neighbour = Appender::open(&store, other, keys(1)).unwrap();
        neighbour.append(&mut *changes, &entry(9), b"other");
        neighbour.write_checkpoint(&mut *changes, 1);
        changes.commit().unwrap();
        (store, log)
    }

    fn entry(index: u64) -> Entry {
        Entry { kind: EntryKind::Put, time_ms: index, version: 1, commitment: [7; 32] }
    }

    fn append(store: &MemoryStore, appender: &mut Appender, count: u64) {
        let mut changes = store.begin();
        for _ in 0..count {
            let index = appender.size();
            let position = appender.append(&mut *changes, &entry(index), b"subject");
            assert_eq!(position, Position { log: 7, index });
        }
        changes.commit().unwrap();
    }

    fn checkpoint(store: &MemoryStore, appender: &mut Appender) {
        let mut changes = store.begin();
        appender.write_checkpoint(&mut *changes, 1);
        changes.commit().unwrap();
    }

    fn open(store: &MemoryStore, log: &LogRow) -> Appender {
        Appender::open(store, log.clone(), keys(1)).unwrap()
    }

    /// Levels and numbers of the stored tiles.
    fn stored_tiles(store: &MemoryStore) -> Vec<(u8, u64)> {
        let mut tiles = Vec::new();
        TILES
            .scan(store, vec![0]..vec![255], Direction::Forward, |key, _| {
                tiles.push((key.level, key.number));
                ControlFlow::Continue(())
            })
            .unwrap();
        tiles
    }

    /// Keys of the stored checkpoints.
    fn stored_checkpoints(store: &MemoryStore) -> Vec<CheckpointKey> {
        let mut found = Vec::new();
        CHECKPOINTS
            .scan(store, vec![0]..vec![255], Direction::Forward, |key, _| {
                found.push(key);
                ControlFlow::Continue(())
            })
            .unwrap();
        found
    }

    fn check(store: &MemoryStore, appender: &Appender, size: u64) {
        let leaves: Vec<_> = (0..size).map(|i| leaf_hash(&entry(i).to_bytes())).collect();
        assert_eq!((appender.size(), appender.root()), (size, defined_root(&leaves)));
        let wanted: Vec<_> = (1..4)
            .flat_map(|level| (0..tile_widths(size, level).0).map(move |number| (level, number)))
            .collect();
        assert_eq!(stored_tiles(store), wanted);
    }

    #[test]
    fn edges_of_tiles_are_met_exactly() {
        let (store, log) = new_log();
        let mut size = 0;
        for next in [1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000] {
            append(&store, &mut open(&store, &log), next - size);
            size = next;
            check(&store, &open(&store, &log), size);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn any_way_of_cutting_gives_the_same_log(
            steps in prop::collection::vec((0u64..12_000, any::<bool>(), any::<bool>()), 1..12),
        ) {
            let (store, log) = new_log();
            let mut appender = open(&store, &log);
            let mut size = 0;
            for (count, reopen, sign) in steps {
                append(&store, &mut appender, count);
                size += count;
                if sign {
                    checkpoint(&store, &mut appender);
                }
                if reopen {
                    appender = open(&store, &log);
                }
            }
            check(&store, &appender, size);
            check(&store, &open(&store, &log), size);
        }
    }

    #[test]
    fn checkpoints_are_due_after_time_or_entries() {
        let (store, log) = new_log();
        let mut appender = open(&store, &log);
        assert!(!appender.checkpoint_due(50_000), "nothing to cover");
        append(&store, &mut appender, 1);
        assert!(appender.checkpoint_due(50_000));
        let mut changes = store.begin();
        appender.write_checkpoint(&mut *changes, 50_000);
        changes.commit().unwrap();
        assert!(!appender.checkpoint_due(90_000), "nothing new");
        append(&store, &mut appender, 1);
        assert!(!appender.checkpoint_due(50_999));
        assert!(appender.checkpoint_due(51_000));
        assert!(appender.checkpoint_due(1_000), "the clock was set back");
        append(&store, &mut appender, CHECKPOINT_AFTER_ENTRIES - 2);
        assert!(!appender.checkpoint_due(50_000));
        append(&store, &mut appender, 1);
        assert!(appender.checkpoint_due(50_000));
    }

    #[test]
    fn the_newest_checkpoint_is_kept_and_signed() {
        let (store, log) = new_log();
        let mut appender = open(&store, &log);
        for _ in 0..3 {
            append(&store, &mut appender, 2);
            checkpoint(&store, &mut appender);
        }
        checkpoint(&store, &mut appender);
        let neighbour = CheckpointKey { log: 8, size: 1 };
        let newest = CheckpointKey { log: 7, size: 6 };
        assert_eq!(stored_checkpoints(&store), [newest, neighbour]);
        let last = appender.last_checkpoint().unwrap();
        let text = open_note(&last.note, &[log.verifier().unwrap()]).unwrap();
        assert_eq!(Checkpoint::parse(text).as_ref(), Ok(&last.checkpoint));
        assert_eq!((last.checkpoint.size, last.checkpoint.root), (6, appender.root()));
        assert_eq!(open(&store, &log).last_checkpoint(), Some(last));
        let end = Predecessor { log: 7, size: 6, root: appender.root() };
        assert_eq!(log_end(&store, &log).unwrap(), end);
    }

    #[test]
    fn logs_that_do_not_fit_are_refused() {
        let damaged = |damage: fn(&mut dyn Transaction)| {
            let (store, log) = new_log();
            let mut appender = open(&store, &log);
            append(&store, &mut appender, 65_600);
            checkpoint(&store, &mut appender);
            let mut changes = store.begin();
            damage(&mut *changes);
            changes.commit().unwrap();
            Appender::open(&store, log, keys(1)).map(|appender| appender.size())
        };
        const LAST: Position = Position { log: 7, index: 65_599 };
        assert!(matches!(damaged(|_| {}), Ok(65_600)));
        let lost = damaged(|tx| JOURNAL.delete(tx, &LAST));
        assert!(matches!(lost, Err(LedgerError::Shorter { size: 65_599, covered: 65_600, .. })));
        let gap = damaged(|tx| JOURNAL.delete(tx, &Position { index: 65_550, ..LAST }));
        assert!(matches!(gap, Err(LedgerError::NoEntry { index: 65_550, .. })));
        let tile = damaged(|tx| TILES.delete(tx, &TileKey { log: 7, level: 1, number: 0 }));
        assert!(matches!(tile, Err(LedgerError::NoTile { level: 1, number: 0, .. })));
        let changed = damaged(|tx| {
            JOURNAL.put(tx, &LAST, &JournalRow { entry: entry(1), subject: Vec::new() });
        });
        assert!(matches!(changed, Err(LedgerError::Differs { size: 65_600, .. })));
    }

    #[test]
    fn another_key_is_refused() {
        let (store, log) = new_log();
        let mut appender = open(&store, &log);
        append(&store, &mut appender, 1);
        checkpoint(&store, &mut appender);
        let other = Appender::open(&store, log.clone(), keys(3)).map(|_| ());
        assert!(matches!(other, Err(LedgerError::OtherKey(7))));
        let log = LogRow { public: keys(3).log.public(), ..log };
        let unsigned = Appender::open(&store, log, keys(3)).map(|_| ());
        assert!(matches!(
            unsigned,
            Err(LedgerError::Checkpoint { log: 7, reason: NoteError::Unsigned })
        ));
    }
}
