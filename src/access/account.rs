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
}

impl Document for Account {
    const KIND: DocumentKind = DocumentKind::Account;

    fn ledger_body(&self) -> serde_json::Value {
        let account = Account { password: None, ..self.clone() };
        serde_json::to_value(account).unwrap_or_default()
    }
}
