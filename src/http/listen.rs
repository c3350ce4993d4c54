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
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
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
use super::peer::Peer;
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
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: Peer,
        watcher: Watcher,
        _permit: Permit,
    ) {
        // A peer that is gone already shows in the first read.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = &self.tls else { return self.speak(stream, peer, watcher).await };
        let handshake = acceptor.accept(stream);
        match tokio::time::timeout(self.settings.handshake_timeout, handshake).await {
            Ok(Ok(stream)) => self.speak(stream, peer, watcher).await,
            Ok(Err(error)) => {
                refuse("handshake");
                tracing::debug!(%error, "a TLS handshake failed");
            }
            Err(_) => refuse("handshake_timeout"),
        }
    }

    async fn speak<S>(&self, stream: S, peer: Peer, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let settings = &self.settings;
        let timed = Timed::new(stream, settings.first_bytes_timeout, settings.idle_timeout);
        let router = self.router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            router.call(request)
        });
        let connection = self.builder.serve_connection(TokioIo::new(timed), service);
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
                        let peer = Peer(peer.ip());
                        tasks.spawn(service.serve(stream, peer, watched.watcher(), permit));
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const QUICK: Duration = Duration::from_millis(100);

    fn quick() -> Settings {
        Settings {
            connections: 3,
            first_bytes_timeout: QUICK,
            header_timeout: QUICK,
            handshake_timeout: QUICK,
            ..Settings::default()
        }
    }

    fn slow_router(pause: Duration) -> Router {
        Router::new().route(
            "/",
            get(move || async move {
                tokio::time::sleep(pause).await;
                "done"
            }),
        )
    }

    fn any_port() -> Bound {
        bind("127.0.0.1:0".parse().unwrap()).unwrap()
    }

    /// All that comes back for these bytes until the node closes the connection.
    async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        String::from_utf8_lossy(&reply).into_owned()
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    #[tokio::test(flavor = "multi_thread")]
    async fn slow_heads_are_cut_off() {
        let server = any_port().serve(slow_router(Duration::ZERO), &quick());
        let started = Instant::now();
        for stalled in [&b""[..], b"PRI * H", b"GET / HTTP/1.1\r\nHost: x\r\n"] {
            let reply = exchange(server.address(), stalled).await;
            assert!(!reply.contains("200 OK"), "{reply}");
        }
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(exchange(server.address(), REQUEST).await.contains("200 OK"));
        server.stop(QUICK).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn connections_beyond_the_cap_are_closed() {
        let settings = Settings { first_bytes_timeout: Duration::from_secs(60), ..quick() };
        let server = any_port().serve(slow_router(Duration::ZERO), &settings);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(TcpStream::connect(server.address()).await.unwrap());
        }
        // Connections are admitted in the order in which the kernel took them.
        assert_eq!(exchange(server.address(), REQUEST).await, "");
        held.clear();
        for _ in 0..50 {
            if exchange(server.address(), REQUEST).await.contains("200 OK") {
                return server.stop(QUICK).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("closed connections still count");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn drains_wait_as_long_as_they_may() {
        for (drain, finished) in [(Duration::from_secs(10), true), (QUICK, false)] {
            let server = any_port().serve(slow_router(Duration::from_millis(500)), &quick());
            let address = server.address();
            let request = tokio::spawn(async move { exchange(address, REQUEST).await });
            tokio::time::sleep(QUICK).await;
            let started = Instant::now();
            server.stop(drain).await;
            assert!(started.elapsed() < Duration::from_secs(5));
            assert_eq!(request.await.unwrap().contains("done"), finished);
            assert!(TcpStream::connect(address).await.is_err());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn https_speaks_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned()];
        let (chain, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let files = crate::http::Files { chain: chain.clone(), key };
        let certificate = Certificate::load_or_create(&files, &names).unwrap();
        let router = slow_router(Duration::ZERO);
        let server = any_port().serve_tls(router, &quick(), &certificate).unwrap();
        let url = format!("https://localhost:{}/", server.address().port());
        for (flags, version) in
            [(&["--http1.1"][..], "1.1"), (&["--http2"], "2"), (&["--tls-max", "1.2"], "2")]
        {
            let output = std::process::Command::new("curl")
                .args(["--silent", "--show-error", "--write-out", " %{http_version}", "--cacert"])
                .arg(&chain)
                .args(flags)
                .arg(&url)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(said, format!("done {version}"), "{output:?}");
        }
        assert_eq!(exchange(server.address(), b"").await, "");
        server.stop(QUICK).await;
    }
}
