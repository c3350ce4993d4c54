//! Accounts: who acts, for whom, as what.

use serde::{Deserialize, Serialize};

use super::Role;
use crate::registrant::RegistrantId;
use crate::store::{Document, DocumentKind};

/// Somebody who may act on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// What the account is for.
    pub role: Role,
    /// Whom it acts for; none for accounts of the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrant: Option<RegistrantId>,
    /// Whether it may do nothing.
    #[serde(default)]
    pub disabled: bool,
    /// The password's hash in PHC form (argon2id); none for accounts that log in nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Sessions begun under another number are over: it grows with every new password and when the
    /// account is disabled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sessions: u64,
}

impl Account {
    /// An account that was just made.
    pub fn new(role: Role, registrant: Option<RegistrantId>, password: Option<String>) -> Self {
        Self { role, registrant, disabled: false, password, sessions: 0 }
    }
}

/// Why `name` can be no account's name; none when it can.
pub fn name_fault(name: &str) -> Option<&'static str> {
    let fits = (1..=ACCOUNT_OCTETS).contains(&name.len()) && !name.chars().any(char::is_control);
    (!fits).then_some("an account's name has 1 to 64 octets and no control characters")
}

impl Document for Account {
    const KIND: DocumentKind = DocumentKind::Account;

    fn ledger_body(&self) -> serde_json::Value {
        let account = Account { password: None, ..self.clone() };
        let mut body = serde_json::to_value(account).unwrap_or_default();
        body["has_password"] = self.password.is_some().into();
        body
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Most octets of an account's name.
const ACCOUNT_OCTETS: usize = 64;
