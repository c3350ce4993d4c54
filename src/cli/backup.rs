//! `nameplate backup`: a copy of all a node holds.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use super::output::{Output, rows_progress};
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::clock::Clock;
use crate::node::offline;

/// Back up a node, running or stopped
///
/// Of the running node at --server, without its private keys; or with --data of a stopped node,
/// with its keys if asked. The file appears only when it is complete.
#[derive(Debug, clap::Args)]
pub struct Backup {
    /// File to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Folder of a stopped node
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Put the private keys into the backup: it then must be kept as safe as the node
    #[arg(long, requires = "data")]
    with_keys: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Backup {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let bytes = match &self.data {
            Some(data) => self.back_up_offline(data)?,
            None => {
                let client = self.remote.client()?;
                self.remote.block_on(client.backup(&self.output))??
            }
        };
        if output.json {
            let file = self.output.display().to_string();
            output.json(&json!({"file": file, "bytes": bytes, "private_keys": self.with_keys}))?;
        } else {
            let keys = if self.with_keys { "WITH" } else { "without" };
            let name = self.output.display();
            output.line(format_args!("{name}: {bytes} bytes, {keys} the node's private keys"))?;
        }
        Ok(SUCCESS)
    }

    fn back_up_offline(&self, data: &Path) -> anyhow::Result<u64> {
        let partial = self.output.with_added_extension("part");
        let name = partial.display().to_string();
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .with_context(|| format!("cannot write {name}"))?;
        let mut writer = BufWriter::new(file);
        let clock = Clock::system();
        let mut progress = rows_progress("backed up");
        let summary = offline::backup(data, self.with_keys, &mut writer, &clock, &mut progress)?;
        writer.flush().with_context(|| format!("cannot write {name}"))?;
        writer.get_ref().sync_all().with_context(|| format!("cannot write {name}"))?;
        std::fs::rename(&partial, &self.output)
            .with_context(|| format!("cannot write {}", self.output.display()))?;
        Ok(summary.bytes)
    }
}
