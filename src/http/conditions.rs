//! Conditions, idempotency keys and reasons: what surrounds a change in its headers.

use axum::http::header::{HeaderMap, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use axum::http::{HeaderName, Method};
use ring::digest::{Context, SHA256};

use super::problem::{self, Problem};
use crate::record::View;
use crate::registry::{Condition, IdempotencyKey};

/// The condition of a change. `If-None-Match` may only be `*`; `If-Match` may be `*` or one
/// entity tag, of which the version counts and the view does not.
pub(super) fn condition(headers: &HeaderMap) -> Result<Condition, Problem> {
    let bad = |detail: &str| Problem::new(&problem::BAD_REQUEST, detail);
    let absent = one(headers, IF_NONE_MATCH)?;
    let matching = one(headers, IF_MATCH)?;
    match (absent, matching) {
        (None, None) => Ok(Condition::Always),
        (Some(_), Some(_)) => Err(bad("send If-Match or If-None-Match, not both")),
        (Some("*"), None) => Ok(Condition::Absent),
        (Some(_), None) => Err(bad("If-None-Match of a change must be *")),
        (None, Some("*")) => Ok(Condition::Present),
        (None, Some(tag)) => version(tag).map(Condition::Version),
    }
}

/// The condition of a change to something that exists.
pub(super) fn condition_of_change(headers: &HeaderMap) -> Result<Condition, Problem> {
    match condition(headers)? {
        Condition::Absent => {
            let detail = "If-None-Match: * makes sense for PUT only";
            Err(Problem::new(&problem::BAD_REQUEST, detail))
        }
        condition => Ok(condition),
    }
}

/// The version in an entity tag. Tags that this node never gives, weak ones among them, match
/// nothing (RFC 9110 §13.1.1).
fn version(tag: &str) -> Result<u64, Problem> {
    if tag.contains(',') {
        let detail = "If-Match must be * or one entity tag";
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    if !tag.starts_with('"') && !tag.starts_with("W/") {
        let detail = format!("If-Match must be the ETag with its quotes, \"3.public\", not {tag}");
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    let inner = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let number = inner.map(|inner| inner.split_once('.').map_or(inner, |(version, _)| version));
    number.and_then(|number| number.parse().ok()).ok_or_else(|| {
        let detail = format!("no version of the record has the entity tag {tag}");
        Problem::new(&problem::CONDITION_FAILED, detail)
    })
}

/// Whether the client's copy of the record is still good (RFC 9110 §13.1.2, §13.1.3).
pub(super) fn is_fresh(headers: &HeaderMap, view: &View<'_>) -> bool {
    let mut tags = headers.get_all(IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        let own = view.etag();
        return tags.filter_map(|field| field.to_str().ok()).any(|field| {
            field
                .split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
        });
    }
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|field| field.to_str().ok());
    let since = since.and_then(|text| httpdate::parse_http_date(text).ok());
    // What grants show may change while the record stays as it is.
    let dated = since.filter(|_| view.kind.follows_the_record());
    dated.is_some_and(|since| {
        let since = since.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        view.record.modified_ms / 1_000 <= since.as_secs()
    })
}

/// Why the change is made: the percent-encoded UTF-8 text of `Nameplate-Reason`.
pub(super) fn reason(headers: &HeaderMap) -> Result<String, Problem> {
    let Some(text) = one(headers, REASON)? else { return Ok(String::new()) };
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    let decoded = decoded.unwrap_or_else(|_| "\u{0}".into());
    if decoded.len() > REASON_OCTETS || decoded.chars().any(char::is_control) {
        let detail = format!(
            "Nameplate-Reason must be percent-encoded UTF-8 without control characters, at most \
             {REASON_OCTETS} octets"
        );
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    Ok(decoded.into_owned())
}

/// Why the change is made: as the header says, or else the body.
pub(super) fn reason_or(headers: &HeaderMap, body: Option<String>) -> Result<String, Problem> {
    let text = reason(headers)?;
    let Some(told) = body.filter(|_| text.is_empty()) else { return Ok(text) };
    if told.len() > REASON_OCTETS || told.chars().any(char::is_control) {
        let detail =
            format!("reason must be at most {REASON_OCTETS} octets without control characters");
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    Ok(told)
}

/// What makes a request the one it is.
pub(super) struct Fingerprint<'a> {
    pub(super) method: &'a Method,
    /// What it is about: the key of an identifier, or the name of a collection.
    pub(super) subject: &'a [u8],
    pub(super) condition: Condition,
    pub(super) reason: &'a str,
    pub(super) body: &'a [u8],
}

/// The request's idempotency key, bound to everything that makes the request what it is.
pub(super) fn idempotency(
    headers: &HeaderMap,
    request: &Fingerprint<'_>,
) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(key) = one(headers, IDEMPOTENCY_KEY)? else { return Ok(None) };
    if key.is_empty() || key.len() > KEY_OCTETS || !key.bytes().all(|byte| byte.is_ascii_graphic())
    {
        let detail = format!("Idempotency-Key must be 1 to {KEY_OCTETS} visible ASCII characters");
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    Ok(Some(IdempotencyKey { key: key.to_owned(), request_digest: request.digest() }))
}

impl Fingerprint<'_> {
    /// SHA-256 over the parts, each behind its length.
    fn digest(&self) -> [u8; 32] {
        let condition = format!("{:?}", self.condition);
        let parts = [
            self.method.as_str().as_bytes(),
            self.subject,
            condition.as_bytes(),
            self.reason.as_bytes(),
            self.body,
        ];
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

/// The header's one value as text.
fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Problem> {
    let bad = |what: &str| Problem::new(&problem::BAD_REQUEST, format!("{name} {what}"));
    let mut fields = headers.get_all(&name).iter();
    let Some(field) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err(bad("occurs twice: send it once"));
    }
    field.to_str().map(|text| Some(text.trim())).map_err(|_| bad("is not ASCII"))
}

const REASON: HeaderName = HeaderName::from_static("nameplate-reason");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Most octets of a reason, decoded.
const REASON_OCTETS: usize = 1_024;

/// Most characters of an idempotency key.
const KEY_OCTETS: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::Identifier;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn conditions_are_read() {
        let read = |fields: &[(&'static str, &str)]| {
            condition(&headers(fields)).map_err(|problem| problem.kind().name)
        };
        assert_eq!(read(&[]), Ok(Condition::Always));
        assert_eq!(read(&[("if-none-match", "*")]), Ok(Condition::Absent));
        assert_eq!(read(&[("if-match", "*")]), Ok(Condition::Present));
        assert_eq!(read(&[("if-match", "\"7.public\"")]), Ok(Condition::Version(7)));
        assert_eq!(read(&[("if-match", "\"7.full\"")]), Ok(Condition::Version(7)));
        assert_eq!(read(&[("if-match", "\"7\"")]), Ok(Condition::Version(7)));
        assert_eq!(read(&[("if-match", "\"abc\"")]), Err("condition-failed"));
        assert_eq!(read(&[("if-match", "W/\"7.public\"")]), Err("condition-failed"));
        assert_eq!(read(&[("if-match", "7")]), Err("bad-request"));
        assert_eq!(read(&[("if-match", "\"1\", \"2\"")]), Err("bad-request"));
        assert_eq!(read(&[("if-none-match", "\"7.public\"")]), Err("bad-request"));
        assert_eq!(read(&[("if-none-match", "*"), ("if-match", "*")]), Err("bad-request"));
    }

    #[test]
    fn reasons_are_decoded_once() {
        let read = |text: &str| reason(&headers(&[("nameplate-reason", text)])).ok();
        assert_eq!(read("%E6%8D%A2%E6%B3%B5 %2520"), Some("换泵 %20".into()));
        assert_eq!(read("%FF"), None);
        assert_eq!(read("a%0Ab"), None);
        assert_eq!(read(&"x".repeat(2_000)), None);
    }

    #[test]
    fn idempotency_keys_are_bound_to_the_whole_request() {
        let identifier = Identifier::literal("88.118/x").unwrap();
        let digest = |method: &Method, condition, reason: &str, body: &[u8]| {
            Fingerprint { method, subject: identifier.key().as_bytes(), condition, reason, body }
                .digest()
        };
        let first = digest(&Method::PUT, Condition::Always, "", b"ab");
        assert_eq!(first, digest(&Method::PUT, Condition::Always, "", b"ab"));
        for other in [
            digest(&Method::PATCH, Condition::Always, "", b"ab"),
            digest(&Method::PUT, Condition::Version(1), "", b"ab"),
            digest(&Method::PUT, Condition::Always, "a", b"b"),
            digest(&Method::PUT, Condition::Always, "", b"abc"),
        ] {
            assert_ne!(first, other);
        }
        let read = |key: &str| {
            let fingerprint = Fingerprint {
                method: &Method::PUT,
                subject: identifier.key().as_bytes(),
                condition: Condition::Always,
                reason: "",
                body: b"",
            };
            idempotency(&headers(&[("idempotency-key", key)]), &fingerprint)
        };
        assert!(read("f3c1-9").unwrap().is_some());
        assert!(read(&"k".repeat(256)).is_err());
        assert!(read("a b").is_err());
    }
}
