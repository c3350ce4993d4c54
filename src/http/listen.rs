//! The accept loop, for HTTP and HTTPS.
//!
//! Ours because `axum::serve` has no header timeout, no connection cap and no bound on a drain.
//! Connections beyond a cap are closed at once: at that point nothing is known of the client that
//! an answer could be fitted to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::connections::{Connections, Permit};
use super::timed::Timed;
use super::{Certificate, Settings};

/// An address that is bound and not served yet; connections wait in the kernel.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// A listener that serves until it is stopped.
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    accepting: JoinHandle<Open>,
}

/// The connections that are open when a listener stops.
struct Open {
    watched: GracefulShutdown,
    tasks: JoinSet<()>,
}

/// Binds `address`. Needs a Tokio runtime around it.
pub fn bind(address: SocketAddr) -> io::Result<Bound> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

impl Bound {
    /// The address bound, with the port that the kernel chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves plain HTTP/1.1 and HTTP/2.
    pub fn serve(self, router: Router, settings: &Settings) -> Server {
        self.start(router, settings, None)
    }

    /// Serves HTTPS.
    pub fn serve_tls(
        self,
        router: Router,
        settings: &Settings,
        certificate: &Arc<Certificate>,
    ) -> Result<Server, rustls::Error> {
        let acceptor = TlsAcceptor::from(Arc::new(certificate.server_config()?));
        Ok(self.start(router, settings, Some(acceptor)))
    }

    fn start(self, router: Router, settings: &Settings, tls: Option<TlsAcceptor>) -> Server {
        let (stop, stopped) = oneshot::channel();
        let service = Arc::new(Service {
            router: TowerToHyperService::new(router),
            builder: builder(settings),
            settings: settings.clone(),
            tls,
        });
        let accepting = tokio::spawn(accept(self.listener, service, stopped));
        Server { address: self.address, stop, accepting }
    }
}

impl Server {
    /// The address served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connections, waits up to `drain` for requests under way, then closes all.
    pub async fn stop(self, drain: Duration) {
        drop(self.stop);
        let Ok(open) = self.accepting.await else { return };
        if tokio::time::timeout(drain, open.watched.shutdown()).await.is_err() {
            let cut = open.tasks.len();
            tracing::warn!(connections = cut, "requests were cut off: the drain took too long");
        }
        // Dropping the tasks closes what is still open.
        drop(open.tasks);
    }
}

/// What a connection is served with.
struct Service {
    router: TowerToHyperService<Router>,
    builder: Builder<TokioExecutor>,
    settings: Settings,
    tls: Option<TlsAcceptor>,
}

impl Service {
    async fn serve(self: Arc<Self>, stream: TcpStream, watcher: Watcher, _permit: Permit) {
        // A peer that is gone already shows in the first read.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = &self.tls else { return self.speak(stream, watcher).await };
        let handshake = acceptor.accept(stream);
        match tokio::time::timeout(self.settings.handshake_timeout, handshake).await {
            Ok(Ok(stream)) => self.speak(stream, watcher).await,
            Ok(Err(error)) => {
                refuse("handshake");
                tracing::debug!(%error, "a TLS handshake failed");
            }
            Err(_) => refuse("handshake_timeout"),
        }
    }

    async fn speak<S>(&self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let settings = &self.settings;
        let timed = Timed::new(stream, settings.first_bytes_timeout, settings.idle_timeout);
        let connection = self.builder.serve_connection(TokioIo::new(timed), self.router.clone());
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended with an error");
        }
    }
}

/// Accepts until told to stop.
async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    mut stopped: oneshot::Receiver<()>,
) -> Open {
    let settings = &service.settings;
    let connections = Connections::new(settings.connections, settings.connections_per_network);
    let watched = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return Open { watched, tasks },
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(permit) = connections.admit(peer.ip()) {
                        let service = Arc::clone(&service);
                        tasks.spawn(service.serve(stream, watched.watcher(), permit));
                    }
                }
                Err(error) => {
                    refuse("accept");
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// How connections are read; the values follow the advisories on slow and resetting peers.
fn builder(settings: &Settings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_headers(64)
        .max_buf_size(64 << 10)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_concurrent_streams(64)
        .max_header_list_size(16 << 10)
        .max_local_error_reset_streams(256)
        .max_pending_accept_reset_streams(20);
    builder
}

fn refuse(reason: &'static str) {
    metrics::counter!("nameplate_http_refused_total", "reason" => reason).increment(1);
}

/// Connections that the kernel keeps while the loop is busy.
const BACKLOG: u32 = 1_024;

/// How long to wait after a failed accept, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
