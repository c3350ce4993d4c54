//! What a person types: `nameplate` and its commands, one file each.
//!
//! Commands print what they found to standard output, for people or with `--json` for programs,
//! and what is wrong to standard error. Secrets are never printed, but for a token or session
//! that was just made.

mod account;
mod audit;
mod backup;
mod batch;
mod body;
mod changes;
mod check;
mod codes;
mod config;
mod export;
mod find;
mod grant;
mod group;
mod history;
pub mod import;
mod init;
mod login;
mod mint;
mod name;
mod output;
mod prefix;
mod register;
mod registrant;
mod remote;
mod resolve;
mod restore;
mod retire;
mod secret;
mod serve;
mod statistics;
mod template;
mod things;
mod token;
mod transfer;
mod update;

use clap::{Parser, Subcommand};

use crate::client::ClientError;
use crate::config::ConfigError;
use output::Output;

/// An industrial identifier resolution node: register, resolve, prove.
#[derive(Debug, Parser)]
#[command(name = "nameplate", version, after_help = EXIT_CODES, propagate_version = true)]
pub struct Arguments {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Init(init::Init),
    Name(name::NameForms),
    Register(register::Register),
    Resolve(resolve::Resolve),
    Mint(mint::Mint),
    Batch(batch::Batch),
    History(history::History),
    Update(update::Update),
    Retire(retire::Retire),
    Import(import::Import),
    Export(export::Export),
    Find(find::Find),
    Changes(changes::Changes),
    Audit(audit::Audit),
    Statistics(statistics::Statistics),
    Template(template::TemplateCommand),
    Token(token::TokenCommand),
    Grant(grant::GrantCommand),
    Group(group::GroupCommand),
    Account(account::AccountCommand),
    Registrant(registrant::RegistrantCommand),
    Prefix(prefix::PrefixCommand),
    Transfer(transfer::TransferCommand),
    Codes(codes::Codes),
    Login(login::Login),
    Logout(login::Logout),
    Config(config::ConfigCommand),
    Check(check::Check),
    Backup(backup::Backup),
    Restore(restore::Restore),
}

/// What a command comes to: its exit code.
type Outcome = anyhow::Result<u8>;

impl Arguments {
    /// Runs the command; returns the exit code.
    pub fn run(self) -> u8 {
        let output = Output::new(self.json);
        match self.command.run(&output) {
            Ok(code) => code,
            Err(error) if output::is_broken_pipe(&error) => SUCCESS,
            Err(error) => {
                let code = exit_code(&error);
                output.error(&error, code);
                code
            }
        }
    }
}

impl Command {
    fn run(self, output: &Output) -> Outcome {
        match self {
            Command::Serve(command) => command.run(output),
            Command::Init(command) => command.run(output),
            Command::Name(command) => command.run(output),
            Command::Register(command) => command.run(output),
            Command::Resolve(command) => command.run(output),
            Command::Mint(command) => command.run(output),
            Command::Batch(command) => command.run(output),
            Command::History(command) => command.run(output),
            Command::Template(command) => command.run(output),
            Command::Update(command) => command.run(output),
            Command::Retire(command) => command.run(output),
            Command::Import(command) => command.run(output),
            Command::Export(command) => command.run(output),
            Command::Find(command) => command.run(output),
            Command::Changes(command) => command.run(output),
            Command::Audit(command) => command.run(output),
            Command::Statistics(command) => command.run(output),
            Command::Token(command) => command.run(output),
            Command::Grant(command) => command.run(output),
            Command::Group(command) => command.run(output),
            Command::Account(command) => command.run(output),
            Command::Registrant(command) => command.run(output),
            Command::Prefix(command) => command.run(output),
            Command::Transfer(command) => command.run(output),
            Command::Codes(command) => command.run(output),
            Command::Login(command) => command.run(output),
            Command::Logout(command) => command.run(output),
            Command::Config(command) => command.run(output),
            Command::Check(command) => command.run(output),
            Command::Backup(command) => command.run(output),
            Command::Restore(command) => command.run(output),
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<ConfigError>().is_some() {
        return USAGE;
    }
    let status = error.downcast_ref::<ClientError>().and_then(ClientError::status);
    match status {
        Some(404) => ABSENT,
        Some(410) => RETIRED,
        Some(412) => CONDITION_FAILED,
        _ => FAILED,
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed; import and check: some lines or rows are at fault
  2    wrong usage or configuration
  3    not registered
  4    retired
  5    the condition does not hold: it exists, or at another version
  130  interrupted

`nameplate COMMAND --help` tells more of each command.";

const SUCCESS: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const ABSENT: u8 = 3;
const RETIRED: u8 = 4;
const CONDITION_FAILED: u8 = 5;
const INTERRUPTED: u8 = 130;

#[cfg(test)]
mod tests;
