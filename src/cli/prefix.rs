//! `nameplate prefix`: applications for prefixes, their review, and their life.

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Map, Value as Json};

use super::Outcome;
use super::output::Output;
use super::remote::Remote;
use super::things::{self, Change, One, StepArgs};
use crate::client::Thing;

/// Apply for prefixes, review applications, set quotas, suspend, close
#[derive(Debug, clap::Args)]
pub struct PrefixCommand {
    #[command(subcommand)]
    action: PrefixAction,
}

#[derive(Debug, Subcommand)]
enum PrefixAction {
    Apply(Apply),
    /// Show a prefix
    Show(One),
    List(List),
    Set(Set),
    /// Open the review of an application; nothing is registered below the prefix meanwhile
    Review(StepArgs),
    Approve(Approve),
    /// Turn an application down; needs a reason
    Reject(StepArgs),
    /// Stop all changes below a prefix; needs a reason
    Suspend(StepArgs),
    /// Let a suspended prefix go on
    Resume(StepArgs),
    /// End a prefix for good: what is registered below it answers with tombstones; needs a reason
    Close(StepArgs),
    /// Show all versions of a prefix, newest first
    History(One),
}

/// Apply for a prefix, or for the next free number below one
#[derive(Debug, clap::Args)]
struct Apply {
    /// The prefix wished for
    #[arg(required_unless_present = "parent", conflicts_with = "parent")]
    prefix: Option<String>,
    /// Prefix below which the next free number is wanted
    #[arg(long, value_name = "PREFIX")]
    parent: Option<String>,
    /// For whom; your own registrant when left out, else the node itself
    #[arg(long, value_name = "NAME")]
    registrant: Option<String>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    change: Change,
}

/// List the prefixes that you may see
#[derive(Debug, clap::Args)]
struct List {
    /// Only those in this state
    #[arg(long, value_name = "STATE",
        value_parser = ["applied", "under-review", "rejected", "allocated", "suspended", "closed"])]
    state: Option<String>,
    /// Only those of this registrant
    #[arg(long, value_name = "NAME")]
    registrant: Option<String>,
    /// Only those that end within so many days, or have ended
    #[arg(long, value_name = "DAYS")]
    expiring_within_days: Option<u64>,
    #[command(flatten)]
    remote: Remote,
}

/// Set quota, dates and policy of a prefix
#[derive(Debug, clap::Args)]
struct Set {
    /// The prefix
    prefix: String,
    #[command(flatten)]
    terms: Terms,
    /// Only when it is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    #[command(flatten)]
    change: Change,
}

/// Allocate a prefix that is under review, perhaps on other terms
#[derive(Debug, clap::Args)]
struct Approve {
    /// The prefix
    prefix: String,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    change: Change,
}

/// On what terms a prefix is held.
#[derive(Debug, clap::Args)]
struct Terms {
    /// Most identifiers, or none for no bound
    #[arg(long, value_name = "COUNT|none", value_parser = bound)]
    identifiers: Option<Json>,
    /// Most changes per second, or none for no bound
    #[arg(long, value_name = "COUNT|none", value_parser = bound)]
    writes_per_second: Option<Json>,
    /// When it begins to count (RFC 3339), or none
    #[arg(long, value_name = "TIME|none", value_parser = moment)]
    valid_from: Option<Json>,
    /// When it ends (RFC 3339), or none
    #[arg(long, value_name = "TIME|none", value_parser = moment)]
    valid_until: Option<Json>,
    /// Whether records stop resolving while the prefix is suspended
    #[arg(long, value_name = "BOOL")]
    hidden_when_suspended: Option<bool>,
    /// Whether the holder may bring retired identifiers back
    #[arg(long, value_name = "BOOL")]
    may_reinstate: Option<bool>,
}

impl PrefixCommand {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let thing = Thing::Prefix;
        match self.action {
            PrefixAction::Apply(apply) => apply.run(output),
            PrefixAction::Show(one) => one.show(thing, output),
            PrefixAction::List(List { state, registrant, expiring_within_days, remote }) => {
                let days = expiring_within_days.map(|days| days.to_string());
                let filters =
                    [("state", state), ("registrant", registrant), ("expiring_within_days", days)];
                things::list(&remote, thing, &filters, output)
            }
            PrefixAction::Set(Set { prefix, terms, if_version, change }) => {
                let body = terms.members();
                if body.is_empty() {
                    bail!("nothing to set: give a quota, a date or a policy");
                }
                change.update(thing, &prefix, &Json::Object(body), if_version, output)
            }
            PrefixAction::Review(step) => step.run(thing, "review", output),
            PrefixAction::Approve(Approve { prefix, terms, change }) => {
                change.step(thing, &prefix, "approve", &Json::Object(terms.members()), output)
            }
            PrefixAction::Reject(step) => step.run(thing, "reject", output),
            PrefixAction::Suspend(step) => step.run(thing, "suspend", output),
            PrefixAction::Resume(step) => step.run(thing, "resume", output),
            PrefixAction::Close(step) => step.run(thing, "close", output),
            PrefixAction::History(one) => one.history(thing, output),
        }
    }
}

impl Apply {
    fn run(self, output: &Output) -> Outcome {
        let mut body = self.terms.members();
        let members =
            [("prefix", self.prefix), ("parent", self.parent), ("registrant", self.registrant)];
        let given = members.into_iter().filter_map(|(name, text)| Some((name, text?)));
        body.extend(given.map(|(name, text)| (name.to_owned(), text.into())));
        self.change.create(Thing::Prefix, &Json::Object(body), output)
    }
}

impl Terms {
    fn members(&self) -> Map<String, Json> {
        let given = |members: [(&str, Option<Json>); 2]| -> Map<String, Json> {
            let members = members.into_iter();
            members.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
        };
        let mut body = given([
            ("valid_from", self.valid_from.clone()),
            ("valid_until", self.valid_until.clone()),
        ]);
        body.extend(given([
            ("hidden_when_suspended", self.hidden_when_suspended.map(Json::from)),
            ("may_reinstate", self.may_reinstate.map(Json::from)),
        ]));
        let quota = given([
            ("identifiers", self.identifiers.clone()),
            ("writes_per_second", self.writes_per_second.clone()),
        ]);
        if !quota.is_empty() {
            body.insert("quota".into(), Json::Object(quota));
        }
        body
    }
}

fn bound(text: &str) -> Result<Json, String> {
    if text == "none" {
        return Ok(Json::Null);
    }
    text.parse::<u64>().map(Json::from).map_err(|_| "a bound is a number, or none".into())
}

fn moment(text: &str) -> Result<Json, String> {
    Ok(if text == "none" { Json::Null } else { text.into() })
}
