//! The format of the whole store: its number, the refusal of newer ones, upgrades.
//!
//! The number stands in the store (row `store/format` of the meta column, written first) and, as
//! text, in the file [`FORMAT_FILE`] beside the engine's files. The file is raised before the
//! store changes, so it is never behind the row: a program that does not know its number has to
//! leave the folder alone and need not ask an engine that may not even open it. History and rules
//! are in `schemas/store-format.md`.

use std::collections::BTreeMap;
use std::fs::{File, read_dir};
use std::io::{self, Read as _, Write as _};
use std::ops::{ControlFlow, Range};
use std::path::Path;

use super::tables::read_position;
use super::{
    COUNTERS, Column, ColumnId, Count, Direction, PREFIXES, Read, Row, Store, StoreError,
    StoredPrefix, Transaction, identifier_counter,
};
use crate::codec::{Corrupt, Reader, Writer};
use crate::identifier::{CanonicalKey, Prefix};
use crate::registrant::Allocation;

/// The newest format, the one this program writes.
pub const STORE_FORMAT: u32 = 2;

/// The row with the store's format; also in backups.
pub const FORMAT: Column<String, Format> = Column::new(ColumnId::Meta);

/// Key of the row.
pub const FORMAT_KEY: &str = "store/format";

/// A format number as a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format(pub u32);

impl Row for Format {
    fn write_row(&self, writer: &mut Writer) {
        writer.u32(self.0);
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        reader.u32("store format").map(Self)
    }
}

/// What brings a store from one format to the next, in one transaction with the new number.
///
/// A step reads what it finds: run again on its own outcome it changes nothing.
struct Step {
    /// The format it starts from; it leads to the next.
    from: u32,
    /// Makes the changes.
    apply: fn(&dyn Read, &mut dyn Transaction) -> Result<(), StoreError>,
}

/// One step for each format that was ever released, in order.
const STEPS: &[Step] = &[Step { from: 1, apply: allocate_and_count }];

