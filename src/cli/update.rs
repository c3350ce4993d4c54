//! `nameplate update`: parts of a record.

use anyhow::bail;
use serde_json::{Value as Json, json};

use super::output::Output;
use super::remote::Remote;
use super::{Outcome, SUCCESS, body};
use crate::client::{Client, Condition, Found};
use crate::identifier::Identifier;

/// Change parts of a record; the rest stays
#[derive(Debug, clap::Args)]
pub struct Update {
    /// The identifier, in any spelling
    identifier: String,
    /// Set an attribute; repeat for more
    #[arg(long, value_name = "NAME=TEXT|NAME:=JSON", value_parser = body::assignment)]
    set: Vec<(String, Json)>,
    /// Remove an attribute; repeat for more
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
    /// Where the identifier leads from now on
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Set a value of another type; without an index it is added; repeat for more
    #[arg(long = "value", value_name = "[INDEX:]TYPE=DATA", value_parser = body::value)]
    values: Vec<Json>,
    /// Remove the value with this index; repeat for more
    #[arg(long, value_name = "INDEX")]
    remove_value: Vec<u32>,
    /// Only when the record is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Update {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let identifier = Identifier::parse(&self.identifier)?;
        let mut attributes = self.set.clone();
        attributes.extend(self.unset.iter().map(|name| (name.clone(), Json::Null)));
        let attributes = body::attributes(&attributes)?;
        let mut values = self.values.clone();
        values.extend(self.remove_value.iter().map(|index| json!({ "index": index })));
        if attributes.is_empty() && values.is_empty() && self.url.is_none() {
            bail!("nothing to change: give --set, --unset, --url, --value or --remove-value");
        }
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let written = self.remote.block_on(async {
            let mut condition = self.if_version.map_or(Condition::Always, Condition::Version);
            if let Some(url) = &self.url {
                let (value, version) = replacement_url(&client, &identifier, url).await?;
                values.push(value);
                // The index is that of the version just read.
                condition = Condition::Version(self.if_version.unwrap_or(version));
            }
            let body = body::assemble(values, attributes);
            anyhow::Ok(client.update(&identifier, &body, condition).await?)
        })??;
        output.record(&written.record)?;
        Ok(SUCCESS)
    }
}

/// The new URL as a value with the index of the one it replaces, and the record's version.
async fn replacement_url(
    client: &Client,
    identifier: &Identifier,
    url: &str,
) -> anyhow::Result<(Json, u64)> {
    let record = match client.find(identifier).await? {
        Found::Record(record) => record,
        Found::Retired(_) => bail!("{identifier} is retired: retired records do not change"),
        Found::Absent(reason) => bail!("{reason}"),
    };
    let mut value = json!({"type": "URL", "data": url});
    let old = record.values.iter().find(|value| value.kind.eq_ignore_ascii_case("URL"));
    if let Some(old) = old {
        value["index"] = old.index.into();
    }
    Ok((value, record.version))
}
