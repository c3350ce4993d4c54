//! An import: the records of a table, written in bundles.
//!
//! While one bundle is written, the next records are read and planned. Records are dealt with
//! strictly in their order: `saved` is always what came of all records before its place, and of no
//! other. A plan that something written meanwhile may have overtaken is made again; a bundle ends
//! before a record that depends on one in it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use super::board::{Lane, Slot};
use super::files::{Growing, Part};
use super::rows::{Recipe, Row, Step, depends_on_others, faults, is_mint, is_of_node};
use super::runner::{Ended, SLICE, Stop};
use super::{ImportTask, Job, JobState, Office, Progress, ProgressKey};
use crate::access::Actor;
use crate::identifier::Prefix;
use crate::registry::{Bundle, Plan, RegistryError, Verdict, Writes};
use crate::store::{Row as _, key_bytes};
use crate::tabular::{
    Header, MAX_RECORD_BYTES, Mapping, Rejects, RowFault, TableFault, TableFormat, TableReader,
    write_line, write_row,
};

/// An import during a turn.
struct Import<'a> {
    office: &'a Office,
    slot: &'a Slot,
    job: &'a Job,
    recipe: Recipe<'a>,
    actor: Actor,
    reader: TableReader<BufReader<File>>,
    input: File,
    rejects: Rejects,
    refused: Growing,
    /// Which identifiers were minted for which records.
    minted: Growing,
    /// What came of the records that are dealt with.
    saved: Progress,
    /// When that was last put on stable storage.
    noted: Instant,
    counted: Instant,
    /// Records that were read and are not dealt with.
    pending: VecDeque<Row>,
    flight: Option<Flight>,
    /// What a written bundle leaves behind. It is put away while the next one is written: between
    /// two bundles the writer waits.
    spent: Option<(Vec<Row>, Verdict)>,
    /// What was written since the pending records were planned.
    stale: Writes,
    /// Most changes of the next bundle.
    limit: usize,
    /// A prefix that had no room for more identifiers a moment ago.
    exhausted: Option<Exhausted>,
}

/// A bundle that is being written.
struct Flight {
    verdict: Receiver<Vec<Verdict>>,
    rows: Vec<Row>,
    changes: usize,
    writes: Writes,
    progress: Progress,
}

struct Exhausted {
    prefix: Prefix,
    error: RegistryError,
    since: Instant,
}

/// Records that are folded into a bundle.
struct Fold {
    bundle: Bundle,
    rows: Vec<Row>,
    progress: Progress,
    rejects: Vec<u8>,
    minted: Vec<u8>,
}

/// What a record comes to.
enum Judgement {
    Refused(Vec<RowFault>),
    Unchanged,
    Change(Box<crate::registry::Change>),
    /// It depends on what the bundle writes.
    Cut,
    /// It is too early for it.
    Wait(Duration),
    /// The turn ends: the authority is gone, or the node is at fault.
    Stop(Stop),
}

/// One turn of an import.
pub(super) fn run(
    office: &Office,
    slot: &Slot,
    job: &Job,
    task: &ImportTask,
) -> Result<Ended, Stop> {
    let saved = slot.lock().progress.clone();
    let mut import = Import::open(office, slot, job, task, saved)?;
    let outcome = import.work();
    // However the turn ended: what was on its way to the writer counts.
    import.settle().and(outcome)
}

