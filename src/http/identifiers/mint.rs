//! `POST /api/v1/identifiers`: the next identifier by a template's coding rule.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::http::conditions::{self, Fingerprint};
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::{App, answers, body, path};
use crate::identifier::Prefix;
use crate::record::{Draft, DraftBody, DraftValueBody, RecordDocument};
use crate::registry::{Command, Condition, Receipt, Request as Change};

/// A registration whose identifier the node makes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Minting, example = json!({
    "prefix": "88.118.8",
    "template": "88.118.8/template/product",
    "attributes": {"product_code": "P-100"},
}))]
pub(in crate::http) struct MintBody {
    /// Prefix of the new identifier.
    prefix: String,
    /// Identifier of the template whose coding rule makes it and which its record follows.
    template: String,
    /// Version of the template; the published one when left out.
    #[serde(default)]
    #[schema(minimum = 1)]
    template_version: Option<u64>,
    /// Serial, for coding rules that take one.
    #[serde(default)]
    serial: Option<String>,
    /// As in a registration.
    #[serde(default)]
    values: Option<Vec<DraftValueBody>>,
    /// As in a registration.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>)]
    attributes: Option<BTreeMap<String, Json>>,
}

/// Mint an identifier
///
/// Registers the next identifier by the coding rule of a template: no identifier comes twice,
/// whoever asks at the same time. Send an `Idempotency-Key`: a repetition then gets the identifier
/// that was made first.
#[utoipa::path(
    post,
    path = "/api/v1/identifiers",
    operation_id = "mintIdentifier",
    tag = "identifiers",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "As for PUT"),
        ("Nameplate-Reason" = Option<String>, Header, description = "As for PUT"),
    ),
    request_body(content = MintBody),
    responses(
        (status = 201, description = "Registered", body = RecordDocument,
         headers(("ETag" = String, description = "`\"<version>.<view>\"`"),
                 ("Location" = String, description = "Path of the record"))),
        (status = 409, description = "The serial's identifier is taken", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "The record breaks rules, all of which are named, or the \
            counter is exhausted", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn mint_identifier(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, app.settings.registration_bytes)?;
    let actor = app.actor(&head.headers).await?;
    let body = body::read(&app, body, app.settings.registration_bytes).await?;
    let reason = conditions::reason(&head.headers)?;
    let fingerprint = Fingerprint {
        method: &head.method,
        subject: b"identifiers",
        condition: Condition::Absent,
        reason: &reason,
        body: &body,
    };
    let idempotency = conditions::idempotency(&head.headers, &fingerprint)?;
    let command = body::parse::<MintBody>(&body)?.command(&app)?;
    let change = Change { command, reason, idempotency };
    match app.write(&actor, change).await? {
        Receipt::Record { stored, .. } => {
            let answer = app.shown_to(actor, stored).await?;
            let mut response = answers::changed(&answer, StatusCode::CREATED);
            let location = path::of(&answer.stored.record.identifier);
            answers::set(response.headers_mut(), LOCATION, &location);
            Ok(response)
        }
        receipt => Err(crate::http::app::wrong_receipt(&receipt)),
    }
}

impl MintBody {
    /// What it asks of the registry.
    pub(in crate::http) fn command(self, app: &App) -> Result<Command, Problem> {
        let Self { prefix, template, template_version, serial, values, attributes } = self;
        let prefix = Prefix::parse(&prefix)?;
        let template = Some(template);
        let body = DraftBody { values, attributes, template, template_version };
        let draft = Draft::from_body(body)?;
        app.dns.check_values(&draft.values)?;
        Ok(Command::Mint { prefix, serial, draft })
    }
}
