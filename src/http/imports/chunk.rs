//! Chunks of an import: lines in, requests to the registry, outcomes out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Outcomes;
use super::lines::Line;
use crate::access::Actor;
use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{App, Settings};
use crate::identifier::Identifier;
use crate::record::{Draft, DraftBody, DraftValueBody};
use crate::registry::{Command, Condition, Receipt, RegistryError, Request};

/// Lines that are written together.
pub(super) struct Chunk {
    actor: Arc<Actor>,
    reason: String,
    outcomes: Outcomes,
    lines: Vec<Line>,
    bytes: usize,
}

/// What came of a chunk.
pub(super) struct Written {
    /// Outcomes to tell, as NDJSON.
    pub(super) text: Vec<u8>,
    /// How many of each.
    pub(super) tally: Tally,
    /// Why no further chunk can be written.
    pub(super) stop: Option<Problem>,
}

/// A line of an import.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportLine, example = json!({
    "identifier": "88.118.8/SN-001",
    "values": [{"type": "URL", "data": "https://example.com/p/sn-001"}],
    "attributes": {"model": "P-100"},
}))]
pub(in crate::http) struct LineRegistration {
    /// The identifier, in any spelling.
    identifier: String,
    /// As in a registration.
    #[serde(default)]
    values: Option<Vec<DraftValueBody>>,
    /// As in a registration.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>)]
    attributes: Option<BTreeMap<String, Json>>,
    /// As in a registration.
    #[serde(default)]
    template: Option<String>,
    /// As in a registration.
    #[serde(default)]
    #[schema(minimum = 1)]
    template_version: Option<u64>,
}

/// What came of a line.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ImportOutcome, example = json!({
    "line": 1, "outcome": "created", "identifier": "88.118.8/SN-001", "version": 1
}))]
pub(in crate::http) struct LineDocument {
    /// The line's number, from 1.
    line: u64,
    /// What came of it.
    outcome: LineOutcome,
    /// The identifier as it is registered; left out when the line failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    /// The record's version; left out when the line failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// What is wrong with the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemDocument>,
}

/// What came of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum LineOutcome {
    /// The identifier is new.
    Created,
    /// The record was replaced.
    Updated,
    /// The record already was like this.
    Unchanged,
    /// Nothing was written.
    Failed,
}

/// The last line of an import's answer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ImportSummary)]
pub(in crate::http) struct SummaryDocument {
    summary: Summary,
}

/// An import in numbers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ImportNumbers)]
struct Summary {
    #[serde(flatten)]
    tally: Tally,
    /// Whether the whole body was read and dealt with.
    complete: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemDocument>,
}

/// How many lines came to what.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub(super) struct Tally {
    /// Identifiers that are new.
    created: u64,
    /// Records that were replaced.
    updated: u64,
    /// Records that already were like this.
    unchanged: u64,
    /// Lines of which nothing was written.
    failed: u64,
}

impl Chunk {
    pub(super) fn new(actor: Arc<Actor>, reason: String, outcomes: Outcomes) -> Self {
        Self { actor, reason, outcomes, lines: Vec::new(), bytes: 0 }
    }

    pub(super) fn push(&mut self, line: Line) {
        self.bytes += line.text.as_ref().map_or(0, Bytes::len);
        self.lines.push(line);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether no line may be added: memory holds two chunks, of a line more than this each.
    pub(super) fn is_full(&self, settings: &Settings) -> bool {
        self.lines.len() >= settings.import_chunk_lines || self.bytes >= CHUNK_BYTES
    }

    /// The chunk; an empty one stays.
    pub(super) fn take(&mut self) -> Self {
        let empty = Self::new(Arc::clone(&self.actor), self.reason.clone(), self.outcomes);
        std::mem::replace(self, empty)
    }

    /// Writes the chunk. A node that is busy is waited for: imports are patient.
    pub(super) fn write(self, app: Arc<App>) -> BoxFuture<'static, Result<Written, Problem>> {
        let chunk = Arc::new(self);
        Box::pin(async move {
            app.pace(&chunk.actor, chunk.lines.len()).await;
            let _turn = app.limits.chunk_turn().await;
            for _ in 0..WRITE_ATTEMPTS {
                let (job_app, job_chunk) = (Arc::clone(&app), Arc::clone(&chunk));
                let (send, receive) = tokio::sync::oneshot::channel();
                if app.pool.spawn(move || drop(send.send(job_chunk.apply(&job_app)))).is_ok() {
                    return receive.await.map_err(|_| {
                        Problem::new(&problem::INTERNAL, "the node failed; its log says how")
                    });
                }
                tokio::time::sleep(WRITE_PAUSE).await;
            }
            Err(Problem::new(&problem::BUSY, "the node is overloaded: import the rest later"))
        })
    }

