//! Entries of the ledger as JSON and as rows of tables; positions in it.

use serde::Serialize;
use serde_json::Value as Json;

use super::problem::{self, Problem};
use crate::ledger::{EntryKind, Position};
use crate::record::timestamp;
use crate::resolver::Step;

/// A change.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Change, example = json!({
    "position": "1:4711", "kind": "put", "subject": "88.118.8/SN-001", "version": 2,
    "time": "2026-01-05T08:00:00.000Z", "actor": "packing-line", "reason": "relabelled"
}))]
pub(super) struct StepDocument {
    /// Where it stands in the ledger: number of the log and index in it.
    #[schema(pattern = "^[0-9]+:[0-9]+$", example = "1:4711")]
    position: String,
    /// What was done.
    kind: StepKind,
    /// The identifier; `prefix/88.118`, `registrant/acme` and the like for the rest.
    #[schema(example = "88.118.8/SN-001")]
    subject: String,
    /// The version that it made.
    version: u64,
    /// When it was made (RFC 3339).
    time: String,
    /// Account that made it; shown to those who read or inspect all of the thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// Why; shown as `actor` is, and left out when nobody said why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// In an audit: who held the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    registrant: Option<String>,
    /// In an audit: what the thing became, unless it is a record, which has a history.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    content: Option<Json>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ChangeKind)]
pub(super) enum StepKind {
    /// A record was made or replaced.
    Put,
    /// An identifier was retired.
    Retire,
    /// A prefix was allocated, changed or given up.
    Prefix,
    /// A prefix was delegated to another node.
    Delegation,
    /// A registrant was entered or changed.
    Registrant,
    /// A template was made or changed.
    Template,
    /// A token, account, group or grant was made or changed.
    Grant,
    /// A public key was entered or changed.
    Key,
    /// Who signs for a log was decided.
    Epoch,
}

impl From<Step> for StepDocument {
    fn from(step: Step) -> Self {
        Self {
            position: position_text(step.position),
            kind: step.kind.into(),
            subject: step.subject,
            version: step.version,
            time: timestamp(step.time_ms),
            actor: step.actor,
            reason: step.reason.filter(|reason| !reason.is_empty()),
            registrant: step.registrant.filter(|registrant| !registrant.is_empty()),
            content: step.content,
        }
    }
}

impl StepDocument {
    /// The cells of the row, in the order of [`COLUMNS`].
    pub(super) fn cells(&self) -> [String; COLUMNS.len()] {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            self.position.clone(),
            self.time.clone(),
            EntryKind::from(self.kind).as_str().to_owned(),
            self.subject.clone(),
            self.version.to_string(),
            text(&self.actor),
            text(&self.reason),
            text(&self.registrant),
            self.content.as_ref().map(Json::to_string).unwrap_or_default(),
        ]
    }
}

/// The columns of an audit's table.
pub(super) const COLUMNS: [&str; 9] =
    ["position", "time", "kind", "subject", "version", "actor", "reason", "registrant", "content"];

macro_rules! kinds {
    ($($kind:ident)*) => {
        impl From<EntryKind> for StepKind {
            fn from(kind: EntryKind) -> Self {
                match kind { $(EntryKind::$kind => StepKind::$kind,)* }
            }
        }

        impl From<StepKind> for EntryKind {
            fn from(kind: StepKind) -> Self {
                match kind { $(StepKind::$kind => EntryKind::$kind,)* }
            }
        }
    };
}

kinds!(Put Retire Prefix Delegation Registrant Template Grant Key Epoch);

/// A position as text.
pub(super) fn position_text(position: Position) -> String {
    format!("{}:{}", position.log, position.index)
}

/// Reads what [`position_text`] wrote.
pub(super) fn read_position(text: &str) -> Result<Position, Problem> {
    position_in(text, ':').ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        let detail = format!("{text:?} is no position: write log:index, such as 1:4711");
        Problem::new(&problem::BAD_REQUEST, detail)
    })
}

/// Log and index with `separator` between them, in digits alone.
pub(super) fn position_in(text: &str, separator: char) -> Option<Position> {
    let (log, index) = text.split_once(separator)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(log) && digits(index))
        .then(|| Some(Position { log: log.parse().ok()?, index: index.parse().ok()? }))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_and_written() {
        let position = Position { log: 2, index: u64::MAX };
        assert_eq!(read_position(&position_text(position)).unwrap(), position);
        for broken in
            ["", "1", ":", "1:", ":1", "1:x", "4294967296:0", "1:2:3", "1 :2", "+1:2", "1:+2"]
        {
            assert!(read_position(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn kinds_have_the_ledgers_words() {
        for kind in EntryKind::ALL {
            assert_eq!(serde_json::to_value(StepKind::from(kind)).unwrap(), kind.as_str());
        }
    }
}
