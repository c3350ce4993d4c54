//! The one writer: many changes, one transaction, one sync.

use std::sync::Arc;
use std::time::Duration;

use super::counts::Counts;
use super::queue::{Batch, Queue, Submission, Taken};
use super::statistics::Statistics;
use super::submit::{Change, CountChange, Verdict};
use super::{Receipt, RegistryError, idempotency};
use crate::access::{TOKENS, Uses, old_sessions, use_counter};
use crate::clock::Clock;
use crate::identifier::CanonicalKey;
use crate::ledger::Appender;
use crate::resolver::Resolver;
use crate::store::{COUNTERS, Store, StoreError, Transaction};

/// The writer's own things; moves into its thread.
pub(super) struct Writer {
    pub store: Arc<dyn Store>,
    pub resolver: Arc<Resolver>,
    pub queue: Arc<Queue>,
    pub appender: Appender,
    pub counts: Counts,
    pub statistics: Statistics,
    pub clock: Clock,
    pub ledger_size: Arc<std::sync::atomic::AtomicU64>,
    pub uses: Arc<Uses>,
    pub swept_ms: u64,
    pub warned_ms: u64,
    pub counted_ms: u64,
}

impl Writer {
    /// Writes until the queue is closed and empty, then signs a last checkpoint.
    pub(super) fn run(mut self) {
        loop {
            match self.queue.take(BATCH, CHECKPOINT_PATIENCE) {
                Taken::Batch(batch) => self.commit(batch, false),
                Taken::Closed => {
                    self.count_uses();
                    return self.commit(Vec::new(), true);
                }
            }
            self.sweep();
        }
    }

    fn commit(&mut self, batch: Vec<Submission>, last: bool) {
        let now_ms = self.clock.now_ms();
        if self.store.stopped().is_some() {
            return self.refuse(batch);
        }
        let store = Arc::clone(&self.store);
        let mut transaction = store.begin();
        let mut told = Vec::with_capacity(batch.len());
        let mut touched = Touched::default();
        for Submission { changes, done } in batch {
            let verdicts = changes
                .into_iter()
                .map(|change| self.write(change, &mut *transaction, &mut touched));
            told.push((verdicts.collect::<Vec<_>>(), done));
        }
        if last || self.appender.checkpoint_due(now_ms) {
            self.appender.write_checkpoint(&mut *transaction, now_ms);
        }
        self.counts.write(&mut *transaction);
        note(self.statistics.collect(&*store, now_ms, last));
        self.statistics.write(&mut *transaction);
        let outcome = self.finish(transaction, &touched);
        for (verdicts, done) in told {
            done(match &outcome {
                Ok(()) => verdicts,
                Err(error) => verdicts.into_iter().map(|verdict| verdict.failed(error)).collect(),
            });
        }
    }

    /// Puts a change into the transaction if nothing it read has changed and no limit is passed.
    fn write(
        &mut self,
        change: Change,
        transaction: &mut dyn Transaction,
        touched: &mut Touched,
    ) -> Verdict {
        if !transaction.admit(change.authorised_at, &change.authority)
            || !transaction.admit(change.read_at, &change.guards)
        {
            return Verdict::Conflict;
        }
        if let Err(error) = self.counts.admit(&*self.store, &change.counts) {
            return Verdict::Failed(error);
        }
        touched.granters.extend(change.granters());
        let receipts = change.write(transaction, &mut self.appender);
        for receipt in &receipts {
            touched.add(receipt);
            note(self.statistics.count(&*self.store, receipt));
        }
        Verdict::Committed(receipts)
    }

    /// Commits, and makes everybody forget what changed before anybody is told.
    fn finish(
        &self,
        transaction: Box<dyn Transaction + '_>,
        touched: &Touched,
    ) -> Result<(), StoreError> {
        let started = std::time::Instant::now();
        // Whoever sees a record of this transaction must not judge it by the grants before it.
        self.resolver.forget_grants(&touched.granters);
        transaction.commit().map_err(|error| {
            tracing::error!(%error, "writes have stopped");
            // In the words in which every later change is refused.
            self.store.stopped().map_or(error, StoreError::Stopped)
        })?;
        metrics::histogram!("nameplate_registry_commit_seconds").record(started.elapsed());
        metrics::counter!("nameplate_registry_changes_total").increment(touched.count);
        self.ledger_size.store(self.appender.size(), std::sync::atomic::Ordering::Release);
        self.resolver.forget(&touched.keys);
        self.resolver.forget_grants(&touched.granters);
        if touched.zones
            && let Err(error) = self.resolver.reload_zones()
        {
            tracing::error!(%error, "the node's prefixes could not be read again");
        }
        if touched.zones {
            self.resolver.forget_all();
        }
        Ok(())
    }

