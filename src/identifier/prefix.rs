//! Prefixes: the delegated part of an identifier.

use std::ops::Range;

use super::key::HANDLE;
use super::{CanonicalKey, IdentifierError, MAX_OCTETS};

/// The delegated part of an identifier (`88.118.8`), in canonical case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(Box<str>);

impl Prefix {
    /// Reads dot-separated non-empty arcs without slash or control characters.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        if text.len() > MAX_OCTETS {
            return Err(IdentifierError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(IdentifierError::Control(text.to_owned()));
        }
        if text.contains('/') {
            return Err(IdentifierError::SlashInPrefix(text.to_owned()));
        }
        check_arcs(text)?;
        Ok(Self(text.to_ascii_uppercase().into()))
    }

    /// A prefix cut from text that already is canonical.
    pub(super) fn trusted(text: &str) -> Self {
        Self(text.into())
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The arcs from the root down: `88`, `118`, `8`.
    pub fn arcs(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// The prefix one arc shorter; none for a single arc.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('.').map(|(parent, _)| Self(parent.into()))
    }

    /// Whether `other` is this prefix or lies below it.
    pub fn covers(&self, other: &Prefix) -> bool {
        match other.0.strip_prefix(&*self.0) {
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            None => false,
        }
    }

    /// The range of canonical keys directly under this prefix.
    pub fn own_keys(&self) -> Range<Vec<u8>> {
        self.bound(b'/')..self.bound(b'/' + 1)
    }

    /// The range of canonical keys under this prefix and every prefix below it.
    pub fn covered_keys(&self) -> Range<Vec<u8>> {
        self.bound(b'.')..self.bound(b'/' + 1)
    }

    /// Whether the first arc is a reserved segment of the HTTP paths, so that
    /// `/{identifier}` could not reach it.
    pub fn is_reserved(&self) -> bool {
        let first = self.arcs().next().unwrap_or_default();
        RESERVED_SEGMENTS.iter().any(|reserved| reserved.eq_ignore_ascii_case(first))
    }

    fn bound(&self, end: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() + 2);
        bytes.push(HANDLE);
        bytes.extend_from_slice(self.0.as_bytes());
        bytes.push(end);
        bytes
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&CanonicalKey> for Prefix {
    fn from(key: &CanonicalKey) -> Self {
        key.prefix()
    }
}

/// Refuses empty arcs; the caller has dealt with slashes and control characters.
pub(super) fn check_arcs(prefix: &str) -> Result<(), IdentifierError> {
    if prefix.split('.').any(str::is_empty) {
        return Err(IdentifierError::EmptyArc(prefix.to_owned()));
    }
    Ok(())
}

/// First path segments that HTTP keeps for itself, beside all that begin with a dot.
pub const RESERVED_SEGMENTS: [&str; 9] =
    ["api", "assets", "console", "dns-query", "favicon.ico", "healthz", "log", "metrics", "readyz"];

#[cfg(test)]
mod tests {
    use super::super::Identifier;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn covering_follows_arcs_not_characters() {
        let prefix = Prefix::parse("88.118").unwrap();
        assert!(prefix.covers(&Prefix::parse("88.118").unwrap()));
        assert!(prefix.covers(&Prefix::parse("88.118.8").unwrap()));
        assert!(!prefix.covers(&Prefix::parse("88.1180").unwrap()));
        assert!(!prefix.covers(&Prefix::parse("88").unwrap()));
    }

    #[test]
    fn broken_prefixes_are_refused() {
        for text in ["", ".", "88.", ".88", "88..1", "88/1", "88.\u{7}"] {
            assert!(Prefix::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn ranges_agree_with_covering(
            prefix in "[0-9a-z-]{1,3}(\\.[0-9a-z-]{1,3}){0,2}",
            other in "[0-9a-z-]{1,3}(\\.[0-9a-z-]{1,3}){0,3}",
            suffix in "[^\\p{Cc}]{1,9}",
        ) {
            let prefix = Prefix::parse(&prefix).unwrap();
            let identifier = Identifier::literal(&format!("{other}/{suffix}")).unwrap();
            let key = identifier.key().as_bytes().to_vec();
            let owner = identifier.prefix();
            prop_assert_eq!(prefix.own_keys().contains(&key), owner == prefix);
            prop_assert_eq!(prefix.covered_keys().contains(&key), prefix.covers(&owner));
        }
    }
}
