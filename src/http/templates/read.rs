//! Reading templates, their versions and the JSON Schema of their records.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Seen, TemplateDocument};
use crate::codec::canonical_json;
use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{App, answers, body, identifiers};
use crate::identifier::{Identifier, Prefix};
use crate::record::timestamp;
use crate::registry::RegistryError;
use crate::store::{StoreError, StoredDocument};
use crate::template::{Template, TemplateVersion};

/// Which templates to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct TemplatesQuery {
    /// Only those under this prefix.
    #[param(example = "88.118.8")]
    prefix: Option<String>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
    /// Most templates on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// A page of templates in canonical order of their identifiers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Templates)]
pub(in crate::http) struct TemplatesDocument {
    /// The templates, without their definitions.
    templates: Vec<TemplateDocument>,
    /// `after` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A version of a template.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TemplateVersion, example = json!({
    "identifier": "88.118.8/template/part", "version": 1, "published": true,
    "created": "2026-01-05T08:00:00.000Z", "modified": "2026-01-05T08:00:00.000Z",
    "definition": {"labels": {"en": "Part"}, "attributes": [{"index": 2000, "name": "model",
    "type": "string", "labels": {"en": "Model"}, "required": true}]}
}))]
pub(in crate::http) struct VersionDocument {
    /// The template's identifier.
    identifier: String,
    /// The version.
    version: u64,
    /// Whether it was published and never changes again.
    published: bool,
    /// When it was first drafted (RFC 3339).
    created: String,
    /// When it was last changed (RFC 3339).
    modified: String,
    /// The definition.
    #[schema(value_type = serde_json::Value)]
    definition: Json,
}

/// Which version.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct VersionQuery {
    /// The version; the newest that the asker may see when left out.
    #[param(minimum = 1)]
    version: Option<u64>,
}

/// List templates
///
/// The templates of this node. Everybody sees those that were ever published; drafts are shown to
/// those who keep or inspect them. A page may hold fewer templates than asked for and still have a
/// next one.
#[utoipa::path(
    get,
    path = "/api/v1/templates",
    operation_id = "listTemplates",
    tag = "templates",
    params(TemplatesQuery),
    responses(
        (status = 200, description = "A page", body = TemplatesDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn list_templates(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: TemplatesQuery = body::query(&head.uri)?;
    let limit = identifiers::page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let prefix = query.prefix.as_deref().map(Prefix::parse).transpose()?;
    let after = query.after.as_deref().map(Identifier::parse).transpose()?;
    let asker = app.asker(&head.headers).await?;
    let resolver = Arc::clone(&app.resolver);
    let read = move || {
        let start = prefix.map_or_else(String::new, |prefix| format!("{prefix}/"));
        let after = after.as_ref().map(|after| after.key().text());
        let found = resolver.templates(&start, after, limit)?;
        let next = found.last().filter(|_| found.len() == limit).map(|(key, _)| key.clone());
        let mut templates = Vec::with_capacity(found.len());
        for (_, stored) in found {
            let seen = Seen::read(&resolver, &asker, stored)?;
            templates.extend(seen.map(|seen| seen.document(None)));
        }
        Ok::<_, StoreError>(TemplatesDocument { templates, next })
    };
    let page = app.pool.run(read).await??;
    Ok(answers::json(StatusCode::OK, &page))
}

/// Read a template
///
/// The template and the definition of its newest version that the asker may see.
#[utoipa::path(
    get,
    path = "/api/v1/templates/{id}",
    operation_id = "readTemplate",
    tag = "templates",
    params(("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
        example = "88.118.8%2Ftemplate%2Fproduct")),
    responses(
        (status = 200, description = "The template", body = TemplateDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn read_template(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let asker = app.asker(&head.headers).await?;
    let seen = super::seen(&app, &head.uri, asker).await?;
    let shown = version(&app, &seen, seen.shown()).await?;
    let mut response =
        answers::json(StatusCode::OK, &seen.document(Some(shown.content.definition)));
    answers::set(response.headers_mut(), ETAG, &format!("\"{}\"", seen.stored.version));
    Ok(response)
}

/// Read a version of a template
///
/// Published versions never change.
#[utoipa::path(
    get,
    path = "/api/v1/templates/{id}/versions/{version}",
    operation_id = "readTemplateVersion",
    tag = "templates",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2Ftemplate%2Fproduct"),
        ("version" = u64, Path, description = "The version", minimum = 1, example = 1),
    ),
    responses(
        (status = 200, description = "The version", body = VersionDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn read_template_version(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let text = head.uri.path().rsplit('/').next().unwrap_or_default();
    let wanted = text.parse::<u64>().map_err(|_| {
        let detail = format!("{text:?} is no version: versions are 1, 2 …");
        Problem::new(&problem::BAD_REQUEST, detail)
    })?;
    let asker = app.asker(&head.headers).await?;
    let seen = super::seen(&app, &head.uri, asker).await?;
    let stored = version(&app, &seen, wanted).await?;
    let document = VersionDocument {
        identifier: seen.head().identifier.clone(),
        version: wanted,
        published: stored.content.published,
        created: timestamp(stored.created_ms),
        modified: timestamp(stored.modified_ms),
        definition: stored.content.definition,
    };
    Ok(answers::json(StatusCode::OK, &document))
}

/// Read the JSON Schema of a template
///
/// JSON Schema (2020-12) of the attributes of records that follow the template.
#[utoipa::path(
    get,
    path = "/api/v1/templates/{id}/schema",
    operation_id = "readTemplateSchema",
    tag = "templates",
    params(
        ("id" = String, Path, description = "The identifier as one segment: its slashes as %2F",
         example = "88.118.8%2Ftemplate%2Fproduct"),
        VersionQuery,
    ),
    responses(
        (status = 200, description = "The schema", body = serde_json::Value),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn read_template_schema(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: VersionQuery = body::query(&head.uri)?;
    let asker = app.asker(&head.headers).await?;
    let seen = super::seen(&app, &head.uri, asker).await?;
    let wanted = query.version.unwrap_or_else(|| seen.shown());
    let stored = version(&app, &seen, wanted).await?;
    let definition = canonical_json(&stored.content.definition);
    let template = Template::from_json(definition.as_bytes()).map_err(|_| {
        Problem::new(&problem::INTERNAL, "the template is broken: run `nameplate check`")
    })?;
    let id = format!("urn:nameplate:template:{}:{wanted}", segment(seen.head()));
    Ok(answers::json(StatusCode::OK, &template.json_schema(&id)))
}

/// A version that the asker may see.
async fn version(
    app: &App,
    seen: &Seen,
    version: u64,
) -> Result<StoredDocument<TemplateVersion>, Problem> {
    let (resolver, number) = (Arc::clone(&app.resolver), seen.head().number);
    let found = match seen.sees(version) {
        true => app.pool.run(move || resolver.template_version(number, version)).await??,
        false => None,
    };
    let identifier = &seen.head().identifier;
    let absent = || RegistryError::Absent(format!("template {identifier} version {version}"));
    Ok(found.ok_or_else(absent)?)
}

fn segment(head: &crate::template::TemplateHead) -> String {
    let identifier = Identifier::literal(&head.identifier);
    identifier.map_or_else(|_| String::new(), |identifier| identifier.path_segment())
}

/// Templates on a page when the client does not say.
const DEFAULT_LIMIT: usize = 100;

/// Most templates on a page.
const MAX_LIMIT: usize = 1_000;
