//! Records: all values of one identifier, with version, times, registrant and status.
//!
//! A value is the Handle System's handle value (RFC 3651 §3.1). Attributes are values too, from
//! index [`ATTRIBUTES_FROM`] up, whose type is the attribute's name and which also keep the JSON
//! type they were given in ([`Form`]).

mod attribute;
mod data;
mod disk;
mod draft;
mod json;
mod meta;
mod value;
mod view;

pub use attribute::{Attribute, AttributeError, check_name};
pub use data::DataForm;
pub use disk::RECORD_FORMAT;
pub use draft::{
    Draft, DraftBody, DraftError, DraftValue, DraftValueBody, Patch, PlacedAttribute,
    TEMPLATE_DEFINITION, TemplateChoice,
};
pub use json::{RecordDocument, ValueDocument, timestamp};
pub use value::{Form, Permissions, Reference, Ttl, Value};
pub use view::{Extra, View, ViewKind};

use std::collections::BTreeMap;

use crate::identifier::Identifier;

/// All values of one identifier at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The identifier, in the spelling it was registered in.
    pub identifier: Identifier,
    /// Values in ascending order of index, which is unique.
    pub values: Vec<Value>,
    /// 1 at registration, one more with every change.
    pub version: u64,
    /// Whether the identifier is in use.
    pub status: Status,
    /// Who held the identifier's prefix, or the identifier itself, when this version was made: a
    /// registrant's name, or the account for the node's own prefixes.
    pub registrant: String,
    /// Whether `registrant` holds the identifier itself, whoever holds its prefix.
    pub held_apart: bool,
    /// Account that made this version.
    pub actor: String,
    /// Why this version was made, in the actor's words; may be empty.
    pub reason: String,
    /// When the first version was made; milliseconds since 1970.
    pub created_ms: u64,
    /// When this version was made; milliseconds since 1970.
    pub modified_ms: u64,
}

impl Record {
    /// The attribute values.
    pub fn attributes(&self) -> impl Iterator<Item = &Value> {
        self.values.iter().filter(|value| value.is_attribute())
    }

    /// The attributes by name.
    pub fn attribute_map(&self) -> BTreeMap<String, Attribute> {
        let content = |value: &Value| {
            let text = String::from_utf8_lossy(&value.data).into_owned();
            (value.kind.clone(), Attribute { form: value.form, text })
        };
        self.attributes().map(content).collect()
    }

    /// Identifier and version of the template the record was made by; none without one.
    pub fn template(&self) -> Option<(&str, u64)> {
        let text = |index: u32| {
            let place = self.values.binary_search_by_key(&index, |value| value.index).ok()?;
            self.values[place].text()
        };
        Some((text(TEMPLATE_INDEX)?, text(TEMPLATE_VERSION_INDEX)?.parse().ok()?))
    }
}

/// Whether an identifier is in use.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Registered and resolving.
    Active,
    /// Withdrawn; the record is kept as a tombstone and the identifier is never reused.
    Retired,
}

impl Status {
    /// The word used in JSON, DNS and the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Retired => "retired",
        }
    }
}

/// First index of attribute values. 1000 and 1001 are reserved for the template.
pub const ATTRIBUTES_FROM: u32 = 2_000;

/// Index of the value that holds the identifier of the record's template; its type is `TEMPLATE`.
pub const TEMPLATE_INDEX: u32 = 1_000;

/// Index of the value that holds the template's version; its type is `TEMPLATE_VERSION`.
pub const TEMPLATE_VERSION_INDEX: u32 = 1_001;

/// Most values, attributes included, in one record.
pub const MAX_VALUES: usize = 1_000;

/// Most bytes of data in one value.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// Most bytes of data in one record.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;
