//! Outcomes of idempotent requests, kept for a day.
//!
//! Rows are grouped by the day they were written on, so that yesterday's are found and older ones
//! are dropped as one range. The outcome is stored in the same transaction as the change.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{IdempotencyKey, Receipt, RegistryError};
use crate::codec::{Corrupt, Reader, Writer};
use crate::identifier::CanonicalKey;
use crate::store::{
    Column, ColumnId, Direction, Guard, Key, RECORDS, Read, Row, Store, StoreError, Transaction,
    VERSIONS, VersionKey,
};

/// Day, account and key -> outcome.
pub(super) const IDEMPOTENCY: Column<RepetitionKey, StoredOutcome> =
    Column::new(ColumnId::Idempotency);

/// A request's place among the outcomes.
pub(super) struct Repetition {
    key: RepetitionKey,
    request_digest: [u8; 32],
    now_ms: u64,
    is_batch: bool,
}

impl Repetition {
    pub(super) fn new(account: &str, key: &IdempotencyKey, is_batch: bool, now_ms: u64) -> Self {
        let day = u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX);
        Self {
            key: RepetitionKey { day, account: account.to_owned(), key: key.key.clone() },
            request_digest: key.request_digest,
            now_ms,
            is_batch,
        }
    }

    /// What came of the request when it was made before; none when it was not, within a day.
    pub(super) fn find(&self, read: &dyn Read) -> Result<Option<Receipt>, RegistryError> {
        for day in [self.key.day, self.key.day.saturating_sub(1)] {
            let key = RepetitionKey { day, ..self.key.clone() };
            let Some(stored) = IDEMPOTENCY.get(read, &key)? else { continue };
            if self.now_ms.saturating_sub(stored.time_ms) >= DAY_MS {
                continue;
            }
            if stored.request_digest != self.request_digest {
                return Err(RegistryError::IdempotencyReuse(key.key));
            }
            return match stored.outcome {
                Outcome::One(outcome) => outcome.receipt(read).map(Some),
                Outcome::Batch(outcomes) => {
                    let receipts = outcomes.iter().map(|outcome| outcome.receipt(read));
                    Ok(Some(Receipt::Batch(receipts.collect::<Result<_, _>>()?)))
                }
            };
        }
        Ok(None)
    }

    pub(super) fn guard(&self) -> Guard {
        IDEMPOTENCY.guard(&self.key)
    }

    /// Keeps the outcome that the receipts tell of. Requests about anything but records leave none
    /// and cannot be repeated: a secret is shown once.
    pub(super) fn write(&self, transaction: &mut dyn Transaction, receipts: &[Receipt]) {
        let (request_digest, time_ms) = (self.request_digest, self.now_ms);
        let mut outcomes = receipts.iter().filter_map(RecordOutcome::of);
        let outcome = match self.is_batch {
            true => Some(Outcome::Batch(outcomes.collect())),
            false => outcomes.next().map(Outcome::One),
        };
        let Some(outcome) = outcome else { return };
        let stored = StoredOutcome { request_digest, time_ms, outcome };
        IDEMPOTENCY.put(transaction, &self.key, &stored);
    }
}

/// Removes up to [`SWEEP_ROWS`] outcomes that nobody can ask for any more; how many there were.
pub(super) fn sweep(store: &dyn Store, now_ms: u64) -> Result<usize, StoreError> {
    let today = u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX);
    let range = Vec::new()..today.saturating_sub(1).to_be_bytes().to_vec();
    let mut old: Vec<Vec<u8>> = Vec::new();
    store.scan(ColumnId::Idempotency, range, Direction::Forward, &mut |key, _| {
        old.push(key.to_vec());
        if old.len() < SWEEP_ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if !old.is_empty() {
        let mut transaction = store.begin();
        old.iter().for_each(|key| transaction.delete(ColumnId::Idempotency, key));
        transaction.commit()?;
    }
    Ok(old.len())
}

/// What came of a request, as little as is needed to say it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Of a change to one record.
    One(RecordOutcome),
    /// Of a change to many, in their order.
    Batch(Vec<RecordOutcome>),
}

/// What came of a change to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordOutcome {
    key: CanonicalKey,
    version: u64,
    created: bool,
    changed: bool,
}

