//! The node's own prefixes, in memory.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::identifier::Prefix;
use crate::store::{Direction, PREFIXES, Read, StoreError, all_keys};

/// The image of the prefixes column that every question looks at.
pub(super) struct Zones {
    image: ArcSwap<BTreeSet<Arc<Prefix>>>,
}

impl Zones {
    pub(super) fn load(read: &(impl Read + ?Sized)) -> Result<Self, StoreError> {
        Ok(Self { image: ArcSwap::from_pointee(image(read)?) })
    }

    pub(super) fn reload(&self, read: &(impl Read + ?Sized)) -> Result<(), StoreError> {
        self.image.store(Arc::new(image(read)?));
        Ok(())
    }

    /// The longest own prefix that covers `prefix`.
    pub(super) fn covering(&self, prefix: &Prefix) -> Option<Arc<Prefix>> {
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
        self.image.load().iter().any(|zone| prefix.covers(zone))
    }

    pub(super) fn all(&self) -> Vec<Arc<Prefix>> {
        self.image.load().iter().cloned().collect()
    }
}

fn image(read: &(impl Read + ?Sized)) -> Result<BTreeSet<Arc<Prefix>>, StoreError> {
    let mut zones = BTreeSet::new();
    PREFIXES.scan(read, all_keys(), Direction::Forward, |prefix, _| {
        zones.insert(Arc::new(prefix));
        ControlFlow::Continue(())
    })?;
    Ok(zones)
}
