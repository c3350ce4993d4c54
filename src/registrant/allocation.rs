//! What a prefix is to this node and who holds it.

use serde::{Deserialize, Serialize};

use super::RegistrantId;
use crate::record::timestamp;
use crate::template::Fault;

/// A prefix of this node: its state, its holder and the bounds of its use.
///
/// Members that say what holds anyway are left out: so a prefix of the node's own reads in the
/// ledger as it did before prefixes had holders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// Where the prefix stands.
    pub state: AllocationState,
    /// Why it stands there, in the words of whoever decided so last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Who holds it; none for the node's own prefixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub registrant: Option<RegistrantId>,
    /// Bounds of its use.
    #[serde(default, skip_serializing_if = "Quota::is_unbounded")]
    pub quota: Quota,
    /// When the allocation begins to count; milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from_ms: Option<u64>,
    /// When it ends; milliseconds since 1970. Changes are refused from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until_ms: Option<u64>,
    /// Whether records stop resolving while the prefix is suspended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden_when_suspended: bool,
    /// Whether the holder may bring retired identifiers back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_reinstate: bool,
}

impl Allocation {
    /// A prefix of the node's own, without bounds.
    pub fn own() -> Self {
        Self { state: AllocationState::Allocated, ..Self::applied(None) }
    }

    /// A prefix that was just applied for.
    pub fn applied(registrant: Option<RegistrantId>) -> Self {
        Self {
            state: AllocationState::Applied,
            remark: None,
            registrant,
            quota: Quota::default(),
            valid_from_ms: None,
            valid_until_ms: None,
            hidden_when_suspended: false,
            may_reinstate: false,
        }
    }

    /// The allocation on other terms. All that is wrong with them comes back at once.
    pub fn amended(&self, terms: &Terms) -> Result<Self, Vec<Fault>> {
        let mut amended = self.clone();
        let quota = &mut amended.quota;
        quota.identifiers = terms.identifiers.unwrap_or(quota.identifiers);
        quota.writes_per_second = terms.writes_per_second.unwrap_or(quota.writes_per_second);
        amended.valid_from_ms = terms.valid_from_ms.unwrap_or(amended.valid_from_ms);
        amended.valid_until_ms = terms.valid_until_ms.unwrap_or(amended.valid_until_ms);
        amended.hidden_when_suspended =
            terms.hidden_when_suspended.unwrap_or(amended.hidden_when_suspended);
        amended.may_reinstate = terms.may_reinstate.unwrap_or(amended.may_reinstate);
        let mut faults = Vec::new();
        if quota.writes_per_second == Some(0) {
            let message = "0 would stop all changes: suspend the prefix instead";
            faults.push(Fault::new("quota.writes_per_second", "minimum", 0, message));
        }
        if let (Some(from), Some(until)) = (amended.valid_from_ms, amended.valid_until_ms)
            && from >= until
        {
            let message = format!("must be after valid_from, which is {}", timestamp(from));
            faults.push(Fault::new("valid_until", "minimum", timestamp(until), message));
        }
        if faults.is_empty() { Ok(amended) } else { Err(faults) }
    }

    /// Whether records below the prefix may change now; what stands against it, if they may not.
    pub fn admits_changes(&self, now_ms: u64) -> Result<(), Hindrance> {
        let hindered = |state: String, remedy: &'static str| Err(Hindrance { state, remedy });
        match self.state {
            AllocationState::Allocated => {}
            AllocationState::Suspended => {
                return hindered(
                    "suspended".into(),
                    "nothing changes below it until it is resumed",
                );
            }
            AllocationState::Closed => {
                return hindered("closed".into(), "nothing below it ever changes again");
            }
            state => return hindered(state.as_str().into(), "wait until it is allocated"),
        }
        if let Some(from) = self.valid_from_ms.filter(|from| now_ms < *from) {
            let state = format!("valid from {} on", timestamp(from));
            return hindered(state, "nothing changes below it before");
        }
        if let Some(until) = self.valid_until_ms.filter(|until| now_ms >= *until) {
            let state = format!("out of date since {}", timestamp(until));
            return hindered(state, "have the node's staff prolong it");
        }
        Ok(())
    }

    /// Whether everybody but those who see all is kept from its records.
    pub fn is_hidden(&self) -> bool {
        self.state == AllocationState::Suspended && self.hidden_when_suspended
    }

    /// Whether it ends within `days` of now, or has ended; prefixes that are not in use do not.
    pub fn expires_within(&self, days: u64, now_ms: u64) -> bool {
        let in_use = matches!(self.state, AllocationState::Allocated | AllocationState::Suspended);
        let end = now_ms.saturating_add(days.saturating_mul(DAY_MS));
        in_use && self.valid_until_ms.is_some_and(|until| until <= end)
    }

