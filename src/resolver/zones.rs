//! The node's own prefixes, in memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::identifier::Prefix;
use crate::registrant::Allocation;
use crate::store::{Direction, PREFIXES, Read, StoreError, all_keys};

/// The image of the prefixes column that every question looks at.
pub(super) struct Zones {
    image: ArcSwap<Image>,
}

type Image = BTreeMap<Prefix, Arc<Zone>>;

/// A prefix that this node answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The prefix.
    pub prefix: Prefix,
    /// What the node is to it.
    pub allocation: Allocation,
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

fn image(read: &(impl Read + ?Sized)) -> Result<Image, StoreError> {
    let mut zones = Image::new();
    PREFIXES.scan(read, all_keys(), Direction::Forward, |prefix, stored| {
        if stored.content.state.is_served() {
            let zone = Zone { prefix: prefix.clone(), allocation: stored.content };
            zones.insert(prefix, Arc::new(zone));
        }
        ControlFlow::Continue(())
    })?;
    Ok(zones)
}
