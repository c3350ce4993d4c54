//! The read side: one question, one outcome, for every protocol.
//!
//! [`Resolver::resolve_hot`] answers from memory, without I/O and without waiting; what it cannot
//! answer goes to [`Resolver::resolve`] on the pool. Neither knows a protocol; no protocol knows
//! the store.

mod books;
mod cache;
mod cursor;
mod directory;
mod find;
#[cfg(test)]
pub(crate) mod fixture;
mod grants;
mod history;
mod journal;
mod references;
mod statistics;
mod tally;
mod templates;
mod trail;
mod views;
mod zones;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use books::{Allowed, Granted, GrantsChange, granted_on};
pub use cursor::{BadCursor, Cursors};
pub use directory::{DirectoryPage, PastVersion};
pub use find::{
    BadCondition, Condition, Find, FindError, FoundPage, MAX_BYTES, MAX_ROWS, Place, Query, Wanted,
    weight,
};
pub use grants::Listed;
pub use journal::{DISORDER_MS, Period};
pub use references::{Referrer, ReferrersPage};
pub use statistics::StatisticsPage;
pub use tally::{OUTCOMES, Protocol};
pub use trail::{AuditQuery, Step, StepsPage, Subject as AuditSubject};
pub use zones::{Standing, Zone};

use crate::access::Asker;
use crate::identifier::{CanonicalKey, Prefix};
use crate::record::{Record, Status, View, ViewKind};
use crate::registrant::RegistrantId;
use crate::store::{
    Column, ColumnId, Direction, LOOKUP_CELLS, NAMES, NameKey, RECORDS, Store, StoreError,
    StoredRecord,
};
use books::Books;
use cache::AnswerCache;
use tally::Slot;
use templates::{Heads, TEMPLATES, Templates};
use zones::Zones;

/// Answers questions about identifiers and prefixes.
pub struct Resolver {
    store: Arc<dyn Store>,
    zones: Zones,
    cache: AnswerCache,
    templates: Templates,
    heads: Heads,
    books: Books,
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// What it is about.
    pub subject: Subject<'a>,
    /// Who asks.
    pub asker: &'a Asker,
    /// By which protocol; the statistics tell them apart.
    pub protocol: Protocol,
}

/// What a question is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// An identifier.
    Identifier(&'a CanonicalKey),
    /// The identifier under `prefix` whose key has this short digest.
    Digest {
        /// The identifier's prefix.
        prefix: &'a Prefix,
        /// First 20 bytes of SHA-256 of its canonical key.
        digest: &'a [u8; 20],
    },
    /// A prefix as a name of its own; never a record.
    Prefix(&'a Prefix),
    /// The names `_id` and `_hash` below a prefix in DNS; never a record.
    Branch {
        /// The prefix.
        prefix: &'a Prefix,
        /// Which of the two.
        branch: Branch,
    },
}

/// The two places below a prefix where DNS keeps identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// `_id`: suffixes of 1 to [`LABEL_OCTETS`] octets.
    Labels,
    /// `_hash`: longer suffixes, and `*`.
    Digests,
}

/// The answer to a question.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The record.
    Record(Answer),
    /// The tombstone of a retired identifier.
    Retired(Answer),
    /// Nothing by that name; other names may lie below it.
    Absent {
        /// Whether identifiers exist below the name: it then exists in DNS, without data.
        descendants: bool,
    },
    /// The prefix is suspended and its records are hidden meanwhile; nothing is said of whether
    /// there is one.
    Withheld,
    /// The name belongs to no prefix of this node.
    NotResponsible,
}

/// A record together with how much of it the asker may see.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The record and its place in the ledger.
    pub stored: Arc<StoredRecord>,
    /// What the asker sees.
    pub kind: ViewKind,
}

impl Answer {
    /// The record as the asker sees it.
    pub fn view(&self) -> View<'_> {
        View { record: &self.stored.record, kind: &self.kind }
    }
}

impl Resolver {
    /// A resolver over `store` that keeps up to `cache_bytes` of records in memory.
    pub fn open(store: Arc<dyn Store>, cache_bytes: u64) -> Result<Self, StoreError> {
        let zones = Zones::load(&*store)?;
        let (cache, templates) = (AnswerCache::new(cache_bytes), Templates::new(TEMPLATES));
        let heads = Heads::new(Column::new(ColumnId::Documents), TEMPLATES);
        Ok(Self { store, zones, cache, templates, heads, books: Books::new() })
    }

