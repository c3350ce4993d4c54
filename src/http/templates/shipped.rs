//! The templates that come with the program, to be drafted under a prefix of one's own.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::Serialize;
use serde_json::Value as Json;

use super::TEMPLATES;
use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{answers, path};
use crate::template::shipped;

/// The templates that come with the program.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ShippedTemplates)]
pub(in crate::http) struct ShippedDocument {
    /// Names and definitions.
    templates: Vec<ShippedTemplate>,
}

/// A template that comes with the program.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ShippedTemplate {
    /// Its name.
    #[schema(example = "product")]
    name: &'static str,
    /// What it is called, in Chinese and English.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    labels: Json,
}

/// List shipped templates
///
/// Templates that come with the program: read one, change what should be different, and draft it
/// under a prefix of your own.
#[utoipa::path(
    get,
    path = "/api/v1/templates/shipped",
    operation_id = "listShippedTemplates",
    tag = "templates",
    responses(
        (status = 200, description = "The templates", body = ShippedDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn list_shipped_templates() -> Response<Body> {
    let templates = shipped().iter().map(|&(name, definition)| {
        let mut definition: Json = serde_json::from_str(definition).unwrap_or_default();
        ShippedTemplate { name, labels: definition["labels"].take() }
    });
    let templates = templates.collect();
    answers::json(StatusCode::OK, &ShippedDocument { templates })
}

/// Read a shipped template
///
/// Its definition, as a draft takes it.
#[utoipa::path(
    get,
    path = "/api/v1/templates/shipped/{name}",
    operation_id = "readShippedTemplate",
    tag = "templates",
    params(("name" = String, Path, description = "Its name", example = "product")),
    responses(
        (status = 200, description = "The definition", body = serde_json::Value),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn read_shipped_template(head: Parts) -> Result<Response<Body>, Problem> {
    let base = format!("{TEMPLATES}shipped/");
    let name = path::segment(&head.uri, &base);
    let found = shipped().iter().find(|(known, _)| *known == name);
    let Some((_, definition)) = found else {
        let known: Vec<&str> = shipped().iter().map(|&(name, _)| name).collect();
        let detail = format!("no shipped template {name:?}: there are {}", known.join(", "));
        return Err(Problem::new(&problem::NOT_FOUND, detail));
    };
    let definition: Json = serde_json::from_str(definition).unwrap_or_default();
    Ok(answers::json(StatusCode::OK, &definition))
}
