//! `/api/v1/accounts`: who may act on the node, as what and for whom.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};

use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body, conditions, path, sessions};
use crate::access::{Access, Account, Actor, Password, Proof, Refusal, Right, Role};
use crate::record::timestamp;
use crate::registrant::RegistrantId;
use crate::registry::{AccountCommand, Command, RegistryError, Request as Change};
use crate::store::{StoreError, StoredDocument};

/// An account to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccount, example = json!({
    "name": "zhang.wei",
    "role": "operator",
    "registrant": "acme-pumps",
    "password": "correct horse battery",
}))]
pub(super) struct NewAccountBody {
    /// Its name: 1 to 64 octets without control characters.
    #[schema(example = "zhang.wei", min_length = 1, max_length = 64)]
    name: String,
    /// What it is for.
    role: Role,
    /// Whom it acts for. Registrant administrators need one, platform administrators, reviewers
    /// and auditors have none; operators and applications without one work for the node itself.
    #[serde(default)]
    #[schema(example = "acme-pumps", pattern = "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
    registrant: Option<String>,
    /// Its password, 12 to 128 characters; left out for accounts that log in nowhere. Applications
    /// have none.
    #[serde(default)]
    #[schema(example = "correct horse battery", min_length = 12, max_length = 128)]
    password: Option<String>,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// A role to be given.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRole, example = json!({"role": "operator", "reason": "new duties"}))]
pub(super) struct NewRoleBody {
    /// What the account is to be for.
    role: Role,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// A password to be set.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPassword, example = json!({
    "password": "correct horse battery",
    "current": "battery horse correct",
}))]
pub(super) struct NewPasswordBody {
    /// The new password, 12 to 128 characters.
    #[schema(example = "correct horse battery", min_length = 12, max_length = 128)]
    password: String,
    /// The password before; needed for one's own account when it has one.
    #[serde(default)]
    #[schema(max_length = 128)]
    current: Option<String>,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// An account.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Account, example = json!({
    "name": "zhang.wei", "role": "operator", "registrant": "acme-pumps", "disabled": false,
    "has_password": true, "version": 1, "created": "2026-01-05T08:00:00.000Z",
    "modified": "2026-01-05T08:00:00.000Z"
}))]
pub(super) struct AccountDocument {
    /// Its name.
    #[schema(example = "zhang.wei")]
    name: String,
    /// What it is for.
    role: Role,
    /// Whom it acts for; left out for accounts of the node itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "acme-pumps")]
    registrant: Option<String>,
    /// Whether it may do nothing.
    disabled: bool,
    /// Whether it can log in.
    has_password: bool,
    /// 1 when made, one more with every change.
    #[schema(example = 1)]
    version: u64,
    /// When it was made (RFC 3339).
    created: String,
    /// When it was changed last (RFC 3339).
    modified: String,
}

