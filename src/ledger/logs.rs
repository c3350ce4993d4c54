//! The logs a node knows of: its own, one after the other, a generation each.

use std::ops::ControlFlow;

use super::hash::Hash;
use super::note::{NoteError, VerifierKey};
use crate::codec::{Corrupt, Reader, Writer};
use crate::signing::NodeKeys;
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
    /// The public half of the key that signs its checkpoints.
    pub public: [u8; 32],
    /// Which salt key its entries are salted with (see [`crate::signing::SaltKey::id`]).
    pub salt_key_id: [u8; 8],
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

impl LogRow {
    /// The first log of a new node; `base` is its public address without scheme and final slash.
    pub fn first(base: &str, keys: &NodeKeys, now_ms: u64) -> Self {
        Self {
            id: 1,
            origin: origin(base, 1),
            generation: 1,
            public: keys.log.public(),
            salt_key_id: keys.salt.id(),
            created_ms: now_ms,
            predecessor: None,
        }
    }

    /// The log after this one: same base, next generation, perhaps another key.
    pub fn next(&self, predecessor: Predecessor, keys: &NodeKeys, now_ms: u64) -> Self {
        let base = self.origin.strip_suffix(&origin("", self.generation));
        let generation = self.generation.saturating_add(1);
        Self {
            id: self.id.saturating_add(1),
            origin: origin(base.unwrap_or(&self.origin), generation),
            generation,
            public: keys.log.public(),
            salt_key_id: keys.salt.id(),
            created_ms: now_ms,
            predecessor: Some(predecessor),
        }
    }

    /// The key that the log's checkpoints are checked with; origins that no note can carry are
    /// refused.
    pub fn verifier(&self) -> Result<VerifierKey, NoteError> {
        VerifierKey::new(&self.origin, self.public)
    }
}

/// Puts the row of a log, which becomes the current one when its number is the highest.
pub fn start_log(transaction: &mut dyn Transaction, log: &LogRow) {
    LOGS.put(transaction, &format!("{FOLDER}{:010}", log.id), log);
}

fn origin(base: &str, generation: u32) -> String {
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
        writer
            .raw(&self.public)
            .raw(&self.salt_key_id)
            .short_text(&self.origin)
            .u8(u8::from(self.predecessor.is_some()));
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
        let public = reader.array("log key")?;
        let salt_key_id = reader.array("salt key id")?;
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
        Ok(Self { id, origin, generation, public, salt_key_id, created_ms, predecessor })
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
        let keys = NodeKeys::from_seeds(&[1; 32], [2; 32]);
        let first = LogRow::first("node.example", &keys, 5);
        start_log(&mut *changes, &first);
        changes.commit().unwrap();
        assert_eq!(first.origin, "node.example/log/1");
        assert_eq!(current_log(&store).unwrap(), Some(first.clone()));
        let before = Predecessor { log: 1, size: 9, root: [3; 32] };
        let keys = NodeKeys::from_seeds(&[4; 32], [2; 32]);
        let second = first.next(before, &keys, 6);
        assert_eq!((second.id, second.origin.as_str()), (2, "node.example/log/2"));
        assert_eq!((second.public, second.predecessor), (keys.log.public(), Some(before)));
        let mut changes = store.begin();
        start_log(&mut *changes, &second);
        changes.commit().unwrap();
        assert_eq!(logs(&store).unwrap(), [first, second]);
    }
}
