//! Answers that threads write while clients read: backups, exports, files of jobs.
//!
//! The thread is the answer's own: it waits for its reader, and the pool's threads must not. An
//! answer that breaks off is never taken for whole, because its length is not told beforehand.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::problem::{self, Problem};

/// What an answer is.
pub(super) struct Told {
    /// Name of the thread that writes it.
    pub thread: &'static str,
    /// Media type.
    pub media_type: &'static str,
    /// Name of the file that a browser makes of it.
    pub file: &'static str,
}

/// Answers with what `write` writes. A problem before its first bytes is the answer; one behind
/// them breaks it off. A client that reads nothing for `patience` ends it.
pub(super) async fn answer(
    told: Told,
    patience: Duration,
    write: impl FnOnce(&mut Pipe) -> Result<(), Problem> + Send + 'static,
) -> Result<Response<Body>, Problem> {
    let (send, mut pieces) = channel(PIECES);
    let mut pipe = Pipe {
        pieces: send,
        runtime: Handle::current(),
        buffer: Vec::with_capacity(PIECE_BYTES),
        patience,
    };
    let work = move || {
        let outcome = write(&mut pipe).and_then(|()| pipe.flush().map_err(broken_off));
        if let Err(problem) = outcome {
            let _ = pipe.send(Err(problem));
        }
    };
    std::thread::Builder::new().name(told.thread.into()).spawn(work).map_err(|error| {
        Problem::new(&problem::BUSY, format!("no thread for the answer: {error}"))
    })?;
    let first = match pieces.recv().await {
        Some(Err(problem)) => return Err(problem),
        Some(Ok(piece)) => piece,
        None => Bytes::new(),
    };
    let mut response = Response::new(Body::from_stream(stream(first, pieces)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(told.media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", told.file));
    headers.extend(name.map(|name| (CONTENT_DISPOSITION, name)));
    Ok(response)
}

/// The problem of an answer that could not be written.
pub(super) fn broken_off(error: io::Error) -> Problem {
    Problem::new(&problem::TIMEOUT, format!("the answer broke off: {error}"))
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
pub(super) struct Pipe {
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
