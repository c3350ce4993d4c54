//! Requests over kept-alive connections, one thread each, one request at a time each.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::http::Connection;
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
    pub fn run(
        &self,
        server: SocketAddr,
        fill: &(impl Fn(u64, &mut String) + Sync),
    ) -> Result<Outcome> {
        let next = AtomicU64::new(0);
        let start = Barrier::new(self.connections);
        let mut total = Outcome::default();
        let outcomes: Vec<Result<Outcome>> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..self.connections)
                .map(|_| scope.spawn(|| self.ask(server, &next, &start, fill)))
                .collect();
            clients.into_iter().map(|client| client.join().expect("a client panicked")).collect()
        });
        for outcome in outcomes {
            total.join(outcome?);
        }
        Ok(total)
    }

    fn ask(
        &self,
        server: SocketAddr,
        next: &AtomicU64,
        start: &Barrier,
        fill: &impl Fn(u64, &mut String),
    ) -> Result<Outcome> {
        let connection = Connection::open(server, PATIENCE);
        start.wait();
        let (mut connection, started) = (connection?, Instant::now());
        let mut outcome = Outcome::default();
        let mut request = String::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= self.requests || started.elapsed() >= self.limit {
                break;
            }
            request.clear();
            fill(number, &mut request);
            let sent = Instant::now();
            let status = connection.exchange(request.as_bytes())?;
            if status == self.status {
                outcome.count_right(sent.elapsed());
            } else {
                let line = request.lines().next().unwrap_or_default();
                outcome.count_wrong(|| format!("{line:?} was answered with {status}"));
            }
        }
        outcome.elapsed = started.elapsed();
        Ok(outcome)
    }
}

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};

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
