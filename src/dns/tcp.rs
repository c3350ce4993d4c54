//! The TCP front: an accept loop with caps, and connections with timeouts.
//!
//! Each connection reads questions as they come (RFC 7766: several may be under way), answers them
//! in order and writes answers together. It holds at most one message of each kind beyond what is
//! being answered; a peer that sends slowly, does not read, or stays idle is disconnected.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::responder::{Depth, Responder, Transport, Verdict, write_failure};
use super::settings::Settings;
use super::tally::{Event, Meters, Tally};
use crate::pool::Pool;

/// What all connections share.
pub(super) struct Front {
    settings: Settings,
    responder: Arc<Responder>,
    pool: Pool,
    meters: Meters,
    seats: Mutex<Seats>,
}

impl Front {
    /// A front without connections.
    pub fn new(settings: Settings, responder: Arc<Responder>, pool: Pool) -> Self {
        let meters = Meters::of("tcp");
        Self { settings, responder, pool, meters, seats: Mutex::default() }
    }

    /// Accepts connections until `stop` is set, then lets them finish what they have begun.
    pub async fn accept(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let stop_connections = stop.clone();
        loop {
            tokio::select! {
                () = told_to_stop(&mut stop) => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        // Without a seat the stream is dropped, which closes it.
                        let Some(seat) = self.take_seat(peer.ip()) else { continue };
                        let _ = stream.set_nodelay(true);
                        let (front, stop) = (Arc::clone(&self), stop_connections.clone());
                        connections.spawn(async move {
                            let _seat = seat;
                            Connection::new(stream, &front).serve(stop).await
                        });
                    }
                    Err(_) => {
                        metrics::counter!("nameplate_dns_accept_failures_total").increment(1);
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(listener);
        let finish = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(DRAIN_TIMEOUT, finish).await;
        connections.shutdown().await;
    }

    fn take_seat(self: &Arc<Self>, peer: IpAddr) -> Option<Seat> {
        let network = network(peer);
        let mut seats = self.seats();
        let refused = if seats.total >= self.settings.tcp_connections_max {
            Some("total")
        } else if seats.of(network) >= self.settings.tcp_connections_per_network_max {
            Some("network")
        } else {
            None
        };
        if let Some(reason) = refused {
            metrics::counter!("nameplate_dns_connections_refused_total", "reason" => reason)
                .increment(1);
            return None;
        }
        seats.total += 1;
        *seats.networks.entry(network).or_default() += 1;
        Some(Seat { front: Arc::clone(self), network })
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Connections under way.
#[derive(Default)]
struct Seats {
    total: usize,
    networks: HashMap<IpAddr, usize>,
}

impl Seats {
    fn of(&self, network: IpAddr) -> usize {
        self.networks.get(&network).copied().unwrap_or(0)
    }
}

/// One connection's place; free again when dropped.
struct Seat {
    front: Arc<Front>,
    network: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.front.seats();
        seats.total = seats.total.saturating_sub(1);
        if seats.of(self.network) <= 1 {
            seats.networks.remove(&self.network);
        } else if let Some(count) = seats.networks.get_mut(&self.network) {
            *count -= 1;
        }
    }
}

/// A connection.
struct Connection<'a, S> {
    stream: S,
    front: &'a Front,
    inbound: BytesMut,
    outbound: Vec<u8>,
    tally: Tally,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Connection<'a, S> {
    fn new(stream: S, front: &'a Front) -> Self {
        let (inbound, outbound) = (BytesMut::new(), Vec::new());
        Self { stream, front, inbound, outbound, tally: Tally::default() }
    }

    /// Answers questions until the peer, a limit or `stop` ends it.
    async fn serve(mut self, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let settings = &self.front.settings;
        let mut patience = settings.tcp_read_timeout;
        for _ in 0..settings.tcp_queries_max {
            let Some(message) = self.next(patience, &mut stop).await? else { break };
            patience = settings.tcp_idle_timeout;
            self.tally.count(Event::Query);
            let Some(answer) = self.answer(message).await else { break };
            // An answer is written with a limit of 65,535 octets.
            let Ok(octets) = u16::try_from(answer.len()) else { break };
            self.outbound.extend_from_slice(&octets.to_be_bytes());
            self.outbound.extend_from_slice(&answer);
            if self.outbound.len() >= FLUSH_OCTETS {
                self.flush().await?;
            }
        }
        self.flush().await?;
        let _ = timeout(settings.tcp_write_timeout, self.stream.shutdown()).await;
        Ok(())
    }

    /// The next question; none when there will be no more. Answers are sent before waiting.
    async fn next(
        &mut self,
        patience: Duration,
        stop: &mut watch::Receiver<bool>,
    ) -> io::Result<Option<BytesMut>> {
        let read_timeout = self.front.settings.tcp_read_timeout;
        let mut begun = !self.inbound.is_empty();
        let mut deadline = Instant::now() + if begun { read_timeout } else { patience };
        loop {
            match take_message(&mut self.inbound) {
                Framing::Message(message) => return Ok(Some(message)),
                Framing::Oversize => {
                    self.tally.count(Event::Oversize);
                    return Ok(None);
                }
                Framing::Incomplete => self.flush().await?,
            }
            self.inbound.reserve(READ_OCTETS);
            let read = timeout_at(deadline, self.stream.read_buf(&mut self.inbound));
            let octets = tokio::select! {
                () = told_to_stop(stop) => return Ok(None),
                read = read => match read {
                    Ok(octets) => octets?,
                    Err(_) => {
                        metrics::counter!("nameplate_dns_connections_timed_out_total").increment(1);
                        return Ok(None);
                    }
                },
            };
            if octets == 0 {
                return Ok(None);
            }
            if !begun {
                begun = true;
                deadline = Instant::now() + read_timeout;
            }
        }
    }

    /// The answer; none when the message deserves none, and then the peer no connection either.
    async fn answer(&mut self, message: BytesMut) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let responder = &self.front.responder;
        let mut verdict =
            responder.respond(&message, Transport::Tcp, Depth::Hot, &mut out, &mut self.tally);
        if verdict == Verdict::Cold {
            let responder = Arc::clone(responder);
            let question = message.clone();
            let job = move || {
                let (mut out, mut tally) = (Vec::new(), Tally::default());
                let (way, depth) = (Transport::Tcp, Depth::Full);
                let verdict = responder.respond(&question, way, depth, &mut out, &mut tally);
                (verdict, out, tally)
            };
            match self.front.pool.run(job).await {
                Ok((full, answer, mut tally)) => {
                    tally.flush(&self.front.meters);
                    (verdict, out) = (full, answer);
                }
                Err(_) => verdict = write_failure(&message, &mut out, &mut self.tally),
            }
        }
        (verdict == Verdict::Reply).then_some(out)
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.tally.flush(&self.front.meters);
        if self.outbound.is_empty() {
            return Ok(());
        }
        let write = self.stream.write_all(&self.outbound);
        let written = timeout(self.front.settings.tcp_write_timeout, write).await;
        self.outbound.clear();
        written.unwrap_or_else(|_| {
            metrics::counter!("nameplate_dns_connections_timed_out_total").increment(1);
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

/// What the octets received amount to.
enum Framing {
    /// A whole message, without its length.
    Message(BytesMut),
    /// Less than that.
    Incomplete,
    /// The beginning of a message longer than any question.
    Oversize,
}

/// Takes the first message (RFC 1035 §4.2.2: two octets of length, then the message).
fn take_message(inbound: &mut BytesMut) -> Framing {
    let Some(&length) = inbound.first_chunk::<2>() else { return Framing::Incomplete };
    let octets = usize::from(u16::from_be_bytes(length));
    if octets > MESSAGE_OCTETS {
        return Framing::Oversize;
    }
    if inbound.len() < 2 + octets {
        return Framing::Incomplete;
    }
    inbound.advance(2);
    Framing::Message(inbound.split_to(octets))
}

/// Waits until the server stops, or is gone.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The network a peer is counted in.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(address) => {
            IpAddr::from((u128::from(address) & !(u128::MAX >> 56)).to_be_bytes())
        }
    }
}

/// Most octets of a question over TCP; what is longer is no question.
const MESSAGE_OCTETS: usize = 4_096;

/// Room made for each read.
const READ_OCTETS: usize = 1_024;

/// Answers are sent when this many octets wait, at the latest.
const FLUSH_OCTETS: usize = 16_384;

/// How long to wait after a failed accept, which mostly means that there are no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long connections may take to finish when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_counted_by_network() {
        for (peer, expected) in [
            ("192.0.2.77", "192.0.2.0"),
            ("::ffff:192.0.2.77", "192.0.2.0"),
            ("2001:db8:1:2ff:3::4", "2001:db8:1:200::"),
        ] {
            assert_eq!(network(peer.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn messages_are_taken_whole() {
        let mut inbound = BytesMut::from(&b"\x00\x02ab\x00\x01c\x00"[..]);
        for expected in [&b"ab"[..], b"c"] {
            match take_message(&mut inbound) {
                Framing::Message(message) => assert_eq!(message, expected),
                _ => panic!("{expected:?}"),
            }
        }
        assert!(matches!(take_message(&mut inbound), Framing::Incomplete));
        let mut huge = BytesMut::from(&b"\xff\xff"[..]);
        assert!(matches!(take_message(&mut huge), Framing::Oversize));
    }
}
