//! Planning: accounts, their passwords and sessions.
//!
//! Nobody makes or changes what is above them ([`Actor::keeps`](crate::access::Actor::keeps)),
//! nobody changes their own role, and the last platform administrator stays. Sessions are no changes
//! of the registry: their rows come and go without ledger entries.

use std::ops::ControlFlow;

use super::{Plan, Planning, Receipt};
use crate::access::{Account, Authority, Proof, Refusal, Role, has_tokens, name_fault};
use crate::ledger::EntryKind;
use crate::registrant::RegistrantId;
use crate::registry::submit::{Effect, RowChange};
use crate::registry::{AccountCommand, RegistryError};
use crate::store::{ColumnId, Document, DocumentKey, StoredDocument, key_bytes, scan_documents};
use crate::template::Fault;

impl Planning<'_> {
    pub(super) fn account(self, command: &AccountCommand) -> Result<Plan, RegistryError> {
        match command {
            AccountCommand::Create { name, role, registrant, password } => {
                self.create_account(name, *role, registrant.clone(), password.clone())
            }
            AccountCommand::SetRole { name, role } => self.set_role(name, *role),
            AccountCommand::SetDisabled { name, disabled } => self.set_disabled(name, *disabled),
            AccountCommand::SetPassword { name, password, proof } => {
                self.set_password(name, password, proof.as_ref())
            }
            AccountCommand::BeginSession(proof) => self.begin_session(proof),
            AccountCommand::EndSession => self.end_session(),
        }
    }

    fn create_account(
        mut self,
        name: &str,
        role: Role,
        registrant: Option<RegistrantId>,
        password: Option<String>,
    ) -> Result<Plan, RegistryError> {
        let authority = self.authorise_keeping(role, registrant.as_ref())?;
        check_account(name, role, registrant.is_some(), password.is_some())?;
        let current = self.document::<Account>(name)?;
        // Tokens of an account by name only would come under its maker.
        let is_taken = name == Authority::of_the_operator().account()
            || current.is_some()
            || !self.actor.keeps_all() && has_tokens(&*self.registry.store, name)?;
        if is_taken {
            return Err(RegistryError::Taken(format!("account {name}")));
        }
        let account = Account::new(role, registrant, password);
        self.put_account(authority, name, None, &account)
    }

    fn set_role(mut self, name: &str, role: Role) -> Result<Plan, RegistryError> {
        let (current, authority) = self.kept_account(name)?;
        let mut account = current.content.clone();
        if name == self.actor.account() {
            return Err(refused("change the role of", "one's own account").into());
        }
        self.authorise_keeping(role, account.registrant.as_ref())?;
        check_account(name, role, account.registrant.is_some(), account.password.is_some())?;
        if account.role == role {
            return Ok(done(name, current.version));
        }
        if account.role == Role::PlatformAdministrator && !account.disabled {
            self.check_not_last(name)?;
        }
        account.role = role;
        self.put_account(authority, name, Some(&current), &account)
    }

    fn set_disabled(mut self, name: &str, disabled: bool) -> Result<Plan, RegistryError> {
        let (current, authority) = self.kept_account(name)?;
        let mut account = current.content.clone();
        if account.disabled == disabled {
            return Ok(done(name, current.version));
        }
        if disabled && account.role == Role::PlatformAdministrator {
            self.check_not_last(name)?;
        }
        account.disabled = disabled;
        account.sessions += u64::from(disabled);
        self.put_account(authority, name, Some(&current), &account)
    }

    fn set_password(
        mut self,
        name: &str,
        password: &str,
        proof: Option<&Proof>,
    ) -> Result<Plan, RegistryError> {
        let is_own = name == self.actor.account();
        let (current, authority) = match (is_own, proof) {
            // Whoever knows the password could log in and needs no further right.
            (true, Some(proof)) => {
                let current = self.document::<Account>(name)?.ok_or_else(|| absent(name))?;
                if current.content.password.as_deref() != Some(proof.hash.as_str()) {
                    return Err(refused("change", "a password without the one before").into());
                }
                (current, self.actor.authorise_self())
            }
            _ => self.kept_account(name)?,
        };
        let mut account = current.content.clone();
        if is_own && account.password.is_some() && proof.is_none() {
            return Err(refused("change", "one's own password without the one before").into());
        }
        check_account(name, account.role, account.registrant.is_some(), true)?;
        account.password = Some(password.to_owned());
        account.sessions += 1;
        self.put_account(authority, name, Some(&current), &account)
    }

    fn begin_session(mut self, proof: &Proof) -> Result<Plan, RegistryError> {
        let actor = self.actor;
        let (digest, token) = actor.token();
        let name = actor.account();
        let current = self.document::<Account>(name)?.ok_or(RegistryError::Ended)?;
        let authority = actor.authorise_session(&current.content, proof);
        let authority = authority.ok_or(RegistryError::Ended)?;
        let mut rows = vec![RowChange {
            column: ColumnId::Tokens,
            key: key_bytes(digest),
            row: Some(row_bytes(token)),
        }];
        // The same version of the account: its password stays, only the hash is a better one.
        if let Some(stronger) = &proof.stronger {
            let mut stored = current.clone();
            stored.content.password = Some(stronger.clone());
            let key = DocumentKey { kind: Account::KIND, id: name.to_owned() };
            let row = Some(row_bytes(&stored));
            rows.push(RowChange { column: ColumnId::Documents, key: key_bytes(&key), row });
        }
        Ok(self.without_entry(authority, token.id.clone(), rows))
    }

    fn end_session(self) -> Result<Plan, RegistryError> {
        let actor = self.actor;
        let (digest, token) = actor.token();
        if token.session.is_none() {
            return Err(RegistryError::WrongState {
                subject: format!("token {}", token.id),
                state: "no session".into(),
                remedy: "it lasts until it is revoked".into(),
            });
        }
        let row = RowChange { column: ColumnId::Tokens, key: key_bytes(digest), row: None };
        Ok(self.without_entry(actor.authorise_self(), token.id.clone(), vec![row]))
    }

    /// A change of sessions: rows and no ledger entry.
    pub(super) fn without_entry(
        self,
        authority: Authority,
        id: String,
        rows: Vec<RowChange>,
    ) -> Plan {
        let mut plan = self.change(authority, vec![Effect::Nothing(Receipt::Token { id })]);
        if let Plan::Change(change) = &mut plan {
            change.rows = rows;
        }
        plan
    }

    /// Proof that the actor may make or change accounts of this role and registrant.
    fn authorise_keeping(
        &self,
        role: Role,
        registrant: Option<&RegistrantId>,
    ) -> Result<Authority, RegistryError> {
        if self.actor.keeps(role, registrant) && self.actor.covers(role.actions(), None, Some(0)) {
            return Ok(self.actor.authorise_self());
        }
        Err(refused("keep", &described(role, registrant)).into())
    }

    /// An account that the actor keeps; it must stay as it is.
    fn kept_account(
        &mut self,
        name: &str,
    ) -> Result<(StoredDocument<Account>, Authority), RegistryError> {
        let Some(current) = self.document::<Account>(name)? else {
            // Only who keeps accounts at all learns that there is none.
            self.authorise_keeping(Role::Application, self.actor.registrant())?;
            return Err(absent(name));
        };
        let account = &current.content;
        let authority = self.authorise_keeping(account.role, account.registrant.as_ref())?;
        Ok((current, authority))
    }

    /// Refuses when no other platform administrator is enabled. All that were read must stay.
    fn check_not_last(&mut self, name: &str) -> Result<(), RegistryError> {
        let mut other = None;
        scan_documents::<Account>(&*self.registry.store, "", None, |id, stored| {
            let account = stored.content;
            let counts = account.role == Role::PlatformAdministrator && !account.disabled;
            if counts && id != name {
                other = Some(id);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        match other {
            Some(other) => self.document::<Account>(&other).map(drop),
            None => Err(RegistryError::WrongState {
                subject: format!("account {name}"),
                state: "the last platform administrator that is enabled".into(),
                remedy: "make or enable another one first".into(),
            }),
        }
    }

    fn put_account(
        self,
        authority: Authority,
        name: &str,
        current: Option<&StoredDocument<Account>>,
        account: &Account,
    ) -> Result<Plan, RegistryError> {
        let effect = self.version(&authority).put(EntryKind::Grant, name, current, account);
        Ok(self.change(authority, vec![effect]))
    }
}

fn done(name: &str, version: u64) -> Plan {
    Plan::Done(Receipt::Document { id: name.to_owned(), version })
}

fn absent(name: &str) -> RegistryError {
    RegistryError::Absent(format!("account {name}"))
}

fn refused(action: &'static str, subject: &str) -> Refusal {
    Refusal { action, subject: subject.to_owned() }
}

fn described(role: Role, registrant: Option<&RegistrantId>) -> String {
    let of = registrant.map_or("this node".into(), |registrant| format!("registrant {registrant}"));
    format!("accounts of the role {} of {of}", role.as_str())
}

/// Names every rule that an account would break.
fn check_account(
    name: &str,
    role: Role,
    has_registrant: bool,
    has_password: bool,
) -> Result<(), RegistryError> {
    let mut faults = Vec::new();
    let mut fault = |path: &str, rule: &'static str, message: String| {
        faults.push(Fault::new(path, rule, "", message));
    };
    if let Some(reason) = name_fault(name) {
        fault("name", "format", reason.into());
    }
    let word = role.as_str();
    match role.needs_registrant() {
        Some(true) if !has_registrant => {
            fault("registrant", "required", format!("a {word} acts for a registrant: name it"));
        }
        Some(false) if has_registrant => {
            let message = format!("a {word} acts for the node: leave the registrant out");
            fault("registrant", "forbidden", message);
        }
        _ => {}
    }
    if role == Role::Application && has_password {
        let message = "an application has tokens and no password: make it a token".into();
        fault("password", "forbidden", message);
    }
    if faults.is_empty() { Ok(()) } else { Err(RegistryError::Faulty(faults)) }
}

fn row_bytes(row: &impl crate::store::Row) -> Vec<u8> {
    let mut writer = crate::codec::Writer::with_capacity(256);
    row.write_row(&mut writer);
    writer.into_bytes()
}
