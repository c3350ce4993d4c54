//! DNS questions over UDP: a bounded number under way, each answer makes room for the next.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::catalogue::{Item, ZONE};
use crate::latency::Outcome;

/// Encoded questions, all with the same expected answer.
pub struct Questions {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    expected: Expected,
}

/// What a right answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// NOERROR with records.
    Records,
    /// NXDOMAIN.
    Absence,
    /// The question itself.
    Echo,
}

impl Questions {
    /// Questions about the items, in turn for URI and TXT, as a stub resolver asks: RD set, no
    /// EDNS.
    pub fn new(items: impl Iterator<Item = Item>, expected: Expected) -> Self {
        let mut questions = Self { bytes: Vec::new(), ends: Vec::new(), expected };
        for (item, kind) in items.zip([TYPE_URI, TYPE_TXT].into_iter().cycle()) {
            questions.bytes.extend_from_slice(&[0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
            let labels = item.labels();
            for label in labels.iter().map(String::as_str).chain(ZONE.split('.')) {
                // The empty label behind the last dot is the root.
                questions.bytes.push(label.len() as u8);
                questions.bytes.extend_from_slice(label.as_bytes());
            }
            questions.bytes.extend_from_slice(&kind.to_be_bytes());
            questions.bytes.extend_from_slice(&CLASS_IN.to_be_bytes());
            questions.ends.push(questions.bytes.len());
        }
        questions
    }

    /// The same questions for a server that sends them back.
    pub fn echoed(&self) -> Self {
        Self { bytes: self.bytes.clone(), ends: self.ends.clone(), expected: Expected::Echo }
    }

    /// Asks the first `count` questions, over and over if there are fewer.
    ///
    /// Stops after `limit`; a question without an answer for a second is lost.
    pub fn ask(&self, server: SocketAddr, count: u64, limit: Duration) -> Result<Outcome> {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).context("cannot bind a UDP socket")?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(LOSS_AFTER))?;
        let mut flight = Flight::new(self, &socket);
        flight.fly(count, limit)?;
        Ok(flight.outcome)
    }

    fn question(&self, number: u64) -> &[u8] {
        let at = (number % self.ends.len() as u64) as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// Why an answer is wrong, if it is.
    fn fault(&self, answer: &[u8]) -> Option<String> {
        if self.expected == Expected::Echo {
            return None;
        }
        let &[_, _, high, low, _, _, answers_high, answers_low, ..] = answer else {
            return Some(format!("an answer of {} bytes", answer.len()));
        };
        let (rcode, truncated) = (low & 0x0f, high & 0x02 != 0);
        let answers = u16::from_be_bytes([answers_high, answers_low]);
        let right = match self.expected {
            Expected::Records => rcode == NOERROR && answers > 0,
            _ => rcode == NXDOMAIN && answers == 0,
        };
        let expected = self.expected;
        (!right || truncated || high & 0x80 == 0).then(|| {
            format!("rcode {rcode}, {answers} answers, TC {truncated} instead of {expected:?}")
        })
    }
}

/// Questions under way. The low part of a question's DNS id is its slot, the rest tells a late
/// answer from the one the slot waits for.
struct Flight<'a> {
    questions: &'a Questions,
    socket: &'a UdpSocket,
    slots: [Option<(u16, Instant)>; WINDOW],
    free: Vec<usize>,
    datagram: Vec<u8>,
    sent: u64,
    outcome: Outcome,
}

impl<'a> Flight<'a> {
    fn new(questions: &'a Questions, socket: &'a UdpSocket) -> Self {
        Self {
            questions,
            socket,
            slots: [None; WINDOW],
            free: (0..WINDOW).collect(),
            datagram: Vec::with_capacity(512),
            sent: 0,
            outcome: Outcome::default(),
        }
    }

