//! What can be asked about grants and groups.

use super::Condition;
use crate::registrant::{Grant, GroupId};

/// A change to grants and groups.
#[derive(Clone, Debug)]
pub enum GrantCommand {
    /// Give a grant, or change the attributes of one. Identifiers may be in any spelling.
    Give(Grant),
    /// Take a grant back.
    Revoke {
        /// The grant's name.
        id: String,
    },
    /// Make a group or replace its members.
    KeepGroup {
        /// The group.
        id: GroupId,
        /// The names of its members, in any order.
        members: Vec<String>,
        /// When to do it.
        condition: Condition,
    },
    /// Remove a group that no grant names.
    RemoveGroup {
        /// The group.
        id: GroupId,
        /// When to do it.
        condition: Condition,
    },
}
