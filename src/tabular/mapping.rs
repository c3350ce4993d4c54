//! What somebody says the columns of a table mean.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::identifier::{Identifier, Prefix};

/// What the columns of a table mean. Columns it does not name mean what their names say:
/// `identifier`, `url`, or an attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Json")]
pub struct Mapping {
    /// Meanings by the columns' names; none has a column ignored.
    pub columns: BTreeMap<String, Option<ColumnMeaning>>,
    /// Prefix of all identifiers, whose column then holds suffixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Identifier of the template of all records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The column with what minted identifiers are to carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Columns whose cells are packed, and how.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub decode: BTreeMap<String, Decoding>,
}

/// What a column means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnMeaning {
    /// The identifier, or its suffix.
    Identifier,
    /// A value of this type.
    Value(String),
    /// The attribute of this name.
    Attribute(String),
}

/// How a cell is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoding {
    /// `btoa(escape(JSON))` of ECMAScript: how lists travel where only strings can.
    Base64EscapedJson,
}

/// What is wrong with a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{path}: {detail}")]
pub struct MappingFault {
    /// The member at fault, as in `columns.model`.
    pub path: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl Mapping {
    /// Reads a mapping from JSON; names everything that is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Self, Vec<MappingFault>> {
        let whole = |detail| vec![MappingFault::new("mapping", detail)];
        if json.len() > MAX_MAPPING_BYTES {
            return Err(whole(format!("over {MAX_MAPPING_BYTES} bytes")));
        }
        let json = serde_json::from_slice(json).map_err(|error| whole(error.to_string()))?;
        Self::from_json(json)
    }

    fn from_json(json: Json) -> Result<Self, Vec<MappingFault>> {
        let mut faults = Vec::new();
        let mut mapping = Self::default();
        for (name, json) in object("mapping", json, &mut faults) {
            match name.as_str() {
                "columns" => mapping.columns = columns(json, &mut faults),
                "decode" => mapping.decode = decodings(json, &mut faults),
                "prefix" => {
                    let parse =
                        |text: &str| Prefix::parse(text).map(|prefix| prefix.as_str().into());
                    mapping.prefix = text("prefix", json, parse, &mut faults);
                }
                "template" => {
                    let parse = |text: &str| {
                        Identifier::parse(text).map(|template| template.spelling().into())
                    };
                    mapping.template = text("template", json, parse, &mut faults);
                }
                "serial" => {
                    let parse = |text: &str| Ok::<_, String>(text.trim().to_owned());
                    mapping.serial = text("serial", json, parse, &mut faults);
                }
                _ => faults.push(MappingFault::new(
                    name,
                    "no member of a mapping: columns, prefix, template, serial and decode are",
                )),
            }
        }
        if faults.is_empty() { Ok(mapping) } else { Err(faults) }
    }
}

impl MappingFault {
    pub(super) fn new(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { path: path.into(), detail: detail.into() }
    }
}

impl TryFrom<Json> for Mapping {
    type Error = String;

    fn try_from(json: Json) -> Result<Self, String> {
        Self::from_json(json).map_err(|faults| {
            faults.iter().map(MappingFault::to_string).collect::<Vec<_>>().join("; ")
        })
    }
}

fn columns(json: Json, faults: &mut Vec<MappingFault>) -> BTreeMap<String, Option<ColumnMeaning>> {
    let mut columns = BTreeMap::new();
    for (name, json) in object("columns", json, faults) {
        match serde_json::from_value(json) {
            Ok(meaning) => {
                columns.insert(name.trim().to_owned(), meaning);
            }
            Err(_) => faults.push(MappingFault::new(
                format!("columns.{name}"),
                "no meaning: \"identifier\", {\"value\": TYPE}, {\"attribute\": NAME}, or null to \
                 ignore the column",
            )),
        }
    }
    columns
}

fn decodings(json: Json, faults: &mut Vec<MappingFault>) -> BTreeMap<String, Decoding> {
    let mut decodings = BTreeMap::new();
    for (name, json) in object("decode", json, faults) {
        match serde_json::from_value(json) {
            Ok(decoding) => {
                decodings.insert(name.trim().to_owned(), decoding);
            }
            Err(_) => faults.push(MappingFault::new(
                format!("decode.{name}"),
                "no way to decode: \"base64-escaped-json\" is",
            )),
        }
    }
    decodings
}

fn object(path: &str, json: Json, faults: &mut Vec<MappingFault>) -> Map<String, Json> {
    match json {
        Json::Object(members) => members,
        _ => {
            faults.push(MappingFault::new(path, "not an object"));
            Map::new()
        }
    }
}

/// A member that is text; null is as good as leaving it out.
fn text<E: std::fmt::Display>(
    path: &str,
    json: Json,
    parse: impl Fn(&str) -> Result<String, E>,
    faults: &mut Vec<MappingFault>,
) -> Option<String> {
    let fault = match json {
        Json::Null => return None,
        Json::String(text) => match parse(&text) {
            Ok(text) => return Some(text),
            Err(error) => error.to_string(),
        },
        _ => "not a string".into(),
    };
    faults.push(MappingFault::new(path, fault));
    None
}

/// Most bytes of a mapping's JSON.
const MAX_MAPPING_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mappings_are_read() {
        let json = r#"{"columns":{"备注":null,"型号":{"attribute":"model"},"货号":"identifier",
            "链接":{"value":"URL"}},"prefix":"88.118.8","template":"88.118.8/TPL",
            "serial":"序号","decode":{"型号":"base64-escaped-json"}}"#;
        let mapping = Mapping::parse(json.as_bytes()).unwrap();
        assert_eq!(mapping.columns["货号"], Some(ColumnMeaning::Identifier));
        assert_eq!(mapping.columns["备注"], None);
        assert_eq!(mapping.serial.as_deref(), Some("序号"));
        let again = serde_json::to_vec(&mapping).unwrap();
        assert_eq!(Mapping::parse(&again).unwrap(), mapping);
        assert_eq!(serde_json::from_slice::<Mapping>(&again).unwrap(), mapping);
        assert_eq!(Mapping::parse(b"{}").unwrap(), Mapping::default());
    }

    #[test]
    fn every_fault_is_named() {
        let json = r#"{"column":{},"columns":{"a":"url","b":{"value":1},"c":"identifier",
            "d":{"attribute":"x","value":"y"}},"prefix":"88/1","template":7,"decode":{"a":"x"}}"#;
        let faults = Mapping::parse(json.as_bytes()).unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(
            paths,
            ["column", "columns.a", "columns.b", "columns.d", "decode.a", "prefix", "template"]
        );
        for (json, expected) in [("[]", "not an object"), ("{", "EOF"), ("{\"columns\":1}", "not")]
        {
            let faults = Mapping::parse(json.as_bytes()).unwrap_err();
            assert!(faults[0].detail.contains(expected), "{json}: {faults:?}");
        }
        let large = vec![b' '; MAX_MAPPING_BYTES + 1];
        assert!(Mapping::parse(&large).unwrap_err()[0].detail.contains("over"));
        assert!(serde_json::from_str::<Mapping>(r#"{"x":1}"#).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in any::<Vec<u8>>()) {
            let _ = Mapping::parse(&bytes);
        }
    }
}