impl<'a> Import<'a> {
    fn open(
        office: &'a Office,
        slot: &'a Slot,
        job: &'a Job,
        task: &'a ImportTask,
        saved: Progress,
    ) -> Result<Self, Stop> {
        let actor = renew(office, job)?;
        let open = || -> Result<File, Stop> {
            let file = office.files.read(&job.id, Part::Input)?;
            file.ok_or_else(|| Stop::Fail("its table is gone".into()))
        };
        let fail = |fault: TableFault| Stop::Fail(fault.to_string());
        let reader = TableReader::open(BufReader::new(open()?), task.format, task.encoding);
        let mut reader = reader.map_err(fail)?;
        let header = reader.header().clone();
        let table = table_plan(&header, task).map_err(fail)?;
        if let Some(place) = saved.place {
            let mut file = open()?;
            file.seek(SeekFrom::Start(place.offset))?;
            let input = BufReader::with_capacity(READ_BYTES, file);
            reader = TableReader::resume(input, header.clone(), place);
        }
        let refused = office.files.grow(&job.id, Part::Rejects, saved.rejects_bytes)?;
        let minted = office.files.grow(&job.id, Part::Result, saved.result_bytes)?;
        let now = Instant::now();
        Ok(Self {
            office,
            slot,
            job,
            recipe: Recipe {
                office,
                task,
                table,
                reason: &job.reason,
                templates: Mutex::default(),
            },
            actor,
            reader,
            input: open()?,
            rejects: Rejects::new(header),
            refused,
            minted,
            saved,
            noted: now,
            counted: now,
            pending: VecDeque::new(),
            flight: None,
            spent: None,
            stale: Writes::default(),
            limit: UNIT_ROWS,
            exhausted: None,
        })
    }

    fn work(&mut self) -> Result<Ended, Stop> {
        let begun = Instant::now();
        loop {
            if let Some(ended) = self.border(begun) {
                self.settle()?;
                self.note()?;
                return Ok(ended);
            }
            if self.pending.is_empty() && !self.read()? && self.flight.is_none() {
                self.note()?;
                return Ok(Ended::Done);
            }
            self.settle()?;
            let wait = self.fold()?;
            if let Some(wait) = wait.filter(|_| self.flight.is_none()) {
                std::thread::sleep(wait.min(LONGEST_WAIT));
            }
        }
    }

    /// Whether the turn ends here.
    fn border(&self, begun: Instant) -> Option<Ended> {
        let board = &self.office.board;
        if board.is_closing() || self.slot.lock().job.state != JobState::Running {
            return Some(Ended::Left);
        }
        let over = begun.elapsed() >= SLICE && board.others_wait(Lane::Writing);
        over.then_some(Ended::Yield)
    }

    /// Reads and plans the next records; false at the end of the table.
    fn read(&mut self) -> Result<bool, Stop> {
        self.spent = None;
        let mut rows = Vec::with_capacity(UNIT_ROWS);
        let from = self.reader.place().offset;
        while rows.len() < UNIT_ROWS && self.reader.place().offset - from < UNIT_BYTES {
            let Some(raw) = self.reader.next_raw()? else { break };
            let step = match raw.content {
                Ok(content) if content.is_blank() => continue,
                Ok(content) => Step::Raw(content.into_owned()),
                Err(fault) => Step::Fault(vec![fault]),
            };
            let (line, start, end) = (raw.line, raw.start, raw.end);
            rows.push(Row { line, start, end, after: self.reader.place(), step });
        }
        self.actor = renew(self.office, self.job)?;
        self.stale = Writes::default();
        self.recipe.plan(&self.actor, &mut rows);
        self.pending.extend(rows);
        Ok(!self.pending.is_empty())
    }

    /// Waits for the bundle that is being written. What was not written is planned again.
    fn settle(&mut self) -> Result<(), Stop> {
        let Some(flight) = self.flight.take() else { return Ok(()) };
        let verdicts = flight.verdict.recv().unwrap_or_default();
        match verdicts.into_iter().next() {
            Some(committed @ Verdict::Committed(_)) => {
                self.spent = Some((flight.rows, committed));
                self.limit = (self.limit * 2).min(UNIT_ROWS);
                self.stale.extend(flight.writes);
                self.saved = flight.progress;
                self.noted = Instant::now();
                self.publish();
                Ok(())
            }
            Some(Verdict::Conflict) => self.repeat(flight.rows, flight.changes),
            Some(Verdict::Failed(error @ RegistryError::QuotaReached { .. })) => {
                self.remember(&error, flight.changes == 1);
                self.repeat(flight.rows, flight.changes)
            }
            Some(Verdict::Failed(error)) => Err(Stop::Halt(error.to_string())),
            None => Err(Stop::Halt("the writer has ended".into())),
        }
    }

