//! Token buckets in a table of fixed size: how fast somebody may do something.
//!
//! A bucket is one number: the moment at which it will be full again (the generic cell rate
//! algorithm of ITU-T I.371). A bucket that is full is worth nothing and gives its slot to the next
//! key; when all of a set are in use, the one that is full first goes, which lets its owner start
//! afresh. Who is never refused by a bucket of their own is not refused because of others, but for
//! chance meetings that nobody can bring about (see `slots`).

use super::slots::{NUMBER, Slots};

/// Token buckets by key.
pub struct Buckets {
    slots: Slots,
}

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What it gains in a second; 0 for a bucket from which nothing can be taken.
    pub per_second: u32,
    /// What it holds when full; at least 1 counts.
    pub burst: u32,
}

impl Buckets {
    /// A table of about `slots` buckets, of eight bytes each.
    pub fn new(slots: usize) -> Self {
        Self { slots: Slots::new(slots) }
    }

    /// Takes `cost` from the bucket of `key`, or says in how many milliseconds to try again.
    ///
    /// What costs more than the bucket holds is let through when it is full, and paid off before
    /// the next: large batches are possible and no cheaper than their parts. No debt lasts longer
    /// than an hour, so that a clock that is set back blocks nobody for long.
    pub fn take(&self, key: &[u8], rate: Rate, cost: u32, now_ms: u64) -> Result<(), u64> {
        if rate.per_second == 0 {
            return Err(MAX_DEBT_US / 1_000);
        }
        let time = |tokens: u32| {
            (u64::from(tokens) * 1_000_000).div_ceil(u64::from(rate.per_second)).min(MAX_DEBT_US)
        };
        let now_us = now_ms.wrapping_mul(1_000);
        // How long until the bucket is full; numbers wrap after nine years.
        let debt = |full_us: u64| {
            let debt = full_us.wrapping_sub(now_us) & NUMBER;
            if full_us == 0 || debt > MAX_DEBT_US { 0 } else { debt }
        };
        // As long as taking it all by ones does, which rounding makes a little longer than at once.
        let burst = rate.burst.max(1);
        let window = u64::from(burst).saturating_mul(time(1)).min(MAX_DEBT_US);
        let allowed = window.saturating_sub(time(cost.min(burst)));
        let before = self.slots.update(key, debt, |full_us| {
            let debt = debt(full_us);
            let after = now_us.wrapping_add((debt + time(cost)).min(MAX_DEBT_US)) & NUMBER;
            (debt <= allowed).then_some(after.max(1))
        });
        match debt(before).saturating_sub(allowed) {
            0 => Ok(()),
            wait => Err(wait.div_ceil(1_000)),
        }
    }
}

/// The longest debt, in microseconds.
const MAX_DEBT_US: u64 = 3_600 * 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_767_225_600_000;
    const SLOW: Rate = Rate { per_second: 10, burst: 5 };

    #[test]
    fn buckets_empty_and_fill() {
        let buckets = Buckets::new(1_024);
        for _ in 0..5 {
            assert_eq!(buckets.take(b"a", SLOW, 1, NOW_MS), Ok(()));
        }
        assert_eq!(buckets.take(b"a", SLOW, 1, NOW_MS), Err(100));
        assert_eq!(buckets.take(b"a", SLOW, 3, NOW_MS), Err(300));
        assert_eq!(buckets.take(b"b", SLOW, 5, NOW_MS), Ok(()), "another key");
        assert_eq!(buckets.take(b"a", SLOW, 1, NOW_MS + 99), Err(1));
        assert_eq!(buckets.take(b"a", SLOW, 1, NOW_MS + 100), Ok(()));
        assert_eq!(buckets.take(b"a", SLOW, 1, NOW_MS + 100), Err(100));
        assert_eq!(buckets.take(b"a", SLOW, 5, NOW_MS + 10_000), Ok(()), "never over the burst");
        assert_eq!(buckets.take(b"a", SLOW, 1, NOW_MS + 10_000), Err(100));
    }

    #[test]
    fn what_is_too_large_is_paid_off_afterwards() {
        let buckets = Buckets::new(8);
        assert_eq!(buckets.take(b"a", SLOW, 1, NOW_MS), Ok(()));
        assert_eq!(buckets.take(b"a", SLOW, 100, NOW_MS), Err(100));
        assert_eq!(buckets.take(b"a", SLOW, 100, NOW_MS + 100), Ok(()));
        assert_eq!(buckets.take(b"a", SLOW, 1, NOW_MS + 100), Err(9_600));
        assert_eq!(buckets.take(b"b", SLOW, u32::MAX, NOW_MS), Ok(()));
        assert_eq!(buckets.take(b"b", SLOW, 5, NOW_MS + 3_600_000), Ok(()));
    }

    #[test]
    fn fast_rates_are_exact() {
        let buckets = Buckets::new(8);
        let rate = Rate { per_second: 100_000, burst: 1_000 };
        let taken = (0..1_000_u64).map(|ms| {
            (0..200).filter(|_| buckets.take(b"a", rate, 1, NOW_MS + ms).is_ok()).count()
        });
        let taken: usize = taken.sum();
        assert!((100_800..=101_000).contains(&taken), "{taken}");
    }

    #[test]
    fn the_whole_burst_can_be_taken_by_ones() {
        let buckets = Buckets::new(8);
        for per_second in [3, 7, 11, 999, 300_000, 2_000_000] {
            let rate = Rate { per_second, burst: 50 };
            let key = per_second.to_be_bytes();
            let taken = (0..60).filter(|_| buckets.take(&key, rate, 1, NOW_MS).is_ok()).count();
            assert_eq!(taken, 50, "{per_second}");
        }
    }

    #[test]
    fn odd_numbers_are_survived() {
        let buckets = Buckets::new(0);
        assert_eq!(buckets.take(b"", SLOW, 0, 0), Ok(()));
        assert!(buckets.take(b"a", Rate { per_second: 0, burst: 5 }, 1, NOW_MS).is_err());
        let tight = Rate { per_second: 1, burst: 0 };
        assert_eq!(buckets.take(b"a", tight, 1, u64::MAX), Ok(()));
        assert_eq!(buckets.take(b"a", tight, 1, u64::MAX), Err(1_000));
        assert_eq!(buckets.take(b"b", tight, 1, NOW_MS), Ok(()));
        assert_eq!(buckets.take(b"b", tight, 1, NOW_MS - 86_400_000), Ok(()), "a clock set back");
    }

    #[test]
    fn strangers_make_no_bucket_emptier() {
        let buckets = Buckets::new(1 << 12);
        assert_eq!(buckets.take(b"known", SLOW, 1, NOW_MS), Ok(()));
        for stranger in 0..100_000_u32 {
            let _ = buckets.take(&stranger.to_be_bytes(), SLOW, 5, NOW_MS);
        }
        assert_eq!(buckets.take(b"known", SLOW, 4, NOW_MS), Ok(()));
    }
}
