//! The JSON form of records and values, as every HTTP answer and export has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{
    Attribute, DataForm, Permissions, Reference, Status, TEMPLATE_INDEX, TEMPLATE_VERSION_INDEX,
    Ttl, Value, View,
};

/// A record as JSON.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Record, example = json!({
    "identifier": "88.118.8/SN-001", "status": "active", "version": 1, "registrant": "acme",
    "created": "2026-01-05T08:00:00.000Z", "modified": "2026-01-05T08:00:00.000Z",
    "ledger_index": 4711, "values": [{"index": 1, "type": "URL", "ttl": 86400,
    "data": "https://example.com/p/100", "timestamp": "2026-01-05T08:00:00Z"}],
    "attributes": {"model": "P-100", "phases": 3, "mass_kg": "12.50"}
}))]
pub struct RecordDocument {
    /// The identifier as it was registered.
    pub identifier: String,
    /// Whether the identifier is in use.
    pub status: Status,
    /// 1 at registration, one more with every change.
    pub version: u64,
    /// Account that registered the identifier.
    pub registrant: String,
    /// When the identifier was registered (RFC 3339).
    pub created: String,
    /// When this version was made (RFC 3339).
    pub modified: String,
    /// Position of this version in the node's ledger.
    pub ledger_index: u64,
    /// Identifier of the template that the attributes follow; left out without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Version of that template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_version: Option<u64>,
    /// Values that are no attributes.
    pub values: Vec<ValueDocument>,
    /// Typed attributes by name.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub attributes: BTreeMap<String, Json>,
}

impl RecordDocument {
    /// The record as the view shows it.
    pub fn new(view: &View<'_>, ledger_index: u64) -> Self {
        let record = view.record;
        let template = record.template();
        let of_template = |value: &&Value| {
            template.is_some() && matches!(value.index, TEMPLATE_INDEX | TEMPLATE_VERSION_INDEX)
        };
        Self {
            identifier: record.identifier.spelling().to_owned(),
            status: record.status,
            version: record.version,
            registrant: record.registrant.clone(),
            created: timestamp(record.created_ms),
            modified: timestamp(record.modified_ms),
            ledger_index,
            template: template.map(|(template, _)| template.to_owned()),
            template_version: template.map(|(_, version)| version),
            values: view
                .values()
                .filter(|value| !value.is_attribute() && !of_template(value))
                .map(ValueDocument::from)
                .collect(),
            attributes: view
                .values()
                .filter(|value| value.is_attribute())
                .map(|value| {
                    let text = value.text().unwrap_or_default();
                    (value.kind.clone(), Attribute::to_json(value.form, text))
                })
                .collect(),
        }
    }
}

/// A value as JSON.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RecordValue)]
pub struct ValueDocument {
    /// Index, unique in the record.
    pub index: u32,
    /// Type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Data.
    pub data: DataForm,
    /// How long answers may be kept, in seconds; until when (RFC 3339), if absolute.
    #[schema(value_type = u32)]
    pub ttl: Json,
    /// Four bits, left out when `1110`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// When the value was set (RFC 3339).
    pub timestamp: String,
    /// Values of handles this one refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<ReferenceDocument>,
}

impl From<&Value> for ValueDocument {
    fn from(value: &Value) -> Self {
        Self {
            index: value.index,
            kind: value.kind.clone(),
            data: DataForm::of(&value.kind, &value.data),
            ttl: match value.ttl {
                Ttl::Relative(seconds) => seconds.into(),
                Ttl::Absolute(until) => timestamp(u64::from(until) * 1_000).into(),
            },
            permissions: (value.permissions != Permissions::DEFAULT)
                .then(|| format!("{:04b}", value.permissions.0)),
            timestamp: timestamp(u64::from(value.timestamp) * 1_000),
            references: value.references.iter().map(ReferenceDocument::from).collect(),
        }
    }
}

/// A pointer to a value of a handle, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reference)]
pub struct ReferenceDocument {
    /// The handle.
    pub handle: String,
    /// Index of the value.
    pub index: u32,
}

impl From<&Reference> for ReferenceDocument {
    fn from(reference: &Reference) -> Self {
        Self { handle: reference.handle.clone(), index: reference.index }
    }
}

impl From<ReferenceDocument> for Reference {
    fn from(document: ReferenceDocument) -> Self {
        Self { handle: document.handle, index: document.index }
    }
}

/// A moment in RFC 3339, UTC, with milliseconds only when there are any.
pub fn timestamp(ms: u64) -> String {
    let nanoseconds = i128::from(ms) * 1_000_000;
    let Ok(moment) = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds) else {
        return format!("{ms} ms");
    };
    let whole = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let fraction =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let format: &[_] = if ms.is_multiple_of(1_000) { whole } else { fraction };
    moment.format(format).unwrap_or_else(|_| format!("{ms} ms"))
}
