//! The write side: the only way to change anything.
//!
//! A [`Request`] is planned on the caller's thread (reads, checks, hashing) into a [`Change`] and
//! submitted to the one writer, which admits it only if nothing it read has changed, writes many
//! changes and their ledger entries in one durable transaction, and then tells everybody. A
//! conflict is not an error: the caller plans again.

mod command;
mod plan;
mod submit;

pub use command::{Command, Condition, IdempotencyKey, Request};
pub use plan::{Plan, Receipt};
pub use submit::{Change, Verdict};

use crate::access::{Actor, Refusal};
use crate::record::DraftError;
use crate::store::StoreError;

/// The write side of a node.
pub struct Registry {}

impl Registry {
    /// Reads, checks and hashes: what the request comes to as of now. Blocks on the disk.
    pub fn plan(
        &self,
        actor: &Actor,
        request: &Request,
        now_ms: u64,
    ) -> Result<Plan, RegistryError> {
        todo!()
    }

    /// Hands changes to the writer, which calls `done` from its own thread with a verdict for
    /// each, in order, once they are durable. Never blocks; a full queue is an error.
    pub fn submit(
        &self,
        changes: Vec<Change>,
        done: Box<dyn FnOnce(Vec<Verdict>) + Send>,
    ) -> Result<(), RegistryError> {
        todo!()
    }

    /// Plans, submits and waits, again on conflict. Blocks until durable: for threads that may.
    pub fn apply(
        &self,
        actor: &Actor,
        request: &Request,
        now_ms: u64,
    ) -> Result<Receipt, RegistryError> {
        todo!()
    }

    /// As [`Registry::apply`] for many requests at once, with one wait for all; outcomes in order.
    /// A request sees the effects of those before it.
    pub fn apply_all(
        &self,
        actor: &Actor,
        requests: &[Request],
        now_ms: u64,
    ) -> Vec<Result<Receipt, RegistryError>> {
        todo!()
    }

    /// Why writes have stopped; none while they work.
    pub fn stopped(&self) -> Option<String> {
        todo!()
    }
}

/// Why a request was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RegistryError {
    /// The actor may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The body's content does not fit the record.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The identifier is longer than this node registers.
    #[error("identifier of {octets} octets; this node registers at most {limit}")]
    TooLong {
        /// Its length.
        octets: usize,
        /// The node's limit.
        limit: usize,
    },
    /// The prefix is none of this node's.
    #[error("prefix {0} is not served by this node: register where it is delegated to")]
    NotResponsible(String),
    /// `If-None-Match: *` and the identifier exists.
    #[error("{identifier} exists, at version {version}")]
    Exists {
        /// The identifier.
        identifier: String,
        /// Its version.
        version: u64,
    },
    /// `If-Match` and another version is there.
    #[error("{identifier} is at version {found:?}, not at {wanted}: read it again and retry")]
    VersionMismatch {
        /// The identifier.
        identifier: String,
        /// The version asked for.
        wanted: u64,
        /// The version found; none when it does not exist.
        found: Option<u64>,
    },
    /// Nothing is registered by that name.
    #[error("{0} is not registered")]
    Absent(String),
    /// The identifier is retired and can neither change nor come back.
    #[error("{0} is retired: retired identifiers are never reused")]
    Retired(String),
    /// The idempotency key was used for another body.
    #[error("idempotency key {0:?} was used for a different request: choose a new key")]
    IdempotencyReuse(String),
    /// The writer's queue is full.
    #[error("the node is busy: try again in a moment")]
    Busy,
    /// The store failed or writes have stopped.
    #[error(transparent)]
    Store(#[from] StoreError),
}
