//! A node's rows, written by hand, for tests of the read side.

use std::sync::Arc;

use super::Resolver;
use crate::access::{Access, Account, Action, Actions, Asker, Role, TOKENS, Token, TokenDigest};
use crate::identifier::{Identifier, Prefix};
use crate::ledger::{
    BODIES, BodyRow, Entry, EntryKind, JOURNAL, JournalRow, LogRow, Position, start_log,
    subject_of_node,
};
use crate::record::{Form, Permissions, Record, Status, TEMPLATE_INDEX, Ttl, Value};
use crate::registrant::{Allocation, RegistrantId};
use crate::signing::NodeKeys;
use crate::store::memory::MemoryStore;
use crate::store::{
    Column, ColumnId, Document, DocumentKey, INDEXES, IndexKey, PREFIXES, Present, RECORDS,
    REFERENCES, ReferenceKey, ReferringAttributes, Store, StoredDocument, StoredRecord, VERSIONS,
    VersionKey,
};
use crate::template::{Template, TemplateHead, TemplateVersion, version_id};

/// A node whose rows the test writes.
pub(crate) struct Rows {
    pub store: Arc<dyn Store>,
    pub entries: u64,
    pub now_ms: u64,
}

/// The template that [`Rows::pump`] registers by.
pub(crate) const PUMP: &str = "88.118/T-pump";

pub(crate) const START_MS: u64 = 1_800_000_000_000;

const DEFINITION: &str = r#"{"labels": {"en": "Pump"}, "attributes": [
    {"index": 2000, "name": "model", "type": "string", "max_length": 64, "indexed": true,
     "labels": {"en": "Model"}},
    {"index": 2001, "name": "power", "type": "integer", "indexed": true, "labels": {"en": "Power"}},
    {"index": 2002, "name": "price", "type": "decimal", "digits": 9, "fraction_digits": 2,
     "indexed": true, "view": "owner", "labels": {"en": "Price"}},
    {"index": 2003, "name": "note", "type": "string", "labels": {"en": "Note"}}]}"#;

impl Rows {
    /// The prefixes 88.118 of the node, 88.118.1 of acme, 88.118.2 of bolt; a template; a log.
    pub fn new() -> Self {
        Self::over(Arc::new(MemoryStore::default()))
    }

    pub fn over(store: Arc<dyn Store>) -> Self {
        let rows = Self { store, entries: 0, now_ms: START_MS };
        let keys = NodeKeys::from_seeds(&[1; 32], [2; 32]);
        let mut changes = rows.store.begin();
        start_log(&mut *changes, &LogRow::first("node.example", &keys, START_MS));
        changes.commit().unwrap();
        for (prefix, holder) in
            [("88.118", None), ("88.118.1", Some("acme")), ("88.118.2", Some("bolt"))]
        {
            let registrant = holder.map(|holder| RegistrantId::parse(holder).unwrap());
            let content = Allocation { registrant, ..Allocation::own() };
            let stored = rows.document(content);
            let mut changes = rows.store.begin();
            PREFIXES.put(&mut *changes, &Prefix::parse(prefix).unwrap(), &stored);
            changes.commit().unwrap();
        }
        let head = TemplateHead {
            number: 7,
            identifier: PUMP.into(),
            holder: None,
            latest: 1,
            published: Some(1),
            withdrawn: false,
        };
        rows.put_document(Identifier::parse(PUMP).unwrap().key().text(), head);
        let definition = serde_json::from_str(DEFINITION).unwrap();
        rows.put_document(&version_id(7, 1), TemplateVersion { published: true, definition });
        rows
    }

    pub fn resolver(&self) -> Resolver {
        Resolver::open(Arc::clone(&self.store), 1 << 20).unwrap()
    }

    /// An asker of this role, for a registrant or the node.
    pub fn asker(&self, role: Role, registrant: Option<&str>) -> Asker {
        let registrant = registrant.map(|name| RegistrantId::parse(name).unwrap());
        let name = format!("{}-{registrant:?}", role.as_str());
        let secret = format!("secret of {name}");
        let account = Account::new(role, registrant, None);
        let key = DocumentKey { kind: Account::KIND, id: name.clone() };
        let stored = StoredDocument {
            position: Position { log: 1, index: 0 },
            version: 1,
            created_ms: START_MS,
            modified_ms: START_MS,
            content: account,
        };
        let mut changes = self.store.begin();
        documents().put(&mut *changes, &key, &stored);
        let digest = TokenDigest::of(&secret);
        let token = Token {
            id: digest.id(),
            account: name,
            actions: Actions::all(),
            prefixes: None,
            created_ms: START_MS,
            expires_ms: None,
            revoked: false,
            session: None,
            version: 1,
        };
        TOKENS.put(&mut *changes, &digest, &token);
        changes.commit().unwrap();
        let access = Access::new(Arc::clone(&self.store));
        let actor = access.authenticate(&secret, START_MS).unwrap().unwrap();
        assert!(actor.role() == role && Action::ALL.len() > 1);
        Asker::Actor(Arc::new(actor))
    }

    /// Registers or changes a pump; model, power and price are indexed.
    pub fn pump(&mut self, identifier: &str, model: &str, power: i64, price: &str) {
        let values = vec![
            value(TEMPLATE_INDEX, "TEMPLATE", PUMP, Form::Text),
            value(2000, "model", model, Form::Text),
            value(2001, "power", &power.to_string(), Form::Integer),
            Value { permissions: Permissions(0x0c), ..value(2002, "price", price, Form::Text) },
        ];
        self.put(identifier, values, Status::Active);
    }

