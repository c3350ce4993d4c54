//! What jobs leave to be fetched, and exports without a job.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::http::request::Parts;
use serde::Deserialize;

use super::document::FormatWord;
use super::job_id;
use crate::http::pipe::{self, Pipe, Told};
use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{App, body};
use crate::jobs::{ExportError, ExportTask, JobError};
use crate::record::Status;
use crate::tabular::TableFormat;

/// Fetch refused records
///
/// The records of an import that were refused so far: for CSV with the columns of the table and,
/// behind them, line, path, rule and reason, so that it can be mended and sent again; for NDJSON
/// with line, faults and text. Cells that a spreadsheet would run are made harmless.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/rejects",
    operation_id = "readJobRejects",
    tag = "jobs",
    params(("id" = String, Path, description = "The job", example = "9f86d081884c7d65")),
    responses(
        (status = 200, description = "The refused records, as CSV or NDJSON", content(
            (String = "text/csv"), (String = "application/x-ndjson"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn read_rejects(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let (actor, id) = (app.actor(&head.headers).await?, job_id(&head.uri)?);
    let jobs = Arc::clone(&app.jobs);
    let (file, length, format) = app.pool.run(move || jobs.rejects(&actor, &id)).await??;
    send_file(&app, file, length, format).await
}

/// Fetch a result
///
/// Of an export that is done, the records; of an import, which identifiers were minted so far for
/// which lines.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/result",
    operation_id = "readJobResult",
    tag = "jobs",
    params(("id" = String, Path, description = "The job", example = "9f86d081884c7d65")),
    responses(
        (status = 200, description = "The result, as CSV or NDJSON", content(
            (String = "text/csv"), (String = "application/x-ndjson"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn read_result(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let (actor, id) = (app.actor(&head.headers).await?, job_id(&head.uri)?);
    let jobs = Arc::clone(&app.jobs);
    let (file, length, format) = app.pool.run(move || jobs.result(&actor, &id)).await??;
    send_file(&app, file, length, format).await
}

/// What to export.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ExportQuery {
    /// Format; NDJSON when left out.
    #[serde(default = "ndjson")]
    #[param(value_type = Option<FormatWord>, inline)]
    format: TableFormat,
    /// Whether a CSV begins with a byte order mark, which some spreadsheets need.
    #[serde(default)]
    mark: bool,
    /// Prefix; those below it are included. Left out: the whole node.
    #[param(example = "88.118.8")]
    prefix: Option<String>,
    /// Identifier of a template; only records that follow it.
    #[param(example = "88.118/TPL-PUMP")]
    template: Option<String>,
    /// Status; active when left out.
    #[param(inline)]
    status: Option<Status>,
}

/// Export
///
/// The records of a prefix or a filter as of now, as the asker may see them: NDJSON, of which every
/// line registers its record again, or CSV with a column for each attribute. An answer that breaks
/// off is not the whole; for very large exports make a job.
#[utoipa::path(
    get,
    path = "/api/v1/exports",
    operation_id = "exportRecords",
    tag = "identifiers",
    params(ExportQuery),
    responses(
        (status = 200, description = "The records, as CSV or NDJSON", content(
            (String = "application/x-ndjson"), (String = "text/csv"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn export_records(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let ExportQuery { format, mark, prefix, template, status } = body::query(&head.uri)?;
    let actor = app.actor(&head.headers).await?;
    let task = ExportTask { format, mark, prefix, template, status };
    let turn = Turn::take()?;
    pipe::answer(told(format), app.settings.idle_timeout, move |pipe| {
        let _turn = turn;
        let mut go_on = |_| !app.is_draining();
        app.jobs.export(&actor, &task, pipe, &mut go_on).map(drop).map_err(Problem::from)
    })
    .await
}

async fn send_file(
    app: &App,
    file: Option<File>,
    length: u64,
    format: TableFormat,
) -> Result<Response<Body>, Problem> {
    let turn = Turn::take()?;
    let copy = move |pipe: &mut Pipe| {
        let _turn = turn;
        let Some(file) = file else { return Ok(()) };
        let mut file = file.take(length);
        let mut piece = vec![0; COPY_BYTES];
        loop {
            let count = file.read(&mut piece).map_err(JobError::from)?;
            let bytes = piece.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            pipe.write_all(bytes).map_err(pipe::broken_off)?;
        }
    };
    pipe::answer(told(format), app.settings.idle_timeout, copy).await
}

fn told(format: TableFormat) -> Told {
    let (media_type, file) = match format {
        TableFormat::Csv => ("text/csv", "records.csv"),
        TableFormat::Ndjson => ("application/x-ndjson", "records.ndjson"),
    };
    Told { thread: "table", media_type, file }
}

fn ndjson() -> TableFormat {
    TableFormat::Ndjson
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        let kind = match error {
            ExportError::Store(error) => return error.into(),
            ExportError::Refused => &problem::FORBIDDEN,
            ExportError::Prefix(_) | ExportError::Template(_) => &problem::BAD_REQUEST,
            ExportError::TooWide => &problem::FAULTY,
            ExportError::Ended => &problem::DRAINING,
            ExportError::Write(_) => &problem::TIMEOUT,
        };
        Self::new(kind, error.to_string())
    }
}

/// A place among the tables that are sent at once.
struct Turn;

impl Turn {
    fn take() -> Result<Self, Problem> {
        if UNDER_WAY.fetch_add(1, Ordering::AcqRel) >= MAX_TABLES {
            UNDER_WAY.fetch_sub(1, Ordering::AcqRel);
            metrics::counter!("nameplate_http_refused_total", "reason" => "tables").increment(1);
            let detail = "too many tables are being sent: try again in a moment";
            return Err(Problem::new(&problem::BUSY, detail));
        }
        Ok(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::AcqRel);
    }
}

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// Exports and files of jobs that are sent at once; each has a thread.
const MAX_TABLES: usize = 32;

/// Bytes read from a file at once.
const COPY_BYTES: usize = 64 << 10;
