//! `GET /{identifier}`: where a scanned label leads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{LOCATION, REFERRER_POLICY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::accept::{self, Wanted};
use super::page;
use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, path};
use crate::identifier::Identifier;
use crate::record::{RecordDocument, View};
use crate::resolver::{Answer, Outcome};

/// Follow an identifier
///
/// Leads browsers and programs alike to the record's `URL` value. `Accept: application/json` gets
/// the record instead; a record without such a URL, or `?noredirect`, a readable page. The
/// identifier's slashes are written as they are.
#[utoipa::path(
    get,
    path = "/{*identifier}",
    operation_id = "follow",
    tag = "resolution",
    params(
        ("identifier" = String, Path, description = "The identifier", example = "88.118.8/SN-001"),
        ("noredirect" = Option<String>, Query, description = "Show the page in any case"),
    ),
    responses(
        (status = 200, description = "The record, or the page",
         content((RecordDocument = "application/json"), (String = "text/html"))),
        (status = 302, description = "To the `URL` value with the lowest index",
         headers(("Location" = String, description = "The URL"))),
        (status = 404, description = "Not registered, or another node's prefix",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = 410, description = "Retired", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(super) async fn follow(State(app): State<Arc<App>>, head: Parts) -> Response<Body> {
    match answer(&app, &head).await {
        Ok(response) => response,
        Err(problem) if accept::names_html(&head.headers) => page::of_problem(problem),
        Err(problem) => problem.into_response(),
    }
}

async fn answer(app: &App, head: &Parts) -> Result<Response<Body>, Problem> {
    let identifier = path::public(&head.uri)?;
    let asker = app.asker(&head.headers).await?;
    let outcome = app.resolve(&identifier, &asker).await?;
    if let Outcome::Retired(answer) = &outcome
        && accept::names_html(&head.headers)
    {
        return Ok(page::of_record(app, answer, StatusCode::GONE));
    }
    show(app, &answers::found(outcome, &identifier)?, head)
}

fn show(app: &App, answer: &Answer, head: &Parts) -> Result<Response<Body>, Problem> {
    let headers = &head.headers;
    let (view, now_ms, most) = (answer.view(), app.clock.now_ms(), app.settings.max_age_seconds);
    let wanted = accept::wanted(headers);
    if wanted == Wanted::Json {
        let keep = answers::keep(view.values(), now_ms, most);
        return Ok(answers::record(answer, headers, keep));
    }
    if !asks_for_page(&head.uri)
        && let Some(url) = target(&view)
    {
        let of_url = view.values().filter(|value| value.is_type("URL")).take(1);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::FOUND;
        let keep = answers::keep(of_url, now_ms, most);
        lead(response.headers_mut(), url);
        answers::mark_caching(response.headers_mut(), &answer.kind, keep);
        return Ok(response);
    }
    if wanted == Wanted::Neither {
        let detail = "this identifier leads nowhere; its record comes as JSON or HTML";
        return Err(Problem::new(&problem::NOT_ACCEPTABLE, detail));
    }
    Ok(page::of_record(app, answer, StatusCode::OK))
}

/// The URL to go to; only the web's own schemes are followed.
fn target<'a>(view: &View<'a>) -> Option<&'a str> {
    view.url().filter(|url| is_web(url))
}

/// Whether a URL is one that a browser may be sent to.
pub(super) fn is_web(url: &str) -> bool {
    ["https://", "http://"]
        .iter()
        .any(|scheme| url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)))
}

fn lead(headers: &mut HeaderMap, url: &str) {
    answers::set(headers, LOCATION, &utf8_percent_encode(url, UNSAFE).to_string());
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

fn asks_for_page(uri: &Uri) -> bool {
    let mut members = uri.query().unwrap_or_default().split('&');
    members.any(|member| member.split('=').next() == Some("noredirect"))
}

/// What never stands in a URL as it is (RFC 3986 §2); everything beyond ASCII is encoded too.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The name under which a page and its API path are the same thing.
pub(super) fn public_path(identifier: &Identifier) -> String {
    format!("/{}", identifier.url_path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_is_followed() {
        assert!(is_web("https://example.com"));
        assert!(is_web("HTTP://example.com"));
        for url in ["javascript:alert(1)", "urn:x", "//example.com", "https:/x", "泵泵泵泵"] {
            assert!(!is_web(url), "{url}");
        }
    }

    #[test]
    fn locations_are_ascii() {
        let mut headers = HeaderMap::new();
        lead(&mut headers, "https://example.com/泵?q=a%20b#c");
        assert_eq!(headers[LOCATION], "https://example.com/%E6%B3%B5?q=a%20b#c");
    }

    #[test]
    fn pages_are_asked_for_by_query() {
        for (uri, expected) in [
            ("/88.1/x", false),
            ("/88.1/x?noredirect", true),
            ("/88.1/x?a=1&noredirect=", true),
            ("/88.1/x?noredirects", false),
        ] {
            assert_eq!(asks_for_page(&uri.parse().unwrap()), expected, "{uri}");
        }
    }
}