/// From 1 to 2: prefixes become documents, and their identifiers are counted.
fn allocate_and_count(
    read: &dyn Read,
    transaction: &mut dyn Transaction,
) -> Result<(), StoreError> {
    let mut counts: BTreeMap<Prefix, u64> = BTreeMap::new();
    let mut fault = None;
    read.scan(ColumnId::Prefixes, all_keys(), Direction::Forward, &mut |key, row| {
        let taken = PREFIXES.decode_key(key).and_then(|prefix| {
            if let Some(stored) = old_prefix(key, row)? {
                PREFIXES.put(transaction, &prefix, &stored);
            }
            counts.insert(prefix, 0);
            Ok(())
        });
        fault = taken.err();
        if fault.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    read.scan(ColumnId::Records, all_keys(), Direction::Forward, &mut |key, _| {
        let Ok(key) = CanonicalKey::from_bytes(key) else { return ControlFlow::Continue(()) };
        let mut prefix = Some(key.prefix());
        while let Some(candidate) = prefix {
            if let Some(count) = counts.get_mut(&candidate) {
                *count += 1;
                break;
            }
            prefix = candidate.parent();
        }
        ControlFlow::Continue(())
    })?;
    for (prefix, count) in counts {
        COUNTERS.put(transaction, &identifier_counter(&prefix), &Count(count));
    }
    fault.map_or(Ok(()), Err)
}

/// A prefix's row of format 1 as a document; none when it is one already.
fn old_prefix(key: &[u8], row: &[u8]) -> Result<Option<StoredPrefix>, StoreError> {
    let mut reader = Reader::new(row);
    let mut read = || {
        let position = read_position(&mut reader)?;
        if reader.u8("prefix format")? != 1 {
            return Ok(None);
        }
        let version = reader.varint("version")?;
        let created_ms = reader.varint("created")?;
        let content = Allocation::own();
        Ok(Some(StoredPrefix { position, version, created_ms, modified_ms: created_ms, content }))
    };
    let column = ColumnId::Prefixes.name();
    let key = || data_encoding::HEXLOWER.encode(key);
    read().map_err(|reason| StoreError::Corrupt { column, key: key(), reason })
}

/// The keys of a whole column: none starts with 64 bytes of 255.
pub fn all_keys() -> Range<Vec<u8>> {
    Vec::new()..vec![u8::MAX; 64]
}

/// Refuses a folder of a newer format or without its table of contents; writes the format of a
/// folder that has none.
pub(super) fn admit(folder: &Path) -> Result<(), StoreError> {
    match read_file(folder)? {
        Some(found) if found > STORE_FORMAT => Err(newer(found)),
        Some(_) => refuse_remains(folder),
        None => {
            refuse_remains(folder)?;
            // A store whose file was lost keeps the number of its row until it is upgraded.
            if folder.join("CURRENT").exists() { Ok(()) } else { write_file(folder, STORE_FORMAT) }
        }
    }
}

/// Writes the format of a new store, upgrades an older one, refuses a newer one.
pub(super) fn settle(store: &dyn Store, folder: &Path) -> Result<(), StoreError> {
    let found = FORMAT.get(store, &FORMAT_KEY.to_owned())?;
    if let Some(Format(found)) = found.filter(|found| found.0 > STORE_FORMAT) {
        return Err(newer(found));
    }
    if read_file(folder)? != Some(STORE_FORMAT) {
        write_file(folder, STORE_FORMAT)?;
    }
    match found {
        Some(Format(found)) => upgrade(store, found, STEPS),
        None if holds_rows(store)? => Err(StoreError::Engine(format!(
            "{} holds rows but not the number of their format: restore a backup",
            folder.display()
        ))),
        None => commit_format(store, STORE_FORMAT, |_| Ok(())),
    }
}

fn upgrade(store: &dyn Store, found: u32, steps: &[Step]) -> Result<(), StoreError> {
    for step in steps.iter().filter(|step| step.from >= found) {
        tracing::info!(from = step.from, "upgrading the store");
        commit_format(store, step.from + 1, |transaction| (step.apply)(store, transaction))?;
    }
    Ok(())
}

fn commit_format(
    store: &dyn Store,
    number: u32,
    change: impl FnOnce(&mut dyn Transaction) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut transaction = store.begin();
    change(&mut *transaction)?;
    FORMAT.put(&mut *transaction, &FORMAT_KEY.to_owned(), &Format(number));
    transaction.commit().map(|_| ())
}

fn holds_rows(store: &dyn Store) -> Result<bool, StoreError> {
    let mut found = false;
    for id in ColumnId::ALL {
        store.scan(id, all_keys(), Direction::Forward, &mut |_, _| {
            found = true;
            ControlFlow::Break(())
        })?;
    }
    Ok(found)
}

fn newer(found: u32) -> StoreError {
    StoreError::Newer { found, known: STORE_FORMAT }
}

/// Refuses engine files without the engine's table of contents: it would start afresh among them
/// and delete them.
fn refuse_remains(folder: &Path) -> Result<(), StoreError> {
    if folder.join("CURRENT").exists() {
        return Ok(());
    }
    for entry in read_dir(folder).map_err(|error| file_failed(folder, &error))? {
        let name = entry.map_err(|error| file_failed(folder, &error))?.file_name();
        if matches!(Path::new(&name).extension(), Some(end) if end == "sst" || end == "log") {
            return Err(StoreError::Engine(format!(
                "{} holds {} of a store but not its file CURRENT: restore a backup",
                folder.display(),
                name.display()
            )));
        }
    }
    Ok(())
}

fn read_file(folder: &Path) -> Result<Option<u32>, StoreError> {
    let path = folder.join(FORMAT_FILE);
    let mut text = String::new();
    match File::open(&path).and_then(|file| file.take(FILE_BYTES).read_to_string(&mut text)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_failed(&path, &error)),
        Ok(_) => {}
    }
    text.trim().parse().map(Some).map_err(|_| {
        let path = path.display();
        StoreError::Engine(format!("{path} holds {text:?}, not the number of a store format"))
    })
}

fn write_file(folder: &Path, number: u32) -> Result<(), StoreError> {
    let path = folder.join(FORMAT_FILE);
    let fresh = folder.join(format!("{FORMAT_FILE}.new"));
    let write = || {
        let mut file = File::create(&fresh)?;
        writeln!(file, "{number}")?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        sync_folder(folder)
    };
    write().map_err(|error| file_failed(&path, &error))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes the name of `path` durable.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => sync_folder(folder),
        _ => sync_folder(Path::new(".")),
    }
}

