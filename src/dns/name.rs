//! Domain names and the identifiers behind them.
//!
//! Prefix arcs are labels in reverse; identifiers live below `_id` of their prefix, with the suffix
//! as one label of raw octets, or below `_hash` with a digest of their key when the suffix is no
//! label. Names are built from labels, never from text: a suffix may hold dots, backslashes or any
//! other octet. ASCII case does not matter; no other octet is folded.
//!
//! Not every identifier has a name: an arc of more than 63 octets, the arcs `_id`, `_hash` and `*`,
//! and names of more than 255 octets have none (RFC 1035 §2.3.4, RFC 4592 §2.1.1).

use data_encoding::BASE32HEX_NOPAD;

use crate::identifier::{CanonicalKey, Prefix};
use crate::resolver::{Branch, LABEL_OCTETS, fits_label};

/// A domain name, absolute, in uncompressed wire form (RFC 1035 §3.1).
///
/// Its text form has a dot at the end and escapes what zone files would misread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Reads the name of a host or zone, such as `id.example.`; the last dot may be left out.
    ///
    /// Labels of 1 to 63 letters, digits, hyphens and underscores; not the root.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let broken = || NameError::Broken(text.to_owned());
        let labels = text.strip_suffix('.').unwrap_or(text);
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        if !labels.split('.').all(|label| label.bytes().all(plain)) {
            return Err(broken());
        }
        Self::from_labels(labels.split('.').map(str::as_bytes)).ok_or_else(broken)
    }

    /// The name with these labels; none when one is empty or too long, or all are.
    pub fn from_labels<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut wire = Vec::with_capacity(64);
        for label in labels {
            if label.is_empty() || label.len() > LABEL_OCTETS {
                return None;
            }
            wire.push(label.len() as u8);
            wire.extend_from_slice(label);
        }
        wire.push(0);
        (wire.len() <= NAME_OCTETS).then(|| Self(wire.into()))
    }

    /// The wire form, with the root's empty label at its end.
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels, leftmost first, without the root's.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.wire();
        std::iter::from_fn(move || {
            let (&octets, behind) = rest.split_first()?;
            let (label, next) = behind.split_at_checked(usize::from(octets))?;
            rest = next;
            (octets > 0).then_some(label)
        })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(octet))?;
                    }
                    0x21..=0x7e => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

/// The name of an identifier under `apex`; none when it has no form in DNS.
pub fn name_of(key: &CanonicalKey, apex: &Name) -> Option<Name> {
    let prefix = key.prefix();
    let suffix = key.suffix();
    if fits_label(suffix) {
        return below_prefix(&[suffix.as_bytes(), b"_id"], &prefix, apex);
    }
    let digest = BASE32HEX_NOPAD.encode(&key.short_digest());
    below_prefix(&[digest.as_bytes(), b"_hash"], &prefix, apex)
}

/// The name of a prefix under `apex`; none when it has no form in DNS.
pub fn prefix_name(prefix: &Prefix, apex: &Name) -> Option<Name> {
    below_prefix(&[], prefix, apex)
}

fn below_prefix(front: &[&[u8]], prefix: &Prefix, apex: &Name) -> Option<Name> {
    let arcs = || prefix.arcs().rev().map(str::as_bytes);
    if !arcs().all(|arc| is_arc(arc) && branch(arc).is_none()) {
        return None;
    }
    Name::from_labels(front.iter().copied().chain(arcs()).chain(apex.labels()))
}

/// What a name below the apex stands for.
#[derive(Debug)]
pub(super) struct Place {
    /// The arcs that lead there; none directly at or below the apex.
    pub prefix: Option<Prefix>,
    /// What stands in front of them.
    pub rest: Rest,
}

/// What stands in front of a name's prefix labels.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing: the name is the prefix's own.
    Nothing,
    /// `_id` or `_hash`.
    Branch(Branch),
    /// An identifier by its suffix.
    Identifier(CanonicalKey),
    /// An identifier by its digest.
    Digest([u8; 20]),
    /// What can be neither: no such name exists.
    Nowhere,
}

/// Reads the labels between the apex and the front of a name, the apex's neighbour first.
pub(super) fn place<'a>(mut labels: impl Iterator<Item = &'a [u8]>) -> Place {
    let mut arcs = String::new();
    let mut stop = None;
    for label in labels.by_ref() {
        stop = Some(label).filter(|label| !is_arc(label) || branch(label).is_some());
        let Some(arc) = std::str::from_utf8(label).ok().filter(|_| stop.is_none()) else { break };
        if !arcs.is_empty() {
            arcs.push('.');
        }
        arcs.push_str(arc);
    }
    // Arcs were checked one by one, so only "none at all" fails here.
    let prefix = Prefix::parse(&arcs).ok();
    let rest = match (stop.map(branch), &prefix) {
        (None, _) => Rest::Nothing,
        (Some(Some(branch)), Some(prefix)) => in_branch(branch, prefix, labels),
        _ => Rest::Nowhere,
    };
    Place { prefix, rest }
}

fn in_branch<'a>(
    branch: Branch,
    prefix: &Prefix,
    mut labels: impl Iterator<Item = &'a [u8]>,
) -> Rest {
    let Some(label) = labels.next() else { return Rest::Branch(branch) };
    if labels.next().is_some() {
        return Rest::Nowhere;
    }
    let rest = match branch {
        Branch::Labels => std::str::from_utf8(label)
            .ok()
            .filter(|suffix| fits_label(suffix))
            .and_then(|suffix| CanonicalKey::under(prefix, suffix).ok())
            .map(Rest::Identifier),
        Branch::Digests => digest(label).map(Rest::Digest),
    };
    rest.unwrap_or(Rest::Nowhere)
}

