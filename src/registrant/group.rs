//! Registrants that get grants together.

use serde::{Deserialize, Serialize};

use super::{RegistrantId, name_start};

/// Registrants that get grants together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Who keeps it; none for the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<RegistrantId>,
    /// The members, ascending.
    pub members: Vec<RegistrantId>,
    /// Whether it was removed; the row stays, so that versions go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// A group's name: its keeper's, a dot, and a name of the same form; the name alone for the
/// node's own groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupId {
    keeper: Option<RegistrantId>,
    name: RegistrantId,
}

impl GroupId {
    /// Reads `keeper.name` or `name`.
    pub fn parse(text: &str) -> Result<Self, GroupIdError> {
        let (keeper, name) = match text.split_once('.') {
            Some((keeper, name)) => (Some(keeper), name),
            None => (None, text),
        };
        let fault = || GroupIdError(text.chars().take(MAX_ECHOED).collect());
        let keeper = keeper.map(RegistrantId::parse).transpose().map_err(|_| fault())?;
        Ok(Self { keeper, name: RegistrantId::parse(name).map_err(|_| fault())? })
    }

    /// Who keeps the group; none for the node itself.
    pub fn keeper(&self) -> Option<&RegistrantId> {
        self.keeper.as_ref()
    }

    /// Name of the group's document: groups of one keeper are neighbours.
    pub fn document_id(&self) -> String {
        format!("{}{}", name_start(self.keeper()), self.name)
    }

    /// Reads the name of a group's document.
    pub fn from_document_id(id: &str) -> Option<Self> {
        let keeper = super::granter_of(id)?;
        let (_, name) = id.split_once('.')?;
        let name = RegistrantId::parse(name).ok().filter(|parsed| parsed.as_str() == name)?;
        Some(Self { keeper, name })
    }
}

impl std::fmt::Display for GroupId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(keeper) = &self.keeper {
            write!(f, "{keeper}.")?;
        }
        write!(f, "{}", self.name)
    }
}

impl TryFrom<String> for GroupId {
    type Error = GroupIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<GroupId> for String {
    fn from(id: GroupId) -> Self {
        id.to_string()
    }
}

/// A text is no group's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of a group: its keeper's name, a dot and 1 to 64 of a-z, 0-9 and '-', such \
     as \"acme-pumps.service\"; without keeper and dot for the node's own"
)]
pub struct GroupIdError(String);

/// Most members of a group.
pub const MAX_MEMBERS: usize = 1_000;

/// Most groups of one keeper.
pub const MAX_GROUPS: usize = 1_000;

/// Characters of a broken name that an error repeats.
const MAX_ECHOED: usize = 140;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_groups_read_back() {
        for (text, document) in [("acme.Service", "acme.service"), ("partners", "_.partners")] {
            let id = GroupId::parse(text).unwrap();
            assert_eq!(id.to_string(), text.to_ascii_lowercase());
            assert_eq!(id.document_id(), document);
            assert_eq!(GroupId::from_document_id(document), Some(id));
        }
        for bad in ["", ".", "a.", ".a", "a.b.c", "_.a", "a b", &"a".repeat(65)] {
            assert!(GroupId::parse(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a", "a.b.c", "A.b", "a.B"] {
            assert_eq!(GroupId::from_document_id(bad), None, "{bad:?}");
        }
    }
}
