//! Taking a job's table: appended piece by piece, continued behind what is on stable storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::board::Slot;
use super::files::{Growing, Part};
use super::{JobError, JobState, JobView, Office, Task, view, wrong_state};

/// A table on its way. Dropped, it leaves what was synced.
pub struct Upload {
    office: Arc<Office>,
    slot: Arc<Slot>,
    file: Option<Growing>,
    synced: u64,
}

impl Upload {
    pub(super) fn begin(office: Arc<Office>, slot: Arc<Slot>, from: u64) -> Result<Self, JobError> {
        let mut live = slot.lock();
        if !matches!(live.job.task, Task::Import(_)) {
            return Err(wrong_state(&live.job, "an export takes no table"));
        }
        if live.job.state != JobState::WaitingForData {
            return Err(wrong_state(&live.job, "its table is there: make another job"));
        }
        if live.busy {
            return Err(wrong_state(&live.job, "its table is being sent by another request"));
        }
        let found = live.job.uploaded_bytes;
        if from != found && from != 0 {
            return Err(JobError::WrongOffset { found, sent: from });
        }
        if UNDER_WAY.fetch_add(1, Ordering::AcqRel) >= MAX_UPLOADS {
            UNDER_WAY.fetch_sub(1, Ordering::AcqRel);
            return Err(JobError::Busy);
        }
        live.busy = true;
        let id = live.job.id.clone();
        drop(live);
        // From here on, dropping the upload gives the place back.
        let mut upload = Self { office, slot, file: None, synced: 0 };
        let file = upload.office.files.grow(&id, Part::Input, from)?;
        upload.synced = file.length();
        upload.file = Some(file);
        if from < found {
            upload.note()?;
        }
        Ok(upload)
    }

    /// Appends bytes. Blocks on the disk.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), JobError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.append(bytes)?;
        if file.length() - self.synced >= SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    /// Bytes of the table so far.
    pub fn length(&self) -> u64 {
        self.file.as_ref().map_or(0, Growing::length)
    }

    /// Puts everything on stable storage; a table that is complete makes its job wait for its
    /// turn.
    pub fn finish(mut self, complete: bool) -> Result<JobView, JobError> {
        self.sync()?;
        let mut live = self.slot.lock();
        if complete && live.job.state == JobState::WaitingForData {
            let mut job = live.job.clone();
            job.state = JobState::Waiting;
            self.office.settle(&mut live, job)?;
        }
        live.busy = false;
        let view = view(&live);
        drop(live);
        Ok(view)
    }

    fn sync(&mut self) -> Result<(), JobError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.sync()?;
        self.synced = file.length();
        self.note()
    }

    /// Notes how much of the table is there.
    fn note(&self) -> Result<(), JobError> {
        let mut live = self.slot.lock();
        let mut job = live.job.clone();
        job.uploaded_bytes = self.synced;
        Ok(self.office.settle(&mut live, job)?)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.slot.lock().busy = false;
        UNDER_WAY.fetch_sub(1, Ordering::AcqRel);
        self.office.board.notify();
    }
}

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// Tables that are sent at once.
const MAX_UPLOADS: usize = 16;

/// Bytes of a table that a crash may cost.
const SYNC_BYTES: u64 = 64 << 20;
