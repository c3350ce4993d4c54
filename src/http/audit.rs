//! `GET /api/v1/audit`: who changed what, when and why; as a page or as a table.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::problem::{Problem, ProblemDocument};
use super::steps::{COLUMNS, StepDocument, StepKind, position_text, read_position};
use super::{App, accept, answers, body, streamed};
use crate::access::{Actor, Right};
use crate::codec::Corrupt;
use crate::identifier::Prefix;
use crate::ledger::Position;
use crate::resolver::{AuditQuery, AuditSubject, Period, Resolver};
use crate::tabular::{BYTE_ORDER_MARK, write_line, write_row};

/// What to look for. Whatever is left out does not matter.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditParameters {
    /// Account that made the change.
    #[param(example = "acme")]
    actor: Option<String>,
    /// What was done.
    #[param(inline)]
    kind: Option<StepKind>,
    /// An identifier, or `prefix/88.118.8`, `registrant/acme` and the like.
    #[param(example = "88.118.8/SN-001")]
    subject: Option<String>,
    /// Made at this moment (RFC 3339) or later.
    #[param(format = DateTime, example = "2026-01-01T00:00:00Z")]
    from: Option<String>,
    /// Made before this moment (RFC 3339).
    #[param(format = DateTime, example = "2031-01-01T00:00:00Z")]
    until: Option<String>,
    /// Prefix that the record or prefix lies under.
    #[param(example = "88.118.8")]
    prefix: Option<String>,
    /// Which come first.
    #[param(inline)]
    order: Option<Order>,
    /// `next` of the page before, with the same filters; pages only.
    after: Option<String>,
    /// Most entries on the page, 1 to 1000; pages only.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// Which entries come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    /// The newest, the default of pages.
    Newest,
    /// The oldest, the default of tables.
    Oldest,
}

/// A page of the audit.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Audit)]
pub(super) struct AuditDocument {
    /// The entries.
    entries: Vec<StepDocument>,
    /// `after` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Search the audit trail
///
/// Entries of the ledger with who made them, when and why, about what the asker may inspect:
/// everything for the node's auditors, its own for a registrant's accounts. A page may hold fewer
/// entries than asked for, or none, and still have a `next`. With `Accept: text/csv` or
/// `application/x-ndjson` all that fit come as one table, oldest first; cells that a spreadsheet
/// would run are made harmless with an apostrophe.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "searchAudit",
    tag = "observation",
    params(AuditParameters),
    responses(
        (status = 200, description = "Entries", content(
            (AuditDocument = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        )),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn search_audit(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let wanted: AuditParameters = body::query(&head.uri)?;
    let media_type = accept::best(&head.headers, &[JSON, NDJSON, CSV])?;
    let limit = super::identifiers::page_limit(wanted.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let query = wanted.read(media_type == JSON)?;
    let actor = app.actor(&head.headers).await?;
    // Whoever inspects anything inspects its own.
    actor.authorise_right(Right::Inspect, actor.registrant())?;
    if media_type != JSON {
        return export(app, actor, query, media_type);
    }
    let text = query.text();
    let after = app.place(&text, wanted.after.as_deref(), read_place)?;
    let resolver = Arc::clone(&app.resolver);
    let read = move || resolver.audit(&actor, &query, after, limit);
    let page = app.pool.run(read).await??;
    let next = page.last.filter(|_| page.more);
    let next = next.map(|next| app.registry.cursors().seal(&text, position_text(next).as_bytes()));
    let entries = page.steps.into_iter().map(StepDocument::from).collect();
    Ok(answers::json(StatusCode::OK, &AuditDocument { entries, next }))
}

impl AuditParameters {
    fn read(&self, as_page: bool) -> Result<AuditQuery, Problem> {
        let period = Period {
            from_ms: body::moment("from", self.from.as_deref())?,
            until_ms: body::moment("until", self.until.as_deref())?,
        };
        let default = if as_page { Order::Newest } else { Order::Oldest };
        Ok(AuditQuery {
            actor: self.actor.clone(),
            kind: self.kind.map(Into::into),
            subject: self.subject.as_deref().map(AuditSubject::parse).transpose()?,
            period,
            prefix: self.prefix.as_deref().map(Prefix::parse).transpose()?,
            newest_first: self.order.unwrap_or(default) == Order::Newest,
        })
    }
}

fn read_place(bytes: &[u8]) -> Result<Position, Corrupt> {
    let text = std::str::from_utf8(bytes).map_err(|_| Corrupt::Utf8("position"))?;
    read_position(text).map_err(|_| Corrupt::Range("position"))
}

fn export(
    app: Arc<App>,
    actor: Arc<Actor>,
    query: AuditQuery,
    media_type: &'static str,
) -> Result<Response<Body>, Problem> {
    let share = app.limits.begin_stream()?;
    let table = Table {
        resolver: Arc::clone(&app.resolver),
        actor,
        query,
        csv: media_type == CSV,
        after: None,
        begun: false,
        ended: false,
    };
    let (media_type, file) = match media_type {
        CSV => ("text/csv; charset=utf-8", "audit.csv"),
        _ => (NDJSON, "audit.ndjson"),
    };
    Ok(streamed::answer(app, share, media_type, file, table))
}

/// All entries of a query, a page at a time.
struct Table {
    resolver: Arc<Resolver>,
    actor: Arc<Actor>,
    query: AuditQuery,
    csv: bool,
    after: Option<Position>,
    begun: bool,
    ended: bool,
}

impl streamed::Produce for Table {
    fn produce(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        if self.ended {
            return Ok(None);
        }
        let mut out = Vec::new();
        if self.csv && !self.begun {
            out.extend_from_slice(BYTE_ORDER_MARK);
            write_row(&mut out, COLUMNS);
        }
        self.begun = true;
        let page = self.resolver.audit(&self.actor, &self.query, self.after, MAX_LIMIT)?;
        for step in page.steps {
            let document = StepDocument::from(step);
            if self.csv {
                write_row(&mut out, document.cells().iter().map(String::as_str));
            } else {
                // Writing to a vector cannot fail.
                let _ = write_line(&mut out, &document);
            }
        }
        self.after = page.last.or(self.after);
        self.ended = !page.more;
        Ok(Some(out))
    }
}

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";

/// Entries on a page when the client does not say.
const DEFAULT_LIMIT: usize = 100;

/// Most entries on a page.
const MAX_LIMIT: usize = 1_000;
