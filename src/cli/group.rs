//! `nameplate group`: registrants that get grants together.

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::output::{Output, printable, text_of};
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::client::Condition;

/// Keep groups of registrants
#[derive(Debug, clap::Args)]
pub struct GroupCommand {
    #[command(subcommand)]
    action: GroupAction,
}

#[derive(Debug, Subcommand)]
enum GroupAction {
    Set(Set),
    List(List),
    Show(Show),
    Remove(Remove),
}

/// Make a group or replace its members
#[derive(Debug, clap::Args)]
struct Set {
    /// Name of the group: its keeper's, a dot and its own
    id: String,
    /// A member; repeat for more; nobody when left out
    #[arg(long = "member", value_name = "NAME")]
    members: Vec<String>,
    /// Only when the group is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// List groups
#[derive(Debug, clap::Args)]
struct List {
    /// Those that this registrant keeps; those of the token's registrant when left out
    #[arg(long, value_name = "NAME")]
    keeper: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Show a group
#[derive(Debug, clap::Args)]
struct Show {
    /// Name of the group
    id: String,
    #[command(flatten)]
    remote: Remote,
}

/// Remove a group that no grant names
#[derive(Debug, clap::Args)]
struct Remove {
    /// Name of the group
    id: String,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl GroupCommand {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        match self.action {
            GroupAction::Set(set) => set.run(output),
            GroupAction::List(list) => list.run(output),
            GroupAction::Show(show) => show.run(output),
            GroupAction::Remove(remove) => remove.run(output),
        }
    }
}

impl Set {
    fn run(self, output: &Output) -> Outcome {
        let condition = self.if_version.map_or(Condition::Always, Condition::Version);
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let put = client.put_group(&self.id, &self.members, condition);
        let group = self.remote.block_on(put)??;
        if output.json {
            output.json(&group)?
        } else {
            output.line(describe(&group))?
        }
        Ok(SUCCESS)
    }
}

impl List {
    fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let groups = self.remote.block_on(client.groups(self.keeper.as_deref()))??;
        if output.json {
            output.json(&groups)?;
        } else {
            groups.iter().try_for_each(|group| output.line(describe(group)))?;
        }
        Ok(SUCCESS)
    }
}

impl Show {
    fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let group = self.remote.block_on(client.group(&self.id))??;
        if output.json {
            output.json(&group)?
        } else {
            output.line(describe(&group))?
        }
        Ok(SUCCESS)
    }
}

impl Remove {
    fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        self.remote.block_on(client.remove_group(&self.id))??;
        if output.json {
            output.json(&json!({"removed": self.id}))?;
        } else {
            output.line(format_args!("group {} is removed", printable(&self.id)))?;
        }
        Ok(SUCCESS)
    }
}

/// `acme-pumps.service, version 2: beta-motors, gamma-service`
fn describe(group: &Json) -> String {
    let members = group["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    let members = match members {
        [] => "nobody".to_owned(),
        members => members.iter().map(text_of).collect::<Vec<_>>().join(", "),
    };
    format!("{}, version {}: {members}", text_of(&group["id"]), group["version"])
}
