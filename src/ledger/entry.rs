//! Entries: what the tree hashes (`np-entry/v1`).

use crate::codec::{Corrupt, Reader, Writer};

use super::hash::Hash;

/// One entry. Its position in the log is its index; it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub kind: EntryKind,
    /// When the change was made; milliseconds since 1970.
    pub time_ms: u64,
    /// Version of the subject that the change made; 1, 2, …
    pub version: u64,
    /// Salted Merkle root over subject, metadata and content.
    pub commitment: Hash,
}

impl Entry {
    /// The entry's bytes: u8 format, u8 kind, u64 time, u64 version, 32 bytes of commitment.
    pub fn to_bytes(&self) -> [u8; ENTRY_BYTES] {
        let mut writer = Writer::with_capacity(ENTRY_BYTES);
        writer.u8(ENTRY_FORMAT).u8(self.kind as u8).u64(self.time_ms).u64(self.version);
        writer.raw(&self.commitment);
        *writer.as_bytes().first_chunk().expect("the fields are 50 bytes")
    }

    /// Reads an entry; other lengths, formats and kinds are refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        if reader.u8("entry format")? != ENTRY_FORMAT {
            return Err(Corrupt::Format("entry format"));
        }
        let entry = Self {
            kind: EntryKind::from_byte(reader.u8("entry kind")?)?,
            time_ms: reader.u64("entry time")?,
            version: reader.u64("entry version")?,
            commitment: reader.array("commitment")?,
        };
        reader.finish("entry").map(|()| entry)
    }
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// A record was made or replaced.
    Put = 1,
    /// An identifier was retired.
    Retire = 2,
    /// A prefix was allocated, changed or given up.
    Prefix = 3,
    /// A prefix was delegated to another node.
    Delegation = 4,
    /// A registrant was entered or changed.
    Registrant = 5,
    /// A template was made or changed.
    Template = 6,
    /// A token, grant or role was given or taken.
    Grant = 7,
    /// A public key was entered or changed.
    Key = 8,
    /// Who signs for a log was decided.
    Epoch = 9,
}

impl EntryKind {
    /// All kinds.
    pub const ALL: [EntryKind; 9] = [
        EntryKind::Put,
        EntryKind::Retire,
        EntryKind::Prefix,
        EntryKind::Delegation,
        EntryKind::Registrant,
        EntryKind::Template,
        EntryKind::Grant,
        EntryKind::Key,
        EntryKind::Epoch,
    ];

    /// The kind's word.
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::Put => "put",
            EntryKind::Retire => "retire",
            EntryKind::Prefix => "prefix",
            EntryKind::Delegation => "delegation",
            EntryKind::Registrant => "registrant",
            EntryKind::Template => "template",
            EntryKind::Grant => "grant",
            EntryKind::Key => "key",
            EntryKind::Epoch => "epoch",
        }
    }

    /// Whether the entry's content is a body of its own rather than a record.
    pub fn has_body(self) -> bool {
        !matches!(self, EntryKind::Put | EntryKind::Retire)
    }

    fn from_byte(byte: u8) -> Result<Self, Corrupt> {
        Ok(match byte {
            1 => EntryKind::Put,
            2 => EntryKind::Retire,
            3 => EntryKind::Prefix,
            4 => EntryKind::Delegation,
            5 => EntryKind::Registrant,
            6 => EntryKind::Template,
            7 => EntryKind::Grant,
            8 => EntryKind::Key,
            9 => EntryKind::Epoch,
            _ => return Err(Corrupt::Range("entry kind")),
        })
    }
}

/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 50;

/// Number of the entry's format.
const ENTRY_FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::super::hash::leaf_hash;
    use super::super::vectors::{bytes, examples, hash};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_is_met_byte_by_byte() {
        let examples = examples();
        let entry = Entry {
            kind: EntryKind::Put,
            time_ms: 1_767_225_600_000,
            version: 3,
            commitment: hash(&examples, "/registry_entry/commitment"),
        };
        assert_eq!(entry.to_bytes().as_slice(), bytes(&examples, "/registry_entry/entry"));
        assert_eq!(
            leaf_hash(&entry.to_bytes()),
            hash(&examples, "/registry_entry/ledger_leaf_hash")
        );
    }

    proptest! {
        #[test]
        fn what_is_read_is_written(
            mut bytes in prop::collection::vec(any::<u8>(), 48..53), kind in 0u8..12,
        ) {
            bytes[0] = 1;
            bytes[1] = kind;
            match Entry::from_bytes(&bytes) {
                Ok(entry) => prop_assert_eq!(entry.to_bytes().to_vec(), bytes),
                Err(_) => prop_assert!(bytes.len() != 50 || !(1..=9).contains(&kind)),
            }
        }
    }
}
