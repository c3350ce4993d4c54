//! What a node keeps of a template beside its definition.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::registrant::RegistrantId;

/// A template as a whole: whose it is and which of its versions counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateHead {
    /// The node's own short number for it, from 1; never used again.
    pub number: u32,
    /// The template's identifier as it was first written.
    pub identifier: String,
    /// Who keeps it; none for the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<RegistrantId>,
    /// The newest version, of whatever state.
    pub latest: u64,
    /// The version that new records are made by; none before the first is published and after the
    /// template is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<u64>,
    /// Whether it was withdrawn.
    #[serde(default)]
    pub withdrawn: bool,
}

/// One version of a template. A draft may change; a published version never does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateVersion {
    /// Whether it was published.
    pub published: bool,
    /// The definition, as [`super::Template::from_json`] reads it.
    pub definition: Json,
}

/// Name under which a version of a template is kept.
pub fn version_id(number: u32, version: u64) -> String {
    format!("{number:08x}/{version:016x}")
}
