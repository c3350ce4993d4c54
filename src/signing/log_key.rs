//! The key that signs checkpoints: Ed25519 (RFC 8032).

use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::SigningError;

/// An Ed25519 key pair that signs checkpoints and nothing else.
///
/// Its debug form shows the public half only.
#[derive(Debug)]
pub struct LogKey(Ed25519KeyPair);

impl LogKey {
    /// Signs a message. Costs about 20 microseconds; the same message gives the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.0.sign(message);
        *signature.as_ref().first_chunk().expect("an Ed25519 signature has 64 bytes")
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        *self.0.public_key().as_ref().first_chunk().expect("an Ed25519 key has 32 bytes")
    }

    /// Reads PKCS#8 DER, version 2 as ring writes it or version 1 as OpenSSL does.
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Self)
    }

    pub(super) fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Self(pair.expect("every 32 bytes are an Ed25519 seed"))
    }
}

/// Whether `signature` is the key's signature over `message` (RFC 8032 §5.1.7).
pub fn verify_ed25519(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

/// A new key as PKCS#8 version 2 DER (RFC 5958, RFC 8410).
pub(super) fn generate() -> Result<Vec<u8>, SigningError> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    Ok(document.map_err(|_| SigningError::Chance)?.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_hold_for_their_key_and_message_only() {
        let key = LogKey::from_seed(&[1; 32]);
        let signature = key.sign(b"a");
        assert!(verify_ed25519(&key.public(), b"a", &signature));
        assert!(!verify_ed25519(&key.public(), b"b", &signature));
        assert!(!verify_ed25519(&key.public(), b"a", &signature[..63]));
        assert!(!verify_ed25519(&LogKey::from_seed(&[2; 32]).public(), b"a", &signature));
    }

    #[test]
    fn both_pkcs8_versions_are_read() {
        let key = LogKey::from_pkcs8(&generate().unwrap()).unwrap();
        assert!(verify_ed25519(&key.public(), b"a", &key.sign(b"a")));
        // RFC 8410 §10.3, first example: version 1, as OpenSSL writes it.
        let hex = "302e020100300506032b657004220420\
                   d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
        let der = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        let public = LogKey::from_pkcs8(&der).unwrap().public();
        assert_eq!(
            data_encoding::HEXLOWER.encode(&public),
            "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
        );
    }
}
