//! Handle values and their wire form.

use crate::codec::{Corrupt, Reader, Writer};

/// One handle value (RFC 3651 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Unique within the record, positive.
    pub index: u32,
    /// The type's name: `URL`, `EMAIL`, `HS_ADMIN`, or an attribute's name.
    pub kind: String,
    /// The data, as the type says.
    pub data: Vec<u8>,
    /// What JSON type the data was given in; attributes only.
    pub form: Form,
    /// How long an answer with this value may be kept.
    pub ttl: Ttl,
    /// Who may read and write it.
    pub permissions: Permissions,
    /// When the value was set; seconds since 1970.
    pub timestamp: u32,
    /// Other values this one refers to.
    pub references: Vec<Reference>,
}

impl Value {
    /// Whether the value's type is `kind`; types compare without regard to ASCII case.
    pub fn is_type(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// Whether this is an attribute.
    pub fn is_attribute(&self) -> bool {
        self.index >= super::ATTRIBUTES_FROM
    }

    /// The data as text; none when it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.data).ok()
    }

    /// The data as text fit for people and text protocols: UTF-8 without control characters, and
    /// not one of the Handle System's own structures or secrets.
    pub fn plain_text(&self) -> Option<&str> {
        let own = self.kind.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("HS_"));
        self.text().filter(|text| !own && !text.chars().any(char::is_control))
    }

    /// Whether `other` holds the same but for the time it was set.
    pub fn same_content(&self, other: &Value) -> bool {
        self.index == other.index
            && self.kind == other.kind
            && self.data == other.data
            && self.form == other.form
            && self.ttl == other.ttl
            && self.permissions == other.permissions
            && self.references == other.references
    }

    /// The Handle wire encoding without its timestamp, as the ledger commits to it
    /// (`np-value/v1`): index, TTL type, TTL, permissions, type, data, references.
    pub fn write_committed(&self, writer: &mut Writer) {
        let (ttl_type, seconds) = self.ttl.to_wire();
        writer.u32(self.index).u8(ttl_type).u32(seconds).u8(self.permissions.0);
        writer.long_text(&self.kind).long_bytes(&self.data);
        writer.u32(self.references.len() as u32);
        for reference in &self.references {
            writer.long_text(&reference.handle).u32(reference.index);
        }
    }
}

/// JSON type in which an attribute's data was given; the data itself is always text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Text, or the opaque data of a value that is no attribute.
    #[default]
    Text,
    /// A whole number in decimal notation.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list or group, as canonical JSON text.
    Json,
}

impl Form {
    /// The number that stands for the form on disk.
    pub fn to_byte(self) -> u8 {
        match self {
            Form::Text => 0,
            Form::Integer => 1,
            Form::Boolean => 2,
            Form::Json => 3,
        }
    }

    /// Reads the number on disk.
    pub fn from_byte(byte: u8) -> Result<Self, Corrupt> {
        Ok(match byte {
            0 => Form::Text,
            1 => Form::Integer,
            2 => Form::Boolean,
            3 => Form::Json,
            _ => return Err(Corrupt::Range("value form")),
        })
    }

    /// The word that stands for the form in the ledger's metadata.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Text => "text",
            Form::Integer => "integer",
            Form::Boolean => "boolean",
            Form::Json => "json",
        }
    }
}

/// How long a value may be kept by those who asked for it (RFC 3651 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Seconds from the time of the answer.
    Relative(u32),
    /// Until this moment, in seconds since 1970.
    Absolute(u32),
}

impl Ttl {
    /// A day: the default of the Handle System.
    pub const DEFAULT: Ttl = Ttl::Relative(86_400);

    /// Seconds left at `now_seconds` (since 1970).
    pub fn seconds_left(self, now_seconds: u64) -> u32 {
        match self {
            Ttl::Relative(seconds) => seconds,
            Ttl::Absolute(until) => {
                u32::try_from(u64::from(until).saturating_sub(now_seconds)).unwrap_or(u32::MAX)
            }
        }
    }

    /// TTL type and number as the Handle wire has them.
    pub fn to_wire(self) -> (u8, u32) {
        match self {
            Ttl::Relative(seconds) => (0, seconds),
            Ttl::Absolute(until) => (1, until),
        }
    }

    /// Reads TTL type and number.
    pub fn from_wire(ttl_type: u8, number: u32) -> Result<Self, Corrupt> {
        match ttl_type {
            0 => Ok(Ttl::Relative(number)),
            1 => Ok(Ttl::Absolute(number)),
            _ => Err(Corrupt::Range("TTL type")),
        }
    }
}

/// Permission bits of a value (RFC 3651 §3.1): 8 admin-read, 4 admin-write, 2 public-read,
/// 1 public-write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(pub u8);

impl Permissions {
    /// Everybody reads, administrators write.
    pub const DEFAULT: Permissions = Permissions(0x0e);

    /// Whether everybody may read the value.
    pub fn public_read(self) -> bool {
        self.0 & 0x02 != 0
    }
}

/// A pointer to a value of a handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The handle.
    pub handle: String,
    /// Index of the value.
    pub index: u32,
}

/// Reads what [`Value::write_committed`] writes, behind the disk format's own fields.
pub(super) fn read_references(reader: &mut Reader<'_>) -> Result<Vec<Reference>, Corrupt> {
    let count = reader.count(2, "references")?;
    let mut references = Vec::with_capacity(count);
    for _ in 0..count {
        let handle = reader.short_text("reference handle")?.to_owned();
        let index = reader.varint("reference index")?;
        let index = u32::try_from(index).map_err(|_| Corrupt::Range("reference index"))?;
        references.push(Reference { handle, index });
    }
    Ok(references)
}
