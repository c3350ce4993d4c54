//! Commitments: the salted Merkle roots that entries carry.
//!
//! The components of a change are the leaves of a small tree: subject, metadata, then the values
//! in order of index, or one body. Each begins with a tag and a salt of its own, so that any of
//! them can be shown or withheld, proved or erased without touching the rest.

use super::hash::{Hash, leaf_hash, sha256};
use super::tree::Peaks;
use crate::codec::Writer;
use crate::identifier::Prefix;
use crate::record::Record;
use crate::signing::SaltKey;

/// The commitment to one version of a record (kinds 1 and 2).
pub fn record_commitment(key: &SaltKey, record: &Record) -> Hash {
    let subject = record.identifier.key().as_bytes();
    let mut components = Components::new(key, subject, record.version, &record.meta_json());
    for value in &record.values {
        components.add("np-value/v1\n", |writer| value.write_committed(writer));
    }
    components.tree.root()
}

/// The commitment to what an entry of the kinds 3 to 9 says; `meta` and `body` are canonical JSON.
pub fn body_commitment(
    key: &SaltKey,
    subject: &[u8],
    version: u64,
    meta: &str,
    body: &str,
) -> Hash {
    let mut components = Components::new(key, subject, version, meta);
    components.add("np-body/v1\n", |writer| _ = writer.raw(body.as_bytes()));
    components.tree.root()
}

/// The subject of entries about a prefix: the canonical key of its own handle, `0.NA/<prefix>`.
pub fn subject_of_prefix(prefix: &Prefix) -> Vec<u8> {
    [b"\x010.NA/", prefix.as_str().as_bytes()].concat()
}

/// The subject of entries about what has no identifier, such as tokens and epochs: a zero byte,
/// which no canonical key begins with, and the name.
pub fn subject_of_node(name: &str) -> Vec<u8> {
    [b"\0", name.as_bytes()].concat()
}

/// Components while they are hashed, one after the other in one buffer.
struct Components {
    record_salt: [u8; 32],
    buffer: Writer,
    tree: Peaks,
}

impl Components {
    fn new(key: &SaltKey, subject: &[u8], version: u64, meta: &str) -> Self {
        let record_salt = key.record_salt(subject, version);
        let mut components =
            Self { record_salt, buffer: Writer::with_capacity(1_024), tree: Peaks::default() };
        components.add("np-subject/v1\n", |writer| _ = writer.raw(subject));
        components.add("np-meta/v1\n", |writer| _ = writer.raw(meta.as_bytes()));
        components
    }

    /// Adds tag ‖ salt ‖ content. Salt i is the first half of SHA-256(record salt ‖ u32 i).
    fn add(&mut self, tag: &str, write: impl FnOnce(&mut Writer)) {
        let mut salted = [0; 36];
        salted[..32].copy_from_slice(&self.record_salt);
        salted[32..].copy_from_slice(&(self.tree.size() as u32).to_be_bytes());
        let start = self.buffer.as_bytes().len();
        self.buffer.raw(tag.as_bytes()).raw(&sha256(&salted)[..16]);
        write(&mut self.buffer);
        let component = &self.buffer.as_bytes()[start..];
        self.tree.push(0, leaf_hash(component), |_, _| {});
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree_hash;
    use super::super::vectors::{bytes, examples, hash, list, text};
    use super::*;
    use crate::identifier::Identifier;
    use crate::record::{Form, Permissions, Status, Ttl, Value};
    use crate::signing::NodeKeys;

    fn value(index: u32, kind: &str, data: &str, permissions: u8) -> Value {
        Value {
            index,
            kind: kind.into(),
            data: data.into(),
            form: Form::Text,
            ttl: Ttl::DEFAULT,
            permissions: Permissions(permissions),
            timestamp: 1_767_225_600,
            references: Vec::new(),
        }
    }

    /// The record of the example.
    fn record() -> Record {
        Record {
            identifier: Identifier::literal("88.100.1/PUMP-7").unwrap(),
            values: vec![
                value(1, "URL", "https://example.com/p/7", 0x0e),
                value(2000, "model", "P-7", 0x0e),
                value(2001, "cost", "120", 0x0c),
            ],
            version: 3,
            status: Status::Active,
            registrant: "R-12".into(),
            held_apart: false,
            actor: "account:7".into(),
            reason: String::new(),
            created_ms: 0,
            modified_ms: 1_767_225_600_000,
        }
    }

    #[test]
    fn the_example_is_met_byte_by_byte() {
        let examples = examples();
        let example = &examples["registry_entry"];
        let salt = NodeKeys::from_seeds(&[0; 32], hash(example, "/salt_key")).salt;
        let record = record();
        assert_eq!(record.meta_json(), text(example, "/meta"));
        assert_eq!(record.identifier.key().as_bytes(), bytes(example, "/canonical_key"));
        let subject = record.identifier.key().as_bytes();
        assert_eq!(salt.record_salt(subject, 3), hash(example, "/record_salt"));
        let mut components = Components::new(&salt, subject, 3, &record.meta_json());
        for value in &record.values {
            components.add("np-value/v1\n", |writer| value.write_committed(writer));
        }
        let parts: Vec<_> = (0..list(example, "/components").len())
            .map(|i| bytes(example, &format!("/components/{i}")))
            .collect();
        assert_eq!(components.buffer.as_bytes(), parts.concat());
        assert_eq!(tree_hash(&parts), hash(example, "/commitment"));
        assert_eq!(record_commitment(&salt, &record), hash(example, "/commitment"));
    }

    #[test]
    fn bodies_take_the_place_of_values() {
        let salt = NodeKeys::from_seeds(&[0; 32], [7; 32]).salt;
        let (meta, body) = (r#"{"actor":"a"}"#, r#"{"prefix":"88"}"#);
        let salted = |i: u32| {
            let record_salt = salt.record_salt(b"\x010.NA/88", 1);
            sha256(&[&record_salt[..], &i.to_be_bytes()].concat())[..16].to_vec()
        };
        let components = [
            [b"np-subject/v1\n".as_slice(), &salted(0), b"\x010.NA/88"].concat(),
            [b"np-meta/v1\n".as_slice(), &salted(1), meta.as_bytes()].concat(),
            [b"np-body/v1\n".as_slice(), &salted(2), body.as_bytes()].concat(),
        ];
        let subject = subject_of_prefix(&Prefix::parse("88").unwrap());
        assert_eq!(body_commitment(&salt, &subject, 1, meta, body), tree_hash(components));
    }

    #[test]
    fn prefixes_are_meant_by_their_own_handle() {
        let prefix = Prefix::parse("88.118.abc").unwrap();
        let handle = Identifier::literal("0.NA/88.118.abc").unwrap();
        assert_eq!(subject_of_prefix(&prefix), handle.key().as_bytes());
    }
}
