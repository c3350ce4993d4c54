//! Importing a stream of registrations over connections that may break.
//!
//! Lines go out while outcomes come back. A line stays in the window until its outcome is there;
//! when a connection breaks, the lines of the window go out again on the next one, which does no
//! harm: a registration that has been made is `unchanged`. Outcomes come in the order of lines.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, body::Incoming};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::connection::{Payload, collect};
use super::{Ask, Client, ClientError, Problem};

/// A line to import.
#[derive(Clone, Debug)]
pub struct ImportLine {
    /// Its number in its source.
    pub number: u64,
    /// Bytes of the source up to its end.
    pub end: u64,
    /// The registration as JSON without line breaks, or why there is none.
    pub body: Result<Bytes, String>,
}

impl ImportLine {
    /// Bytes it holds.
    fn weight(&self) -> usize {
        self.body.as_ref().map_or(0, Bytes::len)
    }
}

/// What became of a line.
#[derive(Clone, Debug)]
pub struct ImportOutcome {
    /// Its number in its source.
    pub number: u64,
    /// Bytes of the source up to its end.
    pub end: u64,
    /// The identifier, if the line has one.
    pub identifier: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
}

/// What an import tells while it runs.
#[derive(Debug)]
pub enum ImportEvent<'a> {
    /// What became of a line; in the order of lines.
    Line(ImportOutcome),
    /// The connection broke, or the node is busy; another attempt follows.
    Interrupted(&'a ClientError),
}

/// The verdict on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Registered.
    Created,
    /// Registered before; the record was replaced.
    Updated,
    /// Registered before with this very content.
    Unchanged,
    /// Refused, and why.
    Failed(String),
}

impl Client {
    /// Imports all lines of `source`; `report` hears of each line.
    ///
    /// `stop` ends the import early: lines that have been sent are finished, others are left.
    /// A broken connection is made anew; [`MAX_ATTEMPTS`] in a row without progress give up.
    pub async fn import(
        &self,
        source: mpsc::Receiver<Vec<ImportLine>>,
        stop: impl Future<Output = ()>,
        report: impl FnMut(ImportEvent<'_>),
    ) -> Result<(), ClientError> {
        let window = VecDeque::new();
        let mut session = Session {
            client: self,
            source,
            exhausted: false,
            window,
            bytes: 0,
            sent: 0,
            reached: false,
            report,
        };
        let mut stop = std::pin::pin!(stop);
        let mut attempts = 0;
        loop {
            let before = session.window.front().map(|line| line.number);
            let error = match session.stream(stop.as_mut()).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let stuck =
                before.is_some() && session.window.front().map(|line| line.number) == before;
            attempts = if stuck { attempts + 1 } else { 1 };
            // A node that was never there is not waited for.
            if !error.is_passing() || !session.reached || attempts >= MAX_ATTEMPTS {
                return Err(error);
            }
            (session.report)(ImportEvent::Interrupted(&error));
            tokio::time::sleep(FIRST_PAUSE * 2u32.pow(attempts.min(6) - 1)).await;
        }
    }
}

impl Client {
    /// Begins an import with these pieces; its answer once the node has taken it up.
    async fn open_import(&self, pieces: mpsc::Receiver<Bytes>) -> Result<Incoming, ClientError> {
        let mut ask = Ask::new(Method::POST, "/api/v1/imports".into());
        ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        let request = self.address_request(&ask, Payload::Pieces(pieces))?;
        let mut sender = self.connector.connect(&self.address).await?;
        let response = sender.send_request(request).await.map_err(ClientError::lost)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let text = collect(response.into_body(), MAX_OUTCOME_BYTES).await?;
        Err(ClientError::Problem(Problem::read(status.as_u16(), &text)))
    }
}

/// An import across connections.
struct Session<'a, R> {
    client: &'a Client,
    source: mpsc::Receiver<Vec<ImportLine>>,
    exhausted: bool,
    /// Lines without an outcome, oldest first.
    window: VecDeque<ImportLine>,
    /// Bytes of the window's lines.
    bytes: usize,
    /// Whether a connection has been made.
    reached: bool,
    /// How many lines of the window have been handed to the current connection.
    sent: usize,
    report: R,
}

/// The node's answer on one connection.
#[derive(Default)]
struct Answers {
    buffer: BytesMut,
    answered: u64,
    summary: bool,
}

