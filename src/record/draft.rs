//! The body of a registration, parsed: what somebody wants a record to hold.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::attribute::check_name;
use super::json::ReferenceDocument;
use super::{
    ATTRIBUTES_FROM, Attribute, AttributeError, DataForm, Form, MAX_RECORD_BYTES, MAX_VALUE_BYTES,
    MAX_VALUES, Permissions, Record, Reference, TEMPLATE_INDEX, TEMPLATE_VERSION_INDEX, Ttl, Value,
};
use crate::identifier::Identifier;

/// What a record is to hold; replaces all values of the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The template it is made by.
    pub template: TemplateChoice,
    /// Values that are no attributes.
    pub values: Vec<DraftValue>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
}

/// The template that a record is to be made by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateChoice {
    /// The template; none for the one that the record has, if it has one.
    pub template: Option<Identifier>,
    /// Its version; none for the published one.
    pub version: Option<u64>,
}

/// An attribute at the index that its template gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedAttribute {
    /// Index of the value.
    pub index: u32,
    /// Name, which is the value's type.
    pub name: String,
    /// Content.
    pub attribute: Attribute,
    /// Who may read and write it.
    pub permissions: Permissions,
}

/// A value that may leave its index to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftValue {
    /// Wanted index; none lets the node take the lowest free one.
    pub index: Option<u32>,
    /// Type.
    pub kind: String,
    /// Data.
    pub data: Vec<u8>,
    /// TTL.
    pub ttl: Ttl,
    /// Permissions.
    pub permissions: Permissions,
    /// References.
    pub references: Vec<Reference>,
}

/// Changes to a record: values replace those of the same index, attributes those of the same
/// name; nothing else is touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// The template or version that the record is to go over to.
    pub template: TemplateChoice,
    /// Values to set.
    pub values: Vec<DraftValue>,
    /// Indexes to remove.
    pub remove: Vec<u32>,
    /// Attributes to set; none removes.
    pub attributes: BTreeMap<String, Option<Attribute>>,
}

impl Draft {
    /// Parses the JSON body of a registration.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DraftError> {
        Self::from_body(serde_json::from_slice(bytes).map_err(DraftError::json)?)
    }

    /// Checks a deserialised body.
    pub fn from_body(body: DraftBody) -> Result<Self, DraftError> {
        if body.values.is_none() && body.attributes.is_none() && body.template.is_none() {
            return Err(DraftError::Empty);
        }
        let template = TemplateChoice::read(body.template, body.template_version)?;
        if template.template.is_none() && template.version.is_some() {
            return Err(DraftError::VersionOfNothing);
        }
        let mut draft = Draft { template, ..Draft::default() };
        for (position, value) in body.values.unwrap_or_default().into_iter().enumerate() {
            draft.values.push(value.check(position)?);
        }
        for (name, json) in body.attributes.unwrap_or_default() {
            let attribute = attribute(&name, &json)?;
            draft.attributes.insert(name, attribute);
        }
        Ok(draft)
    }

    /// The values of a record with this content. Attributes that `current` already has keep their
    /// index; content that does not change keeps its timestamp.
    pub fn into_values(
        self,
        current: Option<&Record>,
        now_ms: u64,
    ) -> Result<Vec<Value>, DraftError> {
        let mut assembly = Assembly::new(current, now_ms);
        assembly.add_values(self.values)?;
        for (name, attribute) in self.attributes {
            assembly.set_attribute(name, attribute);
        }
        assembly.finish()
    }

    /// As [`Draft::into_values`], with the attributes as a version of a template places them; the
    /// draft's own are left out.
    pub fn into_templated(
        self,
        template: (&str, u64),
        attributes: impl Iterator<Item = PlacedAttribute>,
        current: Option<&Record>,
        now_ms: u64,
    ) -> Result<Vec<Value>, DraftError> {
        let mut assembly = Assembly::new(current, now_ms);
        assembly.add_values(self.values)?;
        assembly.add_template(template, attributes);
        assembly.finish()
    }
}

impl TemplateChoice {
    fn read(template: Option<String>, version: Option<u64>) -> Result<Self, DraftError> {
        let template = template.map(|text| Identifier::parse(&text)).transpose();
        let template = template.map_err(|error| DraftError::Template(error.to_string()))?;
        Ok(Self { template, version })
    }
}

