//! Checkpoints (C2SP `tlog-checkpoint`): the text that a signed note carries.

use data_encoding::BASE64;

use super::hash::Hash;
use super::note::{NoteError, check_name};

/// What a log says of itself at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl Checkpoint {
    /// The text to sign: origin, decimal size, base64 root, a line each.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root))
    }

    /// Reads the text of a note; lines behind the third are extensions and are passed over.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), Some(_)) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Checkpoint);
        };
        check_name(origin)?;
        let parsed: u64 = size.parse().map_err(|_| NoteError::Checkpoint)?;
        if parsed.to_string() != size {
            return Err(NoteError::Checkpoint);
        }
        let decoded = BASE64.decode(root.as_bytes()).ok().and_then(|root| root.try_into().ok());
        let decoded: Hash = decoded.ok_or(NoteError::Checkpoint)?;
        // Base64 may be padded in the middle too; a root has one spelling.
        if BASE64.encode(&decoded) != root {
            return Err(NoteError::Checkpoint);
        }
        Ok(Self { origin: origin.to_owned(), size: parsed, root: decoded })
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{examples, hash, list, text};
    use super::*;

    #[test]
    fn texts_are_as_in_the_examples() {
        let examples = examples();
        for example in list(&examples, "/checkpoints") {
            let size = example["size"].as_u64().unwrap();
            let checkpoint = Checkpoint {
                origin: "nameplate.example/log".into(),
                size,
                root: hash(&examples, &format!("/merkle/0/roots_by_size/{size}")),
            };
            let wanted = checkpoint.to_text();
            assert!(text(example, "/note_text").starts_with(&format!("{wanted}\n— ")));
            assert_eq!(Checkpoint::parse(&wanted), Ok(checkpoint.clone()));
            assert_eq!(Checkpoint::parse(&format!("{wanted}extension\n")), Ok(checkpoint));
        }
    }

    #[test]
    fn broken_texts_are_refused() {
        let root = BASE64.encode(&[7; 32]);
        for broken in [
            String::new(),
            "a\n1\n".into(),
            format!("a\n1\n{root}"),
            format!("\n1\n{root}\n"),
            format!("a b\n1\n{root}\n"),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            format!("a\n18446744073709551616\n{root}\n"),
            format!("a\n1\n{}\n", BASE64.encode(&[7; 31])),
            format!("a\n1\n{root}=\n"),
        ] {
            assert!(Checkpoint::parse(&broken).is_err(), "{broken:?}");
        }
    }
}
