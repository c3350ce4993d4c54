//! Canonical JSON (RFC 8785) for the JSON that Nameplate commits to and signs: strings, whole
//! numbers, booleans, null, lists and groups. Fractions never occur: every parser refuses them.

use serde_json::Value as Json;

/// The canonical text: members sorted by their UTF-16 code units, no white space.
pub fn canonical_json(json: &Json) -> String {
    let mut out = String::new();
    write(json, &mut out);
    out
}

fn write(json: &Json, out: &mut String) {
    match json {
        Json::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|(one, _), (two, _)| one.encode_utf16().cmp(two.encode_utf16()));
            out.push('{');
            for (position, (name, member)) in sorted.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_canonical_text(name, out);
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
        Json::String(text) => write_canonical_text(text, out),
        Json::Null | Json::Bool(_) | Json::Number(_) => out.push_str(&json.to_string()),
    }
}

/// Appends a JSON string. serde_json escapes exactly what RFC 8785 §3.2.2.2 asks for.
pub fn write_canonical_text(text: &str, out: &mut String) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&Json::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_serde_json_does() {
        for text in ["", "泵 P-1", "a\"b\\c", "tab\tbell\u{7}del\u{7f}", "\u{2028}"] {
            let mut out = String::new();
            write_canonical_text(text, &mut out);
            assert_eq!(out, serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn members_are_sorted_by_utf16() {
        // RFC 8785 §3.2.3: U+1F600 is D83D DE00 in UTF-16 and so comes before U+FB33.
        let json: Json = serde_json::from_str(r#"{"\ufb33":1,"😀":2,"é":3,"1":"\u000a"}"#).unwrap();
        assert_eq!(canonical_json(&json), "{\"1\":\"\\n\",\"é\":3,\"😀\":2,\"\u{fb33}\":1}");
    }
}
