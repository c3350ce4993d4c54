//! `/api/v1/registrants`: enterprises, from their application to their end.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::entries::{self, EntriesDocument, EntriesQuery, ReasonBody};
use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body, conditions};
use crate::codes::UnifiedCode;
use crate::record::timestamp;
use crate::registrant::{Contact, Profile, Registrant, RegistrantId, RegistrantState, Step};
use crate::registry::{Command, RegistrantCommand, Request as Change};
use crate::store::StoredDocument;

/// An application.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRegistrant, example = json!({
    "id": "acme",
    "name_zh": "西安泵业有限公司",
    "name_en": "Acme Pumps Ltd.",
    "unified_code": "91110108MA00NP019P",
    "industry": "C34",
    "region": "110108",
    "contacts": [{"name": "王工", "phone": "+86 10 5555 0100", "email": "ids@acme.example"}],
}))]
pub(super) struct NewRegistrantBody {
    /// The name it is to have on this node, in paths and grants; upper case is folded.
    #[schema(pattern = "^[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?$", example = "acme")]
    id: String,
    /// Legal name in Chinese.
    #[schema(min_length = 1, max_length = 200, example = "西安泵业有限公司")]
    name_zh: String,
    /// Legal name in English.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "Acme Pumps Ltd.")]
    name_en: Option<String>,
    /// Unified social credit code (GB 32100), unique on the node; none for foreign registrants.
    #[serde(default)]
    #[schema(example = "91110108MA00NP019P")]
    unified_code: Option<String>,
    /// Industry (GB/T 4754): section, division, group or class.
    #[serde(default)]
    #[schema(example = "C34")]
    industry: Option<String>,
    /// Region (GB/T 2260): two, four or six digits.
    #[serde(default)]
    #[schema(example = "110108")]
    region: Option<String>,
    /// People to turn to.
    #[serde(default, deserialize_with = "body::objects")]
    #[schema(max_items = 20)]
    contacts: Vec<Contact>,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// Changes to what a registrant says of itself; null removes a member.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegistrantPatch, example = json!({
    "industry": "C34",
    "name_en": null,
    "reason": "moved to pumps",
}))]
pub(super) struct RegistrantPatchBody {
    /// Legal name in Chinese; once reviewed, the node's staff change it.
    #[schema(min_length = 1, max_length = 200, example = "西安泵业有限公司")]
    #[expect(dead_code, reason = "read as JSON, so that null is told from nothing")]
    name_zh: Option<String>,
    /// Legal name in English.
    #[schema(min_length = 1, max_length = 200, example = "Acme Pumps Ltd.")]
    #[expect(dead_code, reason = "read as JSON, so that null is told from nothing")]
    name_en: Option<String>,
    /// Unified social credit code (GB 32100); once reviewed, the node's staff change it.
    #[schema(example = "91110108MA00NP019P")]
    #[expect(dead_code, reason = "read as JSON, so that null is told from nothing")]
    unified_code: Option<String>,
    /// Industry (GB/T 4754).
    #[schema(example = "C34")]
    #[expect(dead_code, reason = "read as JSON, so that null is told from nothing")]
    industry: Option<String>,
    /// Region (GB/T 2260).
    #[schema(example = "110108")]
    #[expect(dead_code, reason = "read as JSON, so that null is told from nothing")]
    region: Option<String>,
    /// People to turn to; all of them.
    #[schema(max_items = 20)]
    #[expect(dead_code, reason = "read as JSON, so that null is told from nothing")]
    contacts: Option<Vec<Contact>>,
    /// Why, for the history.
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// A registrant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Registrant, example = json!({
    "id": "acme", "state": "active", "name_zh": "西安泵业有限公司",
    "unified_code": "91110108MA00NP019P", "industry": "34", "region": "110108",
    "contacts": [{"name": "王工", "email": "ids@acme.example"}], "version": 3,
    "created": "2026-01-05T08:00:00.000Z", "modified": "2026-01-06T08:00:00.000Z",
    "ledger_index": 4711
}))]
pub(super) struct RegistrantDocument {
    /// Its name on this node.
    #[schema(example = "acme")]
    id: String,
    /// Where it stands in the node's review.
    state: RegistrantState,
    /// Why it stands there, in the words of whoever decided so last.
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
    /// Legal name in Chinese.
    name_zh: String,
    /// Legal name in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<String>,
    /// Unified social credit code (GB 32100).
    #[serde(skip_serializing_if = "Option::is_none")]
    unified_code: Option<String>,
    /// Industry (GB/T 4754).
    #[serde(skip_serializing_if = "Option::is_none")]
    industry: Option<String>,
    /// Region (GB/T 2260), six digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// People to turn to.
    contacts: Vec<Contact>,
    /// What is odd, for those who review it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// 1 when entered, one more with every change; the ETag.
    version: u64,
    /// When it was entered (RFC 3339).
    created: String,
    /// When this version was made (RFC 3339).
    modified: String,
    /// Position of this version in the node's ledger.
    ledger_index: u64,
}