fn file_failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Engine(format!("{}: {error}", path.display()))
}

/// Name of the file beside the engine's that holds the format's number in decimal.
pub const FORMAT_FILE: &str = "FORMAT";

/// Most bytes read of the file.
const FILE_BYTES: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{RocksSettings, RocksStore};

    fn open(folder: &Path) -> Result<RocksStore, StoreError> {
        RocksStore::open(folder, &RocksSettings::small())
    }

    fn names(folder: &Path) -> Vec<(std::ffi::OsString, std::time::SystemTime)> {
        let entries = read_dir(folder).unwrap().map(Result::unwrap);
        let stamped = |entry: std::fs::DirEntry| {
            (entry.file_name(), entry.metadata().unwrap().modified().unwrap())
        };
        let mut names: Vec<_> = entries.map(stamped).collect();
        names.sort();
        names
    }

    #[test]
    fn a_newer_format_is_refused_untouched() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        std::fs::write(folder.path().join(FORMAT_FILE), "3\n").unwrap();
        let before = names(folder.path());
        let refusal = open(folder.path()).err();
        assert!(
            matches!(refusal, Some(StoreError::Newer { found: 3, known: STORE_FORMAT })),
            "{refusal:?}"
        );
        assert_eq!(names(folder.path()), before);
        std::fs::write(folder.path().join(FORMAT_FILE), "two").unwrap();
        assert!(open(folder.path()).err().unwrap().to_string().contains("\"two\""));
    }

    #[test]
    fn the_row_counts_when_the_file_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).unwrap();
        assert_eq!(FORMAT.get(&store, &FORMAT_KEY.to_owned()).unwrap(), Some(Format(STORE_FORMAT)));
        drop(store);
        std::fs::remove_file(folder.path().join(FORMAT_FILE)).unwrap();
        let store = open(folder.path()).unwrap();
        assert_eq!(read_file(folder.path()).unwrap(), Some(STORE_FORMAT));
        commit_format(&store, 7, |_| Ok(())).unwrap();
        drop(store);
        let refusal = open(folder.path()).err();
        assert!(
            matches!(refusal, Some(StoreError::Newer { found: 7, known: STORE_FORMAT })),
            "{refusal:?}"
        );
    }

    #[test]
    fn remains_of_a_store_are_not_taken_for_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        std::fs::remove_file(folder.path().join("CURRENT")).unwrap();
        let before = names(folder.path());
        assert!(open(folder.path()).err().unwrap().to_string().contains("restore a backup"));
        assert_eq!(names(folder.path()), before);
    }

    #[test]
    fn rows_without_a_format_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).unwrap();
        let mut transaction = store.begin();
        transaction.put(ColumnId::Names, b"a", b"b");
        FORMAT.delete(&mut *transaction, &FORMAT_KEY.to_owned());
        transaction.commit().unwrap();
        drop(store);
        assert!(open(folder.path()).err().unwrap().to_string().contains("restore a backup"));
    }

    #[test]
    fn upgrades_run_in_order_from_where_the_store_is() {
        fn append(read: &dyn Read, transaction: &mut dyn Transaction) -> Result<(), StoreError> {
            let mut row = Vec::new();
            read.read(ColumnId::Names, b"steps", &mut |found| row = found.to_vec())?;
            row.push(row.len() as u8);
            transaction.put(ColumnId::Names, b"steps", &row);
            Ok(())
        }
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).unwrap();
        let steps = [1, 2, 3].map(|from| Step { from, apply: append });
        upgrade(&store, 2, &steps).unwrap();
        let mut row = Vec::new();
        store.read(ColumnId::Names, b"steps", &mut |found| row = found.to_vec()).unwrap();
        assert_eq!(row, [0, 1], "steps 2 and 3");
        assert_eq!(FORMAT.get(&store, &FORMAT_KEY.to_owned()).unwrap(), Some(Format(4)));
    }
}
