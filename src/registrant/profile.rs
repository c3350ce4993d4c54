//! Who a registrant is.

use serde::{Deserialize, Serialize};

/// An enterprise that registers identifiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registrant {
    /// Where the registrant stands in the node's review.
    pub state: RegistrantState,
    /// Legal name in Chinese.
    pub name_zh: String,
    /// Legal name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_en: Option<String>,
    /// Unified social credit code (GB 32100), unique on the node; none for foreign registrants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unified_code: Option<String>,
    /// Industry (GB/T 4754).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub industry: Option<String>,
    /// Region (GB/T 2260), six digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// People to turn to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
}

/// Somebody to turn to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Name.
    pub name: String,
    /// Mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// Where a registrant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RegistrantState {
    /// Has applied.
    Applied,
    /// A reviewer is looking at the application.
    UnderReview,
    /// May hold prefixes and register.
    Active,
    /// May change nothing until resumed.
    Suspended,
    /// Has left; final.
    Closed,
}
