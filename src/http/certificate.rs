//! The node's TLS certificate: made at the first start, read again on demand.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};

/// A certificate with its key, each in a PEM file.
///
/// [`Certificate::reload`] takes new files for connections that follow; those that are open keep
/// theirs.
#[derive(Debug)]
pub struct Certificate {
    files: Files,
    current: ArcSwap<CertifiedKey>,
}

/// Where a certificate and its key are.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate and those that lead to its root.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Certificate {
    /// Reads the certificate in `files`; makes a self-signed one for `names` when there is none.
    ///
    /// Errors when one file is there without the other, or when they do not fit each other.
    pub fn load_or_create(files: &Files, names: &[String]) -> Result<Arc<Self>, CertificateError> {
        let Files { chain, key } = files;
        match (chain.exists(), key.exists()) {
            (false, false) => create(files, names)?,
            (true, false) => return Err(CertificateError::Half(chain.clone(), key.clone())),
            (false, true) => return Err(CertificateError::Half(key.clone(), chain.clone())),
            (true, true) => {}
        }
        let current = ArcSwap::from_pointee(load(files)?);
        Ok(Arc::new(Self { files: files.clone(), current }))
    }

    /// Reads the files again; the certificate stays as it is when they are at fault.
    pub fn reload(&self) -> Result<(), CertificateError> {
        self.current.store(Arc::new(load(&self.files)?));
        Ok(())
    }

    /// TLS 1.2 and 1.3 with this certificate, for HTTP/2 and HTTP/1.1.
    pub(super) fn server_config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// Makes a key and a certificate. The certificate comes last: without it the key alone is an
/// error that the operator sees, and no key is ever overwritten.
fn create(files: &Files, names: &[String]) -> Result<(), CertificateError> {
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| CertificateError::Make(error.to_string()))?;
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |error| CertificateError::File(path, error)
    };
    let Files { chain, key } = files;
    for folder in [chain, key].into_iter().filter_map(|file| file.parent()) {
        fs::create_dir_all(folder).map_err(fault(folder))?;
    }
    write_new(key, &made.signing_key.serialize_pem(), 0o600).map_err(fault(key))?;
    write_new(chain, &made.cert.pem(), 0o644).map_err(fault(chain))
}

fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn load(files: &Files) -> Result<CertifiedKey, CertificateError> {
    let Files { chain: chain_path, key: key_path } = files.clone();
    let chain = CertificateDer::pem_slice_iter(&read(&chain_path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CertificateError::Pem(chain_path.clone(), error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&key_path)?)
        .map_err(|error| CertificateError::Pem(key_path, error.to_string()))?;
    if chain.is_empty() {
        return Err(CertificateError::Pem(chain_path, "it holds no certificate".into()));
    }
    CertifiedKey::from_der(chain, key, &default_provider())
        .map_err(|error| CertificateError::Pair(chain_path, error))
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let fault = |error| CertificateError::File(path.to_owned(), error);
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(fault)?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(fault)?;
    Ok(bytes)
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// One file is there, the other is not.
    #[error("{0} is there, but {1} is not: add it, or remove both to have new ones made")]
    Half(PathBuf, PathBuf),
    /// A file does not hold what it should.
    #[error("{0} is not PEM as expected: {1}")]
    Pem(PathBuf, String),
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("{0} and the key beside it cannot be used: {1}")]
    Pair(PathBuf, rustls::Error),
    /// Making a certificate failed.
    #[error("no certificate could be made: {0}")]
    Make(String),
}

/// Most bytes read of a file.
const MOST_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn certificates_are_made_once_and_reloaded() {
        let folder = tempfile::tempdir().unwrap();
        let files = |name: &str| {
            let folder = folder.path().join(name);
            Files { chain: folder.join("cert.pem"), key: folder.join("key.pem") }
        };
        let (own, other) = (files("own"), files("other"));
        let names = ["localhost".to_owned()];
        let certificate = Certificate::load_or_create(&own, &names).unwrap();
        let first = certificate.current.load().cert.clone();
        let mode = fs::metadata(&own.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let again = Certificate::load_or_create(&own, &names).unwrap();
        assert_eq!(again.current.load().cert, first);

        Certificate::load_or_create(&other, &names).unwrap();
        fs::copy(&other.chain, &own.chain).unwrap();
        assert!(matches!(certificate.reload(), Err(CertificateError::Pair(..))));
        assert_eq!(certificate.current.load().cert, first);
        fs::copy(&other.key, &own.key).unwrap();
        certificate.reload().unwrap();
        assert_ne!(certificate.current.load().cert, first);

        fs::remove_file(&own.chain).unwrap();
        let half = Certificate::load_or_create(&own, &names);
        assert!(matches!(half, Err(CertificateError::Half(..))));
    }
}
