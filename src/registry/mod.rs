//! The write side: the only way to change anything.
//!
//! A [`Request`] is planned on the caller's thread (reads, checks, hashing) into a [`Change`] and
//! submitted to the one writer, which admits it only if nothing it read has changed, writes many
//! changes and their ledger entries in one durable transaction, and then tells everybody. A
//! conflict is not an error: the caller plans again.

mod apply;
mod bundle;
mod check;
mod command;
mod counts;
mod entry;
mod filing;
mod idempotency;
mod numbers;
mod plan;
mod queue;
mod seed;
mod statistics;
mod submit;
mod writer;

#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

pub use bundle::{Bundle, Writes};
pub use check::{CheckReport, Finding, check};
pub use command::{
    AccountCommand, Application, Command, Condition, GrantCommand, IdempotencyKey, PrefixCommand,
    RegistrantCommand, Request, TemplateCommand, TransferCommand, Wish,
};
pub use plan::{MIN_SECRET_OCTETS, Outlook, Plan, Receipt};
pub use seed::{Seed, begin_generation, create_token_offline, seed};
pub use submit::{Change, Verdict};

use crate::access::{Actor, Buckets, Refusal, Uses};
use crate::clock::Clock;
use crate::codes::CodeTables;
use crate::identifier::Prefix;
use crate::ledger::{Appender, LedgerError, current_log};
use crate::record::DraftError;
use crate::registrant::Registrant;
use crate::resolver::{Cursors, Resolver};
use crate::signing::NodeKeys;
use crate::store::{
    Column, ColumnId, DocumentKey, PREFIXES, Remembered, Store, StoreError, StoredDocument,
    StoredPrefix,
};
use crate::template::Fault;
use counts::Counts;
use numbers::Numbers;
use queue::{Queue, Submission};
use statistics::Statistics;
use writer::Writer;

/// The write side of a node.
pub struct Registry {
    store: Arc<dyn Store>,
    resolver: Arc<Resolver>,
    keys: Arc<NodeKeys>,
    settings: Settings,
    cursors: Cursors,
    numbers: Numbers,
    prefixes: Remembered<Prefix, StoredPrefix>,
    registrants: Remembered<DocumentKey, StoredDocument<Registrant>>,
    /// How fast prefixes change.
    rates: Buckets,
    queue: Arc<Queue>,
    ledger_size: Arc<AtomicU64>,
    /// Whether the writer panicked.
    broken: Arc<AtomicBool>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Limits of the registry.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most octets of an identifier that is registered.
    pub identifier_octets: usize,
    /// Most changes waiting for the writer; one account gets at most half.
    pub queue_changes: usize,
    /// How far ahead of UTC the node's clock time is, in minutes; its days begin by it.
    pub utc_offset_minutes: i32,
    /// The codes that registrants are described with.
    pub codes: CodeTables,
    /// When tokens were last used, to be written now and then.
    pub uses: Arc<Uses>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            identifier_octets: crate::identifier::DEFAULT_MAX_OCTETS,
            queue_changes: 16_384,
            codes: CodeTables::shipped(),
            uses: Arc::default(),
            utc_offset_minutes: 8 * 60,
        }
    }
}