    /// Makes a version of a record and its rows, as the registry does.
    pub fn put(&mut self, identifier: &str, values: Vec<Value>, status: Status) {
        let identifier = Identifier::parse(identifier).unwrap();
        let key = identifier.key().clone();
        let before = RECORDS.get(&*self.store, &key).unwrap();
        let record = Record {
            identifier,
            values,
            version: before.as_ref().map_or(1, |before| before.record.version + 1),
            status,
            registrant: before.as_ref().map_or("", |before| &before.record.registrant).into(),
            held_apart: before.as_ref().is_some_and(|before| before.record.held_apart),
            actor: "somebody".into(),
            reason: "because".into(),
            created_ms: before.as_ref().map_or(self.now_ms, |before| before.record.created_ms),
            modified_ms: self.now_ms,
        };
        self.store_record(record, before);
    }

    /// Gives a record a holder of its own.
    pub fn hold_apart(&mut self, identifier: &str, registrant: &str) {
        let key = Identifier::parse(identifier).unwrap().key().clone();
        let before = RECORDS.get(&*self.store, &key).unwrap().unwrap();
        let mut record = before.record.clone();
        (record.registrant, record.held_apart) = (registrant.into(), true);
        record.version += 1;
        record.modified_ms = self.now_ms;
        self.store_record(record, Some(before));
        let registrant = RegistrantId::parse(registrant).unwrap();
        let mut changes = self.store.begin();
        INDEXES.put(&mut *changes, &IndexKey::Apart { registrant, key }, &Present);
        changes.commit().unwrap();
    }

    fn store_record(&mut self, record: Record, before: Option<StoredRecord>) {
        let key = record.identifier.key().clone();
        let kind = match record.status {
            Status::Active => EntryKind::Put,
            Status::Retired => EntryKind::Retire,
        };
        let position = self.entry(kind, record.version, key.as_bytes().to_vec());
        let template = Template::from_json(DEFINITION.as_bytes()).unwrap();
        let rows = |record: &Record| -> Vec<IndexKey> {
            let index = |attribute, mut tail: Vec<u8>| {
                tail.extend_from_slice(key.suffix().as_bytes());
                IndexKey::Value { prefix: key.prefix(), template: 7, attribute, tail }
            };
            let values = record.values.iter().filter_map(|value| {
                let (attribute, bytes) =
                    template.index_bytes(&value.kind, value.text().unwrap()).ok()?;
                Some(index(attribute, bytes))
            });
            let has = record.values.iter().any(|value| value.index == TEMPLATE_INDEX);
            values.chain(has.then(|| index(0, Vec::new()))).collect()
        };
        let stored = StoredRecord { position, record };
        let mut changes = self.store.begin();
        if let Some(before) = before {
            rows(&before.record).iter().for_each(|row| INDEXES.delete(&mut *changes, row));
            let version = VersionKey { key: key.clone(), version: before.record.version };
            VERSIONS.put(&mut *changes, &version, &before);
        }
        rows(&stored.record).iter().for_each(|row| INDEXES.put(&mut *changes, row, &Present));
        RECORDS.put(&mut *changes, &key, &stored);
        changes.commit().unwrap();
    }

    /// Notes that one record refers to another.
    pub fn refer(&mut self, source: &str, target: &str, attributes: &[u32]) {
        let key = |text: &str| Identifier::parse(text).unwrap().key().clone();
        let key = ReferenceKey { target: key(target), source: key(source) };
        let mut changes = self.store.begin();
        REFERENCES.put(&mut *changes, &key, &ReferringAttributes(attributes.to_vec()));
        changes.commit().unwrap();
    }

    /// An entry about something that is no record.
    pub fn administer(&mut self, kind: EntryKind, subject: &str, body: &str) {
        let position = self.entry(kind, 1, subject_of_node(subject));
        let meta = r#"{"actor":"admin","reason":"by hand"}"#.to_owned();
        let mut changes = self.store.begin();
        BODIES.put(&mut *changes, &position, &BodyRow { meta, body: body.into() });
        changes.commit().unwrap();
    }

    fn entry(&mut self, kind: EntryKind, version: u64, subject: Vec<u8>) -> Position {
        let position = Position { log: 1, index: self.entries };
        self.entries += 1;
        let entry = Entry { kind, time_ms: self.now_ms, version, commitment: [0; 32] };
        let mut changes = self.store.begin();
        JOURNAL.put(&mut *changes, &position, &JournalRow { entry, subject });
        changes.commit().unwrap();
        position
    }

    fn document<T>(&self, content: T) -> StoredDocument<T> {
        let position = Position { log: 1, index: 0 };
        let (created_ms, modified_ms) = (self.now_ms, self.now_ms);
        StoredDocument { position, version: 1, created_ms, modified_ms, content }
    }

    fn put_document<T: Document>(&self, id: &str, content: T) {
        let mut changes = self.store.begin();
        let key = DocumentKey { kind: T::KIND, id: id.to_owned() };
        documents().put(&mut *changes, &key, &self.document(content));
        changes.commit().unwrap();
    }
}

/// A value that everybody may read.
pub(crate) fn value(index: u32, kind: &str, text: &str, form: Form) -> Value {
    Value {
        index,
        kind: kind.into(),
        data: text.as_bytes().to_vec(),
        form,
        ttl: Ttl::DEFAULT,
        permissions: Permissions::DEFAULT,
        timestamp: (START_MS / 1_000) as u32,
        references: Vec::new(),
    }
}

fn documents<T: Document>() -> Column<DocumentKey, StoredDocument<T>> {
    Column::new(ColumnId::Documents)
}
