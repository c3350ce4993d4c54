//! Canonical keys.

use std::ops::Range;

use super::prefix::Prefix;
use super::{IdentifierError, MAX_OCTETS, handle};
use crate::codec::Corrupt;

/// What all spellings of one identifier have in common, as bytes in the store's order.
///
/// A scheme byte followed by the folded text. For `prefix/suffix` the order groups a prefix's own
/// identifiers and everything below the prefix into adjacent ranges, because `.` and `/` are
/// neighbours in ASCII.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalKey {
    bytes: Box<[u8]>,
    slash: u16,
}

impl CanonicalKey {
    pub(super) fn assemble(scheme: u8, folded: &str, slash: usize) -> Self {
        debug_assert!(folded.len() <= MAX_OCTETS && slash < folded.len());
        let mut bytes = Vec::with_capacity(1 + folded.len());
        bytes.push(scheme);
        bytes.extend_from_slice(folded.as_bytes());
        Self { bytes: bytes.into(), slash: slash as u16 }
    }

    /// The key of `suffix`, in any ASCII case, under `prefix`.
    pub fn under(prefix: &Prefix, suffix: &str) -> Result<Self, IdentifierError> {
        handle::key(&format!("{prefix}/{suffix}"))
    }

    /// Reads a key from the store; anything but a key that parsing would produce is corrupt.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (&scheme, text) = bytes.split_first().ok_or(Corrupt::Truncated("canonical key"))?;
        if scheme != HANDLE {
            return Err(Corrupt::Format("canonical key"));
        }
        let text = std::str::from_utf8(text).map_err(|_| Corrupt::Utf8("canonical key"))?;
        let key = handle::key(text).map_err(|_| Corrupt::Range("canonical key"))?;
        if *key.bytes == *bytes { Ok(key) } else { Err(Corrupt::Range("canonical key")) }
    }

    /// The range of all keys of `prefix/suffix` identifiers.
    pub fn all() -> Range<Vec<u8>> {
        vec![HANDLE]..vec![HANDLE + 1]
    }

    /// The key's bytes, scheme byte first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The folded text without the scheme byte.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[1..]).expect("a key is assembled from text only")
    }

    /// The delegated part.
    pub fn prefix(&self) -> Prefix {
        Prefix::trusted(&self.text()[..self.slash()])
    }

    /// The part behind the first slash, folded.
    pub fn suffix(&self) -> &str {
        &self.text()[self.slash() + 1..]
    }

    /// First 20 bytes of SHA-256 over the key: what `_hash` names in DNS carry.
    pub fn short_digest(&self) -> [u8; 20] {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.bytes);
        *digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
    }

    /// Where the separating slash stands in the text.
    pub(super) fn slash(&self) -> usize {
        usize::from(self.slash)
    }
}

impl std::fmt::Debug for CanonicalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CanonicalKey({:?})", self.text())
    }
}

/// Scheme byte of `prefix/suffix` identifiers. Others follow here, one per scheme file.
pub(super) const HANDLE: u8 = 1;

#[cfg(test)]
mod tests {
    use super::super::Identifier;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn case_does_not_matter(suffix in "[a-zA-Z0-9/_.-]{1,40}") {
            let text = format!("88.118/{suffix}");
            let one = Identifier::parse(&text).unwrap();
            let two = Identifier::parse(&text.to_ascii_lowercase()).unwrap();
            prop_assert_eq!(one.key(), two.key());
        }

        #[test]
        fn stored_keys_read_back(text in "[0-9a-z]{1,5}(\\.[0-9a-z]{1,5}){0,3}/[^\\p{Cc}]{1,30}") {
            let key = Identifier::literal(&text).unwrap().key().clone();
            prop_assert_eq!(CanonicalKey::from_bytes(key.as_bytes()), Ok(key));
        }

        #[test]
        fn any_bytes_are_a_key_or_corrupt(bytes in any::<Vec<u8>>()) {
            if let Ok(key) = CanonicalKey::from_bytes(&bytes) {
                prop_assert_eq!(key.as_bytes(), bytes.as_slice());
            }
        }
    }
}
