//! `nameplate init`: a configuration to edit.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use super::output::Output;
use super::{Outcome, SUCCESS};
use crate::config;

/// Print a commented configuration, or write it to a file
#[derive(Debug, clap::Args)]
pub struct Init {
    /// File to write; never one that exists
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Init {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let text = config::template();
        let Some(path) = self.file else {
            output.line(text.trim_end())?;
            return Ok(SUCCESS);
        };
        let mut file = std::fs::File::create_new(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        file.write_all(text.as_bytes())?;
        output.line(format_args!("wrote {}", path.display()))?;
        Ok(SUCCESS)
    }
}
