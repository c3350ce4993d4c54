//! Signed notes (C2SP `signed-note`): a text and the lines of those who signed it.
//!
//! Keys choose algorithms, notes do not: a line counts only when its name and key id are those of
//! a key that the reader already holds.

use data_encoding::{BASE64, HEXLOWER};

use super::hash::sha256;
use crate::signing::{LogKey, verify_ed25519};

/// A key that notes are checked with: Ed25519 over the text (signature type 0x01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

impl VerifierKey {
    /// The key of the signer `name`.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), public })
    }

    /// Reads `<name>+<key id in hex>+<base64 of type and public key>`.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let broken = || NoteError::VerifierKey(text.chars().take(MAX_NAME_OCTETS).collect());
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(broken());
        };
        let key = BASE64.decode(key.as_bytes()).map_err(|_| broken())?;
        let public = match key.split_first() {
            Some((&ED25519, public)) => public.try_into().map_err(|_| broken())?,
            Some((&other, _)) => return Err(NoteError::Algorithm(other)),
            None => return Err(broken()),
        };
        let key = Self::new(name, public)?;
        if key.to_text() == text { Ok(key) } else { Err(broken()) }
    }

    /// The key as text, to hand to those who are to check notes.
    pub fn to_text(&self) -> String {
        let key = BASE64.encode(&[&[ED25519], &self.public[..]].concat());
        format!("{}+{}+{key}", self.name, HEXLOWER.encode(&self.id()))
    }

    /// The first 4 bytes of SHA-256(name ‖ newline ‖ type ‖ public key).
    fn id(&self) -> [u8; 4] {
        let named = [self.name.as_bytes(), b"\n", &[ED25519], &self.public].concat();
        let [a, b, c, d, ..] = sha256(&named);
        [a, b, c, d]
    }
}

/// The note that `key` signs in the name of `signer`, its public side.
///
/// `text` is the caller's own: it ends with a newline and holds no other control characters.
pub fn sign_note(text: &str, signer: &VerifierKey, key: &LogKey) -> String {
    debug_assert!(check_text(text).is_ok() && signer.public == key.public());
    let signature = [&signer.id()[..], &key.sign(text.as_bytes())].concat();
    format!("{text}\n— {} {}\n", signer.name, BASE64.encode(&signature))
}

/// The text of a note, if one of the `known` keys signed it.
///
/// Lines of other keys are ignored; a line of a known key that does not hold refuses the whole
/// note. Bounded to [`MAX_NOTE_BYTES`] and [`MAX_SIGNATURES`].
pub fn open_note<'a>(note: &'a str, known: &[VerifierKey]) -> Result<&'a str, NoteError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLong(note.len()));
    }
    // The last empty line parts text from signatures; the text keeps its final newline.
    let part = note.rfind("\n\n").ok_or(NoteError::Shape("no empty line before signatures"))?;
    let (text, signatures) = note.split_at(part + 1);
    check_text(text)?;
    let signatures = signatures.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
    let signatures = signatures.ok_or(NoteError::Shape("no newline at the end"))?;
    let mut signed = false;
    for (position, line) in signatures.split('\n').enumerate() {
        if position >= MAX_SIGNATURES {
            return Err(NoteError::Shape("too many signatures"));
        }
        let (name, id, signature) = read_signature(line)?;
        let key = known.iter().find(|key| key.name == name && key.id() == id);
        let Some(key) = key else { continue };
        if !verify_ed25519(&key.public, text.as_bytes(), &signature) {
            return Err(NoteError::BadSignature(key.name.clone()));
        }
        signed = true;
    }
    if signed { Ok(text) } else { Err(NoteError::Unsigned) }
}

/// Reads `— <name> <base64 of key id and signature>`.
fn read_signature(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), NoteError> {
    let broken = NoteError::Shape("a signature line is not '— <name> <base64>'");
    let Some((name, encoded)) = line.strip_prefix("— ").and_then(|line| line.split_once(' '))
    else {
        return Err(broken);
    };
    check_name(name)?;
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| broken.clone())?;
    match bytes.split_first_chunk() {
        Some((&id, signature)) if !signature.is_empty() => Ok((name, id, signature.to_vec())),
        _ => Err(broken),
    }
}

/// Refuses names that no note can carry.
pub(super) fn check_name(name: &str) -> Result<(), NoteError> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.len() > MAX_NAME_OCTETS || name.contains(forbidden) {
        return Err(NoteError::Name(name.chars().take(MAX_NAME_OCTETS).collect()));
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') || text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(NoteError::Shape("text with control characters, or not ending in a newline"));
    }
    Ok(())
}

/// Why a note, a name or a key was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note does not have a note's shape.
    #[error("not a signed note: {0}")]
    Shape(&'static str),
    /// More than [`MAX_NOTE_BYTES`].
    #[error("note of {0} bytes; at most {MAX_NOTE_BYTES} are read")]
    TooLong(usize),
    /// A signer's name that cannot be one.
    #[error(
        "{0:?} is no name for a signer or log: 1 to {MAX_NAME_OCTETS} octets without white space, \
         control characters and '+'"
    )]
    Name(String),
    /// A verifier key that is none.
    #[error("{0:?} is no verifier key: expected name+key id in hex+base64")]
    VerifierKey(String),
    /// A verifier key of another algorithm.
    #[error("signature type {0:#04x} is not known; expected 0x01, Ed25519")]
    Algorithm(u8),
    /// A known key's signature does not hold.
    #[error("the signature of {0} does not hold: the note was changed or the key is another one")]
    BadSignature(String),
    /// No known key signed the note.
    #[error("no signature by a known key")]
    Unsigned,
    /// The text is not a checkpoint.
    #[error("not a checkpoint: expected origin, decimal size and base64 root, a line each")]
    Checkpoint,
}

