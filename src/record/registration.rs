//! Records as lines that register them again.

use serde_json::{Value as Json, json};

use super::{RecordDocument, ValueDocument};

/// What registers a record as it is: a line of an import. A template that the record follows is
/// named without its version.
pub fn registration(record: &RecordDocument) -> Json {
    let values: Vec<Json> = record.values.iter().map(value).collect();
    let mut line = json!({"identifier": record.identifier});
    if let Some(template) = &record.template {
        line["template"] = template.as_str().into();
    }
    if !values.is_empty() {
        line["values"] = values.into();
    }
    if !record.attributes.is_empty() || record.values.is_empty() {
        line["attributes"] = json!(record.attributes);
    }
    line
}

fn value(document: &ValueDocument) -> Json {
    let ValueDocument { index, kind, data, ttl, permissions, references, .. } = document;
    let mut value = json!({"index": index, "type": kind, "data": data});
    // A moment instead of seconds cannot be registered: the default takes its place.
    if ttl.is_u64() {
        value["ttl"] = ttl.clone();
    }
    if let Some(permissions) = permissions {
        value["permissions"] = permissions.as_str().into();
    }
    if !references.is_empty() {
        value["references"] = json!(references);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::Identifier;
    use crate::record::{Draft, Record, Status, View, ViewKind};

    #[test]
    fn an_exported_line_registers_the_same_record() {
        let body = json!({
            "values": [
                {"index": 1, "type": "URL", "data": "https://h/", "ttl": 60},
                {"index": 7, "type": "KEY", "data": {"format": "hex", "value": "ff00"},
                 "permissions": "1100", "references": [{"handle": "88.1/k", "index": 300}]},
            ],
            "attributes": {"model": "P", "phases": 3, "spare": true, "list": [1, "a"]},
        });
        let draft = Draft::from_json(body.to_string().as_bytes()).unwrap();
        let values = draft.into_values(None, 1_000).unwrap();
        let record = Record {
            identifier: Identifier::parse("88.118/Ab").unwrap(),
            values: values.clone(),
            version: 1,
            status: Status::Active,
            registrant: "a".into(),
            held_apart: false,
            actor: "a".into(),
            reason: String::new(),
            created_ms: 1_000,
            modified_ms: 1_000,
        };
        let view = View { record: &record, kind: &ViewKind::Full };
        let mut line = registration(&RecordDocument::new(&view, 0));
        assert_eq!(line["identifier"], "88.118/Ab");
        line.as_object_mut().unwrap().remove("identifier");
        let again = Draft::from_json(line.to_string().as_bytes()).unwrap();
        assert_eq!(again.into_values(None, 1_000).unwrap(), values);
    }
}
