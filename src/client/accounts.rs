//! Accounts and sessions.

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::exchange::Ask;
use super::{Client, ClientError, encode};

/// An account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountDocument {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: String,
    /// Whom it acts for; none for accounts of the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrant: Option<String>,
    /// Whether it may do nothing.
    pub disabled: bool,
    /// Whether it can log in.
    pub has_password: bool,
    /// Its version.
    pub version: u64,
    /// When it was made (RFC 3339).
    pub created: String,
    /// When it was changed last (RFC 3339).
    pub modified: String,
}

/// An account to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewAccountDocument {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: String,
    /// Whom it acts for; none for the node itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registrant: Option<String>,
    /// Its password; none for accounts that log in nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// A session that has begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionDocument {
    /// Its public name.
    pub id: String,
    /// Its secret, shown this once.
    pub secret: String,
    /// The account.
    pub account: String,
    /// What the account is for.
    pub role: String,
    /// When the session ends in any case (RFC 3339).
    pub expires: String,
    /// After how long without use it ends.
    pub idle_seconds: u64,
}

impl Client {
    /// Makes an account.
    pub async fn create_account(
        &self,
        wanted: &NewAccountDocument,
    ) -> Result<AccountDocument, ClientError> {
        let body = serde_json::to_value(wanted).map_err(ClientError::unreadable)?;
        self.call(&Ask::new(Method::POST, ACCOUNTS.into()).json(&body)).await?.accept()?.read()
    }

    /// An account.
    pub async fn account(&self, name: &str) -> Result<AccountDocument, ClientError> {
        let path = format!("{ACCOUNTS}/{}", encode(name));
        self.call(&Ask::new(Method::GET, path)).await?.accept()?.read()
    }

    /// All accounts that the asker may see, or those of a registrant.
    pub async fn accounts(
        &self,
        registrant: Option<&str>,
    ) -> Result<Vec<AccountDocument>, ClientError> {
        #[derive(Deserialize)]
        struct Accounts {
            accounts: Vec<AccountDocument>,
            next: Option<String>,
        }
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut path = format!("{ACCOUNTS}?limit=1000");
            if let Some(registrant) = registrant {
                path += &format!("&registrant={}", encode(registrant));
            }
            if let Some(after) = &after {
                path += &format!("&after={}", encode(after));
            }
            let page: Accounts = self.call(&Ask::new(Method::GET, path)).await?.accept()?.read()?;
            all.extend(page.accounts);
            match page.next {
                // Names come in order: a node that repeats itself must not be asked for ever.
                Some(next) if after.as_ref().is_none_or(|after| *after < next) => {
                    after = Some(next);
                }
                _ => return Ok(all),
            }
        }
    }

    /// Changes an account: `set-role`, `disable`, `enable` or `set-password`, with what it needs.
    pub async fn change_account(
        &self,
        name: &str,
        verb: &str,
        body: Option<&Json>,
    ) -> Result<AccountDocument, ClientError> {
        let ask = Ask::new(Method::POST, format!("{ACCOUNTS}/{}/{verb}", encode(name)));
        let ask = match body {
            Some(body) => ask.json(body),
            None => ask,
        };
        self.call(&ask).await?.accept()?.read()
    }

    /// Begins a session.
    pub async fn log_in(
        &self,
        account: &str,
        password: &str,
    ) -> Result<SessionDocument, ClientError> {
        let body = json!({"account": account, "password": password});
        self.call(&Ask::new(Method::POST, SESSIONS.into()).json(&body)).await?.accept()?.read()
    }

    /// Ends the session whose secret the client sends.
    pub async fn log_out(&self) -> Result<(), ClientError> {
        let path = format!("{SESSIONS}/current");
        self.call(&Ask::new(Method::DELETE, path)).await?.accept()?;
        Ok(())
    }
}

const ACCOUNTS: &str = "/api/v1/accounts";
const SESSIONS: &str = "/api/v1/sessions";
