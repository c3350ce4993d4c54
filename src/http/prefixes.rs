//! `/api/v1/prefixes`: applications for prefixes, their review, and their life.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::entries::{self, EntriesDocument, EntriesQuery};
use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body, conditions};
use crate::identifier::Prefix;
use crate::record::timestamp;
use crate::registrant::{AllocationState, Quota, RegistrantId, Step, Terms};
use crate::registry::{Application, Command, PrefixCommand, Receipt, Request as Change, Wish};
use crate::resolver::Resolver;
use crate::store::{StoreError, StoredPrefix};

/// An application. Either `prefix` is wished for, or the next free number below `parent`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPrefix, example = json!({
    "prefix": "88.118.017101",
    "registrant": "acme",
    "quota": {"identifiers": 100_000},
    "valid_until": "2031-01-01T00:00:00Z",
}))]
pub(super) struct NewPrefixBody {
    /// The prefix wished for. Labels are text: zeros in front stay.
    #[serde(default)]
    #[schema(max_length = 64, example = "88.118.017101")]
    prefix: Option<String>,
    /// Prefix below which the next free number is wanted.
    #[serde(default)]
    #[schema(max_length = 64, example = "88.118")]
    parent: Option<String>,
    /// For whom; the asker's own registrant when left out, else the node itself.
    #[serde(default)]
    #[schema(example = "acme")]
    registrant: Option<String>,
    /// Bounds of its use.
    #[serde(default, deserialize_with = "body::object")]
    quota: QuotaBody,
    /// When it begins to count (RFC 3339).
    #[serde(default)]
    #[schema(format = DateTime, example = "2026-01-01T00:00:00Z")]
    valid_from: Option<String>,
    /// When it ends (RFC 3339).
    #[serde(default)]
    #[schema(format = DateTime, example = "2031-01-01T00:00:00Z")]
    valid_until: Option<String>,
    /// Whether records stop resolving while the prefix is suspended.
    #[serde(default)]
    hidden_when_suspended: Option<bool>,
    /// Whether the holder may bring retired identifiers back.
    #[serde(default)]
    may_reinstate: Option<bool>,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// Changes to the terms of a prefix. What is left out stays; null removes a bound.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PrefixTerms, example = json!({
    "quota": {"identifiers": 100_000, "writes_per_second": null},
    "valid_until": "2031-01-01T00:00:00Z",
    "reason": "documents are complete",
}))]
pub(super) struct TermsBody {
    /// Bounds of its use.
    #[serde(deserialize_with = "body::object")]
    quota: QuotaBody,
    /// When it begins to count (RFC 3339).
    #[serde(deserialize_with = "entries::given")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-01-01T00:00:00Z")]
    valid_from: Option<Option<String>>,
    /// When it ends (RFC 3339).
    #[serde(deserialize_with = "entries::given")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2031-01-01T00:00:00Z")]
    valid_until: Option<Option<String>>,
    /// Whether records stop resolving while the prefix is suspended.
    hidden_when_suspended: Option<bool>,
    /// Whether the holder may bring retired identifiers back.
    may_reinstate: Option<bool>,
    /// Why, for the history and for those it is about; rejecting, suspending and closing need one.
    #[schema(max_length = 1024, example = "documents are complete")]
    reason: Option<String>,
}

/// Changes to bounds; null removes one.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = QuotaChange)]
struct QuotaBody {
    /// Most identifiers, retired ones included.
    #[serde(deserialize_with = "entries::given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, example = 100_000)]
    identifiers: Option<Option<u64>>,
    /// Most changes per second.
    #[serde(deserialize_with = "entries::given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1, example = 200)]
    writes_per_second: Option<Option<u32>>,
}

/// A prefix.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Prefix, example = json!({
    "prefix": "88.118.8", "state": "allocated", "registrant": "acme",
    "quota": {"identifiers": 100000, "writes_per_second": 200}, "identifiers": 4711,
    "valid_until": "2031-01-01T00:00:00Z", "hidden_when_suspended": false,
    "may_reinstate": false, "version": 3, "created": "2026-01-05T08:00:00.000Z",
    "modified": "2026-01-06T08:00:00.000Z", "ledger_index": 4711
}))]
pub(super) struct PrefixDocument {
    /// The prefix.
    #[schema(example = "88.118.8")]
    prefix: String,
    /// Where it stands.
    state: AllocationState,
    /// Why it stands there, in the words of whoever decided so last.
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
    /// Who holds it; left out for the node's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    registrant: Option<String>,
    /// Bounds of its use.
    quota: Quota,
    /// Identifiers that count under it, retired ones included.
    identifiers: u64,
    /// When it begins to count (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_from: Option<String>,
    /// When it ends (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
    /// Whether records stop resolving while it is suspended.
    hidden_when_suspended: bool,
    /// Whether the holder may bring retired identifiers back.
    may_reinstate: bool,
    /// What its holder should know: that it ends soon.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// 1 when applied for, one more with every change; the ETag.
    version: u64,
    /// When it was first applied for (RFC 3339).
    created: String,
    /// When this version was made (RFC 3339).
    modified: String,
    /// Position of this version in the node's ledger.
    ledger_index: u64,
}

