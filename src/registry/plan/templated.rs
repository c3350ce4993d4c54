//! Planning: records that follow a template.
//!
//! A plan guards the head of the template it uses, so a template that is published anew or
//! withdrawn meanwhile makes it a conflict: every record is right by exactly the version it names.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Planning;
use crate::identifier::{CanonicalKey, Identifier};
use crate::record::{Attribute, Draft, DraftError, Patch, PlacedAttribute, Record, Status, Value};
use crate::registry::RegistryError;
use crate::registry::filing::Filing;
use crate::store::{StoreError, StoredDocument, document_guard};
use crate::template::{Fault, Filled, FilledAttribute, Template, TemplateHead};

/// What a record is to hold and what it is then filed under.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub values: Vec<Value>,
    pub filing: Option<Filing>,
    /// The template by which the filing was made.
    pub template: Option<Arc<Template>>,
}

/// The version of a template that a record is to follow.
pub(super) struct Chosen {
    pub head: TemplateHead,
    pub version: u64,
    pub template: Arc<Template>,
}

impl Planning<'_> {
    /// What the record of a registration holds.
    pub(super) fn contents(
        &mut self,
        draft: &Draft,
        current: Option<&Record>,
    ) -> Result<Contents, RegistryError> {
        let Some(wanted) = &draft.template.template else {
            return Ok(Contents::free(draft.clone().into_values(current, self.now_ms)?));
        };
        let own = current.and_then(Record::template);
        let chosen = self.choose(wanted.key(), draft.template.version, own)?;
        let mut draft = draft.clone();
        let filled = chosen.fill(std::mem::take(&mut draft.attributes), current)?;
        let name = (chosen.head.identifier.as_str(), chosen.version);
        let Filled { values, keys, references } = filled;
        let placed = values.into_iter().map(place);
        let values = draft.into_templated(name, placed, current, self.now_ms)?;
        Ok(chosen.contents(values, keys, references))
    }

    /// What a record holds after a patch.
    pub(super) fn patched(
        &mut self,
        patch: &Patch,
        current: &Record,
    ) -> Result<Contents, RegistryError> {
        let own = current.template();
        let chosen = match (&patch.template.template, patch.template.version, own) {
            (Some(wanted), version, own) => self.choose(wanted.key(), version, own)?,
            (None, version, Some((text, own_version))) => {
                let wanted = Identifier::literal(text).map_err(|_| broken(current))?;
                self.choose(wanted.key(), version.or(Some(own_version)), own)?
            }
            (None, Some(_), None) => return Err(DraftError::VersionOfNothing.into()),
            (None, None, None) => {
                return Ok(Contents::free(patch.clone().into_values(current, self.now_ms)?));
            }
        };
        let filled = chosen.fill(patch.merged_attributes(current), Some(current))?;
        let name = (chosen.head.identifier.as_str(), chosen.version);
        let Filled { values, keys, references } = filled;
        let placed = values.into_iter().map(place);
        let values = patch.clone().into_templated(name, placed, current, self.now_ms)?;
        Ok(chosen.contents(values, keys, references))
    }

    /// What a record holds when `earlier` comes back.
    pub(super) fn restored(
        &mut self,
        earlier: &Record,
        current: &Record,
    ) -> Result<Contents, RegistryError> {
        let mut contents = Contents::free(earlier.values.clone());
        if let Some((text, version)) = earlier.template() {
            let wanted = Identifier::literal(text).map_err(|_| broken(earlier))?;
            let own = Some((text, version));
            let chosen = self.choose(wanted.key(), Some(version), own)?;
            let filled = chosen.fill(earlier.attribute_map(), Some(earlier))?;
            contents = chosen.contents(contents.values, filled.keys, filled.references);
        }
        let now_seconds = u32::try_from(self.now_ms / 1_000).unwrap_or(u32::MAX);
        for value in &mut contents.values {
            let same = current.values.iter().find(|before| before.same_content(value));
            value.timestamp = same.map_or(now_seconds, |before| before.timestamp);
        }
        Ok(contents)
    }

    /// The version of a template that a record is to follow. `own` is what the record follows so
    /// far; it may go on doing so when the template is withdrawn.
    pub(super) fn choose(
        &mut self,
        key: &CanonicalKey,
        version: Option<u64>,
        own: Option<(&str, u64)>,
    ) -> Result<Chosen, RegistryError> {
        let fault = |path: &str, rule: &str, value: &str, message: String| {
            RegistryError::Faulty(vec![Fault::new(path, rule, value, message)])
        };
        let Some(stored) = self.head(key)? else {
            let message = "this node has no such template".to_owned();
            return Err(fault("template", "unknown", key.text(), message));
        };
        let head = stored.content;
        let own = own.filter(|(text, _)| {
            Identifier::literal(text).is_ok_and(|identifier| identifier.key() == key)
        });
        let own_version = own.map(|(_, version)| version);
        let Some(version) = version.or(head.published).or(own_version) else {
            return Err(fault("template", "state", key.text(), state_of(&head)));
        };
        if head.published.is_none() && own_version != Some(version) {
            return Err(fault("template", "state", key.text(), state_of(&head)));
        }
        let text = version.to_string();
        if let Some(own) = own_version.filter(|&own| version < own) {
            let message = format!("older than {own}, the version that the record follows");
            return Err(fault("template_version", "older", &text, message));
        }
        match self.registry.resolver.template(head.number, version)? {
            Some(template) => Ok(Chosen { head, version, template }),
            None => {
                let message = "no published version of the template".to_owned();
                Err(fault("template_version", "unknown", &text, message))
            }
        }
    }

    /// Reads the head of a template, which must stay as it is; none when there is no template at
    /// this identifier.
    pub(super) fn head(
        &mut self,
        key: &CanonicalKey,
    ) -> Result<Option<StoredDocument<TemplateHead>>, RegistryError> {
        if let Some(head) = self.heads.get(key) {
            return Ok(head.clone());
        }
        self.guards.push(document_guard::<TemplateHead>(key.text()));
        let known = self.outlook.and_then(|outlook| outlook.head(key));
        let head = match known {
            Some(head) => Some(head),
            None => self.registry.resolver.template_head(key)?,
        };
        match (self.outlook, &head) {
            (Some(outlook), Some(head)) => outlook.keep_head(key, head),
            // Whoever has an outlook plans one record, whose own key is asked for once.
            (Some(_), None) => {}
            (None, _) => drop(self.heads.insert(key.clone(), head.clone())),
        }
        Ok(head)
    }

    /// What a stored record is filed under; none without a template and when it is retired.
    pub(super) fn filing_of(&mut self, record: &Record) -> Result<Option<Filing>, RegistryError> {
        let Some((text, version)) = record.template() else { return Ok(None) };
        if record.status == Status::Retired {
            return Ok(None);
        }
        let identifier = Identifier::literal(text).map_err(|_| broken(record))?;
        let head = self.head(identifier.key())?.ok_or_else(|| broken(record))?;
        let number = head.content.number;
        let template = self.registry.resolver.template(number, version)?;
        let template = template.ok_or_else(|| broken(record))?;
        Filing::of(record, number, &template).map(Some).map_err(|_| broken(record).into())
    }
}

