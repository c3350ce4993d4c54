//! `nameplate template`: typed descriptions of what records carry.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value as Json;

use super::output::{Output, printable, text_of};
use super::remote::Remote;
use super::{Outcome, SUCCESS, body};
use crate::client::{Client, ClientError, Condition};
use crate::identifier::{Identifier, Prefix};

/// Draft, publish, withdraw and show templates
#[derive(Debug, clap::Args)]
pub struct TemplateCommand {
    #[command(subcommand)]
    action: TemplateAction,
}

#[derive(Debug, Subcommand)]
enum TemplateAction {
    Create(Create),
    Publish(Publish),
    Withdraw(Withdraw),
    Show(Show),
    List(List),
    Schema(Schema),
    Shipped(Shipped),
}

/// Make a template, or draft its next version, or change that draft
#[derive(Debug, clap::Args)]
struct Create {
    /// Identifier of the template
    identifier: String,
    /// The definition as JSON; - is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "shipped")]
    file: Option<PathBuf>,
    /// Use a definition that comes with the program
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    shipped: Option<String>,
    /// Publish it at once
    #[arg(long)]
    publish: bool,
    /// Only when the template is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Make the draft the version that new records follow; it never changes again
#[derive(Debug, clap::Args)]
struct Publish {
    /// Identifier of the template
    identifier: String,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Let no new records follow the template; those that do stay as they are
#[derive(Debug, clap::Args)]
struct Withdraw {
    /// Identifier of the template
    identifier: String,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Show a template or one of its versions
#[derive(Debug, clap::Args)]
struct Show {
    /// Identifier of the template
    identifier: String,
    /// The version; the newest that may be seen when left out
    #[arg(long, value_name = "N")]
    template_version: Option<u64>,
    #[command(flatten)]
    remote: Remote,
}

/// List templates
#[derive(Debug, clap::Args)]
struct List {
    /// Only those under this prefix
    #[arg(long, value_name = "PREFIX", value_parser = Prefix::parse)]
    prefix: Option<Prefix>,
    #[command(flatten)]
    remote: Remote,
}

/// Print the JSON Schema of records that follow the template
#[derive(Debug, clap::Args)]
struct Schema {
    /// Identifier of the template
    identifier: String,
    /// The version; the newest that may be seen when left out
    #[arg(long, value_name = "N")]
    template_version: Option<u64>,
    #[command(flatten)]
    remote: Remote,
}

/// List the templates that come with the program, or print the definition of one
#[derive(Debug, clap::Args)]
struct Shipped {
    /// Name of the template
    name: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl TemplateCommand {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        match self.action {
            TemplateAction::Create(create) => create.run(output),
            TemplateAction::Publish(Publish { identifier, reason, remote }) => {
                let identifier = Identifier::parse(&identifier)?;
                let client = remote.client_with_reason(reason.as_deref())?;
                tell(&remote.block_on(client.publish_template(&identifier))??, output)
            }
            TemplateAction::Withdraw(Withdraw { identifier, reason, remote }) => {
                let identifier = Identifier::parse(&identifier)?;
                let client = remote.client_with_reason(reason.as_deref())?;
                tell(&remote.block_on(client.withdraw_template(&identifier))??, output)
            }
            TemplateAction::Show(show) => show.run(output),
            TemplateAction::List(list) => list.run(output),
            TemplateAction::Schema(Schema { identifier, template_version, remote }) => {
                let identifier = Identifier::parse(&identifier)?;
                let client = remote.client()?;
                let schema =
                    remote.block_on(client.template_schema(&identifier, template_version))??;
                output.json(&schema)?;
                Ok(SUCCESS)
            }
            TemplateAction::Shipped(shipped) => shipped.run(output),
        }
    }
}

impl Create {
    fn run(self, output: &Output) -> Outcome {
        let identifier = Identifier::parse(&self.identifier)?;
        let definition = match &self.file {
            Some(file) => Some(body::from_file(file)?),
            None => None,
        };
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let made = self.remote.block_on(self.make(&client, &identifier, definition))??;
        tell(&made, output)
    }

    async fn make(
        &self,
        client: &Client,
        identifier: &Identifier,
        definition: Option<Json>,
    ) -> Result<Json, ClientError> {
        let definition = match definition {
            Some(definition) => definition,
            None => client.shipped_templates(self.shipped.as_deref()).await?,
        };
        let condition = self.if_version.map_or(Condition::Always, Condition::Version);
        let drafted = client.draft_template(identifier, &definition, condition).await?;
        // One that was published just so has no draft to publish.
        if self.publish && !drafted["draft"].is_null() {
            return client.publish_template(identifier).await;
        }
        Ok(drafted)
    }
}

impl Show {
    fn run(self, output: &Output) -> Outcome {
        let identifier = Identifier::parse(&self.identifier)?;
        let client = self.remote.client()?;
        let shown = self.remote.block_on(client.template(&identifier, self.template_version))??;
        if output.json {
            output.json(&shown)?;
            return Ok(SUCCESS);
        }
        output.line(describe(&shown))?;
        let attributes = shown["definition"]["attributes"].as_array();
        let mut rows = Vec::new();
        for attribute in attributes.into_iter().flatten() {
            let flags = ["required", "unique", "indexed", "disabled"];
            let set = flags.into_iter().filter(|flag| attribute[flag] == true);
            let words = [attribute["type"].as_str().unwrap_or_default()].into_iter().chain(set);
            let words = words.collect::<Vec<_>>().join(", ");
            rows.push((attribute["name"].as_str().unwrap_or_default(), words));
        }
        output.table(&rows)?;
        Ok(SUCCESS)
    }
}

impl List {
    fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let prefix = self.prefix.as_ref().map(Prefix::as_str);
        let templates = self.remote.block_on(client.templates(prefix))??;
        if output.json {
            output.json(&templates)?;
        } else {
            let lines: Vec<_> = templates.iter().map(parts).collect();
            output.columns(&lines)?;
        }
        Ok(SUCCESS)
    }
}

impl Shipped {
    fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let shipped = self.remote.block_on(client.shipped_templates(self.name.as_deref()))??;
        if output.json || self.name.is_some() {
            output.json(&shipped)?;
            return Ok(SUCCESS);
        }
        let templates = shipped["templates"].as_array().into_iter().flatten();
        let lines = templates.map(|template| {
            let labels = ["en", "zh"].map(|language| text_of(&template["labels"][language]));
            vec![text_of(&template["name"]), labels.join("  ")]
        });
        output.columns(&lines.collect::<Vec<_>>())?;
        Ok(SUCCESS)
    }
}

fn tell(template: &Json, output: &Output) -> Outcome {
    if output.json {
        output.json(template)?;
    } else {
        output.line(describe(template))?;
    }
    Ok(SUCCESS)
}

/// A template, or a version of one, on one line.
fn describe(template: &Json) -> String {
    parts(template).join("  ")
}

/// Its identifier, and where it stands.
fn parts(template: &Json) -> Vec<String> {
    let identifier = printable(template["identifier"].as_str().unwrap_or_default());
    let word = |name: &str| template[name].as_str().map(printable);
    let number = |name: &str| template[name].as_u64().map(|number| format!("{name} {number}"));
    // "published 1" says the state, too.
    let state = word("state").filter(|state| template[state.as_str()].as_u64().is_none());
    let parts = [state, number("published"), number("draft"), number("version")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    vec![identifier, parts.join(", ")]
}
