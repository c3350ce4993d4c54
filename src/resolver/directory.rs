//! Reading what administration keeps: documents, prefixes, and their histories.
//!
//! Pages look at a bounded number of rows, however few of them are wanted, so that no question
//! holds a thread for long. Rows that cannot be read are passed over and counted: their neighbours
//! are answered, and `nameplate check` names them.

use std::ops::{ControlFlow, Range};

use serde_json::Value as Json;

use super::Resolver;
use crate::identifier::Prefix;
use crate::ledger::{BODIES, JOURNAL, Position, subject_of_node, subject_of_prefix};
use crate::registrant::Allocation;
use crate::store::{
    COUNTERS, Column, ColumnId, Direction, Document, DocumentKey, Key, PREFIXES, Row, StoreError,
    StoredDocument, StoredPrefix, find_document, identifier_counter, key_bytes,
};

/// A page of things, each with its name.
#[derive(Clone, Debug)]
pub struct DirectoryPage<T> {
    /// The things.
    pub items: Vec<(String, StoredDocument<T>)>,
    /// Behind which name the next page begins; none on the last.
    pub next: Option<String>,
}

/// A version of a thing, as the ledger has it.
#[derive(Clone, Debug)]
pub struct PastVersion {
    /// Where its entry stands.
    pub position: Position,
    /// The version.
    pub version: u64,
    /// When it was made; milliseconds since 1970.
    pub time_ms: u64,
    /// Account that made it.
    pub actor: String,
    /// Why, in the actor's words; may be empty.
    pub reason: String,
    /// The thing as it was.
    pub content: Json,
    /// Where the version before it stands.
    pub previous: Option<Position>,
}

impl Resolver {
    /// The document of this name. Blocks on the disk.
    pub fn document<T: Document>(&self, id: &str) -> Result<Option<StoredDocument<T>>, StoreError> {
        find_document(&*self.store, id)
    }

