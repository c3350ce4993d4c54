//! `/api/v1/jobs`: imports and exports that go on after the request that began them.

mod data;
mod document;
mod files;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{HeaderValue, LOCATION};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode, Uri};
use serde::Deserialize;

pub(super) use data::{__path_send_data, send_data};
pub(super) use files::{
    __path_export_records, __path_read_rejects, __path_read_result, export_records, read_rejects,
    read_result,
};

use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body, conditions, path};
use crate::access::Actor;
use crate::jobs::{JobError, JobId, JobView, Jobs};
use document::{JobDocument, JobsDocument, NewJobBody};

/// Which jobs to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct JobsQuery {
    /// Job behind which the page begins: `next` of the page before.
    #[param(example = "9f86d081884c7d65")]
    after: Option<String>,
    /// Most jobs on the page, 1 to 1000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// Begin a job
///
/// An import waits for its table, which `PUT /api/v1/jobs/{id}/data` takes; an export begins at
/// once. A job acts with the authority that the account and the token have at each moment.
#[utoipa::path(
    post,
    path = "/api/v1/jobs",
    operation_id = "createJob",
    tag = "jobs",
    params(
        ("Nameplate-Reason" = Option<String>, Header, description = "As for PUT, for all records"),
    ),
    request_body(content = NewJobBody),
    responses(
        (status = 201, description = "Made", body = JobDocument,
         headers(("Location" = String, description = "The job"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn create_job(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, JOB_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    app.jobs.expect_beginner(&actor)?;
    let body = body::read(&app, body, JOB_BYTES).await?;
    let body: NewJobBody = body::parse(&body)?;
    let (task, reason) = body.task();
    let reason = conditions::reason_or(&head.headers, reason)?;
    app.refuse_unless_writing()?;
    let jobs = Arc::clone(&app.jobs);
    let create = move || {
        let random = ring::rand::SystemRandom::new();
        jobs.create(&actor, task, reason, &random)
    };
    let made = app.pool.run(create).await??;
    let mut response = answers::json(StatusCode::CREATED, &JobDocument::new(&made));
    let location = HeaderValue::from_str(&format!("/api/v1/jobs/{}", made.job.id));
    response.headers_mut().extend(location.map(|location| (LOCATION, location)));
    Ok(response)
}

/// List jobs
///
/// The jobs that the asker may look at, newest first: their own and their registrant's; all for
/// those who inspect the whole node.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    operation_id = "listJobs",
    tag = "jobs",
    params(JobsQuery),
    responses(
        (status = 200, description = "A page", body = JobsDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn list_jobs(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: JobsQuery = body::query(&head.uri)?;
    let limit = super::identifiers::page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = query.after.map(|text| {
        let detail = || format!("after is {text:?}: take it from `next` of the page before");
        JobId::parse(&text).ok_or_else(|| Problem::new(&problem::BAD_REQUEST, detail()))
    });
    let after = after.transpose()?;
    let actor = app.actor(&head.headers).await?;
    let mut jobs = app.jobs.list(&actor, after.as_ref(), limit + 1);
    let more = jobs.len() > limit;
    jobs.truncate(limit);
    let next = jobs.last().filter(|_| more).map(|last| last.job.id.to_string());
    let jobs = jobs.iter().map(JobDocument::new).collect();
    Ok(answers::json(StatusCode::OK, &JobsDocument { jobs, next }))
}

/// Look at a job
///
/// What it does, where it stands, and how far it is.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}",
    operation_id = "readJob",
    tag = "jobs",
    params(("id" = String, Path, description = "The job", example = "9f86d081884c7d65")),
    responses(
        (status = 200, description = "The job", body = JobDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn read_job(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let found = app.jobs.find(&actor, &job_id(&head.uri)?)?;
    Ok(answers::json(StatusCode::OK, &JobDocument::new(&found)))
}

/// Remove a job
///
/// Removes a job that has ended, and its files. Records that it wrote stay.
#[utoipa::path(
    delete,
    path = "/api/v1/jobs/{id}",
    operation_id = "removeJob",
    tag = "jobs",
    params(("id" = String, Path, description = "The job", example = "9f86d081884c7d65")),
    responses(
        (status = 204, description = "Removed"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn remove_job(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let (actor, id) = (app.actor(&head.headers).await?, job_id(&head.uri)?);
    let jobs = Arc::clone(&app.jobs);
    app.pool.run(move || jobs.remove(&actor, &id)).await??;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Pause a job
///
/// It stands still within a second and can be resumed, after a restart of the node too. An export
/// begins again then.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/pause",
    operation_id = "pauseJob",
    tag = "jobs",
    params(("id" = String, Path, description = "The job", example = "9f86d081884c7d65")),
    responses(
        (status = 200, description = "The job", body = JobDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn pause_job(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    turn(&app, &head, Jobs::pause).await
}

/// Resume a job
///
/// Goes on with a paused job exactly where it stopped, by the authority of the token that resumes
/// it.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/resume",
    operation_id = "resumeJob",
    tag = "jobs",
    params(("id" = String, Path, description = "The job", example = "9f86d081884c7d65")),
    responses(
        (status = 200, description = "The job", body = JobDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn resume_job(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    turn(&app, &head, Jobs::resume).await
}

/// Cancel a job
///
/// Ends it for good within a second. Records that it wrote stay.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/cancel",
    operation_id = "cancelJob",
    tag = "jobs",
    params(("id" = String, Path, description = "The job", example = "9f86d081884c7d65")),
    responses(
        (status = 200, description = "The job", body = JobDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn cancel_job(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    turn(&app, &head, Jobs::cancel).await
}

/// Changes the state of the job in the path.
async fn turn(
    app: &Arc<App>,
    head: &Parts,
    change: impl FnOnce(&Jobs, &Actor, &JobId) -> Result<JobView, JobError> + Send + 'static,
) -> Result<Response<Body>, Problem> {
    let (actor, id) = (app.actor(&head.headers).await?, job_id(&head.uri)?);
    let jobs = Arc::clone(&app.jobs);
    let view = app.pool.run(move || change(&jobs, &actor, &id)).await??;
    Ok(answers::json(StatusCode::OK, &JobDocument::new(&view)))
}

/// The job in the path.
fn job_id(uri: &Uri) -> Result<JobId, Problem> {
    let text = path::segment(uri, "/api/v1/jobs/");
    JobId::parse(text)
        .ok_or_else(|| Problem::new(&problem::NOT_FOUND, format!("there is no job {text}")))
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        let kind = match &error {
            JobError::Store(error) => return error.clone().into(),
            JobError::Absent(_) => &problem::NOT_FOUND,
            JobError::Refused(_) => &problem::FORBIDDEN,
            JobError::BadTask(_) | JobError::Table(_) => &problem::FAULTY,
            JobError::WrongState { .. } | JobError::WrongOffset { .. } | JobError::TooMany => {
                &problem::WRONG_STATE
            }
            JobError::NoRoom(_) => &problem::BODY_TOO_LARGE,
            JobError::Busy => &problem::BUSY,
            JobError::NoRandomness | JobError::File(_) => {
                tracing::error!(%error, "a job failed");
                &problem::INTERNAL
            }
        };
        Self::new(kind, error.to_string())
    }
}

/// Most bytes in the body that describes a job: the largest mapping.
const JOB_BYTES: usize = 1 << 20;

/// Jobs on a page when the client does not say.
const DEFAULT_LIMIT: usize = 100;

/// Most jobs on a page.
const MAX_LIMIT: usize = 1_000;
