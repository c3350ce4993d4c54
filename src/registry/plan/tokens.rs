//! Planning: making and ending tokens.

use super::{Plan, Planning, Receipt};
use crate::access::{
    Account, Action, Authority, NewToken, Refusal, TOKENS, Token, TokenDigest, find_token,
};
use crate::identifier::Prefix;
use crate::ledger::{EntryKind, subject_of_node};
use crate::registry::RegistryError;
use crate::registry::entry::body_entry;
use crate::registry::submit::{Effect, RowChange};
use crate::store::key_bytes;
use crate::template::Fault;

impl Planning<'_> {
    pub(super) fn create_token(mut self, new: &NewToken) -> Result<Plan, RegistryError> {
        let authority = self.authorise_tokens(&new.account)?;
        if let Some(account) = self.document::<Account>(&new.account)? {
            check_token(new, &account.content)?;
        }
        if !self.actor.covers(new.actions, new.prefixes.as_deref(), new.expires_ms) {
            let subject = "more, elsewhere or for longer than its maker's own token".to_owned();
            return Err(Refusal { action: "make tokens that allow", subject }.into());
        }
        let (digest, token) = new_token(new, self.now_ms)?;
        self.guards.push(TOKENS.guard(&digest));
        if TOKENS.get(&*self.registry.store, &digest)?.is_some() {
            return Err(RegistryError::TokenExists(digest.id()));
        }
        let effect = self.token_effect(digest, token, &authority);
        Ok(self.change(authority, vec![effect]))
    }

    pub(super) fn revoke_token(mut self, id: &str) -> Result<Plan, RegistryError> {
        let found = find_token(&*self.registry.store, id)?;
        let Some((digest, mut token)) = found else {
            // Only who keeps tokens at all learns that there is none.
            self.authorise_tokens(self.actor.account())?;
            return Err(RegistryError::Absent(format!("token {id}")));
        };
        let is_own = digest == *self.actor.token().0;
        let authority = match is_own {
            true => self.actor.authorise_self(),
            false => self.authorise_tokens(&token.account)?,
        };
        if token.session.is_some() {
            let row = RowChange { column: TOKENS.id(), key: key_bytes(&digest), row: None };
            return Ok(self.without_entry(authority, token.id, vec![row]));
        }
        if token.revoked {
            return Ok(Plan::Done(Receipt::Token { id: token.id }));
        }
        token.revoked = true;
        token.version += 1;
        self.guards.push(TOKENS.guard(&digest));
        let effect = self.token_effect(digest, token, &authority);
        Ok(self.change(authority, vec![effect]))
    }

    /// Proof that the actor may make and end tokens of an account: its own, or one that it keeps.
    fn authorise_tokens(&mut self, account: &str) -> Result<Authority, RegistryError> {
        let found = self.document::<Account>(account)?.map(|stored| stored.content);
        let keeps = match &found {
            Some(found) => self.actor.keeps(found.role, found.registrant.as_ref()),
            None => self.actor.keeps_all(),
        };
        if keeps || account == self.actor.account() && self.actor.keeps_own_tokens() {
            return Ok(self.actor.authorise_self());
        }
        let subject = format!("account {account}");
        Err(Refusal { action: "keep tokens of", subject }.into())
    }

    fn token_effect(&self, digest: TokenDigest, token: Token, authority: &Authority) -> Effect {
        let entry = body_entry(
            &self.registry.keys,
            EntryKind::Grant,
            subject_of_node(&format!("token/{}", token.id)),
            token.version,
            None,
            self.now_ms,
            authority.account(),
            &self.request.reason,
            &token_body(&token),
        );
        Effect::Token { digest, token, entry }
    }
}

/// Refuses tokens that their account's role has no use for, and tokens of accounts that may do
/// nothing.
fn check_token(new: &NewToken, account: &Account) -> Result<(), RegistryError> {
    if account.disabled {
        return Err(RegistryError::WrongState {
            subject: format!("account {}", new.account),
            state: "disabled".into(),
            remedy: "enable it first".into(),
        });
    }
    let beyond = new.actions.iter().filter(|action| !account.role.actions().contains(*action));
    let fault = |action: Action| {
        let role = account.role.as_str();
        let message = format!("tokens of a {role} cannot {}: leave it out", action.as_str());
        Fault::new("actions", "role", action.as_str(), message)
    };
    let faults: Vec<Fault> = beyond.map(fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(RegistryError::Faulty(faults)) }
}

/// A token's row, from what was asked for.
pub(in crate::registry) fn new_token(
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
        session: None,
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
pub(in crate::registry) fn token_body(token: &Token) -> serde_json::Value {
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
