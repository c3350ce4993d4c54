//! Planning: making and ending tokens.

use super::{Plan, Planning, Receipt};
use crate::access::{Action, Authority, NewToken, Right, TOKENS, Token, TokenDigest};
use crate::identifier::Prefix;
use crate::ledger::{EntryKind, subject_of_node};
use crate::registry::RegistryError;
use crate::registry::entry::body_entry;
use crate::registry::submit::Effect;

impl Planning<'_> {
    pub(super) fn create_token(mut self, new: &NewToken) -> Result<Plan, RegistryError> {
        let authority = self.actor.authorise_right(Right::Accounts, None)?;
        let (digest, token) = new_token(new, self.now_ms)?;
        self.guards.push(TOKENS.guard(&digest));
        if TOKENS.get(&*self.registry.store, &digest)?.is_some() {
            return Err(RegistryError::TokenExists(digest.id()));
        }
        let effect = self.token_effect(digest, token, &authority);
        Ok(self.change(authority, vec![effect]))
    }

    pub(super) fn revoke_token(mut self, id: &str) -> Result<Plan, RegistryError> {
        let authority = self.actor.authorise_right(Right::Accounts, None)?;
        let found = crate::access::find_token(&*self.registry.store, id)?;
        let (digest, mut token) =
            found.ok_or_else(|| RegistryError::Absent(format!("token {id}")))?;
        if token.revoked {
            return Ok(Plan::Done(Receipt::Token { id: token.id }));
        }
        token.revoked = true;
        token.version += 1;
        self.guards.push(TOKENS.guard(&digest));
        let effect = self.token_effect(digest, token, &authority);
        Ok(self.change(authority, vec![effect]))
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
