//! Why a call failed.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::record::RecordDocument;
use crate::template::Fault;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's URL.
    #[error("{0:?} is no server: write http://HOST:PORT or https://HOST:PORT")]
    Address(String),
    /// A header's value.
    #[error("the value for header {0} holds characters that no header may")]
    Header(String),
    /// The certificates to trust.
    #[error("certificates to trust: {0}")]
    Trust(String),
    /// Nobody answers, or TLS fails.
    #[error("cannot connect to {address}: {error}{}", remedy(error))]
    Connect {
        /// The server.
        address: String,
        /// Why.
        error: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Lost(String),
    /// Too late.
    #[error("{server} did not answer within {} s", timeout.as_secs())]
    Timeout {
        /// The server.
        server: String,
        /// How long it had.
        timeout: Duration,
    },
    /// The node refused.
    #[error("{0}")]
    Problem(Problem),
    /// The answer is larger than this client reads.
    #[error("the answer has over {0} bytes: ask for less at once")]
    TooLarge(usize),
    /// The answer is not what the interface promises.
    #[error("the answer cannot be read: {0}: is the server a Nameplate node of this release?")]
    Unreadable(String),
    /// A file of this machine.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

impl ClientError {
    pub(super) fn lost(error: hyper::Error) -> Self {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        ClientError::Lost(format!("{error}{}", cause.unwrap_or_default()))
    }

    pub(super) fn unreadable(error: serde_json::Error) -> Self {
        ClientError::Unreadable(error.to_string())
    }

    /// Whether the same request may succeed in a moment.
    pub fn is_passing(&self) -> bool {
        match self {
            ClientError::Connect { error, .. } => {
                // A certificate that is not trusted stays so.
                error.kind() != std::io::ErrorKind::InvalidData
            }
            ClientError::Lost(_) | ClientError::Timeout { .. } => true,
            ClientError::Problem(problem) => {
                matches!(problem.status, 408 | 429 | 502..=504)
                    && !problem.kind.ends_with(":writes-stopped")
            }
            _ => false,
        }
    }

    /// The status of the node's refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            ClientError::Problem(problem) => Some(problem.status),
            _ => None,
        }
    }
}

fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => ": is the node running, and is --server right?",
        std::io::ErrorKind::InvalidData => {
            ": for a node's own certificate use --ca DATA/tls/cert.pem"
        }
        _ => "",
    }
}

/// A refusal in the node's own words (RFC 9457).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Problem {
    /// URI that names the kind of problem.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The kind in words.
    #[serde(default)]
    pub title: String,
    /// HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What is wrong here, and what would be right.
    #[serde(default)]
    pub detail: String,
    /// The tombstone, when the identifier is retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<RecordDocument>>,
    /// Every rule that is broken, when it is about rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

impl Problem {
    /// Reads a refusal's body; one that is no problem document is quoted in part.
    pub(super) fn read(status: u16, body: &[u8]) -> Self {
        let mut problem: Problem = serde_json::from_slice(body).unwrap_or_else(|_| Problem {
            detail: String::from_utf8_lossy(body).chars().take(QUOTED_CHARACTERS).collect(),
            ..Problem::default()
        });
        problem.status = status;
        problem
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.faults.is_empty() {
            f.write_str(&self.title)?;
            return self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"));
        }
        match (self.detail.is_empty(), self.title.is_empty()) {
            (false, _) => f.write_str(&self.detail),
            (true, false) => f.write_str(&self.title),
            (true, true) => write!(f, "the node answered {}", self.status),
        }
    }
}

/// Most characters of an unknown answer that are shown.
const QUOTED_CHARACTERS: usize = 200;
