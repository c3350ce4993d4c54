//! `nameplate account`: who may act on the node, as what and for whom.

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::output::Output;
use super::remote::Remote;
use super::secret::{new_password, password};
use super::{Outcome, SUCCESS};
use crate::access::Role;
use crate::client::{AccountDocument, NewAccountDocument};

/// Make, list, show and change accounts
#[derive(Debug, clap::Args)]
pub struct AccountCommand {
    #[command(subcommand)]
    action: AccountAction,
}

#[derive(Debug, Subcommand)]
enum AccountAction {
    Create(Create),
    List(List),
    Show(Show),
    SetRole(SetRole),
    Disable(Disable),
    Enable(Enable),
    SetPassword(SetPassword),
}

/// Make an account
#[derive(Debug, clap::Args)]
struct Create {
    /// Its name
    name: String,
    /// What it is for: platform-administrator, reviewer, auditor, registrant-administrator,
    /// operator or application
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Role,
    /// Whom it acts for; the node itself when left out
    #[arg(long, value_name = "NAME")]
    registrant: Option<String>,
    /// Give it a password, which is asked for, or read as a line from standard input
    #[arg(long)]
    password: bool,
    #[command(flatten)]
    change: Change,
}

/// List the accounts that you may see
#[derive(Debug, clap::Args)]
struct List {
    /// Only accounts that act for this registrant
    #[arg(long, value_name = "NAME")]
    registrant: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Show an account
#[derive(Debug, clap::Args)]
struct Show {
    /// The account
    name: String,
    #[command(flatten)]
    remote: Remote,
}

/// Give an account another role
#[derive(Debug, clap::Args)]
struct SetRole {
    /// The account
    name: String,
    /// What it is to be for
    #[arg(value_parser = role)]
    role: Role,
    #[command(flatten)]
    change: Change,
}

/// Disable an account: its tokens do nothing, its sessions end
#[derive(Debug, clap::Args)]
struct Disable {
    /// The account
    name: String,
    #[command(flatten)]
    change: Change,
}

/// Enable an account that was disabled
#[derive(Debug, clap::Args)]
struct Enable {
    /// The account
    name: String,
    #[command(flatten)]
    change: Change,
}

/// Set a password, which is asked for, or read as a line from standard input
#[derive(Debug, clap::Args)]
struct SetPassword {
    /// The account
    name: String,
    /// It is your own account: the password before comes first
    #[arg(long)]
    own: bool,
    #[command(flatten)]
    change: Change,
}

/// What all changes have.
#[derive(Debug, clap::Args)]
struct Change {
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl AccountCommand {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let account = match self.action {
            AccountAction::List(list) => return list.run(output),
            AccountAction::Create(create) => create.run()?,
            AccountAction::Show(show) => {
                let client = show.remote.client()?;
                show.remote.block_on(client.account(&show.name))??
            }
            AccountAction::SetRole(SetRole { name, role, change }) => {
                change.make(&name, "set-role", Some(&json!({"role": role})))?
            }
            AccountAction::Disable(Disable { name, change }) => {
                change.make(&name, "disable", None)?
            }
            AccountAction::Enable(Enable { name, change }) => change.make(&name, "enable", None)?,
            AccountAction::SetPassword(SetPassword { name, own, change }) => {
                let current = if own { Some(password("Password before")?) } else { None };
                let mut body = json!({"password": new_password()?});
                if let Some(current) = current {
                    body["current"] = current.into();
                }
                change.make(&name, "set-password", Some(&body))?
            }
        };
        if output.json {
            output.json(&account)?;
        } else {
            output.table(&rows(&account))?;
        }
        Ok(SUCCESS)
    }
}

impl Create {
    fn run(self) -> anyhow::Result<AccountDocument> {
        let password = if self.password { Some(new_password()?) } else { None };
        let wanted = NewAccountDocument {
            name: self.name,
            role: self.role.as_str().to_owned(),
            registrant: self.registrant,
            password,
        };
        let Change { reason, remote } = self.change;
        let client = remote.client_with_reason(reason.as_deref())?;
        Ok(remote.block_on(client.create_account(&wanted))??)
    }
}

impl List {
    fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let accounts = self.remote.block_on(client.accounts(self.registrant.as_deref()))??;
        if output.json {
            output.json(&accounts)?;
        } else {
            let lines: Vec<_> = accounts.iter().map(describe).collect();
            output.columns(&lines)?;
        }
        Ok(SUCCESS)
    }
}

impl Change {
    fn make(self, name: &str, verb: &str, body: Option<&Json>) -> anyhow::Result<AccountDocument> {
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        Ok(self.remote.block_on(client.change_account(name, verb, body))??)
    }
}

fn rows(account: &AccountDocument) -> Vec<(&'static str, String)> {
    let words = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut rows = vec![
        ("account", super::output::printable(&account.name)),
        ("role", account.role.clone()),
        ("registrant", account.registrant.clone().unwrap_or_else(|| "the node itself".into())),
        ("password", words(account.has_password)),
        ("disabled", words(account.disabled)),
        ("created", account.created.clone()),
    ];
    if account.version > 1 {
        rows.push(("modified", account.modified.clone()));
    }
    rows
}

fn describe(account: &AccountDocument) -> Vec<String> {
    let of = account.registrant.as_ref().map_or("the node itself", |of| of);
    let state = if account.disabled { "disabled" } else { "" };
    let name = super::output::printable(&account.name);
    [name.as_str(), &account.role, of, &account.created, state].map(str::to_owned).to_vec()
}

fn role(text: &str) -> Result<Role, String> {
    Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
        let known: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("roles are {}", known.join(", "))
    })
}
