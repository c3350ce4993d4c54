//! What is submitted to the writer, and what it answers.

use std::sync::Arc;

use super::idempotency::Repetition;
use super::{Plan, Receipt, RegistryError};
use crate::access::{TOKENS, Token, TokenDigest};
use crate::codec::Writer;
use crate::ledger::{Appender, Entry, Position};
use crate::record::Record;
use crate::resolver::fits_label;
use crate::store::{
    ColumnId, DocumentKey, DocumentKind, Guard, Key, NAMES, NameKey, RECORDS, ReadPoint,
    StoredRecord, Transaction, VERSIONS, VersionKey, write_position,
};

/// A planned change: what it read, what it writes, what the ledger will say.
pub struct Change {
    /// Whose turn at the writer it takes.
    pub(super) account: String,
    /// When the rows that the authority rests on were read.
    pub(super) authorised_at: ReadPoint,
    pub(super) authority: Vec<Guard>,
    pub(super) read_at: ReadPoint,
    pub(super) guards: Vec<Guard>,
    pub(super) effects: Vec<Effect>,
    /// Rows that follow from the effects: indexes, marks.
    pub(super) rows: Vec<RowChange>,
    /// Numbers that grow with the change.
    pub(super) counts: Vec<CountChange>,
    pub(super) repetition: Option<Repetition>,
}

/// What a change does.
pub(super) enum Effect {
    /// A record gets a new version.
    Record(Box<RecordChange>),
    /// A token is made or revoked.
    Token { digest: TokenDigest, token: Token, entry: BodyEntry },
    /// A document or a prefix gets a new version.
    Document(Box<DocumentChange>),
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

/// A new version of a document or a prefix.
pub(super) struct DocumentChange {
    pub column: ColumnId,
    pub key: Vec<u8>,
    /// The row without its position.
    pub row: Vec<u8>,
    pub entry: BodyEntry,
    pub receipt: Receipt,
}

/// A row set or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowChange {
    pub column: ColumnId,
    pub key: Vec<u8>,
    /// None removes it.
    pub row: Option<Vec<u8>>,
}

/// A counter that changes.
pub(super) enum CountChange {
    /// By an amount, unless it would pass the limit.
    Add { counter: String, amount: u64, limit: Option<u64> },
    /// To a number at least.
    Raise { counter: String, to: u64 },
    /// One falls by an amount and another grows by it, without regard to limits: what was counted
    /// in one place counts in another.
    Move { from: String, to: String, amount: u64 },
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
    /// It is durable; a receipt for each of its effects, in order.
    Committed(Vec<Receipt>),
    /// Something it read has changed: plan again.
    Conflict,
    /// It was not written.
    Failed(RegistryError),
}

impl Change {
    /// The granters whose grants or groups change, by the names they have in names of grants:
    /// those whose books the change touches.
    pub(super) fn granters(&self) -> impl Iterator<Item = String> {
        let touched = self.rows.iter().filter(|row| {
            row.column == ColumnId::Documents
                && row.key.first() == Some(&(DocumentKind::Grant as u8))
        });
        touched.filter_map(|row| DocumentKey::read_key(&row.key).ok()).map(|key| key.id)
    }

    /// Roughly how many bytes the change writes.
    pub(super) fn bytes(&self) -> usize {
        let rows = self.rows.iter().map(|row| row.key.len() + 64);
        self.effects.iter().map(Effect::bytes).chain(rows).sum()
    }

    /// Puts the change and its ledger entries into the transaction.
    pub(super) fn write(
        self,
        transaction: &mut dyn Transaction,
        appender: &mut Appender,
    ) -> Vec<Receipt> {
        let write = |effect: Effect| effect.write(transaction, appender);
        let receipts: Vec<Receipt> = self.effects.into_iter().map(write).collect();
        for RowChange { column, key, row } in self.rows {
            match row {
                Some(row) => transaction.put(column, &key, &row),
                None => transaction.delete(column, &key),
            }
        }
        if let Some(repetition) = self.repetition {
            repetition.write(transaction, &receipts);
        }
        receipts
    }
}

impl Plan {
    /// The plan with counters that change with it.
    pub(super) fn counting(mut self, counts: impl IntoIterator<Item = CountChange>) -> Self {
        if let Plan::Change(change) = &mut self {
            change.counts.extend(counts);
        }
        self
    }

    /// The plan with rows that are set or removed with it.
    pub(super) fn with_rows(mut self, rows: impl IntoIterator<Item = RowChange>) -> Self {
        if let Plan::Change(change) = &mut self {
            change.rows.extend(rows);
        }
        self
    }
}

impl Effect {
    /// The receipt of an effect that changes nothing.
    pub(super) fn into_receipt(self) -> Option<Receipt> {
        match self {
            Effect::Nothing(receipt) => Some(receipt),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Effect::Record(change) => change.encoded.len() * 2 + 256,
            Effect::Document(change) => change.row.len() * 2 + 512,
            Effect::Token { .. } => 1_024,
            Effect::Nothing(_) => 128,
        }
    }

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
            Effect::Document(change) => change.write(transaction, appender),
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

impl DocumentChange {
    fn write(self, transaction: &mut dyn Transaction, appender: &mut Appender) -> Receipt {
        let position = self.entry.write(transaction, appender);
        let mut row = Writer::with_capacity(self.row.len() + 16);
        write_position(&mut row, position);
        row.raw(&self.row);
        transaction.put(self.column, &self.key, row.as_bytes());
        self.receipt
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
