//! Records as HTTP answers: entity tag, times, how long they may be kept, and the JSON.

use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, VARY,
};
use axum::http::{Response, StatusCode};
use serde::Serialize;

use super::conditions::is_fresh;
use super::problem::{self, Problem};
use crate::identifier::Identifier;
use crate::record::{RecordDocument, Value, View, ViewKind};
use crate::resolver::{Answer, Outcome};

/// How long others may keep an answer that everybody may see.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    /// They ask again each time, with the entity tag.
    Revalidate,
    /// This many seconds.
    Seconds(u32),
}

/// The record of an outcome; the problem, if there is none.
pub(super) fn found(outcome: Outcome, identifier: &Identifier) -> Result<Answer, Problem> {
    match outcome {
        Outcome::Record(answer) => Ok(answer),
        Outcome::Retired(answer) => {
            let detail = format!("{identifier} is retired: it is never given to another thing");
            Err(Problem::new(&problem::RETIRED, detail).with_record(document(&answer)))
        }
        Outcome::Absent { .. } => {
            let detail = format!("{identifier} is not registered");
            Err(Problem::new(&problem::NOT_REGISTERED, detail))
        }
        Outcome::Withheld => Err(withheld(identifier)),
        Outcome::NotResponsible => {
            let detail = format!("prefix {} is not served by this node", identifier.prefix());
            Err(Problem::new(&problem::NOT_RESPONSIBLE, detail))
        }
    }
}

/// What those are told who get no record of a suspended prefix.
pub(super) fn withheld(identifier: &Identifier) -> Problem {
    let prefix = identifier.prefix();
    let detail = format!("prefix {prefix} is suspended and its records are hidden meanwhile");
    Problem::new(&problem::WITHHELD, detail)
}

/// The record as JSON.
pub(super) fn document(answer: &Answer) -> RecordDocument {
    RecordDocument::new(&answer.view(), answer.stored.position.index)
}

/// The record as an answer: 304 when the client's copy is still good.
pub(super) fn record(answer: &Answer, request: &HeaderMap, keep: Keep) -> Response<Body> {
    let view = answer.view();
    let mut response = if is_fresh(request, &view) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        json(StatusCode::OK, &document(answer))
    };
    mark(response.headers_mut(), &view, keep);
    response
}

/// The record after a change. Not to be kept: the next reader may see another view.
pub(super) fn changed(answer: &Answer, status: StatusCode) -> Response<Body> {
    let mut response = json(status, &document(answer));
    mark(response.headers_mut(), &answer.view(), Keep::Revalidate);
    response
}

/// Any JSON answer. Not to be kept unless the caller says otherwise.
pub(super) fn json(status: StatusCode, document: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(document).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 204.
pub(super) fn nothing() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Sets entity tag, times and what caches may do.
fn mark(headers: &mut HeaderMap, view: &View<'_>, keep: Keep) {
    let modified = UNIX_EPOCH + Duration::from_secs(view.record.modified_ms / 1_000);
    set(headers, ETAG, &view.etag());
    if view.kind.follows_the_record() {
        set(headers, LAST_MODIFIED, &httpdate::fmt_http_date(modified));
    }
    mark_caching(headers, view.kind, keep);
}

/// Sets what caches may do: nothing with what only some may see.
pub(super) fn mark_caching(headers: &mut HeaderMap, kind: &ViewKind, keep: Keep) {
    let caching = match (kind.is_public(), keep) {
        (false, _) => "private, no-store".to_owned(),
        (true, Keep::Revalidate) => "no-cache".to_owned(),
        (true, Keep::Seconds(seconds)) => format!("public, max-age={seconds}"),
    };
    set(headers, CACHE_CONTROL, &caching);
    headers.insert(VARY, HeaderValue::from_static("Authorization, Accept"));
}

/// Sets a header whose text is ASCII; one that is not is left out.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// How long these values may be kept: the least of their TTLs, at most `most` seconds.
pub(super) fn keep<'a>(values: impl Iterator<Item = &'a Value>, now_ms: u64, most: u32) -> Keep {
    let least = values.map(|value| value.ttl.seconds_left(now_ms / 1_000)).min();
    Keep::Seconds(least.map_or(most, |least| least.min(most)))
}
