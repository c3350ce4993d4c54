//! The ledger's columns: entries, bodies, tiles, checkpoints.

use super::Position;
use super::entry::{ENTRY_BYTES, Entry};
use super::hash::Hash;
use super::tile::TILE_WIDTH;
use crate::codec::{Corrupt, Reader, Writer};
use crate::store::{Column, ColumnId, Key, Row};

/// Log and index -> entry and what it is about.
pub const JOURNAL: Column<Position, JournalRow> = Column::new(ColumnId::Journal);

/// Log and index -> metadata and body, of the entries whose kind has a body.
pub const BODIES: Column<Position, BodyRow> = Column::new(ColumnId::Bodies);

/// Log, level and number -> full tile, from level 1 up.
pub const TILES: Column<TileKey, TileRow> = Column::new(ColumnId::Tiles);

/// Log and size -> signed checkpoint; the newest only.
pub const CHECKPOINTS: Column<CheckpointKey, CheckpointRow> = Column::new(ColumnId::Checkpoints);

/// An entry and its subject, which the entry itself does not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// The entry.
    pub entry: Entry,
    /// Canonical key, or another subject (see [`super::subject_of_node`]).
    pub subject: Vec<u8>,
}

impl Row for JournalRow {
    fn write_row(&self, writer: &mut Writer) {
        writer.u8(ROW_FORMAT).raw(&self.entry.to_bytes()).raw(&self.subject);
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        read_format(reader)?;
        let entry = Entry::from_bytes(reader.take(ENTRY_BYTES, "entry")?)?;
        Ok(Self { entry, subject: reader.rest().to_vec() })
    }
}

/// What an entry of the kinds 3 to 9 commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyRow {
    /// Canonical JSON of who, why and what came before.
    pub meta: String,
    /// Canonical JSON of the thing itself.
    pub body: String,
}

impl Row for BodyRow {
    fn write_row(&self, writer: &mut Writer) {
        writer.u8(ROW_FORMAT).short_text(&self.meta).short_text(&self.body);
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        read_format(reader)?;
        let meta = reader.short_text("metadata")?.to_owned();
        Ok(Self { meta, body: reader.short_text("body")?.to_owned() })
    }
}

/// A full tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileRow {
    /// Its 256 hashes.
    pub hashes: Vec<Hash>,
}

impl Row for TileRow {
    fn write_row(&self, writer: &mut Writer) {
        debug_assert_eq!(self.hashes.len() as u64, TILE_WIDTH);
        writer.u8(ROW_FORMAT).raw(self.hashes.as_flattened());
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        read_format(reader)?;
        let hashes: Result<_, _> = (0..TILE_WIDTH).map(|_| reader.array("hash")).collect();
        hashes.map(|hashes| Self { hashes })
    }
}

/// A signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// The note, as it is served.
    pub note: String,
}

impl Row for CheckpointRow {
    fn write_row(&self, writer: &mut Writer) {
        writer.u8(ROW_FORMAT).short_text(&self.note);
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        read_format(reader)?;
        Ok(Self { note: reader.short_text("checkpoint")?.to_owned() })
    }
}

impl Key for Position {
    fn write_key(&self, writer: &mut Writer) {
        writer.u32(self.log).u64(self.index);
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        let position = Self { log: reader.u32("log")?, index: reader.u64("ledger index")? };
        reader.finish("position").map(|()| position)
    }
}

/// Key of [`TILES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileKey {
    /// The log's number.
    pub log: u32,
    /// Level; 1 holds the roots of 256 entries each.
    pub level: u8,
    /// Number within the level, from 0.
    pub number: u64,
}

impl Key for TileKey {
    fn write_key(&self, writer: &mut Writer) {
        writer.u32(self.log).u8(self.level).u64(self.number);
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        let (log, level) = (reader.u32("log")?, reader.u8("tile level")?);
        let key = Self { log, level, number: reader.u64("tile number")? };
        reader.finish("tile key").map(|()| key)
    }
}

/// Key of [`CHECKPOINTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointKey {
    /// The log's number.
    pub log: u32,
    /// How many entries it covers.
    pub size: u64,
}

impl Key for CheckpointKey {
    fn write_key(&self, writer: &mut Writer) {
        writer.u32(self.log).u64(self.size);
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        let key = Self { log: reader.u32("log")?, size: reader.u64("checkpoint size")? };
        reader.finish("checkpoint key").map(|()| key)
    }
}

fn read_format(reader: &mut Reader<'_>) -> Result<(), Corrupt> {
    match reader.u8("row format")? {
        ROW_FORMAT => Ok(()),
        _ => Err(Corrupt::Format("row format")),
    }
}

/// Number of the disk format of all rows here.
const ROW_FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::super::entry::EntryKind;
    use super::*;
    use crate::store::key_bytes;
    use proptest::prelude::*;

    fn reread<R: Row>(row: &R) -> Result<R, Corrupt> {
        let mut writer = Writer::default();
        row.write_row(&mut writer);
        let mut reader = Reader::new(writer.as_bytes());
        let row = R::read_row(&mut reader)?;
        reader.finish("row").map(|()| row)
    }

    proptest! {
        #[test]
        fn rows_read_back(subject in any::<Vec<u8>>(), text in ".{0,20}", byte in any::<u8>()) {
            let kind = EntryKind::Key;
            let entry = Entry { kind, time_ms: 1, version: 2, commitment: [byte; 32] };
            let row = JournalRow { entry, subject };
            prop_assert_eq!(reread(&row), Ok(row));
            let row = BodyRow { meta: text.clone(), body: format!("{text}2") };
            prop_assert_eq!(reread(&row), Ok(row));
            let row = TileRow { hashes: vec![[byte; 32]; 256] };
            prop_assert_eq!(reread(&row), Ok(row));
            let row = CheckpointRow { note: text };
            prop_assert_eq!(reread(&row), Ok(row));
        }

        #[test]
        fn keys_read_back_and_sort(
            log in any::<u32>(), one in any::<u64>(), two in any::<u64>(), level in any::<u8>(),
        ) {
            let [one, two] = [one, two].map(|index| Position { log, index });
            prop_assert_eq!(Position::read_key(&key_bytes(&one)), Ok(one));
            prop_assert_eq!(key_bytes(&one).cmp(&key_bytes(&two)), one.cmp(&two));
            let tile = TileKey { log, level, number: one.index };
            prop_assert_eq!(TileKey::read_key(&key_bytes(&tile)), Ok(tile));
            let checkpoint = CheckpointKey { log, size: one.index };
            prop_assert_eq!(CheckpointKey::read_key(&key_bytes(&checkpoint)), Ok(checkpoint));
        }

        #[test]
        fn any_bytes_are_a_row_or_corrupt(mut bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(first) = bytes.first_mut() {
                *first = ROW_FORMAT;
            }
            let _ = JournalRow::read_row(&mut Reader::new(&bytes));
            let _ = BodyRow::read_row(&mut Reader::new(&bytes));
            let _ = CheckpointRow::read_row(&mut Reader::new(&bytes));
            prop_assert!(TileRow::read_row(&mut Reader::new(&bytes)).is_err());
        }
    }
}