fn digest(label: &[u8]) -> Option<[u8; 20]> {
    let mut text: [u8; 32] = label.try_into().ok()?;
    text.make_ascii_uppercase();
    let mut digest = [0; 20];
    BASE32HEX_NOPAD.decode_mut(&text, &mut digest).ok()?;
    Some(digest)
}

fn branch(label: &[u8]) -> Option<Branch> {
    if label.eq_ignore_ascii_case(b"_id") {
        Some(Branch::Labels)
    } else if label.eq_ignore_ascii_case(b"_hash") {
        Some(Branch::Digests)
    } else {
        None
    }
}

/// Whether a label is one arc of a prefix: text that would not read as several, nor as a wildcard.
fn is_arc(label: &[u8]) -> bool {
    let fits = |c: char| !c.is_control() && c != '.' && c != '/';
    label != b"*" && std::str::from_utf8(label).is_ok_and(|arc| arc.chars().all(fits))
}

/// Why a text is not the name of a host or zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A label is empty, too long or holds something else, or the name is too long.
    #[error(
        "{0:?} is no domain name: labels of 1 to 63 letters, digits, '-' or '_' with dots between \
         them, at most 255 octets in all, such as id.example."
    )]
    Broken(String),
    /// An apex of more than [`APEX_OCTETS`] octets.
    #[error("{0:?} is too long for an apex: at most {APEX_OCTETS} octets")]
    ApexTooLong(String),
}

/// Most octets of a domain name in wire form (RFC 1035 §2.3.4).
pub const NAME_OCTETS: usize = 255;

/// Most octets of the apex in wire form, so that room is left for identifiers.
pub const APEX_OCTETS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::Identifier;
    use proptest::prelude::*;

    fn apex() -> Name {
        Name::parse("id.example.").unwrap()
    }

    fn place_of(name: &Name) -> Place {
        let labels: Vec<&[u8]> = name.labels().collect();
        place(labels.into_iter().rev().skip(2))
    }

    fn name(identifier: &str) -> Option<String> {
        let identifier = Identifier::literal(identifier).unwrap();
        name_of(identifier.key(), &apex()).map(|name| name.to_string())
    }

    #[test]
    fn identifiers_have_the_names_of_the_design() {
        for (identifier, expected) in [
            ("88.118.8/SN-001", "SN-001._id.8.118.88.id.example."),
            ("88.118/8", "8._id.118.88.id.example."),
            ("88.118/a.b", "A\\.B._id.118.88.id.example."),
            ("88.118/a b\\;", "A\\032B\\\\\\;._id.118.88.id.example."),
            ("88.118/表", "\\232\\161\\168._id.118.88.id.example."),
            ("88.118/a/b", "A/B._id.118.88.id.example."),
            ("88.118/_id", "_ID._id.118.88.id.example."),
        ] {
            assert_eq!(name(identifier).as_deref(), Some(expected), "{identifier}");
        }
        let prefix = Prefix::parse("88.118.8").unwrap();
        assert_eq!(prefix_name(&prefix, &apex()).unwrap().to_string(), "8.118.88.id.example.");
    }

    #[test]
    fn long_suffixes_and_the_star_are_reached_by_digest() {
        let long = format!("88.118/{}", "x".repeat(64));
        for identifier in [long.as_str(), "88.118/*"] {
            let name = name(identifier).unwrap();
            assert!(name.ends_with("._hash.118.88.id.example."), "{name}");
            let label = name.split('.').next().unwrap();
            let expected = Identifier::literal(identifier).unwrap().key().short_digest();
            for spelling in [label.to_owned(), label.to_ascii_lowercase()] {
                assert_eq!(digest(spelling.as_bytes()), Some(expected));
            }
        }
        assert!(name(&format!("88.118/{}", "x".repeat(63))).unwrap().contains("._id."));
    }

    #[test]
    fn some_identifiers_have_no_name() {
        let long_arc = format!("88.{}/x", "1".repeat(64));
        let long_name = format!("88{}/x", ".1".repeat(120));
        for identifier in [&long_arc, &long_name, "88._ID/x", "88._hash.1/x", "88.*/x"] {
            assert_eq!(name(identifier), None, "{identifier}");
        }
    }

    #[test]
    fn labels_that_are_no_arc_lead_nowhere() {
        let cases: [&[&[u8]]; 9] = [
            &[b"88", b"118.8"],
            &[b"88", b"a/b"],
            &[b"88", b"*"],
            &[b"88", b"\xff"],
            &[b"88", b"\x07"],
            &[b"_id"],
            &[b"88", b"_id", b"x", b"y"],
            &[b"88", b"_id", b"*"],
            &[b"88", b"_hash", b"x"],
        ];
        for labels in cases {
            let place = place(labels.iter().copied());
            assert_eq!(place.rest, Rest::Nowhere, "{labels:?}");
        }
    }

    #[test]
    fn broken_host_names_are_refused() {
        for text in ["", ".", "a..b", ".a", "a b.", "a\\.b", &"a".repeat(64), &"a.".repeat(128)] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn names_lead_back_to_their_identifiers(
            prefix in "[0-9a-zé-]{1,5}(\\.[0-9A-Z-]{1,5}){0,4}",
            suffix in "[^\\p{Cc}]{1,70}",
        ) {
            let identifier = Identifier::literal(&format!("{prefix}/{suffix}")).unwrap();
            let name = name_of(identifier.key(), &apex()).unwrap();
            let place = place_of(&name);
            prop_assert_eq!(place.prefix, Some(identifier.prefix()));
            let expected = if fits_label(identifier.suffix()) {
                Rest::Identifier(identifier.key().clone())
            } else {
                Rest::Digest(identifier.key().short_digest())
            };
            prop_assert_eq!(place.rest, expected);
        }
    }
}
