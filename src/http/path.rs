//! Identifiers in URL paths, taken from the raw path and decoded exactly once.

use axum::http::Uri;

use super::problem::{self, Problem};
use crate::identifier::Identifier;

/// The identifier in a public path: everything behind the first slash.
pub(super) fn public(uri: &Uri) -> Result<Identifier, Problem> {
    let path = uri.path().strip_prefix('/').unwrap_or_default();
    if is_reserved(path) {
        let detail = format!("there is no {}; the API is described in {OPENAPI}", uri.path());
        return Err(Problem::new(&problem::NOT_FOUND, detail));
    }
    decode(path)
}

/// The identifier in a path below `/api/v1/identifiers/`: one segment.
pub(super) fn api(uri: &Uri) -> Result<Identifier, Problem> {
    decode(segment(uri, IDENTIFIERS))
}

/// The raw segment of the path behind `base`.
pub(super) fn segment<'a>(uri: &'a Uri, base: &str) -> &'a str {
    let rest = uri.path().strip_prefix(base).unwrap_or_default();
    rest.split('/').next().unwrap_or_default()
}

/// The text in the segment behind `base`, decoded once.
pub(super) fn text(uri: &Uri, base: &str) -> Result<String, Problem> {
    let decoded = percent_encoding::percent_decode_str(segment(uri, base)).decode_utf8();
    decoded.map(String::from).map_err(|_| {
        let detail = format!("{} is not UTF-8", uri.path());
        Problem::new(&problem::BAD_REQUEST, detail)
    })
}

/// Path of an identifier's record in the API.
pub(super) fn of(identifier: &Identifier) -> String {
    format!("{IDENTIFIERS}{}", identifier.path_segment())
}

/// Whether a raw path without its first slash begins with a segment that is HTTP's own.
pub(super) fn is_reserved(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    first.starts_with('.')
        || crate::identifier::RESERVED_SEGMENTS
            .iter()
            .any(|reserved| reserved.eq_ignore_ascii_case(first))
}

/// The identifier in a raw segment or path: `hdl:` is the form whose percent-encoding the parser
/// decodes, once.
pub(super) fn decode(raw: &str) -> Result<Identifier, Problem> {
    let has_scheme = raw.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("hdl:"));
    let parsed =
        if has_scheme { Identifier::parse(raw) } else { Identifier::parse(&format!("hdl:{raw}")) };
    Ok(parsed?)
}

/// Where the records are.
const IDENTIFIERS: &str = "/api/v1/identifiers/";

/// Where the API is described.
pub(super) const OPENAPI: &str = "/api/v1/openapi.json";

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn paths_are_decoded_exactly_once() {
        for (path, spelling) in [
            ("/88.118.8/SN-001", "88.118.8/SN-001"),
            ("/88.118.8%2fSN-001?x", "88.118.8/SN-001"),
            ("/hdl:88.118.8/SN-001", "88.118.8/SN-001"),
            ("/88.118/a%2520b", "88.118/a%20b"),
            ("/88.118/a+b//c/", "88.118/a+b//c/"),
            ("/88.118/../x", "88.118/../x"),
            ("/86.1000.1/%E6%B3%B5", "86.1000.1/泵"),
            ("/apis.1/x", "apis.1/x"),
        ] {
            assert_eq!(public(&uri(path)).unwrap().spelling(), spelling, "{path}");
        }
        let api_path = uri("/api/v1/identifiers/88.118.8%2Fa%252Fb%2F%E6%B3%B5/history");
        assert_eq!(api(&api_path).unwrap().spelling(), "88.118.8/a%2Fb/泵");
    }

    #[test]
    fn broken_and_reserved_paths_are_refused() {
        for (path, kind) in [
            ("/", &problem::BAD_IDENTIFIER),
            ("/88.118", &problem::BAD_IDENTIFIER),
            ("/88.118/%FF", &problem::BAD_IDENTIFIER),
            ("/88.118/%4", &problem::BAD_IDENTIFIER),
            ("/88.118/%0a", &problem::BAD_IDENTIFIER),
            ("/api/x", &problem::NOT_FOUND),
            ("/API/v1/x", &problem::NOT_FOUND),
            ("/.well-known/x", &problem::NOT_FOUND),
            ("/favicon.ico", &problem::NOT_FOUND),
        ] {
            assert_eq!(public(&uri(path)).unwrap_err().kind(), kind, "{path}");
        }
        assert!(api(&uri("/api/v1/identifiers/88.118.8/SN-001")).is_err());
    }
}
