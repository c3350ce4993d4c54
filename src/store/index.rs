//! The columns by which records are found: attribute values, unique values, references.
//!
//! Their rows follow from the records alone and are written in the same transaction, so that they
//! are never stale. What they hold is in `schemas/store-format.md`.

use std::ops::Range;

use super::{Column, ColumnId, Key, Row};
use crate::codec::{Corrupt, Reader, Writer};
use crate::identifier::{CanonicalKey, Prefix};
use crate::registrant::RegistrantId;

/// Prefix, template, attribute, value and suffix -> nothing.
pub const INDEXES: Column<IndexKey, Present> = Column::new(ColumnId::Indexes);

/// Prefix, template, attribute and value -> the identifier that has the value.
pub const UNIQUE: Column<UniqueKey, CanonicalKey> = Column::new(ColumnId::Unique);

/// Identifier referred to and identifier that refers -> the attributes by which it does.
pub const REFERENCES: Column<ReferenceKey, ReferringAttributes> = Column::new(ColumnId::References);

/// Key of [`INDEXES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexKey {
    /// A record that has a value.
    Value {
        /// The record's own prefix.
        prefix: Prefix,
        /// The template's number.
        template: u32,
        /// The attribute's index; 0 for "has this template at all", with an empty value.
        attribute: u32,
        /// The value's bytes and behind them the record's suffix, folded. The bytes are prefix-free
        /// ([`crate::template::Template::index_bytes`]).
        tail: Vec<u8>,
    },
    /// A record whose registrant holds it apart from its prefix.
    Apart {
        /// The registrant.
        registrant: RegistrantId,
        /// The record.
        key: CanonicalKey,
    },
    /// A grant in force, by who gets it.
    Granted {
        /// The grantee, as names of grants have it.
        grantee: String,
        /// Name of the grant.
        grant: String,
    },
    /// A member of a group.
    Member {
        /// The member.
        registrant: RegistrantId,
        /// Name of the group's document.
        group: String,
    },
}

impl IndexKey {
    /// The range of all keys about grants and members of groups.
    pub fn of_grants() -> std::ops::Range<Vec<u8>> {
        vec![GRANTED]..vec![MEMBER + 1]
    }
}

/// Key of [`UNIQUE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueKey {
    /// The record's own prefix.
    pub prefix: Prefix,
    /// The template's number.
    pub template: u32,
    /// The attribute's index.
    pub attribute: u32,
    /// The value's bytes.
    pub value: Vec<u8>,
}

/// Key of [`REFERENCES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceKey {
    /// The identifier referred to; it need not be this node's.
    pub target: CanonicalKey,
    /// The identifier that refers.
    pub source: CanonicalKey,
}

/// Row of [`INDEXES`]: the key says it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present;

/// Row of [`REFERENCES`]: indexes of attributes, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferringAttributes(pub Vec<u32>);

impl IndexKey {
    /// The keys of values under a prefix and the prefixes below it, or of the whole node.
    pub fn under(prefix: Option<&Prefix>) -> Vec<Range<Vec<u8>>> {
        let Some(prefix) = prefix else { return vec![vec![VALUE]..vec![APART]] };
        let bound = |end: u8| [&[VALUE], prefix.as_str().as_bytes(), &[end]].concat();
        vec![bound(0)..bound(1), bound(b'.')..bound(b'.' + 1)]
    }

    /// Behind the keys of values directly under a prefix, before those under any other.
    pub fn behind(prefix: &Prefix) -> Vec<u8> {
        [&[VALUE], prefix.as_str().as_bytes(), &[1]].concat()
    }

    /// The keys of what a registrant holds apart.
    pub fn of_registrant(registrant: &RegistrantId) -> Range<Vec<u8>> {
        let bound = |end: u8| [&[APART], registrant.as_str().as_bytes(), &[end]].concat();
        bound(0)..bound(1)
    }
}

