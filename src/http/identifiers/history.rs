//! `GET …/history`: the versions of a record.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::http::answers;
use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{App, body, path};
use crate::record::{
    Record, RecordDocument, TEMPLATE_INDEX, TEMPLATE_VERSION_INDEX, Value, View, ViewKind,
};
use crate::store::{StoreError, StoredRecord};

/// Which versions to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct HistoryQuery {
    /// Only versions older than this one: `next` of the page before.
    #[param(example = 12)]
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
    /// What changed against the version before, of what the asker may see.
    changes: ChangesDocument,
}

/// What changed from one version to the next: `attributes.<name>`, `values[<index>]`, `template`,
/// `status`.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
#[schema(as = VersionChanges, example = json!({
    "changed": ["attributes.model"]
}))]
struct ChangesDocument {
    /// What the version before did not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    added: Vec<String>,
    /// What is different.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<String>,
    /// What only the version before had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
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
    let most_bytes = app.settings.answer_bytes;
    let read = move || {
        let latest = resolver.history(&key, None, 1)?;
        let holder = latest.first().and_then(|latest| resolver.holder_of(&latest.record));
        // One more than is shown: what changed in the last of them.
        let entries = resolver.history(&key, query.before, limit + 1)?;
        let seen = |version: &Record| resolver.view_held(version, holder.as_ref(), &asker);
        history(&entries, limit, seen, most_bytes)
    };
    let history = app.pool.run(read).await??;
    if history.versions.is_empty() && query.before.is_none() {
        let detail = format!("{identifier} was never registered");
        return Err(Problem::new(&problem::NOT_REGISTERED, detail));
    }
    Ok(answers::json(StatusCode::OK, &history))
}

fn history(
    entries: &[StoredRecord],
    limit: usize,
    seen: impl Fn(&Record) -> Result<ViewKind, StoreError>,
    most_bytes: usize,
) -> Result<HistoryDocument, StoreError> {
    let kinds: Vec<ViewKind> =
        entries.iter().map(|entry| seen(&entry.record)).collect::<Result<_, _>>()?;
    let views: Vec<View<'_>> = entries
        .iter()
        .zip(&kinds)
        .map(|(entry, kind)| View { record: &entry.record, kind })
        .collect();
    let (mut versions, mut bytes) = (Vec::new(), 0);
    for (place, (entry, view)) in entries.iter().zip(&views).enumerate().take(limit) {
        if bytes >= most_bytes {
            break;
        }
        bytes += super::list::weight(entry);
        let sees_all = *view.kind == ViewKind::Full;
        versions.push(VersionDocument {
            record: RecordDocument::new(view, entry.position.index),
            actor: sees_all.then(|| entry.record.actor.clone()),
            reason: sees_all.then(|| entry.record.reason.clone()),
            changes: changes(views.get(place + 1), view),
        });
    }
    let last = versions.last().map(|last| last.record.version).filter(|&version| version > 1);
    let more = versions.len() < entries.len();
    Ok(HistoryDocument { versions, next: last.filter(|_| more) })
}

/// What changed from one version to the next, both as one asker sees them.
fn changes(before: Option<&View<'_>>, after: &View<'_>) -> ChangesDocument {
    let values = |view: Option<&View<'_>>| -> BTreeMap<String, Value> {
        let values = view.into_iter().flat_map(View::values);
        values.map(|value| (place(value), value.clone())).collect()
    };
    let (mut old, new) = (values(before), values(Some(after)));
    let mut changes = ChangesDocument::default();
    for (place, value) in new {
        match old.remove(&place) {
            None => changes.added.push(place),
            Some(before) if before.same_content(&value) => {}
            Some(_) => changes.changed.push(place),
        }
    }
    changes.removed.extend(old.into_keys());
    if before.is_some_and(|before| before.record.status != after.record.status) {
        changes.changed.push("status".into());
    }
    changes
}

/// Where a value stands in a record's document.
fn place(value: &Value) -> String {
    match value.index {
        TEMPLATE_INDEX => "template".into(),
        TEMPLATE_VERSION_INDEX => "template_version".into(),
        _ if value.is_attribute() => format!("attributes.{}", value.kind),
        index => format!("values[{index}]"),
    }
}

/// Versions on a page when the client does not say.
const DEFAULT_LIMIT: usize = 20;

/// Most versions on a page.
const MAX_LIMIT: usize = 100;
