//! Planning, submitting and waiting in one go, for threads that may block.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::{Actor, Change, Plan, Receipt, Registry, RegistryError, Request, Verdict};

type Outcomes = Vec<Option<Result<Receipt, RegistryError>>>;

pub(super) fn apply_all(
    registry: &Registry,
    actor: &Actor,
    requests: &[Request],
    now_ms: u64,
) -> Vec<Result<Receipt, RegistryError>> {
    let mut outcomes: Outcomes = requests.iter().map(|_| None).collect();
    let mut idle_rounds = 0;
    while outcomes.iter().any(Option::is_none) && idle_rounds < MAX_IDLE_ROUNDS {
        if round(registry, actor, requests, now_ms, &mut outcomes) {
            idle_rounds = 0;
        } else {
            idle_rounds += 1;
            std::thread::sleep(RETRY_PAUSE);
        }
    }
    outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(RegistryError::Busy))).collect()
}

/// Plans and submits what has no outcome yet; whether any request got one.
///
/// Two requests for one identifier conflict within a round: the first is written, the second is
/// planned again in the next round and sees it.
fn round(
    registry: &Registry,
    actor: &Actor,
    requests: &[Request],
    now_ms: u64,
    outcomes: &mut Outcomes,
) -> bool {
    let mut places = Vec::new();
    let mut changes: Vec<Change> = Vec::new();
    let mut progress = false;
    for (place, request) in requests.iter().enumerate() {
        if outcomes[place].is_some() {
            continue;
        }
        let decided = match registry.plan(actor, request, now_ms) {
            Ok(Plan::Change(change)) => {
                places.push(place);
                changes.push(*change);
                continue;
            }
            // What another request of this round is about to change is not decided yet.
            Ok(Plan::Done(_)) | Err(_) if is_behind(requests, &places, place) => continue,
            Ok(Plan::Done(receipt)) => Ok(receipt),
            Err(error) => Err(error),
        };
        outcomes[place] = Some(decided);
        progress = true;
    }
    if changes.is_empty() {
        return progress;
    }
    let (send, receive) = sync_channel(1);
    let done = Box::new(move |verdicts| {
        let _ = send.send(verdicts);
    });
    if registry.submit(changes, done).is_err() {
        return progress;
    }
    let verdicts: Vec<Verdict> = receive.recv().unwrap_or_default();
    for (place, verdict) in places.into_iter().zip(verdicts) {
        outcomes[place] = match verdict {
            Verdict::Committed(receipt) => Some(Ok(receipt)),
            Verdict::Failed(error) => Some(Err(error)),
            Verdict::Conflict => None,
        };
        progress |= outcomes[place].is_some();
    }
    progress
}

/// Whether a request at one of `places` is about the same identifier as the one at `place`.
fn is_behind(requests: &[Request], places: &[usize], place: usize) -> bool {
    let Some(key) = requests[place].command.key() else { return !places.is_empty() };
    places.iter().any(|&earlier| requests[earlier].command.key() == Some(key))
}

/// How often a round without any outcome is repeated before the node counts as busy.
const MAX_IDLE_ROUNDS: usize = 200;

/// Pause between such rounds.
const RETRY_PAUSE: Duration = Duration::from_millis(5);
