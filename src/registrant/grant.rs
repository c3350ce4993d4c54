//! Who may see and edit attributes that are not everybody's.

use serde::{Deserialize, Serialize};

use super::RegistrantId;

/// A right to see or edit attributes, given by the holder of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Who gives it: the holder of the records it is about; none for the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub granter: Option<RegistrantId>,
    /// A template (all records of it) or a single identifier, for which it then replaces all that
    /// is granted by template; canonical text.
    pub subject: String,
    /// Who gets it.
    pub grantee: Grantee,
    /// Names of attributes; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// What may be done.
    pub access: Access,
}

/// What a grant allows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// See the attributes.
    View,
    /// See and change them.
    Edit,
}

/// Who gets a grant.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Grantee {
    /// Anybody, with or without an account.
    Everyone,
    /// A registrant.
    #[schema(value_type = String)]
    Registrant(RegistrantId),
    /// All members of a group.
    Group(String),
}

/// Registrants that get grants together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Who keeps it; none for the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub keeper: Option<RegistrantId>,
    /// The members.
    #[schema(value_type = Vec<String>)]
    pub members: Vec<RegistrantId>,
}
