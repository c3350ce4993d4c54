//! The steps that registrants and prefixes go through, and what each leads to.

use serde::{Deserialize, Serialize};

use super::{AllocationState, RegistrantState};

/// A step that those who decide take with a registrant or a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Open the review of an application.
    Review,
    /// Grant what was applied for.
    Approve,
    /// Turn the application down.
    Reject,
    /// Stop all changes for a while.
    Suspend,
    /// Let changes go on.
    Resume,
    /// End it for good.
    Close,
}

impl Step {
    /// All steps.
    pub const ALL: [Step; 6] =
        [Step::Review, Step::Approve, Step::Reject, Step::Suspend, Step::Resume, Step::Close];

    /// The step's word, also the last part of its path in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Review => "review",
            Step::Approve => "approve",
            Step::Reject => "reject",
            Step::Suspend => "suspend",
            Step::Resume => "resume",
            Step::Close => "close",
        }
    }

    /// Whether those whom the step is taken against must be told why.
    pub fn needs_reason(self) -> bool {
        matches!(self, Step::Reject | Step::Suspend | Step::Close)
    }
}

impl RegistrantState {
    /// Where the step leads; none when it cannot be taken in this state.
    ///
    /// A rejected application goes back to its applicant, who corrects it: the registrant keeps its
    /// name, and its code stays claimed. One that will not be taken up again is closed.
    pub fn after(self, step: Step) -> Option<Self> {
        use RegistrantState::{Active, Applied, Closed, Suspended, UnderReview};
        match (self, step) {
            (Applied, Step::Review) => Some(UnderReview),
            (UnderReview, Step::Approve) | (Suspended, Step::Resume) => Some(Active),
            (UnderReview, Step::Reject) => Some(Applied),
            (Active, Step::Suspend) => Some(Suspended),
            (Applied | UnderReview | Active | Suspended, Step::Close) => Some(Closed),
            _ => None,
        }
    }
}

impl AllocationState {
    /// Where the step leads; none when it cannot be taken in this state.
    pub fn after(self, step: Step) -> Option<Self> {
        use AllocationState::{Allocated, Applied, Closed, Rejected, Suspended, UnderReview};
        match (self, step) {
            (Applied, Step::Review) => Some(UnderReview),
            (UnderReview, Step::Approve) | (Suspended, Step::Resume) => Some(Allocated),
            (UnderReview, Step::Reject) => Some(Rejected),
            (Allocated, Step::Suspend) => Some(Suspended),
            (Allocated | Suspended, Step::Close) => Some(Closed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row for each state, one column for each step in the order of [`Step::ALL`].
    #[test]
    fn steps_are_taken_in_order() {
        use RegistrantState::*;
        let table = [
            (Applied, [Some(UnderReview), None, None, None, None, Some(Closed)]),
            (UnderReview, [None, Some(Active), Some(Applied), None, None, Some(Closed)]),
            (Active, [None, None, None, Some(Suspended), None, Some(Closed)]),
            (Suspended, [None, None, None, None, Some(Active), Some(Closed)]),
            (Closed, [None; 6]),
        ];
        assert_eq!(table.map(|(state, _)| state), RegistrantState::ALL);
        for (state, expected) in table {
            assert_eq!(Step::ALL.map(|step| state.after(step)), expected, "{state:?}");
        }
    }

    #[test]
    fn prefixes_have_an_order_of_their_own() {
        use AllocationState::*;
        let table = [
            (Applied, [Some(UnderReview), None, None, None, None, None]),
            (UnderReview, [None, Some(Allocated), Some(Rejected), None, None, None]),
            (Rejected, [None; 6]),
            (Allocated, [None, None, None, Some(Suspended), None, Some(Closed)]),
            (Suspended, [None, None, None, None, Some(Allocated), Some(Closed)]),
            (Closed, [None; 6]),
        ];
        assert_eq!(table.map(|(state, _)| state), AllocationState::ALL);
        for (state, expected) in table {
            assert_eq!(Step::ALL.map(|step| state.after(step)), expected, "{state:?}");
        }
    }
}
