//! Jobs: imports and exports of any size, which go on after the request that began them.
//!
//! A job's table is sent piece by piece into a file and read from there, in bounded memory. An
//! import writes its records in bundles, and how far it is in the same transaction: stopped
//! anywhere, it goes on exactly behind what is written. Its authority is looked up again for every
//! bundle. An export reads one snapshot from beginning to end.

mod board;
mod export;
mod files;
mod import;
mod job;
mod rows;
mod runner;
mod upload;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use ring::rand::SecureRandom;

pub use export::{ExportError, write_export};
pub use job::{
    ExportTask, ImportTask, JOBS, Job, JobId, JobKey, JobState, PROGRESS, Progress, ProgressKey,
    Tally, Task,
};
pub use upload::Upload;

use crate::access::{Access, Action, Actor, Asker, Reach, Right};
use crate::clock::Clock;
use crate::identifier::{Identifier, Prefix};
use crate::registry::Registry;
use crate::resolver::Resolver;
use crate::store::{Direction, Store, StoreError};
use crate::tabular::{TableFault, TableFormat};
use board::{Board, Live, Slot};
use files::{Files, Part};

/// All jobs of a node, and the threads that do them.
pub struct Jobs {
    office: Arc<Office>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What jobs work with.
pub struct Parts {
    /// Where their rows are.
    pub store: Arc<dyn Store>,
    /// The write side.
    pub registry: Arc<Registry>,
    /// The read side.
    pub resolver: Arc<Resolver>,
    /// Whether an account may still do what it began.
    pub access: Arc<Access>,
    /// The time.
    pub clock: Clock,
    /// Checks the data of values of type `DNS/<TYPE>`.
    pub check_dns: Arc<CheckDnsData>,
}

/// Checks type and data of a DNS record; what is wrong comes back.
pub type CheckDnsData = dyn Fn(&str, &[u8]) -> Result<(), String> + Send + Sync;

/// Limits of jobs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where their files are.
    pub folder: PathBuf,
    /// Most bytes of all files of jobs.
    pub bytes: u64,
    /// Imports done at once; others take turns.
    pub at_once: usize,
    /// How long finished jobs are kept, in milliseconds.
    pub kept_ms: u64,
}

/// What threads and requests share.
struct Office {
    parts: Parts,
    settings: Settings,
    files: Files,
    board: Board,
}

/// A job and how far it is.
#[derive(Clone, Debug)]
pub struct JobView {
    /// The job.
    pub job: Job,
    /// Its progress.
    pub progress: Progress,
}

impl Jobs {
    /// Opens the jobs of a node and goes on with those that were stopped by its end.
    pub fn open(parts: Parts, settings: Settings) -> Result<Self, JobError> {
        let files = Files::open(settings.folder.clone(), settings.bytes)?;
        let board = Board::default();
        let mut found = Vec::new();
        JOBS.scan(&*parts.store, JobKey::all(), Direction::Forward, |_, job| {
            found.push(job);
            ControlFlow::Continue(())
        })?;
        found.sort_by_key(|job| job.modified_ms);
        for mut job in found {
            if job.state == JobState::Running {
                job.state = JobState::Waiting;
            }
            // After a restore from a backup the files are gone.
            job.uploaded_bytes = job.uploaded_bytes.min(files.length(&job.id, Part::Input));
            let progress = PROGRESS.get(&*parts.store, &ProgressKey(job.id.clone()))?;
            board.add(job, progress.unwrap_or_default());
        }
        for id in files.jobs()? {
            if board.find(&id).is_none() {
                files.remove(&id)?;
            }
        }
        let office = Arc::new(Office { parts, settings, files, board });
        let threads = Mutex::new(runner::start(&office)?);
        Ok(Self { office, threads })
    }

    /// Refuses those who may begin no job of any kind.
    pub fn expect_beginner(&self, actor: &Actor) -> Result<(), JobError> {
        if reads(actor) { Ok(()) } else { check_actions(actor) }
    }