impl Chosen {
    /// Checks attributes; those out of use that the record has stay.
    pub(super) fn fill(
        &self,
        attributes: BTreeMap<String, Attribute>,
        current: Option<&Record>,
    ) -> Result<Filled, RegistryError> {
        let any_disabled = self.template.attributes().iter().any(|attribute| attribute.disabled);
        let stored = current.filter(|_| any_disabled).map(Record::attribute_map);
        let filled = self.template.fill(attributes, &stored.unwrap_or_default());
        filled.map_err(RegistryError::Faulty)
    }

    fn contents(
        self,
        values: Vec<Value>,
        keys: Vec<crate::template::IndexKey>,
        references: Vec<crate::template::TypedReference>,
    ) -> Contents {
        let filing = Filing { template: self.head.number, keys, references };
        Contents { values, filing: Some(filing), template: Some(self.template) }
    }
}

impl Contents {
    /// Values that follow no template.
    pub(super) fn free(values: Vec<Value>) -> Self {
        Self { values, filing: None, template: None }
    }
}

fn place(filled: FilledAttribute) -> PlacedAttribute {
    let FilledAttribute { index, name, attribute, permissions } = filled;
    PlacedAttribute { index, name, attribute, permissions }
}

/// Why no record may be made by a template now.
fn state_of(head: &TemplateHead) -> String {
    match head.withdrawn {
        true => "withdrawn: no new records follow it until a version is published again".into(),
        false => "a draft: publish it first".into(),
    }
}

/// A stored record does not agree with the template that it names.
fn broken(record: &Record) -> StoreError {
    let identifier = &record.identifier;
    StoreError::Engine(format!("{identifier} and its template disagree: run `nameplate check`"))
}
