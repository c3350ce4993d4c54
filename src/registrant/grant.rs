//! Who may see and edit attributes that are not everybody's.

use serde::{Deserialize, Serialize};

use super::{GroupId, RegistrantId};

/// A right to see or edit attributes, given by the holder of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Who gives it: the holder of the records it is about; none for the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granter: Option<RegistrantId>,
    /// Which records it is about.
    pub subject: GrantSubject,
    /// Who gets it.
    pub grantee: Grantee,
    /// Names of attributes, ascending; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// What may be done.
    pub access: Access,
    /// Whether it was taken back; the row stays, so that versions go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
}

impl Grant {
    /// The grant's name: everything but the attributes. Grants of one granter are neighbours, and
    /// among them those on one subject.
    pub fn id(&self) -> String {
        let start = self.subject.start(self.granter.as_ref());
        format!("{start}{}.{}", self.access.as_str(), self.grantee.text())
    }
}

/// Which records a grant is about; canonical text of an identifier.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum GrantSubject {
    /// All the granter's records of a template.
    #[schema(example = json!({"template": "88.118.8/T-PUMP"}))]
    Template(String),
    /// One identifier, for which it replaces all that is granted by template.
    #[schema(example = json!({"identifier": "88.118.8/SN-001"}))]
    Identifier(String),
}

impl GrantSubject {
    /// The text of the identifier.
    pub fn text(&self) -> &str {
        match self {
            GrantSubject::Template(text) | GrantSubject::Identifier(text) => text,
        }
    }

    /// What the names of all grants of `granter` on the subject begin with: the granter, and the
    /// first 20 bytes of the text's SHA-256, because identifiers may be long and hold anything.
    pub fn start(&self, granter: Option<&RegistrantId>) -> String {
        let kind = match self {
            GrantSubject::Template(_) => 't',
            GrantSubject::Identifier(_) => 'i',
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, self.text().as_bytes());
        let digest =
            digest.as_ref().first_chunk::<20>().map(|head| data_encoding::HEXLOWER.encode(head));
        format!("{}{kind}{}.", name_start(granter), digest.unwrap_or_default())
    }
}

/// How a granter or keeper stands in names of grants and groups: `_` is the node itself, which no
/// registrant's name can be.
pub fn granter_text(granter: Option<&RegistrantId>) -> &str {
    granter.map_or(NODE, RegistrantId::as_str)
}

/// What the names of all grants of a granter begin with, and of all groups of a keeper.
pub fn name_start(granter: Option<&RegistrantId>) -> String {
    format!("{}.", granter_text(granter))
}

/// Reads what [`granter_text`] gives, from the beginning of a name of a grant or of a book.
pub fn granter_of(id: &str) -> Option<Option<RegistrantId>> {
    match id.split('.').next().unwrap_or_default() {
        NODE => Some(None),
        text => RegistrantId::parse(text).ok().filter(|id| id.as_str() == text).map(Some),
    }
}

/// What a grant allows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Nothing: on an identifier, for everyone, it ends what is granted by template.
    Nothing,
    /// See the attributes.
    View,
    /// See and change them.
    Edit,
}

impl Access {
    /// All of them.
    pub const ALL: [Access; 3] = [Access::Nothing, Access::View, Access::Edit];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Nothing => "nothing",
            Access::View => "view",
            Access::Edit => "edit",
        }
    }
}

/// Who gets a grant.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Grantee {
    /// Anybody, with or without an account.
    Everyone,
    /// A registrant.
    #[schema(value_type = String, example = json!({"registrant": "beta-motors"}))]
    Registrant(RegistrantId),
    /// All members of a group.
    #[schema(value_type = String, example = json!({"group": "acme-pumps.service"}))]
    Group(GroupId),
}

impl Grantee {
    /// The grantee as it stands in names: unlike for unlike grantees.
    pub fn text(&self) -> String {
        match self {
            Grantee::Everyone => "everyone".to_owned(),
            Grantee::Registrant(id) => format!("registrant.{id}"),
            Grantee::Group(id) => format!("group.{}", id.document_id()),
        }
    }
}

/// The node itself in names.
const NODE: &str = "_";

/// Most grants in force of one granter on one subject.
pub const MAX_GRANTS_ON_SUBJECT: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(granter: Option<&str>, subject: GrantSubject, grantee: Grantee) -> Grant {
        Grant {
            granter: granter.map(|id| RegistrantId::parse(id).unwrap()),
            subject,
            grantee,
            attributes: Vec::new(),
            access: Access::View,
            revoked: false,
        }
    }

    #[test]
    fn names_tell_grants_apart_and_keep_neighbours_together() {
        let registrant = |id: &str| Grantee::Registrant(RegistrantId::parse(id).unwrap());
        let template = GrantSubject::Template("88.118/T".into());
        let identifier = GrantSubject::Identifier("88.118/T".into());
        let mut ids = Vec::new();
        for granter in [None, Some("a"), Some("a-b")] {
            for subject in [&template, &identifier] {
                for grantee in [
                    Grantee::Everyone,
                    registrant("everyone"),
                    Grantee::Group(GroupId::parse("everyone").unwrap()),
                    Grantee::Group(GroupId::parse("a.everyone").unwrap()),
                ] {
                    let grant = grant(granter, subject.clone(), grantee);
                    let id = grant.id();
                    assert!(id.starts_with(&subject.start(grant.granter.as_ref())), "{id}");
                    assert_eq!(granter_of(&id), Some(grant.granter), "{id}");
                    ids.push(id);
                }
            }
        }
        let starts: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(starts.len(), ids.len(), "every grant has a name of its own");
    }

    #[test]
    fn names_without_a_granter_are_nobodys() {
        for bad in ["", ".", "-a.i", "A.i00.view.everyone", "泵.t"] {
            assert_eq!(granter_of(bad), None, "{bad:?}");
        }
    }
}