    /// Parses all lines and applies those that are good. Blocks until they are durable.
    ///
    /// Where the node is at fault the outcomes end: nothing is said of that line and those behind
    /// it, though some may have been written. Sent again, they do no harm.
    fn apply(&self, app: &App) -> Written {
        let (mut outcomes, mut requests) = (Vec::new(), Vec::new());
        for line in &self.lines {
            match self.parse(line, app) {
                Ok(request) => {
                    requests.push(request);
                    outcomes.push((line.number, None));
                }
                Err(problem) => outcomes.push((line.number, Some(problem))),
            }
        }
        let applied = app.registry.apply_all(&self.actor, &requests, app.clock.now_ms());
        let mut applied = applied.into_iter();
        let mut written = Written { text: Vec::new(), tally: Tally::default(), stop: None };
        for (line, fault) in outcomes {
            let document = match fault {
                Some(problem) => failed(line, problem),
                None => match applied.next().unwrap_or(Err(RegistryError::Busy)) {
                    Ok(receipt) => done(line, receipt),
                    Err(error) => {
                        let problem = Problem::from(error);
                        if problem.kind().status.is_server_error() {
                            written.stop = Some(problem);
                            break;
                        }
                        failed(line, problem)
                    }
                },
            };
            written.add(&document, self.outcomes);
        }
        written
    }

    fn parse(&self, line: &Line, app: &App) -> Result<Request, Problem> {
        let text = line.text.as_ref().ok_or_else(|| {
            let limit = app.settings.import_line_bytes;
            let detail = format!("the line is longer than {limit} bytes, the most for a line");
            Problem::new(&problem::BODY_TOO_LARGE, detail)
        })?;
        let line: LineRegistration = crate::http::body::parse(text)?;
        let LineRegistration { identifier, values, attributes, template, template_version } = line;
        let identifier = Identifier::parse(&identifier)?;
        let body = DraftBody { values, attributes, template, template_version };
        let draft = Draft::from_body(body)?;
        app.dns.check_values(&draft.values)?;
        let command = Command::Put { identifier, draft, condition: Condition::Always };
        Ok(Request { reason: self.reason.clone(), ..Request::new(command) })
    }
}

impl Written {
    fn add(&mut self, document: &LineDocument, outcomes: Outcomes) {
        let count = match document.outcome {
            LineOutcome::Created => &mut self.tally.created,
            LineOutcome::Updated => &mut self.tally.updated,
            LineOutcome::Unchanged => &mut self.tally.unchanged,
            LineOutcome::Failed => &mut self.tally.failed,
        };
        *count += 1;
        if outcomes == Outcomes::All || document.outcome == LineOutcome::Failed {
            append(&mut self.text, document);
        }
    }
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.failed += other.failed;
    }

    /// The last line of the answer.
    pub(super) fn summary(&self, problem: Option<Problem>) -> Bytes {
        let summary = Summary {
            tally: self.clone(),
            complete: problem.is_none(),
            problem: problem.map(Problem::into_document),
        };
        let mut text = Vec::new();
        append(&mut text, &SummaryDocument { summary });
        text.into()
    }
}

fn done(line: u64, receipt: Receipt) -> LineDocument {
    let Receipt::Record { stored, created, changed } = receipt else {
        return failed(line, crate::http::app::wrong_receipt(&receipt));
    };
    let outcome = match (created, changed) {
        (true, true) => LineOutcome::Created,
        (false, true) => LineOutcome::Updated,
        (_, false) => LineOutcome::Unchanged,
    };
    let identifier = Some(stored.record.identifier.spelling().to_owned());
    LineDocument { line, outcome, identifier, version: Some(stored.record.version), problem: None }
}

fn failed(line: u64, problem: Problem) -> LineDocument {
    let problem = Some(problem.into_document());
    LineDocument { line, outcome: LineOutcome::Failed, identifier: None, version: None, problem }
}

fn append(text: &mut Vec<u8>, document: &impl Serialize) {
    // Writing to memory does not fail, and neither do these types.
    let _ = serde_json::to_writer(&mut *text, document);
    text.push(b'\n');
}

/// Bytes of lines after which a chunk is full.
const CHUNK_BYTES: usize = 1 << 20;

/// How often a chunk is handed to an overloaded node before the import ends.
const WRITE_ATTEMPTS: usize = 600;

/// How long to wait between attempts.
const WRITE_PAUSE: Duration = Duration::from_millis(50);
