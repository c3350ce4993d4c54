//! The check of records, their versions, and the rows by which they are found.

use super::Checking;
use crate::identifier::{CanonicalKey, Prefix};
use crate::record::{Record, Status};
use crate::registry::entry::record_entry;
use crate::registry::filing::Filing;
use crate::resolver::fits_label;
use crate::store::{
    ColumnId, INDEXES, IndexKey, NAMES, NameKey, RECORDS, REFERENCES, StoreError, StoredRecord,
    UNIQUE, VERSIONS, VersionKey,
};

impl Checking<'_> {
    pub(super) fn records(&mut self) -> Result<(), StoreError> {
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
    pub(super) fn filed(&mut self) -> Result<(), StoreError> {
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

    pub(super) fn versions(&mut self) -> Result<(), StoreError> {
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

    pub(super) fn names(&mut self) -> Result<(), StoreError> {
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
}
