//! What the handlers work with, and the two ways from them into the core.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::HeaderMap;

use super::problem::{self, Problem};
use super::rates::Rates;
use super::{Limits, Settings, credentials};
use crate::access::{Access, Actor, Asker};
use crate::clock::Clock;
use crate::codec::Corrupt;
use crate::identifier::{Identifier, Prefix};
use crate::jobs::Jobs;
use crate::pool::Pool;
use crate::record::{DraftError, DraftValue};
use crate::registry::{
    AccountCommand, Command, Plan, Receipt, Registry, RegistryError, Request, Verdict,
};
use crate::resolver::{Answer, BadCursor, Lookup, Outcome, Protocol, Resolver, Subject};
use crate::store::{StoreError, StoredRecord};

/// A node's parts as HTTP sees them.
pub struct App {
    /// The read side.
    pub resolver: Arc<Resolver>,
    /// The write side.
    pub registry: Arc<Registry>,
    /// Imports and exports.
    pub jobs: Arc<Jobs>,
    /// Who is asking.
    pub access: Arc<Access>,
    /// Where work that blocks is done.
    pub pool: Pool,
    /// The time.
    pub clock: Clock,
    /// The text of `/metrics`.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Writes a backup of the running node.
    pub backup: Arc<BackUp>,
    /// What HTTP shows and checks of DNS.
    pub dns: DnsForms,
    /// Whether the node is shutting down.
    pub draining: Arc<AtomicBool>,
    /// Limits and times.
    pub settings: Settings,
    /// What requests share, made from the settings.
    pub limits: Limits,
}

/// Writes a backup for an actor. Blocks; errors of the writer end it early.
pub type BackUp = dyn Fn(&Actor, &mut dyn Write) -> Result<(), RegistryError> + Send + Sync;

/// What HTTP shows and checks of DNS. The node hands it in: edges do not use each other.
pub struct DnsForms {
    /// The identifier's name in DNS.
    pub name: Box<dyn Fn(&Identifier) -> String + Send + Sync>,
    /// Checks the data of a value of type `DNS/<TYPE>`: type and data in, what is wrong out.
    pub check: Box<CheckDnsData>,
}

/// Checks type and data of a DNS record; what is wrong comes back.
pub type CheckDnsData = dyn Fn(&str, &[u8]) -> Result<(), String> + Send + Sync;

impl App {
    /// The outcome for `identifier`, from memory or on the pool.
    pub(super) async fn resolve(
        &self,
        identifier: &Identifier,
        asker: &Asker,
    ) -> Result<Outcome, Problem> {
        let (subject, protocol) = (Subject::Identifier(identifier.key()), Protocol::Http);
        let lookup = Lookup { subject, asker, protocol };
        if let Some(outcome) = self.resolver.resolve_hot(&lookup) {
            return Ok(outcome);
        }
        let (resolver, key, asker) =
            (Arc::clone(&self.resolver), identifier.key().clone(), asker.clone());
        let resolve = move || {
            let subject = Subject::Identifier(&key);
            resolver.resolve(&Lookup { subject, asker: &asker, protocol })
        };
        Ok(self.pool.run(resolve).await??)
    }

    /// Who asks: everybody without a token, 401 with one that is not valid.
    pub(super) async fn asker(&self, headers: &HeaderMap) -> Result<Asker, Problem> {
        match credentials::secret(headers)? {
            None => Ok(Asker::Public),
            Some(secret) => Ok(Asker::Actor(self.authenticate(secret).await?)),
        }
    }

    /// Who acts; 401 without a valid token.
    pub(super) async fn actor(&self, headers: &HeaderMap) -> Result<Arc<Actor>, Problem> {
        let secret = credentials::secret(headers)?.ok_or_else(|| {
            Problem::new(&problem::UNAUTHENTICATED, "send a token: Authorization: Bearer npt_…")
        })?;
        self.authenticate(secret).await
    }

    async fn authenticate(&self, secret: String) -> Result<Arc<Actor>, Problem> {
        let (access, now_ms) = (Arc::clone(&self.access), self.clock.now_ms());
        let actor = match access.authenticate_hot(&secret, now_ms) {
            Some(actor) => Some(actor),
            None => self.pool.run(move || access.authenticate(&secret, now_ms)).await??,
        };
        let actor = actor.map(Arc::new).ok_or_else(|| {
            metrics::counter!("nameplate_http_bad_tokens_total").increment(1);
            let detail = "this token is unknown, expired or revoked: use another, or none to read";
            Problem::new(&problem::UNAUTHENTICATED, detail)
        })?;
        self.rates().charge(actor.account(), 1, now_ms)?;
        Ok(actor)
    }

    /// What has been asked of late.
    pub(super) fn rates(&self) -> &Rates {
        self.limits.rates()
    }

    /// Waits until the actor may do `items` more, for work that comes in a stream.
    pub(super) async fn pace(&self, actor: &Actor, items: usize) {
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        while let Err(wait) = self.rates().take(actor.account(), items, self.clock.now_ms()) {
            tokio::time::sleep(wait.min(LONGEST_PACE)).await;
        }
    }

