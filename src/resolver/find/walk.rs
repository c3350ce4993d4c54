//! Walking a query's rows, within bounds.

use std::ops::{ControlFlow, Range};

use super::path::Path;
use super::{Bounds, Find, Place, Resolver};
use crate::access::Asker;
use crate::identifier::{CanonicalKey, Prefix};
use crate::ledger::{EntryKind, JournalRow, Position};
use crate::registrant::RegistrantId;
use crate::resolver::{Answer, pass_over};
use crate::store::{
    ColumnId, Direction, INDEXES, IndexKey, RECORDS, StoreError, StoredRecord, key_bytes,
};

/// A page of what was found.
#[derive(Clone, Debug)]
pub struct FoundPage {
    /// The records as the asker may see them, in the order of the rows that led to them.
    pub answers: Vec<Answer>,
    /// Where to go on; none when everything was looked at.
    pub next: Option<Place>,
    /// How many rows were looked at.
    pub rows: usize,
}

pub(super) fn walk(
    resolver: &Resolver,
    find: &Find,
    asker: &Asker,
    from: Option<&Place>,
    limit: usize,
    most_bytes: usize,
) -> Result<FoundPage, StoreError> {
    let mut walk = Walk {
        resolver,
        find,
        asker,
        limit,
        most_bytes,
        page: FoundPage { answers: Vec::new(), next: None, rows: 0 },
        page_bytes: 0,
        read_bytes: 0,
        last: from.cloned(),
        stopped: false,
    };
    match &find.path {
        Path::Records { ranges, apart } => walk.records(ranges, apart.as_ref(), from)?,
        Path::Index { within, template, bounds } => {
            walk.index(within.as_ref(), *template, bounds, from)?;
        }
        Path::Journal { entries, first } => walk.journal(entries.clone(), *first, from)?,
    }
    let Walk { mut page, last, stopped, .. } = walk;
    page.next = last.filter(|_| stopped);
    Ok(page)
}

struct Walk<'a> {
    resolver: &'a Resolver,
    find: &'a Find,
    asker: &'a Asker,
    limit: usize,
    most_bytes: usize,
    page: FoundPage,
    page_bytes: usize,
    read_bytes: usize,
    last: Option<Place>,
    /// Whether the page ended before the rows did.
    stopped: bool,
}

