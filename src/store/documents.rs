//! Documents: registrants, accounts, templates and the like, kept as JSON.
//!
//! They are few and seldom change, so one column holds them all, and their members can grow
//! without a format of bytes for each. Every version of a document has a ledger entry whose body is
//! the document; the row keeps the latest.

use std::ops::ControlFlow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Column, ColumnId, Direction, Guard, Key, Read, Row, StoreError, key_bytes};
use crate::codec::{Corrupt, Reader, Writer, canonical_json};
use crate::ledger::Position;
use crate::registrant::{CodeClaim, Grant, Group, Registrant, Transfer};
use crate::template::{TemplateHead, TemplateVersion};

/// Something that is kept as a document.
pub trait Document: Serialize + DeserializeOwned {
    /// What kind of document it is.
    const KIND: DocumentKind;

    /// What the ledger's entry says of it: everything but secrets.
    fn ledger_body(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Document for Registrant {
    const KIND: DocumentKind = DocumentKind::Registrant;
}

impl Document for Group {
    const KIND: DocumentKind = DocumentKind::Group;
}

impl Document for Grant {
    const KIND: DocumentKind = DocumentKind::Grant;
}

impl Document for Transfer {
    const KIND: DocumentKind = DocumentKind::Transfer;
}

impl Document for CodeClaim {
    const KIND: DocumentKind = DocumentKind::UnifiedCode;
}

impl Document for TemplateHead {
    const KIND: DocumentKind = DocumentKind::Template;
}

impl Document for TemplateVersion {
    const KIND: DocumentKind = DocumentKind::TemplateVersion;
}

/// A document, the ledger entry that proves it, and its age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument<T> {
    /// Where the entry stands.
    pub position: Position,
    /// 1 when made, one more with every change.
    pub version: u64,
    /// When the first version was made; milliseconds since 1970.
    pub created_ms: u64,
    /// When this version was made; milliseconds since 1970.
    pub modified_ms: u64,
    /// The document.
    pub content: T,
}

/// Kinds of documents; the number stands on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum DocumentKind {
    /// A registrant, by its name.
    Registrant = 1,
    /// An account, by its name.
    Account = 2,
    /// A group of registrants, by its name.
    Group = 3,
    /// A grant, by granter, subject and grantee.
    Grant = 4,
    /// A transfer, by its number.
    Transfer = 5,
    /// A template's head, by its canonical key's text.
    Template = 6,
    /// A version of a template, by the template's number and the version.
    TemplateVersion = 7,
    /// A unified social credit code, by itself: who has it.
    UnifiedCode = 8,
}

impl DocumentKind {
    /// All kinds.
    pub const ALL: [DocumentKind; 8] = [
        DocumentKind::Registrant,
        DocumentKind::Account,
        DocumentKind::Group,
        DocumentKind::Grant,
        DocumentKind::Transfer,
        DocumentKind::Template,
        DocumentKind::TemplateVersion,
        DocumentKind::UnifiedCode,
    ];

    /// The kind's word, also the first part of the subject of its ledger entries.
    pub fn as_str(self) -> &'static str {
        match self {
            DocumentKind::Registrant => "registrant",
            DocumentKind::Account => "account",
            DocumentKind::Group => "group",
            DocumentKind::Grant => "grant",
            DocumentKind::Transfer => "transfer",
            DocumentKind::Template => "template",
            DocumentKind::TemplateVersion => "template-version",
            DocumentKind::UnifiedCode => "unified-code",
        }
    }
}

/// Key of a document: its kind and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentKey {
    /// The kind.
    pub kind: DocumentKind,
    /// The name, unique within the kind.
    pub id: String,
}

impl Key for DocumentKey {
    fn write_key(&self, writer: &mut Writer) {
        writer.u8(self.kind as u8).raw(self.id.as_bytes());
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (&kind, id) = bytes.split_first().ok_or(Corrupt::Truncated("document key"))?;
        let kind = DocumentKind::ALL.into_iter().find(|known| *known as u8 == kind);
        let kind = kind.ok_or(Corrupt::Range("document kind"))?;
        let id = std::str::from_utf8(id).map_err(|_| Corrupt::Utf8("document key"))?.to_owned();
        Ok(Self { kind, id })
    }
}

impl<T: Serialize + DeserializeOwned> Row for StoredDocument<T> {
    fn write_row(&self, writer: &mut Writer) {
        super::write_position(writer, self.position);
        writer.raw(&document_row(self.version, self.created_ms, self.modified_ms, &self.content));
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let position = super::tables::read_position(reader)?;
        if reader.u8("document format")? != DOCUMENT_FORMAT {
            return Err(Corrupt::Format("document format"));
        }
        let version = reader.varint("version")?;
        let created_ms = reader.varint("created")?;
        let modified_ms =
            created_ms.checked_add(reader.varint("modified")?).ok_or(Corrupt::Range("modified"))?;
        let content =
            serde_json::from_slice(reader.rest()).map_err(|_| Corrupt::Json("document"))?;
        Ok(Self { position, version, created_ms, modified_ms, content })
    }
}

/// A document's row without the position, which the writer puts in front.
pub fn document_row(
    version: u64,
    created_ms: u64,
    modified_ms: u64,
    content: &impl Serialize,
) -> Vec<u8> {
    let mut writer = Writer::with_capacity(256);
    writer.u8(DOCUMENT_FORMAT).varint(version).varint(created_ms);
    writer.varint(modified_ms.saturating_sub(created_ms));
    let json = serde_json::to_value(content).unwrap_or_default();
    writer.raw(canonical_json(&json).as_bytes());
    writer.into_bytes()
}

/// The document of this name.
pub fn find_document<T: Document>(
    read: &(impl Read + ?Sized),
    id: &str,
) -> Result<Option<StoredDocument<T>>, StoreError> {
    column::<T>().get(read, &key::<T>(id))
}

/// Shows the documents of a kind whose names begin with `start` and come behind `after`, in order,
/// to `visit` until it breaks.
pub fn scan_documents<T: Document>(
    read: &(impl Read + ?Sized),
    start: &str,
    after: Option<&str>,
    mut visit: impl FnMut(String, StoredDocument<T>) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let first = match after {
        Some(after) => [&key_bytes(&key::<T>(after))[..], &[0]].concat(),
        None => key_bytes(&key::<T>(start)),
    };
    // No name holds the octet 255, so it stands behind all names with this start.
    let end = [&key_bytes(&key::<T>(start))[..], &[u8::MAX]].concat();
    column::<T>().scan(read, first..end, Direction::Forward, |key, stored| visit(key.id, stored))
}

/// A guard on the document of this name, whether it exists or not.
pub fn document_guard<T: Document>(id: &str) -> Guard {
    column::<T>().guard(&key::<T>(id))
}

fn key<T: Document>(id: &str) -> DocumentKey {
    DocumentKey { kind: T::KIND, id: id.to_owned() }
}

fn column<T: Document>() -> Column<DocumentKey, StoredDocument<T>> {
    Column::new(ColumnId::Documents)
}

/// Number of the row's format; rows of prefixes had a format 1 before they were documents.
pub(super) const DOCUMENT_FORMAT: u8 = 2;
