//! `GET /api/v1/changes`: the changes of what somebody may see, as a page or as a stream.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Response, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};

use super::limits::Share;
use super::problem::{self, Problem, ProblemDocument};
use super::steps::{StepDocument, position_text, read_position};
use super::{App, accept, answers, body, credentials};
use crate::identifier::Prefix;
use crate::ledger::Position;
use crate::resolver::StepsPage;
use crate::store::StoreError;

/// Which changes to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChangesQuery {
    /// The position behind which to begin: `next` of the page before, or `latest` for what is
    /// still to come. Left out: the first.
    #[param(pattern = "^([0-9]+:[0-9]+|latest)$", example = "1:0")]
    after: Option<String>,
    /// Most changes on the page, 1 to 1000; pages only.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Only changes of records and prefixes under this prefix.
    #[param(example = "88.118.8")]
    prefix: Option<String>,
}

/// Changes in the order of the ledger.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Changes)]
pub(super) struct ChangesDocument {
    /// The changes.
    changes: Vec<StepDocument>,
    /// `after` of the next page, which may be empty for now; left out while there are no changes
    /// at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Whether more are there already: ask again at once.
    more: bool,
}

/// Follow changes
///
/// The changes of what the asker may see: of records that its token reads, and of prefixes,
/// registrants, templates, accounts and grants that its role inspects. With
/// `Accept: text/event-stream` they come as they are made (server-sent events): `id` is the
/// position, `data` a change; `Last-Event-ID` goes on behind the last one seen, and an event with
/// an `id` alone only says how far that is.
#[utoipa::path(
    get,
    path = "/api/v1/changes",
    operation_id = "followChanges",
    tag = "observation",
    params(
        ChangesQuery,
        ("Last-Event-ID" = Option<String>, Header,
         description = "Position behind which a stream goes on; stands above `after`"),
    ),
    responses(
        (status = 200, description = "Changes", content(
            (ChangesDocument = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn follow_changes(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: ChangesQuery = body::query(&head.uri)?;
    let media_type = accept::best(&head.headers, &["application/json", "text/event-stream"])?;
    let limit = super::identifiers::page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let prefix = query.prefix.as_deref().map(Prefix::parse).transpose()?;
    let last_seen =
        if media_type == "text/event-stream" { last_event(&head.headers)? } else { None };
    let after = last_seen.or(query.after);
    let wanted = after.as_deref().filter(|after| *after != "latest");
    let mut place = wanted.map(read_position).transpose()?;
    let actor = app.actor(&head.headers).await?;
    if after.as_deref() == Some("latest") {
        let resolver = Arc::clone(&app.resolver);
        place = app.pool.run(move || resolver.newest_entry()).await??;
    }
    if media_type == "text/event-stream" {
        app.refuse_while_draining()?;
        let share = app.limits.begin_stream()?;
        let secret = credentials::secret(&head.headers)?.unwrap_or_default();
        return Ok(stream(Follower::new(app, share, secret, prefix, place)));
    }
    let resolver = Arc::clone(&app.resolver);
    let read = move || resolver.changes(&actor, prefix.as_ref(), place, limit);
    let page = app.pool.run(read).await??;
    let document = ChangesDocument {
        next: page.last.or(place).map(position_text),
        more: page.more,
        changes: page.steps.into_iter().map(StepDocument::from).collect(),
    };
    Ok(answers::json(StatusCode::OK, &document))
}

fn last_event(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(field) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let text = field.to_str().map_err(|_| {
        Problem::new(&problem::BAD_REQUEST, "Last-Event-ID must be the id of an event")
    })?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn stream(follower: Follower) -> Response<Body> {
    let heartbeat = KeepAlive::new().interval(follower.app.settings.heartbeat);
    let events = unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    Sse::new(events).keep_alive(heartbeat).into_response()
}

/// Somebody who follows the changes as they are made.
struct Follower {
    app: Arc<App>,
    _share: Share,
    /// The token's secret: it is looked at again before each page, so that its end is the
    /// stream's.
    secret: String,
    prefix: Option<Prefix>,
    place: Option<Position>,
    events: VecDeque<Event>,
    /// The ledger's size when everything in it had been looked at.
    caught_up_at: Option<u64>,
}

impl Follower {
    fn new(
        app: Arc<App>,
        share: Share,
        secret: String,
        prefix: Option<Prefix>,
        place: Option<Position>,
    ) -> Self {
        let events = VecDeque::new();
        Self { app, _share: share, secret, prefix, place, events, caught_up_at: None }
    }

    /// The next event; none when the node shuts down, the token ends or the store fails.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.app.is_draining() {
                return None;
            }
            let size = self.app.registry.ledger_size();
            if self.caught_up_at == Some(size) {
                tokio::time::sleep(POLL_INTERVAL).await;
                continue;
            }
            let page = self.read().await?;
            self.caught_up_at = (!page.more).then_some(size);
            self.take(page);
        }
    }

    async fn read(&self) -> Option<StepsPage> {
        let (access, resolver) = (Arc::clone(&self.app.access), Arc::clone(&self.app.resolver));
        let (secret, prefix, place) = (self.secret.clone(), self.prefix.clone(), self.place);
        let now_ms = self.app.clock.now_ms();
        let read = move || -> Result<_, StoreError> {
            let Some(actor) = access.authenticate(&secret, now_ms)? else { return Ok(None) };
            resolver.changes(&actor, prefix.as_ref(), place, PAGE_CHANGES).map(Some)
        };
        match self.app.pool.run(read).await {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => {
                tracing::error!(%error, "a stream of changes ended");
                None
            }
            // The follower comes back with the last position it saw.
            Err(_) => None,
        }
    }

    fn take(&mut self, page: StepsPage) {
        let shown = page.steps.last().map(|step| step.position);
        for step in page.steps {
            let id = position_text(step.position);
            let data = serde_json::to_string(&StepDocument::from(step)).unwrap_or_default();
            self.events.push_back(Event::default().id(id).event("change").data(data));
        }
        if let Some(last) = page.last.filter(|_| page.last != shown) {
            self.events.push_back(Event::default().id(position_text(last)));
        }
        self.place = page.last.or(self.place);
    }
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How often a follower that has seen everything looks whether there is more.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Changes that a follower reads at once.
const PAGE_CHANGES: usize = 100;

/// Changes on a page when the client does not say.
const DEFAULT_LIMIT: usize = 100;

/// Most changes on a page.
const MAX_LIMIT: usize = 1_000;
