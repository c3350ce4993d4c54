//! All jobs in memory: who may have the next turn, and where each stands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Job, JobId, JobState, Progress, Task};

/// All jobs.
#[derive(Default)]
pub(super) struct Board {
    jobs: Mutex<Jobs>,
    changed: Condvar,
    /// Grows with every turn; whose turn is smallest has waited longest.
    turns: AtomicU64,
}

#[derive(Default)]
struct Jobs {
    slots: BTreeMap<JobId, Arc<Slot>>,
    closing: bool,
}

/// A job's place on the board.
pub(super) struct Slot {
    live: Mutex<Live>,
}

/// A job as it is now.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub job: Job,
    pub progress: Progress,
    /// Whether a thread works on it or sends its table.
    pub busy: bool,
    turn: u64,
}

/// Kinds of work that have threads of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Changes records.
    Writing,
    /// Only reads records.
    Reading,
}

impl Lane {
    fn of(task: &Task) -> Self {
        match task {
            Task::Import(_) => Lane::Writing,
            Task::Export(_) => Lane::Reading,
        }
    }
}

impl Board {
    /// Adds a job.
    pub fn add(&self, job: Job, progress: Progress) -> Arc<Slot> {
        let (id, turn) = (job.id.clone(), self.turns.fetch_add(1, Ordering::Relaxed));
        let slot = Slot { live: Mutex::new(Live { job, progress, busy: false, turn }) };
        let slot = Arc::new(slot);
        self.lock().slots.insert(id, Arc::clone(&slot));
        self.changed.notify_all();
        slot
    }

    /// A job's place.
    pub fn find(&self, id: &JobId) -> Option<Arc<Slot>> {
        self.lock().slots.get(id).cloned()
    }

    /// All places.
    pub fn all(&self) -> Vec<Arc<Slot>> {
        self.lock().slots.values().cloned().collect()
    }

    /// Takes a job from the board.
    pub fn remove(&self, id: &JobId) {
        self.lock().slots.remove(id);
    }

    /// Puts a job behind all others that wait; [`Board::notify`] tells the threads.
    pub fn queue(&self, live: &mut Live) {
        live.turn = self.turns.fetch_add(1, Ordering::Relaxed);
        live.job.state = JobState::Waiting;
    }

    /// Tells waiting threads that something is different. No slot may be locked by the caller.
    pub fn notify(&self) {
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Waits at most `patience` for a job of the lane and begins its turn.
    pub fn take(&self, lane: Lane, patience: Duration) -> Option<Arc<Slot>> {
        let jobs = self.lock();
        let nothing = |jobs: &mut Jobs| !jobs.closing && jobs.next(lane).is_none();
        let (jobs, _) = self
            .changed
            .wait_timeout_while(jobs, patience, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        if jobs.closing {
            return None;
        }
        let slot = jobs.next(lane)?;
        let mut live = slot.lock();
        live.busy = true;
        live.job.state = JobState::Running;
        drop(live);
        Some(slot)
    }

    /// Whether another job of the lane waits for its turn.
    pub fn others_wait(&self, lane: Lane) -> bool {
        self.lock().next(lane).is_some()
    }

    /// Begins no more turns.
    pub fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Whether it was closed.
    pub fn is_closing(&self) -> bool {
        self.lock().closing
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    /// The job of the lane that has waited longest.
    fn next(&self, lane: Lane) -> Option<Arc<Slot>> {
        let waiting = self.slots.values().filter_map(|slot| {
            let live = slot.lock();
            let ready = live.job.state == JobState::Waiting
                && !live.busy
                && Lane::of(&live.job.task) == lane;
            ready.then(|| (live.turn, slot))
        });
        waiting.min_by_key(|(turn, _)| *turn).map(|(_, slot)| Arc::clone(slot))
    }
}

impl Slot {
    /// The job as it is now. Whoever has it must not ask the board for anything that locks it.
    pub fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
