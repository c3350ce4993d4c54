//! `POST /api/v1/batches`: many changes to records in one request.
//!
//! Without `atomic` every item stands for itself, as if it had been sent alone; with it all of them
//! are one change. Outcomes come in the order of the items.

pub(super) mod items;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use ring::digest::{SHA256, digest};

use super::conditions::{self, Fingerprint};
use super::problem::{Problem, ProblemDocument};
use super::{App, answers, body};
use crate::access::Actor;
use crate::registry::{
    Command, Condition, IdempotencyKey, Receipt, RegistryError, Request as Change,
};
use body::Held;
use items::{BatchBody, BatchDocument, Items, Outcomes};

/// Change many records
///
/// Up to 10,000 items, each one of `put`, `patch`, `retire` and `mint`. With `atomic` all of them
/// are done in one change or nothing is, and a 422 names every fault of every item; items may then
/// refer to each other. Without it every item has its own outcome; items about one identifier are
/// done in their order, and one that needs another waits for it. With an `Idempotency-Key` a
/// repetition gets the first outcomes and does only what was not done.
#[utoipa::path(
    post,
    path = "/api/v1/batches",
    operation_id = "writeBatch",
    tag = "identifiers",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "As for PUT"),
        ("Nameplate-Reason" = Option<String>, Header, description = "As for PUT"),
    ),
    request_body(content = BatchBody),
    responses(
        (status = 200, description = "An outcome for each item", body = BatchDocument),
        (status = 413, description = "Too many bytes", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "All or nothing was asked for, and these faults stand against \
            it; or the idempotency key was used for another request", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn write_batch(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    body::expect_json(&head.headers, app.settings.batch_bytes)?;
    app.refuse_unless_writing()?;
    let actor = app.actor(&head.headers).await?;
    let body = body::read(&app, body, app.settings.batch_bytes).await?;
    let reason = conditions::reason(&head.headers)?;
    let fingerprint = Fingerprint {
        method: &head.method,
        subject: b"batches",
        condition: Condition::Always,
        reason: &reason,
        body: &body,
    };
    let idempotency = conditions::idempotency(&head.headers, &fingerprint)?;
    // What is made of the items takes more than their text does.
    let share = app.limits.share(body.len() as u64 * PARSED_PER_BYTE)?;
    let _turn = app.limits.chunk_turn().await;
    let batch = Batch { app: Arc::clone(&app), actor, reason, idempotency, body };
    let answer = app.pool.run(move || (batch.write(), share)).await?.0?;
    Ok(answers::json(StatusCode::OK, &answer))
}

/// A batch on its way to the registry.
struct Batch {
    app: Arc<App>,
    actor: Arc<Actor>,
    reason: String,
    idempotency: Option<IdempotencyKey>,
    body: Held,
}

impl Batch {
    /// Blocks until all of it is durable.
    fn write(&self) -> Result<BatchDocument, Problem> {
        let items = Items::parse(&self.body)?;
        if items.atomic { self.write_atomic(&items) } else { self.write_each(&items) }
    }

    fn write_atomic(&self, items: &Items<'_>) -> Result<BatchDocument, Problem> {
        let commands = items.commands(&self.app)?;
        let change = self.change(Command::Batch(commands), self.idempotency.clone());
        let now_ms = self.app.clock.now_ms();
        match self.app.registry.apply(&self.actor, &change, now_ms)? {
            Receipt::Batch(receipts) => {
                let mut outcomes = Outcomes::default();
                receipts.into_iter().for_each(|receipt| outcomes.add(Ok(receipt)));
                Ok(outcomes.into_document())
            }
            receipt => Err(super::app::wrong_receipt(&receipt)),
        }
    }

    /// Some items at a time, so that what is wrong with them takes little memory.
    fn write_each(&self, items: &Items<'_>) -> Result<BatchDocument, Problem> {
        let mut outcomes = Outcomes::default();
        let places: Vec<usize> = (0..items.len()).collect();
        for places in places.chunks(CHUNK_ITEMS) {
            let (mut requests, mut faults) = (Vec::new(), Vec::new());
            for &place in places {
                match items.command(place, &self.app) {
                    Ok(command) => {
                        requests.push(self.change(command, self.key_of(place)));
                        faults.push(None);
                    }
                    Err(problem) => faults.push(Some(problem)),
                }
            }
            let now_ms = self.app.clock.now_ms();
            let applied = self.app.registry.apply_all(&self.actor, &requests, now_ms);
            let mut applied = applied.into_iter();
            for fault in faults {
                let outcome = match fault {
                    Some(problem) => Err(problem),
                    None => match applied.next().unwrap_or(Err(RegistryError::Busy)) {
                        // The key is that of the whole request.
                        Err(error @ RegistryError::IdempotencyReuse(_)) => {
                            let problem = Problem::from(error);
                            let detail = "the idempotency key was used for a different request";
                            return Err(Problem::new(problem.kind(), detail));
                        }
                        outcome => outcome.map_err(Problem::from),
                    },
                };
                outcomes.add(outcome);
            }
        }
        Ok(outcomes.into_document())
    }

    fn change(&self, command: Command, idempotency: Option<IdempotencyKey>) -> Change {
        Change { command, reason: self.reason.clone(), idempotency }
    }

    /// The idempotency key of one item: it stands for the place within the whole request.
    fn key_of(&self, place: usize) -> Option<IdempotencyKey> {
        let IdempotencyKey { key, request_digest } = self.idempotency.as_ref()?;
        let digest = digest(&SHA256, key.as_bytes());
        let key = format!("{}#{place}", data_encoding::HEXLOWER.encode(digest.as_ref()));
        Some(IdempotencyKey { key, request_digest: *request_digest })
    }
}

/// Most items of a batch.
const MAX_ITEMS: usize = 10_000;

/// Items without `atomic` that are planned together.
const CHUNK_ITEMS: usize = 512;

/// Bytes that a batch takes in memory beside its body, for each byte of it.
const PARSED_PER_BYTE: u64 = 3;
