//! `nameplate statistics`: what was registered and looked up, by prefix and day.

use std::path::PathBuf;

use super::audit::write_table;
use super::output::Output;
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::client::{Client, DayStatistics};

/// Show what was registered and looked up, by prefix and day
#[derive(Debug, clap::Args)]
pub struct Statistics {
    /// Prefix, with the node's prefixes below it; all that the account may inspect when left out
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// First day, as in 2026-01-05
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// First day that is left out
    #[arg(long, value_name = "DAY")]
    until: Option<String>,
    /// Export as CSV
    #[arg(long)]
    csv: bool,
    /// File of the table; standard output when left out
    #[arg(long, value_name = "FILE", requires = "csv")]
    output: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

impl Statistics {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        if self.csv {
            write_table(self.output.as_ref(), |out| {
                self.remote.block_on(client.copy_statistics(&self.filters(), out))??;
                Ok(())
            })?;
        } else {
            self.remote.block_on(self.show(&client, output))??;
        }
        Ok(SUCCESS)
    }

    fn filters(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("prefix", self.prefix.clone()),
            ("from", self.from.clone()),
            ("until", self.until.clone()),
        ]
    }

    async fn show(&self, client: &Client, output: &Output) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let mut filters = self.filters();
            filters.push(("limit", Some("1000".to_owned())));
            filters.push(("after", after));
            let page = client.statistics(&filters).await?;
            for day in &page.statistics {
                if output.json {
                    output.json_line(day)?;
                } else {
                    output.line(line(day))?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

fn line(day: &DayStatistics) -> String {
    let prefix = day.prefix.as_deref().unwrap_or("(other nodes' prefixes)");
    let lookups = day.lookups.iter().flat_map(|(protocol, outcomes)| {
        outcomes.iter().filter(|(_, count)| **count > 0).map(move |(outcome, count)| {
            format!("{protocol} {}: {count}", outcome.replace('_', " "))
        })
    });
    let lookups: Vec<String> = lookups.collect();
    let looked_up = if lookups.is_empty() { "none".to_owned() } else { lookups.join(", ") };
    format!(
        "{}  {prefix}  {} registered, {} changed, {} retired; looked up: {looked_up}",
        day.day, day.registrations, day.changes, day.retirements,
    )
}
