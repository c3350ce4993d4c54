//! How much of a record somebody may see: the one place where that is decided.
//!
//! The holder, and whoever may read the holder's records, see all. Others see what has public-read
//! permission and the attributes that the holder grants to everybody, to their registrant or to a
//! group it is in. Grants only ever show attributes, so a record without hidden ones needs no
//! look at the grants.

use std::sync::Arc;

use super::Resolver;
use super::books::{Allowed, Granted, Stamp};
use crate::access::{Action, Asker};
use crate::record::{Extra, Record, Value, ViewKind};
use crate::registrant::{Access, RegistrantId};
use crate::store::{StoreError, StoredRecord};

/// A record with what everybody sees of it, as it is remembered.
#[derive(Clone)]
pub(super) struct Shown {
    pub stored: Arc<StoredRecord>,
    public: ViewKind,
    /// When the grants were read; none when they do not matter.
    stamp: Option<Stamp>,
}

impl Shown {
    /// A record without hidden attributes.
    pub fn plain(stored: Arc<StoredRecord>) -> Self {
        Self { stored, public: ViewKind::PUBLIC, stamp: None }
    }
}

/// What decides on a view.
enum Decision<'a> {
    /// Nothing more is needed.
    Made(ViewKind),
    /// What the holder grants this registrant; none is anybody.
    ByGrants(Option<&'a RegistrantId>),
}

impl Resolver {
    /// How much of a record somebody may see. Blocks on the disk.
    pub fn view(&self, record: &Record, asker: &Asker) -> Result<ViewKind, StoreError> {
        self.view_held(record, self.holder_of(record).as_ref(), asker)
    }

    /// How much somebody may see of a version of a record that `holder` holds today: whoever held
    /// it once has no say any more. Blocks on the disk.
    pub fn view_held(
        &self,
        version: &Record,
        holder: Option<&RegistrantId>,
        asker: &Asker,
    ) -> Result<ViewKind, StoreError> {
        match decide(version, holder, asker) {
            Decision::Made(kind) => Ok(kind),
            Decision::ByGrants(registrant) => {
                let granted = self.books.read(&*self.store, holder, version)?;
                Ok(view_by(version, &granted, registrant))
            }
        }
    }

    /// How much of a record somebody may see, if no grant has a say in it.
    pub fn view_without_grants(&self, record: &Record, asker: &Asker) -> Option<ViewKind> {
        match decide(record, self.holder_of(record).as_ref(), asker) {
            Decision::Made(kind) => Some(kind),
            Decision::ByGrants(_) => None,
        }
    }

    /// How much of a remembered record somebody may see, if memory can tell.
    pub(super) fn view_hot(&self, shown: &Shown, asker: &Asker) -> Option<ViewKind> {
        if let Asker::Public = asker {
            return Some(shown.public.clone());
        }
        let record = &shown.stored.record;
        let holder = self.holder_of(record);
        match decide(record, holder.as_ref(), asker) {
            Decision::Made(kind) => Some(kind),
            Decision::ByGrants(registrant) => {
                let granted = self.books.find(holder.as_ref(), record)?;
                Some(view_by(record, &granted, registrant))
            }
        }
    }

    /// Whether what everybody sees of a remembered record is still what it was.
    pub(super) fn is_current(&self, shown: &Shown) -> bool {
        shown.stamp.is_none_or(|stamp| self.books.is_current(stamp))
    }

    /// A record as it is remembered. Blocks on the disk.
    pub(super) fn shown(&self, stored: StoredRecord) -> Result<Shown, StoreError> {
        let stored = Arc::new(stored);
        let record = &stored.record;
        if hidden(record).next().is_none() {
            return Ok(Shown::plain(stored));
        }
        let holder = self.holder_of(record);
        let stamp = Some(self.books.stamp(holder.as_ref()));
        let public = self.view_held(record, holder.as_ref(), &Asker::Public)?;
        Ok(Shown { stored, public, stamp })
    }

    /// Forgets what these granters grant, by the names they have in names of grants; called by the
    /// registry before each commit that changes grants or groups, and after it before anybody is
    /// told.
    pub fn forget_grants(&self, granters: &[String]) {
        granters.iter().for_each(|granter| self.books.forget(granter));
    }
}

fn decide<'a>(record: &Record, holder: Option<&RegistrantId>, asker: &'a Asker) -> Decision<'a> {
    let Asker::Actor(actor) = asker else {
        return match hidden(record).next() {
            None => Decision::Made(ViewKind::PUBLIC),
            Some(_) => Decision::ByGrants(None),
        };
    };
    let prefix = record.identifier.prefix();
    if asker.sees_all(&prefix, holder) {
        return Decision::Made(ViewKind::Full);
    }
    if hidden(record).next().is_none() {
        return Decision::Made(ViewKind::PUBLIC);
    }
    // A grant counts as far as the token reads its own registrant's records.
    let own = actor.registrant().filter(|own| actor.may(Action::Read, &prefix, Some(*own)));
    Decision::ByGrants(own)
}

fn view_by(record: &Record, granted: &Granted, registrant: Option<&RegistrantId>) -> ViewKind {
    let shown_to = |registrant| -> Vec<u32> {
        let allowed = Allowed::of(granted, registrant, Access::View);
        let shown = hidden(record).filter(|value| allowed.contains(&value.kind));
        shown.map(|value| value.index).collect()
    };
    let everybody = shown_to(None);
    if registrant.is_some() {
        let own = shown_to(registrant);
        if own.len() > everybody.len() {
            return ViewKind::Granted(Extra::new(own));
        }
    }
    ViewKind::Public(Extra::new(everybody))
}

/// The attributes that not everybody may read.
fn hidden(record: &Record) -> impl Iterator<Item = &Value> {
    record.attributes().filter(|value| !value.permissions.public_read())
}
