//! What surrounds every handler: counting, panics, CORS, timeouts, compression.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, ETAG, HeaderName, IF_NONE_MATCH, LAST_MODIFIED, LINK, LOCATION,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, Response};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use http_body::Body as _;
use http_body_util::{BodyExt, Collected};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any as AnyOrigin, CorsLayer};

use super::imports::Received;
use super::problem::{self, Problem};
use super::{App, limits, peer};

/// Surrounds the whole router; the outermost layer is the last.
pub(super) fn surround(router: Router) -> Router {
    router.layer(CatchPanicLayer::custom(answer_panic)).layer(cors()).layer(from_fn(observe))
}

/// Reads by scripts of any origin; tokens travel in a header of the script's own making only.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([ACCEPT, AUTHORIZATION, IF_NONE_MATCH])
        .expose_headers([ETAG, LAST_MODIFIED, LINK, LOCATION])
        .max_age(Duration::from_secs(86_400))
        .vary(Vec::<HeaderName>::new())
}

/// Counts the answer by route and status class.
async fn observe(request: Request, next: Next) -> Response<Body> {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str).to_owned();
    let mut response = next.run(request).await;
    let status = match response.status().as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("nameplate_http_requests_total", "route" => route, "status" => status)
        .increment(1);
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// 500 for a handler that panicked; the panic hook has logged it.
fn answer_panic(_: Box<dyn Any + Send>) -> Response<Body> {
    metrics::counter!("nameplate_panics_total").increment(1);
    let detail = "the node failed in this request; its log says how";
    Problem::new(&problem::INTERNAL, detail).into_response()
}

/// Holds back addresses that ask too often, before anything of the request is looked at.
pub(super) async fn limit_rate(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let address = peer::address(request.extensions(), request.headers(), &app.settings.proxies);
    match app.rates().charge_address(address, app.clock.now_ms()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Ends requests that take too long. A change that was submitted goes on.
pub(super) async fn limit_time(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let limit = app.settings.request_timeout;
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let detail = format!(
            "no answer within {} s; a change may still be made: read the record, or repeat it \
             with the same Idempotency-Key",
            limit.as_secs()
        );
        Problem::new(&problem::TIMEOUT, detail).into_response()
    })
}

/// Gives large answers their share of memory until they are sent.
pub(super) async fn limit_memory(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let (head, body) = next.run(request).await.into_parts();
    let Some(size) = body.size_hint().exact().filter(|&size| size > FREE_BYTES) else {
        return Response::from_parts(head, body);
    };
    let share = match app.limits.share(size) {
        Ok(share) => share,
        Err(problem) => return problem.into_response(),
    };
    // A body of known size is in memory already.
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    Response::from_parts(head, Body::from(limits::tie(bytes, share)))
}

/// Counts the bytes of a compressed body before they are decompressed.
pub(super) async fn count_received(request: Request, next: Next) -> Response<Body> {
    let received = Received::default();
    let (mut head, body) = request.into_parts();
    let body = received.count(body);
    head.extensions.insert(received);
    next.run(Request::from_parts(head, body)).await
}

/// 405 for a known path, 404 for one that is no identifier either.
pub(super) async fn refuse_method(request: Request) -> Problem {
    let path = request.uri().path();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if route.starts_with("/{*") && super::path::is_reserved(path.trim_start_matches('/')) {
        return Problem::new(&problem::NOT_FOUND, format!("there is no {path}"));
    }
    let detail = format!("{} is not a method of {path}; Allow names those", request.method());
    Problem::new(&problem::METHOD_NOT_ALLOWED, detail)
}

/// 404 for the paths that no route takes.
pub(super) async fn refuse_path(request: Request) -> Response<Body> {
    let detail = "ask for /prefix/suffix, such as /88.118.8/SN-001";
    let problem = Problem::new(&problem::NOT_FOUND, detail);
    if super::accept::names_html(request.headers()) {
        super::page::of_problem(problem)
    } else {
        problem.into_response()
    }
}

/// Answers up to this size are not counted: connections bound them well enough.
const FREE_BYTES: u64 = 16 << 10;
