//! Records in memory, kept honest against concurrent changes.
//!
//! A reader takes a ticket before it reads the store and hands it in when it fills the cache. A
//! change stamps its key's slot before it drops the key, so that a fill whose ticket is older than
//! the slot is undone: a record read before a change is never served after it.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::{Weighter, sync::Cache};

use super::tally::Slot;
use super::views::Shown;
use crate::identifier::CanonicalKey;

/// The cache.
pub(super) struct AnswerCache {
    records: Cache<CanonicalKey, Remembered, ByBytes, RandomState>,
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// A record and where its look-ups are counted.
type Remembered = (Shown, Slot);

/// Proof of when a read began.
#[derive(Clone, Copy)]
pub(super) struct Ticket(u64);

impl AnswerCache {
    pub(super) fn new(bytes: u64) -> Self {
        let hasher = RandomState::new();
        let items = usize::try_from(bytes / 512).unwrap_or(usize::MAX).max(16);
        Self {
            records: Cache::with(items, bytes, ByBytes, hasher.clone(), Default::default()),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher,
        }
    }

    pub(super) fn find(&self, key: &CanonicalKey) -> Option<Remembered> {
        self.records.get(key)
    }

    pub(super) fn ticket(&self, key: &CanonicalKey) -> Ticket {
        Ticket(self.slot(key).load(Ordering::SeqCst))
    }

    pub(super) fn fill(&self, key: &CanonicalKey, shown: &Shown, slot: Slot, ticket: Ticket) {
        self.records.insert(key.clone(), (shown.clone(), slot));
        if self.slot(key).load(Ordering::SeqCst) != ticket.0 {
            self.records.remove(key);
        }
    }

    pub(super) fn forget(&self, key: &CanonicalKey) {
        self.slot(key).fetch_add(1, Ordering::SeqCst);
        self.records.remove(key);
    }

    pub(super) fn forget_all(&self) {
        self.slots.iter().for_each(|slot| {
            slot.fetch_add(1, Ordering::SeqCst);
        });
        self.records.clear();
    }

    pub(super) fn figures(&self) -> (u64, u64) {
        (self.records.len() as u64, self.records.weight())
    }

    fn slot(&self, key: &CanonicalKey) -> &AtomicU64 {
        &self.slots[self.hasher.hash_one(key) as usize % SLOTS]
    }
}

/// Weighs a record by the memory it takes, roughly.
#[derive(Clone)]
struct ByBytes;

impl Weighter<CanonicalKey, Remembered> for ByBytes {
    fn weight(&self, key: &CanonicalKey, (shown, _): &Remembered) -> u64 {
        let values = &shown.stored.record.values;
        let data: usize =
            values.iter().map(|value| value.kind.len() + value.data.len() + 160).sum();
        (key.as_bytes().len() * 2 + data + 320) as u64
    }
}

/// Slots that tell whether a key changed; two keys of one slot only cost a needless read.
const SLOTS: usize = 4_096;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::identifier::Identifier;
    use crate::ledger::Position;
    use crate::record::{Record, Status};
    use crate::store::StoredRecord;

    fn shown(version: u64) -> Shown {
        let identifier = Identifier::literal("88.118/x").unwrap();
        let record = Record {
            identifier,
            values: Vec::new(),
            version,
            status: Status::Active,
            registrant: String::new(),
            held_apart: false,
            actor: String::new(),
            reason: String::new(),
            created_ms: 0,
            modified_ms: 0,
        };
        let position = Position { log: 1, index: version };
        Shown::plain(Arc::new(StoredRecord { position, record }))
    }

    #[test]
    fn a_read_that_began_before_a_change_does_not_stay() {
        let cache = AnswerCache::new(1 << 20);
        let old = shown(1);
        let key = old.stored.record.identifier.key().clone();
        let ticket = cache.ticket(&key);
        cache.forget(&key);
        cache.fill(&key, &old, Slot::NODE, ticket);
        assert!(cache.find(&key).is_none());

        let ticket = cache.ticket(&key);
        cache.fill(&key, &shown(2), Slot::NODE, ticket);
        assert_eq!(cache.find(&key).unwrap().0.stored.record.version, 2);
    }
}
