//! Verifying a whole log: from its entries to its tiles and its checkpoint.

use std::ops::ControlFlow;

use super::Position;
use super::checkpoint::Checkpoint;
use super::edge::Edge;
use super::hash::leaf_hash;
use super::logs::LogRow;
use super::note::{VerifierKey, open_note};
use super::report::LogReport;
use super::resume::{checkpoint_range, journal_range};
use super::rows::{BODIES, CHECKPOINTS, JOURNAL, JournalRow, TILES, TileKey};
use super::tile::tile_widths;
use crate::store::{ColumnId, Direction, Key, Read, StoreError, key_bytes};

/// Reads all of a log and reports what is wrong with it: gaps, rows that cannot be decoded, tiles
/// and bodies that are missing, wrong or too many, checkpoints whose signature or root is wrong.
///
/// `visit` sees every readable entry, in order; whether commitments fit their records and bodies
/// is its to check. Errors are those of the store itself; `read` is best a snapshot, for a log
/// that grows meanwhile shows differences.
pub fn verify_log(
    read: &dyn Read,
    log: &LogRow,
    public: &[u8; 32],
    visit: &mut dyn FnMut(Position, &JournalRow),
) -> Result<LogReport, StoreError> {
    let mut report = LogReport::default();
    let checkpoints = read_checkpoints(read, log, public, &mut report)?;
    let mut walk = Walk { read, log: log.id, checkpoints, edge: Some(Edge::default()), report };
    walk.compare_roots();
    let mut fault = None;
    let range = journal_range(log.id, 0);
    read.scan(ColumnId::Journal, range, Direction::Forward, &mut |key, row| match walk
        .take(key, row, visit)
    {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            fault = Some(error);
            ControlFlow::Break(())
        }
    })?;
    fault.map_or(Ok(()), Err)?;
    walk.finish()
}

/// A log on its way from the first entry to the last.
struct Walk<'a> {
    read: &'a dyn Read,
    log: u32,
    /// Those not reached yet, largest first.
    checkpoints: Vec<Checkpoint>,
    /// The tree so far; none behind a gap.
    edge: Option<Edge>,
    report: LogReport,
}