    /// The outcome, if memory alone can tell.
    pub fn resolve_hot(&self, lookup: &Lookup<'_>) -> Option<Outcome> {
        let (prefix, of_record) = match lookup.subject {
            Subject::Identifier(key) => {
                let remembered = self.cache.find(key);
                if let Some((shown, slot)) = remembered.filter(|(shown, _)| self.is_current(shown))
                {
                    let kind = self.view_hot(&shown, lookup.asker)?;
                    return Some(self.counted(slot, lookup, answer(shown.stored, kind)));
                }
                (&key.prefix(), true)
            }
            Subject::Digest { prefix, .. } => (prefix, true),
            Subject::Prefix(prefix) | Subject::Branch { prefix, .. } => (prefix, false),
        };
        match self.zones.covering(prefix) {
            None if of_record => Some(self.counted(Slot::NODE, lookup, Outcome::NotResponsible)),
            None => Some(Outcome::NotResponsible),
            Some(zone) if of_record && zone.is_withheld_from(lookup.asker) => {
                Some(self.counted(zone.slot, lookup, Outcome::Withheld))
            }
            Some(_) => None,
        }
    }

    /// The outcome. Blocks on the disk: for the pool's threads.
    pub fn resolve(&self, lookup: &Lookup<'_>) -> Result<Outcome, StoreError> {
        if let Some(outcome) = self.resolve_hot(lookup) {
            return Ok(outcome);
        }
        match lookup.subject {
            Subject::Identifier(key) => self.find(key, lookup),
            Subject::Digest { prefix, digest } => {
                let name = NameKey { prefix: prefix.clone(), digest: *digest };
                match NAMES.get(&*self.store, &name)? {
                    Some(key) => self.find(&key, lookup),
                    None => {
                        let slot = self.zones.covering(prefix).map_or(Slot::NODE, |zone| zone.slot);
                        let absent = Outcome::Absent { descendants: false };
                        Ok(self.counted(slot, lookup, absent))
                    }
                }
            }
            Subject::Prefix(prefix) => {
                let descendants = self.zones.any_at_or_below(prefix)
                    || self.any_key(ColumnId::Records, prefix.covered_keys(), |_| true)?;
                Ok(Outcome::Absent { descendants })
            }
            Subject::Branch { prefix, branch } => {
                let descendants = self.any_in_branch(prefix, branch)?;
                Ok(Outcome::Absent { descendants })
            }
        }
    }

    /// The longest of this node's prefixes that covers `prefix`: the zone the name is in.
    pub fn zone_of(&self, prefix: &Prefix) -> Option<Arc<Zone>> {
        self.zones.covering(prefix)
    }

    /// Whether `prefix` is one of this node's prefixes or has one below it.
    pub fn leads_to_zone(&self, prefix: &Prefix) -> bool {
        self.zones.any_at_or_below(prefix)
    }

    /// This node's prefixes, in order.
    pub fn zones(&self) -> Vec<Arc<Zone>> {
        self.zones.all()
    }

    /// Forgets what was remembered of changed keys; called by the registry after each commit and
    /// before anybody is told of it.
    pub fn forget(&self, keys: &[CanonicalKey]) {
        keys.iter().for_each(|key| self.cache.forget(key));
    }

    /// Forgets everything that was remembered; called by the registry after changes that concern
    /// many records, such as the state of a prefix.
    pub fn forget_all(&self) {
        self.cache.forget_all();
    }

    /// Reads this node's prefixes again; called by the registry after they changed.
    pub fn reload_zones(&self) -> Result<(), StoreError> {
        self.zones.reload(&*self.store)
    }

    /// Records remembered and bytes they take, for metrics.
    pub fn cache_figures(&self) -> (u64, u64) {
        self.cache.figures()
    }

    /// What was looked up since the last call, by prefix and cell of the statistics; none for
    /// questions about other nodes' prefixes. Called by the registry, which keeps them.
    pub fn take_lookups(&self) -> Vec<(Option<Prefix>, [u64; LOOKUP_CELLS])> {
        self.zones.tallies.take()
    }

    fn counted(&self, slot: Slot, lookup: &Lookup<'_>, outcome: Outcome) -> Outcome {
        self.zones.tallies.count(slot, lookup.protocol, &outcome);
        outcome
    }

