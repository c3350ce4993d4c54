//! Connections to a node, plain or TLS, and what is sent over them.

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::ClientError;
use super::address::Address;

/// A connection that requests can be sent on, one at a time.
pub(super) type Sender = hyper::client::conn::http1::SendRequest<Payload>;

/// Makes connections.
pub(super) struct Connector {
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    /// A connector to `address`; `authorities` is a PEM file to trust beside the system's.
    pub fn new(address: &Address, authorities: Option<&Path>) -> Result<Self, ClientError> {
        if !address.tls {
            return Ok(Self { tls: None });
        }
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = authorities {
            add_authorities(&mut roots, path)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError::Trust(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(address.host.clone())
            .map_err(|_| ClientError::Address(address.to_string()))?;
        Ok(Self { tls: Some((TlsConnector::from(Arc::new(config)), name)) })
    }

    /// A new connection. Its driver runs as a task of its own and ends with it.
    pub async fn connect(&self, address: &Address) -> Result<Sender, ClientError> {
        let fault = |error| ClientError::Connect { address: address.to_string(), error };
        let connecting = async {
            let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
            tcp.set_nodelay(true)?;
            Ok(match &self.tls {
                None => Box::new(tcp) as Box<dyn Stream>,
                Some((tls, name)) => Box::new(tls.connect(name.clone(), tcp).await?),
            })
        };
        let late = |_| fault(std::io::ErrorKind::TimedOut.into());
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(late)?;
        let stream = TokioIo::new(stream.map_err(fault)?);
        let (sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(ClientError::lost)?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The body of a request.
pub(super) enum Payload {
    /// All of it.
    Whole(Option<Bytes>),
    /// Pieces as they come.
    Pieces(mpsc::Receiver<Bytes>),
}

impl Payload {
    /// A body that is there as a whole.
    pub fn whole(bytes: Bytes) -> Self {
        Payload::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = match self.get_mut() {
            Payload::Whole(bytes) => Poll::Ready(bytes.take()),
            Payload::Pieces(pieces) => pieces.poll_recv(context),
        };
        data.map(|data| data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Payload::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Payload::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Payload::Pieces(_) => SizeHint::default(),
        }
    }
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn collect(
    body: hyper::body::Incoming,
    limit: usize,
) -> Result<Bytes, ClientError> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(error) => ClientError::lost(*error),
            Err(_) => ClientError::TooLarge(limit),
        }),
    }
}

fn add_authorities(roots: &mut rustls::RootCertStore, path: &Path) -> Result<(), ClientError> {
    let fault = |reason: String| ClientError::Trust(format!("{}: {reason}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| fault(e.to_string()))?;
    let mut count = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        return Err(fault("no certificate in it".into()));
    }
    Ok(())
}

/// How long connecting may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
