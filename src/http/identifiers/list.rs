//! `GET /api/v1/identifiers`: the records of a prefix, page by page.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::LINK;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::access::Asker;
use crate::http::answers;
use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{App, body};
use crate::identifier::{Identifier, Prefix};
use crate::record::{RecordDocument, Status, View};
use crate::resolver::Resolver;
use crate::store::{StoreError, StoredRecord};

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ListQuery {
    /// The prefix; prefixes below it are included. Left out: the whole node.
    #[param(example = "88.118.8")]
    prefix: Option<String>,
    /// Identifier behind which the page begins: `next` of the page before.
    #[param(example = "88.118.8/SN-001")]
    after: Option<String>,
    /// Most records on the page, 1 to 1000. A page of large records may end earlier.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Only records of this status.
    #[param(inline)]
    status: Option<Status>,
}

/// A page of records in canonical order.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Page)]
pub(in crate::http) struct PageDocument {
    /// The records.
    records: Vec<RecordDocument>,
    /// `after` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List a prefix
///
/// Records under a prefix and the prefixes below it, retired ones included, in canonical order.
/// Each is shown as the asker may see it. The `Link` header leads to the next page.
#[utoipa::path(
    get,
    path = "/api/v1/identifiers",
    operation_id = "listIdentifiers",
    tag = "identifiers",
    params(ListQuery),
    responses(
        (status = 200, description = "A page", body = PageDocument,
         headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(in crate::http) async fn list_identifiers(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: ListQuery = body::query(&head.uri)?;
    let limit = super::page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let prefix = query.prefix.as_deref().map(Prefix::parse).transpose()?;
    let after = query.after.as_deref().map(Identifier::parse).transpose()?;
    let asker = app.asker(&head.headers).await?;
    let resolver = Arc::clone(&app.resolver);
    let served =
        |prefix: &&Prefix| resolver.zone_of(prefix).is_some() || resolver.leads_to_zone(prefix);
    if let Some(prefix) = prefix.as_ref().filter(|prefix| !served(prefix)) {
        let detail = format!("prefix {prefix} is not served by this node");
        return Err(Problem::new(&problem::NOT_RESPONSIBLE, detail));
    }
    let listing = Listing { prefix, limit, status: query.status, bytes: app.settings.answer_bytes };
    let collect = move || {
        let page = listing.collect(&resolver, after, &asker);
        page.map(|page| (page, listing))
    };
    let (page, listing) = app.pool.run(collect).await??;
    let mut response = answers::json(StatusCode::OK, &page);
    if let Some(next) = &page.next {
        let link = listing.link(next);
        answers::set(response.headers_mut(), LINK, &link);
    }
    Ok(response)
}

struct Listing {
    prefix: Option<Prefix>,
    limit: usize,
    status: Option<Status>,
    bytes: usize,
}

impl Listing {
    /// Reads in small steps, so that a page of large records ends before it fills the memory.
    fn collect(
        &self,
        resolver: &Resolver,
        after: Option<Identifier>,
        asker: &Asker,
    ) -> Result<PageDocument, StoreError> {
        let mut page = PageDocument { records: Vec::new(), next: None };
        let (mut after, mut bytes) = (after, 0);
        loop {
            let step = STEP.min(self.limit - page.records.len());
            let key = after.as_ref().map(Identifier::key);
            let part = resolver.list(self.prefix.as_ref(), key, step, self.status, asker)?;
            after = part.records.last().map(|last| last.record.identifier.clone());
            for listed in &part.records {
                bytes += weight(listed);
                page.records.push(seen(resolver, listed, asker)?);
            }
            page.next = part.next;
            if page.next.is_none() || page.records.len() >= self.limit || bytes >= self.bytes {
                return Ok(page);
            }
        }
    }

    fn link(&self, next: &str) -> String {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let prefix =
            self.prefix.as_ref().map(|prefix| format!("prefix={}&", encode(prefix.as_str())));
        let status = self.status.map(|status| format!("&status={}", status.as_str()));
        format!(
            "</api/v1/identifiers?{}after={}&limit={}{}>; rel=\"next\"",
            prefix.unwrap_or_default(),
            encode(next),
            self.limit,
            status.unwrap_or_default(),
        )
    }
}

/// A record as this asker sees it.
fn seen(
    resolver: &Resolver,
    stored: &StoredRecord,
    asker: &Asker,
) -> Result<RecordDocument, StoreError> {
    let kind = &resolver.view(&stored.record, asker)?;
    Ok(RecordDocument::new(&View { record: &stored.record, kind }, stored.position.index))
}

/// Roughly the bytes of a record in an answer.
pub(in crate::http) fn weight(stored: &StoredRecord) -> usize {
    let values = stored.record.values.iter();
    256 + values.map(|value| 96 + value.kind.len() + value.data.len()).sum::<usize>()
}

/// Records read at once.
const STEP: usize = 64;

/// Records on a page when the client does not say.
const DEFAULT_LIMIT: usize = 100;

/// Most records on a page.
const MAX_LIMIT: usize = 1_000;