/// A page of prefixes, in order.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Prefixes)]
pub(super) struct PrefixesDocument {
    /// The prefixes.
    prefixes: Vec<PrefixDocument>,
    /// `after` of the next page; left out on the last. A page may be short and not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which prefixes to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PrefixesQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<AllocationState>,
    /// Only those of this registrant.
    #[param(example = "acme")]
    registrant: Option<String>,
    /// Only those in use that end within so many days, or have ended.
    #[param(minimum = 0, maximum = 36500, example = 30)]
    expiring_within_days: Option<u64>,
    /// `next` of the page before.
    #[param(example = "88.118.8")]
    after: Option<String>,
    /// Most prefixes on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// Apply for a prefix
///
/// A wished one, or the next free number below a prefix of this node. Rejected ones may be applied
/// for again; closed ones never. For registrants' administrators and those who run the node.
#[utoipa::path(
    post,
    path = "/api/v1/prefixes",
    operation_id = "createPrefix",
    tag = "prefixes",
    request_body(content = NewPrefixBody),
    responses(
        (status = 201, description = "Applied", body = PrefixDocument,
         headers(("Location" = String, description = "Its path"),
                 ("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn create_prefix(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, entries::BODY_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    let body: NewPrefixBody = entries::read_body(&app, body).await?;
    let registrant = match &body.registrant {
        Some(text) => Some(entries::registrant(text)?),
        None => actor.registrant().cloned(),
    };
    let (wish, terms) = (body.wish()?, body.terms()?);
    let reason = conditions::reason_or(&head.headers, body.reason)?;
    let command = PrefixCommand::Apply(Application { wish, registrant, terms });
    let change = Change { reason, ..Change::new(Command::Prefix(command)) };
    match app.write(&actor, change).await? {
        Receipt::Prefix { prefix } => show(&app, prefix, StatusCode::CREATED).await,
        receipt => Err(super::app::wrong_receipt(&receipt)),
    }
}

/// List prefixes
///
/// Those whom the asker may inspect: all of them for the node's staff, its own for an enterprise.
#[utoipa::path(
    get,
    path = "/api/v1/prefixes",
    operation_id = "listPrefixes",
    tag = "prefixes",
    params(PrefixesQuery),
    responses(
        (status = 200, description = "A page", body = PrefixesDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn list_prefixes(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: PrefixesQuery = body::query(&head.uri)?;
    let (default, most) = entries::PAGE;
    let limit = super::identifiers::page_limit(query.limit, default, most)?;
    let registrant = query.registrant.as_deref().map(entries::registrant).transpose()?;
    let after = query.after.as_deref().map(Prefix::parse).transpose()?;
    if let Some(days) = query.expiring_within_days.filter(|days| *days > MAX_DAYS) {
        let detail = format!("expiring_within_days is {days}: it must be 0 to {MAX_DAYS}");
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    let actor = app.actor(&head.headers).await?;
    let (resolver, now_ms) = (Arc::clone(&app.resolver), app.clock.now_ms());
    let read = move || {
        let page = resolver.allocations(after.as_ref(), limit, |_, stored| {
            let allocation = &stored.content;
            let days = query.expiring_within_days;
            query.state.is_none_or(|state| state == allocation.state)
                && registrant.as_ref().is_none_or(|of| allocation.registrant.as_ref() == Some(of))
                && days.is_none_or(|days| allocation.expires_within(days, now_ms))
                && entries::expect_inspector(&actor, allocation.registrant.as_ref()).is_ok()
        })?;
        let items = page.items.into_iter();
        let prefixes = items.map(|(text, stored)| document(&resolver, text, stored, now_ms));
        let prefixes = prefixes.collect::<Result<_, _>>()?;
        Ok::<_, StoreError>(PrefixesDocument { prefixes, next: page.next })
    };
    Ok(answers::json(StatusCode::OK, &app.pool.run(read).await??))
}

/// Read a prefix
///
/// Where it stands, who holds it, on what terms, and how many identifiers count under it.
#[utoipa::path(
    get,
    path = "/api/v1/prefixes/{prefix}",
    operation_id = "readPrefix",
    tag = "prefixes",
    params(("prefix" = String, Path, description = "The prefix", example = "88.118.8")),
    responses(
        (status = 200, description = "The prefix", body = PrefixDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn read_prefix(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let prefix = Prefix::parse(&entries::named(&head.uri, PATH)?.0)?;
    let holder = holder(&app, &prefix).await?;
    entries::expect_inspector(&actor, holder.as_ref())?;
    show(&app, prefix, StatusCode::OK).await
}

/// Change a prefix's terms
///
/// Quota, dates and policy. For the node's staff.
#[utoipa::path(
    patch,
    path = "/api/v1/prefixes/{prefix}",
    operation_id = "updatePrefix",
    tag = "prefixes",
    params(
        ("prefix" = String, Path, description = "The prefix", example = "88.118.8"),
        ("If-Match" = Option<String>, Header, description = "Change only this version",
         example = "\"3\""),
    ),
    request_body(content = TermsBody),
    responses(
        (status = 200, description = "Changed", body = PrefixDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn update_prefix(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let condition = conditions::condition_of_change(&head.headers)?;
    body::expect_json(&head.headers, entries::BODY_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    let prefix = Prefix::parse(&entries::named(&head.uri, PATH)?.0)?;
    let body: TermsBody = entries::read_body(&app, body).await?;
    let terms = body.terms()?;
    let reason = conditions::reason_or(&head.headers, body.reason)?;
    let command = PrefixCommand::Amend { prefix: prefix.clone(), terms, condition };
    let change = Change { reason, ..Change::new(Command::Prefix(command)) };
    app.write(&actor, change).await?;
    show(&app, prefix, StatusCode::OK).await
}

/// Take a step with a prefix
///
/// `review` opens an application, `approve` (perhaps on other terms) and `reject` end it, `suspend`
/// and `resume` a prefix in use, `close` ends it: what is registered below it answers with
/// tombstones. For the node's staff.
#[utoipa::path(
    post,
    path = "/api/v1/prefixes/{prefix}/{step}",
    operation_id = "stepPrefix",
    tag = "prefixes",
    params(
        ("prefix" = String, Path, description = "The prefix", example = "88.118.8"),
        ("step" = inline(Step), Path, description = "The step", example = "review"),
    ),
    request_body(content = Option<TermsBody>),
    responses(
        (status = 200, description = "Done", body = PrefixDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn step_prefix(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let actor = app.actor(&head.headers).await?;
    let (text, step) = entries::named(&head.uri, PATH)?;
    let prefix = Prefix::parse(&text)?;
    let step = entries::step(&Step::ALL, Step::as_str, &step)?;
    let body: TermsBody = entries::read_optional(&app, &head.headers, body).await?;
    let terms = body.terms()?;
    if step != Step::Approve && terms != Terms::default() {
        let detail = format!("{} changes no terms: PATCH the prefix", step.as_str());
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    let reason = conditions::reason_or(&head.headers, body.reason)?;
    let command = PrefixCommand::Step { prefix: prefix.clone(), step, terms };
    let change = Change { reason, ..Change::new(Command::Prefix(command)) };
    app.write(&actor, change).await?;
    show(&app, prefix, StatusCode::OK).await
}

/// Read a prefix's history
///
/// Every version with who made it, when and why, newest first, from the node's ledger.
#[utoipa::path(
    get,
    path = "/api/v1/prefixes/{prefix}/history",
    operation_id = "readPrefixHistory",
    tag = "prefixes",
    params(("prefix" = String, Path, description = "The prefix", example = "88.118.8"),
        EntriesQuery),
    responses(
        (status = 200, description = "Versions", body = EntriesDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn read_prefix_history(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: EntriesQuery = body::query(&head.uri)?;
    let (limit, after) = query.check()?;
    let actor = app.actor(&head.headers).await?;
    let prefix = Prefix::parse(&entries::named(&head.uri, PATH)?.0)?;
    let holder = holder(&app, &prefix).await?;
    entries::expect_inspector(&actor, holder.as_ref())?;
    let (resolver, wanted) = (Arc::clone(&app.resolver), prefix.clone());
    let read = move || resolver.past_allocations(&wanted, after, limit + 1);
    let versions = app.pool.run(read).await??;
    if versions.is_empty() {
        return Err(absent(&prefix));
    }
    Ok(answers::json(StatusCode::OK, &EntriesDocument::new(&versions, limit)))
}

/// Who holds a prefix; none for the node's own and for those that nobody applied for.
async fn holder(app: &App, prefix: &Prefix) -> Result<Option<RegistrantId>, Problem> {
    let (resolver, prefix) = (Arc::clone(&app.resolver), prefix.clone());
    let stored = app.pool.run(move || resolver.allocation(&prefix)).await??;
    Ok(stored.and_then(|stored| stored.content.registrant))
}

/// The prefix as it is now.
async fn show(app: &App, prefix: Prefix, status: StatusCode) -> Result<Response<Body>, Problem> {
    let (resolver, now_ms, wanted) =
        (Arc::clone(&app.resolver), app.clock.now_ms(), prefix.clone());
    let read = move || {
        let stored = resolver.allocation(&wanted)?;
        let shown = stored.map(|stored| document(&resolver, wanted.to_string(), stored, now_ms));
        shown.transpose()
    };
    let document = app.pool.run(read).await??.ok_or_else(|| absent(&prefix))?;
    let segment = percent_encoding::utf8_percent_encode(prefix.as_str(), SEGMENT);
    let place = format!("{PATH}{segment}");
    let place = (status == StatusCode::CREATED).then_some(place.as_str());
    Ok(entries::thing(status, document.version, place, &document))
}

fn absent(prefix: &Prefix) -> Problem {
    let detail = format!("nobody ever applied for prefix {prefix} on this node");
    Problem::new(&problem::NOT_REGISTERED, detail)
}

fn document(
    resolver: &Resolver,
    prefix: String,
    stored: StoredPrefix,
    now_ms: u64,
) -> Result<PrefixDocument, StoreError> {
    let identifiers = match Prefix::parse(&prefix) {
        Ok(prefix) => resolver.identifier_count(&prefix)?,
        Err(_) => 0,
    };
    let allocation = stored.content;
    Ok(PrefixDocument {
        prefix,
        state: allocation.state,
        warnings: allocation.warnings(now_ms),
        remark: allocation.remark,
        registrant: allocation.registrant.map(String::from),
        quota: allocation.quota,
        identifiers,
        valid_from: allocation.valid_from_ms.map(timestamp),
        valid_until: allocation.valid_until_ms.map(timestamp),
        hidden_when_suspended: allocation.hidden_when_suspended,
        may_reinstate: allocation.may_reinstate,
        version: stored.version,
        created: timestamp(stored.created_ms),
        modified: timestamp(stored.modified_ms),
        ledger_index: stored.position.index,
    })
}

impl NewPrefixBody {
    fn wish(&self) -> Result<Wish, Problem> {
        match (&self.prefix, &self.parent) {
            (Some(prefix), None) => Ok(Wish::Exactly(Prefix::parse(prefix)?)),
            (None, Some(parent)) => Ok(Wish::NextBelow(Prefix::parse(parent)?)),
            _ => {
                let detail = "name the prefix you wish for, or the parent of the next free number";
                Err(Problem::new(&problem::BAD_REQUEST, detail))
            }
        }
    }

    fn terms(&self) -> Result<Terms, Problem> {
        let terms = TermsBody {
            quota: self.quota,
            valid_from: self.valid_from.clone().map(Some),
            valid_until: self.valid_until.clone().map(Some),
            hidden_when_suspended: self.hidden_when_suspended,
            may_reinstate: self.may_reinstate,
            reason: None,
        };
        terms.terms()
    }
}

impl TermsBody {
    fn terms(&self) -> Result<Terms, Problem> {
        let moment = |member: &str, given: &Option<Option<String>>| {
            let given = given.as_ref();
            let read = |text: &Option<String>| {
                text.as_deref().map(|text| entries::moment(member, text)).transpose()
            };
            given.map(read).transpose()
        };
        Ok(Terms {
            identifiers: self.quota.identifiers,
            writes_per_second: self.quota.writes_per_second,
            valid_from_ms: moment("valid_from", &self.valid_from)?,
            valid_until_ms: moment("valid_until", &self.valid_until)?,
            hidden_when_suspended: self.hidden_when_suspended,
            may_reinstate: self.may_reinstate,
        })
    }
}

/// Where prefixes are.
const PATH: &str = "/api/v1/prefixes/";

/// What is encoded of a prefix in a path.
const SEGMENT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// Most days ahead that can be asked about.
const MAX_DAYS: u64 = 36_500;
