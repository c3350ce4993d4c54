//! `/api/v1/groups`: registrants that get grants together.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::grants::{DEFAULT_LIMIT, GRANT_BYTES, MAX_LIMIT, write};
use super::identifiers::page_limit;
use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body, conditions, path};
use crate::access::{Reach, Right};
use crate::record::timestamp;
use crate::registrant::{Group, GroupId, RegistrantId};
use crate::registry::{Command, GrantCommand};
use crate::store::StoredDocument;

/// A group to be made or changed.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewGroup, example = json!({"members": ["beta-motors", "gamma-service"]}))]
pub(super) struct GroupBody {
    /// Names of the members, in any order.
    #[schema(max_items = 1000, example = json!(["beta-motors", "gamma-service"]))]
    members: Vec<String>,
    /// Why, for the ledger; instead of the header `Nameplate-Reason`.
    #[serde(default)]
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// A group of registrants.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Group, example = json!({
    "id": "acme-pumps.service", "keeper": "acme-pumps", "members": ["beta-motors"],
    "version": 1, "created": "2026-01-05T08:00:00.000Z",
    "modified": "2026-01-05T08:00:00.000Z"
}))]
pub(super) struct GroupDocument {
    /// Its keeper's name, a dot and its own; its own alone for the node's.
    #[schema(example = "acme-pumps.service")]
    id: String,
    /// Who keeps it; left out for the node's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    keeper: Option<RegistrantId>,
    /// The members.
    #[schema(value_type = Vec<String>)]
    members: Vec<RegistrantId>,
    /// 1 when it was first made, one more with every change.
    version: u64,
    /// When it was first made (RFC 3339).
    created: String,
    /// When it was last changed (RFC 3339).
    modified: String,
}