    /// Makes a job. An import waits for its table; an export begins.
    pub fn create(
        &self,
        actor: &Actor,
        task: Task,
        reason: String,
        random: &dyn SecureRandom,
    ) -> Result<JobView, JobError> {
        check_scope(actor, &task)?;
        check_task(&task)?;
        let office = &*self.office;
        let all = office.board.all();
        let own = all.iter().filter(|slot| slot.lock().job.account == actor.account()).count();
        if own >= MAX_JOBS_OF_ACCOUNT || all.len() >= MAX_JOBS {
            return Err(JobError::TooMany);
        }
        let now_ms = office.parts.clock.now_ms();
        let state = match task {
            Task::Import(_) => JobState::WaitingForData,
            Task::Export(_) => JobState::Waiting,
        };
        let job = Job {
            id: JobId::fresh(random).map_err(|_| JobError::NoRandomness)?,
            task,
            state,
            detail: None,
            account: actor.account().to_owned(),
            registrant: actor.registrant().cloned(),
            token: *actor.token().0,
            reason,
            created_ms: now_ms,
            modified_ms: now_ms,
            uploaded_bytes: 0,
        };
        office.write(&job, None)?;
        metrics::counter!("nameplate_jobs_created_total", "kind" => job.task.kind()).increment(1);
        let slot = office.board.add(job, Progress::default());
        Ok(view(&slot.lock()))
    }

    /// A job that the actor may look at.
    pub fn find(&self, actor: &Actor, id: &JobId) -> Result<JobView, JobError> {
        self.look(actor, id, Right::Inspect).map(|slot| view(&slot.lock()))
    }

    /// The jobs that the actor may look at, newest first, behind one of them.
    pub fn list(&self, actor: &Actor, after: Option<&JobId>, limit: usize) -> Vec<JobView> {
        let visible = |slot: &Arc<Slot>| {
            let live = slot.lock();
            may(actor, Right::Inspect, &live.job).then(|| view(&live))
        };
        let mut jobs: Vec<JobView> = self.office.board.all().iter().filter_map(visible).collect();
        let order = |view: &JobView| (std::cmp::Reverse(view.job.created_ms), view.job.id.clone());
        jobs.sort_by_key(order);
        let behind = after.and_then(|after| jobs.iter().position(|view| view.job.id == *after));
        jobs.into_iter().skip(behind.map_or(0, |at| at + 1)).take(limit).collect()
    }

    /// Begins to take bytes of a job's table behind the first `from`; without it from the start.
    pub fn upload(&self, actor: &Actor, id: &JobId, from: u64) -> Result<Upload, JobError> {
        let slot = self.look(actor, id, Right::Change)?;
        check_actions(actor)?;
        Upload::begin(Arc::clone(&self.office), slot, from)
    }

    /// Stops a job within a second; it can be resumed.
    pub fn pause(&self, actor: &Actor, id: &JobId) -> Result<JobView, JobError> {
        self.turn(actor, id, |job| match job.state {
            JobState::Waiting | JobState::Running => {
                job.state = JobState::Paused;
                job.detail = None;
                Ok(())
            }
            JobState::Paused => Ok(()),
            _ => Err("only jobs that wait or run can be paused"),
        })
    }

    /// Goes on with a paused job, by the authority of whoever resumes it.
    pub fn resume(&self, actor: &Actor, id: &JobId) -> Result<JobView, JobError> {
        check_actions(actor)?;
        self.turn(actor, id, |job| match job.state {
            JobState::Paused => {
                job.state = JobState::Waiting;
                job.detail = None;
                job.account = actor.account().to_owned();
                job.token = *actor.token().0;
                Ok(())
            }
            JobState::Waiting | JobState::Running => Ok(()),
            _ => Err("only paused jobs can be resumed"),
        })
    }

    /// Ends a job for good, within a second; what it wrote stays.
    pub fn cancel(&self, actor: &Actor, id: &JobId) -> Result<JobView, JobError> {
        self.turn(actor, id, |job| match job.state {
            JobState::Cancelled => Ok(()),
            state if state.is_final() => Err("it has ended already"),
            _ => {
                job.state = JobState::Cancelled;
                Ok(())
            }
        })
    }

    /// Removes a job that has ended, and its files.
    pub fn remove(&self, actor: &Actor, id: &JobId) -> Result<(), JobError> {
        let slot = self.look(actor, id, Right::Change)?;
        let live = slot.lock();
        if !live.job.state.is_final() || live.busy {
            return Err(wrong_state(&live.job, "cancel it first, or wait for its end"));
        }
        drop(live);
        self.office.remove(id)
    }