impl Walk<'_> {
    fn take(
        &mut self,
        key: &[u8],
        row: &[u8],
        visit: &mut dyn FnMut(Position, &JournalRow),
    ) -> Result<(), StoreError> {
        let position = match Position::read_key(key) {
            Ok(position) => position,
            Err(reason) => {
                let place = format!("journal {}", data_encoding::HEXLOWER.encode(key));
                self.report.add(place, reason.to_string());
                return Ok(());
            }
        };
        let place = || format!("journal {}/{}", position.log, position.index);
        if position.index != self.report.size {
            let problem = format!("no entries from {} to here", self.report.size);
            self.report.add(place(), problem);
            self.edge = None;
        }
        self.report.size = position.index.saturating_add(1);
        match JOURNAL.decode(key, row) {
            Ok(row) => {
                self.grow(&row)?;
                if row.entry.kind.has_body() {
                    self.check_body(position)?;
                }
                visit(position, &row);
            }
            Err(error) => {
                self.report.add(place(), error.to_string());
                self.edge = None;
            }
        }
        Ok(())
    }

    /// Adds an entry to the tree and compares the tiles and checkpoints that it completes.
    fn grow(&mut self, row: &JournalRow) -> Result<(), StoreError> {
        let Self { read, log, edge, report, .. } = self;
        let Some(edge) = edge else { return Ok(()) };
        let mut outcome = Ok(());
        edge.push(leaf_hash(&row.entry.to_bytes()), |level, number, hashes| {
            let place = tile_place(*log, level, number);
            match readable(TILES.get(*read, &TileKey { log: *log, level, number })) {
                Ok(Ok(Some(tile))) if tile.hashes == hashes => {}
                Ok(Ok(Some(_))) => report.add(place, "differs from the entries".into()),
                Ok(Ok(None)) => report.add(place, "is missing".into()),
                Ok(Err(corrupt)) => report.add(place, corrupt),
                Err(error) => outcome = Err(error),
            }
        });
        outcome?;
        self.compare_roots();
        Ok(())
    }

    fn compare_roots(&mut self) {
        let Some(edge) = &self.edge else { return };
        while let Some(checkpoint) = self.checkpoints.pop_if(|next| next.size == edge.size()) {
            if checkpoint.root != edge.root() {
                let place = checkpoint_place(self.log, checkpoint.size);
                self.report.add(place, "the root differs from the entries".into());
            }
        }
    }

    fn check_body(&mut self, position: Position) -> Result<(), StoreError> {
        let problem = match readable(BODIES.get(self.read, &position))? {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => "is missing".to_owned(),
            Err(corrupt) => corrupt,
        };
        self.report.add(format!("bodies {}/{}", position.log, position.index), problem);
        Ok(())
    }

    /// What is left: checkpoints that were not reached, tiles and bodies that nothing calls for.
    fn finish(mut self) -> Result<LogReport, StoreError> {
        for checkpoint in std::mem::take(&mut self.checkpoints).iter().rev() {
            let place = checkpoint_place(self.log, checkpoint.size);
            let problem = match self.edge {
                Some(_) => format!("covers more than the {} entries found", self.report.size),
                None => "cannot be proved without the entries missing".to_owned(),
            };
            self.report.add(place, problem);
        }
        self.find_stray_tiles()?;
        self.find_stray_bodies()?;
        self.report.root = self.edge.map(|edge| edge.root());
        Ok(self.report)
    }

    fn find_stray_tiles(&mut self) -> Result<(), StoreError> {
        let Self { read, log, report, .. } = self;
        let [start, end] = [(0, 0), (u8::MAX, u64::MAX)]
            .map(|(level, number)| key_bytes(&TileKey { log: *log, level, number }));
        read.scan(ColumnId::Tiles, start..end, Direction::Forward, &mut |key, _| {
            match TileKey::read_key(key) {
                Ok(TileKey { level, number, .. }) => {
                    let (full, _) = tile_widths(report.size, level);
                    if level == 0 || number >= full {
                        report.add(tile_place(*log, level, number), "is one too many".into());
                    }
                }
                Err(reason) => {
                    let key = data_encoding::HEXLOWER.encode(key);
                    report.add(format!("tiles {key}"), reason.to_string());
                }
            }
            ControlFlow::Continue(())
        })
    }

    fn find_stray_bodies(&mut self) -> Result<(), StoreError> {
        let Self { read, log, report, .. } = self;
        let mut outcome = Ok(());
        let range = journal_range(*log, 0);
        read.scan(ColumnId::Bodies, range, Direction::Forward, &mut |key, _| {
            let place = format!("bodies {}", data_encoding::HEXLOWER.encode(key));
            match Position::read_key(key).map(|position| JOURNAL.get(*read, &position)) {
                Ok(Ok(Some(row))) if row.entry.kind.has_body() => {}
                // The journal's own walk has reported it.
                Ok(Err(StoreError::Corrupt { .. })) => {}
                Ok(Ok(_)) => report.add(place, "no entry calls for it".into()),
                Ok(Err(error)) => {
                    outcome = Err(error);
                    return ControlFlow::Break(());
                }
                Err(reason) => report.add(place, reason.to_string()),
            }
            ControlFlow::Continue(())
        })?;
        outcome
    }
}

