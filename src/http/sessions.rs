//! `/api/v1/sessions`: from a password to a secret that lasts for a working day, and its end.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};

use super::problem::{self, Problem, ProblemDocument};
use super::{App, answers, body, peer};
use crate::access::{Attempt, Login, LoginError, PasswordError, Role};
use crate::record::timestamp;
use crate::registry::{AccountCommand, Command, Request as Change};

/// Who logs in.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSession, example = json!({
    "account": "zhang.wei",
    "password": "correct horse battery",
}))]
pub(super) struct NewSessionBody {
    /// The account's name.
    #[schema(example = "zhang.wei", min_length = 1, max_length = 64)]
    account: String,
    /// Its password.
    #[schema(example = "correct horse battery", min_length = 1, max_length = 128)]
    password: String,
}

/// A session that has begun.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Session, example = json!({
    "id": "9f86d081884c7d65", "account": "zhang.wei", "role": "operator",
    "secret": "nps_aX3Mo2VImUAHW5rlo5P6YDjlrdEVv2dbTx1f8l6OQxE",
    "expires": "2026-01-05T20:00:00.000Z", "idle_seconds": 1800
}))]
pub(super) struct SessionDocument {
    /// Public name of the session, also in the list of tokens: 16 hex digits.
    #[schema(example = "9f86d081884c7d65")]
    id: String,
    /// The secret, to be sent like a token; shown once.
    secret: String,
    /// The account.
    account: String,
    /// What the account is for.
    role: Role,
    /// Whom it acts for; left out for accounts of the node itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    registrant: Option<String>,
    /// When the session ends in any case (RFC 3339).
    expires: String,
    /// After how long without use it ends.
    #[schema(example = 1800)]
    idle_seconds: u64,
}

/// Log in
///
/// Begins a session. Its secret is sent like a token and does what the account's role allows; it
/// ends with its time, when it is not used, when the password changes and when the account is
/// disabled. A wrong password, an unknown account and a disabled one are answered alike, and
/// repeated attempts have to wait (429).
#[utoipa::path(
    post,
    path = "/api/v1/sessions",
    operation_id = "logIn",
    tag = "administration",
    request_body(content = NewSessionBody),
    responses(
        (status = 201, description = "Begun", body = SessionDocument),
        (status = 401, description = "Wrong account or password", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts; Retry-After says when to try again",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, SESSION_BYTES)?;
    let body = body::read(&app, body, SESSION_BYTES).await?;
    let NewSessionBody { account, password } = body::parse(&body)?;
    let attempt = attempt(&app, &head, &account)?;
    let login = check(&app, &attempt, account, password).await?.ok_or_else(|| {
        let detail = "account or password is wrong, or the account is disabled";
        Problem::new(&problem::UNAUTHENTICATED, detail)
    })?;
    let actor = Arc::new(login.actor);
    app.rates().charge_session(actor.account(), app.clock.now_ms())?;
    let begin = AccountCommand::BeginSession(login.proof);
    app.write(&actor, Change::new(Command::Account(begin))).await?;
    let (_, token) = actor.token();
    tracing::info!(account = actor.account(), session = token.id, "logged in");
    let document = SessionDocument {
        id: token.id.clone(),
        secret: login.secret,
        account: actor.account().to_owned(),
        role: actor.role(),
        registrant: actor.registrant().map(ToString::to_string),
        expires: timestamp(token.expires_ms.unwrap_or_default()),
        idle_seconds: app.settings.session_times.idle_ms / 1_000,
    };
    Ok(answers::json(StatusCode::CREATED, &document))
}

/// Log out
///
/// Ends the session whose secret is sent.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/current",
    operation_id = "logOut",
    tag = "administration",
    responses(
        (status = 204, description = "Ended"),
        (status = 409, description = "The secret is a token's", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    app.write(&actor, Change::new(Command::Account(AccountCommand::EndSession))).await?;
    tracing::info!(account = actor.account(), session = actor.token().1.id, "logged out");
    Ok(answers::nothing())
}

/// Counts an attempt at the account's password from the request's address.
pub(super) fn attempt(app: &App, head: &Parts, account: &str) -> Result<Attempt, Problem> {
    let address = peer::address(&head.extensions, &head.headers, &app.settings.proxies);
    app.rates().attempt(account, address, app.clock.now_ms())
}

/// Checks a password in its turn; none when it is wrong.
async fn check(
    app: &Arc<App>,
    attempt: &Attempt,
    account: String,
    password: String,
) -> Result<Option<Login>, Problem> {
    let turn = app.rates().check_turn(attempt.is_known).await?;
    let (access, now_ms) = (Arc::clone(&app.access), app.clock.now_ms());
    let times = app.settings.session_times;
    let log_in = move || access.log_in(&account, &password, times, &SystemRandom::new(), now_ms);
    let login = app.pool.run(log_in).await??;
    drop(turn);
    if login.is_some() {
        app.rates().succeed(attempt, now_ms);
    }
    let outcome = if login.is_some() { "begun" } else { "refused" };
    metrics::counter!("nameplate_http_logins_total", "outcome" => outcome).increment(1);
    Ok(login)
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Store(error) => error.into(),
            LoginError::Password(error) => error.into(),
        }
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        let kind = match error {
            PasswordError::Machine => &problem::INTERNAL,
            _ => &problem::FAULTY,
        };
        let fault = crate::template::Fault::new("password", "password", "", error);
        Problem::new(kind, error.to_string()).with_faults(vec![fault])
    }
}

/// Most bytes in the body that logs in.
const SESSION_BYTES: usize = 4 << 10;