    /// The refused records so far, how many bytes of them count, and their format.
    pub fn rejects(
        &self,
        actor: &Actor,
        id: &JobId,
    ) -> Result<(Option<File>, u64, TableFormat), JobError> {
        let slot = self.look(actor, id, Right::Inspect)?;
        let live = slot.lock();
        let Task::Import(task) = &live.job.task else {
            return Err(wrong_state(&live.job, "an export refuses nothing"));
        };
        let file = self.office.files.read(id, Part::Rejects)?;
        Ok((file, live.progress.rejects_bytes, task.format))
    }

    /// What a job made: the records of an export that is done, or which identifiers an import
    /// minted so far for which lines. How many bytes count, and their format.
    pub fn result(
        &self,
        actor: &Actor,
        id: &JobId,
    ) -> Result<(Option<File>, u64, TableFormat), JobError> {
        let slot = self.look(actor, id, Right::Inspect)?;
        let live = slot.lock();
        let format = match &live.job.task {
            Task::Export(_) if live.job.state != JobState::Done => {
                return Err(wrong_state(&live.job, "its result is there when it is done"));
            }
            Task::Export(task) => task.format,
            Task::Import(task) => task.format,
        };
        let file = self.office.files.read(id, Part::Result)?;
        Ok((file, live.progress.result_bytes, format))
    }

    /// Writes an export for somebody who waits for it; see [`write_export`]. Blocks.
    pub fn export(
        &self,
        actor: &Arc<Actor>,
        task: &ExportTask,
        out: &mut dyn std::io::Write,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<u64, ExportError> {
        if !reads(actor) {
            return Err(ExportError::Refused);
        }
        let Parts { store, resolver, .. } = &self.office.parts;
        let asker = Asker::Actor(Arc::clone(actor));
        write_export(&*store.snapshot(), resolver, task, &asker, out, go_on)
    }

    /// Ends the threads behind the bundles they are at; what is unfinished goes on at the next
    /// start. Blocks.
    pub fn close(&self) {
        self.office.board.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // It catches its own panics.
            let _ = thread.join();
        }
    }

    fn look(&self, actor: &Actor, id: &JobId, right: Right) -> Result<Arc<Slot>, JobError> {
        let slot = self.office.board.find(id).ok_or_else(|| JobError::Absent(id.clone()))?;
        let allowed = may(actor, right, &slot.lock().job);
        // That a job exists is nobody else's business.
        if allowed { Ok(slot) } else { Err(JobError::Absent(id.clone())) }
    }

    fn turn(
        &self,
        actor: &Actor,
        id: &JobId,
        change: impl FnOnce(&mut Job) -> Result<(), &'static str>,
    ) -> Result<JobView, JobError> {
        let slot = self.look(actor, id, Right::Change)?;
        let mut live = slot.lock();
        let mut job = live.job.clone();
        change(&mut job).map_err(|remedy| wrong_state(&live.job, remedy))?;
        self.office.settle(&mut live, job)?;
        let view = view(&live);
        drop(live);
        self.office.board.notify();
        Ok(view)
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.close();
    }
}

impl Office {
    /// Writes a job's row, and its progress where given.
    fn write(&self, job: &Job, progress: Option<&Progress>) -> Result<(), StoreError> {
        let mut transaction = self.parts.store.begin();
        JOBS.put(&mut *transaction, &JobKey(job.id.clone()), job);
        if let Some(progress) = progress {
            PROGRESS.put(&mut *transaction, &ProgressKey(job.id.clone()), progress);
        }
        transaction.commit().map(drop)
    }

    /// Gives a job its new state, on disk and then in memory.
    fn settle(&self, live: &mut Live, mut job: Job) -> Result<(), StoreError> {
        if job == live.job {
            return Ok(());
        }
        job.modified_ms = job.modified_ms.max(self.parts.clock.now_ms());
        self.write(&job, None)?;
        live.job = job;
        if live.job.state == JobState::Waiting {
            self.board.queue(live);
        }
        Ok(())
    }

    /// Removes a job: its row first, so that a crash leaves files without a job, which the next
    /// start removes.
    fn remove(&self, id: &JobId) -> Result<(), JobError> {
        let mut transaction = self.parts.store.begin();
        JOBS.delete(&mut *transaction, &JobKey(id.clone()));
        PROGRESS.delete(&mut *transaction, &ProgressKey(id.clone()));
        transaction.commit()?;
        self.board.remove(id);
        Ok(self.files.remove(id)?)
    }
}