impl Walk<'_> {
    /// Whether another row may be looked at.
    fn admit(&mut self) -> ControlFlow<()> {
        let full = self.page.answers.len() >= self.limit || self.page_bytes >= self.most_bytes;
        let reason = match () {
            () if full => None,
            () if self.page.rows >= MAX_ROWS => Some("rows"),
            () if self.read_bytes >= MAX_BYTES => Some("bytes"),
            () => {
                self.page.rows += 1;
                return ControlFlow::Continue(());
            }
        };
        if let Some(reason) = reason {
            metrics::counter!("nameplate_find_cut_short_total", "reason" => reason).increment(1);
        }
        self.stopped = true;
        ControlFlow::Break(())
    }

    fn offer(&mut self, stored: StoredRecord) {
        let bytes = weight(&stored);
        self.read_bytes += bytes;
        let answer = match self.resolver.seen_by(self.asker, stored) {
            Ok(Some(answer)) => answer,
            Ok(None) => return,
            Err(error) => {
                let _ = pass_over(&error);
                return;
            }
        };
        let holder = || self.resolver.holder_of(&answer.stored.record);
        if self.find.wants(&answer, holder) {
            self.page_bytes += bytes;
            self.page.answers.push(answer);
        }
    }

    fn offer_key(&mut self, key: &CanonicalKey) {
        match RECORDS.get(&*self.resolver.store, key) {
            Ok(Some(stored)) => self.offer(stored),
            // It changed since its index was read.
            Ok(None) => {}
            Err(error) => _ = pass_over(&error),
        }
    }

    fn records(
        &mut self,
        ranges: &[Range<Vec<u8>>],
        apart: Option<&RegistrantId>,
        from: Option<&Place>,
    ) -> Result<(), StoreError> {
        let store = &*self.resolver.store;
        let behind = |column| from.filter(|from| from.column == column).map(Place::behind);
        let start = behind(ColumnId::Records).unwrap_or_default();
        let held_apart = behind(ColumnId::Indexes);
        let ranges = if held_apart.is_some() { &[] } else { ranges };
        for range in ranges.iter().filter(|range| range.end > start) {
            let range = range.start.clone().max(start.clone())..range.end.clone();
            store.scan(ColumnId::Records, range, Direction::Forward, &mut |key, row| {
                self.admit()?;
                match RECORDS.decode(key, row) {
                    Ok(stored) => self.offer(stored),
                    Err(error) => _ = pass_over(&error),
                }
                self.last = Some(Place { column: ColumnId::Records, key: key.to_vec() });
                ControlFlow::Continue(())
            })?;
            if self.stopped {
                return Ok(());
            }
        }
        let Some(registrant) = apart else { return Ok(()) };
        let mut range = IndexKey::of_registrant(registrant);
        range.start = range.start.max(held_apart.unwrap_or_default());
        self.keys(range, |resolver, found| match found {
            // What lies under the registrant's prefixes was found there.
            IndexKey::Apart { key, .. } => {
                let zone = resolver.zone_of(&key.prefix());
                let holder = zone.and_then(|zone| zone.allocation.registrant.clone());
                (holder.as_ref() != Some(registrant)).then_some(key)
            }
            _ => None,
        })
    }

    /// Goes from one prefix that has rows to the next.
    fn index(
        &mut self,
        within: Option<&Prefix>,
        template: u32,
        bounds: &Bounds,
        from: Option<&Place>,
    ) -> Result<(), StoreError> {
        let mut at = from.map(Place::behind).unwrap_or_default();
        for whole in IndexKey::under(within) {
            at = at.max(whole.start.clone());
            while at < whole.end {
                let Some(prefix) = self.first_prefix(at.clone()..whole.end.clone())? else { break };
                if self.admit().is_break() {
                    return Ok(());
                }
                let mut range = value_range(&prefix, template, bounds);
                range.start = range.start.max(at);
                self.keys(range, |resolver, found| resolver.key_of(self.find, found))?;
                if self.stopped {
                    return Ok(());
                }
                at = IndexKey::behind(&prefix);
                self.last = Some(Place { column: ColumnId::Indexes, key: at.clone() });
            }
        }
        Ok(())
    }

    /// Looks at the records that index rows lead to.
    fn keys(
        &mut self,
        range: Range<Vec<u8>>,
        lead: impl Fn(&Resolver, IndexKey) -> Option<CanonicalKey>,
    ) -> Result<(), StoreError> {
        let resolver = self.resolver;
        resolver.store.scan(ColumnId::Indexes, range, Direction::Forward, &mut |key, _| {
            self.admit()?;
            match INDEXES.decode_key(key) {
                Ok(found) => {
                    let target = lead(resolver, found);
                    target.iter().for_each(|target| self.offer_key(target));
                }
                Err(error) => _ = pass_over(&error),
            }
            self.last = Some(Place { column: ColumnId::Indexes, key: key.to_vec() });
            ControlFlow::Continue(())
        })
    }

    /// The prefix of the first row in a range; rows that cannot be read are passed over.
    fn first_prefix(&self, range: Range<Vec<u8>>) -> Result<Option<Prefix>, StoreError> {
        let mut first = None;
        let store = &*self.resolver.store;
        store.scan(ColumnId::Indexes, range, Direction::Forward, &mut |key, _| {
            match INDEXES.decode_key(key) {
                Ok(IndexKey::Value { prefix, .. }) => first = Some(prefix),
                Ok(_) => {}
                Err(error) => return pass_over(&error),
            }
            ControlFlow::Break(())
        })?;
        Ok(first)
    }

    fn journal(
        &mut self,
        mut entries: Range<Vec<u8>>,
        first: bool,
        from: Option<&Place>,
    ) -> Result<(), StoreError> {
        entries.start = entries.start.max(from.map(Place::behind).unwrap_or_default());
        let resolver = self.resolver;
        resolver.visit_entries(entries, Direction::Forward, &mut |position, row| {
            self.admit()?;
            self.entry(position, &row, first);
            self.last = Some(Place { column: ColumnId::Journal, key: key_bytes(&position) });
            ControlFlow::Continue(())
        })
    }

    fn entry(&mut self, position: Position, row: &JournalRow, first: bool) {
        let of_record = matches!(row.entry.kind, EntryKind::Put | EntryKind::Retire);
        if !of_record || first && row.entry.version != 1 {
            return;
        }
        let Ok(key) = CanonicalKey::from_bytes(&row.subject) else { return };
        let within = self.find.query.prefix.as_ref();
        if within.is_some_and(|prefix| !prefix.covers(&key.prefix())) {
            return;
        }
        match RECORDS.get(&*self.resolver.store, &key) {
            Ok(Some(stored)) if first || stored.position == position => self.offer(stored),
            Ok(_) => {}
            Err(error) => _ = pass_over(&error),
        }
    }
}

impl Resolver {
    /// The record that a row of an attribute's index leads to.
    fn key_of(&self, find: &Find, found: IndexKey) -> Option<CanonicalKey> {
        let IndexKey::Value { prefix, attribute, tail, .. } = found else { return None };
        let value = match attribute {
            0 => 0,
            _ => {
                let template = &find.template.as_ref()?.template;
                let attributes = template.attributes().iter();
                let mut attributes = attributes.filter(|known| known.index == attribute);
                attributes.next()?.item.kind.indexed_length(&tail)?
            }
        };
        let suffix = std::str::from_utf8(tail.get(value..)?).ok()?;
        CanonicalKey::under(&prefix, suffix).ok()
    }
}

impl Place {
    /// The first key behind the place.
    fn behind(&self) -> Vec<u8> {
        [&self.key[..], &[0]].concat()
    }
}

/// The rows of an attribute under one prefix whose values lie within the bounds.
fn value_range(prefix: &Prefix, template: u32, bounds: &Bounds) -> Range<Vec<u8>> {
    let attribute = bounds.attribute;
    let key = |attribute, tail: &[u8]| {
        let (prefix, tail) = (prefix.clone(), tail.to_vec());
        key_bytes(&IndexKey::Value { prefix, template, attribute, tail })
    };
    let end = match (&bounds.until, attribute.checked_add(1)) {
        (Some(until), _) => key(attribute, until),
        (None, Some(next)) => key(next, &[]),
        (None, None) => IndexKey::behind(prefix),
    };
    let start = key(attribute, &bounds.from);
    start.clone()..end.max(start)
}

/// Roughly the bytes of a record in an answer.
pub fn weight(stored: &StoredRecord) -> usize {
    let values = stored.record.values.iter();
    256 + values.map(|value| 96 + value.kind.len() + value.data.len()).sum::<usize>()
}

/// Most rows that one request looks at.
pub const MAX_ROWS: usize = 10_000;

/// Bytes of records after which a request looks at no more.
pub const MAX_BYTES: usize = 32 << 20;