impl<R: FnMut(ImportEvent<'_>)> Session<'_, R> {
    /// Sends and receives on one connection until the import is done or the connection breaks.
    async fn stream(
        &mut self,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), ClientError> {
        let (upload, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
        let mut upload = Some(upload);
        let mut opening = std::pin::pin!(self.client.open_import(pieces));
        let mut body: Option<Incoming> = None;
        let mut answers = Answers::default();
        self.sent = 0;
        loop {
            let sending = self.sent < self.window.len();
            let room = self.window.len() < WINDOW_LINES && self.bytes < WINDOW_BYTES;
            let reading = !self.exhausted && !sending && room;
            if self.exhausted && !sending {
                upload = None;
            }
            tokio::select! {
                // Outcomes first: they make room.
                biased;
                opened = &mut opening, if body.is_none() => {
                    body = Some(opened?);
                    self.reached = true;
                }
                frame = next_frame(&mut body), if body.is_some() => match frame? {
                    Some(data) => self.take_outcomes(&mut answers, &data)?,
                    None if answers.summary && self.window.is_empty() => return Ok(()),
                    None => return Err(ClientError::Lost("the import's answer ended early".into())),
                },
                () = &mut stop, if !self.exhausted => {
                    self.exhausted = true;
                    self.window.truncate(self.sent);
                    self.bytes = self.window.iter().map(ImportLine::weight).sum();
                }
                permit = reserve(upload.clone()), if sending && upload.is_some() => match permit {
                    Some(permit) => self.send_piece(permit),
                    // The node stopped listening; its answer says why.
                    None => upload = None,
                },
                batch = self.source.recv(), if reading => match batch {
                    Some(lines) => self.take_lines(lines),
                    None => self.exhausted = true,
                },
                () = tokio::time::sleep(self.client.timeout), if !self.window.is_empty() => {
                    return Err(self.client.late());
                }
            }
        }
    }

    /// Puts lines into the window; a line that cannot be sent keeps its place among the others.
    fn take_lines(&mut self, lines: Vec<ImportLine>) {
        self.bytes += lines.iter().map(ImportLine::weight).sum::<usize>();
        self.window.extend(lines);
        self.report_unsendable();
    }

    /// Reports lines without a registration at the front of the window.
    fn report_unsendable(&mut self) {
        while let Some(ImportLine { body: Err(_), .. }) = self.window.front() {
            let Some(ImportLine { number, end, body: Err(reason) }) = self.window.pop_front()
            else {
                return;
            };
            self.sent = self.sent.saturating_sub(1);
            let verdict = Verdict::Failed(reason);
            let identifier = None;
            let outcome = ImportOutcome { number, end, identifier, verdict };
            (self.report)(ImportEvent::Line(outcome));
        }
    }

    /// Sends the next lines, joined up to a piece's size.
    fn send_piece(&mut self, permit: mpsc::OwnedPermit<Bytes>) {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES + 1_024);
        while piece.len() < PIECE_BYTES
            && let Some(line) = self.window.get(self.sent)
        {
            if let Ok(body) = &line.body {
                piece.put_slice(body);
                piece.put_u8(b'\n');
            }
            self.sent += 1;
        }
        if !piece.is_empty() {
            permit.send(piece.freeze());
        }
    }

    fn take_outcomes(&mut self, answers: &mut Answers, data: &[u8]) -> Result<(), ClientError> {
        answers.buffer.put_slice(data);
        while let Some(end) = answers.buffer.iter().position(|&byte| byte == b'\n') {
            let line = answers.buffer.split_to(end);
            answers.buffer.advance(1);
            if !line.iter().all(u8::is_ascii_whitespace) {
                self.take_outcome(answers, &line)?;
            }
        }
        if answers.buffer.len() > MAX_OUTCOME_BYTES {
            return Err(ClientError::TooLarge(MAX_OUTCOME_BYTES));
        }
        Ok(())
    }

    fn take_outcome(&mut self, answers: &mut Answers, line: &[u8]) -> Result<(), ClientError> {
        let answer: Answer = serde_json::from_slice(line).map_err(ClientError::unreadable)?;
        let (line, identifier, outcome, problem) = match answer {
            Answer::Outcome { line, identifier, outcome, problem } => {
                (line, identifier, outcome, problem)
            }
            Answer::Summary { summary: Summary { problem: Some(problem) } } => {
                return Err(ClientError::Problem(problem));
            }
            Answer::Summary { summary: Summary { problem: None } } => {
                answers.summary = true;
                return Ok(());
            }
        };
        let unasked = || ClientError::Unreadable(format!("an outcome for line {line} out of turn"));
        if line != answers.answered + 1 || self.sent == 0 {
            return Err(unasked());
        }
        let asked = self.window.pop_front().ok_or_else(unasked)?;
        self.bytes -= asked.weight();
        self.sent -= 1;
        answers.answered += 1;
        let verdict = match outcome {
            Word::Created => Verdict::Created,
            Word::Updated => Verdict::Updated,
            Word::Unchanged => Verdict::Unchanged,
            Word::Failed => Verdict::Failed(problem.unwrap_or_default().to_string()),
        };
        let ImportLine { number, end, .. } = asked;
        (self.report)(ImportEvent::Line(ImportOutcome { number, end, identifier, verdict }));
        self.report_unsendable();
        Ok(())
    }
}

/// A line of the node's answer.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    /// The outcome of one line.
    Outcome {
        line: u64,
        #[serde(default)]
        identifier: Option<String>,
        outcome: Word,
        #[serde(default)]
        problem: Option<Problem>,
    },
    /// The last line.
    Summary { summary: Summary },
}

/// How the node ended the import. Its numbers are of one connection only and not used.
#[derive(Debug, Deserialize)]
struct Summary {
    #[serde(default)]
    problem: Option<Problem>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Created,
    Updated,
    Unchanged,
    Failed,
}

async fn next_frame(body: &mut Option<Incoming>) -> Result<Option<Bytes>, ClientError> {
    let Some(body) = body else { return std::future::pending().await };
    loop {
        let Some(frame) = body.frame().await else { return Ok(None) };
        if let Ok(data) = frame.map_err(ClientError::lost)?.into_data() {
            return Ok(Some(data));
        }
    }
}

async fn reserve(upload: Option<mpsc::Sender<Bytes>>) -> Option<mpsc::OwnedPermit<Bytes>> {
    upload?.reserve_owned().await.ok()
}

/// Connections in a row without progress after which an import gives up; about a minute.
pub const MAX_ATTEMPTS: u32 = 8;

/// Pause before the second attempt; doubled with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Most lines without an outcome; what may have to go out again.
const WINDOW_LINES: usize = 8_192;

/// Bytes of lines without an outcome above which no further ones are read.
const WINDOW_BYTES: usize = 8 << 20;

/// Bytes of lines that are joined into one piece of the upload.
const PIECE_BYTES: usize = 32 * 1_024;

/// Pieces that wait for the connection.
const PIECES_IN_FLIGHT: usize = 4;

/// Most bytes of one outcome.
const MAX_OUTCOME_BYTES: usize = 1 << 20;
