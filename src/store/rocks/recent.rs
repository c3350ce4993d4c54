//! What was written lately: how conflicts are found without reading the store.
//!
//! Keys are remembered by a 64-bit digest under a key drawn at start. Two keys with one digest can
//! only cause a refusal without cause, never an admission without right. Two generations of at
//! most [`GENERATION_KEYS`] keys bound the memory (about 20 MiB); whoever read before the oldest
//! of them is refused and reads again.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use super::{ColumnId, ReadPoint};

/// Keys and the commits that wrote them last.
pub(super) struct Recent {
    seed: RandomState,
    young: HashMap<u64, ReadPoint>,
    old: HashMap<u64, ReadPoint>,
    /// The newest commit in the old generation.
    rotated_at: ReadPoint,
    /// The newest commit that may have been forgotten.
    floor: ReadPoint,
    generation_keys: usize,
}

impl Recent {
    /// Remembers up to twice `generation_keys` keys and a transaction's worth.
    pub(super) fn new(generation_keys: usize) -> Self {
        Self {
            seed: RandomState::new(),
            young: HashMap::new(),
            old: HashMap::new(),
            rotated_at: ReadPoint(0),
            floor: ReadPoint(0),
            generation_keys,
        }
    }

    /// The digest under which a key is remembered.
    pub(super) fn digest(&self, column: ColumnId, key: &[u8]) -> u64 {
        self.seed.hash_one((column, key))
    }

    /// Whether everything written after `read_at` is remembered.
    pub(super) fn reaches(&self, read_at: ReadPoint) -> bool {
        read_at >= self.floor
    }

    /// Whether a key was written after `read_at`.
    pub(super) fn changed_since(&self, digest: u64, read_at: ReadPoint) -> bool {
        let written = self.young.get(&digest).or_else(|| self.old.get(&digest));
        written.is_some_and(|&at| at > read_at)
    }

    /// Remembers the keys of the commit `at`, the newest.
    pub(super) fn remember(&mut self, digests: &HashSet<u64>, at: ReadPoint) {
        if self.young.len() >= self.generation_keys {
            let before = ReadPoint(at.0.saturating_sub(1));
            self.floor = std::mem::replace(&mut self.rotated_at, before);
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
        }
        self.young.extend(digests.iter().map(|&digest| (digest, at)));
    }
}

/// Keys of a generation: about a second of the fastest import.
pub(super) const GENERATION_KEYS: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_in_generations_and_refuses_who_read_before() {
        let mut recent = Recent::new(2);
        let digest = |recent: &Recent, key: u8| recent.digest(ColumnId::Records, &[key]);
        for at in 1..=4 {
            let digests = HashSet::from([digest(&recent, at as u8)]);
            recent.remember(&digests, ReadPoint(at));
        }
        assert!(recent.reaches(ReadPoint(0)), "two generations of two keys are remembered");
        assert!(recent.changed_since(digest(&recent, 1), ReadPoint(0)));
        assert!(!recent.changed_since(digest(&recent, 1), ReadPoint(1)));

        recent.remember(&HashSet::from([digest(&recent, 5)]), ReadPoint(5));
        recent.remember(&HashSet::from([digest(&recent, 3)]), ReadPoint(6));
        assert!(!recent.reaches(ReadPoint(1)), "commits 1 and 2 are forgotten");
        assert!(recent.reaches(ReadPoint(2)));
        assert!(recent.changed_since(digest(&recent, 3), ReadPoint(5)), "the later write counts");
    }
}
