//! What was registered and looked up, by prefix and day.

use super::{Column, ColumnId, Key, Row};
use crate::codec::{Corrupt, Reader, Writer};
use crate::identifier::Prefix;

/// Prefix and day -> what was registered and looked up. Written by the writer alone.
pub const STATISTICS: Column<StatisticsKey, StatisticsRow> = Column::new(ColumnId::Statistics);

/// Key of [`STATISTICS`]: the days of a prefix are neighbours, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StatisticsKey {
    /// One of the node's prefixes; none for questions about others'.
    pub prefix: Option<Prefix>,
    /// Days since 1970-01-01, by the node's own offset from UTC.
    pub day: u32,
}

/// Row of [`STATISTICS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatisticsRow {
    /// Identifiers registered.
    pub registrations: u64,
    /// Versions made of records that were there.
    pub changes: u64,
    /// Identifiers retired.
    pub retirements: u64,
    /// Look-ups: for each protocol five cells, one for each outcome.
    pub lookups: [u64; LOOKUP_CELLS],
}

/// Cells of look-ups; room for three protocols and a spare.
pub const LOOKUP_CELLS: usize = 16;

impl Key for StatisticsKey {
    fn write_key(&self, writer: &mut Writer) {
        let prefix = self.prefix.as_ref().map_or("", Prefix::as_str);
        // No prefix holds a zero byte.
        writer.raw(prefix.as_bytes()).u8(0).u32(self.day);
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (prefix, day) = bytes.split_last_chunk().ok_or(Corrupt::Truncated("statistics key"))?;
        let prefix = match prefix.split_last() {
            Some((0, [])) => None,
            Some((0, prefix)) => Some(Prefix::read_key(prefix)?),
            _ => return Err(Corrupt::Range("statistics key")),
        };
        Ok(Self { prefix, day: u32::from_be_bytes(*day) })
    }
}

impl Row for StatisticsRow {
    fn write_row(&self, writer: &mut Writer) {
        writer.u8(ROW_FORMAT).varint(self.registrations).varint(self.changes);
        writer.varint(self.retirements);
        let used = self.lookups.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1);
        writer.varint(used as u64);
        for &count in self.lookups.iter().take(used) {
            writer.varint(count);
        }
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        if reader.u8("statistics format")? != ROW_FORMAT {
            return Err(Corrupt::Format("statistics format"));
        }
        let mut row = Self {
            registrations: reader.varint("registrations")?,
            changes: reader.varint("changes")?,
            retirements: reader.varint("retirements")?,
            lookups: [0; LOOKUP_CELLS],
        };
        let used = reader.count(1, "look-ups")?;
        let cells = row.lookups.get_mut(..used).ok_or(Corrupt::Range("look-ups"))?;
        for cell in cells.iter_mut() {
            *cell = reader.varint("look-ups")?;
        }
        // Cells without counts behind the last are not written.
        if cells.last() == Some(&0) { Err(Corrupt::Range("look-ups")) } else { Ok(row) }
    }
}

/// Number of the row's disk format.
const ROW_FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::key_bytes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_and_rows_read_back(
            day in any::<u32>(), counts in prop::array::uniform16(0u64..3), changes in any::<u64>(),
        ) {
            for prefix in [None, Some(Prefix::parse("88.118").unwrap())] {
                let key = StatisticsKey { prefix, day };
                prop_assert_eq!(StatisticsKey::read_key(&key_bytes(&key)), Ok(key));
            }
            let row = StatisticsRow { changes, lookups: counts, ..StatisticsRow::default() };
            let mut writer = Writer::default();
            row.write_row(&mut writer);
            let mut reader = Reader::new(writer.as_bytes());
            prop_assert_eq!(StatisticsRow::read_row(&mut reader), Ok(row));
            prop_assert!(reader.finish("row").is_ok());
        }

        #[test]
        fn any_bytes_are_a_row_or_corrupt(bytes in prop::collection::vec(0u8..4, 0..30)) {
            let _ = StatisticsRow::read_row(&mut Reader::new(&bytes));
            if let Ok(key) = StatisticsKey::read_key(&bytes) {
                prop_assert_eq!(key_bytes(&key), bytes);
            }
        }
    }
}
