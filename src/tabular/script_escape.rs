//! Lists that other nodes keep in string fields: `btoa(escape(JSON.stringify(list)))`.
//!
//! `escape` is the function of ECMAScript, Annex B.2.1: `%uHHHH` is a UTF-16 unit, `%HH` one below
//! 256, anything else stands for itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

/// The JSON in a cell.
pub(super) fn decode(cell: &str) -> Result<Json, String> {
    let packed: String = cell.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(packed).map_err(|error| format!("not base64: {error}"))?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| "what base64 holds is not escaped text".to_owned())?;
    let text = unescape(text).ok_or("what base64 holds has half a character")?;
    serde_json::from_str(&text).map_err(|error| format!("what base64 holds is not JSON: {error}"))
}

/// Text whose escapes are read; none if units of UTF-16 do not fit together.
fn unescape(text: &str) -> Option<String> {
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match escaped(rest) {
            Some((unit, behind)) => {
                units.push(unit);
                rest = behind;
            }
            None => {
                units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
    }
    String::from_utf16(&units).ok()
}

/// The unit that an escape at the text's start stands for, and what is behind it.
fn escaped(text: &str) -> Option<(u16, &str)> {
    let escape = text.strip_prefix('%')?;
    let (digits, behind) = match escape.strip_prefix('u') {
        Some(long) => long.split_at_checked(4)?,
        None => escape.split_at_checked(2)?,
    };
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let unit = u16::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)?;
    Some((unit, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_unpacked() {
        for (escaped, expected) in [
            ("%5B%22a%22%2C%22%u6CF5%22%5D", json!(["a", "泵"])),
            ("%7B%22k%22%3A%22%uD83D%uDE00%22%7D", json!({"k": "😀"})),
            ("[1,%20%222%22]", json!([1, "2"])),
            ("%22%E9%22", json!("é")),
            ("\"100%\"", json!("100%")),
            ("\"%u00\"", json!("%u00")),
            ("\"泵\"", json!("泵")),
        ] {
            assert_eq!(decode(&STANDARD.encode(escaped)), Ok(expected), "{escaped}");
        }
        let wrapped = format!(" {}\n{}", "WzEs", "Ml0=");
        assert_eq!(decode(&wrapped), Ok(json!([1, 2])));
    }

    #[test]
    fn what_is_not_packed_like_this_is_refused() {
        for (cell, expected) in [
            ("not base64!", "not base64"),
            (&STANDARD.encode("%5B"), "not JSON"),
            (&STANDARD.encode("%22%uD83D%22"), "half a character"),
            (&STANDARD.encode([0xff]), "not escaped text"),
            ("", "not JSON"),
        ] {
            let error = decode(cell).unwrap_err();
            assert!(error.contains(expected), "{cell}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = decode(&text);
            let _ = decode(&STANDARD.encode(&text));
        }
    }
}
