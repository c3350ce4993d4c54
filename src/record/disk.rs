//! The disk form of a record; described in `schemas/store-format.md`.

use super::value::read_references;
use super::{Form, MAX_VALUES, Permissions, Record, Status, Ttl, Value};
use crate::codec::{Corrupt, Reader, Writer};
use crate::identifier::Identifier;

/// Number of the record's disk format; the first byte of its disk form.
pub const RECORD_FORMAT: u8 = 1;

impl Record {
    /// Appends the disk form.
    pub fn write_disk(&self, writer: &mut Writer) {
        let apart = if self.held_apart { HELD_APART } else { 0 };
        writer.u8(RECORD_FORMAT).u8(status_byte(self.status) | apart);
        writer.short_text(self.identifier.spelling());
        writer.varint(self.version).varint(self.created_ms);
        // The two times differ for changed records only: one byte for all others.
        writer.varint(self.modified_ms.saturating_sub(self.created_ms));
        writer.short_text(&self.registrant);
        let own = self.actor == self.registrant;
        writer.short_text(if own { "" } else { &self.actor });
        writer.short_text(&self.reason);
        writer.varint(self.values.len() as u64);
        for value in &self.values {
            write_value(writer, value, self.modified_ms);
        }
    }

    /// Reads a disk form, to its end.
    pub fn read_disk(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        if reader.u8("record format")? != RECORD_FORMAT {
            return Err(Corrupt::Format("record format"));
        }
        let byte = reader.u8("status")?;
        let (status, held_apart) = (read_status(byte & !HELD_APART)?, byte & HELD_APART != 0);
        let identifier = Identifier::literal(reader.short_text("identifier")?)
            .map_err(|_| Corrupt::Range("identifier"))?;
        let version = reader.varint("version")?;
        let created_ms = reader.varint("created")?;
        let modified_ms =
            created_ms.checked_add(reader.varint("modified")?).ok_or(Corrupt::Range("modified"))?;
        let registrant = reader.short_text("registrant")?.to_owned();
        let actor = match reader.short_text("actor")? {
            "" => registrant.clone(),
            actor => actor.to_owned(),
        };
        let reason = reader.short_text("reason")?.to_owned();
        // The shortest value: flags, index, and the lengths of an empty type and empty data.
        let count = reader.count(4, "values")?;
        if count > MAX_VALUES {
            return Err(Corrupt::Range("values"));
        }
        let mut values: Vec<Value> = Vec::with_capacity(count);
        for _ in 0..count {
            let value = read_value(reader, modified_ms)?;
            if values.last().is_some_and(|last| last.index >= value.index) {
                return Err(Corrupt::Range("value order"));
            }
            values.push(value);
        }
        Ok(Record {
            identifier,
            values,
            version,
            status,
            registrant,
            held_apart,
            actor,
            reason,
            created_ms,
            modified_ms,
        })
    }
}

fn status_byte(status: Status) -> u8 {
    match status {
        Status::Active => 1,
        Status::Retired => 2,
    }
}

fn read_status(byte: u8) -> Result<Status, Corrupt> {
    match byte {
        1 => Ok(Status::Active),
        2 => Ok(Status::Retired),
        _ => Err(Corrupt::Range("status")),
    }
}

/// Bit of the status byte: the registrant holds the identifier itself.
const HELD_APART: u8 = 0x10;

/// Which of a value's fields differ from the usual and therefore follow.
mod present {
    pub const TTL: u8 = 0x10;
    pub const PERMISSIONS: u8 = 0x20;
    pub const TIMESTAMP: u8 = 0x40;
    pub const REFERENCES: u8 = 0x80;
    pub const FORM: u8 = 0x0f;
}

