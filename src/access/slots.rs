//! A fixed-size table of small numbers by key, without locks.
//!
//! A key has a set of eight slots, one cache line, and a tag of 16 bits; both come of a hash with a
//! key of this process, so that nobody outside can choose whom to meet. Two keys share a slot when
//! both agree: for a given pair one chance in 65,536 times the number of sets. When a set is full,
//! the slot that is worth least goes; what it held is forgotten. So strangers in great number can
//! make the table forget (limits bite later), but cannot make it hold something against a key that
//! did nothing.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers of 48 bits by key; zero for keys that are not there.
pub(super) struct Slots {
    sets: Box<[Set]>,
    hasher: RandomState,
}

/// Eight slots: a tag above, a number below; zero is empty.
#[repr(align(64))]
#[derive(Default)]
struct Set([AtomicU64; 8]);

impl Slots {
    /// A table of about `slots` slots of eight bytes: the next power of two, eight at least.
    pub(super) fn new(slots: usize) -> Self {
        let sets = slots.div_ceil(8).max(1).next_power_of_two();
        let sets = (0..sets).map(|_| Set::default()).collect();
        Self { sets, hasher: RandomState::new() }
    }

    /// The number of `key`.
    pub(super) fn find(&self, key: &[u8]) -> u64 {
        let (set, tag) = self.place(key);
        let words = set.0.iter().map(|slot| slot.load(Ordering::Relaxed));
        words.into_iter().find(|word| word >> NUMBER_BITS == tag).map_or(0, |word| word & NUMBER)
    }

    /// Sets the number of `key` to what `change` makes of it, unless that is none; the number
    /// before. `worth` says of numbers how much would be lost with them: 0 for nothing.
    pub(super) fn update(
        &self,
        key: &[u8],
        worth: impl Fn(u64) -> u64,
        change: impl Fn(u64) -> Option<u64>,
    ) -> u64 {
        let (set, tag) = self.place(key);
        loop {
            let words = set.0.iter().map(|slot| (slot, slot.load(Ordering::Relaxed)));
            let rank = |word: u64| match word {
                0 => 0,
                word if word >> NUMBER_BITS == tag => 0,
                word => worth(word & NUMBER).saturating_add(1),
            };
            // The key's own slot before empty ones.
            let own = |word: u64| word >> NUMBER_BITS != tag;
            let Some((slot, word)) = words.min_by_key(|&(_, word)| (own(word), rank(word))) else {
                return 0;
            };
            let before = if own(word) { 0 } else { word & NUMBER };
            let Some(after) = change(before) else { return before };
            let fresh = (tag << NUMBER_BITS) | (after & NUMBER);
            let swap =
                slot.compare_exchange_weak(word, fresh, Ordering::Relaxed, Ordering::Relaxed);
            if swap.is_ok() {
                return before;
            }
        }
    }

    fn place(&self, key: &[u8]) -> (&Set, u64) {
        let hash = self.hasher.hash_one(key);
        // A power of two, so the remainder is as even as the hash.
        let set = &self.sets[hash as usize % self.sets.len()];
        (set, (hash >> NUMBER_BITS).max(1))
    }
}

/// Bits of a number.
pub(super) const NUMBER_BITS: u32 = 48;

/// The greatest number.
pub(super) const NUMBER: u64 = (1 << NUMBER_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn count(slots: &Slots, key: &[u8]) -> u64 {
        slots.update(key, |number| number, |number| Some(number + 1))
    }

    #[test]
    fn numbers_are_kept_by_key() {
        let slots = Slots::new(1 << 16);
        for key in 0..1_000_u32 {
            assert_eq!(count(&slots, &key.to_be_bytes()), 0);
        }
        for key in 0..1_000_u32 {
            assert_eq!(count(&slots, &key.to_be_bytes()), 1);
            assert_eq!(slots.find(&key.to_be_bytes()), 2);
        }
        assert_eq!(slots.find(b"nobody"), 0);
        slots.update(b"a", |_| 0, |_| None);
        assert_eq!(slots.find(b"a"), 0);
    }

    #[test]
    fn what_is_worth_least_goes_first() {
        let slots = Slots::new(8);
        for _ in 0..100 {
            count(&slots, b"known");
        }
        for stranger in 0..1_000_u32 {
            count(&slots, &stranger.to_be_bytes());
        }
        assert_eq!(slots.find(b"known"), 100);
    }

    #[test]
    fn concurrent_changes_are_all_counted() {
        let slots = Slots::new(64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| assert!(count(&slots, b"shared") < 4_000)));
            }
        });
        assert_eq!(slots.find(b"shared"), 4_000);
    }
}
