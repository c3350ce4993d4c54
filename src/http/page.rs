//! The readable page: a record for people, in Chinese and English.

use askama::Template;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;

use super::answers::{self, Keep};
use super::problem::Problem;
use super::public::{is_web, public_path};
use super::{App, path};
use crate::record::{Status, Value, timestamp};
use crate::resolver::Answer;

/// A record as a page.
#[derive(Template)]
#[template(path = "record.html", config = "src/http/templates/askama.toml")]
struct RecordPage {
    identifier: String,
    is_retired: bool,
    rows: Vec<Row>,
    attributes: Vec<(String, String)>,
    registrant: String,
    version: u64,
    created: String,
    modified: String,
    dns_name: String,
    public_url: Option<String>,
    api_path: String,
}

/// A problem as a page.
#[derive(Template)]
#[template(path = "problem.html", config = "src/http/templates/askama.toml")]
struct ProblemPage {
    status: u16,
    title: &'static str,
    detail: String,
}

/// A value on the page.
struct Row {
    kind: String,
    text: String,
    is_link: bool,
}

/// The page of a record.
pub(super) fn of_record(app: &App, answer: &Answer, status: StatusCode) -> Response<Body> {
    let (record, view) = (&answer.stored.record, answer.view());
    let public_url = app.settings.public_url.as_deref();
    let page = RecordPage {
        identifier: record.identifier.spelling().to_owned(),
        is_retired: record.status == Status::Retired,
        rows: view.values().filter(|value| !value.is_attribute()).map(Row::from).collect(),
        attributes: view
            .values()
            .filter(|value| value.is_attribute())
            .map(|value| (value.kind.clone(), text(value)))
            .collect(),
        registrant: record.registrant.clone(),
        version: record.version,
        created: timestamp(record.created_ms),
        modified: timestamp(record.modified_ms),
        dns_name: (app.dns.name)(&record.identifier),
        public_url: public_url.map(|base| {
            format!("{}{}", base.trim_end_matches('/'), public_path(&record.identifier))
        }),
        api_path: path::of(&record.identifier),
    };
    let mut response = html(&page, status);
    answers::mark_caching(response.headers_mut(), &answer.kind, Keep::Revalidate);
    response
}

/// The page of a problem.
pub(super) fn of_problem(problem: Problem) -> Response<Body> {
    let (kind, detail) = (problem.kind(), problem.detail().to_owned());
    let page = ProblemPage { status: kind.status.as_u16(), title: kind.title, detail };
    let body = html(&page, kind.status).into_body();
    // The problem's own headers hold for its page too.
    let mut response = problem.into_response();
    *response.body_mut() = body;
    secure(response.headers_mut());
    response
}

fn html(page: &impl Template, status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from(page.render().unwrap_or_default()));
    *response.status_mut() = status;
    secure(response.headers_mut());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn secure(headers: &mut axum::http::HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

impl From<&Value> for Row {
    fn from(value: &Value) -> Self {
        let text = text(value);
        let is_link = value.is_type("URL") && is_web(&text);
        Self { kind: value.kind.clone(), text, is_link }
    }
}

/// The value's text; for other bytes, how many they are.
fn text(value: &Value) -> String {
    value.plain_text().map_or_else(|| format!("({} bytes)", value.data.len()), str::to_owned)
}

/// No scripts, no frames, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_escaped() {
        let page = RecordPage {
            identifier: "88.118/<b>".into(),
            is_retired: false,
            rows: vec![
                Row {
                    kind: "URL".into(),
                    text: "https://e.com/\"onclick=\"x".into(),
                    is_link: true,
                },
                Row { kind: "URL".into(), text: "javascript:alert(1)".into(), is_link: false },
            ],
            attributes: vec![("<i>".into(), "<script>alert(1)</script>".into())],
            registrant: "&".into(),
            version: 1,
            created: String::new(),
            modified: String::new(),
            dns_name: "x.".into(),
            public_url: None,
            api_path: "/api".into(),
        };
        let html = page.render().unwrap();
        for raw in ["<b>", "<i>", "<script", "\"onclick", "href=\"javascript"] {
            assert!(!html.contains(raw), "{raw} in {html}");
        }
        assert!(html.contains("javascript:alert(1)"));
    }
}
