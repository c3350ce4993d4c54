//! What planning many requests together reads once: their prefixes and templates.
//!
//! Everything is guarded since before the first of it was read, so that a change made meanwhile
//! costs a conflict and never a wrong record.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::identifier::{CanonicalKey, Prefix};
use crate::registry::Registry;
use crate::store::{ReadPoint, StoredDocument, StoredPrefix};
use crate::template::TemplateHead;

/// Rows that were read for requests that are planned together. Made for some thousand requests,
/// and not kept.
pub struct Outlook {
    read_at: ReadPoint,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// None where there is no row.
    prefixes: HashMap<Prefix, Option<StoredPrefix>>,
    heads: HashMap<CanonicalKey, StoredDocument<TemplateHead>>,
}

impl Outlook {
    /// The rows as of now.
    pub fn new(registry: &Registry) -> Self {
        Self { read_at: registry.store.read_point(), known: Mutex::default() }
    }

    pub(super) fn read_at(&self) -> ReadPoint {
        self.read_at
    }

    /// A prefix's row or its absence, where it was read.
    pub(super) fn prefix(&self, prefix: &Prefix) -> Option<Option<StoredPrefix>> {
        self.lock().prefixes.get(prefix).cloned()
    }

    pub(super) fn keep_prefix(&self, prefix: &Prefix, stored: Option<&StoredPrefix>) {
        let mut known = self.lock();
        if known.prefixes.len() < MAX_ROWS {
            known.prefixes.insert(prefix.clone(), stored.cloned());
        }
    }

    pub(super) fn head(&self, key: &CanonicalKey) -> Option<StoredDocument<TemplateHead>> {
        self.lock().heads.get(key).cloned()
    }

    pub(super) fn keep_head(&self, key: &CanonicalKey, stored: &StoredDocument<TemplateHead>) {
        let mut known = self.lock();
        if known.heads.len() < MAX_ROWS {
            known.heads.insert(key.clone(), stored.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Most rows of each kind that are remembered.
const MAX_ROWS: usize = 64;