    fn find(&self, key: &CanonicalKey, lookup: &Lookup<'_>) -> Result<Outcome, StoreError> {
        // The prefix may have been suspended since somebody looked; what is read under an old
        // standing is undone with the ticket.
        let ticket = self.cache.ticket(key);
        let Some(zone) = self.zones.covering(&key.prefix()) else {
            return Ok(self.counted(Slot::NODE, lookup, Outcome::NotResponsible));
        };
        if zone.is_withheld_from(lookup.asker) {
            return Ok(self.counted(zone.slot, lookup, Outcome::Withheld));
        }
        let Some(stored) = RECORDS.get(&*self.store, key)? else {
            let absent = Outcome::Absent { descendants: false };
            return Ok(self.counted(zone.slot, lookup, absent));
        };
        let shown = self.shown(zone.as_it_stands(stored))?;
        // What is hidden from some is for nobody to find in memory.
        if zone.standing() != Standing::Hidden {
            self.cache.fill(key, &shown, zone.slot, ticket);
        }
        let kind = match self.view_hot(&shown, lookup.asker) {
            Some(kind) => kind,
            None => self.view(&shown.stored.record, lookup.asker)?,
        };
        Ok(self.counted(zone.slot, lookup, answer(shown.stored, kind)))
    }

    /// A record from the store as its prefix lets it be seen: a tombstone below a closed prefix,
    /// nothing where it is withheld from the asker or another node's.
    pub fn as_it_stands(&self, stored: StoredRecord, asker: &Asker) -> Option<StoredRecord> {
        let zone = self.zones.covering(&stored.record.identifier.prefix())?;
        (!zone.is_withheld_from(asker)).then(|| zone.as_it_stands(stored))
    }

    /// The record as the asker may see it; none where it is withheld. Blocks on the disk.
    fn seen_by(&self, asker: &Asker, stored: StoredRecord) -> Result<Option<Answer>, StoreError> {
        let Some(stored) = self.as_it_stands(stored, asker) else { return Ok(None) };
        let kind = self.view(&stored.record, asker)?;
        Ok(Some(Answer { stored: Arc::new(stored), kind }))
    }

    /// Who holds a record; none for the node itself.
    pub fn holder_of(&self, record: &Record) -> Option<RegistrantId> {
        if record.held_apart {
            return RegistrantId::parse(&record.registrant).ok();
        }
        self.zone_of(&record.identifier.prefix())?.allocation.registrant.clone()
    }

    fn any_in_branch(&self, prefix: &Prefix, branch: Branch) -> Result<bool, StoreError> {
        match branch {
            Branch::Digests => {
                let name = |digest| NameKey { prefix: prefix.clone(), digest };
                let range = crate::store::key_bytes(&name([0; 20]))
                    ..crate::store::key_bytes(&name([0xff; 20]));
                self.any_key(ColumnId::Names, range, |_| true)
            }
            Branch::Labels => self.any_key(ColumnId::Records, prefix.own_keys(), |key| {
                CanonicalKey::from_bytes(key).is_ok_and(|key| fits_label(key.suffix()))
            }),
        }
    }

    fn any_key(
        &self,
        column: ColumnId,
        range: std::ops::Range<Vec<u8>>,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<bool, StoreError> {
        let mut found = false;
        self.store.scan(column, range, Direction::Forward, &mut |key, _| {
            found = wanted(key);
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }
}

fn answer(stored: Arc<StoredRecord>, kind: ViewKind) -> Outcome {
    let status = stored.record.status;
    let answer = Answer { stored, kind };
    match status {
        Status::Active => Outcome::Record(answer),
        Status::Retired => Outcome::Retired(answer),
    }
}

/// Goes on behind a row that cannot be read, which is logged: one bad row does not cost the others.
fn pass_over(error: &StoreError) -> ControlFlow<()> {
    metrics::counter!("nameplate_resolver_unreadable_rows_total").increment(1);
    tracing::error!(%error, "a row was passed over");
    ControlFlow::Continue(())
}

/// Whether a suffix is a DNS label of its own below `_id`; the others are below `_hash`.
pub fn fits_label(suffix: &str) -> bool {
    suffix.len() <= LABEL_OCTETS && suffix != "*"
}

/// Most octets of a DNS label (RFC 1035 §2.3.4).
pub const LABEL_OCTETS: usize = 63;