    /// Up to `limit` documents behind the name `after`, of those `wanted`. Blocks on the disk.
    pub fn documents<T: Document>(
        &self,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&str, &StoredDocument<T>) -> bool,
    ) -> Result<DirectoryPage<T>, StoreError> {
        let key = |id: &str| key_bytes(&DocumentKey { kind: T::KIND, id: id.to_owned() });
        let first = after.map_or_else(|| key(""), |after| behind(key(after)));
        let column = Column::new(ColumnId::Documents);
        self.page(&column, first..vec![T::KIND as u8 + 1], limit, |key: &DocumentKey, stored| {
            wanted(&key.id, stored).then(|| key.id.clone())
        })
    }

    /// What the node knows of a prefix. Blocks on the disk.
    pub fn allocation(&self, prefix: &Prefix) -> Result<Option<StoredPrefix>, StoreError> {
        PREFIXES.get(&*self.store, prefix)
    }

    /// Up to `limit` prefixes behind `after`, of those `wanted`. Blocks on the disk.
    pub fn allocations(
        &self,
        after: Option<&Prefix>,
        limit: usize,
        wanted: impl Fn(&Prefix, &StoredPrefix) -> bool,
    ) -> Result<DirectoryPage<Allocation>, StoreError> {
        let first = after.map_or_else(Vec::new, |after| behind(key_bytes(after)));
        self.page(&PREFIXES, first..vec![u8::MAX; 2], limit, |prefix, stored| {
            wanted(prefix, stored).then(|| prefix.to_string())
        })
    }

    /// How many identifiers count under a prefix, retired ones included. Blocks on the disk.
    pub fn identifier_count(&self, prefix: &Prefix) -> Result<u64, StoreError> {
        let count = COUNTERS.get(&*self.store, &identifier_counter(prefix))?;
        Ok(count.map_or(0, |count| count.0))
    }

    /// How many of this node's prefixes end within `days` of now, or have ended.
    pub fn expiring(&self, days: u64, now_ms: u64) -> usize {
        let zones = self.zones.all();
        zones.iter().filter(|zone| zone.allocation.expires_within(days, now_ms)).count()
    }

    /// Up to `limit` versions of a document, newest first, from the entry at `from` or from the
    /// latest. Blocks on the disk.
    pub fn past_documents<T: Document>(
        &self,
        id: &str,
        from: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PastVersion>, StoreError> {
        let latest = self.document::<T>(id)?.map(|latest| latest.position);
        let subject = subject_of_node(&format!("{}/{id}", T::KIND.as_str()));
        self.walk_back(&subject, from.or(latest), limit)
    }

    /// Up to `limit` versions of a prefix, newest first, from the entry at `from` or from the
    /// latest. Blocks on the disk.
    pub fn past_allocations(
        &self,
        prefix: &Prefix,
        from: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PastVersion>, StoreError> {
        let latest = self.allocation(prefix)?.map(|latest| latest.position);
        self.walk_back(&subject_of_prefix(prefix), from.or(latest), limit)
    }

    /// Follows the entries about a subject from one to the one before. Entries about others, which
    /// a made-up `next` may name, end the walk.
    fn walk_back(
        &self,
        subject: &[u8],
        mut next: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PastVersion>, StoreError> {
        let mut versions = Vec::new();
        while let Some(position) = next.filter(|_| versions.len() < limit) {
            let row = JOURNAL.get(&*self.store, &position)?;
            let Some(row) = row.filter(|row| row.subject == subject) else { break };
            let Some(kept) = BODIES.get(&*self.store, &position)? else { break };
            let meta: Json = serde_json::from_str(&kept.meta).unwrap_or_default();
            let text = |name: &str| meta[name].as_str().unwrap_or_default().to_owned();
            let before = &meta["previous_at"];
            let log = before["log"].as_u64().and_then(|log| u32::try_from(log).ok());
            let previous = log.zip(before["index"].as_u64());
            next = previous.map(|(log, index)| Position { log, index });
            versions.push(PastVersion {
                position,
                version: row.entry.version,
                time_ms: row.entry.time_ms,
                actor: text("actor"),
                reason: text("reason"),
                content: serde_json::from_str(&kept.body).unwrap_or_default(),
                previous: next,
            });
        }
        Ok(versions)
    }

    fn page<K: Key, T>(
        &self,
        column: &Column<K, StoredDocument<T>>,
        range: Range<Vec<u8>>,
        limit: usize,
        name: impl Fn(&K, &StoredDocument<T>) -> Option<String>,
    ) -> Result<DirectoryPage<T>, StoreError>
    where
        StoredDocument<T>: Row,
    {
        let mut page = DirectoryPage { items: Vec::new(), next: None };
        if range.start >= range.end {
            return Ok(page);
        }
        let (mut seen, mut last) = (0, None);
        self.store.scan(column.id(), range, Direction::Forward, &mut |key, row| {
            if page.items.len() >= limit || seen >= MAX_LOOKED_AT {
                page.next = last.take();
                return ControlFlow::Break(());
            }
            seen += 1;
            let decoded = column.decode_key(key);
            match decoded.and_then(|typed| Ok((typed, column.decode(key, row)?))) {
                Ok((typed, stored)) => {
                    last = Some(cursor(column.id(), key));
                    if let Some(name) = name(&typed, &stored) {
                        page.items.push((name, stored));
                    }
                }
                Err(_) => {
                    metrics::counter!("nameplate_directory_corrupt_total").increment(1);
                    last = Some(cursor(column.id(), key));
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(page)
    }
}

/// The name in a key, from which a next page can begin.
fn cursor(column: ColumnId, key: &[u8]) -> String {
    let name = if column == ColumnId::Documents { key.get(1..) } else { Some(key) };
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}

/// The first key behind this one.
fn behind(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// Most rows that are looked at for one page.
const MAX_LOOKED_AT: usize = 10_000;