    fn refuse(&self, batch: Vec<Submission>) {
        let reason = StoreError::Stopped(self.store.stopped().unwrap_or_default());
        for Submission { changes, done } in batch {
            done(changes.iter().map(|_| Verdict::Failed(reason.clone().into())).collect());
        }
    }

    /// Puts the last uses of tokens among the counters, for the next transaction.
    fn count_uses(&mut self) {
        let uses = self.uses.take_changed().into_iter();
        let raise = |(id, to): (String, u64)| CountChange::Raise { counter: use_counter(&id), to };
        let changes: Vec<CountChange> = uses.map(raise).collect();
        if let Err(error) = self.counts.admit(&*self.store, &changes) {
            tracing::error!(%error, "last uses of tokens could not be kept");
        }
        self.counted_ms = self.clock.now_ms();
    }

    fn sweep(&mut self) {
        let now_ms = self.clock.now_ms();
        if now_ms.saturating_sub(self.counted_ms) >= COUNT_INTERVAL_MS {
            self.count_uses();
        }
        if now_ms.saturating_sub(self.warned_ms) >= WARNING_INTERVAL_MS {
            self.warn(now_ms);
        }
        if now_ms.saturating_sub(self.swept_ms) < SWEEP_INTERVAL_MS
            || self.store.stopped().is_some()
        {
            return;
        }
        match idempotency::sweep(&*self.store, now_ms) {
            // As many as fit into one transaction: the rest follows behind the next batch.
            Ok(idempotency::SWEEP_ROWS) => return,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "old outcomes of idempotent requests could not be removed");
            }
        }
        if let Err(error) = self.sweep_sessions(now_ms) {
            tracing::error!(%error, "old sessions could not be removed");
        }
        self.swept_ms = now_ms;
    }

    /// Logs which prefixes end soon or have ended; for those who read logs rather than lists.
    fn warn(&mut self, now_ms: u64) {
        self.warned_ms = now_ms;
        let zones = self.resolver.zones();
        let warnings = zones.iter().flat_map(|zone| {
            let warnings = zone.allocation.warnings(now_ms).into_iter();
            warnings.map(|warning| (&zone.prefix, warning))
        });
        for (prefix, warning) in warnings.take(MAX_WARNINGS) {
            tracing::warn!(%prefix, "{warning}");
        }
    }

    /// Removes sessions whose time is over, and their last uses.
    fn sweep_sessions(&self, now_ms: u64) -> Result<(), StoreError> {
        let old = old_sessions(&*self.store, now_ms, idempotency::SWEEP_ROWS)?;
        if old.is_empty() {
            return Ok(());
        }
        let mut transaction = self.store.begin();
        for (digest, id) in old {
            TOKENS.delete(&mut *transaction, &digest);
            COUNTERS.delete(&mut *transaction, &use_counter(&id));
        }
        transaction.commit().map(drop)
    }
}

/// Logs what went wrong with statistics: no change is refused for them.
fn note(outcome: Result<(), StoreError>) {
    if let Err(error) = outcome {
        tracing::error!(%error, "statistics are incomplete");
    }
}

/// What a transaction touches and others remember.
#[derive(Default)]
struct Touched {
    keys: Vec<CanonicalKey>,
    /// Whose grants or groups change, by their names in names of grants.
    granters: Vec<String>,
    zones: bool,
    count: u64,
}

impl Touched {
    fn add(&mut self, receipt: &Receipt) {
        match receipt {
            Receipt::Record { changed: false, .. } => return,
            Receipt::Record { stored, .. } => {
                self.keys.push(stored.record.identifier.key().clone());
            }
            Receipt::Prefix { .. } => self.zones = true,
            Receipt::Token { .. } => {}
            Receipt::Document { .. } | Receipt::Batch(_) => {}
        }
        self.count += 1;
    }
}

impl Verdict {
    /// The verdict when the transaction was lost.
    fn failed(self, error: &StoreError) -> Self {
        match self {
            Verdict::Committed(_) => Verdict::Failed(RegistryError::Store(error.clone())),
            Verdict::Conflict | Verdict::Failed(_) => self,
        }
    }
}

/// Bounds of one transaction.
const BATCH: Batch = Batch { changes: 4_096, bytes: 8 * 1024 * 1024 };

/// How long the writer waits for work before it sees whether a checkpoint is due.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(250);

/// How often last uses of tokens are written, in milliseconds.
const COUNT_INTERVAL_MS: u64 = 60 * 1_000;

/// How often prefixes that end soon are logged, in milliseconds.
const WARNING_INTERVAL_MS: u64 = 24 * 60 * 60 * 1_000;

/// Most of them that are logged at once; `nameplate prefix list --expiring-within-days` has all.
const MAX_WARNINGS: usize = 100;

/// How often outcomes of idempotent requests and sessions that are over are swept, in milliseconds.
const SWEEP_INTERVAL_MS: u64 = 10 * 60 * 1_000;