impl RecordOutcome {
    /// The outcome a receipt tells of; none when it is about anything but a record.
    fn of(receipt: &Receipt) -> Option<Self> {
        let Receipt::Record { stored, created, changed } = receipt else { return None };
        Some(Self {
            key: stored.record.identifier.key().clone(),
            version: stored.record.version,
            created: *created,
            changed: *changed,
        })
    }

    fn receipt(&self, read: &dyn Read) -> Result<Receipt, RegistryError> {
        let latest = RECORDS.get(read, &self.key)?;
        let stored = match latest.filter(|latest| latest.record.version == self.version) {
            Some(latest) => Some(latest),
            None => {
                VERSIONS.get(read, &VersionKey { key: self.key.clone(), version: self.version })?
            }
        };
        let stored = stored.ok_or_else(|| RegistryError::Absent(self.key.text().to_owned()))?;
        Ok(Receipt::Record {
            stored: Arc::new(stored),
            created: self.created,
            changed: self.changed,
        })
    }
}

/// Key of [`IDEMPOTENCY`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RepetitionKey {
    day: u32,
    account: String,
    key: String,
}

impl Key for RepetitionKey {
    fn write_key(&self, writer: &mut Writer) {
        writer.u32(self.day).short_text(&self.account).short_text(&self.key);
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        let day = reader.u32("day")?;
        let account = reader.short_text("account")?.to_owned();
        let key = reader.short_text("idempotency key")?.to_owned();
        reader.finish("idempotency key")?;
        Ok(Self { day, account, key })
    }
}

/// Row of [`IDEMPOTENCY`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredOutcome {
    request_digest: [u8; 32],
    time_ms: u64,
    outcome: Outcome,
}

impl Row for StoredOutcome {
    fn write_row(&self, writer: &mut Writer) {
        let format = match &self.outcome {
            Outcome::One(_) => OUTCOME_FORMAT,
            Outcome::Batch(_) => BATCH_FORMAT,
        };
        writer.u8(format).raw(&self.request_digest).varint(self.time_ms);
        match &self.outcome {
            Outcome::One(outcome) => {
                outcome.write(writer);
                writer.raw(outcome.key.as_bytes());
            }
            Outcome::Batch(outcomes) => {
                writer.varint(outcomes.len() as u64);
                for outcome in outcomes {
                    outcome.write(writer);
                    writer.short_bytes(outcome.key.as_bytes());
                }
            }
        }
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let format = reader.u8("outcome format")?;
        if !matches!(format, OUTCOME_FORMAT | BATCH_FORMAT) {
            return Err(Corrupt::Format("outcome format"));
        }
        let request_digest = reader.array("request digest")?;
        let time_ms = reader.varint("time")?;
        let outcome = if format == OUTCOME_FORMAT {
            Outcome::One(RecordOutcome::read(reader, |reader| Ok(reader.rest()))?)
        } else {
            // Flags, version, the key's length and the shortest key.
            let count = reader.count(6, "outcomes")?;
            let mut outcomes = Vec::with_capacity(count);
            for _ in 0..count {
                outcomes.push(RecordOutcome::read(reader, |reader| reader.short_bytes("key"))?);
            }
            Outcome::Batch(outcomes)
        };
        Ok(Self { request_digest, time_ms, outcome })
    }
}

impl RecordOutcome {
    /// All but the key, which follows.
    fn write(&self, writer: &mut Writer) {
        let flags = u8::from(self.created) | u8::from(self.changed) << 1;
        writer.u8(flags).varint(self.version);
    }

    fn read<'a>(
        reader: &mut Reader<'a>,
        key: impl FnOnce(&mut Reader<'a>) -> Result<&'a [u8], Corrupt>,
    ) -> Result<Self, Corrupt> {
        let flags = reader.u8("outcome flags")?;
        if flags > 3 {
            return Err(Corrupt::Range("outcome flags"));
        }
        let version = reader.varint("version")?;
        let key = CanonicalKey::from_bytes(key(reader)?)?;
        Ok(Self { key, version, created: flags & 1 != 0, changed: flags & 2 != 0 })
    }
}

/// How long an outcome is kept, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Most rows removed in one transaction.
pub(super) const SWEEP_ROWS: usize = 4_096;

/// Number of the disk format of an outcome about one record.
const OUTCOME_FORMAT: u8 = 1;

/// Number of the disk format of a batch's outcomes.
const BATCH_FORMAT: u8 = 2;
