//! The JSON forms of a value's data, as in the Handle JSON API: text, bytes, and the Handle
//! System's own structures.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::json::ReferenceDocument;
use crate::codec::{Corrupt, Reader, Writer};

/// Data of a value: plain text, or a format and a value as in the Handle JSON API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum DataForm {
    /// Text as it is.
    Text(String),
    /// Data in a named format.
    Formatted {
        /// `string`, `base64`, `hex`, `admin` or `vlist`.
        format: String,
        /// The data in that format: text, or for `admin` and `vlist` what the Handle JSON API has.
        #[schema(value_type = serde_json::Value)]
        value: Json,
    },
}

impl DataForm {
    /// The data of a value of type `kind`: the Handle System's structures where it is one, text as
    /// it is, anything else in base64.
    pub fn of(kind: &str, data: &[u8]) -> Self {
        let formatted = |format: &str, value| DataForm::Formatted { format: format.into(), value };
        // Structures that would not come back as the same bytes stay bytes.
        let same = |form: DataForm| form.clone().into_bytes().is_ok_and(|bytes| bytes == data);
        let structure = match kind.to_ascii_uppercase().as_str() {
            "HS_ADMIN" => read_admin(data).map(|value| formatted("admin", value)).ok(),
            "HS_VLIST" => read_list(data).map(|value| formatted("vlist", value)).ok(),
            _ => None,
        };
        if let Some(structure) = structure.filter(|form| same(form.clone())) {
            return structure;
        }
        match std::str::from_utf8(data) {
            Ok(text) => DataForm::Text(text.to_owned()),
            Err(_) => formatted("base64", BASE64.encode(data).into()),
        }
    }

    /// The data's bytes.
    pub fn into_bytes(self) -> Result<Vec<u8>, String> {
        let (format, value) = match self {
            DataForm::Text(text) => return Ok(text.into_bytes()),
            DataForm::Formatted { format, value } => (format, value),
        };
        let text = || value.as_str().ok_or(format!("a {format} value must be text"));
        match format.as_str() {
            "string" => Ok(text()?.as_bytes().to_vec()),
            "base64" => BASE64.decode(text()?).map_err(|_| "data is not base64".into()),
            "hex" => data_encoding::HEXLOWER_PERMISSIVE
                .decode(text()?.as_bytes())
                .map_err(|_| "data is not hex".into()),
            "admin" => write_admin(value),
            "vlist" => write_list(value),
            _ => Err(format!(
                "data format {format:?} is unknown: string, base64, hex, admin or vlist"
            )),
        }
    }
}

/// Who administers a record (`HS_ADMIN`, RFC 3651 §3.2.1).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Admin {
    handle: String,
    index: u32,
    /// Twelve bits, most significant first.
    permissions: String,
}

/// INT2 permissions, STR handle, INT4 index.
fn write_admin(value: Json) -> Result<Vec<u8>, String> {
    let admin: Admin = serde_json::from_value(value).map_err(|error| format!("admin: {error}"))?;
    let bits = admin.permissions.as_bytes();
    if bits.len() != ADMIN_BITS || !bits.iter().all(|bit| matches!(bit, b'0' | b'1')) {
        return Err(format!("admin permissions {:?} must be 12 bits", admin.permissions));
    }
    let permissions = bits.iter().fold(0u16, |sum, bit| sum << 1 | u16::from(bit - b'0'));
    let mut writer = Writer::default();
    writer.u16(permissions).long_text(&admin.handle).u32(admin.index);
    Ok(writer.into_bytes())
}

fn read_admin(data: &[u8]) -> Result<Json, Corrupt> {
    let mut reader = Reader::new(data);
    let permissions = reader.u16("permissions")?;
    let handle = reader.long_text("handle")?;
    let index = reader.u32("index")?;
    reader.finish("admin")?;
    Ok(json!({"handle": handle, "index": index, "permissions": format!("{permissions:012b}")}))
}

/// A list of references.
fn write_list(value: Json) -> Result<Vec<u8>, String> {
    let list: Vec<ReferenceDocument> =
        serde_json::from_value(value).map_err(|error| format!("vlist: {error}"))?;
    let mut writer = Writer::default();
    writer.u32(list.len() as u32);
    for reference in &list {
        writer.long_text(&reference.handle).u32(reference.index);
    }
    Ok(writer.into_bytes())
}

fn read_list(data: &[u8]) -> Result<Json, Corrupt> {
    let mut reader = Reader::new(data);
    let count = reader.u32("list")?;
    let mut list = Vec::new();
    for _ in 0..count {
        let handle = reader.long_text("handle")?;
        list.push(json!({"handle": handle, "index": reader.u32("index")?}));
    }
    reader.finish("list")?;
    Ok(list.into())
}

/// Bits of an administrator's permissions (RFC 3651 §3.2.1).
const ADMIN_BITS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn structures_have_their_own_form() {
        // The encoding of RFC 3651 §3.2.1 as Handle software writes it.
        let admin = json!({"handle": "0.NA/88.118", "index": 200, "permissions": "011111110011"});
        let form = DataForm::Formatted { format: "admin".into(), value: admin };
        let bytes = form.clone().into_bytes().unwrap();
        assert_eq!(bytes, b"\x07\xf3\0\0\0\x0b0.NA/88.118\0\0\0\xc8");
        assert_eq!(DataForm::of("hs_admin", &bytes), form);
        let list = json!([{"handle": "88.118/1", "index": 300}]);
        let form = DataForm::Formatted { format: "vlist".into(), value: list };
        assert_eq!(DataForm::of("HS_VLIST", &form.clone().into_bytes().unwrap()), form);
    }

    #[test]
    fn faults_are_named() {
        let fault = |json: &str| {
            let form: DataForm = serde_json::from_str(json).unwrap();
            form.into_bytes().unwrap_err()
        };
        assert!(fault(r#"{"format":"hex","value":"xyz"}"#).contains("hex"));
        assert!(fault(r#"{"format":"base64","value":7}"#).contains("must be text"));
        assert!(fault(r#"{"format":"odd","value":""}"#).contains("unknown"));
        assert!(fault(r#"{"format":"admin","value":{}}"#).contains("missing field"));
    }

    proptest! {
        #[test]
        fn any_data_comes_back(kind in "(URL|HS_ADMIN|HS_VLIST)", data in any::<Vec<u8>>()) {
            prop_assert_eq!(DataForm::of(&kind, &data).into_bytes(), Ok(data));
        }
    }
}
