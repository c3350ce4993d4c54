//! `/api/v1/tokens`: make, list and revoke tokens.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body, conditions, path};
use crate::access::{
    Action, Actions, NewToken, Right, Token, TokenDigest, fresh_secret, name_fault,
};
use crate::identifier::Prefix;
use crate::record::timestamp;
use crate::registry::{Command, Receipt, Request as Change};
use crate::store::StoreError;

/// A token to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken, example = json!({
    "account": "acme",
    "actions": ["read", "register", "update", "retire"],
    "prefixes": ["88.118.8"],
    "expires": "2031-01-01T00:00:00Z",
}))]
pub(super) struct NewTokenBody {
    /// Account that will act through the token; 1 to 64 octets without control characters.
    #[schema(example = "acme")]
    account: String,
    /// What the token allows; left out for all that tokens of the account's role may.
    #[serde(default)]
    #[schema(example = json!(["read", "register", "update", "retire"]), min_items = 1)]
    actions: Option<Vec<Action>>,
    /// Prefixes under which it allows that; left out for everywhere.
    #[serde(default)]
    #[schema(example = json!(["88.118.8"]))]
    prefixes: Option<Vec<String>>,
    /// When it ends (RFC 3339); left out for never.
    #[serde(default)]
    #[schema(example = "2031-01-01T00:00:00Z")]
    expires: Option<String>,
}

/// A token.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Token, example = json!({
    "id": "9f86d081884c7d65", "account": "packing-line", "session": false,
    "actions": ["read", "register", "update"], "prefixes": ["88.118.8"],
    "created": "2026-01-05T08:00:00.000Z", "expires": "2031-01-01T00:00:00.000Z",
    "last_used": "2026-01-06T08:00:00.000Z", "revoked": false
}))]
pub(super) struct TokenDocument {
    /// Public name: 16 hex digits.
    #[schema(example = "9f86d081884c7d65")]
    id: String,
    /// The secret; shown once, when the token is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Account that acts through it.
    account: String,
    /// Whether it is a session, which began with a password and ends by itself.
    session: bool,
    /// What it allows.
    actions: Vec<Action>,
    /// Prefixes under which it allows that; left out for everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    prefixes: Option<Vec<String>>,
    /// When it was made (RFC 3339).
    created: String,
    /// When it ends (RFC 3339); left out for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// When it was last used (RFC 3339), to the minute when that was before the node's start; left
    /// out for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
    /// Whether it was revoked.
    revoked: bool,
}

/// Tokens.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Tokens)]
pub(super) struct TokensDocument {
    /// The tokens, revoked and expired ones included.
    tokens: Vec<TokenDocument>,
}

