//! The queue in front of the writer: bounded, and fair between accounts.
//!
//! Every account has its own line; the writer takes one submission from each line in turn. An
//! import that fills its own line costs the others at most one of its submissions per round.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::submit::{Change, Verdict};

/// The queue.
pub(super) struct Queue {
    lines: Mutex<Lines>,
    filled: Condvar,
    limit: usize,
}

/// Changes that are decided together, and whom to tell.
pub(super) struct Submission {
    pub changes: Vec<Change>,
    pub done: Box<dyn FnOnce(Vec<Verdict>) + Send>,
}

#[derive(Default)]
struct Lines {
    waiting: HashMap<String, Line>,
    /// Accounts with something waiting, in the order of their turns.
    turns: VecDeque<String>,
    changes: usize,
    /// How many changes the writer waits for; it is not woken for fewer.
    wanted: usize,
    /// Changes in the batch before.
    last_taken: usize,
    closed: bool,
}

/// Bounds of what is taken at once.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    /// Most changes.
    pub changes: usize,
    /// Most bytes, roughly.
    pub bytes: usize,
}

/// What waits for one account.
#[derive(Default)]
struct Line {
    submissions: VecDeque<Submission>,
    changes: usize,
}

/// What [`Queue::take`] brings.
pub(super) enum Taken {
    /// Submissions to write; empty when the wait timed out.
    Batch(Vec<Submission>),
    /// The queue is closed and empty.
    Closed,
}

impl Queue {
    /// A queue of at most `limit` changes, half of them from any one account.
    pub(super) fn new(limit: usize) -> Self {
        Self { lines: Mutex::default(), filled: Condvar::new(), limit: limit.max(2) }
    }

    /// Adds a submission; gives it back when there is no room or the queue is closed. A submission
    /// larger than an account's share is taken when its account has nothing else waiting.
    pub(super) fn push(&self, submission: Submission) -> Result<(), Submission> {
        let Some(account) = submission.changes.first().map(|change| change.account.clone()) else {
            (submission.done)(Vec::new());
            return Ok(());
        };
        let mut lines = self.lock();
        let count = submission.changes.len();
        let own = lines.waiting.get(&account).map_or(0, |line| line.changes);
        let crowded = own > 0 && own + count > self.limit / 2;
        if lines.closed || crowded || (lines.changes > 0 && lines.changes + count > self.limit) {
            return Err(submission);
        }
        lines.changes += count;
        if own == 0 {
            lines.turns.push_back(account.clone());
        }
        let line = lines.waiting.entry(account).or_default();
        line.changes += count;
        line.submissions.push_back(submission);
        let enough = lines.changes >= lines.wanted;
        drop(lines);
        if enough {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes submissions, one from each account in turn, up to about `most`; waits at most
    /// `patience` for the first, and then for as many changes as came last time.
    ///
    /// Clients that were answered together ask again one after another. Waiting a moment for all of
    /// them costs none of them much and spares a sync for each few.
    pub(super) fn take(&self, most: Batch, patience: Duration) -> Taken {
        let mut lines = self.wait(self.lock(), 1, patience);
        if lines.turns.is_empty() && lines.closed {
            return Taken::Closed;
        }
        let last = lines.last_taken.min(most.changes);
        if !lines.turns.is_empty() && lines.changes < last {
            lines = self.wait(lines, last, GATHERING);
        }
        let (mut taken_changes, mut taken_bytes) = (0, 0);
        let mut batch = Vec::new();
        while taken_changes < most.changes && taken_bytes < most.bytes {
            let Some(submission) = lines.next() else { break };
            taken_changes += submission.changes.len();
            taken_bytes += submission.changes.iter().map(Change::bytes).sum::<usize>();
            batch.push(submission);
        }
        lines.last_taken = taken_changes;
        Taken::Batch(batch)
    }

    /// Waits until there are `wanted` changes, at most `patience`.
    fn wait<'a>(
        &self,
        mut lines: MutexGuard<'a, Lines>,
        wanted: usize,
        patience: Duration,
    ) -> MutexGuard<'a, Lines> {
        lines.wanted = wanted;
        let few = |lines: &mut Lines| lines.changes < wanted && !lines.closed;
        let waited = self.filled.wait_timeout_while(lines, patience, few);
        let (mut lines, _) = waited.unwrap_or_else(PoisonError::into_inner);
        lines.wanted = 1;
        lines
    }

    /// Takes no more; what waits is still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// Takes no more and forgets what waits: whoever waits for it learns that nobody will answer.
    pub(super) fn abandon(&self) {
        let mut lines = self.lock();
        *lines = Lines { closed: true, ..Default::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn next(&mut self) -> Option<Submission> {
        let account = self.turns.pop_front()?;
        let line = self.waiting.get_mut(&account)?;
        let submission = line.submissions.pop_front()?;
        let count = submission.changes.len();
        line.changes -= count;
        if line.submissions.is_empty() {
            self.waiting.remove(&account);
        } else {
            self.turns.push_back(account);
        }
        self.changes -= count;
        Some(submission)
    }
}

/// How long the writer waits for as many changes as it had last time.
const GATHERING: Duration = Duration::from_millis(1);
