//! Rows put straight into a store, without their ledger entries, for tests of the rooms above.

use serde_json::Value as Json;

use super::{
    ColumnId, DocumentKey, DocumentKind, PREFIXES, RECORDS, Store, StoredPrefix, StoredRecord,
    document_row, key_bytes, write_position,
};
use crate::codec::Writer;
use crate::identifier::Prefix;
use crate::ledger::Position;
use crate::record::{Form, Permissions, Record, Ttl, Value};
use crate::registrant::{Allocation, RegistrantId};

/// A document, as version 1.
pub(crate) fn put_document(store: &dyn Store, kind: DocumentKind, id: &str, content: &Json) {
    let mut row = Writer::default();
    write_position(&mut row, Position { log: 1, index: 0 });
    row.raw(&document_row(1, 0, 0, content));
    let mut transaction = store.begin();
    let key = key_bytes(&DocumentKey { kind, id: id.to_owned() });
    transaction.put(ColumnId::Documents, &key, row.as_bytes());
    transaction.commit().unwrap();
}

/// An active registrant.
pub(crate) fn put_registrant(store: &dyn Store, id: &str) {
    let content = serde_json::json!({"state": "active", "name_zh": id});
    put_document(store, DocumentKind::Registrant, id, &content);
}

/// A prefix in use, held by a registrant.
pub(crate) fn put_prefix(store: &dyn Store, prefix: &str, holder: &str) {
    let registrant = RegistrantId::parse(holder).unwrap();
    let content = Allocation { registrant: Some(registrant), ..Allocation::own() };
    let position = Position { log: 1, index: 0 };
    let row = StoredPrefix { position, version: 1, created_ms: 0, modified_ms: 0, content };
    let mut transaction = store.begin();
    PREFIXES.put(&mut *transaction, &Prefix::parse(prefix).unwrap(), &row);
    transaction.commit().unwrap();
}

/// A record, as the latest version.
pub(crate) fn put_record(store: &dyn Store, record: &Record) {
    let stored = StoredRecord { position: Position { log: 1, index: 0 }, record: record.clone() };
    let mut transaction = store.begin();
    RECORDS.put(&mut *transaction, record.identifier.key(), &stored);
    transaction.commit().unwrap();
}

/// A value of text, with the permissions of `bits`.
pub(crate) fn value(index: u32, kind: &str, text: &str, bits: u8) -> Value {
    Value {
        index,
        kind: kind.to_owned(),
        data: text.as_bytes().to_vec(),
        form: Form::Text,
        ttl: Ttl::DEFAULT,
        permissions: Permissions(bits),
        timestamp: 0,
        references: Vec::new(),
    }
}
