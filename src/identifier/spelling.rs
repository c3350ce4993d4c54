//! Taking off and putting on what surrounds an identifier: `hdl:`, hosts, percent-encoding.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::IdentifierError;

/// The literal `prefix/suffix` inside any spelling.
pub(super) fn strip(text: &str) -> Result<Cow<'_, str>, IdentifierError> {
    if let Some(rest) = strip_scheme(text, "hdl:") {
        return decode(rest);
    }
    let after_scheme = strip_scheme(text, "https://").or_else(|| strip_scheme(text, "http://"));
    match after_scheme {
        Some(rest) => from_url(text, rest),
        None => Ok(Cow::Borrowed(text)),
    }
}

/// Decodes percent-encoding, once.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, IdentifierError> {
    let broken = || IdentifierError::PercentEncoding(text.to_owned());
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        let digits = rest.get(at + 1..at + 3).ok_or_else(broken)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(broken());
        }
        rest = &rest[at + 3..];
    }
    percent_decode_str(text).decode_utf8().map_err(|_| broken())
}

pub(super) fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

pub(super) fn encode_path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let head = text.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
}

/// The identifier in a URL: the query member `identity` or `handle` if there is one, else the
/// whole path. `rest` is the URL behind `://`.
fn from_url<'a>(url: &str, rest: &'a str) -> Result<Cow<'a, str>, IdentifierError> {
    let missing = || IdentifierError::UrlWithoutIdentifier(url.to_owned());
    let rest = rest.split('#').next().unwrap_or_default();
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    for member in query.split('&') {
        if let Some(("identity" | "handle", value)) = member.split_once('=') {
            return decode(value);
        }
    }
    let (_host, path) = address.split_once('/').ok_or_else(missing)?;
    if path.is_empty() {
        return Err(missing());
    }
    decode(path)
}

/// Everything but the unreserved characters of RFC 3986 §2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// As [`SEGMENT`], with the slash left alone.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

#[cfg(test)]
mod tests {
    use super::super::{Identifier, IdentifierError};
    use proptest::prelude::*;

    #[test]
    fn all_spellings_meet() {
        let canonical = Identifier::literal("88.118.8/SN-001").unwrap();
        for text in [
            "88.118.8/sn-001",
            "hdl:88.118.8/SN-001",
            "HDL:88.118.8%2FSN%2D001",
            "https://hdl.handle.net/88.118.8/SN-001",
            "http://localhost:8080/88.118.8/sn-001?noredirect#top",
            "HTTPS://example.com/88.118.8%2fsn-001",
            "https://www.citln.cn/resolve?identity=88.118.8/SN-001",
            "https://example.com/?x=1&handle=88.118.8%2FSN-001",
        ] {
            assert_eq!(Identifier::parse(text).unwrap().key(), canonical.key(), "{text}");
        }
    }

    #[test]
    fn bare_text_is_literal_and_decoding_happens_once() {
        let bare = Identifier::parse("88.1/a%20b").unwrap();
        assert_eq!(bare.suffix(), "a%20b");
        let url = Identifier::parse("hdl:88.1/a%2520b").unwrap();
        assert_eq!(url.suffix(), "a%20b");
    }

    #[test]
    fn suffixes_keep_slashes_and_chinese() {
        let identifier = Identifier::parse("https://h/86.1000.1/%E6%B3%B5/七").unwrap();
        assert_eq!(identifier.suffix(), "泵/七");
        assert_eq!(identifier.prefix().as_str(), "86.1000.1");
    }

    #[test]
    fn faults_are_named() {
        let fault = |text: &str| Identifier::parse(text).unwrap_err();
        assert!(matches!(fault("88.118"), IdentifierError::NoSlash(_)));
        assert!(matches!(fault("88.118%2Fx"), IdentifierError::Encoded(_)));
        assert!(matches!(fault("88.118/"), IdentifierError::EmptySuffix(_)));
        assert!(matches!(fault("/x"), IdentifierError::EmptyArc(_)));
        assert!(matches!(fault("88..1/x"), IdentifierError::EmptyArc(_)));
        assert!(matches!(fault("88.1/a\nb"), IdentifierError::Control(_)));
        assert!(matches!(fault("hdl:88.1/%4"), IdentifierError::PercentEncoding(_)));
        assert!(matches!(fault("hdl:88.1/%FF"), IdentifierError::PercentEncoding(_)));
        assert!(matches!(fault("https://host"), IdentifierError::UrlWithoutIdentifier(_)));
        let long = format!("88.1/{}", "x".repeat(3_000));
        assert!(matches!(fault(&long), IdentifierError::TooLong(3_005)));
    }

    proptest! {
        #[test]
        fn encoded_forms_read_back(suffix in "[^\\p{Cc}]{1,30}") {
            let identifier = Identifier::literal(&format!("88.118/{suffix}")).unwrap();
            for url in [
                format!("https://host/{}", identifier.path_segment()),
                format!("https://host/{}", identifier.url_path()),
                format!("hdl:{}", identifier.path_segment()),
            ] {
                prop_assert_eq!(&Identifier::parse(&url).unwrap(), &identifier);
            }
        }
    }
}
