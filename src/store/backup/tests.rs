//! Backups: there and back, cut off, altered, and what a folder must be like.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::store::{FORMAT, FORMAT_KEY, Read, RocksSettings, RocksStore, STORE_FORMAT, Store};

type Rows = BTreeMap<(ColumnId, Vec<u8>), Vec<u8>>;

#[test]
fn a_backup_holds_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = a_store(&folder.path().join("one"), 3_000);
    let mut steps = Vec::new();
    let mut backup = Vec::new();
    let written = write_backup(&*store.snapshot(), &header(), &mut backup, &mut |rows| {
        steps.push(rows);
    });
    let written = written.unwrap();
    assert_eq!(written.bytes, backup.len() as u64);
    assert!(steps.is_sorted() && steps.last() == Some(&count(&written)), "{steps:?}");
    assert!(steps.len() > ColumnId::ALL.len(), "a column of more than a block: {steps:?}");

    let data = folder.path().join("two");
    let restoration =
        Restoration::read(&mut &backup[..], &data, &RocksSettings::small(), &mut |_| {})
            .expect("sound");
    assert!(!data.exists(), "nobody sees the folder before it is finished");
    assert_eq!(restoration.header(), &header());
    assert_eq!(every_row(restoration.store()), every_row(&store));
    let (_, read) = restoration.finish().unwrap();
    assert_eq!(read, written);

    let restored = RocksStore::open(&data.join(STORE_FOLDER), &RocksSettings::small()).unwrap();
    assert_eq!(every_row(&restored), every_row(&store));
    assert_eq!(std::fs::read(data.join("keys/node.pk8")).unwrap(), [7; 85]);
    let mode = std::fs::metadata(data.join("keys/node.pk8")).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
}

#[test]
fn every_damage_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let backup = a_backup(&a_store(folder.path(), 3), &header());
    let read = |bytes: &[u8]| read_backup(&mut &*bytes, &mut |_, _| Ok(()));
    read(&backup).unwrap();
    for end in 0..backup.len() {
        assert!(read(&backup[..end]).is_err(), "cut off at {end}");
    }
    let longer = [&backup[..], &[0]].concat();
    assert!(read(&longer).is_err(), "a byte behind the end");
    for position in 0..backup.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = backup.clone();
            damaged[position] ^= flip;
            assert!(read(&damaged).is_err(), "byte {position} of {} changed", backup.len());
        }
    }
}

#[test]
fn a_refused_backup_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = a_store(&folder.path().join("one"), 3);
    let data = folder.path().join("two");
    let restore = |backup: &[u8]| {
        Restoration::read(&mut &*backup, &data, &RocksSettings::small(), &mut |_| {})
            .map(|_| ())
            .unwrap_err()
    };

    let sound = a_backup(&store, &header());
    assert!(matches!(restore(&sound[..sound.len() - 1]), BackupError::Damaged("SHA-256")));
    assert!(matches!(restore(b"PK\x03\x04 a zip file"), BackupError::NotABackup));
    let newer = BackupHeader { store_format: STORE_FORMAT + 1, ..header() };
    let refusal = restore(&a_backup(&store, &newer));
    assert!(matches!(refusal, BackupError::Store(StoreError::Newer { found: 3, known: 2 })));
    for name in ["../x", "/etc/x", "a/../x", "", "a//b", ".hidden", "store/CURRENT"] {
        let files = vec![(name.to_owned(), vec![1])];
        let refusal = restore(&a_backup(&store, &BackupHeader { files, ..header() }));
        assert!(matches!(refusal, BackupError::FileName(_)), "{name:?}: {refusal}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "drafts are removed");

    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("letter"), "dear").unwrap();
    assert!(matches!(restore(&sound), BackupError::Taken(_)));
    assert!(data.join("letter").exists());
}

#[test]
fn announced_lengths_take_no_memory() {
    let mut backup = Vec::from(MAGIC);
    backup.extend(BACKUP_FORMAT.to_be_bytes());
    backup.extend([0xff; 8]);
    let refusal = read_backup(&mut &backup[..], &mut |_, _| Ok(())).unwrap_err();
    assert!(matches!(refusal, BackupError::Damaged("length of a block")));
}

#[test]
fn a_row_that_cannot_be_restored_is_not_backed_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = a_store(folder.path(), 0);
    let mut transaction = store.begin();
    transaction.put(ColumnId::Bodies, b"large", &vec![0; MAX_BLOCK_BYTES]);
    transaction.commit().unwrap();
    let refusal =
        write_backup(&store, &header(), &mut Vec::new(), &mut |_| {}).unwrap_err().to_string();
    assert!(refusal.starts_with("bodies has 4194"), "{refusal}");
}

fn a_store(folder: &Path, records: u32) -> RocksStore {
    let store = RocksStore::open(folder, &RocksSettings::small()).unwrap();
    let mut transaction = store.begin();
    for id in ColumnId::ALL {
        transaction.put(id, format!("a key of {}", id.name()).as_bytes(), b"a row");
    }
    for number in 0..records {
        transaction.put(ColumnId::Records, &number.to_be_bytes(), &[number as u8; 800]);
    }
    transaction.commit().unwrap();
    store
}

fn a_backup(store: &RocksStore, header: &BackupHeader) -> Vec<u8> {
    let mut backup = Vec::new();
    write_backup(&*store.snapshot(), header, &mut backup, &mut |_| {}).unwrap();
    backup
}

fn header() -> BackupHeader {
    BackupHeader {
        store_format: STORE_FORMAT,
        program: "nameplate 0.1.0".to_owned(),
        created_ms: 1_700_000_000_000,
        holds_private_keys: true,
        files: vec![("keys/node.pk8".to_owned(), vec![7; 85])],
    }
}

fn every_row(read: &dyn Read) -> Rows {
    assert!(FORMAT.get(read, &FORMAT_KEY.to_owned()).unwrap().is_some());
    let mut rows = Rows::new();
    for id in ColumnId::ALL {
        read.scan(id, crate::store::all_keys(), crate::store::Direction::Forward, &mut |k, row| {
            rows.insert((id, k.to_vec()), row.to_vec());
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    }
    rows
}

fn count(summary: &BackupSummary) -> u64 {
    summary.rows.iter().map(|(_, rows)| rows).sum()
}