/// The log's checkpoints that are signed and shaped as they should be, largest first.
fn read_checkpoints(
    read: &dyn Read,
    log: &LogRow,
    public: &[u8; 32],
    report: &mut LogReport,
) -> Result<Vec<Checkpoint>, StoreError> {
    let signer = match VerifierKey::new(&log.origin, *public) {
        Ok(signer) => [signer],
        Err(reason) => {
            report.add(format!("log {}", log.id), reason.to_string());
            return Ok(Vec::new());
        }
    };
    let mut found = Vec::new();
    read.scan(
        ColumnId::Checkpoints,
        checkpoint_range(log.id),
        Direction::Backward,
        &mut |key, row| {
            let read = || -> Result<Checkpoint, String> {
                let key = CHECKPOINTS.decode_key(key).map_err(|error| error.to_string())?;
                let row =
                    CHECKPOINTS.decode(&key_bytes(&key), row).map_err(|error| error.to_string())?;
                let checkpoint = open_note(&row.note, &signer)
                    .and_then(Checkpoint::parse)
                    .map_err(|error| error.to_string())?;
                if checkpoint.size != key.size || checkpoint.origin != log.origin {
                    return Err(format!("is for {} at {}", checkpoint.origin, checkpoint.size));
                }
                Ok(checkpoint)
            };
            match read() {
                Ok(checkpoint) => found.push(checkpoint),
                Err(problem) => {
                    let key = data_encoding::HEXLOWER.encode(key);
                    report.add(format!("checkpoints {key}"), problem);
                }
            }
            ControlFlow::Continue(())
        },
    )?;
    Ok(found)
}

/// Parts what a row says (its decoding error as text) from the store's own failures.
fn readable<R>(
    row: Result<Option<R>, StoreError>,
) -> Result<Result<Option<R>, String>, StoreError> {
    match row {
        Ok(row) => Ok(Ok(row)),
        Err(corrupt @ StoreError::Corrupt { .. }) => Ok(Err(corrupt.to_string())),
        Err(error) => Err(error),
    }
}

fn tile_place(log: u32, level: u8, number: u64) -> String {
    format!("tiles {log}/{level}/{number}")
}

