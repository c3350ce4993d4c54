//! `/api/v1/transfers`: prefixes and identifiers on their way to another registrant.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::entries::{self, ReasonBody};
use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body, conditions};
use crate::access::{Actor, Right};
use crate::identifier::{Identifier, Prefix};
use crate::record::timestamp;
use crate::registrant::{MAX_TRANSFERRED, Transfer, TransferState, TransferStep};
use crate::registry::{Command, Receipt, Request as Change, TransferCommand};
use crate::store::StoredDocument;

/// An offer of what the asker's registrant holds; the node's own things for its administrators.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTransfer, example = json!({
    "to": "zhang-pumps",
    "prefixes": ["88.118.8"],
    "identifiers": ["88.118.9/SN-001"],
    "reason": "sale of the pump business",
}))]
pub(super) struct NewTransferBody {
    /// Who is to take it.
    #[schema(example = "zhang-pumps")]
    to: String,
    /// Prefixes, with all that is below them.
    #[serde(default)]
    #[schema(max_items = 1000, example = json!(["88.118.8"]))]
    prefixes: Vec<String>,
    /// Single identifiers; with the prefixes at most 1000.
    #[serde(default)]
    #[schema(max_items = 1000, example = json!(["88.118.9/SN-001"]))]
    identifiers: Vec<String>,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 1024, example = "sale of the pump business")]
    reason: Option<String>,
}

/// A transfer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Transfer, example = json!({
    "id": "00000001", "state": "offered", "from": "acme", "to": "zhang-pumps",
    "prefixes": ["88.118.8"], "identifiers": [], "version": 1,
    "created": "2026-01-05T08:00:00.000Z", "modified": "2026-01-05T08:00:00.000Z",
    "ledger_index": 4711
}))]
pub(super) struct TransferDocument {
    /// Its number.
    #[schema(example = "00000001")]
    id: String,
    /// Where it stands.
    state: TransferState,
    /// Who gives; left out for the node itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// Who takes.
    to: String,
    /// Prefixes.
    prefixes: Vec<String>,
    /// Single identifiers.
    identifiers: Vec<String>,
    /// 1 when offered, 2 when decided; the ETag.
    version: u64,
    /// When it was offered (RFC 3339).
    created: String,
    /// When this version was made (RFC 3339).
    modified: String,
    /// Position of this version in the node's ledger.
    ledger_index: u64,
}

/// A page of transfers, oldest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Transfers)]
pub(super) struct TransfersDocument {
    /// The transfers.
    transfers: Vec<TransferDocument>,
    /// `after` of the next page; left out on the last. A page may be short and not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which transfers to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TransfersQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<TransferState>,
    /// `next` of the page before.
    #[param(example = "00000001")]
    after: Option<String>,
    /// Most transfers on the page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
}

