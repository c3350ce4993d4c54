//! Finding, following, auditing: pages, tables and streams.

use std::io::Write;

use http_body_util::BodyExt;
use hyper::Method;
use hyper::header::{ACCEPT, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::exchange::{Ask, Reply};
use super::{Client, ClientError, IDENTIFIERS, Page, encode, path_of};
use crate::identifier::Identifier;

/// Members of a query: names and values; those without a value are left out.
pub type Filters<'a> = [(&'a str, Option<String>)];

/// Identifiers that refer to one.
#[derive(Clone, Debug, Deserialize)]
pub struct References {
    /// The identifiers.
    pub references: Vec<Referrer>,
    /// What to pass as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// An identifier that refers to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Referrer {
    /// The identifier.
    pub identifier: String,
    /// Whether it is in use: `active` or `retired`.
    pub status: String,
    /// The attributes by which it refers.
    pub attributes: Vec<String>,
}

/// A page of changes.
#[derive(Clone, Debug, Deserialize)]
pub struct Changes {
    /// The changes.
    pub changes: Vec<Change>,
    /// What to pass as `after` for the next page.
    pub next: Option<String>,
    /// Whether more are there already.
    pub more: bool,
}

/// A page of an audit.
#[derive(Clone, Debug, Deserialize)]
pub struct Audit {
    /// The entries.
    pub entries: Vec<Change>,
    /// What to pass as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// An entry of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Log and index.
    pub position: String,
    /// What was done: `put`, `retire`, `prefix` …
    pub kind: String,
    /// The identifier, or `prefix/88.118`, `registrant/acme` and the like.
    pub subject: String,
    /// The version it made.
    pub version: u64,
    /// When (RFC 3339).
    pub time: String,
    /// Account that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who held the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrant: Option<String>,
    /// What the thing became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Json>,
}

/// A page of statistics.
#[derive(Clone, Debug, Deserialize)]
pub struct Statistics {
    /// A prefix's day each.
    pub statistics: Vec<DayStatistics>,
    /// What to pass as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// What happened under a prefix on one day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DayStatistics {
    /// The prefix; none for questions about those of other nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The day.
    pub day: String,
    /// Identifiers registered.
    pub registrations: u64,
    /// Versions made of records that were there.
    pub changes: u64,
    /// Identifiers retired.
    pub retirements: u64,
    /// Look-ups by protocol and outcome.
    pub lookups: std::collections::BTreeMap<String, std::collections::BTreeMap<String, u64>>,
}

impl Client {
    /// A page of the records that fit the filters.
    pub async fn find_all(&self, filters: &Filters<'_>) -> Result<Page, ClientError> {
        self.page(IDENTIFIERS, filters).await
    }

    /// A page of the identifiers that refer to this one.
    pub async fn references(
        &self,
        identifier: &Identifier,
        filters: &Filters<'_>,
    ) -> Result<References, ClientError> {
        self.page(&format!("{}/references", path_of(identifier)), filters).await
    }

    /// A page of changes.
    pub async fn changes(&self, filters: &Filters<'_>) -> Result<Changes, ClientError> {
        self.page(CHANGES, filters).await
    }

    /// A page of the audit.
    pub async fn audit(&self, filters: &Filters<'_>) -> Result<Audit, ClientError> {
        self.page(AUDIT, filters).await
    }

    /// A page of statistics.
    pub async fn statistics(&self, filters: &Filters<'_>) -> Result<Statistics, ClientError> {
        self.page(STATISTICS, filters).await
    }

    /// Copies all of an audit, as CSV or NDJSON, to `out`; returns its bytes.
    pub async fn copy_audit(
        &self,
        filters: &Filters<'_>,
        media_type: &'static str,
        out: &mut dyn Write,
    ) -> Result<u64, ClientError> {
        self.copy(AUDIT, filters, media_type, out).await
    }

    /// Copies all statistics as CSV to `out`; returns their bytes.
    pub async fn copy_statistics(
        &self,
        filters: &Filters<'_>,
        out: &mut dyn Write,
    ) -> Result<u64, ClientError> {
        self.copy(STATISTICS, filters, "text/csv", out).await
    }

    /// Shows `report` changes as they are made, behind the position `after`, which moves along;
    /// returns when the node ends the stream.
    pub async fn follow_changes(
        &self,
        filters: &Filters<'_>,
        after: &mut Option<String>,
        mut report: impl FnMut(Change) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let ask = ask(CHANGES, filters, "text/event-stream");
        let ask = match after.as_deref() {
            Some(after) => ask.header("last-event-id", after)?,
            None => ask,
        };
        let mut response = self.open(&ask).await?;
        if !response.status().is_success() {
            return Err(ClientError::Problem(Reply::read_all(response).await?.into_problem()));
        }
        let (mut buffer, mut id) = (Vec::new(), None);
        while let Some(frame) = self.within(response.body_mut().frame()).await? {
            let Ok(data) = frame.map_err(ClientError::lost)?.into_data() else { continue };
            buffer.extend_from_slice(&data);
            while let Some(end) = buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                let line = line.trim_end();
                if let Some(position) = line.strip_prefix("id: ") {
                    id = Some(position.to_owned());
                } else if let Some(data) = line.strip_prefix("data: ") {
                    report(serde_json::from_str(data).map_err(ClientError::unreadable)?)?;
                } else if line.is_empty() && id.is_some() {
                    *after = id.take();
                }
            }
            if buffer.len() > MAX_LINE_BYTES {
                return Err(ClientError::TooLarge(MAX_LINE_BYTES));
            }
        }
        Ok(())
    }

    async fn page<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        filters: &Filters<'_>,
    ) -> Result<T, ClientError> {
        self.call(&ask(path, filters, "application/json")).await?.accept()?.read()
    }

    async fn copy(
        &self,
        path: &str,
        filters: &Filters<'_>,
        media_type: &'static str,
        out: &mut dyn Write,
    ) -> Result<u64, ClientError> {
        let mut response = self.open(&ask(path, filters, media_type)).await?;
        if !response.status().is_success() {
            return Err(ClientError::Problem(Reply::read_all(response).await?.into_problem()));
        }
        let mut bytes = 0;
        while let Some(frame) = self.within(response.body_mut().frame()).await? {
            let Ok(data) = frame.map_err(ClientError::lost)?.into_data() else { continue };
            let fault = |error| ClientError::File { path: "the output".into(), error };
            out.write_all(&data).map_err(fault)?;
            bytes += data.len() as u64;
        }
        Ok(bytes)
    }
}

fn ask(path: &str, filters: &Filters<'_>, media_type: &'static str) -> Ask {
    let given = filters.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let members: Vec<String> =
        given.map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let mut ask = Ask::new(Method::GET, format!("{path}?{}", members.join("&")));
    ask.headers.insert(ACCEPT, HeaderValue::from_static(media_type));
    ask
}

const CHANGES: &str = "/api/v1/changes";
const AUDIT: &str = "/api/v1/audit";
const STATISTICS: &str = "/api/v1/statistics";

/// Most bytes of a line of a stream of changes.
const MAX_LINE_BYTES: usize = 1 << 20;
