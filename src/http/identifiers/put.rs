//! `PUT`: register an identifier or replace its record.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{Request, Response, StatusCode};

use super::Change;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::{App, answers, path};
use crate::record::{Draft, DraftBody, RecordDocument};
use crate::registry::Command;

/// Register or replace
///
/// Registers the identifier, or replaces all values of its record. `If-None-Match: *` makes it
/// only register, `If-Match` only replace. The answer is sent when the change is durable.
/// Content that is already there makes no new version.
#[utoipa::path(
    put,
    path = "/api/v1/identifiers/{id}",
    operation_id = "putIdentifier",
    tag = "identifiers",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2FSN-001"),
        ("If-None-Match" = Option<String>, Header,
         description = "`*`: only when the identifier is not registered", example = "*"),
        ("If-Match" = Option<String>, Header,
         description = "ETag of the version to replace, or `*` for any", example = "\"1.public\""),
        ("Idempotency-Key" = Option<String>, Header,
         description = "1 to 255 visible ASCII characters; for 24 h a repetition of the same \
            request with the key gets the first outcome"),
        ("Nameplate-Reason" = Option<String>, Header,
         description = "Why, as percent-encoded UTF-8, for the history; at most 1024 octets"),
    ),
    request_body(content = DraftBody, example = json!({
        "values": [{"index": 1, "type": "URL", "data": "https://example.com/p/sn-001"}],
        "attributes": {"model": "P-100", "rated_power_kw": "7.5"},
    })),
    responses(
        (status = 201, description = "Registered", body = RecordDocument,
         headers(("ETag" = String, description = "`\"<version>.<view>\"`"),
                 ("Location" = String, description = "Path of the record"))),
        (status = 200, description = "Replaced, or already so", body = RecordDocument,
         headers(("ETag" = String, description = "`\"<version>.<view>\"`"))),
        (status = 412, description = "The condition does not hold", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "The record cannot be like this, or the idempotency key was \
            used for another request", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(in crate::http) async fn put_identifier(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let change = Change::begin(&app, request, true).await?;
    let command = |body: &[u8], identifier, condition| {
        let draft = Draft::from_json(body)?;
        app.dns.check_values(&draft.values)?;
        Ok(Command::Put { identifier, draft, condition })
    };
    let (answer, created) = change.finish(&app, command).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answers::changed(&answer, status);
    if created {
        let location = path::of(&answer.stored.record.identifier);
        answers::set(response.headers_mut(), LOCATION, &location);
    }
    Ok(response)
}