    /// Remembers that a prefix is full, so that each further record does not ask again.
    fn remember(&mut self, error: &RegistryError, certain: bool) {
        let RegistryError::QuotaReached { prefix, .. } = error else { return };
        if let (true, Ok(prefix)) = (certain, Prefix::parse(prefix)) {
            let error = error.clone();
            self.exhausted = Some(Exhausted { prefix, error, since: Instant::now() });
        }
    }

    /// Puts records back that were not written, planned anew, for smaller bundles.
    fn repeat(&mut self, mut rows: Vec<Row>, changes: usize) -> Result<(), Stop> {
        metrics::counter!("nameplate_jobs_repeated_bundles_total").increment(1);
        self.limit = (changes / 2).max(1);
        self.actor = renew(self.office, self.job)?;
        self.recipe.plan(&self.actor, &mut rows);
        rows.into_iter().rev().for_each(|row| self.pending.push_front(row));
        Ok(())
    }

    /// Folds pending records into a bundle and submits it; how long to wait where it is too early.
    fn fold(&mut self) -> Result<Option<Duration>, Stop> {
        let (rows, progress) = (Vec::new(), self.saved.clone());
        let (bundle, rejects, minted) = (Bundle::default(), Vec::new(), Vec::new());
        let mut fold = Fold { bundle, rows, progress, rejects, minted };
        let mut wait = None;
        while fold.bundle.len() < self.limit && fold.bundle.bytes() < BUNDLE_BYTES {
            let Some(mut row) = self.pending.pop_front() else { break };
            match self.judge(&mut row, &fold.bundle) {
                Judgement::Refused(faults) => self.refuse(&row, &faults, &mut fold)?,
                Judgement::Unchanged => fold.progress.tally.unchanged += 1,
                Judgement::Change(change) => {
                    let created = change.creates();
                    let minted = is_minted(&row).then(|| change.identifier().map(str::to_owned));
                    if !self.recipe.task.dry_run && !fold.bundle.add(*change) {
                        self.pending.push_front(row);
                        break;
                    }
                    let tally = &mut fold.progress.tally;
                    *(if created { &mut tally.created } else { &mut tally.updated }) += 1;
                    if let Some(identifier) = minted.flatten().filter(|_| !self.recipe.task.dry_run)
                    {
                        fold.note_minted(self.recipe.task.format, row.line, &identifier);
                    }
                }
                Judgement::Cut => {
                    self.pending.push_front(row);
                    break;
                }
                Judgement::Wait(time) => {
                    self.pending.push_front(row);
                    wait = Some(time);
                    break;
                }
                Judgement::Stop(stop) => return Err(stop),
            }
            fold.progress.place = Some(row.after);
            fold.rows.push(row);
        }
        self.submit(fold)?;
        Ok(wait)
    }

    /// What a record comes to, given all that is written and what the bundle will write.
    fn judge(&self, row: &mut Row, bundle: &Bundle) -> Judgement {
        if self.is_overtaken(row) {
            row.step = row.take_step().again();
            self.recipe.plan_row(&self.actor, row);
        }
        let (request, plan) = match row.take_step() {
            Step::Planned(request, plan) => (request, plan),
            Step::Fault(faults) => {
                row.step = Step::Fault(faults.clone());
                return Judgement::Refused(faults);
            }
            unplanned => {
                row.step = unplanned;
                return Judgement::Wait(Duration::ZERO);
            }
        };
        let touched = request.key().is_some_and(|key| bundle.writes().touch_record(key));
        row.step = Step::Asked(request);
        match plan {
            Ok(Plan::Done(_)) if touched => Judgement::Cut,
            Ok(Plan::Done(_)) => Judgement::Unchanged,
            Ok(Plan::Change(change)) => match &self.exhausted {
                Some(full)
                    if full.since.elapsed() < RETRY_QUOTA && change.adds_under(&full.prefix) =>
                {
                    Judgement::Refused(faults(&full.error))
                }
                _ => Judgement::Change(change),
            },
            Err(RegistryError::TooFast { retry_after_ms, .. }) => {
                Judgement::Wait(Duration::from_millis(retry_after_ms))
            }
            Err(RegistryError::Busy) => Judgement::Wait(LONGEST_WAIT),
            Err(RegistryError::Ended) => Judgement::Stop(Stop::Pause(ended(self.job))),
            Err(error) if is_of_node(&error) => Judgement::Stop(Stop::Halt(error.to_string())),
            Err(error) if depends_on_others(&error) && !bundle.is_empty() => Judgement::Cut,
            Err(error) => Judgement::Refused(faults(&error)),
        }
    }