fn checkpoint_place(log: u32, size: u64) -> String {
    format!("checkpoints {log}/{size}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ledger::{
        Appender, BodyRow, CheckpointKey, CheckpointRow, Entry, EntryKind, Finding, TileRow,
        sign_note, start_log,
    };
    use crate::signing::NodeKeys;
    use crate::store::memory::MemoryStore;
    use crate::store::{Store, Transaction};

    const SIZE: u64 = 66_000;

    fn keys() -> Arc<NodeKeys> {
        Arc::new(NodeKeys::from_seeds(&[1; 32], [2; 32]))
    }

    fn entry(index: u64) -> Entry {
        let kind = if index.is_multiple_of(1_000) { EntryKind::Prefix } else { EntryKind::Put };
        Entry { kind, time_ms: 5, version: index + 1, commitment: [index as u8; 32] }
    }

    /// A log of one full tile of level 1, with bodies and a checkpoint.
    fn sound() -> (MemoryStore, LogRow) {
        let store = MemoryStore::default();
        let mut changes = store.begin();
        let log = start_log(&mut *changes, 1, "node.example/log/1", 1, None, 5).unwrap();
        let mut appender = Appender::open(&store, log.clone(), keys()).unwrap();
        for index in 0..SIZE {
            let entry = entry(index);
            if entry.kind.has_body() {
                appender.append_with_body(&mut *changes, &entry, b"s", "{}".into(), "{}".into());
            } else {
                appender.append(&mut *changes, &entry, b"s");
            }
            if index == SIZE - 10 {
                appender.write_checkpoint(&mut *changes, 5);
            }
        }
        changes.commit().unwrap();
        (store, log)
    }

    fn verify(store: &MemoryStore, log: &LogRow) -> (LogReport, u64) {
        let mut seen = 0;
        let public = keys().log.public();
        let report = verify_log(store, log, &public, &mut |_, _| seen += 1).unwrap();
        (report, seen)
    }

    #[test]
    fn a_sound_log_has_no_findings() {
        let (store, log) = sound();
        let (report, seen) = verify(&store, &log);
        let appender = Appender::open(&store, log, keys()).unwrap();
        let root = Some(appender.root());
        assert_eq!(report, LogReport { size: SIZE, root, ..LogReport::default() });
        assert_eq!(seen, SIZE);
    }

    #[test]
    fn every_fault_is_found_where_it_is() {
        type Fault = fn(&mut dyn Transaction);
        const TILE: TileKey = TileKey { log: 1, level: 1, number: 0 };
        const CHECKPOINT: CheckpointKey = CheckpointKey { log: 1, size: SIZE - 9 };
        let cases: [(Fault, &[&str]); 12] = [
            (
                |tx| JOURNAL.delete(tx, &Position { log: 1, index: 70 }),
                &["journal 1/71: no entries from 70", "checkpoints 1/65991: cannot be proved"],
            ),
            (
                |tx| {
                    let row = JournalRow { entry: entry(71), subject: b"s".to_vec() };
                    JOURNAL.put(tx, &Position { log: 1, index: 70 }, &row);
                },
                &["tiles 1/1/0: differs", "checkpoints 1/65991: the root differs"],
            ),
            (
                |tx| {
                    let key = key_bytes(&Position { log: 1, index: 65_980 });
                    tx.put(ColumnId::Journal, &key, b"\x01\x01\x63");
                },
                &["journal 1/65980: column journal", "checkpoints 1/65991: cannot be proved"],
            ),
            (
                |tx| {
                    for index in SIZE - 10..SIZE {
                        JOURNAL.delete(tx, &Position { log: 1, index });
                    }
                },
                &["checkpoints 1/65991: covers more than the 65990"],
            ),
            (|tx| TILES.delete(tx, &TILE), &["tiles 1/1/0: is missing"]),
            (
                |tx| TILES.put(tx, &TILE, &TileRow { hashes: vec![[0; 32]; 256] }),
                &["tiles 1/1/0: differs"],
            ),
            (
                |tx| tx.put(ColumnId::Tiles, &key_bytes(&TILE), b"\x01short"),
                &["tiles 1/1/0: column tiles"],
            ),
            (
                |tx| {
                    let row = TileRow { hashes: vec![[0; 32]; 256] };
                    TILES.put(tx, &TileKey { number: 1, ..TILE }, &row);
                    TILES.put(tx, &TileKey { level: 0, ..TILE }, &row);
                },
                &["tiles 1/0/0: is one too many", "tiles 1/1/1: is one too many"],
            ),
            (
                |tx| BODIES.delete(tx, &Position { log: 1, index: 3_000 }),
                &["bodies 1/3000: is missing"],
            ),
            (
                |tx| {
                    let row = BodyRow { meta: String::new(), body: String::new() };
                    BODIES.put(tx, &Position { log: 1, index: 3_001 }, &row);
                },
                &["bodies 000000010000000000000bb9: no entry calls for it"],
            ),
            (
                |tx| CHECKPOINTS.put(tx, &CHECKPOINT, &CheckpointRow { note: "x\n\n— ".into() }),
                &["checkpoints 0000000100000000000101c7: not a signed note"],
            ),
            (
                |tx| {
                    let origin = "node.example/log/1".to_owned();
                    let wrong = Checkpoint { origin, size: 7, root: [0; 32] };
                    let signer = VerifierKey::new(&wrong.origin, keys().log.public()).unwrap();
                    let note = sign_note(&wrong.to_text(), &signer, &keys().log);
                    let row = CheckpointRow { note };
                    CHECKPOINTS.put(tx, &CHECKPOINT, &row);
                    CHECKPOINTS.put(tx, &CheckpointKey { size: 7, ..CHECKPOINT }, &row);
                },
                &[
                    "checkpoints 0000000100000000000101c7: is for",
                    "checkpoints 1/7: the root differs",
                ],
            ),
        ];
        for (position, (fault, wanted)) in cases.into_iter().enumerate() {
            let (store, log) = sound();
            let mut changes = store.begin();
            fault(&mut *changes);
            changes.commit().unwrap();
            let found: Vec<_> =
                verify(&store, &log).0.findings.iter().map(Finding::to_string).collect();
            assert_eq!(found.len(), wanted.len(), "case {position}: {found:?}");
            for (found, wanted) in found.iter().zip(wanted) {
                assert!(found.starts_with(wanted), "case {position}: {found:?}, not {wanted:?}");
            }
        }
    }
}
