//! `nameplate audit`: who changed what, when and why.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;

use super::changes::show;
use super::find::Left;
use super::output::Output;
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::client::Client;

/// Search the audit trail, or export it as a table
///
/// Shows entries of the ledger about what the token's account may inspect, the newest first.
#[derive(Debug, clap::Args)]
pub struct Audit {
    /// Account that made the change
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// What was done: put, retire, prefix, registrant, template, grant, key, epoch
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// An identifier, or prefix/88.118, registrant/acme and the like
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Made at this moment or later
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Made before this moment
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Prefix that the record or prefix lies under
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Oldest first
    #[arg(long)]
    oldest_first: bool,
    /// Most that are shown; 0 for all
    #[arg(long, value_name = "COUNT", default_value_t = 100, conflicts_with = "export")]
    limit: usize,
    /// Export all as a table
    #[arg(long, value_enum, value_name = "FORMAT")]
    export: Option<Format>,
    /// File of the table; standard output when left out
    #[arg(long, value_name = "FILE", requires = "export")]
    output: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// Forms of the table.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Comma-separated values, for spreadsheets
    Csv,
    /// A JSON document on each line
    Ndjson,
}

impl Audit {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let Some(format) = self.export else {
            self.remote.block_on(self.show(&client, output))??;
            return Ok(SUCCESS);
        };
        let media_type = match format {
            Format::Csv => "text/csv",
            Format::Ndjson => "application/x-ndjson",
        };
        write_table(self.output.as_ref(), |out| {
            self.remote.block_on(client.copy_audit(&self.filters(), media_type, out))??;
            Ok(())
        })?;
        Ok(SUCCESS)
    }

    fn filters(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("actor", self.actor.clone()),
            ("kind", self.kind.clone()),
            ("subject", self.subject.clone()),
            ("from", self.from.clone()),
            ("until", self.until.clone()),
            ("prefix", self.prefix.clone()),
            ("order", self.oldest_first.then(|| "oldest".to_owned())),
        ]
    }

    async fn show(&self, client: &Client, output: &Output) -> anyhow::Result<()> {
        let (mut after, mut left) = (None, Left::new(self.limit));
        while let Some(count) = left.page() {
            let mut filters = self.filters();
            filters.push(("limit", Some(count.to_string())));
            filters.push(("after", after));
            let page = client.audit(&filters).await?;
            page.entries.iter().try_for_each(|entry| show(entry, output))?;
            left.took(page.entries.len());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// Writes a table to a file, which appears under its name only when it is complete, or to standard
/// output.
pub(super) fn write_table(
    path: Option<&PathBuf>,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(path) = path else {
        let mut out = BufWriter::new(std::io::stdout().lock());
        write(&mut out)?;
        return Ok(out.flush()?);
    };
    let context = || format!("cannot write {}", path.display());
    let partial = path.with_added_extension("part");
    let mut out = BufWriter::new(File::create(&partial).with_context(context)?);
    write(&mut out)?;
    out.into_inner()
        .map_err(std::io::Error::from)
        .and_then(|file| file.sync_all())
        .with_context(context)?;
    std::fs::rename(&partial, path).with_context(context)
}
