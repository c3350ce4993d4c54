//! `nameplate login` and `nameplate logout`: a session for a person.

use serde_json::json;

use super::output::Output;
use super::remote::Remote;
use super::secret::password;
use super::{Outcome, SUCCESS};

/// Log in with a password; prints the session's secret
///
/// The secret is used like a token until the session ends:
/// export NAMEPLATE_TOKEN=$(nameplate login zhang.wei)
#[derive(Debug, clap::Args)]
pub struct Login {
    /// The account; its password is asked for, or read as a line from standard input
    account: String,
    #[command(flatten)]
    remote: Remote,
}

/// End the session whose secret is in use
#[derive(Debug, clap::Args)]
pub struct Logout {
    #[command(flatten)]
    remote: Remote,
}

impl Login {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let password = password(&format!("Password of {}", self.account))?;
        let session = self.remote.block_on(client.log_in(&self.account, &password))??;
        if output.json {
            output.json(&session)?;
        } else {
            output.line(&session.secret)?;
            eprintln!(
                "{}, {}: the line above is the secret of a session until {}; it ends after {} min \
                 without use",
                session.account,
                session.role,
                session.expires,
                session.idle_seconds / 60,
            );
        }
        Ok(SUCCESS)
    }
}

impl Logout {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        self.remote.block_on(client.log_out())??;
        if output.json {
            output.json(&json!({"ended": true}))?;
        } else {
            output.line("the session has ended")?;
        }
        Ok(SUCCESS)
    }
}
