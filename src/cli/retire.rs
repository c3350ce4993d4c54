//! `nameplate retire`: withdraw an identifier.

use super::output::Output;
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::client::Condition;
use crate::identifier::Identifier;

/// Retire an identifier, for good
///
/// The record stays as a tombstone; the identifier is never given to anything else.
#[derive(Debug, clap::Args)]
pub struct Retire {
    /// The identifier, in any spelling
    identifier: String,
    /// Only when the record is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Retire {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let identifier = Identifier::parse(&self.identifier)?;
        let condition = self.if_version.map_or(Condition::Always, Condition::Version);
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let written = self.remote.block_on(client.retire(&identifier, condition))??;
        output.record(&written.record)?;
        Ok(SUCCESS)
    }
}
