//! `/api/v1/grants`: who may see and edit attributes that are not everybody's.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ETAG, LOCATION};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::identifiers::page_limit;
use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body, conditions, path};
use crate::access::{Actor, Reach, Right};
use crate::identifier::Identifier;
use crate::record::timestamp;
use crate::registrant::{
    Access, Grant, GrantSubject, Grantee, RegistrantId, granter_of, name_start,
};
use crate::registry::{Command, GrantCommand, Receipt, Request as Change};
use crate::store::StoredDocument;

/// A grant to be given.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewGrant)]
pub(super) struct GrantBody {
    /// Who gives it: the holder of the records. Left out: the asker's registrant.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "acme-pumps")]
    granter: Option<RegistrantId>,
    /// Which records it is about: those of a template, or one identifier, for which it replaces all
    /// that is granted by template.
    subject: GrantSubject,
    /// Who gets it.
    grantee: Grantee,
    /// Names of attributes; left out for all.
    #[serde(default)]
    #[schema(max_items = 500, example = json!(["rated_power_kw"]))]
    attributes: Vec<String>,
    /// What it allows; editing includes viewing and is not for everyone.
    access: Access,
    /// Why, for the ledger; instead of the header `Nameplate-Reason`.
    #[serde(default)]
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// A grant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Grant, example = json!({
    "id": "acme-pumps.i3e23e8160039594a33894f6564e1b1348bbd7a00.view.everyone",
    "granter": "acme-pumps", "subject": {"identifier": "88.118.8/SN-001"},
    "grantee": "everyone", "access": "view", "attributes": ["model"], "version": 1,
    "created": "2026-01-05T08:00:00.000Z", "modified": "2026-01-05T08:00:00.000Z"
}))]
pub(super) struct GrantDocument {
    /// Its name: granter, subject, access and grantee.
    #[schema(example = "acme-pumps.i3e23e8160039594a33894f6564e1b1348bbd7a00.view.everyone")]
    id: String,
    /// Who gives it; left out for the node's own records.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    granter: Option<RegistrantId>,
    /// Which records it is about.
    subject: GrantSubject,
    /// Who gets it.
    grantee: Grantee,
    /// Names of attributes; left out for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<String>,
    /// What it allows.
    access: Access,
    /// 1 when it was first given, one more with every change.
    version: u64,
    /// When it was first given (RFC 3339).
    created: String,
    /// When it was last changed (RFC 3339).
    modified: String,
}

/// A page of grants, in order of their names.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Grants)]
pub(super) struct GrantsDocument {
    /// The grants in force.
    grants: Vec<GrantDocument>,
    /// `after` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which grants to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GrantsQuery {
    /// Whose grants. Left out: those of the asker's registrant, or all for whoever inspects all.
    #[param(value_type = Option<String>, example = "acme-pumps")]
    granter: Option<RegistrantId>,
    /// Only grants on this template; with `granter`, or with that of the asker.
    #[param(example = "88.118.8/T-PUMP")]
    template: Option<String>,
    /// Only grants on this identifier itself; with `granter`, or with that of the asker.
    #[param(example = "88.118.8/SN-001")]
    identifier: Option<String>,
    /// `me`: grants to the asker's registrant and to groups it is in, whoever gives them.
    #[param(inline)]
    to: Option<Recipient>,
    /// `next` of the page before.
    after: Option<String>,
    /// Most grants on the page, 1 to 1000. A page may end earlier.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// Whose grants are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Recipient {
    /// The asker's.
    Me,
}

