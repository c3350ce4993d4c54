//! The check of a whole store: every row decodes, every index leads somewhere, and the ledger
//! proves every row and is proved by its tiles and checkpoint.
//!
//! Faults are collected, not thrown: an operator wants to know all of them at once. Memory is
//! bounded by [`MAX_FINDINGS`], not by the store.

mod grants;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value as Json;

use super::entry::record_entry;
use super::filing::Filing;
use super::idempotency::IDEMPOTENCY;
use crate::access::{Account, TOKENS};
use crate::codec::canonical_json;
use crate::identifier::{CanonicalKey, Identifier, Prefix};
use crate::ledger::{
    BODIES, Entry, EntryKind, JOURNAL, JournalRow, Position, body_commitment, logs,
    subject_of_node, subject_of_prefix, verify_log,
};
use crate::record::{Record, Status};
use crate::resolver::fits_label;
use crate::signing::{NodeKeys, SaltKey};
use crate::store::{
    COUNTERS, Column, ColumnId, Direction, Document, DocumentKey, DocumentKind, INDEXES, IndexKey,
    Key, NAMES, NameKey, PREFIXES, RECORDS, REFERENCES, Read, Row, STATISTICS, StoreError,
    StoredDocument, StoredRecord, UNIQUE, VERSIONS, VersionKey, all_keys, find_document,
};
use crate::template::{Template, TemplateHead, TemplateVersion, version_id};

/// What a check found.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct CheckReport {
    /// Rows looked at, by column.
    pub rows: std::collections::BTreeMap<&'static str, u64>,
    /// Entries of all logs.
    pub ledger_entries: u64,
    /// Logs, by origin, whose commitments could not be compared: the salt key they were made with
    /// is not among the node's keys.
    pub unproved_logs: Vec<String>,
    /// The first [`MAX_FINDINGS`] faults.
    pub findings: Vec<Finding>,
    /// How many faults there are in all.
    pub faults: u64,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Column it is in.
    pub column: &'static str,
    /// Where in the column, readable.
    pub place: String,
    /// What is wrong.
    pub fault: String,
}

/// Walks every column of a consistent view; `progress` is told the rows done so far.
pub fn check(
    read: &dyn Read,
    keys: &NodeKeys,
    progress: &mut dyn FnMut(u64),
) -> Result<CheckReport, StoreError> {
    let (proved, unproved): (Vec<_>, Vec<_>) =
        logs(read)?.into_iter().partition(|log| log.salt_key_id == keys.salt.id());
    let report = CheckReport {
        unproved_logs: unproved.into_iter().map(|log| log.origin).collect(),
        ..Default::default()
    };
    let proved = proved.into_iter().map(|log| log.id).collect();
    let (templates, filed) = (Templates::default(), HashMap::new());
    let mut checking = Checking { read, keys, proved, progress, report, done: 0, templates, filed };
    checking.records()?;
    checking.filed()?;
    checking.versions()?;
    checking.names()?;
    checking.prefixes()?;
    checking.documents()?;
    checking.tokens()?;
    checking.walk(&IDEMPOTENCY, |_, _, _| Ok(()))?;
    checking.walk(&STATISTICS, |_, _, _| Ok(()))?;
    checking.grants()?;
    checking.ledger()?;
    Ok(checking.report)
}

struct Checking<'a> {
    read: &'a dyn Read,
    keys: &'a NodeKeys,
    /// Logs whose commitments can be compared.
    proved: Vec<u32>,
    progress: &'a mut dyn FnMut(u64),
    report: CheckReport,
    done: u64,
    templates: Templates,
    /// Rows that the records account for, by column.
    filed: HashMap<ColumnId, u64>,
}

/// Versions of templates, compiled as the records that follow them are met.
#[derive(Default)]
struct Templates {
    known: HashMap<(String, u64), Compiled>,
}

/// A template's number and one of its versions; none when it was not published.
type Compiled = Option<Arc<(u32, Template)>>;

impl Templates {
    /// Number and version of the template with this identifier; none when it is not published.
    fn find(&mut self, read: &dyn Read, text: &str, version: u64) -> Result<Compiled, StoreError> {
        let place = (text.to_owned(), version);
        if let Some(known) = self.known.get(&place) {
            return Ok(known.clone());
        }
        let Ok(identifier) = Identifier::literal(text) else { return Ok(None) };
        let head = find_document::<TemplateHead>(read, identifier.key().text())?;
        let Some(number) = head.map(|head| head.content.number) else { return Ok(None) };
        let found = find_document::<TemplateVersion>(read, &version_id(number, version))?;
        let found = found.filter(|found| found.content.published);
        let compiled = found.and_then(|found| {
            let definition = canonical_json(&found.content.definition);
            Template::from_json(definition.as_bytes()).ok()
        });
        let compiled = compiled.map(|template| Arc::new((number, template)));
        if self.known.len() >= MAX_TEMPLATES {
            self.known.clear();
        }
        self.known.insert(place, compiled.clone());
        Ok(compiled)
    }
}

