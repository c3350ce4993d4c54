//! `PUT /api/v1/jobs/{id}/data`: a job's table, of any size, in one request or several.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_RANGE;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::document::JobDocument;
use super::job_id;
use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{App, answers, body};
use crate::jobs::{JobError, JobView, Upload};

/// Send a job's table
///
/// The table as the body, of any size. What was received when a connection breaks off is kept:
/// send the rest with `Content-Range: bytes FIRST-LAST/TOTAL`, where `FIRST` is `uploaded_bytes` of
/// the job. `TOTAL` may be `*` for parts that are not the last; `bytes */TOTAL` without a body says
/// that all is there. Without the header the body is the whole table. What is acknowledged is on
/// stable storage. The job begins when the table is complete.
#[utoipa::path(
    put,
    path = "/api/v1/jobs/{id}/data",
    operation_id = "sendJobData",
    tag = "jobs",
    params(
        ("id" = String, Path, description = "The job", example = "9f86d081884c7d65"),
        ("Content-Range" = Option<String>, Header,
         description = "Which part of the table the body is", example = "bytes 0-1048575/5000000"),
    ),
    request_body(content = String, content_type = "application/octet-stream",
        description = "The table; also as text/csv or application/x-ndjson",
        example = "identifier,attributes.model\n88.118.8/SN-001,P-100\n"),
    responses(
        (status = 200, description = "The job", body = JobDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn send_data(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let actor = app.actor(&head.headers).await?;
    body::expect_type(&head.headers, &MEDIA_TYPES)?;
    let part = Part::read(&head.headers)?;
    let id = job_id(&head.uri)?;
    app.refuse_unless_writing()?;
    let jobs = Arc::clone(&app.jobs);
    let upload = app.pool.run(move || jobs.upload(&actor, &id, part.first)).await??;
    let (send, pieces) = channel(PIECES);
    let (tell, told) = tokio::sync::oneshot::channel();
    // A thread of its own: it waits for its sender, and the pool's threads must not. It ends
    // when the request does, however that comes about.
    let work = move || drop(tell.send(store(upload, pieces)));
    std::thread::Builder::new().name("upload".into()).spawn(work).map_err(|error| {
        Problem::new(&problem::BUSY, format!("no thread for the table: {error}"))
    })?;
    let sent = pass_on(&app, body, &send, part).await;
    drop(send);
    let view = told.await.map_err(|_| Problem::new(&problem::INTERNAL, "the node failed"))?;
    sent?;
    Ok(answers::json(StatusCode::OK, &JobDocument::new(&view?)))
}

/// A piece of a table, or its end.
enum Piece {
    Bytes(Bytes),
    End { complete: bool },
}

/// Passes the body on piece by piece, and how it ended.
async fn pass_on(
    app: &App,
    mut body: Body,
    pieces: &Sender<Piece>,
    part: Part,
) -> Result<(), Problem> {
    let mut length = 0;
    loop {
        let frame = tokio::time::timeout(app.settings.idle_timeout, body.frame()).await;
        let frame = frame.map_err(|_| {
            let wait = app.settings.idle_timeout.as_secs();
            Problem::new(&problem::REQUEST_TIMEOUT, format!("nothing came for {wait} s"))
        })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Problem::new(&problem::BAD_REQUEST, "the body broke off"))?;
        let Ok(bytes) = frame.into_data() else { continue };
        length += bytes.len() as u64;
        if part.length.is_some_and(|announced| length > announced) {
            return Err(part.mismatch(length));
        }
        if pieces.send(Piece::Bytes(bytes)).await.is_err() {
            // The thread says why it takes no more.
            return Ok(());
        }
    }
    if part.length.is_some_and(|announced| length != announced) {
        return Err(part.mismatch(length));
    }
    let complete = part.total.is_none_or(|total| total == Some(part.first + length));
    let _ = pieces.send(Piece::End { complete }).await;
    Ok(())
}

/// Appends what comes; what is there stays when the sender goes away.
fn store(mut upload: Upload, mut pieces: Receiver<Piece>) -> Result<JobView, JobError> {
    let mut fault = None;
    let mut complete = false;
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::End { complete: whole } => complete = whole,
            Piece::Bytes(bytes) => {
                if let Err(error) = upload.append(&bytes) {
                    fault = Some(error);
                    break;
                }
            }
        }
    }
    let view = upload.finish(complete && fault.is_none())?;
    fault.map_or(Ok(view), Err)
}

/// Which part of the table a body is (RFC 9110 §14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    first: u64,
    /// Bytes of the body; none when the header does not say.
    length: Option<u64>,
    /// None: the body is the whole table; some none: how long it is will be told later.
    total: Option<Option<u64>>,
}

impl Part {
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(field) = headers.get(CONTENT_RANGE) else {
            return Ok(Self { first: 0, length: None, total: None });
        };
        field.to_str().ok().and_then(Self::parse).ok_or_else(|| {
            let detail = "Content-Range must be bytes FIRST-LAST/TOTAL, with * for a total that is \
                          not known, or bytes */TOTAL";
            Problem::new(&problem::BAD_REQUEST, detail)
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u64>().ok()).flatten()
        };
        let total = if total == "*" { None } else { Some(number(total)?) };
        if range == "*" {
            return Some(Self { first: total?, length: Some(0), total: Some(total) });
        }
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let length = last.checked_sub(first)?.checked_add(1)?;
        let fits = total.is_none_or(|total| last < total);
        fits.then_some(Self { first, length: Some(length), total: Some(total) })
    }

    fn mismatch(self, length: u64) -> Problem {
        let announced = self.length.unwrap_or_default();
        let detail = format!(
            "Content-Range announces {announced} bytes and the body has {length}{}: what came is \
             kept, look at uploaded_bytes of the job",
            if length > announced { " or more" } else { "" },
        );
        Problem::new(&problem::BAD_REQUEST, detail)
    }
}

/// What a table may be sent as.
const MEDIA_TYPES: [&str; 4] =
    ["application/octet-stream", "text/csv", "application/x-ndjson", "application/jsonl"];

/// Pieces that wait for the disk.
const PIECES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let part = |first, length, total| Some(Part { first, length, total });
        for (text, expected) in [
            ("bytes 0-9/10", part(0, Some(10), Some(Some(10)))),
            ("bytes 5-9/*", part(5, Some(5), Some(None))),
            ("bytes */7", part(7, Some(0), Some(Some(7)))),
            ("bytes */*", None),
            ("bytes 5-4/9", None),
            ("bytes 0-9/9", None),
            ("bytes +1-9/10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("items 0-9/10", None),
            ("bytes 0-9", None),
            ("", None),
        ] {
            assert_eq!(Part::parse(text), expected, "{text}");
        }
    }
}
