//! `nameplate register`: one identifier.

use std::path::PathBuf;

use anyhow::bail;
use serde_json::{Value as Json, json};

use super::output::Output;
use super::remote::Remote;
use super::{Outcome, SUCCESS, body};
use crate::client::Condition;
use crate::identifier::Identifier;

/// Register an identifier, or replace its record
///
/// What is given becomes the whole record. Attributes are typed: NAME=TEXT is a string, NAME:=JSON
/// a number, true, false or a list, as in `--attribute phases:=3`. Decimals travel as strings.
#[derive(Debug, clap::Args)]
pub struct Register {
    /// The identifier, in any spelling
    identifier: String,
    /// Where the identifier leads
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// An attribute; repeat for more
    #[arg(long = "attribute", short = 'a', value_name = "NAME=TEXT|NAME:=JSON",
        value_parser = body::assignment)]
    attributes: Vec<(String, Json)>,
    /// A value of another type; repeat for more
    #[arg(long = "value", value_name = "[INDEX:]TYPE=DATA", value_parser = body::value)]
    values: Vec<Json>,
    /// Template that the attributes follow
    #[arg(long, value_name = "IDENTIFIER")]
    template: Option<String>,
    /// Version of the template; the published one when left out
    #[arg(long, value_name = "N", requires = "template")]
    template_version: Option<u64>,
    /// The body as JSON; - is standard input
    #[arg(long, value_name = "FILE",
        conflicts_with_all = ["url", "attributes", "values", "template"])]
    file: Option<PathBuf>,
    /// Only when it is not registered
    #[arg(long, conflicts_with = "if_version")]
    create_only: bool,
    /// Only when it is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Makes a repetition of this very request return the first outcome
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Register {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let identifier = Identifier::parse(&self.identifier)?;
        let condition = match (self.create_only, self.if_version) {
            (true, _) => Condition::Absent,
            (false, Some(version)) => Condition::Version(version),
            (false, None) => Condition::Always,
        };
        let body = self.body()?;
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let key = self.idempotency_key.as_deref();
        let written =
            self.remote.block_on(client.register(&identifier, &body, condition, key))??;
        output.record(&written.record)?;
        Ok(SUCCESS)
    }

    fn body(&self) -> anyhow::Result<Json> {
        if let Some(path) = &self.file {
            return body::from_file(path);
        }
        let url = self.url.iter().map(|url| json!({"type": "URL", "data": url}));
        let values: Vec<Json> = url.chain(self.values.iter().cloned()).collect();
        let attributes = body::attributes(&self.attributes)?;
        if values.is_empty() && attributes.is_empty() && self.template.is_none() {
            bail!("nothing to register: give --url, --attribute, --value or --file");
        }
        let mut body = body::assemble(values, attributes);
        body::set(&mut body, "template", self.template.as_deref());
        body::set(&mut body, "template_version", self.template_version);
        Ok(body)
    }
}
