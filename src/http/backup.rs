//! `GET /api/v1/backup`: a backup of the running node, as a stream.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::App;
use super::problem::{self, Problem, ProblemDocument};
use crate::access::Right;

/// Back up
///
/// A backup of the node as of now, for `nameplate restore`; keep it as safe as the node. An answer
/// that breaks off is not a backup. One at a time. For tokens that administer the whole node.
#[utoipa::path(
    get,
    path = "/api/v1/backup",
    operation_id = "backUp",
    tag = "administration",
    responses(
        (status = 200, description = "The backup", content_type = "application/octet-stream",
         body = String),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn back_up(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let actor = app.actor(&head.headers).await?;
    actor.authorise_right(Right::Operate, None)?;
    let turn = Turn::take()?;
    let (send, mut pieces) = channel(PIECES);
    let mut pipe = Pipe {
        pieces: send,
        runtime: Handle::current(),
        buffer: Vec::with_capacity(PIECE_BYTES),
        patience: app.settings.idle_timeout,
    };
    // A thread of its own: a backup waits for its reader, and the pool's threads must not.
    let write = move || {
        let _turn = turn;
        let outcome = (app.backup)(&actor, &mut pipe).map_err(Problem::from);
        let outcome = outcome.and_then(|()| pipe.flush().map_err(broken_off));
        if let Err(problem) = outcome {
            let _ = pipe.send(Err(problem));
        }
    };
    std::thread::Builder::new().name("backup".into()).spawn(write).map_err(|error| {
        Problem::new(&problem::BUSY, format!("no thread for the backup: {error}"))
    })?;
    let first = match pieces.recv().await {
        Some(Err(problem)) => return Err(problem),
        Some(Ok(piece)) => piece,
        None => Bytes::new(),
    };
    let mut response = Response::new(Body::from_stream(stream(first, pieces)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = HeaderValue::from_static("attachment; filename=\"nameplate.backup\"");
    headers.insert(CONTENT_DISPOSITION, name);
    Ok(response)
}

type Piece = Result<Bytes, Problem>;

/// The pieces as a body; a problem breaks it off, so that nobody takes it for whole.
fn stream(
    first: Bytes,
    pieces: Receiver<Piece>,
) -> impl futures_util::Stream<Item = Result<Bytes, io::Error>> {
    let rest = futures_util::stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((piece.map_err(|problem| io::Error::other(problem.detail().to_owned())), pieces))
    });
    futures_util::StreamExt::chain(futures_util::stream::iter([Ok(first)]), rest)
}

/// A writer whose other end is a body.
struct Pipe {
    pieces: Sender<Piece>,
    runtime: Handle,
    buffer: Vec<u8>,
    patience: Duration,
}

impl Pipe {
    fn send(&mut self, piece: Piece) -> io::Result<()> {
        let sent = self
            .runtime
            .block_on(async { tokio::time::timeout(self.patience, self.pieces.send(piece)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES));
        self.send(Ok(piece.into()))
    }
}

/// The right to be the one backup under way.
struct Turn;

impl Turn {
    fn take() -> Result<Self, Problem> {
        if UNDER_WAY.swap(true, Ordering::AcqRel) {
            let detail = "another backup is under way: try again when it is done";
            return Err(Problem::new(&problem::BUSY, detail));
        }
        Ok(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        UNDER_WAY.store(false, Ordering::Release);
    }
}

fn broken_off(error: io::Error) -> Problem {
    Problem::new(&problem::TIMEOUT, format!("the backup broke off: {error}"))
}

static UNDER_WAY: AtomicBool = AtomicBool::new(false);

/// Bytes of a piece.
const PIECE_BYTES: usize = 64 << 10;

/// Pieces that wait for the reader.
const PIECES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn pipe(patience: Duration) -> (Pipe, Receiver<Piece>) {
        let (pieces, receiver) = channel(PIECES);
        let (runtime, buffer) = (Handle::current(), Vec::new());
        (Pipe { pieces, runtime, buffer, patience }, receiver)
    }

    #[tokio::test]
    async fn bytes_arrive_whole_and_in_order() {
        let (mut pipe, receiver) = pipe(Duration::from_secs(5));
        let data: Vec<u8> = (0..300_000u32).map(|number| number as u8).collect();
        let expected = data.clone();
        let writer = std::thread::spawn(move || {
            pipe.write_all(&data).unwrap();
            pipe.flush().unwrap();
        });
        let body = Body::from_stream(stream(Bytes::new(), receiver));
        assert_eq!(body.collect().await.unwrap().to_bytes(), expected);
        writer.join().unwrap();
    }

    #[tokio::test]
    async fn readers_that_stop_or_leave_end_the_backup() {
        let (mut stuck, receiver) = pipe(Duration::from_millis(20));
        let write = move || stuck.write_all(&vec![0; PIECE_BYTES * (PIECES + 2)]);
        let error = tokio::task::spawn_blocking(write).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(receiver);
        let (mut left, receiver) = pipe(Duration::from_secs(5));
        drop(receiver);
        let write = move || left.write_all(&vec![0; PIECE_BYTES * 2]);
        let error = tokio::task::spawn_blocking(write).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
