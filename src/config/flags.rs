//! The keys as flags of a command.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches};

use super::keys::{KEYS, Key};
use super::load::FILE_VARIABLE;

/// What was given on the command line, as text.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The file to read.
    pub config: Option<PathBuf>,
    /// Texts by key.
    pub values: BTreeMap<&'static str, Vec<String>>,
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE)
            .long(FILE)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help(format!("Configuration file, TOML [env: {FILE_VARIABLE}]"));
        KEYS.iter().fold(command.arg(file), |command, key| command.arg(flag(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.config = matches.get_one(FILE).cloned();
        for key in KEYS.iter() {
            if let Some(texts) = matches.get_many::<String>(key.name) {
                self.values.insert(key.name, texts.cloned().collect());
            }
        }
        Ok(())
    }
}

fn flag(key: &'static Key) -> Arg {
    let default = if key.default.is_empty() { "" } else { &format!(" [default: {}]", key.default) };
    let help = format!("{} [env: {}]{default}", key.doc.join(" "), key.variable);
    let action = if key.list { ArgAction::Append } else { ArgAction::Set };
    let arg = Arg::new(key.name)
        .long(key.flag.as_str())
        .help(help)
        .help_heading(key.section)
        .action(action);
    if key.value.is_empty() {
        let arg = arg.value_name("true|false").num_args(0..=1).require_equals(true);
        return arg.default_missing_value("true");
    }
    arg.value_name(key.value)
}

const FILE: &str = "config";
