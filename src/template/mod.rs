//! Templates: typed descriptions of what records of a kind carry.
//!
//! A [`Template`] exists only when its definition is right; [`Template::fill`] turns the attributes
//! that somebody gives into values, index keys and references, or names every fault at once. The
//! room is pure: it knows neither store nor clock, and whether a reference exists or a value is
//! taken is for its callers.
//!
//! Equal values are stored as equal text: decimals lose trailing zeros, lists and groups are
//! canonical JSON. Moments keep the text they were given in; their index bytes are equal when the
//! moments are.

mod cells;
mod check;
mod check_character;
mod dates;
mod decimal;
mod decimal_pattern;
mod fault;
mod fill;
mod head;
mod kind;
mod members;
mod order;
mod parse;
mod parse_kind;
mod pattern;
mod schema;
mod shipped;
mod successor;
mod suffix;
mod suffix_parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::record::Permissions;

pub use decimal::Decimal;
pub use fault::{Fault, MAX_FAULTS};
pub use fill::{Filled, FilledAttribute, IndexKey, TypedReference};
pub use head::{TemplateHead, TemplateVersion, version_id};
pub use kind::{Choice, DecimalBounds, Group, Kind, ListBounds, StringBounds};
pub use pattern::Pattern;
pub use shipped::shipped;
pub use suffix::SuffixRule;

/// A typed description of the attributes that records of a kind carry.
#[derive(Debug)]
pub struct Template {
    labels: Labels,
    definition: Option<Labels>,
    industry: Option<String>,
    carrier: bool,
    groups: BTreeMap<String, Arc<Group>>,
    attributes: Vec<TemplateAttribute>,
    /// Positions of the attributes in ascending order of name.
    by_name: Vec<usize>,
    suffix: Option<SuffixRule>,
    /// The definition without members that say what holds anyway.
    source: Json,
}

impl Template {
    /// What the template is called.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// What the template is for.
    pub fn definition(&self) -> Option<&Labels> {
        self.definition.as_ref()
    }

    /// Code of the industry in GB/T 4754, such as `C39`.
    pub fn industry(&self) -> Option<&str> {
        self.industry.as_deref()
    }

    /// Whether the objects are active carriers of their identifier.
    pub fn is_carrier(&self) -> bool {
        self.carrier
    }

    /// The attributes in the order of the definition, disabled ones included.
    pub fn attributes(&self) -> &[TemplateAttribute] {
        &self.attributes
    }

    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&TemplateAttribute> {
        let named = |&position: &usize| self.attributes[position].item.name.as_str();
        let found = self.by_name.binary_search_by_key(&name, |position| named(position)).ok()?;
        self.by_name.get(found).map(|&position| &self.attributes[position])
    }

    /// How suffixes of new identifiers are made.
    pub fn suffix(&self) -> Option<&SuffixRule> {
        self.suffix.as_ref()
    }

    /// The definition in its canonical form: nothing that holds anyway is said.
    pub fn to_json(&self) -> Json {
        self.source.clone()
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// One attribute of a template.
#[derive(Clone, Debug)]
pub struct TemplateAttribute {
    /// Index of the handle value; never changes.
    pub index: u32,
    /// Name, type and whether it is required.
    pub item: Item,
    /// Whether no two records of the template may have the same value.
    pub unique: bool,
    /// Whether records can be looked up by the value.
    pub indexed: bool,
    /// Whether the attribute is out of use: records that have it keep it, nobody gives it.
    pub disabled: bool,
    /// Permissions of the value.
    pub permissions: Permissions,
    /// What the value is in the national master data.
    pub role: Option<Role>,
}

/// A named, typed place: an attribute, or a member of a group.
#[derive(Clone, Debug)]
pub struct Item {
    /// Name, unique beside its neighbours.
    pub name: String,
    /// What people read.
    pub labels: Labels,
    /// What it means.
    pub definition: Option<Labels>,
    /// Whether it must be there.
    pub required: bool,
    /// Type and bounds.
    pub kind: Kind,
}

impl Item {
    /// A member that the program itself defines.
    fn plain(name: &str, required: bool, kind: Kind) -> Self {
        let labels = Labels::en_only(name);
        Self { name: name.to_owned(), labels, definition: None, required, kind }
    }
}

/// A text in Chinese, English or both; never in neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    pub(super) zh: Option<String>,
    pub(super) en: Option<String>,
}

impl Labels {
    fn en_only(text: &str) -> Self {
        Self { zh: None, en: Some(text.to_owned()) }
    }

    /// Chinese, or else English.
    pub fn zh(&self) -> &str {
        self.zh.as_deref().or(self.en.as_deref()).unwrap_or_default()
    }

    /// English, or else Chinese.
    pub fn en(&self) -> &str {
        self.en.as_deref().or(self.zh.as_deref()).unwrap_or_default()
    }
}

/// What a value is in the master data that a secondary node reports (table T9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Product type: food, chemicals, medicine …
    ProductType,
    /// Product brand.
    Brand,
    /// Defined product name.
    Name,
    /// Full name of the maker.
    Maker,
    /// When it was made.
    ProductionTime,
    /// When it expires.
    ExpiryTime,
    /// Terminal type of an active carrier.
    TerminalType,
    /// Subject the identifier belongs to.
    Owner,
    /// Use.
    Use,
    /// Serial number or IMEI.
    Serial,
    /// Network-access licence number.
    Licence,
    /// Licence mark code.
    LicenceMark,
    /// Licence mark serial.
    LicenceMarkSerial,
}

impl Role {
    /// Every role, in the order of the table.
    pub const ALL: [Role; 13] = [
        Role::ProductType,
        Role::Brand,
        Role::Name,
        Role::Maker,
        Role::ProductionTime,
        Role::ExpiryTime,
        Role::TerminalType,
        Role::Owner,
        Role::Use,
        Role::Serial,
        Role::Licence,
        Role::LicenceMark,
        Role::LicenceMarkSerial,
    ];

    /// The word that stands for the role in definitions.
    pub fn word(self) -> &'static str {
        match self {
            Role::ProductType => "productType",
            Role::Brand => "brand",
            Role::Name => "name",
            Role::Maker => "maker",
            Role::ProductionTime => "productionTime",
            Role::ExpiryTime => "expiryTime",
            Role::TerminalType => "terminalType",
            Role::Owner => "owner",
            Role::Use => "use",
            Role::Serial => "serial",
            Role::Licence => "licence",
            Role::LicenceMark => "licenceMark",
            Role::LicenceMarkSerial => "licenceMarkSerial",
        }
    }
}

/// Most bytes of a definition.
pub const MAX_DEFINITION_BYTES: usize = 64 * 1024;

/// Most attributes of a template, and most members of a group.
pub const MAX_ATTRIBUTES: usize = 500;

/// Most groups defined for reuse.
pub const MAX_GROUPS: usize = 64;

/// How deep lists and groups may nest.
pub const MAX_DEPTH: usize = 8;

/// Most characters of a text whose length nothing else bounds.
pub const MAX_STRING_CHARACTERS: usize = 16_000;

/// Most characters of an indexed or unique text.
pub const MAX_INDEXED_CHARACTERS: usize = 255;

/// Most items of a list.
pub const MAX_LIST_ITEMS: usize = 1_000;

/// Most values of an enumeration.
pub const MAX_CHOICES: usize = 1_000;

/// Most characters of a URL.
pub const MAX_URL_CHARACTERS: usize = 2_048;

/// Most characters of a reference; in any script within the limit of identifiers in octets.
pub const MAX_REFERENCE_CHARACTERS: usize = 512;