    /// Makes a change and waits until it is durable. Plans again when another change came first.
    ///
    /// The change goes on when the client hangs up meanwhile.
    pub(super) async fn write(
        &self,
        actor: &Arc<Actor>,
        request: Request,
    ) -> Result<Receipt, Problem> {
        self.refuse_when_stopped()?;
        let request = Arc::new(request);
        let begins = matches!(request.command, Command::Account(AccountCommand::BeginSession(_)));
        for attempt in 0..WRITE_ATTEMPTS {
            let (registry, actor) = (Arc::clone(&self.registry), Arc::clone(actor));
            let (planned, now_ms) = (Arc::clone(&request), self.clock.now_ms());
            // The conflict may have been over the actor's own rows.
            let plan = move || match attempt > 0 && !begins {
                true => registry.plan(&registry.renew(&actor, now_ms)?, &planned, now_ms),
                false => registry.plan(&actor, &planned, now_ms),
            };
            let change = match self.pool.run(plan).await?? {
                Plan::Done(receipt) => return Ok(receipt),
                Plan::Change(change) => *change,
            };
            let (send, receive) = tokio::sync::oneshot::channel();
            let done = move |verdicts: Vec<Verdict>| drop(send.send(verdicts.into_iter().next()));
            self.registry.submit(vec![change], Box::new(done))?;
            match receive.await {
                Ok(Some(Verdict::Committed(receipts))) => {
                    if let Some(receipt) = request.receipt(receipts) {
                        return Ok(receipt);
                    }
                    return Err(Problem::new(&problem::INTERNAL, "the change has no receipt"));
                }
                Ok(Some(Verdict::Failed(error))) => return Err(error.into()),
                Ok(Some(Verdict::Conflict)) => {
                    metrics::counter!("nameplate_http_write_conflicts_total").increment(1);
                }
                // The writer ended without a verdict; nobody knows what it wrote.
                Ok(None) | Err(_) => {
                    let detail = "the writer has ended; read the record before you try again";
                    return Err(Problem::new(&problem::WRITES_STOPPED, detail));
                }
            }
        }
        let detail = format!("other changes came first, {WRITE_ATTEMPTS} times: try again");
        Err(Problem::new(&problem::BUSY, detail))
    }

    /// 404 for prefixes that neither are this node's nor lead to one that is.
    pub(super) fn refuse_unserved(&self, prefix: &Prefix) -> Result<(), Problem> {
        if self.resolver.zone_of(prefix).is_none() && !self.resolver.leads_to_zone(prefix) {
            let detail = format!("prefix {prefix} is not served by this node");
            return Err(Problem::new(&problem::NOT_RESPONSIBLE, detail));
        }
        Ok(())
    }

    /// The place that the cursor of a query names.
    pub(super) fn place<T>(
        &self,
        query: &str,
        cursor: Option<&str>,
        read: impl Fn(&[u8]) -> Result<T, Corrupt>,
    ) -> Result<Option<T>, Problem> {
        let Some(cursor) = cursor else { return Ok(None) };
        let place = self.registry.cursors().open(query, cursor);
        let place = place.and_then(|place| read(&place).map_err(|_| BadCursor));
        place.map(Some).map_err(|bad| Problem::new(&problem::BAD_REQUEST, bad.to_string()))
    }

    /// A record as the actor may see it.
    pub(super) async fn shown_to(
        &self,
        actor: Arc<Actor>,
        stored: Arc<StoredRecord>,
    ) -> Result<Answer, Problem> {
        let asker = Asker::Actor(actor);
        if let Some(kind) = self.resolver.view_without_grants(&stored.record, &asker) {
            return Ok(Answer { stored, kind });
        }
        let resolver = Arc::clone(&self.resolver);
        let view = move || {
            let kind = resolver.view(&stored.record, &asker)?;
            Ok::<_, StoreError>(Answer { stored, kind })
        };
        Ok(self.pool.run(view).await??)
    }

    /// 503 when writes have stopped.
    fn refuse_when_stopped(&self) -> Result<(), Problem> {
        self.registry.stopped().map_or(Ok(()), |reason| Err(StoreError::Stopped(reason).into()))
    }

    /// 503 when a stream of changes should not be begun: writes have stopped, or the node shuts
    /// down. Single changes that were sent before go on while it does.
    pub(super) fn refuse_unless_writing(&self) -> Result<(), Problem> {
        self.refuse_when_stopped()?;
        self.refuse_while_draining()
    }

    /// 503 while the node shuts down.
    pub(super) fn refuse_while_draining(&self) -> Result<(), Problem> {
        if self.is_draining() {
            let detail = "the node is shutting down: try again, or another node";
            return Err(Problem::new(&problem::DRAINING, detail));
        }
        Ok(())
    }

    /// Whether the node is shutting down.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl DnsForms {
    /// Checks the values that are DNS records.
    pub(super) fn check_values(&self, values: &[DraftValue]) -> Result<(), DraftError> {
        for (position, value) in values.iter().enumerate() {
            let head = value.kind.get(..4).unwrap_or_default();
            if head.eq_ignore_ascii_case("DNS/") {
                (self.check)(&value.kind[4..], &value.data)
                    .map_err(|reason| DraftError::Value { position, reason })?;
            }
        }
        Ok(())
    }
}

/// The registry answered a request with the receipt of another kind of request.
pub(super) fn wrong_receipt(receipt: &Receipt) -> Problem {
    tracing::error!(?receipt, "the registry gave a receipt of the wrong kind");
    Problem::new(&problem::INTERNAL, "the change was made, but its receipt is of the wrong kind")
}

/// How long work that is held back sleeps before it asks again.
const LONGEST_PACE: Duration = Duration::from_secs(1);

/// How often a change is planned before the client is told to try again.
const WRITE_ATTEMPTS: usize = 8;
