//! The store against a plain map: reads, scans, conflicts, reopening; and what it refuses.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::store::{Guard, all_keys};

#[test]
fn a_folder_serves_one_store_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let again = open(&folder.path().join("."));
    assert!(matches!(again, Err(StoreError::InUse(_))), "{:?}", again.err());
    drop(store);
    open(folder.path()).unwrap();
}

#[test]
fn a_snapshot_stands_still() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    put(&store, "a", "1").unwrap();
    let snapshot = store.snapshot();
    put(&store, "a", "2").unwrap();
    put(&store, "b", "2").unwrap();
    assert_eq!(rows(&*snapshot, all_keys(), Direction::Forward), [text("a", "1")]);
    assert_eq!(row(&*snapshot, "a"), Some(b"1".to_vec()));
    assert_eq!(row(&store, "a"), Some(b"2".to_vec()));
}

#[test]
fn what_is_not_committed_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let before = store.read_point();
    let mut transaction = store.begin();
    transaction.put(ColumnId::Records, b"a", b"1");
    drop(transaction);
    assert_eq!(row(&store, "a"), None);
    let mut transaction = store.begin();
    assert!(transaction.admit(before, &[guard("a")]));
    assert_eq!(transaction.commit().unwrap(), before, "an empty commit is no moment of its own");
}

#[test]
fn rows_written_once_cannot_be_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let guard = Guard { column: ColumnId::Journal, key: b"1".to_vec() };
    assert!(!store.begin().admit(store.read_point(), &[guard]));
}

#[test]
fn a_failed_commit_stops_writes_and_not_reads() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    put(&store, "a", "1").unwrap();
    // The next write-ahead log goes where every write fails with ENOSPC.
    fill_disk(folder.path(), "log");
    store.finish_load().unwrap();
    assert!(matches!(put(&store, "b", "1"), Err(StoreError::Engine(_))));
    let reason = store.stopped().expect("stopped");
    assert!(reason.contains("No space left"), "{reason}");
    assert!(matches!(put(&store, "b", "1"), Err(StoreError::Stopped(_))));
    assert_eq!(row(&store, "a"), Some(b"1".to_vec()));
    assert_eq!(row(&store, "b"), None);
    drop(store);
    give_room(folder.path());
    let store = open(folder.path()).unwrap();
    assert_eq!(store.stopped(), None);
    assert_eq!(row(&store, "a"), Some(b"1".to_vec()));
    put(&store, "b", "2").unwrap();
}

#[test]
fn a_failed_flush_stops_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    put(&store, "a", "1").unwrap();
    fill_disk(folder.path(), "sst");
    assert!(store.finish_load().is_err());
    assert!(store.stopped().is_some());
    assert!(matches!(put(&store, "b", "1"), Err(StoreError::Stopped(_))));
    assert!(store.figures().contains(&("stopped", 1.0)));
    drop(store);
    give_room(folder.path());
    let store = open(folder.path()).unwrap();
    assert_eq!(row(&store, "a"), Some(b"1".to_vec()), "acknowledged rows are in the log");
}

/// A step of a random history. Keys are few so that they meet.
#[derive(Clone, Debug)]
enum Move {
    Transaction { changes: Vec<Change>, commit: bool },
    Scan { column: ColumnId, range: Range<u8>, direction: Direction },
    Reopen,
}

/// Part of a transaction: guards read `age` commits ago, then puts and deletes.
#[derive(Clone, Debug)]
struct Change {
    age: u64,
    guards: Vec<(ColumnId, u8)>,
    writes: Vec<(ColumnId, u8, Option<u8>)>,
}

fn a_column() -> impl Strategy<Value = ColumnId> {
    prop::sample::select(vec![ColumnId::Records, ColumnId::Prefixes, ColumnId::Idempotency])
}

fn a_change() -> impl Strategy<Value = Change> {
    let guards = prop::collection::vec((a_column(), 0u8..12), 0..3);
    let writes = prop::collection::vec((a_column(), 0u8..12, any::<Option<u8>>()), 0..4);
    (0u64..5, guards, writes).prop_map(|(age, guards, writes)| Change { age, guards, writes })
}

fn a_move() -> impl Strategy<Value = Move> {
    let direction = prop::sample::select(vec![Direction::Forward, Direction::Backward]);
    prop_oneof![
        8 => (prop::collection::vec(a_change(), 0..4), prop::bool::weighted(0.8))
            .prop_map(|(changes, commit)| Move::Transaction { changes, commit }),
        4 => (a_column(), 0u8..14, 0u8..14, direction)
            .prop_map(|(column, start, end, direction)| Move::Scan {
                column, range: start..end, direction,
            }),
        1 => Just(Move::Reopen),
    ]
}

