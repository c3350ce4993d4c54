//! Jobs as JSON.

use serde::{Deserialize, Serialize};

use crate::jobs::{ExportTask, ImportTask, JobState, JobView, Tally, Task};
use crate::record::{Status, timestamp};
use crate::tabular::{Encoding, Mapping, TableFormat};

/// A job to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[schema(as = NewJob, example = json!({"kind": "import", "format": "csv", "encoding": "gbk",
    "mapping": {"columns": {"货号": "identifier", "型号": {"attribute": "model"}},
        "prefix": "88.118.8"}}))]
pub(in crate::http) enum NewJobBody {
    /// Register the records of a table.
    Import {
        /// Format of the table.
        #[schema(value_type = FormatWord)]
        format: TableFormat,
        /// Its encoding; told from the content when left out.
        #[serde(default)]
        #[schema(value_type = EncodingWord)]
        encoding: Encoding,
        /// What the columns of a CSV mean; by their names when left out.
        #[serde(default)]
        #[schema(value_type = Option<Object>)]
        mapping: Option<Mapping>,
        /// Identifier of the template of records that name none.
        #[serde(default)]
        #[schema(example = "88.118/TPL-PUMP")]
        template: Option<String>,
        /// Prefix under which identifiers are minted for records that name none.
        #[serde(default)]
        #[schema(example = "88.118.8")]
        prefix: Option<String>,
        /// Check everything, write nothing. Records are not held against each other.
        #[serde(default)]
        dry_run: bool,
        /// Why; kept in the history of every record.
        #[serde(default)]
        #[schema(max_length = 1024)]
        reason: Option<String>,
    },
    /// Write records to a file.
    Export {
        /// Format of the file.
        #[schema(value_type = FormatWord)]
        format: TableFormat,
        /// Whether a CSV begins with a byte order mark, which some spreadsheets need.
        #[serde(default)]
        mark: bool,
        /// Prefix; those below it are included. Left out: the whole node.
        #[serde(default)]
        #[schema(example = "88.118.8")]
        prefix: Option<String>,
        /// Identifier of a template; only records that follow it.
        #[serde(default)]
        #[schema(example = "88.118/TPL-PUMP")]
        template: Option<String>,
        /// Status; active when left out.
        #[serde(default)]
        status: Option<Status>,
        /// Why.
        #[serde(default)]
        #[schema(max_length = 1024)]
        reason: Option<String>,
    },
}

impl NewJobBody {
    /// The task and the reason.
    pub fn task(self) -> (Task, Option<String>) {
        match self {
            Self::Import { format, encoding, mapping, template, prefix, dry_run, reason } => {
                let task = ImportTask { format, encoding, mapping, template, prefix, dry_run };
                (Task::Import(task), reason)
            }
            Self::Export { format, mark, prefix, template, status, reason } => {
                let task = ExportTask { format, mark, prefix, template, status };
                (Task::Export(task), reason)
            }
        }
    }
}

/// A format of tables.
#[derive(Debug, utoipa::ToSchema)]
#[schema(as = TableFormat, rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes a type of a room that knows no OpenAPI")]
pub(in crate::http) enum FormatWord {
    /// Separated values with a header (RFC 4180).
    Csv,
    /// One JSON object per line.
    Ndjson,
}

/// An encoding of tables.
#[derive(Debug, utoipa::ToSchema)]
#[schema(as = TableEncoding)]
#[expect(dead_code, reason = "it describes a type of a room that knows no OpenAPI")]
pub(in crate::http) enum EncodingWord {
    #[schema(rename = "automatic")]
    Automatic,
    #[schema(rename = "utf-8")]
    Utf8,
    #[schema(rename = "gb18030")]
    Gb18030,
    #[schema(rename = "gbk")]
    Gbk,
    #[schema(rename = "gb2312")]
    Gb2312,
    #[schema(rename = "utf-16le")]
    Utf16Le,
    #[schema(rename = "utf-16be")]
    Utf16Be,
}