impl Patch {
    /// Parses the JSON body of a PATCH.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DraftError> {
        Self::from_body(serde_json::from_slice(bytes).map_err(DraftError::json)?)
    }

    /// Checks a deserialised body.
    pub fn from_body(body: DraftBody) -> Result<Self, DraftError> {
        let template = TemplateChoice::read(body.template, body.template_version)?;
        let nothing = template == TemplateChoice::default();
        if body.values.is_none() && body.attributes.is_none() && nothing {
            return Err(DraftError::Empty);
        }
        let mut patch = Patch { template, ..Patch::default() };
        for (position, value) in body.values.unwrap_or_default().into_iter().enumerate() {
            match (value.index, &value.data) {
                (Some(index), None) => patch.remove.push(index),
                _ => patch.values.push(value.check(position)?),
            }
        }
        for (name, json) in body.attributes.unwrap_or_default() {
            let wanted = if json.is_null() { None } else { Some(attribute(&name, &json)?) };
            patch.attributes.insert(name, wanted);
        }
        Ok(patch)
    }

    /// The values of `current` with the changes made.
    pub fn into_values(self, current: &Record, now_ms: u64) -> Result<Vec<Value>, DraftError> {
        let mut assembly = Assembly::new(Some(current), now_ms);
        let set =
            |value: &&Value| !value.is_attribute() || !self.attributes.contains_key(&value.kind);
        assembly.values = self.untouched(current).filter(set).cloned().collect();
        assembly.add_values(self.values)?;
        for (name, attribute) in self.attributes {
            if let Some(attribute) = attribute {
                assembly.set_attribute(name, attribute);
            }
        }
        assembly.finish()
    }

    /// The attributes of `current` with the changes made.
    pub fn merged_attributes(&self, current: &Record) -> BTreeMap<String, Attribute> {
        let mut merged = current.attribute_map();
        for (name, wanted) in &self.attributes {
            match wanted {
                Some(attribute) => merged.insert(name.clone(), attribute.clone()),
                None => merged.remove(name),
            };
        }
        merged
    }

    /// As [`Patch::into_values`], with all attributes as a version of a template places them.
    pub fn into_templated(
        self,
        template: (&str, u64),
        attributes: impl Iterator<Item = PlacedAttribute>,
        current: &Record,
        now_ms: u64,
    ) -> Result<Vec<Value>, DraftError> {
        let mut assembly = Assembly::new(Some(current), now_ms);
        let kept =
            |value: &&Value| !value.is_attribute() && !RESERVED_INDEXES.contains(&value.index);
        assembly.values = self.untouched(current).filter(kept).cloned().collect();
        assembly.add_values(self.values)?;
        assembly.add_template(template, attributes);
        assembly.finish()
    }

    /// The values of `current` that the patch neither replaces nor removes by their index.
    fn untouched<'a>(&'a self, current: &'a Record) -> impl Iterator<Item = &'a Value> {
        let replaced: Vec<u32> = self.values.iter().filter_map(|value| value.index).collect();
        current.values.iter().filter(move |value| {
            !replaced.contains(&value.index) && !self.remove.contains(&value.index)
        })
    }
}

/// A record's values while they are put together.
struct Assembly<'a> {
    current: Option<&'a Record>,
    now_seconds: u32,
    next_attribute: u32,
    values: Vec<Value>,
}

