//! HTTP and HTTPS: resolution, the registration API, health.
//!
//! Handlers turn requests into lookups and commands and outcomes into answers; everything that
//! blocks goes through the pool. Limits bite before authentication, authentication before bodies
//! are read. Every error is an RFC 9457 [`problem`]; `faults` maps those of the core.
//!
//! Counters: `nameplate_http_requests_total{route,status}`,
//! `nameplate_http_problems_total{problem}`, `nameplate_http_bad_tokens_total`,
//! `nameplate_http_write_conflicts_total`, and `nameplate_http_refused_total{reason}` (connections,
//! connections_per_network, first_bytes, stalled_write, handshake, handshake_timeout, accept,
//! ratio, memory, imports, address_rate, account_rate, login, sessions, passwords),
//! `nameplate_http_logins_total{outcome}`; gauge `nameplate_http_connections`.
//! ratio, memory, imports, streams); gauge `nameplate_http_connections`.
//! ratio, memory, imports, tables); gauge `nameplate_http_connections`.
//! ratio, memory, imports, tables, streams, address_rate, account_rate, login, sessions,
//! passwords), `nameplate_http_logins_total{outcome}`; gauge `nameplate_http_connections`.

mod accept;
mod accounts;
mod answers;
mod app;
mod audit;
mod backup;
mod batches;
mod body;
mod certificate;
mod changes;
mod codes;
mod conditions;
mod connections;
mod credentials;
mod entries;
mod faults;
mod grants;
mod groups;
mod health;
mod identifiers;
mod imports;
mod jobs;
mod layers;
mod limits;
mod listen;
mod openapi;
mod page;
mod path;
mod peer;
mod pipe;
mod prefixes;
pub mod problem;
mod public;
mod rates;
mod registrants;
mod resolve;
mod router;
mod sessions;
mod settings;
mod statistics;
mod steps;
mod streamed;
mod templates;
#[cfg(test)]
mod tests;
mod timed;
mod tokens;
mod transfers;

use std::sync::Arc;

pub use app::{App, BackUp, CheckDnsData, DnsForms};
pub use certificate::{Certificate, CertificateError, Files};
pub use limits::Limits;
pub use listen::{Bound, Server, bind};
pub use settings::Settings;

/// The routes of a node, to be served by [`Bound::serve`] and [`Bound::serve_tls`].
pub fn router(app: Arc<App>) -> axum::Router {
    router::assemble(app)
}

/// The API as OpenAPI.
pub fn openapi() -> utoipa::openapi::OpenApi {
    router::describe()
}

/// The API as OpenAPI, in the text that `/api/v1/openapi.json` gives.
pub fn description() -> String {
    let text = openapi().to_pretty_json().unwrap_or_default();
    // The registry of formats has `uint64` where utoipa writes `u-int64`.
    let mut text = text.replace(r#""format": "u-int"#, r#""format": "uint"#);
    text.push('\n');
    text
}
