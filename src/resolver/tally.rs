//! Counting look-ups without sharing: each thread counts in a stripe of its own.
//!
//! A zone has one tally for as long as the node runs. The writer takes the counts now and then and
//! adds them to the statistics; what was counted since is lost when the machine dies, which is what
//! counting without waiting costs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::Outcome;
use crate::identifier::Prefix;
use crate::store::LOOKUP_CELLS;

/// Which protocol a question came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Protocol {
    /// DNS over UDP and TCP.
    Dns = 0,
    /// HTTP and HTTPS.
    Http = 1,
}

impl Protocol {
    /// All protocols.
    pub const ALL: [Protocol; 2] = [Protocol::Dns, Protocol::Http];

    /// The protocol's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Dns => "dns",
            Protocol::Http => "http",
        }
    }
}

/// Words of the outcomes that are counted, in the order of a protocol's cells.
pub const OUTCOMES: [&str; 5] = ["record", "retired", "absent", "withheld", "not_responsible"];

/// The tally of a zone; the first is the node's own, for what is in no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

impl Slot {
    /// What is in no zone.
    pub const NODE: Slot = Slot(0);
}

/// The tallies of all zones that there have been since the start.
pub(super) struct Tallies {
    table: ArcSwap<Vec<Arc<Tally>>>,
    slots: Mutex<HashMap<Prefix, Slot>>,
}

impl Tallies {
    pub(super) fn new() -> Self {
        let table = ArcSwap::from_pointee(vec![Arc::new(Tally::default())]);
        Self { table, slots: Mutex::default() }
    }

    /// The tally of a zone, a new one when it never had one. For those who read the zones.
    pub(super) fn slot(&self, zone: &Prefix) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&slot) = slots.get(zone) {
            return slot;
        }
        let mut table = Vec::clone(&self.table.load());
        let slot = Slot(u32::try_from(table.len()).unwrap_or(0));
        table.push(Arc::new(Tally::default()));
        self.table.store(Arc::new(table));
        slots.insert(zone.clone(), slot);
        slot
    }

    /// Counts one outcome.
    pub(super) fn count(&self, slot: Slot, protocol: Protocol, outcome: &Outcome) {
        let cell = match outcome {
            Outcome::Record(_) => 0,
            Outcome::Retired(_) => 1,
            Outcome::Absent { .. } => 2,
            Outcome::Withheld => 3,
            Outcome::NotResponsible => 4,
        };
        let cell = protocol as usize * OUTCOMES.len() + cell;
        if let Some(tally) = self.table.load().get(slot.0 as usize) {
            tally.count(cell);
        }
    }

    /// What was counted since the last time, by zone; none for what is in no zone.
    pub(super) fn take(&self) -> Vec<(Option<Prefix>, [u64; LOOKUP_CELLS])> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let zones = slots.into_iter().map(|(zone, slot)| (Some(zone), slot));
        let table = self.table.load();
        let counted = zones.chain([(None, Slot::NODE)]).filter_map(|(zone, slot)| {
            let counts = table.get(slot.0 as usize)?.take();
            counts.iter().any(|&count| count > 0).then_some((zone, counts))
        });
        counted.collect()
    }
}

/// Counts, a stripe for each of some threads.
#[derive(Default)]
struct Tally {
    stripes: [Stripe; STRIPES],
}

/// One cache line, so that threads do not take it from each other. What is counted between two
/// takings, seconds apart, does not come near the bounds of 32 bits.
#[derive(Default)]
#[repr(align(64))]
struct Stripe([AtomicU32; LOOKUP_CELLS]);

impl Tally {
    fn count(&self, cell: usize) {
        let stripe = STRIPE.with(|stripe| *stripe);
        if let Some(count) = self.stripes.get(stripe).and_then(|stripe| stripe.0.get(cell)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(&self) -> [u64; LOOKUP_CELLS] {
        let mut counts = [0; LOOKUP_CELLS];
        for stripe in &self.stripes {
            for (sum, count) in counts.iter_mut().zip(&stripe.0) {
                *sum += u64::from(count.swap(0, Ordering::Relaxed));
            }
        }
        counts
    }
}

thread_local! {
    /// The stripe that this thread counts in.
    static STRIPE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
}

/// Threads that have counted.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Stripes of a tally; a power of two near the processors of an ordinary machine.
const STRIPES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_nothing_counted_twice() {
        let tallies = Tallies::new();
        let prefix = |text: &str| Prefix::parse(text).unwrap();
        let slots = [tallies.slot(&prefix("88.1")), tallies.slot(&prefix("88.2"))];
        assert_eq!(slots[0], tallies.slot(&prefix("88.1")));
        let absent = Outcome::Absent { descendants: false };
        let mut sums = HashMap::<_, u64>::new();
        let mut add = |counted: Vec<(Option<Prefix>, [u64; LOOKUP_CELLS])>| {
            for (zone, counts) in counted {
                for (cell, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0)
                {
                    *sums.entry((zone.clone(), cell)).or_default() += count;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        tallies.count(slots[0], Protocol::Dns, &absent);
                        tallies.count(slots[1], Protocol::Http, &Outcome::Withheld);
                        tallies.count(Slot::NODE, Protocol::Dns, &Outcome::NotResponsible);
                    }
                });
            }
            for _ in 0..50 {
                add(tallies.take());
            }
        });
        add(tallies.take());
        let expected = [
            ((Some(prefix("88.1")), 2), 120_000),
            ((Some(prefix("88.2")), OUTCOMES.len() + 3), 120_000),
            ((None, 4), 120_000),
        ];
        assert_eq!(sums, expected.into());
        assert!(tallies.take().is_empty());
        assert!(LOOKUP_CELLS >= Protocol::ALL.len() * OUTCOMES.len());
    }
}
