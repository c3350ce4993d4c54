//! `nameplate grant`: who sees and edits attributes that are not everybody's.

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::output::{Output, printable, text_of};
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::registrant::Access;

/// Give, list and revoke grants
#[derive(Debug, clap::Args)]
pub struct GrantCommand {
    #[command(subcommand)]
    action: GrantAction,
}

#[derive(Debug, Subcommand)]
enum GrantAction {
    Add(Add),
    List(List),
    Revoke(Revoke),
}

/// Let somebody see or edit attributes that not everybody may read
///
/// The same grant given again replaces its attributes.
#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    grantee: Grantee,
    /// Name of an attribute; repeat for more; all when left out
    #[arg(long = "attribute", value_name = "NAME")]
    attributes: Vec<String>,
    /// What it allows: view, edit, or nothing, which ends on one identifier what is granted to
    /// anybody by template
    #[arg(long, value_name = "ACCESS", default_value = "view", value_parser = access)]
    access: Access,
    /// Who gives it; the token's registrant when left out
    #[arg(long, value_name = "NAME")]
    granter: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Which records.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Subject {
    /// All records of this template
    #[arg(long, value_name = "IDENTIFIER")]
    template: Option<String>,
    /// This identifier, for which it replaces all that is granted by template
    #[arg(long, value_name = "IDENTIFIER")]
    identifier: Option<String>,
}

/// Who gets it.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Grantee {
    /// To this registrant
    #[arg(long, value_name = "NAME")]
    registrant: Option<String>,
    /// To the members of this group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// To everyone
    #[arg(long)]
    everyone: bool,
}

/// List grants in force
#[derive(Debug, clap::Args)]
struct List {
    /// Those that this registrant gives; those of the token's registrant when left out
    #[arg(long, value_name = "NAME")]
    granter: Option<String>,
    /// Only those on this template
    #[arg(long, value_name = "IDENTIFIER", conflicts_with = "identifier")]
    template: Option<String>,
    /// Only those on this identifier itself
    #[arg(long, value_name = "IDENTIFIER")]
    identifier: Option<String>,
    /// Those that the token's registrant gets, whoever gives them
    #[arg(long, conflicts_with_all = ["granter", "template", "identifier"])]
    to_me: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Take a grant back, at once
#[derive(Debug, clap::Args)]
struct Revoke {
    /// The grant's name, from the list
    id: String,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl GrantCommand {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        match self.action {
            GrantAction::Add(add) => add.run(output),
            GrantAction::List(list) => list.run(output),
            GrantAction::Revoke(revoke) => revoke.run(output),
        }
    }
}

impl Add {
    fn run(self, output: &Output) -> Outcome {
        let subject = match (self.subject.template, self.subject.identifier) {
            (Some(template), _) => json!({ "template": template }),
            (_, identifier) => json!({ "identifier": identifier }),
        };
        let grantee = match (self.grantee.registrant, self.grantee.group) {
            (Some(registrant), _) => json!({ "registrant": registrant }),
            (_, Some(group)) => json!({ "group": group }),
            (None, None) => json!("everyone"),
        };
        let mut body = json!({"subject": subject, "grantee": grantee,
            "attributes": self.attributes, "access": self.access});
        if let Some(granter) = self.granter {
            body["granter"] = granter.into();
        }
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let given = self.remote.block_on(client.give_grant(&body))??;
        if output.json {
            output.json(&given)?
        } else {
            output.line(describe(&given))?
        }
        Ok(SUCCESS)
    }
}

impl List {
    fn run(self, output: &Output) -> Outcome {
        let filters = [
            ("granter", self.granter.as_deref()),
            ("template", self.template.as_deref()),
            ("identifier", self.identifier.as_deref()),
            ("to", self.to_me.then_some("me")),
        ];
        let query: Vec<_> =
            filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let client = self.remote.client()?;
        let grants = self.remote.block_on(client.grants(&query))??;
        if output.json {
            output.json(&grants)?;
        } else {
            grants.iter().try_for_each(|grant| output.line(describe(grant)))?;
        }
        Ok(SUCCESS)
    }
}

impl Revoke {
    fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        self.remote.block_on(client.revoke_grant(&self.id))??;
        if output.json {
            output.json(&json!({"revoked": self.id}))?;
        } else {
            output.line(format_args!("grant {} is revoked", printable(&self.id)))?;
        }
        Ok(SUCCESS)
    }
}

/// `beta-motors may view model, cost of identifier 88.118.8/SN-001  (ID)`
fn describe(grant: &Json) -> String {
    let one = |of: &Json| match of.as_object().and_then(|members| members.iter().next()) {
        Some((kind, name)) => format!("{kind} {}", text_of(name)),
        None => text_of(of),
    };
    let attributes = match grant["attributes"].as_array() {
        Some(names) => names.iter().map(text_of).collect::<Vec<_>>().join(", "),
        None => "all attributes".to_owned(),
    };
    let (grantee, subject) = (one(&grant["grantee"]), one(&grant["subject"]));
    let what = match grant["access"].as_str() {
        Some("nothing") => "sees nothing by template".to_owned(),
        access => format!("may {} {attributes}", access.unwrap_or_default()),
    };
    format!("{grantee} {what} of {subject}  ({})", text_of(&grant["id"]))
}

fn access(text: &str) -> Result<Access, String> {
    Access::ALL
        .into_iter()
        .find(|access| access.as_str() == text)
        .ok_or_else(|| "access is view, edit or nothing".to_owned())
}
