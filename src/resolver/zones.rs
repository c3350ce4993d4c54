//! The node's own prefixes, in memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::tally::{Slot, Tallies};
use crate::access::Asker;
use crate::identifier::Prefix;
use crate::record::Status;
use crate::registrant::{Allocation, AllocationState};
use crate::store::{Direction, PREFIXES, Read, StoreError, StoredRecord, all_keys};

/// The image of the prefixes column that every question looks at.
pub(super) struct Zones {
    image: ArcSwap<Image>,
    /// What was looked up in each.
    pub tallies: Tallies,
}

type Image = BTreeMap<Prefix, Arc<Zone>>;

/// A prefix that this node answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The prefix.
    pub prefix: Prefix,
    /// What the node is to it.
    pub allocation: Allocation,
    /// Where its look-ups are counted.
    pub(super) slot: Slot,
}

/// What a prefix's state means to those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Records are answered.
    Open,
    /// Records are answered only to those who see all of them.
    Hidden,
    /// Tombstones are answered.
    Closed,
}

impl Zone {
    /// What the prefix's state means to those who ask.
    pub fn standing(&self) -> Standing {
        match self.allocation.state {
            AllocationState::Closed => Standing::Closed,
            _ if self.allocation.is_hidden() => Standing::Hidden,
            _ => Standing::Open,
        }
    }

    /// Whether the asker gets none of its records.
    pub fn is_withheld_from(&self, asker: &Asker) -> bool {
        self.standing() == Standing::Hidden
            && !asker.sees_all(&self.prefix, self.allocation.registrant.as_ref())
    }

    /// A record as it is answered: the tombstone of a closed prefix's record has no values.
    pub(super) fn as_it_stands(&self, mut stored: StoredRecord) -> StoredRecord {
        if self.standing() == Standing::Closed {
            stored.record.status = Status::Retired;
            stored.record.values.clear();
        }
        stored
    }
}

impl Zones {
    pub(super) fn load(read: &(impl Read + ?Sized)) -> Result<Self, StoreError> {
        let tallies = Tallies::new();
        Ok(Self { image: ArcSwap::from_pointee(image(read, &tallies)?), tallies })
    }

    pub(super) fn reload(&self, read: &(impl Read + ?Sized)) -> Result<(), StoreError> {
        self.image.store(Arc::new(image(read, &self.tallies)?));
        Ok(())
    }

    /// The longest own prefix that covers `prefix`.
    pub(super) fn covering(&self, prefix: &Prefix) -> Option<Arc<Zone>> {
        let image = self.image.load();
        let mut next = Some(prefix.clone());
        while let Some(candidate) = next {
            if let Some(zone) = image.get(&candidate) {
                return Some(Arc::clone(zone));
            }
            next = candidate.parent();
        }
        None
    }

    /// Whether `prefix` is an own prefix or has one below it.
    pub(super) fn any_at_or_below(&self, prefix: &Prefix) -> bool {
        self.image.load().keys().any(|zone| prefix.covers(zone))
    }

    pub(super) fn all(&self) -> Vec<Arc<Zone>> {
        self.image.load().values().cloned().collect()
    }
}

fn image(read: &(impl Read + ?Sized), tallies: &Tallies) -> Result<Image, StoreError> {
    let mut zones = Image::new();
    PREFIXES.scan(read, all_keys(), Direction::Forward, |prefix, stored| {
        if stored.content.state.is_served() {
            let slot = tallies.slot(&prefix);
            let zone = Zone { prefix: prefix.clone(), allocation: stored.content, slot };
            zones.insert(prefix, Arc::new(zone));
        }
        ControlFlow::Continue(())
    })?;
    Ok(zones)
}