impl Registry {
    /// Opens the write side of a seeded store and starts the writer.
    pub fn open(
        store: Arc<dyn Store>,
        resolver: Arc<Resolver>,
        keys: Arc<NodeKeys>,
        clock: Clock,
        settings: Settings,
    ) -> Result<Self, RegistryError> {
        let log = current_log(&*store)?.ok_or(RegistryError::Unseeded)?;
        let appender = Appender::open(&*store, log, Arc::clone(&keys))?;
        let ledger_size = Arc::new(AtomicU64::new(appender.size()));
        let queue = Arc::new(Queue::new(settings.queue_changes));
        let tallied = Arc::clone(&resolver);
        let writer = Writer {
            store: Arc::clone(&store),
            resolver: Arc::clone(&resolver),
            queue: Arc::clone(&queue),
            appender,
            counts: Counts::default(),
            statistics: Statistics::new(tallied, settings.utc_offset_minutes),
            clock,
            ledger_size: Arc::clone(&ledger_size),
            uses: Arc::clone(&settings.uses),
            swept_ms: 0,
            warned_ms: 0,
            counted_ms: 0,
        };
        let broken = Arc::new(AtomicBool::new(false));
        let (line, fault) = (Arc::clone(&queue), Arc::clone(&broken));
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || {
                if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
                    metrics::counter!("nameplate_panics_total").increment(1);
                    fault.store(true, Ordering::Release);
                    line.abandon();
                }
            })
            .map_err(|error| StoreError::Engine(format!("no thread for the writer: {error}")))?;
        let writer = Mutex::new(Some(thread));
        // No change has a version 0, so that no salt of the ledger is the cursors' key.
        let cursors = Cursors::new(&keys.salt.record_salt(b"\0cursors", 0));
        let (numbers, rates) = (Numbers::default(), Buckets::new(RATE_SLOTS));
        Ok(Self {
            store,
            resolver,
            keys,
            settings,
            cursors,
            numbers,
            prefixes: Remembered::new(PREFIXES, REMEMBERED),
            registrants: Remembered::new(Column::new(ColumnId::Documents), REMEMBERED),
            rates,
            queue,
            ledger_size,
            broken,
            writer,
        })
    }

    /// How far ahead of UTC the days of statistics begin, in minutes.
    pub fn utc_offset_minutes(&self) -> i32 {
        self.settings.utc_offset_minutes
    }

    /// What seals the cursors of this node's lists.
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    /// Reads, checks and hashes: what the request comes to as of now. Blocks on the disk.
    pub fn plan(
        &self,
        actor: &Actor,
        request: &Request,
        now_ms: u64,
    ) -> Result<Plan, RegistryError> {
        plan::plan(self, actor, request, now_ms, None)
    }

    /// As [`Registry::plan`], for one of many requests that share what was read for others.
    pub fn plan_within(
        &self,
        outlook: &Outlook,
        actor: &Actor,
        request: &Request,
        now_ms: u64,
    ) -> Result<Plan, RegistryError> {
        plan::plan(self, actor, request, now_ms, Some(outlook))
    }

    /// Takes the numbers back that were given out for a change that nobody submits.
    pub fn give_back(&self, change: &Change) {
        for count in &change.counts {
            if let submit::CountChange::Raise { counter, to } = count {
                self.numbers.give_back(counter, *to);
            }
        }
    }

    /// The actor as of now, for planning again after a conflict: what it was known by may have
    /// changed.
    pub fn renew(&self, actor: &Actor, now_ms: u64) -> Result<Actor, RegistryError> {
        actor.renew(&*self.store, now_ms)?.ok_or(RegistryError::Ended)
    }

    /// Hands changes to the writer, which calls `done` from its own thread with a verdict for
    /// each, in order, once they are durable. Never blocks; a full queue is an error.
    pub fn submit(
        &self,
        changes: Vec<Change>,
        done: Box<dyn FnOnce(Vec<Verdict>) + Send>,
    ) -> Result<(), RegistryError> {
        self.queue.push(Submission { changes, done }).map_err(|_| {
            metrics::counter!("nameplate_registry_refused_total").increment(1);
            RegistryError::Busy
        })
    }

    /// Plans, submits and waits, again on conflict. Blocks until durable: for threads that may.
    pub fn apply(
        &self,
        actor: &Actor,
        request: &Request,
        now_ms: u64,
    ) -> Result<Receipt, RegistryError> {
        let mut outcomes = self.apply_all(actor, std::slice::from_ref(request), now_ms);
        outcomes.pop().unwrap_or(Err(RegistryError::Busy))
    }

    /// As [`Registry::apply`] for many requests at once, with one wait for all; outcomes in order.
    /// A request sees the effects of those before it.
    pub fn apply_all(
        &self,
        actor: &Actor,
        requests: &[Request],
        now_ms: u64,
    ) -> Vec<Result<Receipt, RegistryError>> {
        apply::apply_all(self, actor, requests, now_ms)
    }

    /// Why writes have stopped; none while they work.
    pub fn stopped(&self) -> Option<String> {
        let broken = self.broken.load(Ordering::Acquire);
        let panicked = || broken.then(|| "the writer failed, see the log; restart".to_owned());
        self.store.stopped().or_else(panicked)
    }

    /// The codes that registrants are described with.
    pub fn codes(&self) -> &CodeTables {
        &self.settings.codes
    }

    /// Number of entries in the ledger's current log.
    pub fn ledger_size(&self) -> u64 {
        self.ledger_size.load(Ordering::Acquire)
    }

    /// Writes what is queued, signs a last checkpoint and ends the writer. Blocks.
    pub fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It catches its own panics.
        let _ = writer.map(JoinHandle::join);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.close();
    }
}

