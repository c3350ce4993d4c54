//! `nameplate check`: whether a stopped node's store is sound.

use std::path::PathBuf;

use super::output::Output;
use super::{FAILED, Outcome, SUCCESS};
use crate::node::offline;
use crate::registry::CheckReport;

/// Walk the store of a stopped node and say what is wrong, and where
///
/// Every row is read, every index followed, and the ledger computed again from the rows. Exits
/// with 1 when anything is at fault.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Folder of the node's data
    #[arg(
        long,
        value_name = "DIR",
        env = "NAMEPLATE_DATA",
        default_value = "./data",
        hide_env_values = true
    )]
    data: PathBuf,
}

impl Check {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let report = offline::check(&self.data, &mut super::output::rows_progress("checked"))?;
        show(&report, output)?;
        Ok(if report.faults == 0 { SUCCESS } else { FAILED })
    }
}

fn show(report: &CheckReport, output: &Output) -> std::io::Result<()> {
    if output.json {
        return output.json(report);
    }
    for finding in &report.findings {
        let crate::registry::Finding { column, place, fault } = finding;
        output.line(format_args!("{column}, {place}: {fault}"))?;
    }
    let told = report.findings.len() as u64;
    if report.faults > told {
        output.line(format_args!("… and {} more", report.faults - told))?;
    }
    for origin in &report.unproved_logs {
        output.line(format_args!(
            "log {origin}: whether its entries fit the records cannot be told without the salt key \
             it was written with"
        ))?;
    }
    let rows: u64 = report.rows.values().sum();
    let faults = match report.faults {
        0 => "no faults".to_owned(),
        faults => format!("{faults} faults: restore a backup, or ask for help with these lines"),
    };
    output.line(format_args!("{rows} rows, {} ledger entries, {faults}", report.ledger_entries))
}