impl<'a> Assembly<'a> {
    fn new(current: Option<&'a Record>, now_ms: u64) -> Self {
        let last = current.and_then(|record| record.attributes().last());
        Self {
            current,
            now_seconds: u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX),
            next_attribute: last.map_or(ATTRIBUTES_FROM, |value| value.index.saturating_add(1)),
            values: Vec::new(),
        }
    }

    /// Adds values; those without an index get the lowest free ones from 1.
    fn add_values(&mut self, drafts: Vec<DraftValue>) -> Result<(), DraftError> {
        let (placed, floating): (Vec<_>, Vec<_>) =
            drafts.into_iter().partition(|value| value.index.is_some());
        for draft in placed {
            let index = draft.index.unwrap_or_default();
            if self.values.iter().any(|value| value.index == index) {
                return Err(DraftError::IndexTwice(index));
            }
            self.push(index, draft);
        }
        let mut index = 0;
        for draft in floating {
            loop {
                index += 1;
                let taken = self.values.iter().any(|value| value.index == index);
                if !taken && !RESERVED_INDEXES.contains(&index) {
                    break;
                }
            }
            if index >= ATTRIBUTES_FROM {
                return Err(DraftError::TooManyValues(self.values.len()));
            }
            self.push(index, draft);
        }
        Ok(())
    }

    fn push(&mut self, index: u32, draft: DraftValue) {
        let timestamp = self.now_seconds;
        let DraftValue { kind, data, ttl, permissions, references, .. } = draft;
        self.values.push(Value {
            index,
            kind,
            data,
            form: Form::Text,
            ttl,
            permissions,
            timestamp,
            references,
        });
    }

    fn set_attribute(&mut self, name: String, attribute: Attribute) {
        let known =
            self.current.and_then(|record| record.attributes().find(|value| value.kind == name));
        let index = known.map_or(self.next_attribute, |value| value.index);
        self.next_attribute += u32::from(known.is_none());
        self.values.push(Value {
            index,
            kind: name,
            data: attribute.text.into_bytes(),
            form: attribute.form,
            ttl: known.map_or(Ttl::DEFAULT, |value| value.ttl),
            permissions: known.map_or(Permissions::DEFAULT, |value| value.permissions),
            timestamp: self.now_seconds,
            references: known.map_or_else(Vec::new, |value| value.references.clone()),
        });
    }

    fn add_template(
        &mut self,
        (template, version): (&str, u64),
        attributes: impl Iterator<Item = PlacedAttribute>,
    ) {
        let text = |name: &str, text: String, form| (name.to_owned(), Attribute { form, text });
        let head = [
            (TEMPLATE_INDEX, text("TEMPLATE", template.to_owned(), Form::Text)),
            (TEMPLATE_VERSION_INDEX, text("TEMPLATE_VERSION", version.to_string(), Form::Text)),
        ];
        let permissions = Permissions::DEFAULT;
        let head = head.into_iter().map(|(index, (name, attribute))| PlacedAttribute {
            index,
            name,
            attribute,
            permissions,
        });
        for PlacedAttribute { index, name, attribute, permissions } in head.chain(attributes) {
            self.values.push(Value {
                index,
                kind: name,
                data: attribute.text.into_bytes(),
                form: attribute.form,
                ttl: Ttl::DEFAULT,
                permissions,
                timestamp: self.now_seconds,
                references: Vec::new(),
            });
        }
    }

    fn finish(mut self) -> Result<Vec<Value>, DraftError> {
        self.values.sort_by_key(|value| value.index);
        if self.values.len() > MAX_VALUES {
            return Err(DraftError::TooManyValues(self.values.len()));
        }
        let bytes: usize =
            self.values.iter().map(|value| value.kind.len() + value.data.len()).sum();
        if bytes > MAX_RECORD_BYTES {
            return Err(DraftError::TooLarge(bytes));
        }
        for value in &mut self.values {
            let before = self
                .current
                .and_then(|record| record.values.iter().find(|before| before.index == value.index));
            if let Some(before) = before.filter(|before| before.same_content(value)) {
                value.timestamp = before.timestamp;
            }
        }
        Ok(self.values)
    }
}

/// The body of a registration as JSON has it.
#[derive(Clone, Debug, Default, Deserialize, serde::Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Registration)]
pub struct DraftBody {
    /// Values that are no attributes: where the identifier leads, contacts, keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<DraftValueBody>>,
    /// Typed attributes by name. Decimals travel as strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub attributes: Option<BTreeMap<String, Json>>,
    /// Identifier of the template that the attributes follow; none leaves them free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "88.118.8/template/product")]
    pub template: Option<String>,
    /// Version of the template; the published one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub template_version: Option<u64>,
}

/// One value of a registration as JSON has it.
#[derive(Clone, Debug, Deserialize, serde::Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegistrationValue)]
pub struct DraftValueBody {
    /// Index from 1 to 1999, without 1000 and 1001; assigned when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Type of the value: `URL`, `EMAIL`, `DNS/NAPTR` …
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The data; left out in a PATCH to remove the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataForm>,
    /// How long answers may be kept, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// Four bits: admin-read, admin-write, public-read, public-write. Default `1110`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// Values of handles this one refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<ReferenceDocument>,
}

