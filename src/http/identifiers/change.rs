//! `PATCH` and `DELETE`: change parts of a record, retire an identifier.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};

use super::Change;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::{App, answers};
use crate::record::{DraftBody, Patch, RecordDocument};
use crate::registry::Command;

/// Change parts of a record
///
/// Values replace those of the same index and attributes those of the same name; a value with an
/// index and without data, and an attribute that is `null`, are removed. The rest stays. Tokens of
/// others than the holder may change the attributes that the holder lets them edit.
#[utoipa::path(
    patch,
    path = "/api/v1/identifiers/{id}",
    operation_id = "patchIdentifier",
    tag = "identifiers",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2FSN-001"),
        ("If-Match" = Option<String>, Header,
         description = "ETag of the version to change, or `*` for any", example = "\"1.public\""),
        ("Idempotency-Key" = Option<String>, Header,
         description = "As for PUT"),
        ("Nameplate-Reason" = Option<String>, Header, description = "As for PUT"),
    ),
    request_body(content = DraftBody, example = json!({
        "values": [{"index": 1, "type": "URL", "data": "https://example.com/new"}, {"index": 2}],
        "attributes": {"model": "P-101", "rated_power_kw": null},
    })),
    responses(
        (status = 200, description = "Changed, or already so", body = RecordDocument,
         headers(("ETag" = String, description = "`\"<version>.<view>\"`"))),
        (status = 412, description = "The condition does not hold", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn patch_identifier(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let change = Change::begin(&app, request, true).await?;
    let command = |body: &[u8], identifier, condition| {
        let patch = Patch::from_json(body)?;
        app.dns.check_values(&patch.values)?;
        Ok(Command::Patch { identifier, patch, condition })
    };
    let (answer, _) = change.finish(&app, command).await?;
    Ok(answers::changed(&answer, StatusCode::OK))
}

/// Retire
///
/// Withdraws the identifier. Its record stays as a tombstone, and it is never given to another
/// thing.
#[utoipa::path(
    delete,
    path = "/api/v1/identifiers/{id}",
    operation_id = "retireIdentifier",
    tag = "identifiers",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2FSN-001"),
        ("If-Match" = Option<String>, Header,
         description = "ETag of the version to retire, or `*` for any", example = "\"1.public\""),
        ("Idempotency-Key" = Option<String>, Header, description = "As for PUT"),
        ("Nameplate-Reason" = Option<String>, Header, description = "As for PUT"),
    ),
    responses(
        (status = 200, description = "Retired; the tombstone", body = RecordDocument),
        (status = 412, description = "The condition does not hold", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn retire_identifier(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let change = Change::begin(&app, request, false).await?;
    let command = |_: &[u8], identifier, condition| Ok(Command::Retire { identifier, condition });
    let (answer, _) = change.finish(&app, command).await?;
    Ok(answers::changed(&answer, StatusCode::OK))
}