/// Most bytes of a note that are read.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

/// Most signatures on a note.
pub const MAX_SIGNATURES: usize = 64;

/// Most octets of a signer's or log's name; cosignatures have one byte for the length.
pub const MAX_NAME_OCTETS: usize = 255;

/// Signature type of Ed25519 over the text.
const ED25519: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::super::vectors::{examples, hash, list, text};
    use super::*;
    use crate::signing::NodeKeys;
    use proptest::prelude::*;

    const NAME: &str = "nameplate.example/log";

    fn keys() -> NodeKeys {
        NodeKeys::from_seeds(&hash(&examples(), "/keys/log/seed"), [0; 32])
    }

    fn verifier() -> VerifierKey {
        VerifierKey::new(NAME, keys().log.public()).unwrap()
    }

    fn cosigned() -> String {
        text(&examples(), "/cosigned/note_text").to_owned()
    }

    #[test]
    fn keys_and_notes_are_as_in_the_examples() {
        let examples = examples();
        assert_eq!(keys().log.public(), hash(&examples, "/keys/log/public"));
        assert_eq!(verifier().to_text(), text(&examples, "/keys/log/vkey_text"));
        assert_eq!(VerifierKey::parse(text(&examples, "/keys/log/vkey_text")), Ok(verifier()));
        let state = VerifierKey::new("nameplate.example/log/state", keys().log.public()).unwrap();
        assert_eq!(HEXLOWER.encode(&state.id()), "cf803583");
        for checkpoint in list(&examples, "/checkpoints") {
            let note = text(checkpoint, "/note_text");
            let inner = open_note(note, &[verifier()]).unwrap();
            assert_eq!(sign_note(inner, &verifier(), &keys().log), note);
        }
    }

    #[test]
    fn unknown_signers_are_ignored_and_known_ones_must_hold() {
        let note = cosigned();
        let (inner, _) = note.split_once("\n\n").unwrap();
        assert_eq!(open_note(&note, &[verifier()]).unwrap(), format!("{inner}\n"));
        assert_eq!(open_note(&note, &[]), Err(NoteError::Unsigned));
        let stranger = VerifierKey::new(NAME, [7; 32]).unwrap();
        assert_eq!(open_note(&note, &[stranger]), Err(NoteError::Unsigned));
        let changed = note.replacen("\n3\n", "\n4\n", 1);
        let refused = Err(NoteError::BadSignature(NAME.into()));
        assert_eq!(open_note(&changed, &[verifier()]), refused);
        // A good signature does not outweigh a bad one of a key that is known as well.
        let other = NodeKeys::from_seeds(&[9; 32], [0; 32]).log;
        let both = [verifier(), VerifierKey::new("other", other.public()).unwrap()];
        let bad_line = sign_note("another text\n", &both[1], &other);
        let (_, bad_line) = bad_line.split_once("\n\n").unwrap();
        let refused = Err(NoteError::BadSignature("other".into()));
        assert_eq!(open_note(&format!("{note}{bad_line}"), &both), refused);
        assert!(open_note(&format!("{note}{bad_line}"), &both[..1]).is_ok());
    }

    #[test]
    fn broken_notes_are_refused() {
        let note = cosigned();
        for broken in [
            String::new(),
            "\n\n".into(),
            note.trim_end().into(),
            note.replace('—', "-"),
            note.replace("\n\n", "\n"),
            note.replace("\n3\n", "\n3\t\n"),
            note.replace("aSP2k", "aSP2k*"),
            format!("{note}— w AAAA\n"),
            format!("{note}— a+b AAAAAAA=\n"),
            format!("{note}\n"),
            format!("{note}{}", "— w AAAAAAA=\n".repeat(64)),
            format!("{}{note}", "x\n".repeat(40_000)),
        ] {
            assert!(open_note(&broken, &[verifier()]).is_err(), "{broken:.300}");
        }
        let sixteen = format!("{note}{}", "— w AAAAAAA=\n".repeat(16));
        assert!(open_note(&sixteen, &[verifier()]).is_ok());
    }

    #[test]
    fn broken_verifier_keys_are_refused() {
        let good = verifier().to_text();
        for broken in [
            good.replace("6923f690", "6923f691"),
            good.replace("6923f690", "6923F690"),
            good.replace(NAME, "a b"),
            good.replacen('+', "", 1),
            good.trim_end_matches('4').into(),
            text(&examples(), "/keys/witness/vkey_text").into(),
        ] {
            assert!(VerifierKey::parse(&broken).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_note_or_refused(text in "[a—\\n +=A]{0,60}") {
            prop_assert!(open_note(&text, &[verifier()]).is_err());
        }

        #[test]
        fn every_changed_byte_is_noticed(position in 0usize..66, byte in b' '..b'~') {
            let mut note = cosigned().into_bytes();
            prop_assume!(note[position] != byte);
            note[position] = byte;
            let note = String::from_utf8(note).unwrap();
            prop_assert!(open_note(&note, &[verifier()]).is_err());
        }
    }
}
