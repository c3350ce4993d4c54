//! What is submitted to the writer, and what it answers.

use std::sync::Arc;

use super::idempotency::{Outcome, Repetition};
use super::{Receipt, RegistryError};
use crate::access::{TOKENS, Token, TokenDigest};
use crate::codec::Writer;
use crate::ledger::{Appender, Entry, Position};
use crate::record::Record;
use crate::resolver::fits_label;
use crate::store::{
    Guard, NAMES, NameKey, PREFIXES, RECORDS, ReadPoint, StoredPrefix, StoredRecord, Transaction,
    VERSIONS, VersionKey, write_position,
};

/// A planned change: what it read, what it writes, what the ledger will say.
pub struct Change {
    /// Whose turn at the writer it takes.
    pub(super) account: String,
    pub(super) read_at: ReadPoint,
    pub(super) guards: Vec<Guard>,
    pub(super) effect: Effect,
    pub(super) repetition: Option<Repetition>,
}

/// What a change does.
pub(super) enum Effect {
    /// A record gets a new version.
    Record(Box<RecordChange>),
    /// A token is made or revoked.
    Token { digest: TokenDigest, token: Token, entry: BodyEntry },
    /// A prefix is allocated to this node.
    Prefix { prefix: crate::identifier::Prefix, created_ms: u64, entry: BodyEntry },
    /// Nothing but the outcome of an idempotent request is written.
    Nothing(Receipt),
}

/// A new version of a record.
pub(super) struct RecordChange {
    pub record: Record,
    /// Disk form of the record, made on the planner's thread.
    pub encoded: Vec<u8>,
    pub entry: Entry,
    /// The version it replaces.
    pub previous: Option<StoredRecord>,
}

/// A ledger entry whose body is kept beside it.
pub(super) struct BodyEntry {
    pub entry: Entry,
    pub subject: Vec<u8>,
    pub meta: String,
    pub body: String,
}

/// What the writer says of a change.
pub enum Verdict {
    /// It is durable.
    Committed(Receipt),
    /// Something it read has changed: plan again.
    Conflict,
    /// It was not written.
    Failed(RegistryError),
}

impl Change {
    /// Roughly how many bytes the change writes.
    pub(super) fn bytes(&self) -> usize {
        match &self.effect {
            Effect::Record(change) => change.encoded.len() * 2 + 256,
            Effect::Token { .. } | Effect::Prefix { .. } => 1_024,
            Effect::Nothing(_) => 128,
        }
    }

    /// Puts the change and its ledger entry into the transaction.
    pub(super) fn write(
        self,
        transaction: &mut dyn Transaction,
        appender: &mut Appender,
    ) -> Receipt {
        let receipt = self.effect.write(transaction, appender);
        if let (Some(repetition), Some(outcome)) = (self.repetition, Outcome::of(&receipt)) {
            repetition.write(transaction, outcome);
        }
        receipt
    }
}

impl Effect {
    pub(super) fn write(
        self,
        transaction: &mut dyn Transaction,
        appender: &mut Appender,
    ) -> Receipt {
        match self {
            Effect::Record(change) => change.write(transaction, appender),
            Effect::Token { digest, token, entry } => {
                entry.write(transaction, appender);
                TOKENS.put(transaction, &digest, &token);
                Receipt::Token { id: token.id }
            }
            Effect::Prefix { prefix, created_ms, entry } => {
                let version = entry.entry.version;
                let position = entry.write(transaction, appender);
                let stored = StoredPrefix { position, version, created_ms };
                PREFIXES.put(transaction, &prefix, &stored);
                Receipt::Prefix { prefix }
            }
            Effect::Nothing(receipt) => receipt,
        }
    }
}

impl RecordChange {
    fn write(self, transaction: &mut dyn Transaction, appender: &mut Appender) -> Receipt {
        let key = self.record.identifier.key();
        let position = appender.append(transaction, &self.entry, key.as_bytes());
        let mut row = Writer::with_capacity(self.encoded.len() + 16);
        write_position(&mut row, position);
        row.raw(&self.encoded);
        transaction.put(RECORDS.id(), key.as_bytes(), row.as_bytes());
        let created = self.previous.is_none();
        if let Some(previous) = self.previous {
            let version = VersionKey { key: key.clone(), version: previous.record.version };
            VERSIONS.put(transaction, &version, &previous);
        } else if !fits_label(key.suffix()) {
            let name = NameKey { prefix: key.prefix(), digest: key.short_digest() };
            NAMES.put(transaction, &name, key);
        }
        let stored = Arc::new(StoredRecord { position, record: self.record });
        Receipt::Record { stored, created, changed: true }
    }
}

impl BodyEntry {
    pub(super) fn write(
        self,
        transaction: &mut dyn Transaction,
        appender: &mut Appender,
    ) -> Position {
        appender.append_with_body(transaction, &self.entry, &self.subject, self.meta, self.body)
    }
}