impl DraftValueBody {
    fn check(self, position: usize) -> Result<DraftValue, DraftError> {
        let fault = |reason: String| DraftError::Value { position, reason };
        if let Some(index) = self.index
            && (index == 0 || index >= ATTRIBUTES_FROM || RESERVED_INDEXES.contains(&index))
        {
            return Err(fault(format!(
                "index {index} is not for values: 1 to 1999 without 1000 and 1001; attributes \
                 belong in \"attributes\""
            )));
        }
        let forbidden = |c: char| c.is_control() || c.is_whitespace();
        if self.kind.is_empty() || self.kind.len() > 255 || self.kind.contains(forbidden) {
            return Err(fault(format!(
                "type {:?} is no type: 1 to 255 octets without white space, such as \"URL\"",
                self.kind
            )));
        }
        if self.kind.eq_ignore_ascii_case(TEMPLATE_DEFINITION) {
            return Err(fault(format!("type {TEMPLATE_DEFINITION} is for templates alone")));
        }
        let data = self.data.ok_or_else(|| fault("\"data\" is missing".into()))?;
        let data = data.into_bytes().map_err(fault)?;
        if data.len() > MAX_VALUE_BYTES {
            return Err(fault(format!(
                "data of {} bytes; at most {MAX_VALUE_BYTES} are possible",
                data.len()
            )));
        }
        check_url(&self.kind, &data).map_err(fault)?;
        Ok(DraftValue {
            index: self.index,
            kind: self.kind,
            data,
            ttl: self.ttl.map_or(Ttl::DEFAULT, Ttl::Relative),
            permissions: permissions(self.permissions.as_deref()).map_err(fault)?,
            references: self.references.into_iter().map(Reference::from).collect(),
        })
    }
}

/// Refuses `URL` data that a browser must not be sent to.
fn check_url(kind: &str, data: &[u8]) -> Result<(), String> {
    if !kind.eq_ignore_ascii_case("URL") {
        return Ok(());
    }
    let text = std::str::from_utf8(data).map_err(|_| "a URL must be UTF-8 text".to_owned())?;
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    if !URL_SCHEMES.contains(&scheme.as_str()) {
        return Err(format!("URL {text:?} must begin with one of {}:", URL_SCHEMES.join(":, ")));
    }
    if text.chars().any(|c| c.is_control() || c == ' ') {
        return Err(format!("URL {text:?} holds a space or control character: percent-encode it"));
    }
    Ok(())
}

fn permissions(bits: Option<&str>) -> Result<Permissions, String> {
    let Some(bits) = bits else { return Ok(Permissions::DEFAULT) };
    if bits.len() != 4 || !bits.bytes().all(|bit| matches!(bit, b'0' | b'1')) {
        return Err(format!("permissions {bits:?} must be four bits such as \"1110\""));
    }
    Ok(Permissions(bits.bytes().fold(0, |sum, bit| sum << 1 | (bit - b'0'))))
}

fn attribute(name: &str, json: &Json) -> Result<Attribute, DraftError> {
    let fault = |reason| DraftError::Attribute { name: name.to_owned(), reason };
    check_name(name).map_err(fault)?;
    let attribute = Attribute::from_json(json).map_err(fault)?;
    if attribute.text.len() > MAX_VALUE_BYTES {
        return Err(DraftError::TooLarge(attribute.text.len()));
    }
    Ok(attribute)
}

/// Why a registration's body was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// Not JSON, or not of the right shape.
    #[error("{0}")]
    Json(String),
    /// Neither member is there.
    #[error("the body needs \"values\" or \"attributes\", or both")]
    Empty,
    /// The template is no identifier.
    #[error("template: {0}")]
    Template(String),
    /// A template's version without a template.
    #[error("template_version: name the template too")]
    VersionOfNothing,
    /// A value is at fault.
    #[error("values[{position}]: {reason}")]
    Value {
        /// Position in the list, from 0.
        position: usize,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// An attribute is at fault.
    #[error("attributes.{name}: {reason}")]
    Attribute {
        /// The attribute's name.
        name: String,
        /// What is wrong.
        reason: AttributeError,
    },
    /// Two values ask for one index.
    #[error("index {0} is given to two values")]
    IndexTwice(u32),
    /// More than [`MAX_VALUES`] values.
    #[error("{0} values; at most {MAX_VALUES} are possible in a record")]
    TooManyValues(usize),
    /// More than [`MAX_RECORD_BYTES`] bytes.
    #[error("{0} bytes of data; at most {MAX_RECORD_BYTES} are possible in a record")]
    TooLarge(usize),
}

impl DraftError {
    fn json(error: serde_json::Error) -> Self {
        DraftError::Json(format!("not the JSON it should be: {error}"))
    }
}

/// Indexes kept for the template of a record.
const RESERVED_INDEXES: [u32; 2] = [TEMPLATE_INDEX, TEMPLATE_VERSION_INDEX];

/// Type of the value that holds a template's definition, at the template's own identifier.
pub const TEMPLATE_DEFINITION: &str = "TEMPLATE_DEFINITION";

/// URL schemes that a `URL` value may have.
const URL_SCHEMES: [&str; 4] = ["http", "https", "urn", "did"];
