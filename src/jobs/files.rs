//! The files of jobs: tables that were sent, records that were refused, results.
//!
//! All jobs together have a share of the disk. It is counted when files grow, so that the store
//! beside them never runs out of room because of a job.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::JobId;

/// The folder of all jobs' files.
pub(super) struct Files {
    folder: PathBuf,
    room: Arc<Room>,
}

/// A file of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The table.
    Input,
    /// Refused records.
    Rejects,
    /// What was exported, or the identifiers that were minted.
    Result,
}

/// Bytes that files have and may have.
struct Room {
    used: AtomicU64,
    limit: u64,
}

/// A file that grows at its end; its bytes count as used until it shrinks or is removed.
pub(super) struct Growing {
    file: File,
    length: u64,
    room: Arc<Room>,
    synced: bool,
}

impl Files {
    /// Opens the folder, which is made if it is not there, and counts what is in it.
    pub fn open(folder: PathBuf, limit: u64) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut used = 0;
        for job in fs::read_dir(&folder)? {
            used += bytes_in(&job?.path())?;
        }
        Ok(Self { folder, room: Arc::new(Room { used: AtomicU64::new(used), limit }) })
    }

    /// Bytes of all files.
    pub fn used(&self) -> u64 {
        self.room.used.load(Ordering::Relaxed)
    }

    /// Where a file is.
    pub fn path(&self, job: &JobId, part: Part) -> PathBuf {
        let name = match part {
            Part::Input => "input",
            Part::Rejects => "rejects",
            Part::Result => "result",
        };
        self.folder.join(job.as_str()).join(name)
    }

    /// Opens a file to grow behind its first `length` bytes; what is behind them is cut off.
    pub fn grow(&self, job: &JobId, part: Part, length: u64) -> io::Result<Growing> {
        let path = self.path(job, part);
        if let Some(folder) = path.parent().filter(|_| !path.exists()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            File::create(&path)?;
            // The names too must outlast a crash.
            File::open(folder)?.sync_all()?;
            File::open(&self.folder)?.sync_all()?;
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = file.open(&path)?;
        let found = file.metadata()?.len();
        if found < length {
            let reason = format!("{} has {found} bytes of {length}", path.display());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        let mut growing =
            Growing { file, length: found, room: Arc::clone(&self.room), synced: found == 0 };
        growing.cut(length)?;
        Ok(growing)
    }

    /// Opens a file to read; none when it is not there.
    pub fn read(&self, job: &JobId, part: Part) -> io::Result<Option<File>> {
        match File::open(self.path(job, part)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Bytes of a file; 0 when it is not there.
    pub fn length(&self, job: &JobId, part: Part) -> u64 {
        fs::metadata(self.path(job, part)).map_or(0, |file| file.len())
    }

    /// Removes a job's files.
    pub fn remove(&self, job: &JobId) -> io::Result<()> {
        let folder = self.folder.join(job.as_str());
        if !folder.exists() {
            return Ok(());
        }
        let bytes = bytes_in(&folder)?;
        fs::remove_dir_all(&folder)?;
        self.room.used.fetch_sub(bytes.min(self.used()), Ordering::Relaxed);
        Ok(())
    }

    /// Names of the jobs that have files.
    pub fn jobs(&self) -> io::Result<Vec<JobId>> {
        let mut jobs = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            jobs.extend(entry?.file_name().to_str().and_then(JobId::parse));
        }
        Ok(jobs)
    }
}

impl Growing {
    /// Bytes in the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends bytes; they are on stable storage after [`Growing::sync`]. An error of kind
    /// `QuotaExceeded` when jobs have no room left.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let more = bytes.len() as u64;
        let grown = |used: u64| used.checked_add(more).filter(|used| *used <= self.room.limit);
        if self.room.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_err() {
            metrics::counter!("nameplate_jobs_no_room_total").increment(1);
            let limit = self.room.limit;
            let reason = format!(
                "the files of jobs would pass jobs_bytes = {limit}: remove finished jobs, or \
                 raise it"
            );
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, reason));
        }
        let written = self.file.write_all_at(bytes, self.length);
        if written.is_err() {
            self.room.used.fetch_sub(more, Ordering::Relaxed);
        }
        written?;
        self.length += more;
        self.synced = false;
        Ok(())
    }

    /// Cuts the file to this length.
    pub fn cut(&mut self, length: u64) -> io::Result<()> {
        if length < self.length {
            self.file.set_len(length)?;
            self.room.used.fetch_sub(self.length - length, Ordering::Relaxed);
            self.length = length;
            self.synced = false;
        }
        Ok(())
    }

    /// Puts what was appended on stable storage.
    pub fn sync(&mut self) -> io::Result<()> {
        if !self.synced {
            self.file.sync_all()?;
            self.synced = true;
        }
        Ok(())
    }
}

fn bytes_in(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    if folder.is_dir() {
        for file in fs::read_dir(folder)? {
            bytes += file?.metadata()?.len();
        }
    }
    Ok(bytes)
}
