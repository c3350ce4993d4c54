//! Binding, starting and stopping the DNS edge.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::datagrams::tell_local_address;
use super::responder::{Responder, Serial};
use super::settings::Settings;
use super::tally::Meters;
use super::tcp::Front;
use super::udp::Worker;
use super::zone::Zones;
use crate::clock::Clock;
use crate::pool::Pool;
use crate::resolver::Resolver;

/// Sockets that are bound but not served yet.
pub struct Bound {
    settings: Settings,
    zones: Zones,
    listeners: Vec<Listener>,
}

/// Checks the settings and binds every address, UDP and TCP on the same port.
///
/// Fails when a name in the settings is malformed or an address is taken.
pub fn bind(settings: &Settings) -> io::Result<Bound> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if settings.udp_workers == 0 { cores } else { settings.udp_workers };
    let listeners = settings
        .listen
        .iter()
        .map(|&address| Listener::bind(address, workers.min(WORKERS_MAX)))
        .collect::<io::Result<Vec<_>>>()?;
    let addresses: Vec<IpAddr> = listeners.iter().map(|bound| bound.address.ip()).collect();
    let zones = Zones::new(settings, &addresses)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ok(Bound { settings: settings.clone(), zones, listeners })
}

impl Bound {
    /// The addresses bound, with their real ports.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|listener| listener.address).collect()
    }

    /// Starts to serve; `serial` is asked for the serial number of the zones. Needs to be called
    /// within a Tokio runtime.
    pub fn serve(
        self,
        resolver: Arc<Resolver>,
        pool: Pool,
        clock: Clock,
        serial: Serial,
    ) -> io::Result<Server> {
        let responder = Arc::new(Responder::new(resolver, self.zones, clock, serial));
        let meters = Arc::new(Meters::of("udp"));
        let front = Arc::new(Front::new(self.settings, Arc::clone(&responder), pool.clone()));
        let mut server = Server {
            responder: Arc::clone(&responder),
            stop_threads: Arc::default(),
            stop_tasks: watch::Sender::new(false),
            threads: Vec::new(),
            tasks: JoinSet::new(),
        };
        for listener in self.listeners {
            let tcp = tokio::net::TcpListener::from_std(listener.tcp)?;
            let front = Arc::clone(&front);
            server.tasks.spawn(front.accept(tcp, server.stop_tasks.subscribe()));
            for (core, socket) in listener.udp.into_iter().enumerate() {
                let worker = Worker {
                    socket: Arc::new(socket),
                    core,
                    responder: Arc::clone(&responder),
                    pool: pool.clone(),
                    meters: Arc::clone(&meters),
                    stop: Arc::clone(&server.stop_threads),
                };
                server.threads.push(worker.start()?);
            }
        }
        Ok(server)
    }
}

/// The running DNS edge; stops in the background when dropped.
pub struct Server {
    responder: Arc<Responder>,
    stop_threads: Arc<AtomicBool>,
    stop_tasks: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Who answers, for messages that come another way.
    pub fn responder(&self) -> &Arc<Responder> {
        &self.responder
    }

    /// Stops taking questions, answers those received, and ends all threads and tasks.
    pub async fn stop(mut self) {
        self.tell_to_stop();
        while self.tasks.join_next().await.is_some() {}
        let threads = std::mem::take(&mut self.threads);
        let join = move || threads.into_iter().for_each(|thread| drop(thread.join()));
        let _ = tokio::task::spawn_blocking(join).await;
    }

    fn tell_to_stop(&self) {
        self.stop_threads.store(true, Ordering::Relaxed);
        self.stop_tasks.send_replace(true);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}

/// The sockets of one address.
struct Listener {
    address: SocketAddr,
    tcp: TcpListener,
    udp: Vec<UdpSocket>,
}

impl Listener {
    /// Binds TCP, which tells the port if any will do, then UDP; another port when UDP's is taken.
    fn bind(wanted: SocketAddr, workers: usize) -> io::Result<Self> {
        let attempts = if wanted.port() == 0 { PORT_ATTEMPTS } else { 1 };
        let taken = |outcome: &io::Result<Self>| {
            outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        };
        let mut outcome = Self::bind_once(wanted, workers);
        for _ in 1..attempts {
            if taken(&outcome) {
                outcome = Self::bind_once(wanted, workers);
            }
        }
        outcome.map_err(|error| {
            let reason = format!("cannot listen for DNS on {wanted}: {error}");
            io::Error::new(error.kind(), reason)
        })
    }

    fn bind_once(wanted: SocketAddr, workers: usize) -> io::Result<Self> {
        let tcp = socket(wanted, Type::STREAM)?;
        tcp.set_reuse_address(true)?;
        tcp.bind(&wanted.into())?;
        tcp.listen(BACKLOG)?;
        tcp.set_nonblocking(true)?;
        let tcp = TcpListener::from(tcp);
        let address = tcp.local_addr()?;
        // Shared ports let anybody of the same user in; this one must be ours alone.
        socket(address, Type::DGRAM)?.bind(&address.into())?;
        let udp = (0..workers).map(|_| udp(address)).collect::<io::Result<_>>()?;
        Ok(Self { address, tcp, udp })
    }
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket(address, Type::DGRAM)?;
    socket.set_reuse_port(true)?;
    // The kernel gives what its limits allow.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    if address.ip().is_unspecified() {
        tell_local_address(&socket)?;
    }
    Ok(socket)
}

fn socket(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// How often to look for a port that is free for both protocols.
const PORT_ATTEMPTS: usize = 16;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// Receive buffer of a UDP socket.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// Most UDP threads per address.
const WORKERS_MAX: usize = 256;
