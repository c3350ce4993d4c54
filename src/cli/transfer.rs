//! `nameplate transfer`: prefixes and identifiers on their way to another registrant.

use clap::Subcommand;
use serde_json::json;

use super::Outcome;
use super::output::Output;
use super::remote::Remote;
use super::things::{self, Change, One, StepArgs};
use crate::client::Thing;

/// Hand prefixes and identifiers over to another registrant
#[derive(Debug, clap::Args)]
pub struct TransferCommand {
    #[command(subcommand)]
    action: TransferAction,
}

#[derive(Debug, Subcommand)]
enum TransferAction {
    Offer(Offer),
    /// Show a transfer
    Show(One),
    List(List),
    /// Take what was offered to you; everything changes hands at once
    Accept(StepArgs),
    /// Refuse what was offered to you
    Decline(StepArgs),
    /// Withdraw your offer
    Cancel(StepArgs),
}

/// Offer what you hold to another registrant
#[derive(Debug, clap::Args)]
#[group(id = "goods", required = true, multiple = true, args = ["prefixes", "identifiers"])]
struct Offer {
    /// Who is to take it
    #[arg(long, value_name = "NAME")]
    to: String,
    /// A prefix with all that is below it; repeat for more
    #[arg(long = "prefix", value_name = "PREFIX")]
    prefixes: Vec<String>,
    /// Single identifiers
    #[arg(value_name = "IDENTIFIER")]
    identifiers: Vec<String>,
    #[command(flatten)]
    change: Change,
}

/// List the transfers that you may see
#[derive(Debug, clap::Args)]
struct List {
    /// Only those in this state
    #[arg(long, value_name = "STATE",
        value_parser = ["offered", "accepted", "declined", "cancelled"])]
    state: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl TransferCommand {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let thing = Thing::Transfer;
        match self.action {
            TransferAction::Offer(Offer { to, prefixes, identifiers, change }) => {
                let body = json!({"to": to, "prefixes": prefixes, "identifiers": identifiers});
                change.create(thing, &body, output)
            }
            TransferAction::Show(one) => one.show(thing, output),
            TransferAction::List(List { state, remote }) => {
                things::list(&remote, thing, &[("state", state)], output)
            }
            TransferAction::Accept(step) => step.run(thing, "accept", output),
            TransferAction::Decline(step) => step.run(thing, "decline", output),
            TransferAction::Cancel(step) => step.run(thing, "cancel", output),
        }
    }
}
