//! What can be asked of the registry; one file for each kind of thing that is changed.

mod accounts;
mod grants;
mod prefixes;
mod registrants;
mod templates;
mod transfers;

pub use accounts::AccountCommand;
pub use grants::GrantCommand;
pub use prefixes::{Application, PrefixCommand, Wish};
pub use registrants::RegistrantCommand;
pub use templates::TemplateCommand;
pub use transfers::TransferCommand;

use super::Receipt;
use crate::access::NewToken;
use crate::identifier::{CanonicalKey, Identifier, Prefix};
use crate::record::{Draft, Patch};

/// A change somebody asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to change.
    pub command: Command,
    /// Why, in the asker's words; kept in the history and committed to by the ledger.
    pub reason: String,
    /// Makes a repetition return the first outcome.
    pub idempotency: Option<IdempotencyKey>,
}

impl Request {
    /// A request without reason and idempotency key.
    pub fn new(command: Command) -> Self {
        Self { command, reason: String::new(), idempotency: None }
    }

    /// Key of the identifier the request is about; none when it is about something else.
    pub fn key(&self) -> Option<&CanonicalKey> {
        self.command.key()
    }

    /// What came of the request, from the receipts of its effects: that of the first, or all of
    /// them for a batch.
    pub fn receipt(&self, receipts: Vec<Receipt>) -> Option<Receipt> {
        match self.command {
            Command::Batch(_) => Some(Receipt::Batch(receipts)),
            _ => receipts.into_iter().next(),
        }
    }
}

/// What to change.
#[derive(Clone, Debug)]
pub enum Command {
    /// Register an identifier or replace its record.
    Put {
        /// The identifier.
        identifier: Identifier,
        /// What its record is to hold.
        draft: Draft,
        /// When to do it.
        condition: Condition,
    },
    /// Change parts of a record.
    Patch {
        /// The identifier.
        identifier: Identifier,
        /// The changes.
        patch: Patch,
        /// When to do it.
        condition: Condition,
    },
    /// Retire an identifier.
    Retire {
        /// The identifier.
        identifier: Identifier,
        /// When to do it.
        condition: Condition,
    },
    /// Register the next identifier by a template's coding rule.
    Mint {
        /// Prefix of the new identifier.
        prefix: Prefix,
        /// Serial, for rules that take one.
        serial: Option<String>,
        /// What its record is to hold; it names the template.
        draft: Draft,
    },
    /// Make an earlier version of a record its next one.
    Restore {
        /// The identifier.
        identifier: Identifier,
        /// The version whose content comes back.
        version: u64,
        /// When to do it.
        condition: Condition,
    },
    /// Change many records, all or none of them.
    Batch(Vec<Command>),
    /// Make a token.
    CreateToken(NewToken),
    /// End a token.
    RevokeToken {
        /// The token's public name.
        id: String,
    },
    /// Change accounts.
    Account(AccountCommand),
    /// Change registrants.
    Registrant(RegistrantCommand),
    /// Change prefixes.
    Prefix(PrefixCommand),
    /// Change transfers.
    Transfer(TransferCommand),
    /// Change templates.
    Template(TemplateCommand),
    /// Change grants and groups.
    Grant(GrantCommand),
}

impl Command {
    /// Key of the identifier the command is about.
    pub(super) fn key(&self) -> Option<&CanonicalKey> {
        match self {
            Command::Put { identifier, .. }
            | Command::Patch { identifier, .. }
            | Command::Retire { identifier, .. }
            | Command::Restore { identifier, .. } => Some(identifier.key()),
            _ => None,
        }
    }
}

/// When a change is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// In any case.
    Always,
    /// Only when the identifier is not registered (`If-None-Match: *`).
    Absent,
    /// Only when it is registered (`If-Match: *`).
    Present,
    /// Only at this version (`If-Match`).
    Version(u64),
}

/// A key under which the outcome of a request is kept for a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key, chosen by the client; 1 to 255 octets.
    pub key: String,
    /// SHA-256 over everything that makes the request what it is (method, identifier, conditions,
    /// body).
    pub request_digest: [u8; 32],
}
