//! Rows that seldom change, decoded and in memory: tokens, accounts, prefixes, template heads.
//!
//! A row is remembered with the store's epoch, a number that moves on before and after every commit
//! that changes rows of the quiet columns. It is believed only while the epoch is the same and
//! even. Whoever takes a read point first and then asks here gets the row as of that read point, so
//! that guards since then hold for it as if it had been read from the store.

use std::hash::RandomState;
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::{Column, ColumnId, Key, Row, Store, StoreError, key_bytes};

/// Rows of one type, by key.
pub struct Remembered<K, R> {
    column: Column<K, R>,
    rows: Cache<Vec<u8>, (u64, Arc<R>), quick_cache::UnitWeighter, RandomState>,
}

impl<K: Key, R: Row> Remembered<K, R> {
    /// Remembers up to `rows` rows of a quiet column.
    pub fn new(column: Column<K, R>, rows: usize) -> Self {
        debug_assert!(is_quiet(column.id()));
        let hasher = RandomState::new();
        let rows =
            Cache::with(rows, rows as u64, quick_cache::UnitWeighter, hasher, Default::default());
        Self { column, rows }
    }

    /// The row under `key`, if memory can tell. Absence is not remembered.
    pub fn find(&self, store: &dyn Store, key: &K) -> Option<Arc<R>> {
        let (epoch, row) = self.rows.get(&key_bytes(key))?;
        (epoch == store.quiet_epoch() && epoch.is_multiple_of(2)).then_some(row)
    }

    /// The row under `key`. Blocks on the disk when it is not remembered.
    pub fn get(&self, store: &dyn Store, key: &K) -> Result<Option<Arc<R>>, StoreError> {
        let bytes = key_bytes(key);
        let epoch = store.quiet_epoch();
        let known = self.rows.get(&bytes).filter(|(since, _)| *since == epoch);
        if let Some((_, row)) = known.filter(|_| epoch.is_multiple_of(2)) {
            return Ok(Some(row));
        }
        let Some(row) = self.column.get(store, key)?.map(Arc::new) else { return Ok(None) };
        self.rows.insert(bytes, (epoch, Arc::clone(&row)));
        Ok(Some(row))
    }
}

/// Whether changes of the column's rows move the epoch on.
pub(super) fn is_quiet(column: ColumnId) -> bool {
    matches!(column, ColumnId::Tokens | ColumnId::Documents | ColumnId::Prefixes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::{Count, Transaction};

    fn put(store: &MemoryStore, number: u64) {
        let mut transaction = store.begin();
        let key = key_bytes(&"n".to_owned());
        transaction.put(ColumnId::Documents, &key, &key_bytes_of(number));
        transaction.commit().unwrap();
    }

    fn key_bytes_of(number: u64) -> Vec<u8> {
        let mut writer = crate::codec::Writer::default();
        Count(number).write_row(&mut writer);
        writer.into_bytes()
    }

    #[test]
    fn a_row_is_remembered_until_a_quiet_column_changes() {
        let store = MemoryStore::default();
        let numbers: Remembered<String, Count> =
            Remembered::new(Column::new(ColumnId::Documents), 10);
        let key = "n".to_owned();
        assert!(numbers.get(&store, &key).unwrap().is_none());
        put(&store, 1);
        assert!(numbers.find(&store, &key).is_none());
        assert_eq!(numbers.get(&store, &key).unwrap().unwrap().0, 1);
        let mut transaction: Box<dyn Transaction> = store.begin();
        transaction.put(ColumnId::Records, b"x", b"y");
        transaction.commit().unwrap();
        assert_eq!(numbers.find(&store, &key).unwrap().0, 1, "records are not quiet");
        put(&store, 2);
        assert!(numbers.find(&store, &key).is_none());
        assert_eq!(numbers.get(&store, &key).unwrap().unwrap().0, 2);
    }
}
