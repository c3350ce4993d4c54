//! Drafting, publishing and withdrawing templates.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::TemplateDocument;
use crate::access::{Actor, Asker};
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::{App, answers, body, conditions};
use crate::identifier::Identifier;
use crate::registry::{Command, Receipt, RegistryError, Request as Change, TemplateCommand};
use crate::template::{MAX_DEFINITION_BYTES, Template};

/// Why a state is changed.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TemplateStep, example = json!({"reason": "agreed on 5 January"}))]
pub(in crate::http) struct StepBody {
    /// Why, for the ledger; at most 1024 octets.
    #[serde(default)]
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// Draft a template
///
/// Makes a template, or the draft of its next version, or changes that draft. A version that
/// follows a published one must keep its attributes: none is removed, renumbered, renamed or
/// retyped. For those who keep the templates of whoever holds the prefix.
#[utoipa::path(
    put,
    path = "/api/v1/templates/{id}",
    operation_id = "draftTemplate",
    tag = "templates",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2Ftemplate%2Fproduct"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only when there is none"),
        ("If-Match" = Option<String>, Header, description = "ETag of the template to change"),
        ("Nameplate-Reason" = Option<String>, Header,
         description = "Why, as percent-encoded UTF-8, for the ledger; at most 1024 octets"),
    ),
    request_body(content = serde_json::Value, content_type = "application/json", example = json!({
        "labels": {"zh": "产品", "en": "Product"},
        "attributes": [
            {"index": 2000, "name": "product_code", "type": "string", "required": true,
             "unique": true, "indexed": true, "max_length": 32,
             "labels": {"zh": "产品编码", "en": "Product code"}},
        ],
        "suffix": {"parts": [{"text": "P-"}, {"counter": {"digits": 6}}]},
    })),
    responses(
        (status = 201, description = "Made", body = TemplateDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = 200, description = "Changed, or already so", body = TemplateDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = 409, description = "The identifier is a record's", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 412, description = "The condition does not hold", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "The definition breaks rules, all of which are named",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn draft_template(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let identifier = super::identifier(&head.uri)?;
    let condition = conditions::condition(&head.headers)?;
    body::expect_json(&head.headers, MAX_DEFINITION_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    let body = body::read(&app, body, MAX_DEFINITION_BYTES).await?;
    let reason = conditions::reason(&head.headers)?;
    body::parse::<IgnoredAny>(&body)?;
    let template = Arc::new(Template::from_json(&body).map_err(RegistryError::Faulty)?);
    let wanted = identifier.clone();
    let command = TemplateCommand::Draft { identifier: wanted, template, condition };
    make(&app, actor, identifier, command, reason).await
}

/// Publish a template
///
/// Makes the draft the version that new records follow; it never changes again. Brings a withdrawn
/// template back.
#[utoipa::path(
    post,
    path = "/api/v1/templates/{id}/publish",
    operation_id = "publishTemplate",
    tag = "templates",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2Ftemplate%2Fproduct"),
        ("If-Match" = Option<String>, Header, description = "ETag of the template"),
        ("Nameplate-Reason" = Option<String>, Header, description = "As for PUT"),
    ),
    request_body(content = Option<StepBody>, example = json!({"reason": "agreed on 5 January"})),
    responses(
        (status = 200, description = "Published", body = TemplateDocument),
        (status = 409, description = "There is no draft", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 412, description = "The condition does not hold", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn publish_template(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    step(&app, request, |identifier, condition| TemplateCommand::Publish { identifier, condition })
        .await
}

/// Withdraw a template
///
/// No new records follow it from then on; those that do stay as they are.
#[utoipa::path(
    post,
    path = "/api/v1/templates/{id}/withdraw",
    operation_id = "withdrawTemplate",
    tag = "templates",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2Ftemplate%2Fproduct"),
        ("If-Match" = Option<String>, Header, description = "ETag of the template"),
        ("Nameplate-Reason" = Option<String>, Header, description = "As for PUT"),
    ),
    request_body(content = Option<StepBody>, example = json!({"reason": "replaced by another"})),
    responses(
        (status = 200, description = "Withdrawn, or already so", body = TemplateDocument),
        (status = 409, description = "It was never published", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 412, description = "The condition does not hold", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn withdraw_template(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    step(&app, request, |identifier, condition| TemplateCommand::Withdraw { identifier, condition })
        .await
}

async fn step(
    app: &Arc<App>,
    request: Request<Body>,
    command: impl FnOnce(Identifier, crate::registry::Condition) -> TemplateCommand,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let identifier = super::identifier(&head.uri)?;
    let condition = conditions::condition_of_change(&head.headers)?;
    let actor = app.actor(&head.headers).await?;
    let wanted = step_body(app, &head.headers, body).await?;
    let reason = conditions::reason_or(&head.headers, wanted.reason)?;
    let command = command(identifier.clone(), condition);
    make(app, actor, identifier, command, reason).await
}

/// The body, which may be left out, or be null.
async fn step_body(app: &App, headers: &HeaderMap, body: Body) -> Result<StepBody, Problem> {
    let body = body::read(app, body, STEP_BYTES).await?;
    if body.is_empty() {
        return Ok(StepBody::default());
    }
    body::expect_json(headers, STEP_BYTES)?;
    Ok(body::parse::<Option<StepBody>>(&body)?.unwrap_or_default())
}

/// Makes the change and answers with the template as it is then.
async fn make(
    app: &Arc<App>,
    actor: Arc<Actor>,
    identifier: Identifier,
    command: TemplateCommand,
    reason: String,
) -> Result<Response<Body>, Problem> {
    let change = Change { reason, ..Change::new(Command::Template(command)) };
    let version = match app.write(&actor, change).await? {
        Receipt::Document { version, .. } => version,
        receipt => return Err(crate::http::app::wrong_receipt(&receipt)),
    };
    let (resolver, asker) = (Arc::clone(&app.resolver), Asker::Actor(actor));
    let key = identifier.key().clone();
    let read = move || {
        let Some(stored) = resolver.template_head(&key)? else { return Ok(None) };
        let Some(seen) = super::Seen::read(&resolver, &asker, stored)? else { return Ok(None) };
        let shown = resolver.template_version(seen.head().number, seen.shown())?;
        let definition = shown.map(|shown| shown.content.definition);
        Ok::<_, crate::store::StoreError>(Some(seen.document(definition)))
    };
    let absent = || RegistryError::Absent(format!("template {identifier}"));
    let document: TemplateDocument = app.pool.run(read).await??.ok_or_else(absent)?;
    let status = if version == 1 { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answers::json(status, &document);
    answers::set(response.headers_mut(), ETAG, &format!("\"{}\"", document.version));
    Ok(response)
}

/// Most bytes of a body that says why.
const STEP_BYTES: usize = 8 << 10;