/// Prefixes and registrants that are kept in memory.
const REMEMBERED: usize = 10_000;

/// Prefixes whose rates are remembered, eight bytes each.
const RATE_SLOTS: usize = 65_536;

/// Why a request was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RegistryError {
    /// The actor may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The actor's token or session is over.
    #[error("this token is unknown, expired or revoked: use another, or none to read")]
    Ended,
    /// The body's content does not fit the record.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The identifier is longer than this node registers.
    #[error("identifier of {octets} octets; this node registers at most {limit}")]
    TooLong {
        /// Its length.
        octets: usize,
        /// The node's limit.
        limit: usize,
    },
    /// The prefix is none of this node's.
    #[error("prefix {0} is not served by this node: register where it is delegated to")]
    NotResponsible(String),
    /// `If-None-Match: *` and the identifier exists.
    #[error("{identifier} exists, at version {version}")]
    Exists {
        /// The identifier.
        identifier: String,
        /// Its version.
        version: u64,
    },
    /// `If-Match` and another version is there.
    #[error(
        "{identifier} is {}, not {}: read it again and retry",
        found.map_or("not registered".into(), |version| format!("at version {version}")),
        wanted.map_or("registered".into(), |version| format!("at version {version}")),
    )]
    VersionMismatch {
        /// The identifier.
        identifier: String,
        /// The version asked for.
        /// None stands for any version.
        wanted: Option<u64>,
        /// The version found; none when it does not exist.
        found: Option<u64>,
    },
    /// Nothing is registered by that name.
    #[error("{0} is not registered")]
    Absent(String),
    /// The identifier is retired and can neither change nor come back.
    #[error("{0} is retired: retired identifiers are never reused")]
    Retired(String),
    /// The idempotency key was used for another body.
    #[error("idempotency key {0:?} was used for a different request: choose a new key")]
    IdempotencyReuse(String),
    /// What was sent breaks rules; every fault is named.
    #[error("{}", told(.0))]
    Faulty(Vec<Fault>),
    /// The name or number is somebody's already.
    #[error("{0} is taken: choose another")]
    Taken(String),
    /// The thing is not in a state in which this can be done.
    #[error("{subject} is {state}: {remedy}")]
    WrongState {
        /// What it is about.
        subject: String,
        /// The state it is in.
        state: String,
        /// What would have to be done first, or why it cannot be.
        remedy: String,
    },
    /// An edit goes beyond what the holder grants the actor.
    #[error(
        "{} of {identifier}: not among the attributes that its holder lets you edit",
        beyond.join(", ")
    )]
    NotGranted {
        /// The identifier.
        identifier: String,
        /// Attributes and values that were to change.
        beyond: Vec<String>,
    },
    /// Too much in too short a time.
    #[error("{what}: try again in {} seconds", retry_after_ms.div_ceil(1_000))]
    TooFast {
        /// Which limit was passed.
        what: String,
        /// When it will do again, in milliseconds.
        retry_after_ms: u64,
    },
    /// The prefix has as many identifiers as it may.
    #[error("prefix {prefix} has its {limit} identifiers, all that its quota allows: ask for more")]
    QuotaReached {
        /// The prefix.
        prefix: String,
        /// Its quota.
        limit: u64,
    },
    /// A token's secret is too short.
    #[error("a token's secret needs at least {MIN_SECRET_OCTETS} characters")]
    WeakSecret,
    /// A token with this secret exists.
    #[error("a token with this secret exists, or existed, by the name {0}: choose another secret")]
    TokenExists(String),
    /// The store was never seeded.
    #[error("the store holds no ledger: start the node once with `nameplate serve`")]
    Unseeded,
    /// The ledger cannot go on.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The writer's queue is full.
    #[error("the node is busy: try again in a moment")]
    Busy,
    /// The store failed or writes have stopped.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Faults as one line, the first few of them.
fn told(faults: &[Fault]) -> String {
    let first = faults.iter().take(3).map(|fault| format!("{}: {}", fault.path, fault.message));
    let more = faults.len().saturating_sub(3);
    let more = (more > 0).then(|| format!("and {more} more"));
    first.chain(more).collect::<Vec<_>>().join("; ")
}
