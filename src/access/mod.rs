//! Who is asking and what they may do.
//!
//! A token is a secret of at least 128 bits; only its SHA-256 is stored. [`Access::authenticate`]
//! turns a secret into an [`Actor`]; [`Actor::authorise`] turns an actor into the [`Authority`]
//! that the registry takes by value with every change. The authority guards the token's row: a
//! change does not commit when its token was revoked in between.

mod account;
mod role;
mod token;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use account::Account;
pub use role::{Reach, Right, Role};
pub use token::{Action, Actions, NewToken, TOKENS, Token, TokenDigest, fresh_secret};

use crate::identifier::Prefix;
use crate::registrant::RegistrantId;
use crate::store::{
    Direction, Guard, Read, Store, StoreError, all_keys, document_guard, find_document,
};

/// Finds actors by their secrets.
pub struct Access {
    store: Arc<dyn Store>,
}

impl Access {
    /// Access by the tokens in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The actor with this secret; none when no valid token has it.
    pub fn authenticate(&self, secret: &str, now_ms: u64) -> Result<Option<Actor>, StoreError> {
        self.renew(TokenDigest::of(secret), now_ms)
    }

    /// The actor whose token has this digest, as of now: for work that goes on after the request
    /// that began it. None when the token or the account has ended meanwhile.
    pub fn renew(&self, digest: TokenDigest, now_ms: u64) -> Result<Option<Actor>, StoreError> {
        let token = TOKENS.get(&*self.store, &digest)?;
        let Some(token) = token.filter(|token| token.is_valid(now_ms)) else { return Ok(None) };
        let account = find_document::<Account>(&*self.store, &token.account)?;
        let (role, registrant) = match account {
            Some(stored) if stored.content.disabled => return Ok(None),
            Some(stored) => (stored.content.role, stored.content.registrant),
            // An account by name only: what its token allows, on the node's own prefixes.
            None if token.is_unbounded() => (Role::PlatformAdministrator, None),
            None => (Role::Application, None),
        };
        Ok(Some(Actor { digest, token, role, registrant }))
    }

    /// All tokens, valid or not.
    pub fn list(&self) -> Result<Vec<Token>, StoreError> {
        let mut tokens = Vec::new();
        visit_tokens(&*self.store, |_, token| tokens.push(token))?;
        Ok(tokens)
    }
}

/// The token with this public name.
pub fn find_token(
    read: &(impl Read + ?Sized),
    id: &str,
) -> Result<Option<(TokenDigest, Token)>, StoreError> {
    let mut found = None;
    visit_tokens(read, |digest, token| {
        if token.id == id {
            found = Some((digest, token));
        }
    })?;
    Ok(found)
}

/// All tokens, valid or not, in order of their digests.
fn visit_tokens(
    read: &(impl Read + ?Sized),
    mut visit: impl FnMut(TokenDigest, Token),
) -> Result<(), StoreError> {
    TOKENS.scan(read, all_keys(), Direction::Forward, |digest, token| {
        visit(digest, token);
        ControlFlow::Continue(())
    })
}

/// Somebody who proved who they are.
#[derive(Clone, Debug)]
pub struct Actor {
    digest: TokenDigest,
    token: Token,
    role: Role,
    registrant: Option<RegistrantId>,
}

impl Actor {
    /// Name of the account.
    pub fn account(&self) -> &str {
        &self.token.account
    }

    /// What the account is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whom the account acts for; none for the node itself.
    pub fn registrant(&self) -> Option<&RegistrantId> {
        self.registrant.as_ref()
    }

    /// Digest of the token that the actor showed.
    pub fn token_digest(&self) -> TokenDigest {
        self.digest
    }

    /// Whether the token allows `action` somewhere.
    pub fn allows(&self, action: Action) -> bool {
        self.token.actions.contains(action)
    }

    /// Whether the actor may do `action` to records of `holder` under `prefix`.
    pub fn may(&self, action: Action, prefix: &Prefix, holder: Option<&RegistrantId>) -> bool {
        let right = if action == Action::Read { Right::Read } else { Right::Change };
        self.token.actions.contains(action)
            && self.token.covers(prefix)
            && self.reaches(right, holder)
    }

    /// Whether the actor has `right` over what belongs to `holder`.
    pub fn has(&self, right: Right, holder: Option<&RegistrantId>) -> bool {
        let action = match right {
            Right::Read | Right::Inspect => Action::Read,
            Right::Change => Action::Register,
            _ => Action::Administer,
        };
        self.token.actions.contains(action)
            && self.token.prefixes.is_none()
            && self.reaches(right, holder)
    }

    fn reaches(&self, right: Right, holder: Option<&RegistrantId>) -> bool {
        match self.role.reach(right) {
            Reach::Nowhere => false,
            Reach::Own => self.registrant.as_ref() == holder,
            Reach::Everywhere => true,
        }
    }

    /// Proof that the actor may do `action` to records of `holder` under `prefix`.
    pub fn authorise(
        &self,
        action: Action,
        prefix: &Prefix,
        holder: Option<&RegistrantId>,
    ) -> Result<Authority, Refusal> {
        if !self.may(action, prefix, holder) {
            let (action, prefix) = (action.as_str(), prefix.to_string());
            return Err(Refusal { action, subject: format!("prefix {prefix}") });
        }
        Ok(self.authority())
    }

    /// Proof that the actor has `right` over what belongs to `holder`.
    pub fn authorise_right(
        &self,
        right: Right,
        holder: Option<&RegistrantId>,
    ) -> Result<Authority, Refusal> {
        if !self.has(right, holder) {
            let of = holder.map_or("this node".into(), |holder| format!("registrant {holder}"));
            return Err(Refusal { action: right.as_str(), subject: of });
        }
        Ok(self.authority())
    }

    fn authority(&self) -> Authority {
        let account = document_guard::<Account>(self.account());
        Authority {
            account: self.account().to_owned(),
            guards: vec![TOKENS.guard(&self.digest), account],
        }
    }
}

/// Proof that somebody may make a change. Made by authorising only.
#[derive(Debug)]
pub struct Authority {
    account: String,
    guards: Vec<Guard>,
}

impl Authority {
    /// The authority of whoever starts the node and can read its folder.
    pub fn of_the_operator() -> Self {
        Self { account: "operator".into(), guards: Vec::new() }
    }

    /// Name of the account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The rows whose change ends the authority.
    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }
}

/// Who asks a question.
#[derive(Clone, Debug)]
pub enum Asker {
    /// Anybody.
    Public,
    /// Somebody who proved who they are.
    Actor(Arc<Actor>),
}

impl Asker {
    /// Whether the asker may read values of `holder`'s records under `prefix` that not everybody
    /// may read.
    pub fn sees_all(&self, prefix: &Prefix, holder: Option<&RegistrantId>) -> bool {
        match self {
            Asker::Public => false,
            Asker::Actor(actor) => actor.may(Action::Read, prefix, holder),
        }
    }
}

/// An actor may not do what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this token does not allow to {action} under {subject}: use one whose scope and whose \
     account's role do"
)]
pub struct Refusal {
    /// What was asked for.
    pub action: &'static str,
    /// On what.
    pub subject: String,
}
