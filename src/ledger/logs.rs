//! The logs a node knows of: its own, one after the other, a generation each.

use std::ops::ControlFlow;

use super::hash::Hash;
use super::note::{NoteError, check_name};
use crate::codec::{Corrupt, Reader, Writer};
use crate::store::{Column, ColumnId, Direction, Read, Row, StoreError, Transaction};

/// `log/<number>` -> log.
const LOGS: Column<String, LogRow> = Column::new(ColumnId::Meta);

/// A log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// The node's own number for it; the highest is the one that is written.
    pub id: u32,
    /// Its name in checkpoints, `<host>/<path>/log/<generation>`.
    pub origin: String,
    /// Counts restores that lost entries.
    pub generation: u32,
    /// When it was started; milliseconds since 1970.
    pub created_ms: u64,
    /// Where the log before it ended, as far as known.
    pub predecessor: Option<Predecessor>,
}

/// The end of the log that another one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// The log's number.
    pub log: u32,
    /// How many entries were kept.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Puts the row of a new log. `id` must be higher than that of every other log, and `origin` must
/// never have been used (see [`log_origin`]); an origin that no note can carry is refused.
pub fn start_log(
    transaction: &mut dyn Transaction,
    id: u32,
    origin: &str,
    generation: u32,
    predecessor: Option<Predecessor>,
    now_ms: u64,
) -> Result<LogRow, NoteError> {
    check_name(origin)?;
    let log = LogRow { id, origin: origin.to_owned(), generation, created_ms: now_ms, predecessor };
    LOGS.put(transaction, &format!("{FOLDER}{id:010}"), &log);
    Ok(log)
}

/// The origin of a generation; `base` is the public address without scheme and final slash.
pub fn log_origin(base: &str, generation: u32) -> String {
    format!("{base}/log/{generation}")
}

/// The log that is written; none in a new store.
pub fn current_log(read: &dyn Read) -> Result<Option<LogRow>, StoreError> {
    Ok(logs(read)?.pop())
}

/// All logs, oldest first.
pub fn logs(read: &dyn Read) -> Result<Vec<LogRow>, StoreError> {
    let mut found = Vec::new();
    let range = FOLDER.as_bytes().to_vec()..FOLDER_END.as_bytes().to_vec();
    LOGS.scan(read, range, Direction::Forward, |_, log| {
        found.push(log);
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

impl Row for LogRow {
    fn write_row(&self, writer: &mut Writer) {
        writer.u8(ROW_FORMAT).u32(self.id).u32(self.generation).u64(self.created_ms);
        writer.short_text(&self.origin).u8(u8::from(self.predecessor.is_some()));
        if let Some(before) = &self.predecessor {
            writer.u32(before.log).u64(before.size).raw(&before.root);
        }
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        if reader.u8("log format")? != ROW_FORMAT {
            return Err(Corrupt::Format("log format"));
        }
        let (id, generation) = (reader.u32("log")?, reader.u32("generation")?);
        let created_ms = reader.u64("created")?;
        let origin = reader.short_text("origin")?.to_owned();
        let predecessor = match reader.u8("predecessor")? {
            0 => None,
            1 => Some(Predecessor {
                log: reader.u32("predecessor")?,
                size: reader.u64("predecessor size")?,
                root: reader.array("predecessor root")?,
            }),
            _ => return Err(Corrupt::Range("predecessor")),
        };
        Ok(Self { id, origin, generation, created_ms, predecessor })
    }
}

/// What the keys of logs begin with.
const FOLDER: &str = "log/";

/// The first key behind all logs.
const FOLDER_END: &str = "log0";

/// Number of the row's disk format.
const ROW_FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::memory::MemoryStore;

    #[test]
    fn the_newest_log_is_current() {
        let store = MemoryStore::default();
        assert_eq!(current_log(&store).unwrap(), None);
        let mut changes = store.begin();
        changes.put(ColumnId::Meta, b"format", b"another room's");
        changes.put(ColumnId::Meta, b"version", b"another room's");
        let origin = log_origin("node.example", 1);
        let first = start_log(&mut *changes, 1, &origin, 1, None, 5).unwrap();
        changes.commit().unwrap();
        assert_eq!(first.origin, "node.example/log/1");
        assert_eq!(current_log(&store).unwrap(), Some(first.clone()));
        let mut changes = store.begin();
        let before = Predecessor { log: 1, size: 9, root: [3; 32] };
        let second = start_log(&mut *changes, 10, "b/log/2", 2, Some(before), 6).unwrap();
        assert!(start_log(&mut *changes, 11, "with blank/log/3", 3, None, 7).is_err());
        changes.commit().unwrap();
        assert_eq!(logs(&store).unwrap(), [first, second]);
    }
}