/// What the store should be.
#[derive(Default)]
struct Model {
    rows: BTreeMap<(ColumnId, u8), u8>,
    /// The commit that touched a key last, since the store was opened.
    touched: HashMap<(ColumnId, u8), ReadPoint>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_store_is_an_ordered_map(moves in prop::collection::vec(a_move(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path()).unwrap();
        let mut model = Model::default();
        for step in moves {
            match step {
                Move::Transaction { changes, commit } => {
                    run(&store, &mut model, &changes, commit)?;
                }
                Move::Scan { column, range, direction } => {
                    let expected = model.scan(column, range.clone(), direction);
                    let range = vec![range.start]..vec![range.end];
                    let mut found = Vec::new();
                    store.scan(column, range, direction, &mut |key, row| {
                        found.push((key[0], row[0]));
                        ControlFlow::Continue(())
                    }).unwrap();
                    prop_assert_eq!(found, expected);
                }
                Move::Reopen => {
                    drop(store);
                    store = open(folder.path()).unwrap();
                    model.touched.clear();
                }
            }
        }
    }
}

impl Model {
    fn scan(&self, column: ColumnId, range: Range<u8>, direction: Direction) -> Vec<(u8, u8)> {
        let rows = self.rows.iter().filter(|((of, key), _)| *of == column && range.contains(key));
        let mut rows: Vec<_> = rows.map(|(&(_, key), &row)| (key, row)).collect();
        if direction == Direction::Backward {
            rows.reverse();
        }
        rows
    }
}

fn run(
    store: &RocksStore,
    model: &mut Model,
    changes: &[Change],
    commit: bool,
) -> Result<(), TestCaseError> {
    let now = store.read_point();
    let mut written = BTreeMap::new();
    let mut transaction = store.begin();
    for change in changes {
        let read_at = ReadPoint(now.0.saturating_sub(change.age));
        let unchanged = change.guards.iter().all(|guard| {
            let touched = model.touched.get(guard).copied();
            !written.contains_key(guard) && touched.is_none_or(|touched| touched <= read_at)
        });
        let as_guard = |&(column, key): &(ColumnId, u8)| Guard { column, key: vec![key] };
        let guards: Vec<_> = change.guards.iter().map(as_guard).collect();
        prop_assert_eq!(transaction.admit(read_at, &guards), unchanged);
        if !unchanged {
            continue;
        }
        for &(column, key, row) in &change.writes {
            match row {
                Some(row) => transaction.put(column, &[key], &[row]),
                None => transaction.delete(column, &[key]),
            }
            written.insert((column, key), row);
        }
    }
    if commit {
        let number = transaction.commit().unwrap();
        prop_assert_eq!(number, store.read_point());
        for (key, row) in written {
            model.touched.insert(key, number);
            match row {
                Some(row) => model.rows.insert(key, row),
                None => model.rows.remove(&key),
            };
        }
    } else {
        drop(transaction);
        prop_assert_eq!(now, store.read_point());
    }
    for key in 0..12 {
        let mut found = None;
        let there = store.read(ColumnId::Records, &[key], &mut |row| found = Some(row[0])).unwrap();
        prop_assert_eq!(there, found.is_some());
        prop_assert_eq!(found, model.rows.get(&(ColumnId::Records, key)).copied());
    }
    Ok(())
}

/// Lets writes to the next files with this ending fail: their names lead to `/dev/full`.
fn fill_disk(folder: &Path, ending: &str) {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let stems = names.filter_map(|name| {
        let digits = name.to_str()?.trim_start_matches("MANIFEST-").trim_start_matches("OPTIONS-");
        digits.split('.').next()?.parse::<u64>().ok()
    });
    let last = stems.max().unwrap();
    for number in last + 1..last + 40 {
        let name = folder.join(format!("{number:06}.{ending}"));
        std::os::unix::fs::symlink("/dev/full", name).unwrap();
    }
}

fn give_room(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_symlink() {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn open(folder: &Path) -> Result<RocksStore, StoreError> {
    RocksStore::open(folder, &RocksSettings::small())
}

fn guard(key: &str) -> Guard {
    Guard { column: ColumnId::Records, key: key.into() }
}

fn put(store: &RocksStore, key: &str, row: &str) -> Result<ReadPoint, StoreError> {
    let mut transaction = store.begin();
    transaction.put(ColumnId::Records, key.as_bytes(), row.as_bytes());
    transaction.commit()
}

fn row(read: &dyn Read, key: &str) -> Option<Vec<u8>> {
    let mut found = None;
    read.read(ColumnId::Records, key.as_bytes(), &mut |row| found = Some(row.to_vec())).unwrap();
    found
}

type Pair = (Vec<u8>, Vec<u8>);

fn text(key: &str, row: &str) -> Pair {
    (key.into(), row.into())
}

fn rows(read: &dyn Read, range: Range<Vec<u8>>, direction: Direction) -> Vec<Pair> {
    let mut found = Vec::new();
    read.scan(ColumnId::Records, range, direction, &mut |key, row| {
        found.push((key.to_vec(), row.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}
