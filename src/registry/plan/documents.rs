//! Planning: documents and prefixes, whose versions have bodies in the ledger.

use super::{Planning, Receipt};
use crate::access::Authority;
use crate::identifier::Prefix;
use crate::ledger::{EntryKind, subject_of_node, subject_of_prefix};
use crate::registrant::Allocation;
use crate::registry::RegistryError;
use crate::registry::entry::body_entry;
use crate::registry::submit::{DocumentChange, Effect};
use crate::signing::NodeKeys;
use crate::store::{
    ColumnId, Document, DocumentKey, PREFIXES, StoredDocument, StoredPrefix, document_guard,
    document_row, find_document, key_bytes,
};

impl Planning<'_> {
    /// Reads a document, which must stay as it is; none when there is none by that name.
    pub(super) fn document<T: Document>(
        &mut self,
        id: &str,
    ) -> Result<Option<StoredDocument<T>>, RegistryError> {
        self.guards.push(document_guard::<T>(id));
        Ok(find_document(&*self.registry.store, id)?)
    }

    /// Reads a prefix, which must stay as it is; none when nobody ever applied for it.
    pub(super) fn allocation(
        &mut self,
        prefix: &Prefix,
    ) -> Result<Option<StoredPrefix>, RegistryError> {
        self.guards.push(PREFIXES.guard(prefix));
        if let Some(stored) = self.outlook.and_then(|outlook| outlook.prefix(prefix)) {
            return Ok(stored);
        }
        let stored = self.registry.prefixes.get(&*self.registry.store, prefix)?;
        let stored = stored.map(|stored| (*stored).clone());
        if let Some(outlook) = self.outlook {
            outlook.keep_prefix(prefix, stored.as_ref());
        }
        Ok(stored)
    }

    /// What the new version of a thing is made from.
    pub(super) fn version<'a>(&'a self, authority: &'a Authority) -> DocumentPlan<'a> {
        DocumentPlan {
            keys: &self.registry.keys,
            actor: authority.account(),
            reason: &self.request.reason,
            now_ms: self.now_ms,
        }
    }
}

/// Who makes new versions of documents, why and when.
pub(in crate::registry) struct DocumentPlan<'a> {
    pub keys: &'a NodeKeys,
    pub actor: &'a str,
    pub reason: &'a str,
    pub now_ms: u64,
}

impl DocumentPlan<'_> {
    /// The next version of a document.
    pub(in crate::registry) fn put<T: Document>(
        &self,
        kind: EntryKind,
        id: &str,
        current: Option<&StoredDocument<T>>,
        content: &T,
    ) -> Effect {
        let subject = subject_of_node(&format!("{}/{id}", T::KIND.as_str()));
        let key = key_bytes(&DocumentKey { kind: T::KIND, id: id.to_owned() });
        let version = current.map_or(1, |current| current.version + 1);
        let receipt = Receipt::Document { id: id.to_owned(), version };
        let place = (ColumnId::Documents, key);
        self.effect(kind, subject, place, current, content, content.ledger_body(), receipt)
    }

    /// The next version of a prefix.
    pub(in crate::registry) fn put_prefix(
        &self,
        prefix: &Prefix,
        current: Option<&StoredPrefix>,
        content: &Allocation,
    ) -> Effect {
        let mut body = serde_json::to_value(content).unwrap_or_default();
        body["prefix"] = prefix.as_str().into();
        let place = (ColumnId::Prefixes, key_bytes(prefix));
        let receipt = Receipt::Prefix { prefix: prefix.clone() };
        let subject = subject_of_prefix(prefix);
        self.effect(EntryKind::Prefix, subject, place, current, content, body, receipt)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of the row or of the entry")]
    fn effect<T: serde::Serialize>(
        &self,
        kind: EntryKind,
        subject: Vec<u8>,
        (column, key): (ColumnId, Vec<u8>),
        current: Option<&StoredDocument<T>>,
        content: &T,
        body: serde_json::Value,
        receipt: Receipt,
    ) -> Effect {
        let version = current.map_or(1, |current| current.version + 1);
        let created_ms = current.map_or(self.now_ms, |current| current.created_ms);
        let modified_ms = current.map_or(0, |current| current.modified_ms).max(self.now_ms);
        let (keys, actor, reason) = (self.keys, self.actor, self.reason);
        let previous = current.map(|current| current.position);
        let entry =
            body_entry(keys, kind, subject, version, previous, modified_ms, actor, reason, &body);
        let row = document_row(version, created_ms, modified_ms, content);
        Effect::Document(Box::new(DocumentChange { column, key, row, entry, receipt }))
    }
}
