//! `GET …/history`: the versions of a record.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::http::answers;
use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{App, body, path};
use crate::record::{Record, RecordDocument, View, ViewKind};
use crate::store::StoredRecord;

/// Which versions to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct HistoryQuery {
    /// Only versions older than this one: `next` of the page before.
    #[param(example = 12, format = "uint64")]
    before: Option<u64>,
    /// Most versions on the page, 1 to 100. A page of large records may end earlier.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
}

/// Versions of a record, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = History)]
pub(in crate::http) struct HistoryDocument {
    /// The versions.
    versions: Vec<VersionDocument>,
    /// `before` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// One version of a record.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Version)]
struct VersionDocument {
    #[serde(flatten)]
    record: RecordDocument,
    /// Account that made the version; shown to tokens that read the prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// Why it was made; shown to tokens that read the prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Read a record's history
///
/// All versions of the record, newest first, retirement included. Each is shown as the asker may
/// see it.
#[utoipa::path(
    get,
    path = "/api/v1/identifiers/{id}/history",
    operation_id = "readHistory",
    tag = "identifiers",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2FSN-001"),
        HistoryQuery,
    ),
    responses(
        (status = 200, description = "Versions", body = HistoryDocument),
        (status = 404, description = "Never registered, or another node's prefix",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn read_history(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let identifier = path::api(&head.uri)?;
    let query: HistoryQuery = body::query(&head.uri)?;
    let limit = super::page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let asker = app.asker(&head.headers).await?;
    let prefix = identifier.prefix();
    if app.resolver.zone_of(&prefix).is_none() {
        let detail = format!("prefix {prefix} is not served by this node");
        return Err(Problem::new(&problem::NOT_RESPONSIBLE, detail));
    }
    if app.resolver.zone_of(&prefix).is_some_and(|zone| zone.is_withheld_from(&asker)) {
        return Err(answers::withheld(&identifier));
    }
    let (resolver, key) = (Arc::clone(&app.resolver), identifier.key().clone());
    let read = move || resolver.history(&key, query.before, limit);
    let entries = app.pool.run(read).await??;
    if entries.is_empty() && query.before.is_none() {
        let detail = format!("{identifier} was never registered");
        return Err(Problem::new(&problem::NOT_REGISTERED, detail));
    }
    let view = |record: &Record| app.resolver.view(record, &asker);
    let history = history(entries, limit, view, app.settings.answer_bytes);
    Ok(answers::json(StatusCode::OK, &history))
}

fn history(
    entries: Vec<StoredRecord>,
    limit: usize,
    view: impl Fn(&Record) -> ViewKind,
    most_bytes: usize,
) -> HistoryDocument {
    let (mut versions, mut bytes, found) = (Vec::new(), 0, entries.len());
    for entry in entries {
        bytes += super::list::weight(&entry);
        let kind = view(&entry.record);
        let sees_all = kind == ViewKind::Full;
        let view = View { record: &entry.record, kind };
        versions.push(VersionDocument {
            record: RecordDocument::new(&view, entry.position.index),
            actor: sees_all.then(|| entry.record.actor.clone()),
            reason: sees_all.then(|| entry.record.reason.clone()),
        });
        if bytes >= most_bytes {
            break;
        }
    }
    let last = versions.last().map(|last| last.record.version).filter(|&version| version > 1);
    let more = found == limit || versions.len() < found;
    HistoryDocument { versions, next: last.filter(|_| more) }
}

/// Versions on a page when the client does not say.
const DEFAULT_LIMIT: usize = 20;

/// Most versions on a page.
const MAX_LIMIT: usize = 100;
