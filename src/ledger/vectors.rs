//! The worked examples that the unit tests read.

use serde_json::Value as Json;

use super::Hash;

/// All examples.
pub(super) fn examples() -> Json {
    serde_json::from_str(include_str!("../../tests/vectors/trust-examples.json")).unwrap()
}

/// The text at a path such as `/keys/log/seed`.
pub(super) fn text<'a>(json: &'a Json, path: &str) -> &'a str {
    json.pointer(path).unwrap_or_else(|| panic!("{path}")).as_str().unwrap()
}

/// The bytes at a path.
pub(super) fn bytes(json: &Json, path: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text(json, path).as_bytes()).unwrap()
}

/// The hash at a path.
pub(super) fn hash(json: &Json, path: &str) -> Hash {
    bytes(json, path).try_into().unwrap()
}

/// The list at a path.
pub(super) fn list<'a>(json: &'a Json, path: &str) -> &'a [Json] {
    json.pointer(path).unwrap_or_else(|| panic!("{path}")).as_array().unwrap()
}