/// Give a grant
///
/// Lets a registrant, a group or everyone see or edit attributes that not everybody may read: of
/// all records of a template, or of one identifier, for which it replaces all that is granted by
/// template. The same grant given again replaces its attributes. It counts from the next question
/// on. The records are those that the granter holds.
#[utoipa::path(
    post,
    path = "/api/v1/grants",
    operation_id = "giveGrant",
    tag = "grants",
    request_body(content = GrantBody, example = json!({
        "subject": {"identifier": "88.118.8/SN-001"},
        "grantee": {"registrant": "beta-motors"},
        "attributes": ["rated_power_kw"],
        "access": "view",
    })),
    params(("Nameplate-Reason" = Option<String>, Header, description = "As for identifiers")),
    responses(
        (status = 201, description = "Given", body = GrantDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"),
                 ("Location" = String, description = "Path of the grant"))),
        (status = 200, description = "Changed, or already so", body = GrantDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = 422, description = "Rules are broken; every fault is named",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn give_grant(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, GRANT_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    actor.authorise_right(Right::Grants, actor.registrant())?;
    let body = body::read(&app, body, GRANT_BYTES).await?;
    let body: GrantBody = body::parse(&body)?;
    let reason = conditions::reason_or(&head.headers, body.reason)?;
    let grant = Grant {
        granter: body.granter.or_else(|| actor.registrant().cloned()),
        subject: canonical(body.subject),
        grantee: body.grantee,
        attributes: body.attributes,
        access: body.access,
        revoked: false,
    };
    let is_new = find(&app, grant.id()).await?.is_none();
    let command = Command::Grant(GrantCommand::Give(grant));
    let id = write(&app, &actor, command, reason).await?;
    // Somebody may have revoked it since.
    let document = find(&app, id.clone()).await?.ok_or_else(|| absent(&id))?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = shown(&document, status);
    if is_new {
        let location = format!("{GRANTS}{}", document.id);
        answers::set(response.headers_mut(), LOCATION, &location);
    }
    Ok(response)
}

/// List grants
///
/// The grants of a registrant that are in force, all or on one subject; or, with `to=me`, what is
/// granted to the asker's registrant.
#[utoipa::path(
    get,
    path = "/api/v1/grants",
    operation_id = "listGrants",
    tag = "grants",
    params(GrantsQuery),
    responses(
        (status = 200, description = "A page", body = GrantsDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn list_grants(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let query: GrantsQuery = body::query(&head.uri)?;
    let limit = page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let wanted = Wanted::of(&query, &actor)?;
    let (resolver, after) = (Arc::clone(&app.resolver), query.after);
    let read = move || match wanted {
        Wanted::From(start) => resolver.grants(&start, after.as_deref(), limit),
        Wanted::To(registrant) => resolver.granted_to(&registrant, after.as_deref(), limit),
    };
    let page = app.pool.run(read).await??;
    let grants = page.documents.into_iter().map(GrantDocument::from).collect();
    Ok(answers::json(StatusCode::OK, &GrantsDocument { grants, next: page.next }))
}

/// Read a grant
///
/// For the granter's side and for those who get it.
#[utoipa::path(
    get,
    path = "/api/v1/grants/{id}",
    operation_id = "readGrant",
    tag = "grants",
    params(("id" = String, Path, description = "Name of the grant",
        example = "acme-pumps.i3e23e8160039594a33894f6564e1b1348bbd7a00.view.everyone")),
    responses(
        (status = 200, description = "The grant", body = GrantDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = 404, description = "No such grant is in force", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn read_grant(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let id = path::segment(&head.uri, GRANTS).to_owned();
    let granter = granter_of(&id).ok_or_else(|| absent(&id))?;
    let refused = actor.authorise_right(Right::Inspect, granter.as_ref()).err();
    let (resolver, wanted, own) =
        (Arc::clone(&app.resolver), id.clone(), actor.registrant().cloned());
    let read = move || {
        let stored = resolver.grant(&wanted)?;
        let gets = match (&stored, &own) {
            (Some(stored), Some(own)) => resolver.is_grantee(&stored.content, own)?,
            _ => false,
        };
        Ok::<_, crate::store::StoreError>((stored, gets))
    };
    let (stored, gets) = app.pool.run(read).await??;
    if let Some(refusal) = refused.filter(|_| !gets) {
        return Err(refusal.into());
    }
    let stored = stored.ok_or_else(|| absent(&id))?;
    Ok(shown(&GrantDocument::from((id, stored)), StatusCode::OK))
}

/// Revoke a grant
///
/// Takes the grant back. Nobody sees by it from the next question on, and edits by it that are
/// under way are refused.
#[utoipa::path(
    delete,
    path = "/api/v1/grants/{id}",
    operation_id = "revokeGrant",
    tag = "grants",
    params(
        ("id" = String, Path, description = "Name of the grant",
         example = "acme-pumps.i3e23e8160039594a33894f6564e1b1348bbd7a00.view.everyone"),
        ("Nameplate-Reason" = Option<String>, Header, description = "As for identifiers"),
    ),
    responses(
        (status = 204, description = "Revoked, now or before"),
        (status = 404, description = "There never was such a grant", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn revoke_grant(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let id = path::segment(&head.uri, GRANTS).to_owned();
    let reason = conditions::reason(&head.headers)?;
    write(&app, &actor, Command::Grant(GrantCommand::Revoke { id }), reason).await?;
    Ok(answers::nothing())
}

/// What a list is to hold.
enum Wanted {
    /// Grants whose names begin so.
    From(String),
    /// Grants to a registrant.
    To(RegistrantId),
}

impl Wanted {
    fn of(query: &GrantsQuery, actor: &Actor) -> Result<Self, Problem> {
        let refuse = |detail: &str| Problem::new(&problem::BAD_REQUEST, detail);
        let subject = match (&query.template, &query.identifier) {
            (Some(_), Some(_)) => {
                return Err(refuse("ask for a template or an identifier, not both"));
            }
            (Some(text), None) => Some(canonical(GrantSubject::Template(text.clone()))),
            (None, Some(text)) => Some(canonical(GrantSubject::Identifier(text.clone()))),
            (None, None) => None,
        };
        if query.to.is_some() {
            if query.granter.is_some() || subject.is_some() {
                return Err(refuse("to=me goes with no other filter"));
            }
            let own = actor.registrant().cloned().ok_or_else(|| {
                refuse("to=me is for accounts of registrants; this one is the node's")
            })?;
            actor.authorise_right(Right::Inspect, Some(&own))?;
            return Ok(Wanted::To(own));
        }
        let granter = query.granter.as_ref().or(actor.registrant());
        actor.authorise_right(Right::Inspect, granter)?;
        let everywhere = actor.role().reach(Right::Inspect) == Reach::Everywhere;
        Ok(Wanted::From(match (subject, granter) {
            (Some(subject), granter) => subject.start(granter),
            (None, None) if everywhere => String::new(),
            (None, granter) => name_start(granter),
        }))
    }
}

/// Makes a change to grants or groups; the name of what changed.
pub(super) async fn write(
    app: &App,
    actor: &Arc<Actor>,
    command: Command,
    reason: String,
) -> Result<String, Problem> {
    match app.write(actor, Change { command, reason, idempotency: None }).await? {
        Receipt::Document { id, .. } => Ok(id),
        receipt => Err(super::app::wrong_receipt(&receipt)),
    }
}

async fn find(app: &App, id: String) -> Result<Option<GrantDocument>, Problem> {
    let resolver = Arc::clone(&app.resolver);
    let read = move || resolver.grant(&id).map(|found| found.map(|stored| (id, stored)));
    Ok(app.pool.run(read).await??.map(GrantDocument::from))
}

fn absent(id: &str) -> Problem {
    Problem::new(&problem::NOT_FOUND, format!("no grant {id} is in force"))
}

fn shown(document: &GrantDocument, status: StatusCode) -> Response<Body> {
    let mut response = answers::json(status, document);
    answers::set(response.headers_mut(), ETAG, &format!("\"{}\"", document.version));
    response
}

/// The subject in canonical text; what is no identifier stays as it is and is refused, or found
/// nowhere.
fn canonical(subject: GrantSubject) -> GrantSubject {
    let fold = |text: String| {
        Identifier::parse(&text).map_or(text, |identifier| identifier.key().text().to_owned())
    };
    match subject {
        GrantSubject::Template(text) => GrantSubject::Template(fold(text)),
        GrantSubject::Identifier(text) => GrantSubject::Identifier(fold(text)),
    }
}

impl From<(String, StoredDocument<Grant>)> for GrantDocument {
    fn from((id, stored): (String, StoredDocument<Grant>)) -> Self {
        let Grant { granter, subject, grantee, attributes, access, revoked: _ } = stored.content;
        Self {
            id,
            granter,
            subject,
            grantee,
            attributes,
            access,
            version: stored.version,
            created: timestamp(stored.created_ms),
            modified: timestamp(stored.modified_ms),
        }
    }
}

/// Where the grants are.
const GRANTS: &str = "/api/v1/grants/";

/// Most bytes in the body that describes a grant or a group.
pub(super) const GRANT_BYTES: usize = 128 << 10;

/// Grants and groups on a page when the client does not say.
pub(super) const DEFAULT_LIMIT: usize = 100;

/// Most grants and groups on a page.
pub(super) const MAX_LIMIT: usize = 1_000;
