//! `nameplate config`: what a configuration comes to.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Map, Value as Json};

use super::output::Output;
use super::{Outcome, SUCCESS};
use crate::config::{self, Flags};

/// Look at configurations
#[derive(Debug, clap::Args)]
pub struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print what a file and the environment come to, or what is wrong
    Check {
        /// The file; NAMEPLATE_CONFIG when left out
        file: Option<PathBuf>,
    },
}

impl ConfigCommand {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let Action::Check { file } = self.action;
        let flags = Flags { config: file, ..Flags::default() };
        let config = config::load(&flags, &|name| std::env::var(name).ok())?;
        let text = config::effective(&config);
        if output.json {
            let members: Map<String, Json> = toml::from_str(&text)?;
            output.json(&members)?;
        } else {
            output.line(text.trim_end())?;
        }
        Ok(SUCCESS)
    }
}