/// A job, where it stands and how far it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Job, example = json!({
    "id": "9f86d081884c7d65", "kind": "import", "state": "running", "account": "acme",
    "created": "2026-01-05T08:00:00.000Z", "modified": "2026-01-05T08:01:00.000Z",
    "format": "csv", "template": "88.118.8/template/product", "prefix": "88.118.8",
    "uploaded_bytes": 1048576, "done_bytes": 524288, "rows": 8000,
    "tally": {"created": 7990, "updated": 0, "unchanged": 0, "failed": 10, "exported": 0},
    "rows_per_second": 20000, "seconds_left": 1, "seconds_active": 0.4
}))]
pub(in crate::http) struct JobDocument {
    /// Its name: 16 hex digits.
    #[schema(example = "9f86d081884c7d65")]
    id: String,
    /// `import` or `export`.
    #[schema(example = "import")]
    kind: &'static str,
    /// Where it stands.
    state: JobState,
    /// Why it stands there, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Account that began it, or that resumed it last.
    account: String,
    /// Registrant for which it acts; left out for the node itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    registrant: Option<String>,
    /// Why, in the words of whoever began it.
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    /// When it was made (RFC 3339).
    created: String,
    /// When its state changed last (RFC 3339).
    modified: String,
    /// Format of its table.
    #[schema(value_type = FormatWord)]
    format: TableFormat,
    /// Template: of records that name none, or of those that are exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    /// Prefix: of minted identifiers, or of those that are exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    /// Whether it checks only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    /// Bytes of the table that are there; of an import.
    #[serde(skip_serializing_if = "Option::is_none")]
    uploaded_bytes: Option<u64>,
    /// Bytes of the table that are dealt with; of an import.
    #[serde(skip_serializing_if = "Option::is_none")]
    done_bytes: Option<u64>,
    /// Records that are dealt with.
    rows: u64,
    /// Records by what came of them.
    tally: Tally,
    /// Records per second, while at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows_per_second: Option<u64>,
    /// Seconds until the end, while at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
    /// Seconds it has been at work.
    seconds_active: f64,
}

/// Jobs, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Jobs)]
pub(in crate::http) struct JobsDocument {
    /// The jobs.
    pub jobs: Vec<JobDocument>,
    /// `after` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl JobDocument {
    /// A job as JSON.
    pub fn new(view: &JobView) -> Self {
        let JobView { job, progress } = view;
        let import = match &job.task {
            Task::Import(task) => Some(task),
            Task::Export(_) => None,
        };
        let (format, template, prefix) = match &job.task {
            Task::Import(task) => (task.format, &task.template, &task.prefix),
            Task::Export(task) => (task.format, &task.template, &task.prefix),
        };
        let rows = progress.tally.rows();
        let done = progress.place.map_or(0, |place| place.offset);
        let left = job.uploaded_bytes.saturating_sub(done);
        let at_work = job.state == JobState::Running && progress.active_ms > 0;
        let rate = at_work.then(|| rows.saturating_mul(1_000) / progress.active_ms);
        let seconds_left = (at_work && import.is_some() && done > 0)
            .then(|| (left as f64 / done as f64 * progress.active_ms as f64 / 1_000.0) as u64);
        Self {
            id: job.id.to_string(),
            kind: job.task.kind(),
            state: job.state,
            detail: job.detail.clone(),
            account: job.account.clone(),
            registrant: job.registrant.as_ref().map(ToString::to_string),
            reason: job.reason.clone(),
            created: timestamp(job.created_ms),
            modified: timestamp(job.modified_ms),
            format,
            template: template.clone(),
            prefix: prefix.clone(),
            dry_run: import.is_some_and(|task| task.dry_run),
            uploaded_bytes: import.map(|_| job.uploaded_bytes),
            done_bytes: import.map(|_| done),
            rows,
            tally: progress.tally,
            rows_per_second: rate,
            seconds_left,
            seconds_active: progress.active_ms as f64 / 1_000.0,
        }
    }
}
