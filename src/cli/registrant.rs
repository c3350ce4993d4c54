//! `nameplate registrant`: enterprises, from their application to their end.

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Map, Value as Json, json};

use super::Outcome;
use super::output::Output;
use super::remote::Remote;
use super::things::{self, Change, One, StepArgs};
use crate::client::Thing;

/// Apply as a registrant, review applications, suspend, close
#[derive(Debug, clap::Args)]
pub struct RegistrantCommand {
    #[command(subcommand)]
    action: RegistrantAction,
}

#[derive(Debug, Subcommand)]
enum RegistrantAction {
    Apply(Apply),
    /// Show a registrant
    Show(One),
    List(List),
    Update(Update),
    /// Open the review of an application
    Review(StepArgs),
    /// Make an applicant an active registrant
    Approve(StepArgs),
    /// Send an application back to its applicant; needs a reason
    Reject(StepArgs),
    /// Stop all changes of a registrant; needs a reason
    Suspend(StepArgs),
    /// Let a suspended registrant go on
    Resume(StepArgs),
    /// End a registrant for good; needs a reason
    Close(StepArgs),
    /// Show all versions of a registrant, newest first
    History(One),
}

/// Apply as a registrant
#[derive(Debug, clap::Args)]
struct Apply {
    /// The name it is to have on this node: a-z, 0-9 and -
    #[arg(value_name = "NAME")]
    id: String,
    #[command(flatten)]
    profile: Profile,
    #[command(flatten)]
    change: Change,
}

/// List the registrants that you may see
#[derive(Debug, clap::Args)]
struct List {
    /// Only those in this state
    #[arg(long, value_name = "STATE",
        value_parser = ["applied", "under-review", "active", "suspended", "closed"])]
    state: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Change what a registrant says of itself
#[derive(Debug, clap::Args)]
struct Update {
    /// Its name
    #[arg(value_name = "NAME")]
    id: String,
    #[command(flatten)]
    profile: Profile,
    /// Remove a member, such as name_en; repeat for more
    #[arg(long, value_name = "MEMBER")]
    unset: Vec<String>,
    /// Only when it is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    #[command(flatten)]
    change: Change,
}

/// What a registrant says of itself.
#[derive(Debug, clap::Args)]
struct Profile {
    /// Legal name in Chinese; an application needs it
    #[arg(long, value_name = "TEXT")]
    name_zh: Option<String>,
    /// Legal name in English
    #[arg(long, value_name = "TEXT")]
    name_en: Option<String>,
    /// Unified social credit code (GB 32100)
    #[arg(long, value_name = "CODE")]
    unified_code: Option<String>,
    /// Industry (GB/T 4754), as `nameplate codes industries` finds it
    #[arg(long, value_name = "CODE")]
    industry: Option<String>,
    /// Region (GB/T 2260), as `nameplate codes regions` finds it
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
    /// Somebody to turn to, as NAME, NAME,MAIL or NAME,MAIL,PHONE; repeat for more
    #[arg(long = "contact", value_name = "NAME[,MAIL[,PHONE]]", value_parser = contact)]
    contacts: Vec<Json>,
}

impl RegistrantCommand {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let thing = Thing::Registrant;
        match self.action {
            RegistrantAction::Apply(Apply { id, profile, change }) => {
                if profile.name_zh.is_none() {
                    bail!("--name-zh is missing: an applicant needs a legal name in Chinese");
                }
                let mut body = profile.members();
                body.insert("id".into(), id.into());
                change.create(thing, &Json::Object(body), output)
            }
            RegistrantAction::Show(one) => one.show(thing, output),
            RegistrantAction::List(List { state, remote }) => {
                things::list(&remote, thing, &[("state", state)], output)
            }
            RegistrantAction::Update(update) => update.run(output),
            RegistrantAction::Review(step) => step.run(thing, "review", output),
            RegistrantAction::Approve(step) => step.run(thing, "approve", output),
            RegistrantAction::Reject(step) => step.run(thing, "reject", output),
            RegistrantAction::Suspend(step) => step.run(thing, "suspend", output),
            RegistrantAction::Resume(step) => step.run(thing, "resume", output),
            RegistrantAction::Close(step) => step.run(thing, "close", output),
            RegistrantAction::History(one) => one.history(thing, output),
        }
    }
}

impl Update {
    fn run(self, output: &Output) -> Outcome {
        let mut body = self.profile.members();
        body.extend(self.unset.into_iter().map(|member| (member, Json::Null)));
        if body.is_empty() {
            bail!("nothing to change: give a member of the profile or --unset");
        }
        let body = Json::Object(body);
        self.change.update(Thing::Registrant, &self.id, &body, self.if_version, output)
    }
}

impl Profile {
    fn members(&self) -> Map<String, Json> {
        let texts = [
            ("name_zh", &self.name_zh),
            ("name_en", &self.name_en),
            ("unified_code", &self.unified_code),
            ("industry", &self.industry),
            ("region", &self.region),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
        let mut members: Map<String, Json> =
            texts.map(|(name, text)| (name.to_owned(), text.into())).collect();
        if !self.contacts.is_empty() {
            members.insert("contacts".into(), self.contacts.clone().into());
        }
        members
    }
}

fn contact(text: &str) -> Result<Json, String> {
    let parts: Vec<_> = text.split(',').map(str::trim).collect();
    match parts[..] {
        [name] => Ok(json!({ "name": name })),
        [name, email] => Ok(json!({"name": name, "email": email})),
        [name, "", phone] => Ok(json!({"name": name, "phone": phone})),
        [name, email, phone] => Ok(json!({"name": name, "email": email, "phone": phone})),
        _ => Err("a contact is NAME, NAME,MAIL or NAME,MAIL,PHONE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_read() {
        assert_eq!(contact("王工"), Ok(json!({"name": "王工"})));
        assert_eq!(contact("a, b@c"), Ok(json!({"name": "a", "email": "b@c"})));
        assert_eq!(contact("a,,123"), Ok(json!({"name": "a", "phone": "123"})));
        assert!(contact("a,b,c,d").is_err());
    }
}
