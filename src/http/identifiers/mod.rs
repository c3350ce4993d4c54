//! `/api/v1/identifiers`: one file per verb.

pub(super) mod change;
pub(super) mod history;
pub(super) mod list;
pub(super) mod mint;
pub(super) mod put;
pub(super) mod read;
pub(super) mod references;
pub(super) mod restore;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};

use super::body;
use super::conditions::{self, Fingerprint};
use super::problem::{self, Problem};
use super::{App, path};
use crate::access::Actor;
use crate::identifier::Identifier;
use crate::registry::{Command, Condition, Receipt};
use crate::resolver::Answer;

/// A change to one identifier, with its body still unread.
struct Change {
    identifier: Identifier,
    condition: Condition,
    actor: Arc<Actor>,
    request: Request<Body>,
}

impl Change {
    /// Reads the head of a request, in the order in which faults are told: path, conditions,
    /// media type and length, token.
    async fn begin(app: &App, request: Request<Body>, has_body: bool) -> Result<Self, Problem> {
        let identifier = path::api(request.uri())?;
        let headers = request.headers();
        let condition = match *request.method() {
            Method::PUT => conditions::condition(headers)?,
            _ => conditions::condition_of_change(headers)?,
        };
        if has_body {
            body::expect_json(headers, app.settings.registration_bytes)?;
        }
        let actor = app.actor(headers).await?;
        Ok(Self { identifier, condition, actor, request })
    }

    /// Reads the body, makes the command of it, and makes the change durable. Returns the record
    /// as the actor may see it and whether it is new.
    async fn finish(
        self,
        app: &App,
        command: impl FnOnce(&[u8], Identifier, Condition) -> Result<Command, Problem>,
    ) -> Result<(Answer, bool), Problem> {
        let Self { identifier, condition, actor, request } = self;
        let (head, body) = request.into_parts();
        let body = body::read(app, body, app.settings.registration_bytes).await?;
        let reason = conditions::reason(&head.headers)?;
        let fingerprint = Fingerprint {
            method: &head.method,
            subject: identifier.key().as_bytes(),
            condition,
            reason: &reason,
            body: &body,
        };
        let idempotency = conditions::idempotency(&head.headers, &fingerprint)?;
        let command = command(&body, identifier, condition)?;
        let request = crate::registry::Request { command, reason, idempotency };
        match app.write(&actor, request).await? {
            Receipt::Record { stored, created, .. } => {
                Ok((app.shown_to(actor, stored).await?, created))
            }
            receipt => Err(super::app::wrong_receipt(&receipt)),
        }
    }
}

/// The wanted size of a page, or what it is without one.
pub(super) fn page_limit(
    wanted: Option<usize>,
    default: usize,
    most: usize,
) -> Result<usize, Problem> {
    match wanted {
        None => Ok(default),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(limit) => {
            let detail = format!("limit is {limit}: it must be 1 to {most}");
            Err(Problem::new(&problem::BAD_REQUEST, detail))
        }
    }
}
