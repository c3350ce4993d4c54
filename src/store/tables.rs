//! The columns whose rows are records, names and prefixes.

use super::{Column, ColumnId, Key, Row, StoredDocument};
use crate::codec::{Corrupt, Reader, Writer};
use crate::identifier::{CanonicalKey, Prefix};
use crate::ledger::Position;
use crate::record::Record;
use crate::registrant::Allocation;

/// Canonical key -> latest record.
pub const RECORDS: Column<CanonicalKey, StoredRecord> = Column::new(ColumnId::Records);

/// Canonical key and version -> record as it was; the latest version is in [`RECORDS`] only.
pub const VERSIONS: Column<VersionKey, StoredRecord> = Column::new(ColumnId::Versions);

/// Prefix and digest -> identifier whose suffix fits no DNS label.
pub const NAMES: Column<NameKey, CanonicalKey> = Column::new(ColumnId::Names);

/// Prefix -> what this node is to it.
pub const PREFIXES: Column<Prefix, StoredPrefix> = Column::new(ColumnId::Prefixes);

/// A record and the ledger entry that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Where the entry stands.
    pub position: Position,
    /// The record.
    pub record: Record,
}

impl Row for StoredRecord {
    fn write_row(&self, writer: &mut Writer) {
        write_position(writer, self.position);
        self.record.write_disk(writer);
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let position = read_position(reader)?;
        Ok(Self { position, record: Record::read_disk(reader)? })
    }
}

/// A prefix of this node, and the ledger entry that proves it.
pub type StoredPrefix = StoredDocument<Allocation>;

/// Writes the position in front of a row; the writer knows it last.
pub fn write_position(writer: &mut Writer, position: Position) {
    writer.varint(u64::from(position.log)).varint(position.index);
}

pub(super) fn read_position(reader: &mut Reader<'_>) -> Result<Position, Corrupt> {
    let log = u32::try_from(reader.varint("log")?).map_err(|_| Corrupt::Range("log"))?;
    Ok(Position { log, index: reader.varint("ledger index")? })
}

/// Name -> number that only grows. Written by the writer alone, which keeps them in memory.
pub const COUNTERS: Column<String, Count> = Column::new(ColumnId::Counters);

/// A number that only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

impl Row for Count {
    fn write_row(&self, writer: &mut Writer) {
        writer.varint(self.0);
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        reader.varint("count").map(Self)
    }
}

/// Name of the counter of a prefix's identifiers, retired ones included; those below prefixes of
/// this node's own count there.
pub fn identifier_counter(prefix: &Prefix) -> String {
    format!("identifiers/{prefix}")
}

/// Key of [`VERSIONS`]: all versions of an identifier are neighbours, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionKey {
    /// The identifier.
    pub key: CanonicalKey,
    /// The version.
    pub version: u64,
}

impl Key for VersionKey {
    fn write_key(&self, writer: &mut Writer) {
        // No key holds a zero byte, so it ends the key without disturbing the order.
        writer.raw(self.key.as_bytes()).u8(0).u64(self.version);
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (key, version) = bytes.split_last_chunk().ok_or(Corrupt::Truncated("version key"))?;
        let (&end, key) = key.split_last().ok_or(Corrupt::Truncated("version key"))?;
        if end != 0 {
            return Err(Corrupt::Range("version key"));
        }
        Ok(Self { key: CanonicalKey::from_bytes(key)?, version: u64::from_be_bytes(*version) })
    }
}

/// Key of [`NAMES`]: the prefix's names are neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameKey {
    /// The identifier's prefix.
    pub prefix: Prefix,
    /// First 20 bytes of SHA-256 of the canonical key.
    pub digest: [u8; 20],
}

impl Key for NameKey {
    fn write_key(&self, writer: &mut Writer) {
        writer.raw(self.prefix.as_str().as_bytes()).u8(b'/').raw(&self.digest);
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (prefix, &digest) = bytes.split_last_chunk().ok_or(Corrupt::Truncated("name key"))?;
        let prefix = prefix.strip_suffix(b"/").ok_or(Corrupt::Range("name key"))?;
        Ok(Self { prefix: Prefix::read_key(prefix)?, digest })
    }
}

impl Key for Prefix {
    fn write_key(&self, writer: &mut Writer) {
        writer.raw(self.as_str().as_bytes());
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let text = std::str::from_utf8(bytes).map_err(|_| Corrupt::Utf8("prefix"))?;
        let prefix = Prefix::parse(text).map_err(|_| Corrupt::Range("prefix"))?;
        if prefix.as_str() == text { Ok(prefix) } else { Err(Corrupt::Range("prefix")) }
    }
}