/// A page of groups, in order of their names.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Groups)]
pub(super) struct GroupsDocument {
    /// The groups.
    groups: Vec<GroupDocument>,
    /// `after` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which groups to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GroupsQuery {
    /// Whose groups. Left out: those of the asker's registrant, or all for whoever inspects all.
    #[param(value_type = Option<String>, example = "acme-pumps")]
    keeper: Option<RegistrantId>,
    /// `next` of the page before.
    after: Option<String>,
    /// Most groups on the page, 1 to 1000. A page may end earlier.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// Make or change a group
///
/// Makes the group or replaces its members. Who is in it gets what is granted to it from the next
/// question on, who is not any more loses it.
#[utoipa::path(
    put,
    path = "/api/v1/groups/{id}",
    operation_id = "putGroup",
    tag = "grants",
    params(
        ("id" = String, Path, description = "Name of the group", example = "acme-pumps.service"),
        ("If-None-Match" = Option<String>, Header,
         description = "`*`: only when there is no such group", example = "*"),
        ("If-Match" = Option<String>, Header,
         description = "ETag of the version to replace, or `*` for any", example = "\"1\""),
        ("Nameplate-Reason" = Option<String>, Header, description = "As for identifiers"),
    ),
    request_body(content = GroupBody),
    responses(
        (status = 201, description = "Made", body = GroupDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = 200, description = "Changed, or already so", body = GroupDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = 412, description = "The condition does not hold", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken; every fault is named",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn put_group(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let id = id_of(&head)?;
    let condition = conditions::condition(&head.headers)?;
    body::expect_json(&head.headers, GRANT_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    actor.authorise_right(Right::Grants, id.keeper())?;
    let body = body::read(&app, body, GRANT_BYTES).await?;
    let GroupBody { members, reason } = body::parse(&body)?;
    let reason = conditions::reason_or(&head.headers, reason)?;
    let command = GrantCommand::KeepGroup { id: id.clone(), members, condition };
    let is_new = find(&app, &id).await?.is_none();
    write(&app, &actor, Command::Grant(command), reason).await?;
    // Somebody may have removed it since.
    let document = find(&app, &id).await?.ok_or_else(|| absent(&id))?;
    Ok(shown(&document, if is_new { StatusCode::CREATED } else { StatusCode::OK }))
}

/// Read a group
///
/// Its members, for those who may inspect its keeper.
#[utoipa::path(
    get,
    path = "/api/v1/groups/{id}",
    operation_id = "readGroup",
    tag = "grants",
    params(
        ("id" = String, Path, description = "Name of the group", example = "acme-pumps.service"),
    ),
    responses(
        (status = 200, description = "The group", body = GroupDocument,
         headers(("ETag" = String, description = "`\"<version>\"`"))),
        (status = 404, description = "There is no such group", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn read_group(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let id = id_of(&head)?;
    let actor = app.actor(&head.headers).await?;
    actor.authorise_right(Right::Inspect, id.keeper())?;
    let document = find(&app, &id).await?.ok_or_else(|| absent(&id))?;
    Ok(shown(&document, StatusCode::OK))
}

/// Remove a group
///
/// Only a group that no grant in force names: revoke those first. A group without members gives
/// nobody anything.
#[utoipa::path(
    delete,
    path = "/api/v1/groups/{id}",
    operation_id = "removeGroup",
    tag = "grants",
    params(
        ("id" = String, Path, description = "Name of the group", example = "acme-pumps.service"),
        ("If-Match" = Option<String>, Header,
         description = "ETag of the version to remove, or `*` for any", example = "\"1\""),
        ("Nameplate-Reason" = Option<String>, Header, description = "As for identifiers"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = 404, description = "There is no such group", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 409, description = "A grant names it", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 412, description = "The condition does not hold", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn remove_group(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let id = id_of(&head)?;
    let condition = conditions::condition_of_change(&head.headers)?;
    let actor = app.actor(&head.headers).await?;
    let reason = conditions::reason(&head.headers)?;
    let command = Command::Grant(GrantCommand::RemoveGroup { id, condition });
    write(&app, &actor, command, reason).await?;
    Ok(answers::nothing())
}

/// List groups
///
/// The groups of a registrant.
#[utoipa::path(
    get,
    path = "/api/v1/groups",
    operation_id = "listGroups",
    tag = "grants",
    params(GroupsQuery),
    responses(
        (status = 200, description = "A page", body = GroupsDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn list_groups(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let query: GroupsQuery = body::query(&head.uri)?;
    let limit = page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let keeper = query.keeper.or_else(|| actor.registrant().cloned());
    actor.authorise_right(Right::Inspect, keeper.as_ref())?;
    let everywhere = actor.role().reach(Right::Inspect) == Reach::Everywhere;
    let (resolver, after) = (Arc::clone(&app.resolver), query.after);
    let read = move || {
        let of_one = keeper.is_some() || !everywhere;
        resolver.groups(of_one.then_some(keeper.as_ref()), after.as_deref(), limit)
    };
    let page = app.pool.run(read).await??;
    let groups = page.documents.into_iter().filter_map(|(id, stored)| {
        GroupId::from_document_id(&id).map(|id| GroupDocument::from((id, stored)))
    });
    let document = GroupsDocument { groups: groups.collect(), next: page.next };
    Ok(answers::json(StatusCode::OK, &document))
}

async fn find(app: &App, id: &GroupId) -> Result<Option<GroupDocument>, Problem> {
    let (resolver, id) = (Arc::clone(&app.resolver), id.clone());
    let read = move || resolver.group(&id).map(|found| found.map(|stored| (id, stored)));
    Ok(app.pool.run(read).await??.map(GroupDocument::from))
}

fn absent(id: &GroupId) -> Problem {
    Problem::new(&problem::NOT_FOUND, format!("there is no group {id}"))
}

fn shown(document: &GroupDocument, status: StatusCode) -> Response<Body> {
    let mut response = answers::json(status, document);
    answers::set(response.headers_mut(), ETAG, &format!("\"{}\"", document.version));
    response
}

/// The group that the path names.
fn id_of(head: &Parts) -> Result<GroupId, Problem> {
    let segment = path::segment(&head.uri, "/api/v1/groups/");
    GroupId::parse(segment).map_err(|error| Problem::new(&problem::BAD_REQUEST, error.to_string()))
}

impl From<(GroupId, StoredDocument<Group>)> for GroupDocument {
    fn from((id, stored): (GroupId, StoredDocument<Group>)) -> Self {
        Self {
            id: id.to_string(),
            keeper: stored.content.keeper,
            members: stored.content.members,
            version: stored.version,
            created: timestamp(stored.created_ms),
            modified: timestamp(stored.modified_ms),
        }
    }
}
