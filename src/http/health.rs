//! `/healthz`, `/readyz`, `/metrics` and the description of the API.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode, Uri};
use bytes::Bytes;
use serde::Serialize;

use super::problem::ProblemDocument;
use super::{App, answers};

/// Whether the node can do its work.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Readiness)]
pub(super) struct ReadinessDocument {
    /// `ready` or `draining`.
    #[schema(example = "ready")]
    status: &'static str,
    /// `ok`, or `stopped: ` and why. A node whose writes have stopped still resolves.
    #[schema(example = "ok")]
    writes: String,
    /// Whether the node is shutting down.
    draining: bool,
}

/// Whether the process lives
///
/// Answers as long as the process does, whatever else is wrong.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    tag = "operation",
    responses(
        (status = 200, description = "It does", body = String, content_type = "text/plain"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(super) async fn health() -> Response<Body> {
    text("ok\n", "text/plain; charset=utf-8")
}

/// Whether to send requests here
///
/// 503 while the node shuts down. With `?writes`, 503 also when it takes no changes.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readiness",
    tag = "operation",
    params(("writes" = Option<String>, Query, description = "Ask about changes too")),
    responses(
        (status = 200, description = "Yes", body = ReadinessDocument),
        (status = 503, description = "No", body = ReadinessDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(super) async fn readiness(State(app): State<Arc<App>>, uri: Uri) -> Response<Body> {
    let (draining, stopped) = (app.is_draining(), app.registry.stopped());
    let mut members = uri.query().unwrap_or_default().split('&');
    let asks_writes = members.any(|member| member.split('=').next() == Some("writes"));
    let refuses = draining || (asks_writes && stopped.is_some());
    let document = ReadinessDocument {
        status: if draining { "draining" } else { "ready" },
        writes: stopped.map_or_else(|| "ok".into(), |reason| format!("stopped: {reason}")),
        draining,
    };
    let status = if refuses { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    answers::json(status, &document)
}

/// Metrics
///
/// In the Prometheus text format.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operation",
    responses(
        (status = 200, description = "Metrics", body = String, content_type = "text/plain"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response<Body> {
    // Not on the pool: the figures are wanted most when the pool is full.
    let figures = Arc::clone(&app.metrics);
    let figures = tokio::task::spawn_blocking(move || figures()).await.unwrap_or_default();
    text(figures, "text/plain; version=0.0.4; charset=utf-8")
}

/// This description
///
/// The API as an OpenAPI 3.1 document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "openapi",
    tag = "operation",
    responses(
        (status = 200, description = "The API as OpenAPI", body = serde_json::Value),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(super) async fn describe() -> Response<Body> {
    static DESCRIPTION: LazyLock<Bytes> = LazyLock::new(|| super::description().into());
    text(DESCRIPTION.clone(), "application/json")
}

fn text(body: impl Into<Body>, media_type: &'static str) -> Response<Body> {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