    /// What its holder should know: that it ends soon, or has ended.
    pub fn warnings(&self, now_ms: u64) -> Vec<String> {
        let until = self.valid_until_ms.filter(|_| self.expires_within(WARNING_DAYS, now_ms));
        let warning = |until: u64| {
            let day = timestamp(until);
            match until.checked_sub(now_ms) {
                None | Some(0) => format!("ended on {day}: changes are refused"),
                Some(left) => format!("ends on {day}, in {} days", left.div_ceil(DAY_MS)),
            }
        };
        until.map(warning).into_iter().collect()
    }
}

/// Why records below a prefix may not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// What the prefix is, as in "88.118 is …".
    pub state: String,
    /// What that means or what would have to be done.
    pub remedy: &'static str,
}

/// Changes to the terms of an allocation; what is left out stays, and the inner none removes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Most identifiers.
    pub identifiers: Option<Option<u64>>,
    /// Most changes per second.
    pub writes_per_second: Option<Option<u32>>,
    /// Beginning; milliseconds since 1970.
    pub valid_from_ms: Option<Option<u64>>,
    /// End; milliseconds since 1970.
    pub valid_until_ms: Option<Option<u64>>,
    /// Whether records stop resolving while the prefix is suspended.
    pub hidden_when_suspended: Option<bool>,
    /// Whether the holder may bring retired identifiers back.
    pub may_reinstate: Option<bool>,
}

/// Where a prefix stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AllocationState {
    /// Somebody has applied for it.
    Applied,
    /// A reviewer is looking at the application; nothing is registered below it meanwhile.
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
    /// All states.
    pub const ALL: [AllocationState; 6] = [
        AllocationState::Applied,
        AllocationState::UnderReview,
        AllocationState::Rejected,
        AllocationState::Allocated,
        AllocationState::Suspended,
        AllocationState::Closed,
    ];

    /// The state's word.
    pub fn as_str(self) -> &'static str {
        match self {
            AllocationState::Applied => "applied",
            AllocationState::UnderReview => "under-review",
            AllocationState::Rejected => "rejected",
            AllocationState::Allocated => "allocated",
            AllocationState::Suspended => "suspended",
            AllocationState::Closed => "closed",
        }
    }

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
    #[schema(minimum = 1)]
    pub writes_per_second: Option<u32>,
}

impl Quota {
    /// Whether nothing is bounded.
    pub fn is_unbounded(&self) -> bool {
        *self == Self::default()
    }
}

/// Days before its end from which on a prefix carries a warning.
pub const WARNING_DAYS: u64 = 30;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_767_225_600_000;

    #[test]
    fn changes_are_admitted_in_use_and_within_the_dates_only() {
        let hindrance = |change: &dyn Fn(&mut Allocation)| {
            let mut allocation = Allocation::own();
            change(&mut allocation);
            allocation.admits_changes(NOW_MS).err().map(|hindrance| hindrance.state)
        };
        assert_eq!(hindrance(&|_| {}), None);
        for state in AllocationState::ALL {
            let found = hindrance(&|allocation| allocation.state = state);
            let expected = (state != AllocationState::Allocated).then(|| state.as_str().to_owned());
            assert_eq!(found, expected);
        }
        assert_eq!(hindrance(&|it| it.valid_from_ms = Some(NOW_MS)), None);
        assert_eq!(hindrance(&|it| it.valid_until_ms = Some(NOW_MS + 1)), None);
        let early = hindrance(&|it| it.valid_from_ms = Some(NOW_MS + 1)).unwrap();
        assert!(early.starts_with("valid from 2026-01-01T00:00:00.001Z"), "{early}");
        let late = hindrance(&|it| it.valid_until_ms = Some(NOW_MS)).unwrap();
        assert!(late.starts_with("out of date since"), "{late}");
    }

    #[test]
    fn holders_are_warned_in_time() {
        let ending = |days: u64| Allocation {
            valid_until_ms: Some(NOW_MS + days * DAY_MS),
            ..Allocation::own()
        };
        assert!(ending(31).warnings(NOW_MS).is_empty());
        assert!(ending(30).warnings(NOW_MS)[0].ends_with("in 30 days"));
        assert!(ending(0).warnings(NOW_MS)[0].starts_with("ended on 2026-01-01"));
        let closed = Allocation { state: AllocationState::Closed, ..ending(1) };
        assert!(closed.warnings(NOW_MS).is_empty());
    }

    #[test]
    fn terms_are_changed_where_they_say_so() {
        let terms = Terms {
            identifiers: Some(Some(5)),
            valid_until_ms: Some(Some(9)),
            may_reinstate: Some(true),
            ..Terms::default()
        };
        let amended = Allocation::own().amended(&terms).unwrap();
        assert_eq!(amended.quota.identifiers, Some(5));
        assert!(amended.may_reinstate && amended.valid_until_ms == Some(9));
        let terms = Terms { identifiers: Some(None), ..Terms::default() };
        let again = amended.amended(&terms).unwrap();
        assert_eq!((again.quota.identifiers, again.valid_until_ms), (None, Some(9)));
        let terms = Terms {
            valid_from_ms: Some(Some(9)),
            writes_per_second: Some(Some(0)),
            ..Terms::default()
        };
        let faults = amended.amended(&terms).unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["quota.writes_per_second", "valid_until"]);
    }
}