    /// Whether a row is to be planned again, because of what was written since it was.
    fn is_overtaken(&self, row: &Row) -> bool {
        match &row.step {
            Step::Asked(_) => true,
            Step::Planned(_, Ok(Plan::Change(change))) => self.stale.touch(change),
            Step::Planned(request, Ok(Plan::Done(_))) => {
                request.key().is_some_and(|key| self.stale.touch_record(key))
            }
            Step::Planned(_, Err(RegistryError::TooFast { .. } | RegistryError::Busy)) => true,
            Step::Planned(_, Err(error)) => !self.stale.is_empty() && depends_on_others(error),
            Step::Raw(_) | Step::Fault(_) => false,
        }
    }

    /// Adds a record to those that are refused.
    fn refuse(&self, row: &Row, faults: &[RowFault], fold: &mut Fold) -> Result<(), Stop> {
        fold.progress.tally.failed += 1;
        let begun = fold.rejects.len();
        if fold.progress.rejects_bytes == 0 {
            self.rejects.begin(&mut fold.rejects);
        }
        let length = (row.end - row.start).min(MAX_RECORD_BYTES as u64);
        let mut record = vec![0; usize::try_from(length).unwrap_or_default()];
        self.input.read_exact_at(&mut record, row.start)?;
        self.rejects.add(&mut fold.rejects, row.line, &record, faults);
        fold.progress.rejects_bytes += (fold.rejects.len() - begun) as u64;
        Ok(())
    }

    /// Hands the bundle to the writer, its progress with it; what is refused is written first.
    fn submit(&mut self, fold: Fold) -> Result<(), Stop> {
        let Fold { bundle, rows, progress, rejects, minted } = fold;
        if rows.is_empty() {
            return Ok(());
        }
        self.refused.cut(self.saved.rejects_bytes)?;
        if !rejects.is_empty() {
            self.refused.append(&rejects)?;
        }
        self.minted.cut(self.saved.result_bytes)?;
        if !minted.is_empty() {
            self.minted.append(&minted)?;
        }
        let changes = bundle.len();
        if changes == 0 {
            self.saved = progress;
            self.publish();
            if self.noted.elapsed() >= NOTE_INTERVAL {
                self.note()?;
            }
            return Ok(());
        }
        self.refused.sync()?;
        self.minted.sync()?;
        let (key, row) = self.row(&progress);
        let Some((change, writes)) = bundle.seal(key, row) else { return Ok(()) };
        let (send, verdict) = sync_channel(1);
        let done = Box::new(move |verdicts| drop(send.send(verdicts)));
        if self.office.parts.registry.submit(vec![change], done).is_err() {
            std::thread::sleep(LONGEST_WAIT);
            return self.repeat(rows, changes);
        }
        self.flight = Some(Flight { verdict, rows, changes, writes, progress });
        Ok(())
    }

    fn row(&self, progress: &Progress) -> (Vec<u8>, Vec<u8>) {
        let mut row = crate::codec::Writer::with_capacity(256);
        progress.write_row(&mut row);
        (key_bytes(&ProgressKey(self.job.id.clone())), row.into_bytes())
    }

