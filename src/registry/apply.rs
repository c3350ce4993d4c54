//! Planning, submitting and waiting in one go, for threads that may block.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use super::{Actor, Change, Command, Plan, Receipt, Registry, RegistryError, Request, Verdict};
use crate::identifier::CanonicalKey;

type Outcomes = Vec<Option<Result<Receipt, RegistryError>>>;

pub(super) fn apply_all(
    registry: &Registry,
    actor: &Actor,
    requests: &[Request],
    now_ms: u64,
) -> Vec<Result<Receipt, RegistryError>> {
    let mut outcomes: Outcomes = requests.iter().map(|_| None).collect();
    let mut idle_rounds = 0;
    let mut renewed: Option<Actor> = None;
    while outcomes.iter().any(Option::is_none) && idle_rounds < MAX_IDLE_ROUNDS {
        if round(registry, renewed.as_ref().unwrap_or(actor), requests, now_ms, &mut outcomes) {
            idle_rounds = 0;
        } else {
            idle_rounds += 1;
            std::thread::sleep(RETRY_PAUSE);
        }
        if outcomes.iter().all(Option::is_some) {
            break;
        }
        renewed = match registry.renew(actor, now_ms) {
            Ok(actor) => Some(actor),
            Err(error) => {
                let ended = |outcome: &mut Option<_>| *outcome = Some(Err(error.clone()));
                outcomes.iter_mut().filter(|outcome| outcome.is_none()).for_each(ended);
                break;
            }
        };
    }
    outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(RegistryError::Busy))).collect()
}

/// Plans and submits what has no outcome yet; whether any request got one.
///
/// Of several requests for one identifier only the first is looked at in a round; the next round
/// sees what it did. A fault that others under way may mend is looked at again in the next round
/// too; requests behind it may overtake it. Changes are submitted piece by piece, so that one piece
/// is planned while the one before it is written.
fn round(
    registry: &Registry,
    actor: &Actor,
    requests: &[Request],
    now_ms: u64,
    outcomes: &mut Outcomes,
) -> bool {
    let mut undecided: HashSet<Option<&CanonicalKey>> = HashSet::new();
    let mut submitted = Vec::new();
    let mut piece = Piece::default();
    let mut progress = false;
    for (place, request) in requests.iter().enumerate() {
        let key = request.command.key();
        let waits = !matches!(request.command, Command::Mint { .. });
        if outcomes[place].is_some() || (waits && undecided.contains(&key)) {
            continue;
        }
        let under_way = !(piece.places.is_empty() && submitted.is_empty());
        outcomes[place] = match registry.plan(actor, request, now_ms) {
            Ok(Plan::Done(receipt)) => Some(Ok(receipt)),
            Err(error) if under_way && hangs_on_others(&error) => {
                undecided.insert(key);
                None
            }
            Err(error) => Some(Err(error)),
            Ok(Plan::Change(change)) => {
                if waits {
                    undecided.insert(key);
                }
                piece.places.push(place);
                piece.changes.push(*change);
                if piece.changes.len() >= PIECE_CHANGES {
                    submitted.extend(std::mem::take(&mut piece).submit(registry));
                }
                None
            }
        };
        progress |= outcomes[place].is_some();
    }
    submitted.extend(piece.submit(registry));
    for (places, verdicts) in submitted {
        for (place, verdict) in places.into_iter().zip(verdicts.recv().unwrap_or_default()) {
            outcomes[place] = match verdict {
                Verdict::Committed(receipts) => {
                    requests.get(place).and_then(|request| request.receipt(receipts)).map(Ok)
                }
                Verdict::Failed(error) => Some(Err(error)),
                Verdict::Conflict => None,
            };
            progress |= outcomes[place].is_some();
        }
    }
    progress
}

/// Whether changes to other records could be what is missing.
fn hangs_on_others(error: &RegistryError) -> bool {
    let RegistryError::Faulty(faults) = error else { return false };
    faults.iter().any(|fault| matches!(fault.rule.as_str(), "reference" | "unique"))
}

/// Changes that are submitted together, and whose they are.
#[derive(Default)]
struct Piece {
    places: Vec<usize>,
    changes: Vec<Change>,
}

impl Piece {
    /// Where the verdicts will come; none when there is nothing to submit or no room for it.
    fn submit(self, registry: &Registry) -> Option<(Vec<usize>, Receiver<Vec<Verdict>>)> {
        if self.changes.is_empty() {
            return None;
        }
        let (send, receive) = sync_channel(1);
        let done = Box::new(move |verdicts| {
            let _ = send.send(verdicts);
        });
        registry.submit(self.changes, done).ok().map(|()| (self.places, receive))
    }
}

/// Changes planned while those before them are written.
const PIECE_CHANGES: usize = 512;

/// How often a round without any outcome is repeated before the node counts as busy.
const MAX_IDLE_ROUNDS: usize = 200;

/// Pause between such rounds.
const RETRY_PAUSE: Duration = Duration::from_millis(5);
