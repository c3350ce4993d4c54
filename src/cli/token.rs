//! `nameplate token`: who may do what.

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::Subcommand;
use serde_json::json;

use super::output::Output;
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::access::{Action, Actions, NewToken};
use crate::client::{NewTokenDocument, TokenDocument};
use crate::clock::Clock;
use crate::identifier::Prefix;

/// Make, list and revoke tokens
#[derive(Debug, clap::Args)]
pub struct TokenCommand {
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a token; its secret is shown once
///
/// With --data on a stopped node, for when all tokens are lost: it then allows everything unless
/// said otherwise.
#[derive(Debug, clap::Args)]
struct Create {
    /// Account that acts through the token
    #[arg(long, value_name = "NAME", default_value = "admin")]
    account: String,
    /// What it allows: read, register, update, retire, administer; repeat for more; all that the
    /// account's role may when left out
    #[arg(long = "action", value_name = "ACTION", value_parser = action)]
    actions: Vec<Action>,
    /// Prefix under which it allows that; repeat for more; everywhere when left out
    #[arg(long = "prefix", value_name = "PREFIX", value_parser = Prefix::parse)]
    prefixes: Vec<Prefix>,
    /// Days until it ends; never when left out
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    expires_days: Option<u32>,
    /// Make it in the folder of a stopped node
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// List the tokens and sessions that you may see, without their secrets
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    remote: Remote,
}

/// End a token or session
#[derive(Debug, clap::Args)]
struct Revoke {
    /// The token's public name, from the list
    id: String,
    #[command(flatten)]
    remote: Remote,
}

impl TokenCommand {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        match self.action {
            TokenAction::Create(create) => create.run(output),
            TokenAction::List(list) => list.run(output),
            TokenAction::Revoke(revoke) => revoke.run(output),
        }
    }
}

impl Create {
    fn run(self, output: &Output) -> Outcome {
        let clock = Clock::system();
        let (id, secret) = match &self.data {
            Some(data) => self.create_offline(data, &clock)?,
            None => self.create_remotely(&clock)?,
        };
        if output.json {
            output.json(&json!({"id": id, "account": self.account, "secret": secret}))?;
        } else {
            output.line(&secret)?;
            eprintln!("token {id} of {}: the line above is its secret, shown once", self.account);
        }
        Ok(SUCCESS)
    }

    fn create_remotely(&self, clock: &Clock) -> anyhow::Result<(String, String)> {
        let wanted = NewTokenDocument {
            account: self.account.clone(),
            actions: (!self.actions.is_empty())
                .then(|| self.actions.iter().map(|action| action.as_str().to_owned()).collect()),
            prefixes: self.scope().map(|all| all.iter().map(Prefix::to_string).collect()),
            expires: self.end_ms(clock).map(crate::record::timestamp),
        };
        let client = self.remote.client()?;
        let made = self.remote.block_on(client.create_token(&wanted))??;
        Ok((made.token.id, made.secret))
    }

    fn create_offline(
        &self,
        data: &std::path::Path,
        clock: &Clock,
    ) -> anyhow::Result<(String, String)> {
        let secret = crate::access::fresh_secret(&ring::rand::SystemRandom::new())
            .map_err(|_| anyhow!("the machine has no randomness"))?;
        let token = NewToken {
            secret: secret.clone(),
            account: self.account.clone(),
            actions: self.allowed(),
            prefixes: self.scope(),
            expires_ms: self.end_ms(clock),
        };
        let id = crate::node::offline::create_token(data, &token, clock)?;
        Ok((id, secret))
    }

    fn allowed(&self) -> Actions {
        if self.actions.is_empty() {
            Actions::all()
        } else {
            self.actions.iter().copied().collect()
        }
    }

    fn scope(&self) -> Option<Vec<Prefix>> {
        (!self.prefixes.is_empty()).then(|| self.prefixes.clone())
    }

    fn end_ms(&self, clock: &Clock) -> Option<u64> {
        self.expires_days.map(|days| clock.now_ms() + u64::from(days) * DAY_MS)
    }
}

impl List {
    fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let tokens = self.remote.block_on(client.tokens())??;
        if output.json {
            output.json(&tokens)?;
        } else {
            tokens.iter().try_for_each(|token| output.line(describe(token)))?;
        }
        Ok(SUCCESS)
    }
}

impl Revoke {
    fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        if self.id.is_empty() {
            bail!("the token's public name is empty: `nameplate token list` shows it");
        }
        let revoked = self.remote.block_on(client.revoke_token(&self.id))?;
        revoked.context(format!("token {}", self.id))?;
        if output.json {
            output.json(&json!({"revoked": self.id}))?;
        } else {
            output.line(format_args!("token {} is revoked", self.id))?;
        }
        Ok(SUCCESS)
    }
}

fn describe(token: &TokenDocument) -> String {
    let scope = token.prefixes.as_ref().map_or("everywhere".into(), |all| all.join(", "));
    let end = match (&token.expires, token.revoked) {
        (_, true) => ", revoked".to_owned(),
        (Some(end), false) => format!(", until {end}"),
        (None, false) => String::new(),
    };
    let actions = token.actions.join(", ");
    let used = token.last_used.as_ref().map_or("never used".into(), |at| format!("used {at}"));
    let kind = if token.session { "session, " } else { "" };
    let (id, account) = (&token.id, super::output::printable(&token.account));
    format!("{id}  {account}: {kind}{actions}; {scope}; since {}, {used}{end}", token.created)
}

fn action(text: &str) -> Result<Action, String> {
    Action::ALL.into_iter().find(|action| action.as_str() == text).ok_or_else(|| {
        let known: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
        format!("actions are {}", known.join(", "))
    })
}

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
