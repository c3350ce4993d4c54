//! `GET /api/v1/backup`: a backup of the running node, as a stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::http::request::Parts;

use super::App;
use super::pipe::{self, Told};
use super::problem::{self, Problem, ProblemDocument};
use crate::access::Right;

/// Back up
///
/// A backup of the node as of now, for `nameplate restore`; keep it as safe as the node. An answer
/// that breaks off is not a backup. One at a time. For tokens that administer the whole node.
#[utoipa::path(
    get,
    path = "/api/v1/backup",
    operation_id = "backUp",
    tag = "administration",
    responses(
        (status = 200, description = "The backup", content_type = "application/octet-stream",
         body = String),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn back_up(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    actor.authorise_right(Right::Operate, None)?;
    let turn = Turn::take()?;
    let told =
        Told { thread: "backup", media_type: "application/octet-stream", file: "nameplate.backup" };
    let patience = app.settings.idle_timeout;
    pipe::answer(told, patience, move |pipe| {
        let _turn = turn;
        (app.backup)(&actor, pipe).map_err(Problem::from)
    })
    .await
}

/// The right to be the one backup under way.
struct Turn;

impl Turn {
    fn take() -> Result<Self, Problem> {
        if UNDER_WAY.swap(true, Ordering::AcqRel) {
            let detail = "another backup is under way: try again when it is done";
            return Err(Problem::new(&problem::BUSY, detail));
        }
        Ok(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        UNDER_WAY.store(false, Ordering::Release);
    }
}

static UNDER_WAY: AtomicBool = AtomicBool::new(false);
