//! `nameplate batch`: many changes in one request.

use std::path::PathBuf;

use anyhow::bail;
use serde_json::{Value as Json, json};

use super::output::{Output, text_of};
use super::remote::Remote;
use super::{FAILED, Outcome, SUCCESS, body};

/// Change many records in one request
///
/// FILE holds a list of up to 10,000 items, or {"items": …}: each is {"put": …}, {"patch": …},
/// {"retire": …} or {"mint": …}. Exits with 1 when an item failed.
#[derive(Debug, clap::Args)]
pub struct Batch {
    /// The items as JSON; - is standard input
    file: PathBuf,
    /// All items or none
    #[arg(long)]
    atomic: bool,
    /// Makes a repetition of this very request return the first outcomes
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Batch {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let mut batch = match body::from_file_of(&self.file, MAX_BATCH_BYTES)? {
            Json::Array(items) => json!({ "items": items }),
            batch @ Json::Object(_) => batch,
            _ => bail!("{} holds no list of items", self.file.display()),
        };
        body::set(&mut batch, "atomic", self.atomic.then_some(true));
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let key = self.idempotency_key.as_deref();
        let answer = self.remote.block_on(client.batch(&batch, key))??;
        if output.json {
            output.json(&answer)?;
        } else {
            show(&answer, output)?;
        }
        Ok(if answer["failed"].as_u64() == Some(0) { SUCCESS } else { FAILED })
    }
}

fn show(answer: &Json, output: &Output) -> anyhow::Result<()> {
    let outcomes = answer["outcomes"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (place, outcome) in outcomes.iter().enumerate() {
        let word = text_of(&outcome["outcome"]);
        if outcome["problem"].is_null() {
            let identifier = text_of(&outcome["identifier"]);
            output.line(format_args!("{word}  {identifier}  version {}", outcome["version"]))?;
        } else {
            let problem: crate::client::Problem =
                serde_json::from_value(outcome["problem"].clone())?;
            output.line(format_args!("{word}  items[{place}]  {problem}"))?;
        }
    }
    let counts = ["created", "updated", "retired", "unchanged", "failed"];
    let counts = counts.map(|word| format!("{} {word}", answer[word]));
    output.line(counts.join(", "))?;
    Ok(())
}

/// Most bytes of a batch; what nodes take.
const MAX_BATCH_BYTES: u64 = 16 << 20;
