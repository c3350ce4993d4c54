//! `POST /api/v1/resolve`: a pallet of identifiers at once.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body};
use crate::access::Asker;
use crate::identifier::Identifier;
use crate::record::RecordDocument;
use crate::resolver::{Lookup, Outcome, Protocol, Resolver, Subject};

/// What to resolve.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resolve, example = json!({
    "identifiers": ["88.118.8/SN-001", "hdl:88.118.8/SN-002"],
}))]
pub(super) struct ResolveBody {
    /// 1 to 1000 identifiers, in any spelling.
    #[schema(min_items = 1, max_items = 1000,
        example = json!(["88.118.8/SN-001", "hdl:88.118.8/SN-002"]))]
    identifiers: Vec<String>,
}

/// Results in the order of the identifiers asked for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Results)]
pub(super) struct ResultsDocument {
    /// The results.
    results: Vec<ResultDocument>,
}

/// What came of one identifier.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Result)]
struct ResultDocument {
    /// The identifier as it was asked for.
    identifier: String,
    /// What came of it.
    outcome: ResultOutcome,
    /// The record, or the tombstone of a retired identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordDocument>,
    /// What is wrong, when the outcome is `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemDocument>,
}

/// What came of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ResultOutcome {
    /// It is registered.
    Record,
    /// It is retired.
    Retired,
    /// It is not registered.
    Absent,
    /// Its prefix is suspended, and its records are hidden.
    Withheld,
    /// Its prefix is another node's.
    NotResponsible,
    /// It is no identifier, or the node failed.
    Failed,
    /// The answer is full: ask for it again.
    Deferred,
}

/// Resolve many
///
/// Resolves up to 1000 identifiers; faults of single ones do not disturb the others. An answer
/// that grows beyond the node's limit ends in outcomes `deferred`.
#[utoipa::path(
    post,
    path = "/api/v1/resolve",
    operation_id = "resolve",
    tag = "resolution",
    request_body(content = ResolveBody),
    responses(
        (status = 200, description = "A result for each", body = ResultsDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(super) async fn resolve_many(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let settings = &app.settings;
    body::expect_json(request.headers(), settings.resolve_bytes)?;
    let asker = app.asker(request.headers()).await?;
    let body = body::read(&app, request.into_body(), settings.resolve_bytes).await?;
    let wanted: ResolveBody = body::parse(&body)?;
    let count = wanted.identifiers.len();
    if !(1..=MAX_IDENTIFIERS).contains(&count) {
        let detail = format!("{count} identifiers: send 1 to {MAX_IDENTIFIERS} at once");
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    let (resolver, most_bytes) = (Arc::clone(&app.resolver), settings.answer_bytes);
    let resolve = move || {
        let results = resolve_all(&resolver, wanted.identifiers, &asker, most_bytes);
        serde_json::to_vec(&ResultsDocument { results }).unwrap_or_default()
    };
    let body = app.pool.run(resolve).await?;
    let mut response = answers::json(StatusCode::OK, &());
    *response.body_mut() = Body::from(body);
    Ok(response)
}

fn resolve_all(
    resolver: &Resolver,
    identifiers: Vec<String>,
    asker: &Asker,
    most_bytes: usize,
) -> Vec<ResultDocument> {
    let mut bytes = 0;
    let results = identifiers.into_iter().map(|text| {
        if bytes >= most_bytes {
            return result(text, ResultOutcome::Deferred);
        }
        match resolve_one(resolver, &text, asker) {
            Ok(outcome) => {
                let mut result = found(text, &outcome);
                if let Outcome::Record(answer) | Outcome::Retired(answer) = &outcome {
                    bytes += super::identifiers::list::weight(&answer.stored);
                    result.record = Some(answers::document(answer));
                }
                result
            }
            Err(problem) => ResultDocument {
                problem: Some(problem.into_document()),
                ..result(text, ResultOutcome::Failed)
            },
        }
    });
    results.collect()
}

fn resolve_one(resolver: &Resolver, text: &str, asker: &Asker) -> Result<Outcome, Problem> {
    let identifier = Identifier::parse(text)?;
    let subject = Subject::Identifier(identifier.key());
    Ok(resolver.resolve(&Lookup { subject, asker, protocol: Protocol::Http })?)
}

fn found(text: String, outcome: &Outcome) -> ResultDocument {
    let outcome = match outcome {
        Outcome::Record(_) => ResultOutcome::Record,
        Outcome::Retired(_) => ResultOutcome::Retired,
        Outcome::Absent { .. } => ResultOutcome::Absent,
        Outcome::Withheld => ResultOutcome::Withheld,
        Outcome::NotResponsible => ResultOutcome::NotResponsible,
    };
    result(text, outcome)
}

fn result(identifier: String, outcome: ResultOutcome) -> ResultDocument {
    ResultDocument { identifier, outcome, record: None, problem: None }
}

/// Most identifiers in one request.
const MAX_IDENTIFIERS: usize = 1_000;
