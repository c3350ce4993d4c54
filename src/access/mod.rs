//! Who is asking and what they may do.
//!
//! A token is a secret of at least 128 bits; only its SHA-256 is stored. [`Access::authenticate`]
//! turns a secret into an [`Actor`]; [`Actor::authorise`] turns an actor into the [`Authority`]
//! that the registry takes by value with every change. The authority guards the token's row and
//! the account's: a change does not commit when its token was revoked or its account disabled in
//! between. A session is a token that [`Access::log_in`] makes of a password.

mod account;
mod attempts;
mod buckets;
mod login;
mod password;
mod role;
mod slots;
mod token;
mod uses;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

pub use account::{Account, name_fault};
pub use attempts::{Attempt, Attempts, network_key};
pub use buckets::{Buckets, Rate};
pub use login::{Login, LoginError, Proof, SessionTimes};
pub use password::{Password, PasswordError};
pub use role::{Reach, Right, Role};
pub use token::{
    Action, Actions, NewToken, Session, TOKENS, Token, TokenDigest, fresh_secret,
    fresh_session_secret,
};
pub use uses::{Uses, use_counter};

use crate::identifier::Prefix;
use crate::registrant::RegistrantId;
use crate::store::{
    COUNTERS, Column, ColumnId, Direction, Document, DocumentKey, Guard, Read, ReadPoint,
    Remembered, Store, StoreError, StoredDocument, all_keys, document_guard, find_document,
    scan_documents,
};

/// Finds actors by their secrets.
pub struct Access {
    store: Arc<dyn Store>,
    uses: Arc<Uses>,
    tokens: Remembered<TokenDigest, Token>,
    accounts: Remembered<DocumentKey, StoredDocument<Account>>,
}

impl Access {
    /// Access by the tokens in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let accounts = Column::new(ColumnId::Documents);
        Self {
            store,
            uses: Arc::default(),
            tokens: Remembered::new(TOKENS, REMEMBERED),
            accounts: Remembered::new(accounts, REMEMBERED),
        }
    }

    /// When tokens were last used; the writer keeps it.
    pub fn uses(&self) -> &Arc<Uses> {
        &self.uses
    }

    /// The actor with this secret, if memory can tell; sessions and whoever is unknown take the
    /// long way.
    pub fn authenticate_hot(&self, secret: &str, now_ms: u64) -> Option<Actor> {
        let as_of = self.store.read_point();
        let digest = TokenDigest::of(secret);
        let token = self.tokens.find(&*self.store, &digest)?;
        let account = self.accounts.find(&*self.store, &account_key(&token.account))?;
        if token.session.is_some() {
            return None;
        }
        let actor = Actor::of(as_of, digest, token, Some(&account.content), now_ms)?;
        self.uses.note(&actor.token.id, now_ms);
        Some(actor)
    }

    /// The actor with this secret; none when no valid token has it. Blocks on the disk.
    pub fn authenticate(&self, secret: &str, now_ms: u64) -> Result<Option<Actor>, StoreError> {
        let as_of = self.store.read_point();
        let digest = TokenDigest::of(secret);
        let Some(token) = self.tokens.get(&*self.store, &digest)? else { return Ok(None) };
        if let Some(session) = token.session {
            let used_ms = self.last_use_ms(&token)?.unwrap_or(token.created_ms);
            if now_ms.saturating_sub(used_ms) >= session.idle_ms {
                return Ok(None);
            }
        }
        let account = self.accounts.get(&*self.store, &account_key(&token.account))?;
        let account = account.as_ref().map(|stored| &stored.content);
        let actor = Actor::of(as_of, digest, token, account, now_ms);
        if let Some(actor) = &actor {
            self.uses.note(&actor.token.id, now_ms);
        }
        Ok(actor)
    }

    /// The actor whose token has this digest, as of now: for work that goes on after the request
    /// that began it. None when the token or the account has ended meanwhile.
    pub fn renew(&self, digest: TokenDigest, now_ms: u64) -> Result<Option<Actor>, StoreError> {
        Actor::read(&*self.store, digest, now_ms)
    }

    /// When the token was last used, in milliseconds since 1970; as of a minute ago when that was
    /// before the node's start.
    pub fn last_use_ms(&self, token: &Token) -> Result<Option<u64>, StoreError> {
        if let Some(used_ms) = self.uses.last_ms(&token.id) {
            return Ok(Some(used_ms));
        }
        Ok(COUNTERS.get(&*self.store, &use_counter(&token.id))?.map(|count| count.0))
    }

    /// The account of this name.
    pub fn account(&self, name: &str) -> Result<Option<StoredDocument<Account>>, StoreError> {
        find_document(&*self.store, name)
    }

    /// Shows the accounts whose names come behind `after`, in order, until `visit` breaks.
    pub fn visit_accounts(
        &self,
        after: Option<&str>,
        visit: impl FnMut(String, StoredDocument<Account>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        scan_documents(&*self.store, "", after, visit)
    }

    /// The tokens and sessions that the actor may see, valid or not: its own account's and those of
    /// accounts that it keeps, or all for who inspects the whole node.
    pub fn list(&self, actor: &Actor) -> Result<Vec<Token>, StoreError> {
        let mut tokens = Vec::new();
        visit_tokens(&*self.store, |_, token| tokens.push(token))?;
        if actor.role.reach(Right::Inspect) == Reach::Everywhere {
            return Ok(tokens);
        }
        let mut kept: HashMap<String, bool> = HashMap::new();
        kept.insert(actor.account().to_owned(), true);
        let mut seen = Vec::new();
        for token in tokens {
            let known = kept.get(&token.account).copied();
            let is_kept = match known {
                Some(is_kept) => is_kept,
                None => {
                    let account = self.account(&token.account)?.map(|stored| stored.content);
                    let is_kept = account.is_some_and(|account| {
                        actor.keeps(account.role, account.registrant.as_ref())
                    });
                    kept.insert(token.account.clone(), is_kept);
                    is_kept
                }
            };
            if is_kept {
                seen.push(token);
            }
        }
        Ok(seen)
    }
}

