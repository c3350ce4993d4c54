//! Requests over kept-alive connections, one under way on each, all from one thread.
//!
//! A thread for each connection would spend more on switching between them than on asking, and a
//! server that shares nothing with its load generator but the machine would be measured by it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token};

use crate::http::first_answer;
use crate::latency::Outcome;

/// How to ask, and when to stop.
#[derive(Clone, Copy)]
pub struct Load {
    /// Connections, each with one request under way.
    pub connections: usize,
    /// Requests in all.
    pub requests: u64,
    /// Time after which no further request is sent.
    pub limit: Duration,
    /// The only right status.
    pub status: u16,
}

impl Load {
    /// Sends what `fill` writes for the numbers from 0 on, until count or time are used up.
    pub fn run(&self, server: SocketAddr, fill: &impl Fn(u64, &mut String)) -> Result<Outcome> {
        let mut poll = Poll::new()?;
        let clients = (0..self.connections).map(|place| Client::open(server, &poll, place));
        let mut clients = clients.collect::<Result<Vec<_>>>()?;
        let mut events = Events::with_capacity(self.connections);
        let (mut outcome, started, mut next) = (Outcome::default(), Instant::now(), 0);
        let mut waiting = 0;
        for client in &mut clients {
            waiting += u32::from(self.ask(client, &mut next, started, fill)?);
        }
        while waiting > 0 {
            match poll.poll(&mut events, Some(PATIENCE)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            ensure!(!events.is_empty(), "{server} did not answer within {PATIENCE:?}");
            for event in &events {
                let client = clients.get_mut(event.token().0).context("an unknown connection")?;
                let Some(status) = client.receive()? else { continue };
                if status == self.status {
                    outcome.count_right(client.sent.elapsed());
                } else {
                    let line = client.request.lines().next().unwrap_or_default();
                    outcome.count_wrong(|| format!("{line:?} was answered with {status}"));
                }
                waiting -= u32::from(!self.ask(client, &mut next, started, fill)?);
            }
        }
        outcome.elapsed = started.elapsed();
        Ok(outcome)
    }

    /// Sends the next request; false when there is none.
    fn ask(
        &self,
        client: &mut Client,
        next: &mut u64,
        started: Instant,
        fill: &impl Fn(u64, &mut String),
    ) -> Result<bool> {
        if *next >= self.requests || started.elapsed() >= self.limit {
            return Ok(false);
        }
        client.request.clear();
        fill(*next, &mut client.request);
        *next += 1;
        client.sent = Instant::now();
        // A request is far smaller than what a socket takes that has nothing under way.
        client.stream.write_all(client.request.as_bytes()).context("cannot send")?;
        Ok(true)
    }
}

/// A kept-alive connection.
struct Client {
    stream: mio::net::TcpStream,
    request: String,
    sent: Instant,
    received: Vec<u8>,
    filled: usize,
}

impl Client {
    fn open(server: SocketAddr, poll: &Poll, place: usize) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE)
            .with_context(|| format!("cannot connect to {server}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(place), Interest::READABLE)?;
        let (request, received) = (String::new(), vec![0; READ_BUFFER]);
        Ok(Self { stream, request, sent: Instant::now(), received, filled: 0 })
    }

    /// Reads what is there; the status of the answer when it is whole.
    fn receive(&mut self) -> Result<Option<u16>> {
        loop {
            if self.filled == self.received.len() {
                self.received.resize(2 * self.filled, 0);
            }
            match self.stream.read(&mut self.received[self.filled..]) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("cannot receive"),
            }
            // What comes behind a whole answer, with nothing else asked for, is news to `poll`.
            if let Some((status, bytes)) = first_answer(&self.received[..self.filled])? {
                ensure!(bytes == self.filled, "more came than was asked for");
                self.filled = 0;
                return Ok(Some(status));
            }
        }
    }
}

const READ_BUFFER: usize = 16 * 1024;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    fn answer(stream: TcpStream) {
        let mut writer = stream.try_clone().unwrap();
        let mut lines = BufReader::new(stream).lines();
        while let Some(Ok(line)) = lines.next() {
            let status = if line.contains("/7 ") { 404 } else { 200 };
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let text = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
            writer.write_all(text.as_bytes()).unwrap();
        }
    }

    #[test]
    fn every_request_is_sent_once_and_judged() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            listener.incoming().for_each(|stream| {
                std::thread::spawn(|| answer(stream.unwrap()));
            });
        });
        let limit = Duration::from_secs(10);
        let load = Load { connections: 4, requests: 200, limit, status: 200 };
        let outcome = load
            .run(address, &|number, out: &mut String| {
                out.push_str(&format!("GET /{number} HTTP/1.1\r\nhost: a\r\n\r\n"));
            })
            .unwrap();
        assert_eq!((outcome.right, outcome.wrong), (199, 1));
        assert!(outcome.first_fault.unwrap().contains("404"));
    }
}
