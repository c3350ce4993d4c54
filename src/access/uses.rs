//! When tokens were last used: in memory at once, on the disk within a minute.
//!
//! The writer takes what has changed and keeps it in counters, so that a use costs no write of its
//! own. What was not written yet when a node dies is lost; a session then counts as idle a minute
//! longer than it was.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// The last use of each token, by public name.
#[derive(Debug, Default)]
pub struct Uses {
    uses: RwLock<HashMap<String, Use>>,
}

#[derive(Debug)]
struct Use {
    last_ms: AtomicU64,
    /// Whether the row is behind.
    changed: AtomicBool,
}

impl Uses {
    /// Notes a use of the token `id`.
    pub fn note(&self, id: &str, now_ms: u64) {
        let uses = self.uses.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = uses.get(id) {
            known.last_ms.fetch_max(now_ms, Ordering::Relaxed);
            known.changed.store(true, Ordering::Relaxed);
            return;
        }
        drop(uses);
        let mut uses = self.uses.write().unwrap_or_else(PoisonError::into_inner);
        if uses.len() >= MAX_USES {
            uses.retain(|_, known| known.changed.load(Ordering::Relaxed));
        }
        if uses.len() < MAX_USES {
            let fresh = Use { last_ms: now_ms.into(), changed: true.into() };
            uses.insert(id.to_owned(), fresh);
        }
    }

    /// The last use since the start; none when there was none, or it is on the disk alone.
    pub fn last_ms(&self, id: &str) -> Option<u64> {
        let uses = self.uses.read().unwrap_or_else(PoisonError::into_inner);
        uses.get(id).map(|known| known.last_ms.load(Ordering::Relaxed))
    }

    /// The uses that are not on the disk yet; the caller puts them there.
    pub fn take_changed(&self) -> Vec<(String, u64)> {
        let uses = self.uses.read().unwrap_or_else(PoisonError::into_inner);
        let changed = uses.iter().filter(|(_, known)| known.changed.swap(false, Ordering::Relaxed));
        changed.map(|(id, known)| (id.clone(), known.last_ms.load(Ordering::Relaxed))).collect()
    }
}

/// Name of the counter that holds a token's last use.
pub fn use_counter(id: &str) -> String {
    format!("used/{id}")
}

/// Tokens whose last use is in memory; those beyond are known as of the last minute.
const MAX_USES: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_taken_once() {
        let uses = Uses::default();
        uses.note("a", 5);
        uses.note("a", 9);
        uses.note("a", 7);
        assert_eq!((uses.last_ms("a"), uses.last_ms("b")), (Some(9), None));
        assert_eq!(uses.take_changed(), [("a".to_owned(), 9)]);
        assert_eq!(uses.take_changed(), []);
        uses.note("a", 10);
        assert_eq!(uses.take_changed().len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let uses = Uses::default();
        (0..MAX_USES + 10).for_each(|id| uses.note(&id.to_string(), 1));
        assert_eq!(uses.take_changed().len(), MAX_USES);
        uses.note("after", 2);
        assert_eq!(uses.last_ms("after"), Some(2), "what is written makes room");
    }
}
