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

impl TransferState {
    /// The state's word.
    pub fn as_str(self) -> &'static str {
        match self {
            TransferState::Offered => "offered",
            TransferState::Accepted => "accepted",
            TransferState::Declined => "declined",
            TransferState::Cancelled => "cancelled",
        }
    }
}

/// What may become of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransferStep {
    /// The taker takes it.
    Accept,
    /// The taker refuses it.
    Decline,
    /// The giver withdraws it.
    Cancel,
}

impl TransferStep {
    /// All steps.
    pub const ALL: [TransferStep; 3] =
        [TransferStep::Accept, TransferStep::Decline, TransferStep::Cancel];

    /// The step's word, also the last part of its path in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            TransferStep::Accept => "accept",
            TransferStep::Decline => "decline",
            TransferStep::Cancel => "cancel",
        }
    }

    /// Where it leads from an open offer.
    pub fn leads_to(self) -> TransferState {
        match self {
            TransferStep::Accept => TransferState::Accepted,
            TransferStep::Decline => TransferState::Declined,
            TransferStep::Cancel => TransferState::Cancelled,
        }
    }
}

/// Most prefixes and identifiers in one transfer.
pub const MAX_TRANSFERRED: usize = 1_000;
