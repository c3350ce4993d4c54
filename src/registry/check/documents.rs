//! The check of prefixes and documents: their entries in the ledger, and templates' versions.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::Checking;
use crate::access::Account;
use crate::codec::canonical_json;
use crate::identifier::Identifier;
use crate::ledger::{subject_of_node, subject_of_prefix};
use crate::store::{
    COUNTERS, Column, ColumnId, Document, DocumentKey, DocumentKind, PREFIXES, Read, StoreError,
    StoredDocument, find_document,
};
use crate::template::{Template, TemplateHead, TemplateVersion, version_id};

impl Checking<'_> {
    pub(super) fn prefixes(&mut self) -> Result<(), StoreError> {
        self.walk(&PREFIXES, |checking, prefix, stored| {
            let mut body = serde_json::to_value(&stored.content).unwrap_or_default();
            body["prefix"] = prefix.as_str().into();
            let (place, subject) = (prefix.as_str(), subject_of_prefix(prefix));
            checking.body(PREFIXES.id(), place, stored.position, stored.version, &subject, &body)
        })
    }

    pub(super) fn documents(&mut self) -> Result<(), StoreError> {
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
}

/// Versions of templates, compiled as the records that follow them are met.
#[derive(Default)]
pub(super) struct Templates {
    known: HashMap<(String, u64), Compiled>,
}

/// A template's number and one of its versions; none when it was not published.
type Compiled = Option<Arc<(u32, Template)>>;

impl Templates {
    /// Number and version of the template with this identifier; none when it is not published.
    pub(super) fn find(
        &mut self,
        read: &dyn Read,
        text: &str,
        version: u64,
    ) -> Result<Compiled, StoreError> {
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

/// What the ledger says of a document of this content: all of it, but for accounts.
fn ledger_body(kind: DocumentKind, content: &Json) -> Json {
    let account = match kind {
        DocumentKind::Account => serde_json::from_value::<Account>(content.clone()).ok(),
        _ => None,
    };
    account.map_or_else(|| content.clone(), |account| account.ledger_body())
}

/// Versions of templates kept in memory.
const MAX_TEMPLATES: usize = 1_000;
