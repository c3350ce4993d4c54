//! `POST …/restore`: an earlier version of a record as its next one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use serde::Deserialize;

use super::Change;
use crate::http::conditions::{self, Fingerprint};
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::{App, answers, body};
use crate::record::RecordDocument;
use crate::registry::{Command, Receipt};

/// Which version is to come back.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Restoration, example = json!({"version": 1, "reason": "wrong address"}))]
pub(in crate::http) struct RestoreBody {
    /// The version, from the history.
    #[schema(minimum = 1, example = 1)]
    version: u64,
    /// Why, for the history; at most 1024 octets.
    #[serde(default)]
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// Restore an earlier version
///
/// Makes the content of an earlier version the next version of the record. It is checked as any
/// change is: by the version of the template that it names, for unique values and for references.
#[utoipa::path(
    post,
    path = "/api/v1/identifiers/{id}/restore",
    operation_id = "restoreIdentifier",
    tag = "identifiers",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2FSN-001"),
        ("If-Match" = Option<String>, Header,
         description = "ETag of the version to replace, or `*` for any", example = "\"2.public\""),
        ("Idempotency-Key" = Option<String>, Header, description = "As for PUT"),
        ("Nameplate-Reason" = Option<String>, Header, description = "As for PUT"),
    ),
    request_body(content = RestoreBody),
    responses(
        (status = 200, description = "Restored, or already so", body = RecordDocument,
         headers(("ETag" = String, description = "`\"<version>.<view>\"`"))),
        (status = 409, description = "The version is a tombstone", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 412, description = "The condition does not hold", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "The earlier version breaks rules now", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn restore_identifier(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let change = Change::begin(&app, request, true).await?;
    let Change { identifier, condition, actor, request } = change;
    let (head, body) = request.into_parts();
    let body = body::read(&app, body, app.settings.registration_bytes).await?;
    let wanted: RestoreBody = body::parse(&body)?;
    let reason = conditions::reason_or(&head.headers, wanted.reason)?;
    let fingerprint = Fingerprint {
        method: &head.method,
        subject: identifier.key().as_bytes(),
        condition,
        reason: &reason,
        body: &body,
    };
    let idempotency = conditions::idempotency(&head.headers, &fingerprint)?;
    let command = Command::Restore { identifier, version: wanted.version, condition };
    let change = crate::registry::Request { command, reason, idempotency };
    match app.write(&actor, change).await? {
        Receipt::Record { stored, .. } => {
            let answer = app.shown_to(actor, stored).await?;
            Ok(answers::changed(&answer, StatusCode::OK))
        }
        receipt => Err(crate::http::app::wrong_receipt(&receipt)),
    }
}
