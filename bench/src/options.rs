//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Measures a Nameplate node on this machine and compares it with what is installed beside it.
///
/// Starts its own node on loopback addresses in a folder of its own, imports made-up catalogue
/// data, asks for it over DNS and HTTP, and writes single records durably. knotd, nginx and
/// PostgreSQL are measured in the same run when they are installed.
#[derive(Parser, Debug)]
#[command(version)]
pub struct Options {
    /// Identifiers to import.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    pub identifiers: u64,

    /// Templated records to import by a job, and in the file of the part `lines`.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub import_records: u64,

    /// Measure this alone; no results file.
    #[arg(long, value_enum)]
    pub only: Option<Only>,

    /// 50,000 identifiers, short rounds, no results file.
    #[arg(long)]
    pub quick: bool,

    /// Measurements of every look-up row; the table shows the median one.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=101))]
    pub rounds: u32,

    /// The node's program [default: `nameplate` beside this program].
    #[arg(long, value_name = "PATH")]
    pub node: Option<PathBuf>,

    /// Folder for the node's store; emptied before and after [default: `bench-data` beside this
    /// program].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// File that keeps the results.
    #[arg(long, value_name = "PATH", default_value = "bench/results.md")]
    pub results: PathBuf,

    /// Leave out knotd, nginx and PostgreSQL even when they are installed.
    #[arg(long)]
    pub no_peers: bool,

    /// Parts of the benchmark that run as programs of their own.
    #[command(subcommand)]
    pub part: Option<Part>,
}

/// What can be measured alone.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// The streamed import, DNS and HTTP.
    Lookups,
    /// Durable single registrations.
    Writes,
    /// The import of templated records by a job.
    Import,
    /// That import and pages out of its records.
    Find,
}

/// What the benchmark starts itself as.
#[derive(Subcommand, Debug)]
pub enum Part {
    /// Answer every UDP datagram with itself: what any server has to pay to the kernel.
    Echo,
    /// Write templated records into a file, one JSON object per line, and end.
    Lines {
        /// The file.
        path: PathBuf,
    },
}

impl Options {
    /// How many identifiers to import.
    pub fn identifiers(&self) -> u64 {
        if self.quick { self.identifiers.min(QUICK_IDENTIFIERS) } else { self.identifiers }
    }

    /// How often each look-up row is measured.
    pub fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    /// How many templated records to import.
    pub fn import_records(&self) -> u64 {
        if self.quick { self.import_records.min(QUICK_IDENTIFIERS) } else { self.import_records }
    }

    /// Whether this is to be measured.
    pub fn wants(&self, part: Only) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    /// Operations in one measurement, out of `full`.
    pub fn operations(&self, full: u64) -> u64 {
        if self.quick { full / QUICK_SHARE } else { full }
    }

    /// The node's program.
    pub fn node(&self) -> Result<PathBuf> {
        let path = match &self.node {
            Some(path) => path.clone(),
            None => beside("nameplate")?,
        };
        anyhow::ensure!(
            path.is_file(),
            "{} is missing: build it with `cargo build --release` or name it with --node",
            path.display()
        );
        Ok(path)
    }

    /// The folder the benchmark works in.
    pub fn data(&self) -> Result<PathBuf> {
        self.data.clone().map_or_else(|| beside("bench-data"), Ok)
    }
}

fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    Ok(own.with_file_name(name))
}

const QUICK_IDENTIFIERS: u64 = 50_000;
const QUICK_SHARE: u64 = 5;
