//! What the ledger commits to beside a record's values (`np-meta/v1`).

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Form, Record};
use crate::codec::write_canonical_text;

impl Record {
    /// Canonical JSON (RFC 8785) of everything about this version that is no value: actor, forms of
    /// attributes that are not text, whether it is held apart, previous version, reason, registrant,
    /// the spelling where it differs from the key, status. Members stand in canonical order.
    pub fn meta_json(&self) -> String {
        let mut out = String::with_capacity(96);
        out.push_str("{\"actor\":");
        write_canonical_text(&self.actor, &mut out);
        self.write_forms(&mut out);
        if self.held_apart {
            out.push_str(",\"held_apart\":true");
        }
        if self.version > 1 {
            // Writing to a string cannot fail.
            let _ = write!(out, ",\"previous\":{}", self.version - 1);
        }
        let mut member = |name: &str, text: &str| {
            out.push_str(name);
            write_canonical_text(text, &mut out);
        };
        if !self.reason.is_empty() {
            member(",\"reason\":", &self.reason);
        }
        member(",\"registrant\":", &self.registrant);
        if self.identifier.spelling() != self.identifier.key().text() {
            member(",\"spelling\":", self.identifier.spelling());
        }
        member(",\"status\":", self.status.as_str());
        out.push('}');
        out
    }

    fn write_forms(&self, out: &mut String) {
        let unusual = self.values.iter().filter(|value| value.form != Form::Text);
        // Canonical order is that of the text, in which 10000 comes before 2000.
        let forms: BTreeMap<String, Form> =
            unusual.map(|value| (value.index.to_string(), value.form)).collect();
        let mut separator = ",\"forms\":{";
        for (index, form) in &forms {
            let _ = write!(out, "{separator}\"{index}\":\"{}\"", form.as_str());
            separator = ",";
        }
        if !forms.is_empty() {
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::canonical_json;
    use crate::identifier::Identifier;
    use crate::record::{Permissions, Status, Ttl, Value};

    #[test]
    fn the_text_is_canonical() {
        let value = |index, form| Value {
            index,
            kind: "k".into(),
            data: Vec::new(),
            form,
            ttl: Ttl::DEFAULT,
            permissions: Permissions::DEFAULT,
            timestamp: 0,
            references: Vec::new(),
        };
        let values = vec![
            value(1, Form::Text),
            value(2_000, Form::Integer),
            value(2_001, Form::Text),
            value(10_000, Form::Json),
        ];
        let record = Record {
            identifier: Identifier::literal("88.118/\"a\"").unwrap(),
            values,
            version: 7,
            status: Status::Retired,
            registrant: "acme".into(),
            held_apart: true,
            actor: "o'brien".into(),
            reason: "line\nbreak".into(),
            created_ms: 0,
            modified_ms: 0,
        };
        let expected = serde_json::json!({
            "actor": "o'brien",
            "forms": {"2000": "integer", "10000": "json"},
            "held_apart": true,
            "previous": 6,
            "reason": "line\nbreak",
            "registrant": "acme",
            "spelling": "88.118/\"a\"",
            "status": "retired",
        });
        assert_eq!(record.meta_json(), canonical_json(&expected));
    }
}
