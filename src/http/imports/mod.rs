//! `POST /api/v1/imports`: a stream of registrations, outcomes streamed back.
//!
//! Lines are gathered into chunks; one chunk is written while the next is gathered. The answer is
//! a stream that does this work as it is read: a client that does not read its outcomes is not
//! read from either, and one that hangs up ends the import after the chunk under way.

mod chunk;
mod lines;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Request, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde::Deserialize;

pub(super) use chunk::{LineDocument, LineRegistration, SummaryDocument};

use super::conditions;
use super::limits::Share;
use super::problem::{self, Problem, ProblemDocument};
use super::{App, body};
use chunk::{Chunk, Tally, Written};
use lines::Lines;

/// How to import.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// `all` tells the outcome of every line, `failed` only of those that failed.
    #[serde(default)]
    #[param(inline)]
    outcomes: Outcomes,
}

/// Whose outcomes to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcomes {
    /// Those of all lines.
    #[default]
    All,
    /// Those of lines that failed.
    Failed,
}

/// Import
///
/// Registers or replaces records from a stream of any length, one JSON object per line: the body
/// of a registration plus `identifier`. The answer is a stream too: the outcome of each line, and
/// at last a summary, whose `complete` says whether the whole body was read. Read it while you
/// send. An import can be run again without harm. The body may be gzip-compressed.
#[utoipa::path(
    post,
    path = "/api/v1/imports",
    operation_id = "import",
    tag = "identifiers",
    params(
        ImportQuery,
        ("Nameplate-Reason" = Option<String>, Header, description = "As for PUT, for every line"),
    ),
    request_body(content = LineRegistration, content_type = "application/x-ndjson",
        description = "One registration per line, at most 1 MiB each"),
    responses(
        (status = 200, description = "Outcomes as they are known, one JSON object per line; the \
            last line is `{\"summary\": …}`", body = LineDocument,
         content_type = "application/x-ndjson"),
        (status = "default", description = "A problem before the first line",
         body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn import(
    State(app): State<Arc<App>>,
    Extension(received): Extension<Received>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let query: ImportQuery = body::query(request.uri())?;
    body::expect_type(request.headers(), &["application/x-ndjson", "application/jsonl"])?;
    let reason = conditions::reason(request.headers())?;
    let actor = app.actor(request.headers()).await?;
    app.refuse_unless_writing()?;
    let place = app.limits.begin_import()?;
    let import = Import {
        lines: Lines::new(pieces(request.into_body(), received), app.settings.import_line_bytes),
        gathering: Chunk::new(actor, reason, query.outcomes),
        tally: Tally::default(),
        _place: place,
        writing: None,
        all_read: false,
        ended: false,
        app,
    };
    let answer = futures_util::stream::unfold(import, |mut import| async move {
        let piece = import.advance().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), import))
    });
    let mut response = Response::new(Body::from_stream(answer));
    let ndjson = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(CONTENT_TYPE, ndjson);
    Ok(response)
}

/// Bytes of a body as they came over the wire, before decompression.
#[derive(Clone, Debug, Default)]
pub(super) struct Received(Arc<AtomicU64>);

impl Received {
    /// Counts the bytes of `body` from now on.
    pub(super) fn count(&self, body: Body) -> Body {
        let counter = Arc::clone(&self.0);
        Body::new(http_body_util::BodyExt::map_frame(body, move |frame| {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            counter.fetch_add(bytes as u64, Ordering::Relaxed);
            frame
        }))
    }
}

/// The pieces of a body, until it breaks off or grows beyond what honest data does when it is
/// decompressed.
fn pieces(body: Body, received: Received) -> BoxStream<'static, Result<Bytes, Problem>> {
    let mut plain = 0;
    let check = move |piece: Result<Bytes, axum::Error>| {
        let piece = piece.map_err(|_| {
            let detail = "the body broke off, or is not the gzip it claims to be";
            Problem::new(&problem::BAD_REQUEST, detail)
        })?;
        plain += piece.len() as u64;
        let allowed = received.0.load(Ordering::Relaxed).saturating_mul(MOST_RATIO);
        if plain > allowed.max(RATIO_FREE_BYTES) {
            metrics::counter!("nameplate_http_refused_total", "reason" => "ratio").increment(1);
            let detail = format!("the body grows more than {MOST_RATIO}-fold when decompressed");
            return Err(Problem::new(&problem::BODY_TOO_LARGE, detail));
        }
        Ok(piece)
    };
    body.into_data_stream().map(check).boxed()
}

/// An import under way.
struct Import {
    app: Arc<App>,
    lines: Lines<BoxStream<'static, Result<Bytes, Problem>>>,
    gathering: Chunk,
    writing: Option<BoxFuture<'static, Result<Written, Problem>>>,
    tally: Tally,
    all_read: bool,
    ended: bool,
    _place: Share,
}

impl Import {
    /// The next piece of the answer; none behind the summary.
    async fn advance(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        match self.work().await {
            Ok(Some(outcomes)) => Some(outcomes),
            Ok(None) => Some(self.finish(None)),
            Err(problem) => Some(self.finish(Some(problem))),
        }
    }

    fn finish(&mut self, problem: Option<Problem>) -> Bytes {
        self.ended = true;
        self.tally.summary(problem)
    }

    /// Gathers and writes until there is something to tell; none when all is done.
    async fn work(&mut self) -> Result<Option<Bytes>, Problem> {
        let mut lingered = false;
        loop {
            let is_full = self.gathering.is_full(&self.app.settings);
            let is_due = is_full || self.all_read || lingered;
            if self.writing.is_none() && is_due && !self.gathering.is_empty() {
                self.app.refuse_while_draining()?;
                self.writing = Some(self.gathering.take().write(Arc::clone(&self.app)));
                lingered = false;
                continue;
            }
            if self.writing.is_none() && self.all_read {
                return Ok(None);
            }
            let wait = if self.gathering.is_empty() || self.writing.is_some() {
                self.app.settings.idle_timeout
            } else {
                LINGER
            };
            let is_idle = self.writing.is_none();
            tokio::select! {
                written = written(&mut self.writing) => {
                    self.writing = None;
                    let Written { text, tally, stop } = written?;
                    self.tally.add(&tally);
                    match stop {
                        Some(problem) if text.is_empty() => return Err(problem),
                        Some(problem) => {
                            let mut last = text;
                            last.extend_from_slice(&self.finish(Some(problem)));
                            return Ok(Some(last.into()));
                        }
                        None if text.is_empty() => {}
                        None => return Ok(Some(text.into())),
                    }
                }
                line = self.lines.next(), if !self.all_read && !is_full => match line? {
                    Some(line) => self.gathering.push(line),
                    None => self.all_read = true,
                },
                () = tokio::time::sleep(wait), if is_idle => {
                    if self.gathering.is_empty() {
                        let detail = format!("no line came for {} s", wait.as_secs());
                        return Err(Problem::new(&problem::REQUEST_TIMEOUT, detail));
                    }
                    lingered = true;
                }
            }
        }
    }
}

/// Waits for the chunk being written; for ever when there is none.
async fn written(
    writing: &mut Option<BoxFuture<'static, Result<Written, Problem>>>,
) -> Result<Written, Problem> {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

/// How long a chunk that is not full waits for more lines.
const LINGER: Duration = Duration::from_millis(20);

/// Most bytes that one byte of a compressed body may become.
const MOST_RATIO: u64 = 200;

/// Bytes of a decompressed body that are taken at any ratio.
const RATIO_FREE_BYTES: u64 = 16 << 20;
