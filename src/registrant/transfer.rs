//! Prefixes and identifiers on their way from one registrant to another.

use serde::{Deserialize, Serialize};

use super::RegistrantId;

/// An offer of prefixes or identifiers by their holder to another registrant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Where it stands.
    pub state: TransferState,
    /// Who gives; none for the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<RegistrantId>,
    /// Who takes.
    #[schema(value_type = String)]
    pub to: RegistrantId,
    /// Prefixes to hand over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Single identifiers to hand over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<String>,
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransferState {
    /// Waits for the taker.
    Offered,
    /// Taken; everything has changed hands.
    Accepted,
    /// Refused by the taker.
    Declined,
    /// Withdrawn by the giver.
    Cancelled,
}
