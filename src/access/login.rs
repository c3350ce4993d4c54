//! Logging in: from an account's password to an actor whose session is yet to be written.

use ring::rand::SecureRandom;

use super::{
    Access, Account, Actions, Actor, PasswordError, Session, Token, TokenDigest,
    fresh_session_secret, password,
};
use crate::store::{StoreError, StoredDocument, find_document};

/// A session that is about to begin.
pub struct Login {
    /// Who acts; the registry takes this actor for beginning the session alone.
    pub actor: Actor,
    /// The session's secret; handed out once and never stored.
    pub secret: String,
    /// What was proved.
    pub proof: Proof,
}

/// An account whose password somebody knew.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The kept hash that the password fits; the proof is good while it stays.
    pub hash: String,
    /// The hash made anew, when the kept one is weak.
    pub stronger: Option<String>,
}

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub struct SessionTimes {
    /// From the login, in milliseconds.
    pub lifetime_ms: u64,
    /// From the last use, in milliseconds.
    pub idle_ms: u64,
}

impl Default for SessionTimes {
    fn default() -> Self {
        Self { lifetime_ms: 12 * 3_600_000, idle_ms: 30 * 60_000 }
    }
}

impl Access {
    /// Proves that `password` is the account's; none when it is not, or when there is no such
    /// account, or when it is disabled, which all cost the same. Takes 19 MiB and blocks.
    pub fn prove(
        &self,
        account: &str,
        password: &str,
        random: &dyn SecureRandom,
    ) -> Result<Option<(StoredDocument<Account>, Proof)>, LoginError> {
        let stored = find_document::<Account>(&*self.store, account)?;
        let hash = stored.as_ref().and_then(|stored| stored.content.password.clone());
        let checked = password::check(password, hash.as_deref());
        let enabled = stored.filter(|stored| checked.is_right && !stored.content.disabled);
        let (Some(stored), Some(hash)) = (enabled, hash) else { return Ok(None) };
        let stronger = match checked.is_weak {
            true => Some(password::hash(password, random)?),
            false => None,
        };
        Ok(Some((stored, Proof { hash, stronger })))
    }

    /// A session of the account with this password; none as for [`Access::prove`].
    pub fn log_in(
        &self,
        account: &str,
        password: &str,
        times: SessionTimes,
        random: &dyn SecureRandom,
        now_ms: u64,
    ) -> Result<Option<Login>, LoginError> {
        let as_of = self.store.read_point();
        let Some((stored, proof)) = self.prove(account, password, random)? else {
            return Ok(None);
        };
        let secret = fresh_session_secret(random).map_err(|_| PasswordError::Machine)?;
        let digest = TokenDigest::of(&secret);
        let number = stored.content.sessions;
        let token = Token {
            id: digest.id(),
            account: account.to_owned(),
            session: Some(Session { number, idle_ms: times.idle_ms }),
            // What the account may do is decided by its role, at each request anew.
            actions: Actions::all(),
            prefixes: None,
            created_ms: now_ms,
            expires_ms: Some(now_ms.saturating_add(times.lifetime_ms)),
            revoked: false,
            version: 1,
        };
        let Account { role, registrant, .. } = stored.content;
        let actor = Actor { digest, token: token.into(), role, registrant, as_of };
        Ok(Some(Login { actor, secret, proof }))
    }
}

/// Why nobody can log in just now.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoginError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine failed over the hash.
    #[error(transparent)]
    Password(#[from] PasswordError),
}
