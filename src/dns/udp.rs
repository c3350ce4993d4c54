//! The UDP front: pinned threads that receive, answer and send in batches.
//!
//! A thread answers what memory can answer at once and hands the rest of a batch to the pool, whose
//! job answers from the disk and sends through the same socket. Nothing here waits for the disk,
//! and no two threads share a lock.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::datagrams::{Inbox, Origin, Outbox, pin_thread};
use super::responder::{Depth, Responder, Transport, Verdict};
use super::tally::{Event, Meters, Tally};
use crate::pool::Pool;

/// One thread's part of the front.
pub(super) struct Worker {
    /// Its socket; the kernel spreads datagrams over the sockets of one address.
    pub socket: Arc<UdpSocket>,
    /// Which core to keep to.
    pub core: usize,
    /// Who answers.
    pub responder: Arc<Responder>,
    /// Where the disk is read.
    pub pool: Pool,
    /// Where counts go.
    pub meters: Arc<Meters>,
    /// Set when the server stops.
    pub stop: Arc<AtomicBool>,
}

impl Worker {
    /// Starts the thread. It ends, soon after `stop` is set, when no datagram waits any more.
    pub fn start(self) -> io::Result<JoinHandle<()>> {
        self.socket.set_read_timeout(Some(POLL))?;
        self.socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        let address = self.socket.local_addr()?;
        let name = format!("dns-udp-{}", self.core);
        std::thread::Builder::new().name(name).spawn(move || {
            pin_thread(self.core);
            self.work(address);
        })
    }

    fn work(self, address: SocketAddr) {
        let (mut inbox, mut outbox, mut tally) =
            (Inbox::new(), Outbox::default(), Tally::default());
        let mut last_batches = DRAIN_BATCHES;
        loop {
            let stopping = self.stop.load(Ordering::Relaxed);
            match inbox.receive(&self.socket, !stopping) {
                Ok(0) => {}
                Ok(_) => self.answer(&inbox, &mut outbox, address, &mut tally),
                Err(_) => {
                    // An earlier answer met an unreachable host, or the kernel is short of memory.
                    tally.count(Event::ReceiveFailed);
                    std::thread::sleep(RECEIVE_PAUSE);
                }
            }
            tally.flush(&self.meters);
            if stopping {
                last_batches -= 1;
                if inbox.is_empty() || last_batches == 0 {
                    return;
                }
            }
        }
    }

    fn answer(&self, inbox: &Inbox, outbox: &mut Outbox, address: SocketAddr, tally: &mut Tally) {
        let mut cold = Vec::new();
        for datagram in inbox.datagrams() {
            let Some((bytes, origin)) = datagram else {
                tally.count(Event::Oversize);
                continue;
            };
            if let Some(reason) = unwelcome(origin, address) {
                tally.count(reason);
                continue;
            }
            tally.count(Event::Query);
            let draft = outbox.draft();
            match self.responder.respond(bytes, Transport::Udp, Depth::Hot, draft, tally) {
                Verdict::Reply => outbox.keep(origin),
                Verdict::Silence => {}
                Verdict::Cold => cold.push((bytes.to_vec(), origin)),
            }
        }
        let failed = outbox.send(&self.socket);
        tally.add(Event::SendFailed, failed as u64);
        if !cold.is_empty() {
            self.hand_over(cold, tally);
        }
    }

    fn hand_over(&self, cold: Vec<(Vec<u8>, Origin)>, tally: &mut Tally) {
        let number = cold.len() as u64;
        let socket = Arc::clone(&self.socket);
        let responder = Arc::clone(&self.responder);
        let meters = Arc::clone(&self.meters);
        let job = move || {
            let (mut outbox, mut tally) = (Outbox::default(), Tally::default());
            for (bytes, origin) in cold {
                let draft = outbox.draft();
                let verdict =
                    responder.respond(&bytes, Transport::Udp, Depth::Full, draft, &mut tally);
                if verdict == Verdict::Reply {
                    outbox.keep(origin);
                }
            }
            tally.add(Event::SendFailed, outbox.send(&socket) as u64);
            tally.flush(&meters);
        };
        if self.pool.spawn(job).is_err() {
            tally.add(Event::Overloaded, number);
        }
    }
}

/// Why a sender gets no answer whatever it says: port 0 cannot be answered, and our own address
/// would have us talk to ourselves.
fn unwelcome(origin: Origin, address: SocketAddr) -> Option<Event> {
    let asked = origin.local.map_or(address.ip(), |local| local.address);
    if origin.peer.port() == 0 {
        Some(Event::PortZero)
    } else if origin.peer.port() == address.port() && origin.peer.ip() == asked {
        Some(Event::OwnAddress)
    } else {
        None
    }
}

/// How often an idle thread looks whether to stop.
const POLL: Duration = Duration::from_millis(250);

/// How long a full send buffer may hold a thread up; what is unsent then is dropped.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// How long to wait after a failed receive.
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// Most batches that are still answered after the stop.
const DRAIN_BATCHES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_answered_who_could_not_have_asked() {
        let ours: SocketAddr = "192.0.2.1:53".parse().unwrap();
        let any: SocketAddr = "0.0.0.0:53".parse().unwrap();
        for (peer, address, reason) in [
            ("192.0.2.9:0", ours, Some(Event::PortZero)),
            ("192.0.2.1:53", ours, Some(Event::OwnAddress)),
            ("192.0.2.1:54", ours, None),
            ("192.0.2.9:53", ours, None),
            ("192.0.2.9:53", any, None),
        ] {
            let origin = Origin { peer: peer.parse().unwrap(), local: None };
            assert_eq!(unwelcome(origin, address), reason, "{peer}");
        }
    }
}
