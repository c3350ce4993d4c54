//! `nameplate mint`: the next identifier by a template's coding rule.

use serde_json::{Value as Json, json};

use super::output::Output;
use super::remote::Remote;
use super::{Outcome, SUCCESS, body};
use crate::identifier::Prefix;

/// Register the next identifier by a template's coding rule
///
/// No identifier comes twice, whoever asks at the same time. With an idempotency key a repetition
/// gets the identifier that was made first.
#[derive(Debug, clap::Args)]
pub struct Mint {
    /// Prefix of the new identifier
    #[arg(value_parser = Prefix::parse)]
    prefix: Prefix,
    /// Template whose coding rule makes the identifier and which its record follows
    #[arg(long, value_name = "IDENTIFIER")]
    template: String,
    /// Version of the template; the published one when left out
    #[arg(long, value_name = "N")]
    template_version: Option<u64>,
    /// Serial, for coding rules that take one
    #[arg(long, value_name = "TEXT")]
    serial: Option<String>,
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
    /// Makes a repetition of this very request return the first outcome
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Mint {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let url = self.url.iter().map(|url| json!({"type": "URL", "data": url}));
        let values = url.chain(self.values.iter().cloned()).collect();
        let mut wanted = body::assemble(values, body::attributes(&self.attributes)?);
        body::set(&mut wanted, "prefix", Some(self.prefix.as_str()));
        body::set(&mut wanted, "template", Some(self.template.as_str()));
        body::set(&mut wanted, "template_version", self.template_version);
        body::set(&mut wanted, "serial", self.serial.as_deref());
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let key = self.idempotency_key.as_deref();
        let written = self.remote.block_on(client.mint(&wanted, key))??;
        output.record(&written.record)?;
        Ok(SUCCESS)
    }
}
