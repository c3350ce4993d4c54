//! The key that salts what the ledger commits to.

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::SigningError;

/// The secret from which the salts of all records are derived; salts themselves are not stored.
pub struct SaltKey(hmac::Key);

impl SaltKey {
    /// The salt of one version of one subject: HMAC-SHA256 over
    /// `"np-record-salt/v1\n" ‖ u16+subject ‖ u64 version`.
    ///
    /// Subjects have at most 65,535 bytes; identifiers are bounded far below.
    pub fn record_salt(&self, subject: &[u8], version: u64) -> [u8; 32] {
        debug_assert!(u16::try_from(subject.len()).is_ok());
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"np-record-salt/v1\n");
        context.update(&(subject.len() as u16).to_be_bytes());
        context.update(subject);
        context.update(&version.to_be_bytes());
        *context.sign().as_ref().first_chunk().expect("HMAC-SHA256 has 32 bytes")
    }

    /// Tells keys apart without telling anything of them: the first 8 bytes of HMAC-SHA256 over
    /// `"np-salt-key-id/v1\n"`.
    pub fn id(&self) -> [u8; 8] {
        let tag = hmac::sign(&self.0, b"np-salt-key-id/v1\n");
        *tag.as_ref().first_chunk().expect("HMAC-SHA256 has 32 bytes")
    }

    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

impl std::fmt::Debug for SaltKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SaltKey(..)")
    }
}

/// A new secret.
pub(super) fn generate() -> Result<Vec<u8>, SigningError> {
    let mut secret = vec![0; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| SigningError::Chance)?;
    Ok(secret)
}
