//! Request bodies: refused by their head where possible, read with bounds otherwise.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer};
use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::App;
use super::limits::Share;
use super::problem::{self, Problem};

/// Refuses bodies that are not JSON, compressed, or too long by their own account: before
/// anything of them is read and before the token is looked up.
pub(super) fn expect_json(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    expect_type(headers, &["application/json"])?;
    let length = headers.get(CONTENT_LENGTH).and_then(|field| field.to_str().ok());
    let length = length.and_then(|text| text.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    Ok(())
}

/// Refuses bodies of other media types than these and compressed ones.
pub(super) fn expect_type(headers: &HeaderMap, types: &[&str]) -> Result<(), Problem> {
    let refuse = |detail: String| Problem::new(&problem::BAD_MEDIA_TYPE, detail);
    let field = headers.get(CONTENT_TYPE).and_then(|field| field.to_str().ok()).unwrap_or_default();
    let essence = field.split(';').next().unwrap_or_default().trim();
    if !types.iter().any(|wanted| wanted.eq_ignore_ascii_case(essence)) {
        let wanted = types.join(" or ");
        return Err(refuse(format!("Content-Type is {essence:?}: send {wanted}")));
    }
    let encoded = headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    if encoded {
        let detail = "this body must not be compressed with this coding".to_owned();
        let identity = axum::http::HeaderValue::from_static("identity");
        return Err(refuse(detail).with_header(ACCEPT_ENCODING, identity));
    }
    Ok(())
}

/// A body in memory, with its share of it.
pub(super) struct Held {
    bytes: Bytes,
    _share: Share,
}

impl std::ops::Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a whole body of at most `limit` bytes. One without a length takes the share of a body
/// of that size.
pub(super) async fn read(app: &App, body: Body, limit: usize) -> Result<Held, Problem> {
    let share = app.limits.share(body.size_hint().exact().unwrap_or(limit as u64))?;
    // Less than the whole request may take, so that slow bodies are told from slow answers.
    let patience = app.settings.request_timeout * 2 / 3;
    let bytes = collect(body, limit, patience).await?;
    Ok(Held { bytes, _share: share })
}

async fn collect(body: Body, limit: usize, patience: Duration) -> Result<Bytes, Problem> {
    let collected = tokio::time::timeout(patience, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Ok(Err(_)) => Err(Problem::new(&problem::BAD_REQUEST, "the body broke off")),
        Err(_) => {
            let detail = format!("the body did not arrive within {} s", patience.as_secs());
            Err(Problem::new(&problem::REQUEST_TIMEOUT, detail))
        }
    }
}

/// Parses a JSON body, an object; errors carry line and column.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // For a type with members, serde would take a list of their values as well.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::new(&problem::BAD_JSON, "this is a list: send an object"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(&problem::BAD_JSON, format!("not the JSON it should be: {error}"))
    })
}

/// Reads a member that is an object, and not a list of an object's values.
pub(super) fn object<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    let members = Map::<String, Json>::deserialize(deserializer)?;
    T::deserialize(Json::Object(members)).map_err(D::Error::custom)
}

/// Reads a member that is a list of objects.
pub(super) fn objects<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    let objects = Vec::<Map<String, Json>>::deserialize(deserializer)?;
    let read = |members| T::deserialize(Json::Object(members)).map_err(D::Error::custom);
    objects.into_iter().map(read).collect()
}

/// Parses the query; unknown members are refused where the type says so.
pub(super) fn query<T: DeserializeOwned>(uri: &axum::http::Uri) -> Result<T, Problem> {
    axum::extract::Query::try_from_uri(uri).map(|axum::extract::Query(query)| query).map_err(
        |error| {
            let detail = format!("the query is not understood: {}", error.body_text());
            Problem::new(&problem::BAD_REQUEST, detail)
        },
    )
}

