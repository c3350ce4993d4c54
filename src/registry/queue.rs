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
    waiting: HashMap<String, VecDeque<Submission>>,
    /// Accounts with something waiting, in the order of their turns.
    turns: VecDeque<String>,
    changes: usize,
    closed: bool,
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
        let line = lines.waiting.get(&account);
        let is_new = line.is_none();
        let own: usize = line.into_iter().flatten().map(|waiting| waiting.changes.len()).sum();
        let crowded = own > 0 && own + count > self.limit / 2;
        if lines.closed || crowded || (lines.changes > 0 && lines.changes + count > self.limit) {
            return Err(submission);
        }
        lines.changes += count;
        if is_new {
            lines.turns.push_back(account.clone());
        }
        lines.waiting.entry(account).or_default().push_back(submission);
        drop(lines);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes submissions, one from each account in turn, up to about `bytes` and `changes`; waits
    /// at most `patience` for the first.
    pub(super) fn take(&self, changes: usize, bytes: usize, patience: Duration) -> Taken {
        let lines = self.lock();
        let empty = |lines: &mut Lines| lines.turns.is_empty() && !lines.closed;
        let (mut lines, _) = self
            .filled
            .wait_timeout_while(lines, patience, empty)
            .unwrap_or_else(PoisonError::into_inner);
        if lines.turns.is_empty() && lines.closed {
            return Taken::Closed;
        }
        let (mut taken_changes, mut taken_bytes) = (0, 0);
        let mut batch = Vec::new();
        while taken_changes < changes && taken_bytes < bytes {
            let Some(submission) = lines.next() else { break };
            taken_changes += submission.changes.len();
            taken_bytes += submission.changes.iter().map(Change::bytes).sum::<usize>();
            batch.push(submission);
        }
        Taken::Batch(batch)
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
        let submission = line.pop_front();
        if line.is_empty() {
            self.waiting.remove(&account);
        } else {
            self.turns.push_back(account);
        }
        if let Some(submission) = &submission {
            self.changes -= submission.changes.len();
        }
        submission
    }
}
