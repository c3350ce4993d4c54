//! Cursors: where a page ended, sealed for the way over the client.
//!
//! A cursor names the last row that was looked at, which may be one that the asker must not know
//! of, so it is encrypted; and it is good for the very query it was given for, so the query is
//! authenticated with it. The key follows from the node's own, so that cursors outlive restarts.

use data_encoding::BASE64URL_NOPAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

/// Seals and opens cursors.
pub struct Cursors {
    key: LessSafeKey,
    nonces: hmac::Key,
}

impl Cursors {
    /// Cursors under a key that is used for nothing else.
    pub fn new(secret: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, secret).expect("the key has 32 bytes");
        let nonces = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self { key: LessSafeKey::new(key), nonces }
    }

    /// The cursor for a place in the answer to `query`.
    pub fn seal(&self, query: &str, place: &[u8]) -> String {
        let nonce = self.nonce(query, place);
        let mut sealed = place.to_vec();
        let sealing = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(sealing, Aad::from(query.as_bytes()), &mut sealed)
            .expect("places are short");
        BASE64URL_NOPAD.encode(&[&nonce[..], &sealed].concat())
    }

    /// The place that a cursor of `query` names.
    pub fn open(&self, query: &str, cursor: &str) -> Result<Vec<u8>, BadCursor> {
        if cursor.len() > MAX_CURSOR_OCTETS {
            return Err(BadCursor);
        }
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| BadCursor)?;
        let (&nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(BadCursor)?;
        let (nonce, mut sealed) = (Nonce::assume_unique_for_key(nonce), sealed.to_vec());
        let opened = self.key.open_in_place(nonce, Aad::from(query.as_bytes()), &mut sealed);
        opened.map(|place| place.to_vec()).map_err(|_| BadCursor)
    }

    /// The same for the same content and never for another, so that no nonce meets two contents.
    fn nonce(&self, query: &str, place: &[u8]) -> [u8; NONCE_LEN] {
        let mut context = hmac::Context::with_key(&self.nonces);
        context.update(b"np-cursor/v1\n");
        context.update(&(query.len() as u64).to_be_bytes());
        context.update(query.as_bytes());
        context.update(place);
        *context.sign().as_ref().first_chunk().expect("HMAC-SHA256 has 32 bytes")
    }
}

/// A text is no cursor of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("after is no cursor of this query: pass `next` of the page before, with the same filters")]
pub struct BadCursor;

/// Most characters of a cursor: the longest place is an index key over the longest identifiers.
const MAX_CURSOR_OCTETS: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_query_and_its_node_only() {
        let cursors = Cursors::new(&[1; 32]);
        let cursor = cursors.seal("query", b"place");
        assert_eq!(cursor, cursors.seal("query", b"place"), "the same page has the same cursor");
        assert_eq!(cursors.open("query", &cursor), Ok(b"place".to_vec()));
        assert_eq!(cursors.open("another", &cursor), Err(BadCursor));
        assert_eq!(Cursors::new(&[2; 32]).open("query", &cursor), Err(BadCursor));
        assert!(!cursor.contains(&BASE64URL_NOPAD.encode(b"place")[..6]));
        for end in 0..cursor.len() {
            assert_eq!(cursors.open("query", &cursor[..end]), Err(BadCursor));
        }
        for broken in ["", "泵", "88.118/1", &format!("A{cursor}"), &"A".repeat(99_999)] {
            assert_eq!(cursors.open("query", broken), Err(BadCursor), "{broken:.40}");
        }
    }
}