fn account_key(name: &str) -> DocumentKey {
    DocumentKey { kind: Account::KIND, id: name.to_owned() }
}

/// Tokens and accounts that are kept in memory.
const REMEMBERED: usize = 10_000;

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

/// Whether there is, or was, a token of this account; sessions do not count.
pub fn has_tokens(read: &(impl Read + ?Sized), account: &str) -> Result<bool, StoreError> {
    let mut found = false;
    visit_tokens(read, |_, token| found |= token.account == account && token.session.is_none())?;
    Ok(found)
}

/// Digests and public names of up to `most` sessions whose time is over.
pub fn old_sessions(
    read: &(impl Read + ?Sized),
    now_ms: u64,
    most: usize,
) -> Result<Vec<(TokenDigest, String)>, StoreError> {
    let mut old = Vec::new();
    visit_tokens(read, |digest, token| {
        if token.session.is_some() && !token.is_valid(now_ms) && old.len() < most {
            old.push((digest, token.id));
        }
    })?;
    Ok(old)
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
    token: Arc<Token>,
    role: Role,
    registrant: Option<RegistrantId>,
    /// When all this was read.
    as_of: ReadPoint,
}

impl Actor {
    /// Who acts through the token; none when it is over or its account disabled.
    fn of(
        as_of: ReadPoint,
        digest: TokenDigest,
        token: Arc<Token>,
        account: Option<&Account>,
        now_ms: u64,
    ) -> Option<Self> {
        let number = account.map(|account| account.sessions);
        let ended = token.session.is_some_and(|session| number != Some(session.number));
        if ended || !token.is_valid(now_ms) {
            return None;
        }
        let (role, registrant) = match account {
            Some(account) if account.disabled => return None,
            Some(account) => (account.role, account.registrant.clone()),
            // An account by name only: what its token allows, on the node's own prefixes.
            None if token.is_unbounded() => (Role::PlatformAdministrator, None),
            None => (Role::Application, None),
        };
        Some(Self { digest, token, role, registrant, as_of })
    }

