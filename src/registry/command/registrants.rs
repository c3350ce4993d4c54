//! What can be asked about registrants.

use super::Condition;
use crate::registrant::{Profile, RegistrantId, Step};

/// A change to registrants.
#[derive(Clone, Debug)]
pub enum RegistrantCommand {
    /// Enter an applicant.
    Apply {
        /// The name it is to have on this node.
        id: RegistrantId,
        /// What it says of itself.
        profile: Profile,
    },
    /// Change what a registrant says of itself.
    Update {
        /// The registrant.
        id: RegistrantId,
        /// Members of the profile and what they become; null removes one.
        changes: serde_json::Map<String, serde_json::Value>,
        /// When to do it.
        condition: Condition,
    },
    /// Take a step with a registrant.
    Step {
        /// The registrant.
        id: RegistrantId,
        /// The step.
        step: Step,
    },
}
