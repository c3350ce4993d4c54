//! Ledger entries of changes.

use serde_json::{Map, Value as Json, json};

use super::submit::{BodyEntry, RecordChange};
use crate::codec::{Writer, canonical_json};
use crate::ledger::{Entry, EntryKind, Position, body_commitment, record_commitment};
use crate::record::{Record, Status};
use crate::signing::NodeKeys;
use crate::store::StoredRecord;

/// The change that makes `record` the latest version.
pub(super) fn record_change(
    keys: &NodeKeys,
    record: Record,
    previous: Option<StoredRecord>,
) -> RecordChange {
    let entry = record_entry(keys, &record);
    let mut encoded = Writer::with_capacity(256);
    record.write_disk(&mut encoded);
    RecordChange { record, encoded: encoded.into_bytes(), entry, previous }
}

/// The ledger entry of a version of a record.
pub(super) fn record_entry(keys: &NodeKeys, record: &Record) -> Entry {
    Entry {
        kind: match record.status {
            Status::Active => EntryKind::Put,
            Status::Retired => EntryKind::Retire,
        },
        time_ms: record.modified_ms,
        version: record.version,
        commitment: record_commitment(&keys.salt, record),
    }
}

/// The ledger entry of anything that is no record. `previous` is where the entry of the version
/// before stands, for those that walk the history back.
#[expect(clippy::too_many_arguments, reason = "each is a part of the entry")]
pub(super) fn body_entry(
    keys: &NodeKeys,
    kind: EntryKind,
    subject: Vec<u8>,
    version: u64,
    previous: Option<Position>,
    time_ms: u64,
    actor: &str,
    reason: &str,
    body: &Json,
) -> BodyEntry {
    let mut meta = Map::new();
    meta.insert("actor".into(), actor.into());
    if version > 1 {
        meta.insert("previous".into(), (version - 1).into());
    }
    if let Some(Position { log, index }) = previous {
        meta.insert("previous_at".into(), json!({ "log": log, "index": index }));
    }
    if !reason.is_empty() {
        meta.insert("reason".into(), reason.into());
    }
    let meta = canonical_json(&Json::Object(meta));
    let body = canonical_json(body);
    let commitment = body_commitment(&keys.salt, &subject, version, &meta, &body);
    let entry = Entry { kind, time_ms, version, commitment };
    BodyEntry { entry, subject, meta, body }
}
