//! The threads that do jobs, one turn at a time.
//!
//! While others wait, an import gives its place up after [`SLICE`] and queues behind them, so
//! that a small file does not wait for a large one. Exports only read; they have a thread of their
//! own and go through to their end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::board::{Lane, Slot};
use super::{Job, JobState, Office, Task, export, import};
use crate::store::StoreError;

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The job is done.
    Done,
    /// Others wait: it is their turn.
    Yield,
    /// Somebody stopped the job, or the node stops.
    Left,
}

/// Why a turn cannot go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// The job can never be done.
    Fail(String),
    /// Somebody has to do something first, and to resume the job.
    Pause(String),
    /// The node is at fault; the next start goes on.
    Halt(String),
}

/// Starts the threads.
pub(super) fn start(office: &Arc<Office>) -> std::io::Result<Vec<JoinHandle<()>>> {
    let writers = (0..office.settings.at_once.max(1)).map(|_| Lane::Writing);
    let spawn = |(number, lane)| {
        let office = Arc::clone(office);
        let work = move || work(&office, lane);
        std::thread::Builder::new().name(format!("job-{number}")).spawn(work)
    };
    (0..).zip(writers.chain([Lane::Reading])).map(spawn).collect()
}

fn work(office: &Office, lane: Lane) {
    let mut swept = None;
    while !office.board.is_closing() {
        if lane == Lane::Reading && swept.is_none_or(|at: Instant| at.elapsed() >= SWEEP_INTERVAL) {
            swept = Some(Instant::now());
            sweep(office);
        }
        if let Some(slot) = office.board.take(lane, PATIENCE) {
            turn(office, &slot);
            office.board.notify();
        }
    }
}

/// One turn of a job, and what it comes to.
fn turn(office: &Office, slot: &Slot) {
    let job = slot.lock().job.clone();
    let attempt = || match &job.task {
        Task::Import(task) => import::run(office, slot, &job, task),
        Task::Export(task) => export::run(office, slot, &job, task),
    };
    let outcome = catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| {
        metrics::counter!("nameplate_panics_total").increment(1);
        Err(Stop::Fail("the node failed over this job; its log says how".into()))
    });
    let mut live = slot.lock();
    live.busy = false;
    if live.job.state != JobState::Running {
        return;
    }
    let end = |state, detail| Job { state, detail, ..job.clone() };
    let ended = match outcome {
        Ok(Ended::Done) => end(JobState::Done, None),
        Ok(Ended::Yield) => return office.board.queue(&mut live),
        Ok(Ended::Left) => return,
        Err(Stop::Fail(detail)) => end(JobState::Failed, Some(detail)),
        Err(Stop::Pause(detail)) => end(JobState::Paused, Some(detail)),
        Err(Stop::Halt(detail)) => {
            tracing::error!(job = %job.id, detail, "a job stands still");
            live.job = end(JobState::Paused, Some(detail));
            return;
        }
    };
    let word = ended.state.as_str();
    metrics::counter!("nameplate_jobs_ended_total", "state" => word).increment(1);
    if let Err(error) = office.settle(&mut live, ended) {
        tracing::error!(job = %job.id, %error, "the end of a job could not be noted");
    }
}

/// Removes jobs that ended long ago.
fn sweep(office: &Office) {
    metrics::gauge!("nameplate_jobs_bytes").set(office.files.used() as f64);
    let now_ms = office.parts.clock.now_ms();
    for slot in office.board.all() {
        let live = slot.lock();
        let old = now_ms.saturating_sub(live.job.modified_ms) >= office.settings.kept_ms;
        let id = live.job.id.clone();
        let gone = live.job.state.is_final() && !live.busy && old;
        drop(live);
        if gone && let Err(error) = office.remove(&id) {
            tracing::error!(job = %id, %error, "an old job could not be removed");
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Halt(error.to_string())
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Pause(error.to_string())
    }
}

/// How long a job keeps its place while others wait.
pub(super) const SLICE: Duration = Duration::from_secs(1);

/// How long a thread waits before it looks around.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often jobs that ended long ago are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
