//! The check of the ledger, and of what rows and their entries say of each other.

use serde_json::Value as Json;

use super::{Checking, MAX_FINDINGS, PROGRESS_ROWS};
use crate::codec::canonical_json;
use crate::identifier::CanonicalKey;
use crate::ledger::{
    BODIES, Entry, EntryKind, JOURNAL, JournalRow, Position, body_commitment, logs, verify_log,
};
use crate::signing::SaltKey;
use crate::store::{ColumnId, RECORDS, Read, StoreError, VERSIONS, VersionKey};

impl Checking<'_> {
    /// That the journal has `entry` about `subject` at `position`.
    pub(super) fn entry(
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

    /// That the ledger's entry of a document is about it, and that its body is what the row says.
    pub(super) fn body(
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

    pub(super) fn ledger(&mut self) -> Result<(), StoreError> {
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