/// Make a token
///
/// The answer holds the secret, this once; the node keeps only its digest. For one's own account,
/// within what one's own token allows, and for accounts that one keeps; accounts that exist by the
/// names of their tokens only are the platform administrators'.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    operation_id = "createToken",
    tag = "administration",
    request_body(content = NewTokenBody),
    responses(
        (status = 201, description = "Made", body = TokenDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn create_token(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, TOKEN_BYTES)?;
    let actor = app.actor(&head.headers).await?;
    if !actor.keeps_own_tokens() {
        return Err(actor.authorise_right(Right::Accounts, None).err().map_or_else(
            || Problem::new(&problem::FORBIDDEN, "this token may not make tokens"),
            Problem::from,
        ));
    }
    let body = body::read(&app, body, TOKEN_BYTES).await?;
    let body: NewTokenBody = body::parse(&body)?;
    let (prefixes, expires_ms) = body.check()?;
    let actions = match &body.actions {
        Some(actions) => actions.iter().copied().collect(),
        None => role_actions(&app, &body.account).await?,
    };
    let secret = fresh_secret(&ring::rand::SystemRandom::new())
        .map_err(|_| Problem::new(&problem::INTERNAL, "the machine has no randomness"))?;
    let (account, id) = (body.account.clone(), TokenDigest::of(&secret).id());
    let token = NewToken { secret: secret.clone(), account, actions, prefixes, expires_ms };
    let made = TokenDocument {
        id,
        secret: Some(secret),
        account: body.account,
        session: false,
        actions: actions.iter().collect(),
        prefixes: body.prefixes,
        created: timestamp(app.clock.now_ms()),
        expires: expires_ms.map(timestamp),
        last_used: None,
        revoked: false,
    };
    let reason = conditions::reason(&head.headers)?;
    let change = Change { reason, ..Change::new(Command::CreateToken(token)) };
    app.write(&actor, change).await?;
    Ok(answers::json(StatusCode::CREATED, &made))
}

/// What tokens of the account may be for.
async fn role_actions(app: &App, account: &str) -> Result<Actions, Problem> {
    let (access, account) = (Arc::clone(&app.access), account.to_owned());
    let found = app.pool.run(move || access.account(&account)).await??;
    Ok(found.map_or_else(Actions::all, |stored| stored.content.role.actions()))
}

/// List tokens
///
/// Tokens and sessions without their secrets: those of one's own account and of accounts that one
/// keeps; all of them for the node's own roles.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    operation_id = "listTokens",
    tag = "administration",
    responses(
        (status = 200, description = "The tokens", body = TokensDocument),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn list_tokens(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    actor.authorise_right(Right::Inspect, actor.registrant())?;
    let access = Arc::clone(&app.access);
    let list = move || -> Result<Vec<TokenDocument>, StoreError> {
        let seen = access.list(&actor)?.into_iter();
        seen.map(|token| Ok(TokenDocument::new(access.last_use_ms(&token)?, token))).collect()
    };
    let tokens = app.pool.run(list).await??;
    Ok(answers::json(StatusCode::OK, &TokensDocument { tokens }))
}

/// Revoke a token
///
/// Ends the token or session at once; changes that it has under way are refused. For the token
/// itself, for those of one's own account, and for those of accounts that one keeps.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    operation_id = "revokeToken",
    tag = "administration",
    params(("id" = String, Path, description = "The token's public name",
        example = "9f86d081884c7d65")),
    responses(
        (status = 204, description = "Revoked"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn revoke_token(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    let id = path::segment(&head.uri, "/api/v1/tokens/").to_owned();
    let reason = conditions::reason(&head.headers)?;
    let change = Change { reason, ..Change::new(Command::RevokeToken { id }) };
    match app.write(&actor, change).await? {
        Receipt::Token { .. } => Ok(answers::nothing()),
        receipt => Err(super::app::wrong_receipt(&receipt)),
    }
}

impl NewTokenBody {
    fn check(&self) -> Result<(Option<Vec<Prefix>>, Option<u64>), Problem> {
        let refuse = |detail: &str| Problem::new(&problem::BAD_REQUEST, detail);
        if let Some(reason) = name_fault(&self.account) {
            return Err(refuse(reason));
        }
        if self.actions.as_ref().is_some_and(Vec::is_empty) {
            return Err(refuse("actions is empty: name what the token is to allow"));
        }
        let prefixes = self.prefixes.as_ref().map(|prefixes| {
            if prefixes.is_empty() || prefixes.len() > MAX_PREFIXES {
                return Err(refuse("prefixes must be 1 to 1000; leave it out for everywhere"));
            }
            Ok(prefixes.iter().map(|text| Prefix::parse(text)).collect::<Result<_, _>>()?)
        });
        let expires_ms = self.expires.as_deref().map(|text| {
            let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
            moment
                .and_then(|moment| u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok())
                .ok_or_else(|| refuse("expires must be RFC 3339, such as 2031-01-01T00:00:00Z"))
        });
        Ok((prefixes.transpose()?, expires_ms.transpose()?))
    }
}

impl TokenDocument {
    fn new(last_use_ms: Option<u64>, token: Token) -> Self {
        let prefixes = token.prefixes.as_deref();
        Self {
            id: token.id,
            secret: None,
            account: token.account,
            session: token.session.is_some(),
            actions: token.actions.iter().collect(),
            prefixes: prefixes.map(|all| all.iter().map(Prefix::to_string).collect()),
            created: timestamp(token.created_ms),
            expires: token.expires_ms.map(timestamp),
            last_used: last_use_ms.map(timestamp),
            revoked: token.revoked,
        }
    }
}

/// Most bytes in the body that describes a token.
const TOKEN_BYTES: usize = 64 << 10;

/// Most prefixes in the scope of a token.
const MAX_PREFIXES: usize = 1_000;