/// Offer a transfer
///
/// Offers prefixes and identifiers to another registrant. Nothing changes hands until the other
/// side accepts. Everything that is not the giver's to give is named at once.
#[utoipa::path(
    post,
    path = "/api/v1/transfers",
    operation_id = "createTransfer",
    tag = "transfers",
    request_body(content = NewTransferBody),
    responses(
        (status = 201, description = "Offered", body = TransferDocument,
         headers(("Location" = String, description = "Its path"),
                 ("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn create_transfer(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, entries::BODY_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    actor.authorise_right(Right::Transfers, actor.registrant())?;
    let body: NewTransferBody = entries::read_body(&app, body).await?;
    if body.prefixes.len() + body.identifiers.len() > MAX_TRANSFERRED {
        let detail = format!("offer at most {MAX_TRANSFERRED} prefixes and identifiers at once");
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    let to = entries::registrant(&body.to)?;
    let prefixes = body.prefixes.iter().map(|text| Prefix::parse(text));
    let prefixes = prefixes.collect::<Result<Vec<_>, _>>()?;
    let identifiers = body.identifiers.iter().map(|text| Identifier::parse(text));
    let identifiers = identifiers.collect::<Result<Vec<_>, _>>()?;
    let reason = conditions::reason_or(&head.headers, body.reason)?;
    let command = TransferCommand::Offer { to, prefixes, identifiers };
    let change = Change { reason, ..Change::new(Command::Transfer(command)) };
    match app.write(&actor, change).await? {
        Receipt::Document { id, .. } => {
            let stored = find(&app, &id).await?.ok_or_else(|| absent(&id))?;
            Ok(show(id, stored, StatusCode::CREATED))
        }
        receipt => Err(super::app::wrong_receipt(&receipt)),
    }
}

/// List transfers
///
/// Those that the asker may inspect one side of.
#[utoipa::path(
    get,
    path = "/api/v1/transfers",
    operation_id = "listTransfers",
    tag = "transfers",
    params(TransfersQuery),
    responses(
        (status = 200, description = "A page", body = TransfersDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn list_transfers(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: TransfersQuery = body::query(&head.uri)?;
    let limit = super::identifiers::page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let actor = app.actor(&head.headers).await?;
    let resolver = Arc::clone(&app.resolver);
    let read = move || {
        resolver.documents::<Transfer>(query.after.as_deref(), limit, |_, stored| {
            query.state.is_none_or(|state| state == stored.content.state)
                && may_see(&actor, &stored.content)
        })
    };
    let page = app.pool.run(read).await??;
    let items = page.items.into_iter();
    let transfers = items.map(|(id, stored)| TransferDocument::new(id, stored)).collect();
    Ok(answers::json(StatusCode::OK, &TransfersDocument { transfers, next: page.next }))
}

/// Read a transfer
///
/// What is offered by whom to whom, and whether it was accepted.
#[utoipa::path(
    get,
    path = "/api/v1/transfers/{id}",
    operation_id = "readTransfer",
    tag = "transfers",
    params(("id" = String, Path, description = "Its number", example = "00000001")),
    responses(
        (status = 200, description = "The transfer", body = TransferDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn read_transfer(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let (id, _) = entries::named(&head.uri, PATH)?;
    entries::expect_inspector(&actor, actor.registrant())?;
    let stored = find(&app, &id).await?.ok_or_else(|| absent(&id))?;
    if !may_see(&actor, &stored.content) {
        entries::expect_inspector(&actor, stored.content.from.as_ref())?;
    }
    Ok(show(id, stored, StatusCode::OK))
}

/// Decide on a transfer
///
/// The taker accepts or declines, the giver cancels. Acceptance hands everything over at once, or
/// nothing when something is not as it was offered. Nobody decides for another.
#[utoipa::path(
    post,
    path = "/api/v1/transfers/{id}/{step}",
    operation_id = "stepTransfer",
    tag = "transfers",
    params(
        ("id" = String, Path, description = "Its number", example = "00000001"),
        ("step" = inline(TransferStep), Path, description = "The step", example = "accept"),
    ),
    request_body(content = Option<ReasonBody>),
    responses(
        (status = 200, description = "Done", body = TransferDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn step_transfer(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let actor = app.actor(&head.headers).await?;
    let (id, step) = entries::named(&head.uri, PATH)?;
    let step = entries::step(&TransferStep::ALL, TransferStep::as_str, &step)?;
    let body: ReasonBody = entries::read_optional(&app, &head.headers, body).await?;
    let reason = conditions::reason_or(&head.headers, body.reason)?;
    let command = TransferCommand::Step { id: id.clone(), step };
    let change = Change { reason, ..Change::new(Command::Transfer(command)) };
    app.write(&actor, change).await?;
    let stored = find(&app, &id).await?.ok_or_else(|| absent(&id))?;
    Ok(show(id, stored, StatusCode::OK))
}

/// Whether somebody may inspect one side of a transfer.
fn may_see(actor: &Actor, transfer: &Transfer) -> bool {
    actor.has(Right::Inspect, transfer.from.as_ref())
        || actor.has(Right::Inspect, Some(&transfer.to))
}

async fn find(app: &App, id: &str) -> Result<Option<StoredDocument<Transfer>>, Problem> {
    let (resolver, id) = (Arc::clone(&app.resolver), id.to_owned());
    Ok(app.pool.run(move || resolver.document::<Transfer>(&id)).await??)
}

fn show(id: String, stored: StoredDocument<Transfer>, status: StatusCode) -> Response<Body> {
    let place = format!("{PATH}{id}");
    let place = (status == StatusCode::CREATED).then_some(place.as_str());
    let version = stored.version;
    entries::thing(status, version, place, &TransferDocument::new(id, stored))
}

fn absent(id: &str) -> Problem {
    Problem::new(&problem::NOT_REGISTERED, format!("there is no transfer {id}"))
}

impl TransferDocument {
    fn new(id: String, stored: StoredDocument<Transfer>) -> Self {
        let StoredDocument { position, version, created_ms, modified_ms, content } = stored;
        Self {
            id,
            state: content.state,
            from: content.from.map(String::from),
            to: content.to.into(),
            prefixes: content.prefixes,
            identifiers: content.identifiers,
            version,
            created: timestamp(created_ms),
            modified: timestamp(modified_ms),
            ledger_index: position.index,
        }
    }
}

/// Where transfers are.
const PATH: &str = "/api/v1/transfers/";

/// Transfers on a page when the client does not say.
const DEFAULT_LIMIT: usize = 20;

/// Most transfers on a page; each may name a thousand things.
const MAX_LIMIT: usize = 100;
