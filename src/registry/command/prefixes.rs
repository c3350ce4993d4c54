//! What can be asked about prefixes: applications, review, states, quotas.

use super::Condition;
use crate::identifier::Prefix;
use crate::registrant::{RegistrantId, Step, Terms};

/// A change to prefixes.
#[derive(Clone, Debug)]
pub enum PrefixCommand {
    /// Apply for a prefix.
    Apply(Application),
    /// Take a step with a prefix.
    Step {
        /// The prefix.
        prefix: Prefix,
        /// The step.
        step: Step,
        /// What changes with it; nothing but approving changes terms.
        terms: Terms,
    },
    /// Change quota, dates and policy.
    Amend {
        /// The prefix.
        prefix: Prefix,
        /// What changes.
        terms: Terms,
        /// When to do it.
        condition: Condition,
    },
}

/// An application for a prefix.
#[derive(Clone, Debug)]
pub struct Application {
    /// Which one.
    pub wish: Wish,
    /// For whom; none for the node itself.
    pub registrant: Option<RegistrantId>,
    /// On what terms.
    pub terms: Terms,
}

/// Which prefix is wanted.
#[derive(Clone, Debug)]
pub enum Wish {
    /// This one.
    Exactly(Prefix),
    /// The next free number below this one.
    NextBelow(Prefix),
}
