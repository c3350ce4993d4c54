//! `GET /api/v1/identifiers`: find records, page by page.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::LINK;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode, Uri};
use serde::{Deserialize, Serialize};

use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{App, answers, body};
use crate::identifier::{Identifier, Prefix};
use crate::record::{RecordDocument, Status};
use crate::registrant::RegistrantId;
use crate::resolver::{Condition, Period, Place, Query};

pub(in crate::http) use crate::resolver::weight;

/// What to find. Whatever is left out does not matter.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ListQuery {
    /// The prefix; prefixes below it are included. Left out: the whole node.
    #[param(example = "88.118.8")]
    prefix: Option<String>,
    /// Identifier of the template that the records were made by.
    template: Option<String>,
    /// Who holds the records; for tokens that may read them.
    registrant: Option<String>,
    /// Only records of this status.
    #[param(inline)]
    status: Option<Status>,
    /// Registered at this moment (RFC 3339) or later.
    #[param(format = DateTime, example = "2026-01-01T00:00:00Z")]
    created_from: Option<String>,
    /// Registered before this moment (RFC 3339).
    #[param(format = DateTime, example = "2031-01-01T00:00:00Z")]
    created_until: Option<String>,
    /// Last changed at this moment (RFC 3339) or later.
    #[param(format = DateTime, example = "2026-01-01T00:00:00Z")]
    modified_from: Option<String>,
    /// Last changed before this moment (RFC 3339).
    #[param(format = DateTime, example = "2031-01-01T00:00:00Z")]
    modified_until: Option<String>,
    /// `next` of the page before, with the same filters.
    after: Option<String>,
    /// Most records on the page, 1 to 1000. A page of large records may end earlier.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// A page of records.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Page)]
pub(in crate::http) struct PageDocument {
    /// The records.
    records: Vec<RecordDocument>,
    /// `after` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Find records
///
/// Records that fit all filters, retired ones included, each as the asker may see it; what the
/// asker may not see of a record does not help to find it. `where` compares an indexed attribute
/// of the template: `model:P-100` exactly, `rated_power_kw:5..10` from 5 up to but not 10,
/// `rated_power_kw:5..=10` with 10, `rated_power_kw:5..` without an end, `note:=a..b` literally what
/// stands behind the `=`; it needs `template` and `prefix` and may be repeated.
///
/// The order is the canonical one; with `where` it is, within each prefix, that of the first
/// condition's values; with times it is that of the changes. A node looks at a bounded number of
/// rows for one page: a page may hold fewer records than asked for, or none, and still have a
/// `next`. The `Link` header leads there. Times of changes that other changes overtook by more than
/// ten seconds, such as after a clock was set back, may be missed.
#[utoipa::path(
    get,
    path = "/api/v1/identifiers",
    operation_id = "listIdentifiers",
    tag = "identifiers",
    params(
        ListQuery,
        ("where" = Option<Vec<String>>, Query, description = "Condition on an indexed attribute",
         max_items = 8),
    ),
    responses(
        (status = 200, description = "A page", body = PageDocument,
         headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
        (status = 422, description = "The template is unknown, or an attribute is not indexed",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn list_identifiers(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let (conditions, rest) = body::repeated(&head.uri, "where")?;
    let query: ListQuery = body::query(&rest)?;
    let limit = super::page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let asker = app.asker(&head.headers).await?;
    let wanted = query.read(conditions)?;
    let text = wanted.text();
    let from = app.place(&text, query.after.as_deref(), Place::from_bytes)?;
    if let Some(prefix) = &wanted.prefix {
        app.refuse_unserved(prefix)?;
    }
    let (resolver, most_bytes) = (Arc::clone(&app.resolver), app.settings.answer_bytes);
    let collect = move || -> Result<_, Problem> {
        let find = resolver.prepare(wanted, &asker)?;
        Ok(resolver.find_page(&find, &asker, from.as_ref(), limit, most_bytes)?)
    };
    let found = app.pool.run(collect).await??;
    let next = found.next.map(|next| app.registry.cursors().seal(&text, &next.to_bytes()));
    let records = found.answers.iter().map(answers::document).collect();
    let page = PageDocument { records, next };
    let mut response = answers::json(StatusCode::OK, &page);
    if let Some(next) = &page.next {
        answers::set(response.headers_mut(), LINK, &link(&head.uri, next));
    }
    Ok(response)
}

impl ListQuery {
    fn read(&self, conditions: Vec<String>) -> Result<Query, Problem> {
        let refuse = |detail: String| Problem::new(&problem::BAD_REQUEST, detail);
        if conditions.len() > MAX_CONDITIONS {
            let count = conditions.len();
            return Err(refuse(format!("{count} conditions: send at most {MAX_CONDITIONS}")));
        }
        let conditions = conditions.iter().map(|text| Condition::parse(text));
        let registrant = self.registrant.as_deref().map(RegistrantId::parse).transpose();
        Ok(Query {
            prefix: self.prefix.as_deref().map(Prefix::parse).transpose()?,
            template: self.template.as_deref().map(Identifier::parse).transpose()?,
            registrant: registrant.map_err(|error| refuse(error.to_string()))?,
            status: self.status,
            created: Period {
                from_ms: body::moment("created_from", self.created_from.as_deref())?,
                until_ms: body::moment("created_until", self.created_until.as_deref())?,
            },
            modified: Period {
                from_ms: body::moment("modified_from", self.modified_from.as_deref())?,
                until_ms: body::moment("modified_until", self.modified_until.as_deref())?,
            },
            conditions: conditions
                .collect::<Result<_, _>>()
                .map_err(|error| refuse(error.to_string()))?,
        })
    }
}

/// The same question behind the page.
fn link(uri: &Uri, next: &str) -> String {
    let members = uri.query().unwrap_or_default().split('&');
    let kept = members.filter(|member| !member.is_empty() && !member.starts_with("after="));
    let next = format!("after={next}");
    let members: Vec<&str> = kept.chain([next.as_str()]).collect();
    format!("<{}?{}>; rel=\"next\"", uri.path(), members.join("&"))
}

/// Records on a page when the client does not say.
const DEFAULT_LIMIT: usize = 100;

/// Most records on a page.
const MAX_LIMIT: usize = 1_000;

/// Most conditions of one query.
const MAX_CONDITIONS: usize = 8;
