//! Registrants and what they hold: prefixes, groups, grants.
//!
//! These are the words of registration, without a store behind them: who an enterprise is, what
//! state a prefix is in, who may see and edit which attributes. All of them are kept and shown as
//! JSON; members that a node does not know are refused, so that nothing is lost by rewriting.

mod allocation;
mod grant;
mod group;
mod id;
mod profile;
mod step;
mod transfer;

pub use allocation::{Allocation, AllocationState, Hindrance, Quota, Terms, WARNING_DAYS};
pub use grant::{
    Access, Grant, GrantSubject, Grantee, MAX_GRANTS_ON_SUBJECT, granter_of, granter_text,
    name_start,
};
pub use group::{Group, GroupId, MAX_GROUPS, MAX_MEMBERS};
pub use id::RegistrantId;
pub use profile::{CodeClaim, Contact, Profile, Registrant, RegistrantState};
pub use step::Step;
pub use transfer::{MAX_TRANSFERRED, Transfer, TransferState, TransferStep};
