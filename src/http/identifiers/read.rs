//! `GET` and `HEAD`: the record.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::http::request::Parts;

use crate::http::answers::{self, Keep};
use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{App, accept, path};
use crate::record::RecordDocument;

/// Read a record
///
/// The record as the asker may see it: everybody sees values with public-read permission and
/// attributes granted to everyone, a token of another registrant what its holder grants it besides,
/// the holder's token with the action `read` all. Any spelling of the identifier finds it.
#[utoipa::path(
    get,
    path = "/api/v1/identifiers/{id}",
    operation_id = "readIdentifier",
    tag = "identifiers",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2FSN-001"),
        ("If-None-Match" = Option<String>, Header,
         description = "ETag of a copy: 304 while it is still good", example = "\"1.public\""),
    ),
    responses(
        (status = 200, description = "The record", body = RecordDocument,
         headers(("ETag" = String, description = "`\"<version>.<view>\"`"),
                 ("Last-Modified" = String, description = "When this version was made"))),
        (status = 304, description = "The copy is still good"),
        (status = 404, description = "Not registered, or another node's prefix",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = 410, description = "Retired; the problem holds the tombstone",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn read_identifier(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let identifier = path::api(&head.uri)?;
    if !accept::takes_json(&head.headers) {
        let detail = "records come as application/json";
        return Err(Problem::new(&problem::NOT_ACCEPTABLE, detail));
    }
    let asker = app.asker(&head.headers).await?;
    let outcome = app.resolve(&identifier, &asker).await?;
    let answer = answers::found(outcome, &identifier)?;
    Ok(answers::record(&answer, &head.headers, Keep::Revalidate))
}
