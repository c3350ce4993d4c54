//! What the ledger commits to beside a record's values (`np-meta/v1`).

use serde_json::{Map, Value as Json};

use super::{Form, Record};
use crate::codec::canonical_json;

impl Record {
    /// Canonical JSON of everything about this version that is no value: actor, reason, previous
    /// version, registrant, status, the spelling where it differs from the key, and the forms of
    /// attributes that are not text.
    pub fn meta_json(&self) -> String {
        let mut meta = Map::new();
        meta.insert("actor".into(), self.actor.as_str().into());
        if self.version > 1 {
            meta.insert("previous".into(), (self.version - 1).into());
        }
        if !self.reason.is_empty() {
            meta.insert("reason".into(), self.reason.as_str().into());
        }
        meta.insert("registrant".into(), self.registrant.as_str().into());
        meta.insert("status".into(), self.status.as_str().into());
        if self.identifier.spelling() != self.identifier.key().text() {
            meta.insert("spelling".into(), self.identifier.spelling().into());
        }
        let forms: Map<String, Json> = self
            .values
            .iter()
            .filter(|value| value.form != Form::Text)
            .map(|value| (value.index.to_string(), value.form.as_str().into()))
            .collect();
        if !forms.is_empty() {
            meta.insert("forms".into(), forms.into());
        }
        canonical_json(&Json::Object(meta))
    }
}
