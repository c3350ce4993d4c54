//! Typed columns: each is declared once, with its key and row types, by the room that owns it.

use std::marker::PhantomData;
use std::ops::{ControlFlow, Range};

use super::{ColumnId, Direction, Guard, Read, StoreError, Transaction};
use crate::codec::{Corrupt, Reader, Writer};

/// A key that can be written in the store's order and read back.
pub trait Key: Sized {
    /// Appends the key's bytes; byte order is the column's order.
    fn write_key(&self, writer: &mut Writer);

    /// Reads a whole key.
    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt>;
}

/// A row that can be written and read back.
pub trait Row: Sized {
    /// Appends the row's bytes, format number first.
    fn write_row(&self, writer: &mut Writer);

    /// Reads a row; what follows its end is refused by the column.
    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt>;
}

/// A column with its types.
pub struct Column<K, R> {
    id: ColumnId,
    types: PhantomData<fn() -> (K, R)>,
}

impl<K: Key, R: Row> Column<K, R> {
    /// Declares a column.
    pub const fn new(id: ColumnId) -> Self {
        Self { id, types: PhantomData }
    }

    /// Which column it is.
    pub fn id(&self) -> ColumnId {
        self.id
    }

    /// The row under `key`.
    pub fn get(&self, read: &(impl Read + ?Sized), key: &K) -> Result<Option<R>, StoreError> {
        let bytes = key_bytes(key);
        let mut row = None;
        read.read(self.id, &bytes, &mut |found| row = Some(self.decode(&bytes, found)))?;
        row.transpose()
    }

    /// Shows the rows in `range` to `visit` until it breaks; stops at the first corrupt row.
    pub fn scan(
        &self,
        read: &(impl Read + ?Sized),
        range: Range<Vec<u8>>,
        direction: Direction,
        mut visit: impl FnMut(K, R) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut fault = None;
        read.scan(self.id, range, direction, &mut |key, row| {
            let decoded =
                self.decode_key(key).and_then(|typed_key| Ok((typed_key, self.decode(key, row)?)));
            match decoded {
                Ok((key, row)) => visit(key, row),
                Err(error) => {
                    fault = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        fault.map_or(Ok(()), Err)
    }

    /// Sets the row under `key`.
    pub fn put(&self, transaction: &mut dyn Transaction, key: &K, row: &R) {
        let mut writer = Writer::with_capacity(256);
        row.write_row(&mut writer);
        transaction.put(self.id, &key_bytes(key), writer.as_bytes());
    }

    /// Removes the row under `key`.
    pub fn delete(&self, transaction: &mut dyn Transaction, key: &K) {
        transaction.delete(self.id, &key_bytes(key));
    }

    /// A guard on the row under `key`.
    pub fn guard(&self, key: &K) -> Guard {
        Guard { column: self.id, key: key_bytes(key) }
    }

    /// Decodes a whole row; errors name the column and key.
    pub fn decode(&self, key: &[u8], row: &[u8]) -> Result<R, StoreError> {
        let mut reader = Reader::new(row);
        R::read_row(&mut reader)
            .and_then(|typed| reader.finish("row").map(|()| typed))
            .map_err(|reason| self.corrupt(key, reason))
    }

    /// Decodes a key; errors name the column and key.
    pub fn decode_key(&self, key: &[u8]) -> Result<K, StoreError> {
        K::read_key(key).map_err(|reason| self.corrupt(key, reason))
    }

    fn corrupt(&self, key: &[u8], reason: Corrupt) -> StoreError {
        let key = data_encoding::HEXLOWER.encode(key);
        StoreError::Corrupt { column: self.id.name(), key, reason }
    }
}

/// The bytes of a key.
pub fn key_bytes(key: &impl Key) -> Vec<u8> {
    let mut writer = Writer::with_capacity(64);
    key.write_key(&mut writer);
    writer.into_bytes()
}

impl Key for crate::identifier::CanonicalKey {
    fn write_key(&self, writer: &mut Writer) {
        writer.raw(self.as_bytes());
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        Self::from_bytes(bytes)
    }
}

impl Row for crate::identifier::CanonicalKey {
    fn write_row(&self, writer: &mut Writer) {
        writer.raw(self.as_bytes());
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Self::from_bytes(reader.rest())
    }
}

/// Text as a key: its bytes.
impl Key for String {
    fn write_key(&self, writer: &mut Writer) {
        writer.raw(self.as_bytes());
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Corrupt::Utf8("key"))
    }
}
