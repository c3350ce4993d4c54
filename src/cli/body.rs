//! Bodies of registrations and changes from what is typed.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value as Json, json};

/// A name and a value: `k=v` is text, `k:=json` is typed (`rpm:=1450`, `spare:=true`).
pub fn assignment(text: &str) -> Result<(String, Json), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} has no '=': write NAME=TEXT or NAME:=JSON"))?;
    let (name, value) = match name.strip_suffix(':') {
        None => (name, value.into()),
        Some(name) => {
            let value = serde_json::from_str(value).map_err(|_| {
                format!("{value:?} is no JSON: after := a number, true, false, list or \"text\"")
            })?;
            (name, value)
        }
    };
    if name.is_empty() {
        return Err(format!("{text:?} has no name before the '='"));
    }
    Ok((name.to_owned(), value))
}

/// A value: `TYPE=DATA`, or with an index `3:TYPE=DATA`.
pub fn value(text: &str) -> Result<Json, String> {
    let fault = || format!("{text:?} is no value: write TYPE=DATA or INDEX:TYPE=DATA");
    let (kind, data) = text.split_once('=').ok_or_else(fault)?;
    let (index, kind) = match kind.split_once(':') {
        None => (None, kind),
        Some((index, kind)) => (Some(index.parse::<u32>().map_err(|_| fault())?), kind),
    };
    if kind.is_empty() {
        return Err(fault());
    }
    let mut value = json!({"type": kind, "data": data});
    if let Some(index) = index {
        value["index"] = index.into();
    }
    Ok(value)
}

/// A body with these values and attributes; members that would be empty are left out.
pub fn assemble(values: Vec<Json>, attributes: Map<String, Json>) -> Json {
    let mut body = Map::new();
    if !values.is_empty() {
        body.insert("values".into(), values.into());
    }
    if !attributes.is_empty() {
        body.insert("attributes".into(), attributes.into());
    }
    body.into()
}

/// Sets a member of a body, if there is a value for it.
pub fn set(body: &mut Json, name: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        body[name] = value.into();
    }
}

/// Collects attributes; one name twice is a mistake.
pub fn attributes(given: &[(String, Json)]) -> anyhow::Result<Map<String, Json>> {
    let mut attributes = Map::new();
    for (name, value) in given {
        if attributes.insert(name.clone(), value.clone()).is_some() {
            bail!("attribute {name} is given twice");
        }
    }
    Ok(attributes)
}

/// Reads the body of a registration from a file, `-` for standard input.
pub fn from_file(path: &Path) -> anyhow::Result<Json> {
    from_file_of(path, MAX_BODY_BYTES)
}

/// Reads a body of at most `limit` bytes from a file, `-` for standard input.
pub fn from_file_of(path: &Path, limit: u64) -> anyhow::Result<Json> {
    let name = path.display();
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).with_context(|| format!("cannot read {name}"))?)
    };
    let mut text = Vec::new();
    let read = input.take(limit + 1).read_to_end(&mut text);
    read.with_context(|| format!("cannot read {name}"))?;
    if text.len() as u64 > limit {
        bail!("{name} has over {limit} bytes, more than the node takes");
    }
    serde_json::from_slice(&text).with_context(|| format!("{name} is not JSON"))
}

/// Most bytes of a body; what nodes take.
const MAX_BODY_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_text_or_json() {
        for (text, name, value) in [
            ("model=P-100", "model", json!("P-100")),
            ("note=", "note", json!("")),
            ("eq=a=b", "eq", json!("a=b")),
            ("n=3", "n", json!("3")),
            ("n:=3", "n", json!(3)),
            ("spare:=true", "spare", json!(true)),
            ("list:=[1,\"a=b\"]", "list", json!([1, "a=b"])),
        ] {
            assert_eq!(assignment(text), Ok((name.to_owned(), value)), "{text}");
        }
        for text in ["model", "=x", ":=1", "n:=abc"] {
            assert!(assignment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_have_a_type_and_perhaps_an_index() {
        assert_eq!(value("EMAIL=a@b"), Ok(json!({"type": "EMAIL", "data": "a@b"})));
        assert_eq!(value("3:URL=x"), Ok(json!({"type": "URL", "data": "x", "index": 3})));
        for text in ["EMAIL", "=x", "x:URL=y", "3:=y"] {
            assert!(value(text).is_err(), "{text}");
        }
    }

    #[test]
    fn attributes_are_given_once() {
        let pair = |name: &str| (name.to_owned(), json!(1));
        assert!(attributes(&[pair("a"), pair("b")]).is_ok());
        assert!(attributes(&[pair("a"), pair("a")]).is_err());
    }
}
