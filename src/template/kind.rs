//! The types that attributes have, with the bounds a template sets.

use std::sync::{Arc, LazyLock};

use super::decimal::Decimal;
use super::pattern::Pattern;
use super::{Item, Labels};
use crate::identifier::Identifier;
use crate::record::Form;

/// An attribute's type and the bounds of its values.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Text.
    String(StringBounds),
    /// A whole number of 64 bits.
    Integer {
        /// Least value.
        minimum: i64,
        /// Greatest value.
        maximum: i64,
    },
    /// A decimal number, which travels as a string and is stored without trailing zeros.
    Decimal(DecimalBounds),
    /// `true` or `false`.
    Boolean,
    /// A day, `YYYY-MM-DD` (RFC 3339 full-date).
    Date,
    /// A moment, RFC 3339 date-time with an offset; no leap seconds, at most nanoseconds.
    Datetime,
    /// A time of day, `HH:MM:SS`.
    Time,
    /// One of a list of values.
    Enumeration(Vec<Choice>),
    /// An http, https, urn or did address.
    Url,
    /// An identifier, written `prefix/suffix`.
    Reference {
        /// The template that the referenced record must have.
        template: Option<Identifier>,
    },
    /// A file kept elsewhere: address, digest and, if wanted, media type and size.
    File,
    /// Values of one type, in order.
    List(Box<ListBounds>),
    /// Named members.
    Group(Arc<Group>),
}

impl Kind {
    /// The word that stands for the type in definitions.
    pub fn word(&self) -> &'static str {
        match self {
            Kind::String(_) => "string",
            Kind::Integer { .. } => "integer",
            Kind::Decimal(_) => "decimal",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::Datetime => "datetime",
            Kind::Time => "time",
            Kind::Enumeration(_) => "enumeration",
            Kind::Url => "url",
            Kind::Reference { .. } => "reference",
            Kind::File => "file",
            Kind::List(_) => "list",
            Kind::Group(_) => "group",
        }
    }

    /// What a value must be, for people.
    pub(super) fn expected(&self) -> &'static str {
        match self {
            Kind::String(_) => "a string",
            Kind::Integer { .. } => "a whole number of 64 bits, without quotes",
            Kind::Decimal(_) => "a decimal number as a string, such as \"12.5\"",
            Kind::Boolean => "true or false, without quotes",
            Kind::Date => "a day as a string, such as \"2026-01-05\"",
            Kind::Datetime => "a moment as a string, such as \"2026-01-05T08:30:00+08:00\"",
            Kind::Time => "a time of day as a string, such as \"08:30:00\"",
            Kind::Enumeration(_) => "one of the listed values, as a string",
            Kind::Url => "an address as a string, beginning with http:, https:, urn: or did:",
            Kind::Reference { .. } => "an identifier as a string, such as \"88.118.8/SN-001\"",
            Kind::File => "an object with \"url\", \"algorithm\" and \"digest\"",
            Kind::List(_) => "a list",
            Kind::Group(_) => "an object",
        }
    }

    /// The JSON type that values are given and stored in.
    pub(super) fn form(&self) -> Form {
        match self {
            Kind::Integer { .. } => Form::Integer,
            Kind::Boolean => Form::Boolean,
            Kind::File | Kind::List(_) | Kind::Group(_) => Form::Json,
            _ => Form::Text,
        }
    }

    /// Whether values have an order and so can be looked up by.
    pub fn is_ordered(&self) -> bool {
        !matches!(self, Kind::File | Kind::List(_) | Kind::Group(_))
    }

    /// How deep lists and groups nest in values of this type: 0 for a single value.
    pub(super) fn depth(&self) -> usize {
        match self {
            Kind::File => 1,
            Kind::List(list) => 1 + list.items.depth(),
            Kind::Group(group) => group.depth,
            _ => 0,
        }
    }
}

/// Bounds of a text.
#[derive(Clone, Debug)]
pub struct StringBounds {
    /// Least number of characters.
    pub min_length: usize,
    /// Greatest number of characters.
    pub max_length: usize,
    /// What the whole text must match.
    pub pattern: Option<Pattern>,
}

/// Bounds of a decimal number.
#[derive(Clone, Debug)]
pub struct DecimalBounds {
    /// Unit of measurement, such as `mm`.
    pub unit: Option<String>,
    /// Most digits in all; at most `digits - fraction_digits` stand before the point.
    pub digits: usize,
    /// Most digits behind the point.
    pub fraction_digits: usize,
    /// Least value.
    pub minimum: Option<Decimal>,
    /// Greatest value.
    pub maximum: Option<Decimal>,
}

/// One value of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is stored.
    pub value: String,
    /// What people read.
    pub labels: Labels,
}

/// Bounds of a list.
#[derive(Clone, Debug)]
pub struct ListBounds {
    /// Type of the items.
    pub items: Kind,
    /// Least number of items.
    pub min_items: usize,
    /// Greatest number of items.
    pub max_items: usize,
    /// Whether no two items may be equal.
    pub unique_items: bool,
}

/// Named members.
#[derive(Clone, Debug)]
pub struct Group {
    /// The group's name where it is defined for reuse.
    pub name: Option<String>,
    /// The members.
    pub items: Vec<Item>,
    /// How deep lists and groups nest, this group included.
    pub(super) depth: usize,
}

impl Group {
    pub(super) fn new(name: Option<String>, items: Vec<Item>) -> Self {
        let depth = 1 + items.iter().map(|item| item.kind.depth()).max().unwrap_or(0);
        Self { name, items, depth }
    }
}

/// The members of a [`Kind::File`].
pub(super) fn file_members() -> &'static [Item] {
    static MEMBERS: LazyLock<Vec<Item>> = LazyLock::new(|| {
        let text = |max_length, pattern: &str| {
            let pattern = Pattern::new(pattern).expect("tests compile it");
            Kind::String(StringBounds { min_length: 1, max_length, pattern: Some(pattern) })
        };
        let choice =
            |value: &str| Choice { value: value.to_owned(), labels: Labels::en_only(value) };
        let algorithm = Kind::Enumeration(vec![choice("sha-256"), choice("sm3")]);
        vec![
            Item::plain("algorithm", true, algorithm),
            Item::plain("digest", true, text(64, "[0-9a-f]{64}")),
            // RFC 6838 §4.2, without parameters.
            Item::plain("media_type", false, text(255, r"[\w!#$&^.+\-]+/[\w!#$&^.+\-]+")),
            Item::plain("size", false, Kind::Integer { minimum: 0, maximum: i64::MAX }),
            Item::plain("url", true, Kind::Url),
        ]
    });
    &MEMBERS
}
