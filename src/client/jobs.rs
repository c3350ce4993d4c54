//! Jobs of a node.

use std::path::Path;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::connection::Payload;
use super::exchange::{Ask, Reply};
use super::{Client, ClientError};

/// A job as the node tells of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobDocument {
    /// Its name.
    pub id: String,
    /// `import` or `export`.
    pub kind: String,
    /// Where it stands.
    pub state: String,
    /// Why it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Account that began it.
    pub account: String,
    /// When it was made (RFC 3339).
    pub created: String,
    /// Bytes of its table that are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded_bytes: Option<u64>,
    /// Bytes of its table that are dealt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_bytes: Option<u64>,
    /// Records that are dealt with.
    pub rows: u64,
    /// Records by what came of them.
    pub tally: Map<String, Json>,
    /// Records per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_per_second: Option<u64>,
    /// Seconds until the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
    /// Whatever else the node tells.
    #[serde(flatten)]
    pub more: Map<String, Json>,
}

impl JobDocument {
    /// Whether nothing more happens unless somebody acts.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state.as_str(), "done" | "failed" | "cancelled" | "paused")
    }
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, Deserialize)]
struct JobPage {
    jobs: Vec<JobDocument>,
    #[serde(default)]
    next: Option<String>,
}

impl Client {
    /// Makes a job; `body` says what it does.
    pub async fn create_job(&self, body: &Json) -> Result<JobDocument, ClientError> {
        let ask = Ask::new(Method::POST, JOBS.into()).json(body);
        self.call(&ask).await?.accept()?.read()
    }

    /// A job.
    pub async fn job(&self, id: &str) -> Result<JobDocument, ClientError> {
        self.call(&Ask::new(Method::GET, path_of(id))).await?.accept()?.read()
    }

    /// All jobs that the token may look at, newest first.
    pub async fn jobs(&self) -> Result<Vec<JobDocument>, ClientError> {
        let mut jobs = Vec::new();
        let mut query = String::new();
        loop {
            let ask = Ask::new(Method::GET, format!("{JOBS}{query}"));
            let page: JobPage = self.call(&ask).await?.accept()?.read()?;
            jobs.extend(page.jobs);
            match page.next {
                Some(next) => query = format!("?after={}", super::encode(&next)),
                None => return Ok(jobs),
            }
        }
    }

    /// Pauses, resumes or cancels a job.
    pub async fn turn_job(&self, id: &str, verb: &str) -> Result<JobDocument, ClientError> {
        let ask = Ask::new(Method::POST, format!("{}/{verb}", path_of(id)));
        self.call(&ask).await?.accept()?.read()
    }

    /// Removes a job that has ended.
    pub async fn remove_job(&self, id: &str) -> Result<(), ClientError> {
        self.call(&Ask::new(Method::DELETE, path_of(id))).await?.accept().map(drop)
    }

    /// Sends a file as a job's table, again from where it broke off when a connection is lost.
    /// `sent` is told how many bytes are on their way.
    pub async fn send_job_data(
        &self,
        id: &str,
        file: &Path,
        mut sent: impl FnMut(u64),
    ) -> Result<JobDocument, ClientError> {
        let fault = |error| ClientError::File { path: file.to_owned(), error };
        let total = tokio::fs::metadata(file).await.map_err(fault)?.len();
        let mut attempts = 0;
        loop {
            let job = self.job(id).await?;
            let first = job.uploaded_bytes.unwrap_or_default();
            if job.state != "waiting-for-data" {
                return Ok(job);
            }
            match self.send_part(id, file, first, total, &mut sent).await {
                Ok(job) => return Ok(job),
                Err(error) if error.is_passing() && attempts < UPLOAD_ATTEMPTS => {
                    attempts += 1;
                    tokio::time::sleep(UPLOAD_PAUSE * attempts).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn send_part(
        &self,
        id: &str,
        file: &Path,
        first: u64,
        total: u64,
        sent: &mut impl FnMut(u64),
    ) -> Result<JobDocument, ClientError> {
        let mut ask = Ask::new(Method::PUT, format!("{}/data", path_of(id)));
        let binary = HeaderValue::from_static("application/octet-stream");
        ask.headers.insert(CONTENT_TYPE, binary);
        let range = match total.checked_sub(1).filter(|last| first <= *last) {
            Some(last) => format!("bytes {first}-{last}/{total}"),
            None => format!("bytes */{total}"),
        };
        ask = ask.header(CONTENT_RANGE.as_str(), &range)?;
        let (send, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
        let request = self.address_request(&ask, Payload::Pieces(pieces))?;
        let mut sender = self.connector.connect(&self.address).await?;
        let answer = sender.send_request(request);
        tokio::pin!(answer);
        let pump = self.pump(file, first, total, send, sent);
        tokio::pin!(pump);
        let response = tokio::select! {
            // The node may refuse before it has read everything.
            response = &mut answer => response,
            pumped = &mut pump => {
                pumped?;
                self.within(&mut answer).await?
            }
        };
        Reply::read_all(response.map_err(ClientError::lost)?).await?.accept()?.read()
    }

    /// Hands a file on, piece by piece.
    async fn pump(
        &self,
        file: &Path,
        first: u64,
        total: u64,
        pieces: mpsc::Sender<Bytes>,
        sent: &mut impl FnMut(u64),
    ) -> Result<(), ClientError> {
        let fault = |error| ClientError::File { path: file.to_owned(), error };
        let mut input = tokio::fs::File::open(file).await.map_err(fault)?;
        input.seek(std::io::SeekFrom::Start(first)).await.map_err(fault)?;
        let mut input = input.take(total.saturating_sub(first));
        let mut at = first;
        loop {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            let count = input.read_buf(&mut piece).await.map_err(fault)?;
            if count == 0 {
                return Ok(());
            }
            at += count as u64;
            if self.within(pieces.send(piece.into())).await?.is_err() {
                // Why nobody takes it is in the answer.
                return Ok(());
            }
            sent(at);
        }
    }

    /// Copies the records that an import refused.
    pub async fn job_rejects(
        &self,
        id: &str,
        out: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        self.copy_file(&format!("{}/rejects", path_of(id)), out).await
    }

    /// Copies what a job made.
    pub async fn job_result(
        &self,
        id: &str,
        out: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        self.copy_file(&format!("{}/result", path_of(id)), out).await
    }

    /// Copies an answer of any size; how many bytes it has.
    async fn copy_file(
        &self,
        path: &str,
        out: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        let mut response = self.open(&Ask::new(Method::GET, path.to_owned())).await?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Problem(Reply::read_all(response).await?.into_problem()));
        }
        let fault = |error| ClientError::File { path: "the copy".into(), error };
        let mut bytes = 0;
        while let Some(frame) = self.within(response.body_mut().frame()).await? {
            let Ok(data) = frame.map_err(ClientError::lost)?.into_data() else { continue };
            out.write_all(&data).await.map_err(fault)?;
            bytes += data.len() as u64;
        }
        out.flush().await.map_err(fault)?;
        Ok(bytes)
    }
}

fn path_of(id: &str) -> String {
    format!("{JOBS}/{}", super::encode(id))
}

const JOBS: &str = "/api/v1/jobs";

/// Bytes of a file that are sent together.
const PIECE_BYTES: usize = 128 << 10;

/// Pieces that wait for the connection.
const PIECES_IN_FLIGHT: usize = 4;

/// How often an upload is continued.
const UPLOAD_ATTEMPTS: u32 = 10;

/// How long to wait before the first continuation; more before each further one.
const UPLOAD_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);
