//! Who is asking and what they may do.
//!
//! A token is a secret of at least 128 bits; only its SHA-256 is stored. [`Access::authenticate`]
//! turns a secret into an [`Actor`]; [`Actor::authorise`] turns an actor into the [`Authority`]
//! that the registry takes by value with every change. The authority guards the token's row: a
//! change does not commit when its token was revoked in between.

mod token;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use token::{Action, Actions, NewToken, TOKENS, Token, TokenDigest, fresh_secret};

use crate::identifier::Prefix;
use crate::store::{Direction, Guard, Read, Store, StoreError, all_keys};

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
        let digest = TokenDigest::of(secret);
        let token = TOKENS.get(&*self.store, &digest)?;
        Ok(token.filter(|token| token.is_valid(now_ms)).map(|token| Actor { digest, token }))
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
}

impl Actor {
    /// Name of the account.
    pub fn account(&self) -> &str {
        &self.token.account
    }

    /// Whether the actor may do `action` under `prefix`.
    pub fn may(&self, action: Action, prefix: &Prefix) -> bool {
        self.token.actions.contains(action) && self.token.covers(prefix)
    }

    /// Whether the actor may administer the node as a whole.
    pub fn may_administer(&self) -> bool {
        self.token.actions.contains(Action::Administer) && self.token.prefixes.is_none()
    }

    /// Proof that the actor may do `action` under `prefix`.
    pub fn authorise(&self, action: Action, prefix: &Prefix) -> Result<Authority, Refusal> {
        if !self.may(action, prefix) {
            let (action, prefix) = (action.as_str(), prefix.to_string());
            return Err(Refusal { action, subject: format!("prefix {prefix}") });
        }
        Ok(self.authority())
    }

    /// Proof that the actor may administer the node.
    pub fn authorise_administration(&self) -> Result<Authority, Refusal> {
        if !self.may_administer() {
            return Err(Refusal { action: "administer", subject: "this node".into() });
        }
        Ok(self.authority())
    }

    fn authority(&self) -> Authority {
        Authority { account: self.account().to_owned(), guard: Some(TOKENS.guard(&self.digest)) }
    }
}

/// Proof that somebody may make a change. Made by authorising only.
#[derive(Debug)]
pub struct Authority {
    account: String,
    guard: Option<Guard>,
}

impl Authority {
    /// The authority of whoever starts the node and can read its folder.
    pub fn of_the_operator() -> Self {
        Self { account: "operator".into(), guard: None }
    }

    /// Name of the account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The row whose change ends the authority.
    pub fn guard(&self) -> Option<&Guard> {
        self.guard.as_ref()
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
    /// Whether the asker may read values under `prefix` that not everybody may read.
    pub fn sees_all(&self, prefix: &Prefix) -> bool {
        match self {
            Asker::Public => false,
            Asker::Actor(actor) => actor.may(Action::Read, prefix),
        }
    }
}

/// An actor may not do what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this token does not allow to {action} under {subject}: use one whose scope does")]
pub struct Refusal {
    /// What was asked for.
    pub action: &'static str,
    /// On what.
    pub subject: String,
}