    fn fly(&mut self, count: u64, limit: Duration) -> Result<()> {
        let started = Instant::now();
        let (mut now, mut swept) = (started, started);
        let mut buffer = [0; MAX_DATAGRAM];
        loop {
            while now - started < limit && self.sent < count && self.send(now)? {}
            if self.free.len() == WINDOW {
                break;
            }
            match self.socket.recv(&mut buffer) {
                Ok(length) => self.receive(&buffer[..length]),
                // A refused datagram met a server that is not there: its question gets lost.
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error).context("cannot receive"),
            }
            now = Instant::now();
            if now - swept >= LOSS_AFTER {
                self.sweep(now);
                swept = now;
            }
        }
        self.outcome.elapsed = started.elapsed();
        Ok(())
    }

    /// Sends the next question; false when as many as allowed are under way.
    fn send(&mut self, now: Instant) -> Result<bool> {
        let Some(slot) = self.free.pop() else { return Ok(false) };
        let id = (self.sent as u16).wrapping_mul(WINDOW as u16) | slot as u16;
        self.datagram.clear();
        self.datagram.extend_from_slice(self.questions.question(self.sent));
        self.datagram[..2].copy_from_slice(&id.to_be_bytes());
        self.slots[slot] = Some((id, now));
        self.sent += 1;
        match self.socket.send(&self.datagram) {
            Err(error) if !is_passing(&error) => Err(error).context("cannot send"),
            _ => Ok(true),
        }
    }

    fn receive(&mut self, answer: &[u8]) {
        let Some(&id) = answer.first_chunk() else { return };
        let id = u16::from_be_bytes(id);
        let slot = usize::from(id) % WINDOW;
        // Anything else comes too late and was counted as lost.
        let Some((_, sent)) = self.slots[slot].take_if(|(asked, _)| *asked == id) else { return };
        self.free.push(slot);
        match self.questions.fault(answer) {
            None => self.outcome.count_right(sent.elapsed()),
            Some(fault) => self.outcome.count_wrong(|| fault),
        }
    }

    fn sweep(&mut self, now: Instant) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.take_if(|(_, sent)| now - *sent >= LOSS_AFTER).is_some() {
                self.free.push(number);
                self.outcome.lost += 1;
            }
        }
    }
}

/// Whether an error concerns one datagram or one wait only.
fn is_passing(error: &std::io::Error) -> bool {
    use ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted | ConnectionRefused)
}

/// Questions under way at once: a power of two, so that it divides the 16-bit ids evenly.
pub const WINDOW: usize = 64;

const LOSS_AFTER: Duration = Duration::from_secs(1);
const MAX_DATAGRAM: usize = 4096;
const TYPE_TXT: u16 = 16;
const TYPE_URI: u16 = 256;
const CLASS_IN: u16 = 1;
const NOERROR: u8 = 0;
const NXDOMAIN: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that loses its fifth question, refuses its ninth and finds all others.
    fn serve() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            for number in 1.. {
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                buffer[2] |= 0x80;
                buffer[3] = if number == 9 { 5 } else { 0 };
                buffer[7] = 1;
                if number != 5 {
                    socket.send_to(&buffer[..length], from).unwrap();
                }
            }
        });
        address
    }

    #[test]
    fn answers_are_matched_and_judged() {
        let questions = Questions::new((0..50).map(Item::new), Expected::Records);
        let mut outcome = questions.ask(serve(), 1000, Duration::from_secs(20)).unwrap();
        assert_eq!((outcome.right, outcome.wrong, outcome.lost), (998, 1, 1));
        assert!(outcome.first_fault.take().unwrap().contains("rcode 5"));
        assert!(outcome.percentile_us(50) > 0.0);
    }

    #[test]
    fn questions_are_dns_messages() {
        let questions = Questions::new((0..2).map(Item::new), Expected::Records);
        let (uri, txt) = (questions.question(0), questions.question(3));
        assert_eq!(uri[..12], [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert!(uri.ends_with(b"\x03_id\x06100000\x03118\x0288\x02id\x07example\0\x01\0\0\x01"));
        assert!(txt.ends_with(b"\x07example\0\0\x10\0\x01"));
        let label = usize::from(uri[12]);
        assert_eq!(&uri[13..13 + label], Item::new(0).suffix().as_bytes());
    }
}
