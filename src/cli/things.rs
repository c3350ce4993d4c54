//! What commands about registrants, prefixes and transfers have in common.

use serde_json::{Map, Value as Json, json};

use super::output::{Output, text_of};
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::client::{Condition, Thing};

/// Which thing, and where.
#[derive(Debug, clap::Args)]
pub struct One {
    /// Name of the registrant, the prefix, or number of the transfer
    #[arg(value_name = "NAME")]
    pub id: String,
    #[command(flatten)]
    pub remote: Remote,
}

/// What all changes have.
#[derive(Debug, clap::Args)]
pub struct Change {
    /// Why, for the history and for those it is about
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub remote: Remote,
}

/// A step with a thing.
#[derive(Debug, clap::Args)]
pub struct StepArgs {
    /// Name of the registrant, the prefix, or number of the transfer
    #[arg(value_name = "NAME")]
    pub id: String,
    #[command(flatten)]
    pub change: Change,
}

impl One {
    /// Shows the thing.
    pub fn show(self, thing: Thing, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let found = self.remote.block_on(client.read_thing(thing, &self.id))??;
        print(output, thing, &found)
    }

    /// Shows all versions of the thing.
    pub fn history(self, thing: Thing, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let entries = self.remote.block_on(client.history_of(thing, &self.id))??;
        for entry in &entries {
            if output.json {
                output.json_line(entry)?;
                continue;
            }
            let state = text_of(&entry["content"]["state"]);
            output.line(format_args!(
                "{}  {}  version {} by {}: {}",
                text_of(&entry["time"]),
                state,
                entry["version"],
                text_of(&entry["actor"]),
                words(&entry["changed"]),
            ))?;
            let reason = text_of(&entry["reason"]);
            if !reason.is_empty() {
                output.line(format_args!("  {}", output.dim(&reason)))?;
            }
        }
        Ok(SUCCESS)
    }
}

impl Change {
    /// Makes a thing.
    pub fn create(&self, thing: Thing, body: &Json, output: &Output) -> Outcome {
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let made = self.remote.block_on(client.create_thing(thing, body))??;
        print(output, thing, &made)
    }

    /// Changes members of a thing.
    pub fn update(
        &self,
        thing: Thing,
        id: &str,
        body: &Json,
        version: Option<u64>,
        output: &Output,
    ) -> Outcome {
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let condition = version.map_or(Condition::Always, Condition::Version);
        let changed = self.remote.block_on(client.update_thing(thing, id, body, condition))??;
        print(output, thing, &changed)
    }

    /// Takes a step with a thing.
    pub fn step(
        &self,
        thing: Thing,
        id: &str,
        step: &str,
        body: &Json,
        output: &Output,
    ) -> Outcome {
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let done = self.remote.block_on(client.step_thing(thing, id, step, body))??;
        print(output, thing, &done)
    }
}

impl StepArgs {
    /// Takes the step.
    pub fn run(self, thing: Thing, step: &str, output: &Output) -> Outcome {
        self.change.step(thing, &self.id, step, &json!({}), output)
    }
}

/// Lists things, a line each for people.
pub fn list(
    remote: &Remote,
    thing: Thing,
    filters: &[(&str, Option<String>)],
    output: &Output,
) -> Outcome {
    let filters = filters.iter().filter_map(|(name, value)| Some((*name, value.clone()?)));
    let filters: Vec<_> = filters.collect();
    let client = remote.client()?;
    let things = remote.block_on(client.list_things(thing, &filters))??;
    if output.json {
        output.json(&things)?;
        return Ok(SUCCESS);
    }
    let mut lines = Vec::new();
    for found in &things {
        let more = match thing {
            Thing::Registrant => vec![text_of(&found["name_zh"])],
            Thing::Prefix => {
                let holder = found.get("registrant").map_or("the node".into(), text_of);
                let warnings = words(&found["warnings"]);
                vec![holder, format!("{} identifiers", found["identifiers"]), warnings]
            }
            Thing::Transfer => {
                let from = found.get("from").map_or("the node".into(), text_of);
                let count = |member: &str| found[member].as_array().map_or(0, Vec::len);
                let (prefixes, identifiers) = (count("prefixes"), count("identifiers"));
                let to = text_of(&found["to"]);
                let goods = format!("{prefixes} prefixes, {identifiers} identifiers");
                vec![format!("{from} to {to}"), goods]
            }
        };
        let mut line = vec![name_of(thing, found), text_of(&found["state"])];
        line.extend(more);
        lines.push(line);
    }
    output.columns(&lines)?;
    Ok(SUCCESS)
}

/// Prints a thing: its name and state, and behind them its other members.
fn print(output: &Output, thing: Thing, found: &Json) -> Outcome {
    if output.json {
        output.json(found)?;
        return Ok(SUCCESS);
    }
    let (name, state) = (name_of(thing, found), text_of(&found["state"]));
    output.line(format_args!("{name}  {state}, version {}", found["version"]))?;
    let nothing = Map::new();
    let members = found.as_object().unwrap_or(&nothing).iter();
    let shown = members.filter(|(name, value)| {
        let empty = value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(Map::is_empty);
        !TOLD_ABOVE.contains(&name.as_str()) && !empty
    });
    let rows: Vec<_> = shown.map(|(name, value)| (name.as_str(), words(value))).collect();
    output.table(&rows)?;
    Ok(SUCCESS)
}

fn name_of(thing: Thing, found: &Json) -> String {
    text_of(&found[if thing == Thing::Prefix { "prefix" } else { "id" }])
}

/// A value as people read it: lists and members one behind the other.
fn words(value: &Json) -> String {
    match value {
        Json::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Json::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name} {}", words(value)));
            members.collect::<Vec<_>>().join(", ")
        }
        Json::Null => String::new(),
        value => text_of(value),
    }
}

/// Members that stand in the first line.
const TOLD_ABOVE: [&str; 4] = ["id", "prefix", "state", "version"];
