//! Planning: from a request to a change, on the caller's thread.

use std::sync::Arc;

use super::entry::{body_entry, record_change};
use super::idempotency::Repetition;
use super::submit::{Change, Effect};
use super::{Command, Condition, Registry, RegistryError, Request};
use crate::access::{Action, Actor, Authority, NewToken, TOKENS, Token, TokenDigest};
use crate::identifier::{Identifier, Prefix};
use crate::ledger::{EntryKind, subject_of_node};
use crate::record::{Record, Status, Value};
use crate::store::{Guard, RECORDS, ReadPoint, StoredRecord};

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
    /// A prefix was allocated to this node.
    Prefix {
        /// The prefix.
        prefix: Prefix,
    },
}

/// A request while it is planned.
struct Planning<'a> {
    registry: &'a Registry,
    request: &'a Request,
    actor: &'a Actor,
    now_ms: u64,
    read_at: ReadPoint,
    repetition: Option<Repetition>,
}

/// What a command makes of a record.
struct Target<'a> {
    identifier: &'a Identifier,
    condition: Condition,
    current: Option<StoredRecord>,
}

pub(super) fn plan(
    registry: &Registry,
    actor: &Actor,
    request: &Request,
    now_ms: u64,
) -> Result<Plan, RegistryError> {
    let read_at = registry.store.read_point();
    let repetition =
        request.idempotency.as_ref().map(|key| Repetition::new(actor.account(), key, now_ms));
    if let Some(repetition) = &repetition
        && let Some(receipt) = repetition.find(&*registry.store)?
    {
        return Ok(Plan::Done(receipt));
    }
    let planning = Planning { registry, request, actor, now_ms, read_at, repetition };
    match &request.command {
        Command::Put { identifier, draft, condition } => {
            let target = planning.target(identifier, *condition)?;
            let authority = planning.authorise_change(&target)?;
            planning.check_new(&target)?;
            target.check_condition()?;
            target.check_not_retired()?;
            let current = target.current.as_ref().map(|stored| &stored.record);
            let values = draft.clone().into_values(current, now_ms)?;
            planning.finish(target, authority, Status::Active, values)
        }
        Command::Patch { identifier, patch, condition } => {
            let target = planning.target(identifier, *condition)?;
            let authority = planning.authorise(Action::Update, identifier)?;
            target.check_condition()?;
            target.check_not_retired()?;
            let current = &target.present()?.record;
            let values = patch.clone().into_values(current, now_ms)?;
            planning.finish(target, authority, Status::Active, values)
        }
        Command::Retire { identifier, condition } => {
            let target = planning.target(identifier, *condition)?;
            let authority = planning.authorise(Action::Retire, identifier)?;
            target.check_condition()?;
            target.present()?;
            planning.finish(target, authority, Status::Retired, Vec::new())
        }
        Command::CreateToken(new) => planning.create_token(new),
        Command::RevokeToken { id } => planning.revoke_token(id),
    }
}

