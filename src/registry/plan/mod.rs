//! Planning: from a request to a change, on the caller's thread.
//!
//! One file for each kind of thing that is changed.

mod accounts;
mod batches;
mod documents;
mod grants;
mod groups;
mod minting;
mod prefixes;
mod records;
mod registrants;
mod steps;
mod templated;
mod templates;
mod tokens;
mod transfers;

use std::collections::HashMap;
use std::sync::Arc;

use super::idempotency::Repetition;
use super::submit::{Change, Effect};
use super::{AccountCommand, Command, Registry, RegistryError, Request};
use crate::access::{Actor, Authority};
use crate::identifier::{CanonicalKey, Prefix};
use crate::store::{Guard, ReadPoint, StoredDocument, StoredRecord};
use crate::template::TemplateHead;

pub(super) use documents::DocumentPlan;
pub use tokens::MIN_SECRET_OCTETS;
pub(super) use tokens::{new_token, token_body};

/// What planning came to.
pub enum Plan {
    /// Nothing needs to change: a repetition, or the record is as asked.
    Done(Receipt),
    /// A change to submit.
    Change(Box<Change>),
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Receipt {
    /// A record was made, changed or found as asked.
    Record {
        /// The record and its place in the ledger.
        stored: Arc<StoredRecord>,
        /// Whether the identifier was registered by this request.
        created: bool,
        /// Whether anything changed; a repetition of an idempotent request says what it said
        /// first.
        changed: bool,
    },
    /// A token was made or revoked.
    Token {
        /// Its public name.
        id: String,
    },
    /// A prefix was allocated or its allocation changed.
    Prefix {
        /// The prefix.
        prefix: Prefix,
    },
    /// A document was made or changed.
    Document {
        /// Its name within its kind.
        id: String,
        /// Its version.
        version: u64,
    },
    /// Many records were dealt with, in the order of the request.
    Batch(Vec<Receipt>),
}

/// A request while it is planned.
pub(super) struct Planning<'a> {
    pub registry: &'a Registry,
    pub request: &'a Request,
    pub actor: &'a Actor,
    pub now_ms: u64,
    read_at: ReadPoint,
    repetition: Option<Repetition>,
    /// Rows that were read and must not have changed.
    guards: Vec<Guard>,
    /// Heads of templates that were read, by the text of their keys.
    heads: HashMap<CanonicalKey, Option<StoredDocument<TemplateHead>>>,
}

pub(super) fn plan(
    registry: &Registry,
    actor: &Actor,
    request: &Request,
    now_ms: u64,
) -> Result<Plan, RegistryError> {
    let read_at = registry.store.read_point();
    let is_batch = matches!(request.command, Command::Batch(_));
    let repeated = |key| Repetition::new(actor.account(), key, is_batch, now_ms);
    let repetition = request.idempotency.as_ref().map(repeated);
    if let Some(repetition) = &repetition
        && let Some(receipt) = repetition.find(&*registry.store)?
    {
        return Ok(Plan::Done(receipt));
    }
    let (guards, heads) = (Vec::with_capacity(8), HashMap::new());
    let renewed = match is_stale(actor, read_at, request) {
        true => Some(registry.renew(actor, now_ms)?),
        false => None,
    };
    let actor = renewed.as_ref().unwrap_or(actor);
    let mut planning =
        Planning { registry, request, actor, now_ms, read_at, repetition, guards, heads };
    planning.refuse_inactive_actor()?;
    match &request.command {
        Command::Put { .. }
        | Command::Patch { .. }
        | Command::Retire { .. }
        | Command::Mint { .. }
        | Command::Restore { .. } => planning.record(&request.command),
        Command::Batch(commands) => planning.batch(commands),
        Command::CreateToken(new) => planning.create_token(new),
        Command::RevokeToken { id } => planning.revoke_token(id),
        Command::Account(command) => planning.account(command),
        Command::Registrant(command) => planning.registrant(command),
        Command::Prefix(command) => planning.prefix(command),
        Command::Transfer(command) => planning.transfer(command),
        Command::Template(command) => planning.template(command),
        Command::Grant(command) => planning.grant(command),
    }
}

/// Whether so much was written since the actor's rows were read that the store might not remember
/// whether they were. A session that begins has no rows yet.
fn is_stale(actor: &Actor, read_at: ReadPoint, request: &Request) -> bool {
    let begins = matches!(request.command, Command::Account(AccountCommand::BeginSession(_)));
    !begins && read_at.0.saturating_sub(actor.as_of().0) > FRESH_WRITES
}

impl Planning<'_> {
    /// The change with these effects, which stands only while nothing that was read for it changes.
    pub(super) fn change(self, authority: Authority, effects: Vec<Effect>) -> Plan {
        let mut guards = self.guards;
        guards.extend(self.repetition.as_ref().map(Repetition::guard));
        Plan::Change(Box::new(Change {
            account: authority.account().to_owned(),
            authorised_at: authority.as_of(),
            authority: authority.guards().to_vec(),
            read_at: self.read_at,
            guards,
            effects,
            rows: Vec::new(),
            counts: Vec::new(),
            repetition: self.repetition,
        }))
    }
}

/// Writes after which an actor's rows are read again.
const FRESH_WRITES: u64 = 4_096;