impl Key for IndexKey {
    fn write_key(&self, writer: &mut Writer) {
        match self {
            IndexKey::Value { prefix, template, attribute, tail } => {
                writer.u8(VALUE);
                write_place(writer, prefix, *template, *attribute);
                writer.raw(tail);
            }
            IndexKey::Apart { registrant, key } => {
                writer.u8(APART).raw(registrant.as_str().as_bytes()).u8(0).raw(key.as_bytes());
            }
            IndexKey::Granted { grantee, grant } => {
                writer.u8(GRANTED).raw(grantee.as_bytes()).u8(0).raw(grant.as_bytes());
            }
            IndexKey::Member { registrant, group } => {
                let member = registrant.as_str().as_bytes();
                writer.u8(MEMBER).raw(member).u8(0).raw(group.as_bytes());
            }
        }
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (&kind, rest) = bytes.split_first().ok_or(Corrupt::Truncated("index key"))?;
        match kind {
            VALUE => {
                let (prefix, template, attribute, tail) = read_place(rest)?;
                Ok(Self::Value { prefix, template, attribute, tail: tail.to_vec() })
            }
            APART => {
                let (registrant, key) = split_at_zero(rest)?;
                let registrant = read_registrant(registrant)?;
                Ok(Self::Apart { registrant, key: CanonicalKey::from_bytes(key)? })
            }
            GRANTED => {
                let (grantee, grant) = split_at_zero(rest)?;
                Ok(Self::Granted { grantee: read_text(grantee)?, grant: read_text(grant)? })
            }
            MEMBER => {
                let (registrant, group) = split_at_zero(rest)?;
                let registrant = read_registrant(registrant)?;
                Ok(Self::Member { registrant, group: read_text(group)? })
            }
            _ => Err(Corrupt::Range("index key")),
        }
    }
}

impl Key for UniqueKey {
    fn write_key(&self, writer: &mut Writer) {
        write_place(writer, &self.prefix, self.template, self.attribute);
        writer.raw(&self.value);
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (prefix, template, attribute, value) = read_place(bytes)?;
        Ok(Self { prefix, template, attribute, value: value.to_vec() })
    }
}

impl Key for ReferenceKey {
    fn write_key(&self, writer: &mut Writer) {
        // No canonical key holds a zero byte.
        writer.raw(self.target.as_bytes()).u8(0).raw(self.source.as_bytes());
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (target, source) = split_at_zero(bytes)?;
        let (target, source) =
            (CanonicalKey::from_bytes(target)?, CanonicalKey::from_bytes(source)?);
        Ok(Self { target, source })
    }
}

impl Row for Present {
    fn write_row(&self, _: &mut Writer) {}

    fn read_row(_: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Self)
    }
}

impl Row for ReferringAttributes {
    fn write_row(&self, writer: &mut Writer) {
        writer.varint(self.0.len() as u64);
        for attribute in &self.0 {
            writer.varint(u64::from(*attribute));
        }
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let count = reader.count(1, "attributes")?;
        let mut attributes = Vec::with_capacity(count);
        for _ in 0..count {
            let attribute = u32::try_from(reader.varint("attribute")?);
            attributes.push(attribute.map_err(|_| Corrupt::Range("attribute"))?);
        }
        if attributes.is_sorted_by(|one, next| one < next) {
            Ok(Self(attributes))
        } else {
            Err(Corrupt::Range("attributes"))
        }
    }
}

/// Prefix, zero, template, attribute: what the rows of one attribute begin with.
fn write_place(writer: &mut Writer, prefix: &Prefix, template: u32, attribute: u32) {
    writer.raw(prefix.as_str().as_bytes()).u8(0).u32(template).u32(attribute);
}

fn read_place(bytes: &[u8]) -> Result<(Prefix, u32, u32, &[u8]), Corrupt> {
    let (prefix, rest) = split_at_zero(bytes)?;
    let mut reader = Reader::new(rest);
    let (template, attribute) = (reader.u32("template")?, reader.u32("attribute")?);
    Ok((Prefix::read_key(prefix)?, template, attribute, reader.rest()))
}

fn read_registrant(bytes: &[u8]) -> Result<RegistrantId, Corrupt> {
    let text = read_text(bytes)?;
    let registrant = RegistrantId::parse(&text).ok().filter(|id| id.as_str() == text);
    registrant.ok_or(Corrupt::Range("registrant"))
}

fn read_text(bytes: &[u8]) -> Result<String, Corrupt> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Corrupt::Utf8("index key"))
}

fn split_at_zero(bytes: &[u8]) -> Result<(&[u8], &[u8]), Corrupt> {
    let end = bytes.iter().position(|&byte| byte == 0).ok_or(Corrupt::Truncated("key"))?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}

/// First byte of the kinds of index keys.
const VALUE: u8 = 1;
const APART: u8 = 2;
const GRANTED: u8 = 3;
const MEMBER: u8 = 4;