/// A page of accounts, by name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Accounts)]
pub(super) struct AccountsDocument {
    /// The accounts.
    accounts: Vec<AccountDocument>,
    /// `after` of the next page; left out on the last. A page may be empty and not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AccountsQuery {
    /// Only accounts that act for this registrant.
    #[param(example = "acme-pumps")]
    registrant: Option<String>,
    /// Name behind which the page begins: `next` of the page before.
    #[param(example = "zhang.wei")]
    after: Option<String>,
    /// Most accounts on the page, 1 to 1000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// Make an account
///
/// Platform administrators make any account, registrant administrators those of their registrant.
#[utoipa::path(
    post,
    path = "/api/v1/accounts",
    operation_id = "createAccount",
    tag = "administration",
    request_body(content = NewAccountBody),
    responses(
        (status = 201, description = "Made", body = AccountDocument),
        (status = 409, description = "The name is taken", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken; `faults` names each",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn create_account(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, ACCOUNT_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    actor.authorise_right(Right::Accounts, actor.registrant())?;
    let body = body::read(&app, body, ACCOUNT_BYTES).await?;
    let body: NewAccountBody = body::parse(&body)?;
    let registrant = body.registrant.as_deref().map(RegistrantId::parse).transpose();
    let registrant =
        registrant.map_err(|error| Problem::new(&problem::BAD_REQUEST, error.to_string()))?;
    if !actor.keeps(body.role, registrant.as_ref()) {
        let subject = format!("accounts of the role {} there", body.role.as_str());
        return Err(Refusal { action: "make", subject }.into());
    }
    let password = match &body.password {
        Some(password) => Some(hash(&app, password, &body.name).await?),
        None => None,
    };
    let NewAccountBody { name, role, .. } = body;
    let command = AccountCommand::Create { name: name.clone(), role, registrant, password };
    change(&app, &actor, &head.headers, body.reason, command).await?;
    answer(&app, name, StatusCode::CREATED).await
}

/// List accounts
///
/// Those that the asker may see: all for the node's own roles, otherwise those of its registrant.
#[utoipa::path(
    get,
    path = "/api/v1/accounts",
    operation_id = "listAccounts",
    tag = "administration",
    params(AccountsQuery),
    responses(
        (status = 200, description = "A page", body = AccountsDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn list_accounts(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    actor.authorise_right(Right::Inspect, actor.registrant())?;
    let query: AccountsQuery = body::query(&head.uri)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST_LIMIT).contains(&limit) {
        let detail = format!("limit must be 1 to {MOST_LIMIT}");
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    let access = Arc::clone(&app.access);
    let page = app.pool.run(move || page(&access, &actor, &query, limit)).await??;
    Ok(answers::json(StatusCode::OK, &page))
}

/// Read an account
///
/// One's own, and those that the asker may inspect.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{name}",
    operation_id = "readAccount",
    tag = "administration",
    params(("name" = String, Path, description = "The account's name", example = "zhang.wei")),
    responses(
        (status = 200, description = "The account", body = AccountDocument),
        (status = 404, description = "No such account", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn read_account(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let name = name(&head)?;
    if name != actor.account() {
        actor.authorise_right(Right::Inspect, actor.registrant())?;
        let stored = find(&app, &name).await?;
        actor.authorise_right(Right::Inspect, stored.content.registrant.as_ref())?;
    }
    answer(&app, name, StatusCode::OK).await
}

/// Give an account another role
///
/// Nobody gives what is above them, and nobody changes their own role.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{name}/set-role",
    operation_id = "setRole",
    tag = "administration",
    params(("name" = String, Path, description = "The account's name", example = "zhang.wei")),
    request_body(content = NewRoleBody),
    responses(
        (status = 200, description = "The account as it is now", body = AccountDocument),
        (status = 409, description = "It is the last platform administrator",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn set_role(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, ACCOUNT_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    let name = kept(&app, &actor, &head).await?;
    let body = body::read(&app, body, ACCOUNT_BYTES).await?;
    let body: NewRoleBody = body::parse(&body)?;
    let command = AccountCommand::SetRole { name: name.clone(), role: body.role };
    change(&app, &actor, &head.headers, body.reason, command).await?;
    answer(&app, name, StatusCode::OK).await
}

/// Disable an account
///
/// Its tokens do nothing while it is disabled, its sessions end. Accounts are never deleted.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{name}/disable",
    operation_id = "disableAccount",
    tag = "administration",
    params(("name" = String, Path, description = "The account's name", example = "zhang.wei")),
    responses(
        (status = 200, description = "The account as it is now", body = AccountDocument),
        (status = 409, description = "It is the last platform administrator",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn disable_account(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    set_disabled(&app, &head, true).await
}

/// Enable an account
///
/// Its tokens count again; sessions that ended stay ended.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{name}/enable",
    operation_id = "enableAccount",
    tag = "administration",
    params(("name" = String, Path, description = "The account's name", example = "zhang.wei")),
    responses(
        (status = 200, description = "The account as it is now", body = AccountDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn enable_account(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    set_disabled(&app, &head, false).await
}

/// Set a password
///
/// One's own with the password before, or that of an account one keeps. Ends the account's
/// sessions.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{name}/set-password",
    operation_id = "setPassword",
    tag = "administration",
    params(("name" = String, Path, description = "The account's name", example = "zhang.wei")),
    request_body(content = NewPasswordBody),
    responses(
        (status = 200, description = "The account as it is now", body = AccountDocument),
        (status = 422, description = "The password is too short, too long or easily guessed",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn set_password(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, ACCOUNT_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    let is_own = name(&head)? == actor.account();
    let name = if is_own { name(&head)? } else { kept(&app, &actor, &head).await? };
    let body = body::read(&app, body, ACCOUNT_BYTES).await?;
    let body: NewPasswordBody = body::parse(&body)?;
    let proof = match body.current.filter(|_| is_own) {
        Some(current) => Some(prove(&app, &head, &name, current).await?),
        None => None,
    };
    if proof.is_none() {
        kept(&app, &actor, &head).await?;
    }
    let password = hash(&app, &body.password, &name).await?;
    let command = AccountCommand::SetPassword { name: name.clone(), password, proof };
    change(&app, &actor, &head.headers, body.reason, command).await?;
    answer(&app, name, StatusCode::OK).await
}

async fn set_disabled(
    app: &Arc<App>,
    head: &Parts,
    disabled: bool,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let name = name(head)?;
    let command = AccountCommand::SetDisabled { name: name.clone(), disabled };
    change(app, &actor, &head.headers, None, command).await?;
    answer(app, name, StatusCode::OK).await
}

/// Proves that the asker knows the account's password.
async fn prove(
    app: &Arc<App>,
    head: &Parts,
    name: &str,
    password: String,
) -> Result<Proof, Problem> {
    let attempt = sessions::attempt(app, head, name)?;
    let turn = app.rates().check_turn(attempt.is_known).await?;
    let (access, account) = (Arc::clone(&app.access), name.to_owned());
    let prove = move || access.prove(&account, &password, &SystemRandom::new());
    let proved = app.pool.run(prove).await??;
    drop(turn);
    let Some((_, proof)) = proved else {
        return Err(Problem::new(&problem::FORBIDDEN, "the password before is wrong"));
    };
    app.rates().succeed(&attempt, app.clock.now_ms());
    Ok(proof)
}

/// Hashes a new password in its turn.
async fn hash(app: &Arc<App>, password: &str, account: &str) -> Result<String, Problem> {
    let password = Password::new(password, account)?;
    let _turn = app.rates().check_turn(true).await?;
    Ok(app.pool.run(move || password.hash(&SystemRandom::new())).await??)
}

async fn change(
    app: &Arc<App>,
    actor: &Arc<Actor>,
    headers: &HeaderMap,
    reason: Option<String>,
    command: AccountCommand,
) -> Result<(), Problem> {
    let reason = conditions::reason_or(headers, reason)?;
    let change = Change { reason, ..Change::new(Command::Account(command)) };
    app.write(actor, change).await.map(drop)
}

/// The name in the path, decoded.
fn name(head: &Parts) -> Result<String, Problem> {
    path::text(&head.uri, "/api/v1/accounts/")
}

/// The name in the path, of an account that the actor keeps.
async fn kept(app: &App, actor: &Actor, head: &Parts) -> Result<String, Problem> {
    actor.authorise_right(Right::Accounts, actor.registrant())?;
    let name = name(head)?;
    let account = find(app, &name).await?.content;
    if !actor.keeps(account.role, account.registrant.as_ref()) {
        let subject = format!("account {name}");
        return Err(Refusal { action: "change", subject }.into());
    }
    Ok(name)
}

async fn find(app: &App, name: &str) -> Result<StoredDocument<Account>, Problem> {
    let (access, owned) = (Arc::clone(&app.access), name.to_owned());
    let found = app.pool.run(move || access.account(&owned)).await??;
    found.ok_or_else(|| RegistryError::Absent(format!("account {name}")).into())
}

async fn answer(app: &App, name: String, status: StatusCode) -> Result<Response<Body>, Problem> {
    let stored = find(app, &name).await?;
    Ok(answers::json(status, &AccountDocument::new(name, stored)))
}

/// Accounts behind `after` that the actor may see; looks at a bounded number.
fn page(
    access: &Access,
    actor: &Actor,
    query: &AccountsQuery,
    limit: usize,
) -> Result<AccountsDocument, StoreError> {
    let mut accounts = Vec::new();
    let (mut looked, mut next, mut last) = (0, None, None);
    access.visit_accounts(query.after.as_deref(), |name, stored| {
        if accounts.len() == limit || looked == MOST_LOOKED_AT {
            next = last.take();
            return ControlFlow::Break(());
        }
        looked += 1;
        last = Some(name.clone());
        let registrant = stored.content.registrant.as_ref();
        let asked = |wanted: &String| registrant.is_some_and(|own| own.as_str() == wanted);
        if query.registrant.as_ref().is_none_or(asked) && actor.has(Right::Inspect, registrant) {
            accounts.push(AccountDocument::new(name, stored));
        }
        ControlFlow::Continue(())
    })?;
    Ok(AccountsDocument { accounts, next })
}

impl AccountDocument {
    fn new(name: String, stored: StoredDocument<Account>) -> Self {
        let account = stored.content;
        Self {
            name,
            role: account.role,
            registrant: account.registrant.map(String::from),
            disabled: account.disabled,
            has_password: account.password.is_some(),
            version: stored.version,
            created: timestamp(stored.created_ms),
            modified: timestamp(stored.modified_ms),
        }
    }
}

/// Most bytes in the body that describes an account.
const ACCOUNT_BYTES: usize = 16 << 10;

/// Accounts on a page unless said otherwise.
const DEFAULT_LIMIT: usize = 100;

/// Most accounts on a page.
const MOST_LIMIT: usize = 1_000;

/// Most accounts that one request looks at.
const MOST_LOOKED_AT: usize = 10_000;