impl Planning<'_> {
    fn target<'a>(
        &self,
        identifier: &'a Identifier,
        condition: Condition,
    ) -> Result<Target<'a>, RegistryError> {
        let prefix = identifier.prefix();
        if self.registry.resolver.zone_of(&prefix).is_none() {
            return Err(RegistryError::NotResponsible(prefix.to_string()));
        }
        let current = RECORDS.get(&*self.registry.store, identifier.key())?;
        Ok(Target { identifier, condition, current })
    }

    fn authorise(&self, action: Action, of: &Identifier) -> Result<Authority, RegistryError> {
        Ok(self.actor.authorise(action, &of.prefix())?)
    }

    fn authorise_change(&self, target: &Target<'_>) -> Result<Authority, RegistryError> {
        let action = if target.current.is_some() { Action::Update } else { Action::Register };
        self.authorise(action, target.identifier)
    }

    /// Limits that only new identifiers must keep.
    fn check_new(&self, target: &Target<'_>) -> Result<(), RegistryError> {
        let octets = target.identifier.spelling().len();
        let limit = self.registry.settings.identifier_octets;
        if target.current.is_none() && octets > limit {
            return Err(RegistryError::TooLong { octets, limit });
        }
        Ok(())
    }

    /// The change that gives the target its next version, or none if it already is as asked.
    fn finish(
        self,
        target: Target<'_>,
        authority: Authority,
        status: Status,
        values: Vec<Value>,
    ) -> Result<Plan, RegistryError> {
        let as_asked = |stored: &StoredRecord| {
            stored.record.status == status && stored.record.values == values
        };
        let mut guards = vec![RECORDS.guard(target.identifier.key())];
        if let Some(current) = target.current.clone().filter(as_asked) {
            let stored = Arc::new(current);
            let receipt = Receipt::Record { stored, created: false, changed: false };
            if self.repetition.is_none() {
                return Ok(Plan::Done(receipt));
            }
            return Ok(self.change(authority, guards, Effect::Nothing(receipt)));
        }
        let account = authority.account().to_owned();
        let (identifier, version, registrant, created_ms) = match &target.current {
            Some(StoredRecord { record, .. }) => (
                record.identifier.clone(),
                record.version + 1,
                record.registrant.clone(),
                record.created_ms,
            ),
            None => (target.identifier.clone(), 1, account.clone(), self.now_ms),
        };
        let record = Record {
            identifier,
            values,
            version,
            status,
            registrant,
            actor: account,
            reason: self.request.reason.clone(),
            created_ms,
            // A clock that was set back must not make a version older than the one it replaces.
            modified_ms: match &target.current {
                Some(current) => self.now_ms.max(current.record.modified_ms),
                None => self.now_ms,
            },
        };
        guards.shrink_to_fit();
        let change = record_change(&self.registry.keys, record, target.current);
        Ok(self.change(authority, guards, Effect::Record(Box::new(change))))
    }

    fn create_token(self, new: &NewToken) -> Result<Plan, RegistryError> {
        let authority = self.actor.authorise_administration()?;
        let (digest, token) = new_token(new, self.now_ms)?;
        let guards = vec![TOKENS.guard(&digest)];
        if TOKENS.get(&*self.registry.store, &digest)?.is_some() {
            return Err(RegistryError::TokenExists(digest.id()));
        }
        let effect = self.token_effect(digest, token, &authority);
        Ok(self.change(authority, guards, effect))
    }

    fn revoke_token(self, id: &str) -> Result<Plan, RegistryError> {
        let authority = self.actor.authorise_administration()?;
        let found = crate::access::find_token(&*self.registry.store, id)?;
        let (digest, mut token) =
            found.ok_or_else(|| RegistryError::Absent(format!("token {id}")))?;
        if token.revoked {
            return Ok(Plan::Done(Receipt::Token { id: token.id }));
        }
        token.revoked = true;
        token.version += 1;
        let guards = vec![TOKENS.guard(&digest)];
        let effect = self.token_effect(digest, token, &authority);
        Ok(self.change(authority, guards, effect))
    }

    fn token_effect(&self, digest: TokenDigest, token: Token, authority: &Authority) -> Effect {
        let entry = body_entry(
            &self.registry.keys,
            EntryKind::Grant,
            subject_of_node(&format!("token/{}", token.id)),
            token.version,
            self.now_ms,
            authority.account(),
            &self.request.reason,
            &token_body(&token),
        );
        Effect::Token { digest, token, entry }
    }

    fn change(self, authority: Authority, mut guards: Vec<Guard>, effect: Effect) -> Plan {
        guards.extend(authority.guard().cloned());
        guards.extend(self.repetition.as_ref().map(Repetition::guard));
        Plan::Change(Box::new(Change {
            account: authority.account().to_owned(),
            read_at: self.read_at,
            guards,
            effect,
            repetition: self.repetition,
        }))
    }
}

impl Target<'_> {
    fn present(&self) -> Result<&StoredRecord, RegistryError> {
        let absent = || RegistryError::Absent(self.identifier.spelling().to_owned());
        self.current.as_ref().ok_or_else(absent)
    }

    fn check_condition(&self) -> Result<(), RegistryError> {
        let identifier = || self.identifier.spelling().to_owned();
        let found = self.current.as_ref().map(|stored| stored.record.version);
        match (self.condition, found) {
            (Condition::Always, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => {
                Ok(())
            }
            (Condition::Absent, Some(version)) => {
                Err(RegistryError::Exists { identifier: identifier(), version })
            }
            (Condition::Present, None) => Err(RegistryError::VersionMismatch {
                identifier: identifier(),
                wanted: None,
                found,
            }),
            (Condition::Version(wanted), found) if found == Some(wanted) => Ok(()),
            (Condition::Version(wanted), found) => Err(RegistryError::VersionMismatch {
                identifier: identifier(),
                wanted: Some(wanted),
                found,
            }),
        }
    }

    fn check_not_retired(&self) -> Result<(), RegistryError> {
        let retired =
            self.current.as_ref().is_some_and(|stored| stored.record.status == Status::Retired);
        if retired {
            return Err(RegistryError::Retired(self.identifier.spelling().to_owned()));
        }
        Ok(())
    }
}

/// A token's row, from what was asked for.
pub(super) fn new_token(
    new: &NewToken,
    now_ms: u64,
) -> Result<(TokenDigest, Token), RegistryError> {
    if new.secret.len() < MIN_SECRET_OCTETS {
        return Err(RegistryError::WeakSecret);
    }
    let digest = TokenDigest::of(&new.secret);
    let token = Token {
        id: digest.id(),
        account: new.account.clone(),
        actions: new.actions,
        prefixes: new.prefixes.clone(),
        created_ms: now_ms,
        expires_ms: new.expires_ms,
        revoked: false,
        version: 1,
    };
    Ok((digest, token))
}

/// What the ledger keeps of a token: everything but its secret and the secret's digest.
pub(super) fn token_body(token: &Token) -> serde_json::Value {
    serde_json::json!({
        "account": token.account,
        "actions": token.actions.iter().map(Action::as_str).collect::<Vec<_>>(),
        "created": token.created_ms,
        "expires": token.expires_ms,
        "id": token.id,
        "prefixes": token.prefixes.as_ref().map(|prefixes| {
            prefixes.iter().map(Prefix::as_str).collect::<Vec<_>>()
        }),
        "revoked": token.revoked,
    })
}

/// Fewest octets of a token's secret.
pub const MIN_SECRET_OCTETS: usize = 16;
