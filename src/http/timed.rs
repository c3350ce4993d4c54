//! A stream that gives up on a peer that stalls.
//!
//! hyper's own timer starts when it knows the protocol and stops with the head of a request. This
//! covers the rest: the first bytes, by which HTTP/1 and HTTP/2 are told apart, and writes that
//! the peer does not take.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A stream with a deadline for its first bytes and for each stalled write.
pub(super) struct Timed<S> {
    stream: S,
    /// How much of the HTTP/2 preface was seen, and until when the rest may come; none once the
    /// protocol is known.
    opening: Option<(usize, Pin<Box<Sleep>>)>,
    stalled: Option<Pin<Box<Sleep>>>,
    patience: Duration,
}

impl<S> Timed<S> {
    /// Waits `first_bytes` for the opening and `patience` for each write.
    pub(super) fn new(stream: S, first_bytes: Duration, patience: Duration) -> Self {
        let deadline = Box::pin(sleep_until(Instant::now() + first_bytes));
        Self { stream, opening: Some((0, deadline)), stalled: None, patience }
    }

    /// Notes what was read while the protocol is not known yet.
    fn note(&mut self, fresh: &[u8]) {
        let Some((seen, _)) = &mut self.opening else { return };
        let expected = PREFACE.get(*seen..).unwrap_or_default();
        let common = fresh.iter().zip(expected).take_while(|(one, other)| one == other).count();
        *seen += common;
        if common < fresh.len() || *seen == PREFACE.len() {
            self.opening = None;
        }
    }

    /// What a write came to, or that it has been stalled for too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let patience = self.patience;
        let stalled =
            self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(refuse("stalled_write")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some((_, deadline)) = &mut self.opening else { return outcome };
        match outcome {
            Poll::Ready(Ok(())) => {
                let fresh = buffer.filled().get(before..).unwrap_or_default();
                self.note(fresh);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(deadline.as_mut().poll(context));
                Poll::Ready(Err(refuse("first_bytes")))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, outcome)
    }
}

fn refuse(reason: &'static str) -> io::Error {
    metrics::counter!("nameplate_http_refused_total", "reason" => reason).increment(1);
    io::ErrorKind::TimedOut.into()
}

/// How every HTTP/2 connection begins (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_millis(400);

    /// What comes of reading to the end from a peer that sends these bytes and then stalls.
    async fn outcome_of(bytes: &[u8]) -> Result<(), io::ErrorKind> {
        let (mut peer, own) = duplex(1_024);
        peer.write_all(bytes).await.unwrap();
        let mut timed = Timed::new(own, SHORT, LONG);
        let mut all = Vec::new();
        let read = tokio::time::timeout(LONG, timed.read_to_end(&mut all)).await;
        match read {
            Ok(outcome) => outcome.map(drop).map_err(|error| error.kind()),
            Err(_) => Ok(()),
        }
    }

    #[tokio::test]
    async fn openings_have_a_deadline_and_nothing_else_does() {
        for stalled in [&b""[..], b"P", b"PRI * HT", &PREFACE[..23]] {
            assert_eq!(outcome_of(stalled).await, Err(io::ErrorKind::TimedOut), "{stalled:?}");
        }
        for known in [&b"G"[..], b"PUT", b"PRI * HTTP/1", &PREFACE[..]] {
            assert_eq!(outcome_of(known).await, Ok(()), "{known:?}");
        }
    }

    #[tokio::test]
    async fn writes_that_nobody_takes_end() {
        let (_peer, own) = duplex(16);
        let mut timed = Timed::new(own, LONG, SHORT);
        let error = timed.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
