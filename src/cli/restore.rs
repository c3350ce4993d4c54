//! `nameplate restore`: a node from a backup.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use super::output::{Output, rows_progress};
use super::{Outcome, SUCCESS};
use crate::clock::Clock;
use crate::node::offline;
use crate::record::timestamp;

/// Make a node's data folder from a backup
///
/// The ledger starts a new generation, because others may have seen entries that the backup lacks;
/// --nothing-lost goes on with the old one.
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// The backup
    file: PathBuf,
    /// Folder to make; it must not exist, or be empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Folder with the node's keys, for a backup that holds none; else the node gets new ones
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Nothing was written after the backup: go on with its ledger
    #[arg(long)]
    nothing_lost: bool,
}

impl Restore {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let name = self.file.display();
        let file = File::open(&self.file).with_context(|| format!("cannot read {name}"))?;
        let restored = offline::restore(
            &mut BufReader::new(file),
            &self.data,
            self.keys.as_deref(),
            self.nothing_lost,
            &Clock::system(),
            &mut rows_progress("restored"),
        )
        .with_context(|| format!("{name}"))?;
        let rows: u64 = restored.summary.rows.iter().map(|(_, rows)| rows).sum();
        let made = timestamp(restored.header.created_ms);
        if output.json {
            output.json(&json!({
                "rows": rows,
                "backup_created": made,
                "backup_program": restored.header.program,
                "ledger": restored.origin,
                "new_keys": restored.new_keys,
            }))?;
            return Ok(SUCCESS);
        }
        let data = self.data.display();
        output
            .line(format_args!("{data}: {rows} rows, as of {made}; ledger {}", restored.origin))?;
        if restored.new_keys {
            output.line("The backup held no private keys: the node has new ones.")?;
        }
        Ok(SUCCESS)
    }
}
