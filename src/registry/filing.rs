//! What a record is filed under: the rows by which it is found.
//!
//! The rows of an active record with a template follow from its values and the version of the
//! template that it names; all others have none. Planning writes the difference between the rows
//! of one version and the next, the check compares all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::submit::RowChange;
use crate::identifier::{CanonicalKey, Prefix};
use crate::record::Record;
use crate::store::{
    Column, INDEXES, IndexKey, Key, Present, REFERENCES, ReferenceKey, ReferringAttributes, Row,
    UNIQUE, UniqueKey, key_bytes,
};
use crate::template::{Fault, IndexKey as Filed, Template, TypedReference};

/// What one version of a record is filed under.
#[derive(Debug)]
pub(super) struct Filing {
    /// The template's number.
    pub template: u32,
    /// Indexed and unique values.
    pub keys: Vec<Filed>,
    /// Identifiers referred to.
    pub references: Vec<TypedReference>,
}

impl Filing {
    /// What a stored record is filed under, by the version of the template that it names.
    pub(super) fn of(
        record: &Record,
        number: u32,
        template: &Template,
    ) -> Result<Self, Vec<Fault>> {
        let attributes = record.attribute_map();
        let filled = template.fill(attributes.clone(), &attributes)?;
        Ok(Self { template: number, keys: filled.keys, references: filled.references })
    }

    /// The values that no other record under `prefix` may have.
    pub(super) fn unique_keys(&self, prefix: &Prefix) -> impl Iterator<Item = (UniqueKey, &Filed)> {
        let unique = self.keys.iter().filter(|key| key.unique);
        unique.map(move |key| (self.unique_key(prefix, key), key))
    }

    fn unique_key(&self, prefix: &Prefix, key: &Filed) -> UniqueKey {
        let (attribute, value) = (key.attribute, key.bytes.clone());
        UniqueKey { prefix: prefix.clone(), template: self.template, attribute, value }
    }

    /// The rows of the record with this key, each to be set.
    pub(super) fn rows(&self, key: &CanonicalKey) -> Vec<RowChange> {
        let mut rows = Vec::with_capacity(self.keys.len() + 1);
        let prefix = key.prefix();
        let suffix = key.suffix().as_bytes();
        let index = |attribute, value: &[u8]| IndexKey::Value {
            prefix: prefix.clone(),
            template: self.template,
            attribute,
            tail: [value, suffix].concat(),
        };
        rows.push(set(&INDEXES, &index(ANY_ATTRIBUTE, &[]), &Present));
        for filed in &self.keys {
            if filed.indexed {
                rows.push(set(&INDEXES, &index(filed.attribute, &filed.bytes), &Present));
            }
            if filed.unique {
                rows.push(set(&UNIQUE, &self.unique_key(&prefix, filed), key));
            }
        }
        let mut targets: BTreeMap<&CanonicalKey, BTreeSet<u32>> = BTreeMap::new();
        for reference in &self.references {
            targets.entry(reference.target.key()).or_default().insert(reference.attribute);
        }
        for (target, attributes) in targets {
            let place = ReferenceKey { target: target.clone(), source: key.clone() };
            let row = ReferringAttributes(attributes.into_iter().collect());
            rows.push(set(&REFERENCES, &place, &row));
        }
        rows
    }
}

/// The changes that make `before` into `after`; what is removed comes first.
pub(super) fn difference(before: Vec<RowChange>, after: Vec<RowChange>) -> Vec<RowChange> {
    if before.is_empty() {
        return after;
    }
    let mut old: HashMap<_, _> =
        before.into_iter().map(|change| ((change.column, change.key), change.row)).collect();
    let set: Vec<RowChange> = after
        .into_iter()
        .filter(|change| {
            old.remove(&(change.column, change.key.clone())) != Some(change.row.clone())
        })
        .collect();
    let removed = old.into_keys().map(|(column, key)| RowChange { column, key, row: None });
    removed.chain(set).collect()
}

fn set<K: Key, R: Row>(column: &Column<K, R>, key: &K, row: &R) -> RowChange {
    let mut writer = crate::codec::Writer::with_capacity(0);
    row.write_row(&mut writer);
    RowChange { column: column.id(), key: key_bytes(key), row: Some(writer.into_bytes()) }
}

/// Stands in index keys for "has this template at all".
const ANY_ATTRIBUTE: u32 = 0;
