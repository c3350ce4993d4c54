//! Roles, and how far each reaches with each right.

use serde::{Deserialize, Serialize};

use super::{Action, Actions};

/// What an account is for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the node.
    PlatformAdministrator,
    /// Decides on applications of registrants and for prefixes.
    Reviewer,
    /// Reads everything, changes nothing.
    Auditor,
    /// Runs a registrant: its data, prefixes, accounts, templates, grants.
    RegistrantAdministrator,
    /// Works on a registrant's records.
    Operator,
    /// A program that works on a registrant's records; has tokens and no password.
    Application,
}

/// Something that is done to other things than single records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Read records in full.
    Read,
    /// Register, change and retire identifiers, in batches and jobs too.
    Change,
    /// See registrants, prefixes, accounts, jobs, statistics and the audit trail.
    Inspect,
    /// Apply as a registrant and keep its data.
    Registrants,
    /// Decide on registrants and prefixes: review, allocate, reject, suspend, resume, close.
    Review,
    /// Apply for prefixes.
    Prefixes,
    /// Offer and take prefixes and identifiers.
    Transfers,
    /// Keep accounts and tokens.
    Accounts,
    /// Keep templates.
    Templates,
    /// Keep grants and groups.
    Grants,
    /// Back up and configure the node.
    Operate,
}

/// How far a role reaches with a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nowhere.
    Nowhere,
    /// What the account's registrant holds; the node's own things for accounts of the node.
    Own,
    /// Everywhere.
    Everywhere,
}

impl Right {
    /// What the right allows, as in "may not …".
    pub fn as_str(self) -> &'static str {
        match self {
            Right::Read => "read records",
            Right::Change => "change records",
            Right::Inspect => "inspect",
            Right::Registrants => "keep registrants",
            Right::Review => "review",
            Right::Prefixes => "apply for prefixes",
            Right::Transfers => "transfer",
            Right::Accounts => "keep accounts and tokens",
            Right::Templates => "keep templates",
            Right::Grants => "keep grants and groups",
            Right::Operate => "administer",
        }
    }
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 6] = [
        Role::PlatformAdministrator,
        Role::Reviewer,
        Role::Auditor,
        Role::RegistrantAdministrator,
        Role::Operator,
        Role::Application,
    ];

    /// The role's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::PlatformAdministrator => "platform-administrator",
            Role::Reviewer => "reviewer",
            Role::Auditor => "auditor",
            Role::RegistrantAdministrator => "registrant-administrator",
            Role::Operator => "operator",
            Role::Application => "application",
        }
    }

    /// Whether accounts of the role act for a registrant: always, never, or (none) either way.
    pub fn needs_registrant(self) -> Option<bool> {
        match self {
            Role::PlatformAdministrator | Role::Reviewer | Role::Auditor => Some(false),
            Role::RegistrantAdministrator => Some(true),
            Role::Operator | Role::Application => None,
        }
    }

    /// Whether accounts of the role may keep accounts of the role `other`, as far as
    /// [`Right::Accounts`] reaches: nobody makes what is above them.
    pub fn may_keep(self, other: Role) -> bool {
        match self {
            Role::PlatformAdministrator => true,
            Role::RegistrantAdministrator => other.needs_registrant() != Some(false),
            _ => false,
        }
    }

    /// What tokens of the role may be for.
    pub fn actions(self) -> Actions {
        match self {
            Role::PlatformAdministrator | Role::RegistrantAdministrator => Actions::all(),
            Role::Reviewer => [Action::Read, Action::Administer].into_iter().collect(),
            Role::Auditor => [Action::Read].into_iter().collect(),
            Role::Operator | Role::Application => {
                Action::ALL.into_iter().filter(|action| *action != Action::Administer).collect()
            }
        }
    }

    /// How far the role reaches with a right.
    pub fn reach(self, right: Right) -> Reach {
        use Reach::{Everywhere, Nowhere, Own};
        match (self, right) {
            // Both sides consent to a transfer; nobody does for another.
            (Role::PlatformAdministrator, Right::Transfers) => Own,
            (Role::PlatformAdministrator, _) => Everywhere,
            (Role::Reviewer, Right::Review | Right::Inspect) => Everywhere,
            (Role::Reviewer, _) => Nowhere,
            (Role::Auditor, Right::Read | Right::Inspect) => Everywhere,
            (Role::Auditor, _) => Nowhere,
            (Role::RegistrantAdministrator, Right::Review | Right::Operate) => Nowhere,
            (Role::RegistrantAdministrator, _) => Own,
            (Role::Operator | Role::Application, Right::Read | Right::Change | Right::Inspect) => {
                Own
            }
            (Role::Operator | Role::Application, _) => Nowhere,
        }
    }
}