fn view(live: &Live) -> JobView {
    JobView { job: live.job.clone(), progress: live.progress.clone() }
}

/// Whether somebody may look at or change a job: their own, their registrant's, or all.
fn may(actor: &Actor, right: Right, job: &Job) -> bool {
    match actor.role().reach(right) {
        Reach::Everywhere => true,
        _ if actor.account() == job.account => true,
        Reach::Own => job.registrant.is_some() && actor.registrant() == job.registrant.as_ref(),
        Reach::Nowhere => false,
    }
}

/// Jobs change records as their account may; a token that allows none of it begins none.
fn check_actions(actor: &Actor) -> Result<(), JobError> {
    let allowed = actor.allows(Action::Register) || actor.allows(Action::Update);
    if allowed && actor.role().reach(Right::Change) != Reach::Nowhere {
        return Ok(());
    }
    Err(JobError::Refused("run jobs that change records"))
}

/// Whether somebody may export.
fn reads(actor: &Actor) -> bool {
    actor.allows(Action::Read) && actor.role().reach(Right::Read) != Reach::Nowhere
}

fn check_scope(actor: &Actor, task: &Task) -> Result<(), JobError> {
    match task {
        Task::Import(_) => check_actions(actor),
        Task::Export(_) if reads(actor) => Ok(()),
        Task::Export(_) => Err(JobError::Refused("run exports")),
    }
}

/// What can be told of a task before its table is there.
fn check_task(task: &Task) -> Result<(), JobError> {
    let (prefix, template) = match task {
        Task::Import(task) if task.format == TableFormat::Ndjson && task.mapping.is_some() => {
            let detail = "mapping: lines of NDJSON name their members themselves: leave it out";
            return Err(JobError::BadTask(detail.into()));
        }
        Task::Import(task) => (&task.prefix, &task.template),
        Task::Export(task) => (&task.prefix, &task.template),
    };
    let bad = |member: &str, reason: String| JobError::BadTask(format!("{member}: {reason}"));
    let prefix = prefix.as_deref().map(Prefix::parse).transpose();
    prefix.map_err(|error| bad("prefix", error.to_string()))?;
    let template = template.as_deref().map(Identifier::parse).transpose();
    template.map_err(|error| bad("template", error.to_string())).map(drop)
}

fn wrong_state(job: &Job, remedy: &'static str) -> JobError {
    JobError::WrongState { id: job.id.clone(), state: job.state, remedy }
}

/// Why something cannot be done with a job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// There is none by that name that the actor may know of.
    #[error("there is no job {0}")]
    Absent(JobId),
    /// The actor may not.
    #[error("this token does not allow to {0}: use one that allows it")]
    Refused(&'static str),
    /// The task cannot be done.
    #[error("{0}")]
    BadTask(String),
    /// The job is not in a state in which this can be done.
    #[error("job {id} is {}: {remedy}", state.as_str())]
    WrongState {
        /// The job.
        id: JobId,
        /// Its state.
        state: JobState,
        /// What would have to be done first, or why it cannot be.
        remedy: &'static str,
    },
    /// Bytes were sent for another place than the one behind those that are there.
    #[error("{found} bytes of the table are there, so the next begin at {found}, not at {sent}")]
    WrongOffset {
        /// Bytes that are there.
        found: u64,
        /// Where those that were sent begin.
        sent: u64,
    },
    /// As many jobs as are kept.
    #[error("too many jobs: remove finished ones first")]
    TooMany,
    /// The files of jobs are as large as they may be.
    #[error("{0}")]
    NoRoom(String),
    /// As much is under way as may be.
    #[error("too many tables are being sent: try again in a moment")]
    Busy,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    NoRandomness,
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] TableFault),
    /// A file failed.
    #[error("a file of jobs failed: {0}")]
    File(std::io::Error),
    /// The store failed or writes have stopped.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<std::io::Error> for JobError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::QuotaExceeded => Self::NoRoom(error.to_string()),
            _ => Self::File(error),
        }
    }
}

/// Most jobs of a node that are kept.
const MAX_JOBS: usize = 1_000;

/// Most jobs of one account that are kept.
const MAX_JOBS_OF_ACCOUNT: usize = 100;