impl Checking<'_> {
    fn records(&mut self) -> Result<(), StoreError> {
        self.walk(&RECORDS, |checking, key, stored| {
            checking.record(RECORDS.id(), key, stored)?;
            let key = stored.record.identifier.key();
            if !fits_label(key.suffix()) {
                let name = NameKey { prefix: key.prefix(), digest: key.short_digest() };
                if NAMES.get(checking.read, &name)?.as_ref() != Some(key) {
                    checking.fault(RECORDS.id(), key.text(), "its row in names is missing");
                }
            }
            // The version before it must be there, and by the walk over versions all before that.
            if stored.record.version > 1 {
                let before = VersionKey { key: key.clone(), version: stored.record.version - 1 };
                if VERSIONS.get(checking.read, &before)?.is_none() {
                    checking.fault(RECORDS.id(), key.text(), "the version before it is missing");
                }
            }
            checking.filing(&stored.record)
        })
    }

    /// That the rows by which a record is found are there.
    fn filing(&mut self, record: &Record) -> Result<(), StoreError> {
        let key = record.identifier.key();
        let Some((text, version)) = record.template() else { return Ok(()) };
        if record.status == Status::Retired {
            return Ok(());
        }
        let template = self.templates.find(self.read, text, version)?;
        let filing = template
            .as_deref()
            .and_then(|(number, template)| Filing::of(record, *number, template).ok());
        let Some(filing) = filing else {
            let fault = format!("it is not right by version {version} of template {text}");
            self.fault(RECORDS.id(), key.text(), &fault);
            return Ok(());
        };
        for row in filing.rows(key) {
            let mut same = false;
            let compare = &mut |stored: &[u8]| same = row.row.as_deref() == Some(stored);
            self.read.read(row.column, &row.key, compare)?;
            *self.filed.entry(row.column).or_default() += 1;
            if !same {
                let fault = format!("a row in {} is missing or wrong", row.column.name());
                self.fault(RECORDS.id(), key.text(), &fault);
            }
        }
        Ok(())
    }

    /// That no other rows are there: the records' own were counted on the way.
    fn filed(&mut self) -> Result<(), StoreError> {
        let mut values = 0;
        self.walk(&INDEXES, |_, key, _| {
            values += u64::from(matches!(key, IndexKey::Value { .. }));
            Ok(())
        })?;
        let (mut unique, mut references) = (0, 0);
        self.walk(&UNIQUE, |checking, key, owner| {
            unique += 1;
            if RECORDS.get(checking.read, owner)?.is_none() || owner.prefix() != key.prefix {
                checking.fault(UNIQUE.id(), owner.text(), "a unique value leads to no record");
            }
            Ok(())
        })?;
        self.walk(&REFERENCES, |checking, key, _| {
            references += 1;
            if RECORDS.get(checking.read, &key.source)?.is_none() {
                checking.fault(REFERENCES.id(), key.source.text(), "refers without a record");
            }
            Ok(())
        })?;
        for (column, rows) in
            [(INDEXES.id(), values), (UNIQUE.id(), unique), (REFERENCES.id(), references)]
        {
            let expected = self.filed.get(&column).copied().unwrap_or_default();
            if rows != expected {
                let fault = format!("{rows} rows, where the records account for {expected}");
                self.fault(column, "", &fault);
            }
        }
        Ok(())
    }

    fn head(&mut self, id: &str) -> Result<(), StoreError> {
        let Some(stored) = find_document::<TemplateHead>(self.read, id)? else { return Ok(()) };
        let head = stored.content;
        let count = COUNTERS.get(self.read, &"templates/number".to_owned())?;
        if count.is_none_or(|count| count.0 < u64::from(head.number)) {
            self.fault(ColumnId::Documents, id, "its number is above the counter of numbers");
        }
        for version in 1..=head.latest {
            let id = version_id(head.number, version);
            let found = find_document::<TemplateVersion>(self.read, &id)?;
            let right = found.is_some_and(|found| {
                // Only the newest may be a draft.
                found.content.published
                    || (version == head.latest && head.published != Some(version))
            });
            if !right {
                self.fault(ColumnId::Documents, &id, "missing, or a draft where it must not be");
            }
        }
        Ok(())
    }

    fn versions(&mut self) -> Result<(), StoreError> {
        self.walk(&VERSIONS, |checking, key, stored| {
            checking.record(VERSIONS.id(), &key.key, stored)?;
            let place = || format!("{} version {}", key.key.text(), key.version);
            if stored.record.version != key.version {
                checking.fault(VERSIONS.id(), &place(), "holds another version");
            }
            let latest = RECORDS.get(checking.read, &key.key)?;
            if latest.is_none_or(|latest| latest.record.version <= key.version) {
                checking.fault(VERSIONS.id(), &place(), "no later version in records");
            }
            if key.version > 1 {
                let before = VersionKey { key: key.key.clone(), version: key.version - 1 };
                if VERSIONS.get(checking.read, &before)?.is_none() {
                    checking.fault(VERSIONS.id(), &place(), "the version before it is missing");
                }
            }
            Ok(())
        })
    }

    /// A record in either column: its key and its ledger entry.
    fn record(
        &mut self,
        column: ColumnId,
        key: &CanonicalKey,
        stored: &StoredRecord,
    ) -> Result<(), StoreError> {
        if stored.record.identifier.key() != key {
            self.fault(column, key.text(), "holds the record of another identifier");
        }
        let entry = record_entry(self.keys, &stored.record);
        self.entry(column, key.text(), stored.position, &entry, key.as_bytes())
    }

    /// That the journal has `entry` about `subject` at `position`.
    fn entry(
        &mut self,
        column: ColumnId,
        place: &str,
        position: Position,
        entry: &Entry,
        subject: &[u8],
    ) -> Result<(), StoreError> {
        let key = position;
        match JOURNAL.get(self.read, &key)? {
            None => self.fault(column, place, "its ledger entry is missing"),
            Some(row) if !self.matches(position, &row.entry, entry) || row.subject != subject => {
                let at = format!("log {} index {}", position.log, position.index);
                self.fault(
                    column,
                    place,
                    &format!("its ledger entry ({at}) commits to other data"),
                );
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Whether a stored entry is the one that a row leads to, as far as the salts are known.
    fn matches(&self, position: Position, stored: &Entry, expected: &Entry) -> bool {
        let commitment = match self.proved.contains(&position.log) {
            true => expected.commitment,
            false => stored.commitment,
        };
        *stored == Entry { commitment, ..*expected }
    }

    fn names(&mut self) -> Result<(), StoreError> {
        self.walk(&NAMES, |checking, name, key| {
            if name.digest != key.short_digest() || name.prefix != Prefix::from(key) {
                checking.fault(NAMES.id(), key.text(), "stands under another identifier's digest");
            }
            if RECORDS.get(checking.read, key)?.is_none() {
                checking.fault(NAMES.id(), key.text(), "leads to no record");
            }
            Ok(())
        })
    }

    fn prefixes(&mut self) -> Result<(), StoreError> {
        self.walk(&PREFIXES, |checking, prefix, stored| {
            let mut body = serde_json::to_value(&stored.content).unwrap_or_default();
            body["prefix"] = prefix.as_str().into();
            let (place, subject) = (prefix.as_str(), subject_of_prefix(prefix));
            checking.body(PREFIXES.id(), place, stored.position, stored.version, &subject, &body)
        })
    }

    fn documents(&mut self) -> Result<(), StoreError> {
        let column: Column<DocumentKey, StoredDocument<Json>> = Column::new(ColumnId::Documents);
        self.walk(&column, |checking, key, stored| {
            let place = format!("{}/{}", key.kind.as_str(), key.id);
            let body = ledger_body(key.kind, &stored.content);
            let subject = subject_of_node(&place);
            let (position, version) = (stored.position, stored.version);
            checking.body(ColumnId::Documents, &place, position, version, &subject, &body)?;
            if key.kind == DocumentKind::Template { checking.head(&key.id) } else { Ok(()) }
        })
    }

    /// That the ledger's entry of a document is about it, and that its body is what the row says.
    fn body(
        &mut self,
        column: ColumnId,
        place: &str,
        position: Position,
        version: u64,
        subject: &[u8],
        body: &Json,
    ) -> Result<(), StoreError> {
        let row = JOURNAL.get(self.read, &position)?;
        let proved = row.is_some_and(|row| {
            row.entry.kind.has_body() && row.entry.version == version && row.subject == subject
        });
        if !proved {
            self.fault(column, place, "its ledger entry is missing or about something else");
        } else if let Some(kept) = BODIES.get(self.read, &position)?
            && kept.body != canonical_json(body)
        {
            self.fault(column, place, "the ledger's entry of this version has another content");
        }
        Ok(())
    }

    fn tokens(&mut self) -> Result<(), StoreError> {
        self.walk(&TOKENS, |checking, digest, token| {
            if digest.id() != token.id {
                checking.fault(TOKENS.id(), &token.id, "stands under another token's digest");
            }
            Ok(())
        })
    }

    fn ledger(&mut self) -> Result<(), StoreError> {
        for log in logs(self.read)? {
            let mut visited: Vec<(String, &'static str)> = Vec::new();
            let read = self.read;
            let salt = self.proved.contains(&log.id).then_some(&self.keys.salt);
            let (mut done, mut failure) = (self.done, None);
            let progress = &mut *self.progress;
            let report = verify_log(read, &log, &mut |position, row| {
                done += 1;
                if done.is_multiple_of(PROGRESS_ROWS) {
                    progress(done);
                }
                match fault_of_entry(read, salt, position, row) {
                    Ok(Some(fault)) if visited.len() < MAX_FINDINGS => {
                        visited.push((format!("log {} index {}", log.id, position.index), fault));
                    }
                    Ok(_) => {}
                    Err(error) => failure = Some(error),
                }
            })?;
            if let Some(error) = failure {
                return Err(error);
            }
            self.done = done;
            self.report.ledger_entries += report.size;
            *self.report.rows.entry(ColumnId::Journal.name()).or_default() += report.size;
            for (place, fault) in visited {
                self.fault(ColumnId::Journal, &place, fault);
            }
            for finding in report.findings {
                self.fault(finding.column, &finding.place, &finding.fault);
            }
            self.report.faults += report.more_findings;
        }
        Ok(())
    }

    /// Decodes every row of a column and looks at those that decode.
    fn walk<K: Key, R: Row>(
        &mut self,
        column: &Column<K, R>,
        mut look: impl FnMut(&mut Self, &K, &R) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut failure = None;
        let read = self.read;
        read.scan(column.id(), all_keys(), Direction::Forward, &mut |key, row| {
            self.done += 1;
            if self.done.is_multiple_of(PROGRESS_ROWS) {
                (self.progress)(self.done);
            }
            *self.report.rows.entry(column.id().name()).or_default() += 1;
            let decoded =
                column.decode_key(key).and_then(|typed| Ok((typed, column.decode(key, row)?)));
            let looked = match decoded {
                Ok((key, row)) => look(self, &key, &row),
                Err(error) => {
                    let place = data_encoding::HEXLOWER.encode(key);
                    self.fault(column.id(), &place, &error.to_string());
                    Ok(())
                }
            };
            match looked {
                Ok(()) => ControlFlow::Continue(()),
                // Rows met on the way may be corrupt too; their own column's walk reports them.
                Err(StoreError::Corrupt { .. }) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failure.map_or(Ok(()), Err)
    }

    fn fault(&mut self, column: ColumnId, place: &str, fault: &str) {
        self.report.faults += 1;
        if self.report.findings.len() < MAX_FINDINGS {
            let (column, place) = (column.name(), place.to_owned());
            self.report.findings.push(Finding { column, place, fault: fault.to_owned() });
        }
    }
}

/// What the ledger says of a document of this content: all of it, but for accounts.
fn ledger_body(kind: DocumentKind, content: &Json) -> Json {
    let account = match kind {
        DocumentKind::Account => serde_json::from_value::<Account>(content.clone()).ok(),
        _ => None,
    };
    account.map_or_else(|| content.clone(), |account| account.ledger_body())
}

/// What is wrong with a journal row seen from the ledger's side.
fn fault_of_entry(
    read: &dyn Read,
    salt: Option<&SaltKey>,
    position: Position,
    row: &JournalRow,
) -> Result<Option<&'static str>, StoreError> {
    if matches!(row.entry.kind, EntryKind::Put | EntryKind::Retire) {
        let Ok(key) = CanonicalKey::from_bytes(&row.subject) else {
            return Ok(Some("its subject is no identifier"));
        };
        let latest = RECORDS.get(read, &key)?;
        let stored = match latest.filter(|latest| latest.record.version == row.entry.version) {
            Some(latest) => Some(latest),
            None => VERSIONS.get(read, &VersionKey { key, version: row.entry.version })?,
        };
        let here = stored.is_some_and(|stored| stored.position == position);
        return Ok((!here).then_some("the version it records is missing"));
    }
    let Some(kept) = BODIES.get(read, &position)? else {
        return Ok(Some("its body is missing"));
    };
    let (Some(salt), entry) = (salt, &row.entry) else { return Ok(None) };
    let commitment = body_commitment(salt, &row.subject, entry.version, &kept.meta, &kept.body);
    Ok((commitment != entry.commitment).then_some("its body is not what it commits to"))
}

/// Most faults that are listed; all are counted.
pub const MAX_FINDINGS: usize = 1_000;

/// Versions of templates kept in memory.
const MAX_TEMPLATES: usize = 1_000;

/// Rows between two reports of progress.
const PROGRESS_ROWS: u64 = 10_000;
