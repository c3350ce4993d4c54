//! Verifying a whole log: from its entries to its tiles and its checkpoint.

use std::ops::{ControlFlow, Range};

use super::Position;
use super::checkpoint::Checkpoint;
use super::edge::Edge;
use super::hash::leaf_hash;
use super::logs::LogRow;
use super::note::{NoteError, open_note};
use super::report::LogReport;
use super::resume::{checkpoint_range, journal_range};
use super::rows::{BODIES, CHECKPOINTS, JOURNAL, JournalRow, TILES, TileKey};
use super::tile::tile_widths;
use crate::store::{Column, ColumnId, Direction, Key, Read, Row, StoreError, key_bytes};

/// Reads all of a log and reports what is wrong with it: gaps, rows that cannot be decoded, tiles
/// and bodies that are missing, wrong or too many, checkpoints whose signature or root is wrong.
///
/// `visit` sees every readable entry, in order; whether commitments fit their records and bodies
/// is its to check. Errors are those of the store itself. `read` is best a snapshot: a log that
/// grows meanwhile shows differences.
pub fn verify_log(
    read: &dyn Read,
    log: &LogRow,
    visit: &mut dyn FnMut(Position, &JournalRow),
) -> Result<LogReport, StoreError> {
    let mut report = LogReport::default();
    let checkpoints = read_checkpoints(read, log, &mut report)?;
    let mut tree = Tree { read, log: log.id, checkpoints, edge: Some(Edge::default()) };
    tree.compare_roots(&mut report);
    each_row(read, &JOURNAL, journal_range(log.id, 0), &mut report, |report, position, row| {
        if position.index != report.size {
            let fault = format!("no entries from {} to here", report.size);
            report.add(ColumnId::Journal, place(position), fault);
            tree.edge = None;
        }
        report.size = position.index.saturating_add(1);
        let Some(row) = row else {
            tree.edge = None;
            return Ok(());
        };
        tree.grow(&row, report)?;
        if row.entry.kind.has_body() {
            match BODIES.get(read, &position) {
                Ok(None) => report.add(ColumnId::Bodies, place(position), "is missing"),
                // Corrupt rows are reported by the walk over their own column.
                Ok(Some(_)) | Err(StoreError::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        visit(position, &row);
        Ok(())
    })?;
    tree.finish(&mut report);
    find_stray_tiles(read, log.id, &mut report)?;
    find_stray_bodies(read, log.id, &mut report)?;
    Ok(report)
}

/// The tree while its entries come in, and what it is to be compared with.
struct Tree<'a> {
    read: &'a dyn Read,
    log: u32,
    /// Those not reached yet, largest first.
    checkpoints: Vec<Checkpoint>,
    /// None behind a gap.
    edge: Option<Edge>,
}

impl Tree<'_> {
    /// Adds an entry and compares the tiles and checkpoints that it completes.
    fn grow(&mut self, row: &JournalRow, report: &mut LogReport) -> Result<(), StoreError> {
        let Self { read, log, edge, .. } = self;
        let Some(edge) = edge else { return Ok(()) };
        let mut outcome = Ok(());
        edge.push(leaf_hash(&row.entry.to_bytes()), |level, number, hashes| {
            let place = format!("{log}/{level}/{number}");
            match TILES.get(*read, &TileKey { log: *log, level, number }) {
                Ok(Some(tile)) if tile.hashes == hashes => {}
                Ok(Some(_)) => report.add(ColumnId::Tiles, place, "differs from the entries"),
                Ok(None) => report.add(ColumnId::Tiles, place, "is missing"),
                Err(StoreError::Corrupt { .. }) => {}
                Err(error) => outcome = Err(error),
            }
        });
        self.compare_roots(report);
        outcome
    }

    fn compare_roots(&mut self, report: &mut LogReport) {
        let Some(edge) = &self.edge else { return };
        while let Some(checkpoint) = self.checkpoints.pop_if(|next| next.size == edge.size()) {
            if checkpoint.root != edge.root() {
                let place = format!("{}/{}", self.log, checkpoint.size);
                report.add(ColumnId::Checkpoints, place, "the root differs from the entries");
            }
        }
    }

    /// Reports the checkpoints that were not reached.
    fn finish(self, report: &mut LogReport) {
        report.root = self.edge.map(|edge| edge.root());
        for checkpoint in self.checkpoints.iter().rev() {
            let fault = match report.root {
                Some(_) => format!("covers more than the {} entries found", report.size),
                None => "cannot be proved without the entries missing".to_owned(),
            };
            let place = format!("{}/{}", self.log, checkpoint.size);
            report.add(ColumnId::Checkpoints, place, fault);
        }
    }
}

/// The log's checkpoints that are signed and shaped as they should be, largest first.
fn read_checkpoints(
    read: &dyn Read,
    log: &LogRow,
    report: &mut LogReport,
) -> Result<Vec<Checkpoint>, StoreError> {
    let verify = |note: &str| -> Result<Checkpoint, NoteError> {
        open_note(note, &[log.verifier()?]).and_then(Checkpoint::parse)
    };
    let mut found = Vec::new();
    let range = checkpoint_range(log.id);
    each_row(read, &CHECKPOINTS, range, report, |report, key, row| {
        let Some(row) = row else { return Ok(()) };
        let fault = match verify(&row.note) {
            Ok(checkpoint) if checkpoint.size == key.size && checkpoint.origin == log.origin => {
                found.push(checkpoint);
                return Ok(());
            }
            Ok(other) => format!("is for {} at size {}", other.origin, other.size),
            Err(error) => error.to_string(),
        };
        report.add(ColumnId::Checkpoints, format!("{}/{}", key.log, key.size), fault);
        Ok(())
    })?;
    found.reverse();
    Ok(found)
}

fn find_stray_tiles(read: &dyn Read, log: u32, report: &mut LogReport) -> Result<(), StoreError> {
    let [start, end] = [(0, 0), (u8::MAX, u64::MAX)]
        .map(|(level, number)| key_bytes(&TileKey { log, level, number }));
    each_row(read, &TILES, start..end, report, |report, TileKey { level, number, .. }, _| {
        let (full, _) = tile_widths(report.size, level);
        if level == 0 || number >= full {
            let place = format!("{log}/{level}/{number}");
            report.add(ColumnId::Tiles, place, "is one too many");
        }
        Ok(())
    })
}

fn find_stray_bodies(read: &dyn Read, log: u32, report: &mut LogReport) -> Result<(), StoreError> {
    each_row(read, &BODIES, journal_range(log, 0), report, |report, position, _| {
        match JOURNAL.get(read, &position) {
            Ok(Some(row)) if row.entry.kind.has_body() => {}
            Ok(_) => report.add(ColumnId::Bodies, place(position), "no entry calls for it"),
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    })
}

/// Shows the rows in `range` to `look`, in order. What cannot be decoded is reported; `look` is
/// told of such a row, too, if at least its key can be read.
fn each_row<K: Key, R: Row>(
    read: &dyn Read,
    column: &Column<K, R>,
    range: Range<Vec<u8>>,
    report: &mut LogReport,
    mut look: impl FnMut(&mut LogReport, K, Option<R>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut outcome = Ok(());
    read.scan(column.id(), range, Direction::Forward, &mut |key, row| {
        let mut unreadable = |decoding: StoreError| {
            let fault = match decoding {
                StoreError::Corrupt { reason, .. } => reason.to_string(),
                other => other.to_string(),
            };
            report.add(column.id(), data_encoding::HEXLOWER.encode(key), fault);
        };
        let row = column.decode(key, row).map_err(&mut unreadable).ok();
        if let Ok(key) = column.decode_key(key).map_err(unreadable) {
            outcome = look(report, key, row);
        }
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}

fn place(position: Position) -> String {
    format!("{}/{}", position.log, position.index)
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
        let log = LogRow::first("node.example", &keys(), 5);
        start_log(&mut *changes, &log);
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
        let report = verify_log(store, log, &mut |_, _| seen += 1).unwrap();
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

    /// A way to damage the sound log, and how the findings begin.
    type Case = (fn(&mut dyn Transaction), &'static [&'static str]);

    const TILE: TileKey = TileKey { log: 1, level: 1, number: 0 };
    const CHECKPOINT: CheckpointKey = CheckpointKey { log: 1, size: SIZE - 9 };

    const JOURNAL_CASES: &[Case] = &[
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
            &["journal 0000000100000000000101bc: ", "checkpoints 1/65991: cannot be proved"],
        ),
        (
            |tx| {
                for index in SIZE - 10..SIZE {
                    JOURNAL.delete(tx, &Position { log: 1, index });
                }
            },
            &["checkpoints 1/65991: covers more than the 65990"],
        ),
    ];

    const TILE_AND_BODY_CASES: &[Case] = &[
        (|tx| TILES.delete(tx, &TILE), &["tiles 1/1/0: is missing"]),
        (
            |tx| TILES.put(tx, &TILE, &TileRow { hashes: vec![[0; 32]; 256] }),
            &["tiles 1/1/0: differs"],
        ),
        (
            |tx| tx.put(ColumnId::Tiles, &key_bytes(&TILE), b"\x01short"),
            &["tiles 00000001010000000000000000: "],
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
            &["bodies 1/3001: no entry calls for it"],
        ),
    ];

    const CHECKPOINT_CASES: &[Case] = &[
        (
            |tx| CHECKPOINTS.put(tx, &CHECKPOINT, &CheckpointRow { note: "x\n\n— ".into() }),
            &["checkpoints 1/65991: not a signed note"],
        ),
        (
            |tx| {
                let origin = "node.example/log/1".to_owned();
                let wrong = Checkpoint { origin, size: 7, root: [0; 32] };
                let log = LogRow::first("node.example", &keys(), 5);
                let note = sign_note(&wrong.to_text(), &log.verifier().unwrap(), &keys().log);
                let row = CheckpointRow { note };
                CHECKPOINTS.put(tx, &CHECKPOINT, &row);
                CHECKPOINTS.put(tx, &CheckpointKey { size: 7, ..CHECKPOINT }, &row);
            },
            &["checkpoints 1/65991: is for", "checkpoints 1/7: the root differs"],
        ),
    ];

    #[test]
    fn every_fault_is_found_where_it_is() {
        let cases = [JOURNAL_CASES, TILE_AND_BODY_CASES, CHECKPOINT_CASES].concat();
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
