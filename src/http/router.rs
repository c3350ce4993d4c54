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

use super::identifiers::{change, history, list, mint, put, read, references, restore};
use super::{
    App, accounts, audit, backup, batches, changes, codes, grants, groups, health, imports, layers,
    openapi, prefixes, public, registrants, resolve, sessions, statistics, templates, tokens,
    transfers,
};

/// The router of a node.
pub(super) fn assemble(app: Arc<App>) -> Router {
    let limit_time = from_fn_with_state(Arc::clone(&app), layers::limit_time);
    let limit_memory = from_fn_with_state(Arc::clone(&app), layers::limit_memory);
    let limit_rate = from_fn_with_state(Arc::clone(&app), layers::limit_rate);
    let compressed = lists().layer(limit_memory.clone()).layer(CompressionLayer::new().gzip(true));
    let timed = single().layer(limit_memory).merge(compressed).layer(limit_time);
    let decompress = RequestDecompressionLayer::new().gzip(true).pass_through_unaccepted(true);
    let imports = imports().layer(decompress).layer(from_fn(layers::count_received));
    let (router, _) = timed.merge(imports).merge(backups()).with_state(app).split_for_parts();
    let router = router
        .method_not_allowed_fallback(layers::refuse_method)
        .fallback(layers::refuse_path)
        .layer(DefaultBodyLimit::disable());
    layers::surround(router.layer(limit_rate))
}

/// The description of all routes.
pub(super) fn describe() -> OpenApi {
    let routes = OpenApiRouter::with_openapi(openapi::head())
        .merge(single())
        .merge(lists())
        .merge(imports())
        .merge(backups());
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
        .routes(routes!(restore::restore_identifier))
        .routes(routes!(templates::change::publish_template))
        .routes(routes!(templates::change::withdraw_template))
        .routes(routes!(tokens::create_token, tokens::list_tokens))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(registrants::read_registrant, registrants::update_registrant))
        .routes(routes!(registrants::step_registrant))
        .routes(routes!(prefixes::read_prefix, prefixes::update_prefix))
        .routes(routes!(prefixes::step_prefix))
        .routes(routes!(transfers::step_transfer))
        .routes(routes!(grants::read_grant, grants::revoke_grant))
        .routes(routes!(groups::read_group, groups::put_group, groups::remove_group))
        .routes(routes!(accounts::create_account))
        .routes(routes!(accounts::read_account))
        .routes(routes!(accounts::set_role))
        .routes(routes!(accounts::disable_account))
        .routes(routes!(accounts::enable_account))
        .routes(routes!(accounts::set_password))
        .routes(routes!(sessions::log_in))
        .routes(routes!(sessions::log_out))
        .routes(routes!(health::health))
        .routes(routes!(health::readiness))
        .routes(routes!(health::metrics))
}

fn lists() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list::list_identifiers, mint::mint_identifier))
        .routes(routes!(batches::write_batch))
        .routes(routes!(templates::read::list_templates))
        .routes(routes!(templates::read::read_template, templates::change::draft_template))
        .routes(routes!(templates::read::read_template_version))
        .routes(routes!(templates::read::read_template_schema))
        .routes(routes!(templates::shipped::list_shipped_templates))
        .routes(routes!(templates::shipped::read_shipped_template))
        .routes(routes!(accounts::list_accounts))
        .routes(routes!(history::read_history))
        .routes(routes!(references::list_references))
        .routes(routes!(changes::follow_changes))
        .routes(routes!(audit::search_audit))
        .routes(routes!(statistics::read_statistics))
        .routes(routes!(grants::give_grant, grants::list_grants))
        .routes(routes!(groups::list_groups))
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

fn backups() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(backup::back_up))
}
