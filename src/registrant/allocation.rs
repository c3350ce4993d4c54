//! What a prefix is to this node and who holds it.

use serde::{Deserialize, Serialize};

use super::RegistrantId;

/// A prefix of this node: its state, its holder and the bounds of its use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// Where the prefix stands.
    pub state: AllocationState,
    /// Who holds it; none for the node's own prefixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub registrant: Option<RegistrantId>,
    /// Bounds of its use.
    #[serde(default)]
    pub quota: Quota,
    /// When the allocation begins to count; milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from_ms: Option<u64>,
    /// When it ends; milliseconds since 1970. Changes are refused from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until_ms: Option<u64>,
    /// Whether records stop resolving while the prefix is suspended.
    #[serde(default)]
    pub hidden_when_suspended: bool,
    /// Whether the holder may bring retired identifiers back.
    #[serde(default)]
    pub may_reinstate: bool,
}

impl Allocation {
    /// A prefix of the node's own, without bounds.
    pub fn own() -> Self {
        Self {
            state: AllocationState::Allocated,
            registrant: None,
            quota: Quota::default(),
            valid_from_ms: None,
            valid_until_ms: None,
            hidden_when_suspended: false,
            may_reinstate: false,
        }
    }
}

/// Where a prefix stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AllocationState {
    /// Somebody has applied for it.
    Applied,
    /// A reviewer is looking at the application.
    UnderReview,
    /// The application was turned down; anybody may apply again.
    Rejected,
    /// In use.
    Allocated,
    /// Nothing changes below it until it is resumed.
    Suspended,
    /// Given up; identifiers below it answer with tombstones. Final.
    Closed,
}

impl AllocationState {
    /// Whether the prefix is one that the node answers for.
    pub fn is_served(self) -> bool {
        matches!(self, Self::Allocated | Self::Suspended | Self::Closed)
    }
}

/// Bounds of a prefix's use; none is unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Most identifiers registered directly or below, retired ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifiers: Option<u64>,
    /// Most changes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_per_second: Option<u32>,
}