/// Takes the members of this name, which may occur more than once, out of the query.
pub(super) fn repeated(
    uri: &axum::http::Uri,
    name: &str,
) -> Result<(Vec<String>, axum::http::Uri), Problem> {
    let is_it = |member: &&str| member.split('=').next() == Some(name);
    let members = uri.query().unwrap_or_default().split('&');
    let (found, others): (Vec<&str>, Vec<&str>) = members.partition(is_it);
    let of = |members: &[&str]| {
        let uri = format!("/?{}", members.join("&"));
        uri.parse().map_err(|_| Problem::new(&problem::BAD_REQUEST, "the query is not understood"))
    };
    let values: Vec<(String, String)> = query(&of(&found)?)?;
    Ok((values.into_iter().map(|(_, value)| value).collect(), of(&others)?))
}

/// A moment of a query, RFC 3339, in milliseconds since 1970.
pub(super) fn moment(name: &str, text: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    // A plus sign that was not encoded arrives as a space.
    let moment = OffsetDateTime::parse(&text.replace(' ', "+"), &Rfc3339).ok();
    let ms = moment.and_then(|at| u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok());
    ms.map(Some).ok_or_else(|| {
        let detail = format!("{name} must be RFC 3339, such as 2026-01-05T08:30:00+08:00");
        Problem::new(&problem::BAD_REQUEST, detail)
    })
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is larger than {limit} bytes, the most for this resource");
    Problem::new(&problem::BODY_TOO_LARGE, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (axum::http::HeaderName::from_static(name), value.parse().unwrap())
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn heads_are_checked_before_bodies() {
        let check = |fields: &[(&'static str, &str)]| {
            expect_json(&headers(fields), 100).map_err(|problem| problem.kind().name)
        };
        assert_eq!(check(&[("content-type", "application/json")]), Ok(()));
        assert_eq!(check(&[("content-type", "Application/JSON; charset=utf-8")]), Ok(()));
        assert_eq!(check(&[]), Err("bad-media-type"));
        assert_eq!(check(&[("content-type", "text/plain")]), Err("bad-media-type"));
        let json = ("content-type", "application/json");
        assert_eq!(check(&[json, ("content-encoding", "gzip")]), Err("bad-media-type"));
        assert_eq!(check(&[json, ("content-length", "101")]), Err("body-too-large"));
        assert_eq!(check(&[json, ("content-length", "100")]), Ok(()));
    }

    #[test]
    fn lists_are_no_objects() {
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(default)]
        struct Outer {
            #[serde(deserialize_with = "object")]
            inner: Inner,
            #[serde(deserialize_with = "objects")]
            many: Vec<Inner>,
        }
        #[derive(Debug, Default, serde::Deserialize)]
        struct Inner {
            name: String,
        }
        let read = |text: &str| {
            let outer = parse::<Outer>(text.as_bytes()).ok()?;
            Some((outer.inner.name, outer.many.len()))
        };
        assert_eq!(read(r#"{"inner": {"name": "a"}}"#), Some(("a".into(), 0)));
        assert_eq!(read(r#" {"many": [{"name": "a"}]}"#), Some((String::new(), 1)));
        for list in [r#"[{"name": "a"}, []]"#, r#"{"inner": ["a"]}"#, r#"{"many": [["a"]]}"#] {
            assert_eq!(read(list), None, "{list}");
        }
    }

    #[tokio::test]
    async fn bodies_are_bounded_in_bytes_and_time() {
        let patience = Duration::from_millis(50);
        let read_kind = async |body| match collect(body, 4, patience).await {
            Ok(bytes) => Ok(bytes.len()),
            Err(problem) => Err(problem.kind().name),
        };
        assert_eq!(read_kind(Body::from("abcd")).await, Ok(4));
        assert_eq!(read_kind(Body::from("abcde")).await, Err("body-too-large"));
        let stuck = Body::from_stream(futures_util::stream::pending::<Result<Bytes, String>>());
        assert_eq!(read_kind(stuck).await, Err("request-timeout"));
    }

    #[test]
    fn deep_json_is_refused() {
        let deep = "{\"a\":".repeat(100_000);
        let problem = parse::<serde_json::Value>(deep.as_bytes()).unwrap_err();
        assert!(problem.detail().contains("recursion limit"), "{}", problem.detail());
    }
}
