//! `GET …/references`: which identifiers refer to this one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::http::problem::{Problem, ProblemDocument};
use crate::http::{App, answers, body, path};
use crate::identifier::CanonicalKey;
use crate::record::Status;

/// Which page to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ReferencesQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Most identifiers on the page, 1 to 1000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// Identifiers that refer to one, in canonical order.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = References)]
pub(in crate::http) struct ReferencesDocument {
    /// The identifiers.
    references: Vec<ReferrerDocument>,
    /// `after` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// An identifier that refers to another.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Referrer, example = json!({
    "identifier": "88.118.8/SN-001", "status": "active", "attributes": ["batch"]
}))]
struct ReferrerDocument {
    /// The identifier.
    identifier: String,
    /// Whether it is in use.
    status: Status,
    /// The attributes by which it refers, as far as the asker may see them.
    attributes: Vec<String>,
}

/// Find what refers to an identifier
///
/// Identifiers of this node whose attributes refer to this one, which may be any node's. Those
/// whose referring attributes the asker may not see are left out. A page may hold fewer identifiers
/// than asked for, or none, and still have a `next`.
#[utoipa::path(
    get,
    path = "/api/v1/identifiers/{id}/references",
    operation_id = "listReferences",
    tag = "identifiers",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2FSN-001"),
        ReferencesQuery,
    ),
    responses(
        (status = 200, description = "Those that refer to it", body = ReferencesDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn list_references(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let identifier = path::api(&head.uri)?;
    let query: ReferencesQuery = body::query(&head.uri)?;
    let limit = super::page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let text = format!("references {:?}", identifier.key());
    let after = app.place(&text, query.after.as_deref(), CanonicalKey::from_bytes)?;
    let asker = app.asker(&head.headers).await?;
    let resolver = Arc::clone(&app.resolver);
    let read = move || resolver.referrers(identifier.key(), &asker, after.as_ref(), limit);
    let page = app.pool.run(read).await??;
    let next = page.next.map(|next| app.registry.cursors().seal(&text, next.as_bytes()));
    let references = page.referrers.into_iter().map(|referrer| {
        let record = &referrer.answer.stored.record;
        ReferrerDocument {
            identifier: record.identifier.spelling().to_owned(),
            status: record.status,
            attributes: referrer.attributes,
        }
    });
    let references = references.collect();
    Ok(answers::json(StatusCode::OK, &ReferencesDocument { references, next }))
}

/// Identifiers on a page when the client does not say.
const DEFAULT_LIMIT: usize = 100;

/// Most identifiers on a page.
const MAX_LIMIT: usize = 1_000;