fn write_value(writer: &mut Writer, value: &Value, modified_ms: u64) {
    let usual_time = u64::from(value.timestamp) == modified_ms / 1_000;
    let mut flags = value.form.to_byte();
    flags |= if value.ttl == Ttl::DEFAULT { 0 } else { present::TTL };
    flags |= if value.permissions == Permissions::DEFAULT { 0 } else { present::PERMISSIONS };
    flags |= if usual_time { 0 } else { present::TIMESTAMP };
    flags |= if value.references.is_empty() { 0 } else { present::REFERENCES };
    writer.u8(flags).varint(u64::from(value.index));
    writer.short_text(&value.kind).short_bytes(&value.data);
    if flags & present::TTL != 0 {
        let (ttl_type, number) = value.ttl.to_wire();
        writer.u8(ttl_type).u32(number);
    }
    if flags & present::PERMISSIONS != 0 {
        writer.u8(value.permissions.0);
    }
    if flags & present::TIMESTAMP != 0 {
        writer.u32(value.timestamp);
    }
    if flags & present::REFERENCES != 0 {
        writer.varint(value.references.len() as u64);
        for reference in &value.references {
            writer.short_text(&reference.handle).varint(u64::from(reference.index));
        }
    }
}

fn read_value(reader: &mut Reader<'_>, modified_ms: u64) -> Result<Value, Corrupt> {
    let flags = reader.u8("value flags")?;
    let form = Form::from_byte(flags & present::FORM)?;
    let index = reader.varint("value index")?;
    let index = u32::try_from(index).ok().filter(|&index| index > 0);
    let index = index.ok_or(Corrupt::Range("value index"))?;
    let kind = reader.short_text("value type")?.to_owned();
    let data = reader.short_bytes("value data")?.to_vec();
    let ttl = if flags & present::TTL != 0 {
        let ttl_type = reader.u8("TTL type")?;
        Ttl::from_wire(ttl_type, reader.u32("TTL")?)?
    } else {
        Ttl::DEFAULT
    };
    let permissions = if flags & present::PERMISSIONS != 0 {
        Permissions(reader.u8("permissions")?)
    } else {
        Permissions::DEFAULT
    };
    let timestamp = if flags & present::TIMESTAMP != 0 {
        reader.u32("timestamp")?
    } else {
        u32::try_from(modified_ms / 1_000).map_err(|_| Corrupt::Range("modified"))?
    };
    let references =
        if flags & present::REFERENCES != 0 { read_references(reader)? } else { Vec::new() };
    Ok(Value { index, kind, data, form, ttl, permissions, timestamp, references })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Reference;
    use proptest::prelude::*;

    prop_compose! {
        fn a_value()(
            kind in "[A-Za-z_]{1,12}", data in any::<Vec<u8>>(), form in 0u8..4,
            ttl_type in 0u8..2, ttl in any::<u32>(), permissions in 0u8..16,
            timestamp in any::<u32>(),
            references in prop::collection::vec(("[0-9./a-z]{1,9}", any::<u32>()), 0..3),
        ) -> Value {
            Value {
                index: 0,
                kind,
                data,
                form: Form::from_byte(form).unwrap(),
                ttl: Ttl::from_wire(ttl_type, ttl).unwrap(),
                permissions: Permissions(permissions),
                timestamp,
                references: references
                    .into_iter()
                    .map(|(handle, index)| Reference { handle, index })
                    .collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn records_read_back(
            values in prop::collection::vec(a_value(), 0..6),
            version in 1u64.., created_ms in 0u64..4_000_000_000_000, later in 0u64..10_000,
            retired in any::<bool>(), held_apart in any::<bool>(), actor in "[a-z]{1,8}",
        ) {
            let mut values = values;
            for (position, value) in values.iter_mut().enumerate() {
                value.index = position as u32 * 7 + 1;
            }
            let record = Record {
                identifier: Identifier::literal("88.118.8/泵-1").unwrap(),
                values,
                version,
                status: if retired { Status::Retired } else { Status::Active },
                registrant: "acme".into(),
                held_apart,
                actor,
                reason: String::new(),
                created_ms,
                modified_ms: created_ms + later,
            };
            let mut writer = Writer::default();
            record.write_disk(&mut writer);
            let mut reader = Reader::new(writer.as_bytes());
            prop_assert_eq!(Record::read_disk(&mut reader), Ok(record));
            prop_assert_eq!(reader.finish("record"), Ok(()));
        }

        #[test]
        fn any_bytes_are_a_record_or_corrupt(mut bytes in any::<Vec<u8>>()) {
            if let Some(first) = bytes.first_mut() {
                *first = RECORD_FORMAT;
            }
            let _ = Record::read_disk(&mut Reader::new(&bytes));
        }
    }
}
