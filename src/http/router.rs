//! Every route on one screen.
//!
//! Routes are registered together with their description, so that the OpenAPI document cannot
//! drift from them.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::identifiers::{change, history, list, put, read};
use super::{
    App, backup, codes, health, imports, jobs, layers, openapi, prefixes, public, registrants,
    resolve, tokens, transfers,
};

/// The router of a node.
pub(super) fn assemble(app: Arc<App>) -> Router {
    let limit_time = from_fn_with_state(Arc::clone(&app), layers::limit_time);
    let limit_memory = from_fn_with_state(Arc::clone(&app), layers::limit_memory);
    let compressed = lists().layer(limit_memory.clone()).layer(CompressionLayer::new().gzip(true));
    let timed = single().layer(limit_memory).merge(compressed).layer(limit_time);
    let decompress = RequestDecompressionLayer::new().gzip(true).pass_through_unaccepted(true);
    let imports = imports().layer(decompress).layer(from_fn(layers::count_received));
    let (router, _) = timed.merge(imports).merge(streams()).with_state(app).split_for_parts();
    let router = router
        .method_not_allowed_fallback(layers::refuse_method)
        .fallback(layers::refuse_path)
        .layer(DefaultBodyLimit::disable());
    layers::surround(router)
}

/// The description of all routes.
pub(super) fn describe() -> OpenApi {
    let routes = OpenApiRouter::with_openapi(openapi::head())
        .merge(single())
        .merge(lists())
        .merge(imports())
        .merge(streams());
    openapi::finish(routes.into_openapi())
}

fn single() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(public::follow))
        .routes(routes!(
            put::put_identifier,
            read::read_identifier,
            change::patch_identifier,
            change::retire_identifier,
        ))
        .routes(routes!(tokens::create_token, tokens::list_tokens))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(jobs::read_job, jobs::remove_job))
        .routes(routes!(jobs::pause_job))
        .routes(routes!(jobs::resume_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(registrants::read_registrant, registrants::update_registrant))
        .routes(routes!(registrants::step_registrant))
        .routes(routes!(prefixes::read_prefix, prefixes::update_prefix))
        .routes(routes!(prefixes::step_prefix))
        .routes(routes!(transfers::step_transfer))
        .routes(routes!(health::health))
        .routes(routes!(health::readiness))
        .routes(routes!(health::metrics))
}

fn lists() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list::list_identifiers))
        .routes(routes!(history::read_history))
        .routes(routes!(jobs::list_jobs, jobs::create_job))
        .routes(routes!(resolve::resolve_many))
        .routes(routes!(registrants::create_registrant, registrants::list_registrants))
        .routes(routes!(registrants::read_registrant_history))
        .routes(routes!(prefixes::create_prefix, prefixes::list_prefixes))
        .routes(routes!(prefixes::read_prefix_history))
        .routes(routes!(transfers::create_transfer, transfers::list_transfers))
        .routes(routes!(transfers::read_transfer))
        .routes(routes!(codes::find_regions))
        .routes(routes!(codes::find_industries))
        .routes(routes!(health::describe))
}

fn imports() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(imports::import))
}

/// What may take as long as it takes.
fn streams() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(backup::back_up))
        .routes(routes!(jobs::send_data))
        .routes(routes!(jobs::read_rejects))
        .routes(routes!(jobs::read_result))
        .routes(routes!(jobs::export_records))
}
