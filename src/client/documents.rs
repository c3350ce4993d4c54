//! What goes over the wire beside records.

use hyper::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Problem;
use crate::record::RecordDocument;

/// When a change is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// In any case.
    Always,
    /// Only when the identifier is not registered.
    Absent,
    /// Only at this version.
    Version(u64),
}

impl Condition {
    pub(super) fn header(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Condition::Always => None,
            Condition::Absent => Some((IF_NONE_MATCH, HeaderValue::from_static("*"))),
            Condition::Version(version) => {
                let tag = HeaderValue::from_str(&format!("\"{version}\"")).ok()?;
                Some((IF_MATCH, tag))
            }
        }
    }
}

/// What became of a change.
#[derive(Clone, Debug)]
pub struct Written {
    /// The record as it is now.
    pub record: RecordDocument,
    /// Whether it was registered by this request.
    pub created: bool,
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Found {
    /// The record.
    Record(Box<RecordDocument>),
    /// The tombstone.
    Retired(Option<Box<RecordDocument>>),
    /// Nothing; in the node's words.
    Absent(String),
}

/// A page of records.
#[derive(Clone, Debug, Deserialize)]
pub struct Page {
    /// The records.
    pub records: Vec<RecordDocument>,
    /// What to pass as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// A page of versions, newest first.
#[derive(Clone, Debug, Deserialize)]
pub struct History {
    /// The versions: records, with actor and reason.
    pub versions: Vec<Json>,
    /// What to pass as `before` for the next page; none on the last.
    #[serde(default)]
    pub next: Option<u64>,
}

/// One of many answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resolved {
    /// The identifier as asked.
    pub identifier: String,
    /// What was found.
    pub outcome: ResolvedOutcome,
    /// The record or tombstone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordDocument>,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// What was found for one of many identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResolvedOutcome {
    /// It is registered.
    Record,
    /// It is retired.
    Retired,
    /// It is not registered.
    Absent,
    /// Its prefix is suspended, and its records are hidden.
    Withheld,
    /// Its prefix is another node's.
    NotResponsible,
    /// It is no identifier, or the node failed.
    Failed,
    /// The answer was full.
    Deferred,
}

/// A token to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewTokenDocument {
    /// Account that will act through it.
    pub account: String,
    /// What it allows; none is all that the account's role may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<String>>,
    /// Where; none is everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<Vec<String>>,
    /// When it ends (RFC 3339); none is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// A token without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenDocument {
    /// Its public name.
    pub id: String,
    /// Account that acts through it.
    pub account: String,
    /// Whether it is a session.
    #[serde(default)]
    pub session: bool,
    /// What it allows.
    pub actions: Vec<String>,
    /// Where; none is everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<Vec<String>>,
    /// When it was made (RFC 3339).
    pub created: String,
    /// When it ends (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When it was last used (RFC 3339); none is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// Whether it was revoked.
    #[serde(default)]
    pub revoked: bool,
}

/// A token as it was just made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenWithSecret {
    /// The token.
    #[serde(flatten)]
    pub token: TokenDocument,
    /// Its secret, shown this once.
    pub secret: String,
}