    /// Shows others how far the import is.
    fn publish(&mut self) {
        let time = std::mem::replace(&mut self.counted, Instant::now());
        let passed = u64::try_from(time.elapsed().as_millis()).unwrap_or_default();
        let mut live = self.slot.lock();
        let rows = self.saved.tally.rows().saturating_sub(live.progress.tally.rows());
        metrics::counter!("nameplate_jobs_rows_total").increment(rows);
        self.saved.active_ms = live.progress.active_ms + passed;
        live.progress = self.saved.clone();
    }

    /// Puts what came of the records so far on stable storage.
    fn note(&mut self) -> Result<(), Stop> {
        self.publish();
        self.refused.sync()?;
        self.minted.sync()?;
        self.noted = Instant::now();
        let mut transaction = self.office.parts.store.begin();
        let key = ProgressKey(self.job.id.clone());
        super::PROGRESS.put(&mut *transaction, &key, &self.saved);
        transaction.commit()?;
        Ok(())
    }
}

impl Fold {
    /// Adds a record to those whose identifiers were minted.
    fn note_minted(&mut self, format: TableFormat, line: u64, identifier: &str) {
        let begun = self.minted.len();
        match format {
            TableFormat::Csv => {
                if self.progress.result_bytes == 0 {
                    write_row(&mut self.minted, ["line", "identifier"]);
                }
                write_row(&mut self.minted, [&*line.to_string(), identifier]);
            }
            TableFormat::Ndjson => {
                let minted = serde_json::json!({"line": line, "identifier": identifier});
                // Writing to memory does not fail.
                let _ = write_line(&mut self.minted, &minted);
            }
        }
        self.progress.result_bytes += (self.minted.len() - begun) as u64;
    }
}

/// Whether a row's identifier is left to the node.
fn is_minted(row: &Row) -> bool {
    matches!(&row.step, Step::Asked(request) if is_mint(request))
}

/// The account that began the job, as it may act now.
fn renew(office: &Office, job: &Job) -> Result<Actor, Stop> {
    let now_ms = office.parts.clock.now_ms();
    let actor = office.parts.access.renew(job.token, now_ms)?;
    actor.ok_or_else(|| Stop::Pause(ended(job)))
}

/// Why a job cannot go on by itself.
fn ended(job: &Job) -> String {
    let account = &job.account;
    format!(
        "the token with which {account} began the job has ended, or the account is disabled: \
         resume it with another"
    )
}

/// What the table's columns mean: as mapped; template and prefix of the task stand in where the
/// mapping names none.
fn table_plan(header: &Header, task: &ImportTask) -> Result<crate::tabular::Plan, TableFault> {
    if header.columns.is_empty() {
        return crate::tabular::Plan::new(header, None);
    }
    let given = task.mapping.is_some() || task.template.is_some();
    let mut mapping = task.mapping.clone().unwrap_or_default();
    mapping.template = mapping.template.or_else(|| task.template.clone());
    let plan = crate::tabular::Plan::new(header, given.then_some(&mapping));
    match (&plan, &task.prefix, &mapping.prefix) {
        (Err(_), Some(prefix), None) => {
            let mapping = Mapping { prefix: Some(prefix.clone()), ..mapping };
            crate::tabular::Plan::new(header, Some(&mapping))
        }
        _ => plan,
    }
}

/// Records that are read and planned together; most changes of a bundle. Few in tests, so that
/// small tables have many bundles.
const UNIT_ROWS: usize = if cfg!(test) { 64 } else { 2_048 };

/// Bytes of the table that are read together, and a record.
const UNIT_BYTES: u64 = 4 << 20;

/// Bytes behind which a bundle ends, roughly.
const BUNDLE_BYTES: usize = 8 << 20;

/// Bytes read from the file at once.
const READ_BYTES: usize = 256 << 10;

/// How often progress without any change is put on stable storage.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a prefix without room counts as full.
const RETRY_QUOTA: Duration = Duration::from_secs(1);

/// The longest pause between two looks at who wants what.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