    /// Who acts through the token with this digest, from the store.
    fn read(
        store: &dyn Store,
        digest: TokenDigest,
        now_ms: u64,
    ) -> Result<Option<Self>, StoreError> {
        let as_of = store.read_point();
        let Some(token) = TOKENS.get(store, &digest)? else { return Ok(None) };
        let account = find_document::<Account>(store, &token.account)?;
        let account = account.as_ref().map(|stored| &stored.content);
        Ok(Self::of(as_of, digest, Arc::new(token), account, now_ms))
    }

    /// The actor as of now; none when the token or the account ended meanwhile.
    pub fn renew(&self, store: &dyn Store, now_ms: u64) -> Result<Option<Self>, StoreError> {
        Self::read(store, self.digest, now_ms)
    }

    /// When what is known of the actor was read.
    pub fn as_of(&self) -> ReadPoint {
        self.as_of
    }

    /// The token or session through which the actor acts, and its digest.
    pub fn token(&self) -> (&TokenDigest, &Token) {
        (&self.digest, &self.token)
    }

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

    /// Whether the actor keeps accounts of this role and registrant: may make, change and disable
    /// them, and their tokens.
    pub fn keeps(&self, role: Role, registrant: Option<&RegistrantId>) -> bool {
        self.has(Right::Accounts, registrant) && self.role.may_keep(role)
    }

    /// Whether the actor keeps accounts whatever their registrant, those by name only too.
    pub fn keeps_all(&self) -> bool {
        self.keeps(Role::PlatformAdministrator, None)
    }

    /// Whether the actor may make and end tokens of its own account.
    pub fn keeps_own_tokens(&self) -> bool {
        self.token.actions.contains(Action::Administer) && self.token.prefixes.is_none()
    }

    /// Whether what the token allows holds all that `actions` under `prefixes` until `expires_ms`
    /// would; a session's end does not count, it being a person's.
    pub fn covers(
        &self,
        actions: Actions,
        prefixes: Option<&[Prefix]>,
        expires_ms: Option<u64>,
    ) -> bool {
        let own = &self.token;
        let end = own.expires_ms.filter(|_| own.session.is_none());
        let under = match prefixes {
            None => own.prefixes.is_none(),
            Some(prefixes) => prefixes.iter().all(|prefix| own.covers(prefix)),
        };
        let within = end.is_none_or(|end| expires_ms.is_some_and(|expires| expires <= end));
        own.actions.covers(actions) && under && within
    }

    /// Proof that the actor is who it is, for what everybody may do for themselves.
    pub fn authorise_self(&self) -> Authority {
        self.authority()
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

    /// Proof that the actor may begin its session, as far as `account` stays as it is; none when
    /// it is not the account whose password was proved any more.
    pub fn authorise_session(&self, account: &Account, proof: &Proof) -> Option<Authority> {
        let number = self.token.session.map(|session| session.number);
        let holds = !account.disabled
            && account.password.as_ref() == Some(&proof.hash)
            && number == Some(account.sessions);
        let (account, as_of) = (self.account().to_owned(), self.as_of);
        holds.then(|| Authority { account, as_of, guards: Vec::new() })
    }

    fn authority(&self) -> Authority {
        let account = document_guard::<Account>(self.account());
        Authority {
            account: self.account().to_owned(),
            as_of: self.as_of,
            guards: vec![TOKENS.guard(&self.digest), account],
        }
    }
}

/// Proof that somebody may make a change. Made by authorising only.
#[derive(Debug)]
pub struct Authority {
    account: String,
    as_of: ReadPoint,
    guards: Vec<Guard>,
}

impl Authority {
    /// The authority of whoever starts the node and can read its folder.
    pub fn of_the_operator() -> Self {
        Self { account: "operator".into(), as_of: ReadPoint(0), guards: Vec::new() }
    }

    /// Name of the account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// When the rows that it rests on were read.
    pub fn as_of(&self) -> ReadPoint {
        self.as_of
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
