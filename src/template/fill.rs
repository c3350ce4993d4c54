//! Records against a template: what is stored, what is indexed, what is referred to; or every
//! fault at once.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::check::Checker;
use super::fault::{Fault, Faults, Path};
use super::order::ordered_bytes;
use super::{Template, TemplateAttribute};
use crate::codec::canonical_json;
use crate::identifier::{CanonicalKey, Identifier};
use crate::record::{Attribute, Form, Permissions};

/// A record's attributes, checked and in the form they are stored in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// The attributes in ascending order of index.
    pub values: Vec<FilledAttribute>,
    /// What indexed and unique attributes are filed under, in the same order.
    pub keys: Vec<IndexKey>,
    /// The identifiers referred to; whether they exist is for the caller to find out.
    pub references: Vec<TypedReference>,
}

/// One attribute as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilledAttribute {
    /// Index of the handle value.
    pub index: u32,
    /// The attribute's name, which is the handle value's type.
    pub name: String,
    /// The value.
    pub attribute: Attribute,
    /// Who may read and write it.
    pub permissions: Permissions,
}

/// What one attribute of a record is filed under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexKey {
    /// Index of the attribute.
    pub attribute: u32,
    /// Whether no other record may have it.
    pub unique: bool,
    /// Whether records are looked up by it.
    pub indexed: bool,
    /// Bytes in the order of the values, of which none begins another's.
    pub bytes: Vec<u8>,
}

/// An identifier that a record refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedReference {
    /// Where it stands: `attributes.parts[3]`.
    pub path: String,
    /// Index of the attribute it stands in.
    pub attribute: u32,
    /// The identifier.
    pub target: Identifier,
    /// The template that the record behind it must have.
    pub template: Option<CanonicalKey>,
}

impl Template {
    /// Checks a record's attributes and makes of them what is stored.
    ///
    /// `stored` holds the attributes that the record has, by name; only disabled ones are looked
    /// at. They stay whether they are given again or left out; given anew or otherwise, they are a
    /// fault.
    pub fn fill(
        &self,
        attributes: BTreeMap<String, Attribute>,
        stored: &BTreeMap<String, Attribute>,
    ) -> Result<Filled, Vec<Fault>> {
        let faults = Faults::default();
        let root = Path::root(ROOT);
        let mut filled = Filled::default();
        filled.values.reserve(attributes.len());
        // Both sides are in order of name, so one walk finds what is unknown and what is missing.
        let mut given = attributes.into_iter().peekable();
        for &position in &self.by_name {
            let Some(attribute) = self.attributes.get(position) else { continue };
            let name = attribute.item.name.as_str();
            while let Some((name, value)) = given.next_if(|(given, _)| given.as_str() < name) {
                unknown(&root.name(&name), &value, &faults);
            }
            let value = given.next_if(|(given, _)| given == name);
            let place = root.name(name);
            match value {
                value if attribute.disabled => {
                    keep_disabled(attribute, value, stored.get(name), &place, &faults, &mut filled);
                }
                Some((name, value)) => attribute.fill(name, value, &place, &faults, &mut filled),
                None if attribute.item.required => {
                    let message = format!("{name:?} is missing: the template requires it");
                    faults.add(&place, "required", "", message);
                }
                None => {}
            }
        }
        for (name, value) in given {
            unknown(&root.name(&name), &value, &faults);
        }
        if !faults.is_empty() {
            return Err(faults.into_vec());
        }
        filled.values.sort_unstable_by_key(|value| value.index);
        filled.keys.sort_unstable_by_key(|key| key.attribute);
        Ok(filled)
    }
}

impl TemplateAttribute {
    /// Checks one value and adds it to the others.
    fn fill(
        &self,
        name: String,
        mut value: Attribute,
        place: &Path<'_>,
        faults: &Faults,
        filled: &mut Filled,
    ) {
        let kind = &self.item.kind;
        let mut checker =
            Checker { faults, references: &mut filled.references, attribute: self.index };
        if value.form != kind.form() {
            checker.wrong_type(kind, &value.text, place);
            return;
        }
        if value.form == Form::Json {
            match serde_json::from_str::<Json>(&value.text) {
                Ok(mut json) => {
                    checker.json(kind, &mut json, place);
                    value.text = canonical_json(&json);
                }
                Err(_) => return checker.wrong_type(kind, &value.text, place),
            }
        } else {
            checker.text(kind, &mut value.text, place);
        }
        self.add(name, value, filled);
    }

    fn add(&self, name: String, attribute: Attribute, filled: &mut Filled) {
        if (self.unique || self.indexed)
            && let Some(bytes) = ordered_bytes(&self.item.kind, &attribute.text)
        {
            let (attribute, unique, indexed) = (self.index, self.unique, self.indexed);
            filled.keys.push(IndexKey { attribute, unique, indexed, bytes });
        }
        let (index, permissions) = (self.index, self.permissions);
        filled.values.push(FilledAttribute { index, name, attribute, permissions });
    }
}

/// Keeps the value that a record already has of a disabled attribute; refuses any other.
fn keep_disabled(
    attribute: &TemplateAttribute,
    given: Option<(String, Attribute)>,
    stored: Option<&Attribute>,
    place: &Path<'_>,
    faults: &Faults,
    filled: &mut Filled,
) {
    match (given, stored) {
        (None, None) => {}
        (None, Some(stored)) => {
            let name = attribute.item.name.clone();
            // It was right when it was stored; what the template asks for has changed.
            attribute.fill(name, stored.clone(), place, &Faults::default(), filled);
        }
        (Some((name, given)), Some(stored)) if given == *stored => {
            attribute.fill(name, given, place, &Faults::default(), filled);
        }
        (Some((_, given)), _) => {
            let message = "out of use: leave it out; records that have it keep it";
            faults.add(place, "disabled", &given.text, message);
        }
    }
}

fn unknown(place: &Path<'_>, value: &Attribute, faults: &Faults) {
    let message = "unknown: the template has no such attribute";
    faults.add(place, "unknown", &value.text, message);
}

/// The member of a registration in which attributes stand.
const ROOT: &str = "attributes";