/// A page of registrants, in order of their names.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Registrants)]
pub(super) struct RegistrantsDocument {
    /// The registrants.
    registrants: Vec<RegistrantDocument>,
    /// `after` of the next page; left out on the last. A page may be short and not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which registrants to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RegistrantsQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<RegistrantState>,
    /// `next` of the page before.
    #[param(example = "acme")]
    after: Option<String>,
    /// Most registrants on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// Apply as a registrant
///
/// Enters an enterprise; everything that is wrong with the application is named at once. For those
/// who run the node, and for the enterprise's own administrators.
#[utoipa::path(
    post,
    path = "/api/v1/registrants",
    operation_id = "createRegistrant",
    tag = "registrants",
    request_body(content = NewRegistrantBody),
    responses(
        (status = 201, description = "Applied", body = RegistrantDocument,
         headers(("Location" = String, description = "Its path"),
                 ("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn create_registrant(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, entries::BODY_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    let body: NewRegistrantBody = entries::read_body(&app, body).await?;
    let id = entries::registrant(&body.id)?;
    let reason = conditions::reason_or(&head.headers, body.reason)?;
    let profile = Profile {
        name_zh: body.name_zh,
        name_en: body.name_en,
        unified_code: body.unified_code,
        industry: body.industry,
        region: body.region,
        contacts: body.contacts,
    };
    let command = RegistrantCommand::Apply { id: id.clone(), profile };
    let change = Change { reason, ..Change::new(Command::Registrant(command)) };
    app.write(&actor, change).await?;
    show(&app, id, StatusCode::CREATED).await
}

/// List registrants
///
/// Those whom the asker may inspect: all of them for the node's staff, its own for an enterprise.
#[utoipa::path(
    get,
    path = "/api/v1/registrants",
    operation_id = "listRegistrants",
    tag = "registrants",
    params(RegistrantsQuery),
    responses(
        (status = 200, description = "A page", body = RegistrantsDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn list_registrants(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: RegistrantsQuery = body::query(&head.uri)?;
    let (default, most) = entries::PAGE;
    let limit = super::identifiers::page_limit(query.limit, default, most)?;
    let actor = app.actor(&head.headers).await?;
    let resolver = Arc::clone(&app.resolver);
    let read = move || {
        resolver.documents::<Registrant>(query.after.as_deref(), limit, |id, stored| {
            let wanted = query.state.is_none_or(|state| state == stored.content.state);
            let id = RegistrantId::parse(id).ok();
            wanted && entries::expect_inspector(&actor, id.as_ref()).is_ok() && id.is_some()
        })
    };
    let page = app.pool.run(read).await??;
    let items = page.items.into_iter();
    let registrants = items.map(|(id, stored)| RegistrantDocument::new(id, stored)).collect();
    Ok(answers::json(StatusCode::OK, &RegistrantsDocument { registrants, next: page.next }))
}

/// Read a registrant
///
/// What it says of itself, where it stands in the review and why.
#[utoipa::path(
    get,
    path = "/api/v1/registrants/{id}",
    operation_id = "readRegistrant",
    tag = "registrants",
    params(("id" = String, Path, description = "Its name", example = "acme")),
    responses(
        (status = 200, description = "The registrant", body = RegistrantDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn read_registrant(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let id = entries::registrant(&entries::named(&head.uri, PATH)?.0)?;
    entries::expect_inspector(&actor, Some(&id))?;
    show(&app, id, StatusCode::OK).await
}

/// Change a registrant's data
///
/// Members that are left out stay. For the registrant's own administrators and for those who run
/// the node, who alone change the legal name and the code of a registrant that was reviewed.
#[utoipa::path(
    patch,
    path = "/api/v1/registrants/{id}",
    operation_id = "updateRegistrant",
    tag = "registrants",
    params(
        ("id" = String, Path, description = "Its name", example = "acme"),
        ("If-Match" = Option<String>, Header, description = "Change only this version",
         example = "\"1\""),
    ),
    request_body(content = RegistrantPatchBody),
    responses(
        (status = 200, description = "Changed", body = RegistrantDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn update_registrant(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let condition = conditions::condition_of_change(&head.headers)?;
    body::expect_json(&head.headers, entries::BODY_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    let id = entries::registrant(&entries::named(&head.uri, PATH)?.0)?;
    let bytes = body::read(&app, body, entries::BODY_BYTES).await?;
    let checked: RegistrantPatchBody = body::parse(&bytes)?;
    let mut changes: Map<String, Json> = body::parse(&bytes)?;
    changes.remove("reason");
    let reason = conditions::reason_or(&head.headers, checked.reason)?;
    let command = RegistrantCommand::Update { id: id.clone(), changes, condition };
    let change = Change { reason, ..Change::new(Command::Registrant(command)) };
    app.write(&actor, change).await?;
    show(&app, id, StatusCode::OK).await
}

/// Take a step with a registrant
///
/// `review` opens an application, `approve` and `reject` end it, `suspend` and `resume` an active
/// registrant, `close` ends it for good. A rejected application goes back to its applicant. For the
/// node's staff.
#[utoipa::path(
    post,
    path = "/api/v1/registrants/{id}/{step}",
    operation_id = "stepRegistrant",
    tag = "registrants",
    params(
        ("id" = String, Path, description = "Its name", example = "acme"),
        ("step" = inline(Step), Path, description = "The step", example = "review"),
    ),
    request_body(content = Option<ReasonBody>),
    responses(
        (status = 200, description = "Done", body = RegistrantDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn step_registrant(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let actor = app.actor(&head.headers).await?;
    let (id, step) = entries::named(&head.uri, PATH)?;
    let id = entries::registrant(&id)?;
    let step = entries::step(&Step::ALL, Step::as_str, &step)?;
    let body: ReasonBody = entries::read_optional(&app, &head.headers, body).await?;
    let reason = conditions::reason_or(&head.headers, body.reason)?;
    let command = RegistrantCommand::Step { id: id.clone(), step };
    let change = Change { reason, ..Change::new(Command::Registrant(command)) };
    app.write(&actor, change).await?;
    show(&app, id, StatusCode::OK).await
}

/// Read a registrant's history
///
/// Every version with who made it, when and why, newest first, from the node's ledger.
#[utoipa::path(
    get,
    path = "/api/v1/registrants/{id}/history",
    operation_id = "readRegistrantHistory",
    tag = "registrants",
    params(("id" = String, Path, description = "Its name", example = "acme"), EntriesQuery),
    responses(
        (status = 200, description = "Versions", body = EntriesDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn read_registrant_history(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: EntriesQuery = body::query(&head.uri)?;
    let (limit, after) = query.check()?;
    let actor = app.actor(&head.headers).await?;
    let id = entries::registrant(&entries::named(&head.uri, PATH)?.0)?;
    entries::expect_inspector(&actor, Some(&id))?;
    let (resolver, wanted) = (Arc::clone(&app.resolver), id.clone());
    let read = move || resolver.past_documents::<Registrant>(wanted.as_str(), after, limit + 1);
    let versions = app.pool.run(read).await??;
    if versions.is_empty() {
        return Err(absent(&id));
    }
    Ok(answers::json(StatusCode::OK, &EntriesDocument::new(&versions, limit)))
}

/// The registrant as it is now.
async fn show(app: &App, id: RegistrantId, status: StatusCode) -> Result<Response<Body>, Problem> {
    let (resolver, wanted) = (Arc::clone(&app.resolver), id.clone());
    let read = move || resolver.document::<Registrant>(wanted.as_str());
    let stored = app.pool.run(read).await??.ok_or_else(|| absent(&id))?;
    let place = format!("{PATH}{id}");
    let place = (status == StatusCode::CREATED).then_some(place.as_str());
    let version = stored.version;
    let document = RegistrantDocument::new(id.into(), stored);
    Ok(entries::thing(status, version, place, &document))
}

fn absent(id: &RegistrantId) -> Problem {
    Problem::new(&problem::NOT_REGISTERED, format!("registrant {id} is not registered"))
}

impl RegistrantDocument {
    fn new(id: String, stored: StoredDocument<Registrant>) -> Self {
        let StoredDocument { position, version, created_ms, modified_ms, content } = stored;
        let code = content.unified_code.as_deref().map(UnifiedCode::parse);
        let warning = code.and_then(|code| code.ok()?.organisation_warning());
        Self {
            id,
            state: content.state,
            remark: content.remark,
            name_zh: content.name_zh,
            name_en: content.name_en,
            unified_code: content.unified_code,
            industry: content.industry,
            region: content.region,
            contacts: content.contacts,
            warnings: warning.map(|it| format!("unified_code: {it}")).into_iter().collect(),
            version,
            created: timestamp(created_ms),
            modified: timestamp(modified_ms),
            ledger_index: position.index,
        }
    }
}

/// Where registrants are.
const PATH: &str = "/api/v1/registrants/";
