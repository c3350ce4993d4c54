//! The name by which a registrant is known on this node.

use serde::{Deserialize, Serialize};

/// A registrant's name on this node: 1 to 64 of `a`-`z`, `0`-`9`, `-`, beginning and ending with a
/// letter or digit. Upper case is folded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistrantId(Box<str>);

impl RegistrantId {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, RegistrantIdError> {
        let folded = text.to_ascii_lowercase();
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let inside = folded.bytes().all(|byte| allowed(byte) || byte == b'-');
        let ends = [folded.bytes().next(), folded.bytes().last()];
        let ends_well = ends.iter().all(|end| end.is_some_and(allowed));
        if !inside || !ends_well || folded.len() > MAX_ID_OCTETS {
            return Err(RegistrantIdError(text.chars().take(MAX_ID_OCTETS + 1).collect()));
        }
        Ok(Self(folded.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RegistrantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RegistrantId {
    type Error = RegistrantIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<RegistrantId> for String {
    fn from(id: RegistrantId) -> Self {
        id.0.into()
    }
}

/// A text is no registrant's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a registrant: 1 to 64 of a-z, 0-9 and '-', such as \"acme-pumps\"")]
pub struct RegistrantIdError(String);

/// Most octets of a registrant's name.
const MAX_ID_OCTETS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_checked() {
        assert_eq!(RegistrantId::parse("ACME-Pumps").unwrap().as_str(), "acme-pumps");
        for bad in ["", "-a", "a-", "a b", "泵", &"a".repeat(65)] {
            assert!(RegistrantId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
