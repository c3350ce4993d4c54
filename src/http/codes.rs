//! `/api/v1/codes`: the regions and industries that registrants are described with.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body};
use crate::codes::{Industry, Region};

/// What to look for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CodesQuery {
    /// Beginning of a code, or words of a name or of the names above it, in Chinese or English.
    #[param(example = "北京", max_length = 100)]
    text: Option<String>,
    /// Most codes that are found.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
}

/// Regions, the likeliest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Regions)]
pub(super) struct RegionsDocument {
    /// The regions.
    regions: Vec<Region>,
}

/// Industries, the likeliest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Industries)]
pub(super) struct IndustriesDocument {
    /// The industries.
    industries: Vec<Industry>,
}

/// Find regions
///
/// Codes of GB/T 2260: provinces, cities, counties.
#[utoipa::path(
    get,
    path = "/api/v1/codes/regions",
    operation_id = "findRegions",
    tag = "codes",
    params(CodesQuery),
    responses(
        (status = 200, description = "What fits", body = RegionsDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(super) async fn find_regions(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let (text, limit) = wanted(&head)?;
    let tables = app.registry.codes().clone();
    let regions = app.pool.run(move || tables.find_regions(&text, limit)).await?;
    Ok(answers::json(StatusCode::OK, &RegionsDocument { regions }))
}

/// Find industries
///
/// Codes of GB/T 4754: sections, divisions, and the groups and classes that the node's table has.
#[utoipa::path(
    get,
    path = "/api/v1/codes/industries",
    operation_id = "findIndustries",
    tag = "codes",
    params(CodesQuery),
    responses(
        (status = 200, description = "What fits", body = IndustriesDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(super) async fn find_industries(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let (text, limit) = wanted(&head)?;
    let tables = app.registry.codes().clone();
    let industries = app.pool.run(move || tables.find_industries(&text, limit)).await?;
    Ok(answers::json(StatusCode::OK, &IndustriesDocument { industries }))
}

fn wanted(head: &Parts) -> Result<(String, usize), Problem> {
    let query: CodesQuery = body::query(&head.uri)?;
    let limit = super::identifiers::page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let text = query.text.unwrap_or_default();
    if text.chars().count() > MAX_TEXT {
        let detail = format!("text is too long: at most {MAX_TEXT} characters");
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    Ok((text, limit))
}

/// Most characters of what to look for.
const MAX_TEXT: usize = 100;

/// Codes when the client does not say.
const DEFAULT_LIMIT: usize = 20;

/// Most codes that are found at once.
const MAX_LIMIT: usize = 100;
