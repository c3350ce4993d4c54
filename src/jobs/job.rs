//! Jobs: what is to be done, for whom, and how far it is; and their rows.
//!
//! A job has two rows: the job itself, changed by people, and its progress, changed by the thread
//! that runs it, so that neither overwrites the other.

use ring::rand::SecureRandom;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::access::TokenDigest;
use crate::codec::{Corrupt, Reader, Writer};
use crate::record::Status;
use crate::registrant::RegistrantId;
use crate::store::{Column, ColumnId, Key, Row};
use crate::tabular::{Encoding, Mapping, Place, TableFormat};

/// Work of any size that goes on after the request that began it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What is to be done.
    pub task: Task,
    /// Where it stands.
    pub state: JobState,
    /// Why it stands there, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Account that began it, or that resumed it last.
    pub account: String,
    /// Whom the account acts for; none for the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrant: Option<RegistrantId>,
    /// The token by whose authority it acts.
    pub token: TokenDigest,
    /// Why, in the words of whoever began it.
    pub reason: String,
    /// When it was made; milliseconds since 1970.
    pub created_ms: u64,
    /// When its state changed last; milliseconds since 1970.
    pub modified_ms: u64,
    /// Bytes of the table that are on stable storage.
    pub uploaded_bytes: u64,
}

/// What a job does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Task {
    /// Register the records of a table.
    Import(ImportTask),
    /// Write records to a file.
    Export(ExportTask),
}

impl Task {
    /// The kind's word.
    pub fn kind(&self) -> &'static str {
        match self {
            Task::Import(_) => "import",
            Task::Export(_) => "export",
        }
    }
}

/// How to import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportTask {
    /// Format of the table.
    pub format: TableFormat,
    /// Its encoding.
    #[serde(default)]
    pub encoding: Encoding,
    /// What its columns mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Mapping>,
    /// Identifier of the template of records that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Prefix under which identifiers are minted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Whether to check only, and write nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What to export, and as what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportTask {
    /// Format of the table.
    pub format: TableFormat,
    /// Whether CSV begins with a byte order mark.
    #[serde(default)]
    pub mark: bool,
    /// Prefix, those below it included; none for the whole node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Identifier of the template; none for records of any and of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Status; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Its table is not there as a whole.
    WaitingForData,
    /// It waits for its turn.
    Waiting,
    /// It is being done.
    Running,
    /// It was stopped and can go on.
    Paused,
    /// It came to its end.
    Done,
    /// It cannot be done.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl JobState {
    /// The state's word.
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::WaitingForData => "waiting-for-data",
            JobState::Waiting => "waiting",
            JobState::Running => "running",
            JobState::Paused => "paused",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more happens.
    pub fn is_final(self) -> bool {
        matches!(self, JobState::Done | JobState::Failed | JobState::Cancelled)
    }
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Where in the table the next record begins; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Records by what came of them.
    pub tally: Tally,
    /// Bytes of the file of refused records that belong to the records before `place`.
    pub rejects_bytes: u64,
    /// Bytes of the file of results that do.
    pub result_bytes: u64,
    /// How long the job has been at work, in milliseconds.
    pub active_ms: u64,
}

/// Records by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobTally)]
pub struct Tally {
    /// Identifiers that are new.
    pub created: u64,
    /// Records that were replaced.
    pub updated: u64,
    /// Records that already were like this.
    pub unchanged: u64,
    /// Records of which nothing was written.
    pub failed: u64,
    /// Records that were exported.
    pub exported: u64,
}

impl Tally {
    /// All of them.
    pub fn rows(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.failed + self.exported
    }
}

/// Name of a job: 16 hex digits, drawn by chance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct JobId(String);

impl JobId {
    /// A name for a new job.
    pub fn fresh(random: &dyn SecureRandom) -> Result<Self, ring::error::Unspecified> {
        let mut bytes = [0; ID_OCTETS];
        random.fill(&mut bytes)?;
        Ok(Self(data_encoding::HEXLOWER.encode(&bytes)))
    }

    /// The name in this text; none when it is no job's.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let fits = text.len() == 2 * ID_OCTETS && text.bytes().all(digit);
        fits.then(|| Self(text.to_owned()))
    }

    /// Its text; also the name of its folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JobId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("the name of a job is 16 hex digits")
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name -> job.
pub const JOBS: Column<JobKey, Job> = Column::new(ColumnId::Jobs);

/// Name -> progress.
pub const PROGRESS: Column<ProgressKey, Progress> = Column::new(ColumnId::Jobs);

/// Key of [`JOBS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobKey(pub JobId);

/// Key of [`PROGRESS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressKey(pub JobId);

impl JobKey {
    /// All keys of jobs.
    pub fn all() -> std::ops::Range<Vec<u8>> {
        vec![JOB_PART]..vec![JOB_PART + 1]
    }
}

impl Key for JobKey {
    fn write_key(&self, writer: &mut Writer) {
        writer.u8(JOB_PART).raw(self.0.as_str().as_bytes());
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        read_id(JOB_PART, bytes).map(Self)
    }
}

impl Key for ProgressKey {
    fn write_key(&self, writer: &mut Writer) {
        writer.u8(PROGRESS_PART).raw(self.0.as_str().as_bytes());
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        read_id(PROGRESS_PART, bytes).map(Self)
    }
}

impl Row for Job {
    fn write_row(&self, writer: &mut Writer) {
        write_json(self, writer);
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        read_json(reader)
    }
}

impl Row for Progress {
    fn write_row(&self, writer: &mut Writer) {
        write_json(self, writer);
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        read_json(reader)
    }
}

fn read_id(part: u8, bytes: &[u8]) -> Result<JobId, Corrupt> {
    let id = bytes.strip_prefix(&[part]).and_then(|id| std::str::from_utf8(id).ok());
    id.and_then(JobId::parse).ok_or(Corrupt::Range("job key"))
}

fn write_json(content: &impl Serialize, writer: &mut Writer) {
    // These types do not fail to serialize.
    writer.u8(JOB_FORMAT).raw(&serde_json::to_vec(content).unwrap_or_default());
}

fn read_json<T: DeserializeOwned>(reader: &mut Reader<'_>) -> Result<T, Corrupt> {
    if reader.u8("job format")? != JOB_FORMAT {
        return Err(Corrupt::Format("job format"));
    }
    serde_json::from_slice(reader.rest()).map_err(|_| Corrupt::Json("job"))
}

/// Octets of a job's name.
const ID_OCTETS: usize = 8;

/// First octet of the keys of jobs.
const JOB_PART: u8 = b'j';

/// First octet of the keys of progress.
const PROGRESS_PART: u8 = b'p';

/// Number of the rows' disk format.
const JOB_FORMAT: u8 = 1;
