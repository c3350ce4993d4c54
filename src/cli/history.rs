//! `nameplate history`: the versions of a record.

use super::output::Output;
use super::remote::Remote;
use super::resolve::show_version;
use super::{ABSENT, Outcome, SUCCESS};
use crate::identifier::Identifier;

/// Show every version of a record and what changed, or restore one
#[derive(Debug, clap::Args)]
pub struct History {
    /// The identifier, in any spelling
    identifier: String,
    /// Make this earlier version the next one
    #[arg(long, value_name = "N")]
    restore: Option<u64>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", requires = "restore")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl History {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let identifier = Identifier::parse(&self.identifier)?;
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        if let Some(version) = self.restore {
            let written = self.remote.block_on(client.restore(&identifier, version))??;
            output.record(&written.record)?;
            return Ok(SUCCESS);
        }
        let versions = self.remote.block_on(client.history(&identifier))??;
        if versions.is_empty() {
            eprintln!("{identifier}: never registered");
            return Ok(ABSENT);
        }
        versions.iter().try_for_each(|version| show_version(version, output))?;
        Ok(SUCCESS)
    }
}
