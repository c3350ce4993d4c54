//! What the resources of administration have in common: steps with a reason, pages, histories.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderMap, LOCATION};
use axum::http::{Response, StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::problem::{self, Problem};
use super::{App, answers, body};
use crate::access::{Actor, Right};
use crate::ledger::Position;
use crate::record::timestamp;
use crate::registrant::RegistrantId;
use crate::resolver::PastVersion;

/// Why a step is taken. Instead of the member, the header `Nameplate-Reason` will do.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Reason, example = json!({"reason": "documents are complete"}))]
pub(super) struct ReasonBody {
    /// Why, for the history and for those it is about; rejecting, suspending and closing need one.
    #[schema(max_length = 1024, example = "documents are complete")]
    pub reason: Option<String>,
}

/// Which versions to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EntriesQuery {
    /// `next` of the page before.
    #[param(example = "1-42", pattern = "^[0-9]{1,9}-[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most versions on the page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<usize>,
}

/// Versions of a thing, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Entries)]
pub(super) struct EntriesDocument {
    /// The versions.
    entries: Vec<EntryDocument>,
    /// `after` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A version of a thing, and how it came about.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Entry, example = json!({
    "version": 2, "time": "2026-01-05T08:00:00.000Z", "actor": "admin",
    "reason": "licence seen", "changed": ["state"], "content": {"state": "active"},
    "ledger_index": 4711
}))]
struct EntryDocument {
    /// The version.
    version: u64,
    /// When it was made (RFC 3339).
    time: String,
    /// Account that made it.
    actor: String,
    /// Why, in the actor's words; may be empty.
    reason: String,
    /// Members that differ from the version before, in order.
    changed: Vec<String>,
    /// The thing as it was.
    #[schema(value_type = Object)]
    content: Json,
    /// Position in the node's ledger.
    ledger_index: u64,
}

impl EntriesQuery {
    /// How many versions, and the entry to begin with.
    pub fn check(&self) -> Result<(usize, Option<Position>), Problem> {
        let limit = super::identifiers::page_limit(self.limit, DEFAULT_ENTRIES, MAX_ENTRIES)?;
        let position = |text: &str| {
            let (log, index) = text.split_once('-')?;
            Some(Position { log: log.parse().ok()?, index: index.parse().ok()? })
        };
        let bad = || Problem::new(&problem::BAD_REQUEST, "after must be next of the page before");
        let after = self.after.as_deref().map(|text| position(text).ok_or_else(bad)).transpose()?;
        Ok((limit, after))
    }
}

impl EntriesDocument {
    /// A page of up to `limit` versions; one more tells what changed in the last of them.
    pub fn new(versions: &[PastVersion], limit: usize) -> Self {
        let page = versions.iter().take(limit).enumerate();
        let entries = page.map(|(place, version)| {
            let content = shown(&version.content);
            let before = versions.get(place + 1).map(|before| shown(&before.content));
            EntryDocument {
                version: version.version,
                time: timestamp(version.time_ms),
                actor: version.actor.clone(),
                reason: version.reason.clone(),
                changed: changed(&content, &before.unwrap_or_default()),
                content,
                ledger_index: version.position.index,
            }
        });
        let next =
            versions.get(limit).map(|it| format!("{}-{}", it.position.log, it.position.index));
        Self { entries: entries.collect(), next }
    }
}

/// A ledger body with its times as text.
fn shown(content: &Json) -> Json {
    let Json::Object(members) = content else { return content.clone() };
    let member = |(name, value): (&String, &Json)| match (name.strip_suffix("_ms"), value.as_u64())
    {
        (Some(name), Some(ms)) => (name.to_owned(), timestamp(ms).into()),
        _ => (name.clone(), value.clone()),
    };
    Json::Object(members.iter().map(member).collect())
}

/// Names of the members that differ.
fn changed(content: &Json, before: &Json) -> Vec<String> {
    let nothing = Map::new();
    let (new, old) =
        (content.as_object().unwrap_or(&nothing), before.as_object().unwrap_or(&nothing));
    let mut names: Vec<_> = new
        .iter()
        .filter(|(name, value)| old.get(*name) != Some(value))
        .map(|(name, _)| name)
        .chain(old.keys().filter(|name| !new.contains_key(*name)))
        .cloned()
        .collect();
    names.sort();
    names
}

/// Reads a body that may be left out, or be null.
pub(super) async fn read_optional<T: DeserializeOwned + Default>(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    if headers.contains_key(CONTENT_TYPE) {
        body::expect_json(headers, BODY_BYTES)?;
    }
    let bytes = body::read(app, body, BODY_BYTES).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    body::expect_json(headers, BODY_BYTES)?;
    Ok(body::parse::<Option<T>>(&bytes)?.unwrap_or_default())
}

/// Reads a body that must be there.
pub(super) async fn read_body<T: DeserializeOwned>(app: &App, body: Body) -> Result<T, Problem> {
    body::parse(&body::read(app, body, BODY_BYTES).await?)
}

/// The decoded segments of the path behind `base`: a name, and what follows it.
pub(super) fn named(uri: &Uri, base: &str) -> Result<(String, String), Problem> {
    let rest = uri.path().strip_prefix(base).unwrap_or_default();
    let (name, behind) = rest.split_once('/').unwrap_or((rest, ""));
    let name = percent_encoding::percent_decode_str(name).decode_utf8();
    let bad = || Problem::new(&problem::BAD_REQUEST, "the path is not percent-encoded UTF-8");
    Ok((name.map_err(|_| bad())?.into_owned(), behind.to_owned()))
}

/// One of a resource's steps by its word in the path.
pub(super) fn step<T: Copy>(
    all: &[T],
    word: impl Fn(T) -> &'static str,
    wanted: &str,
) -> Result<T, Problem> {
    all.iter().copied().find(|step| word(*step) == wanted).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|step| word(*step)).collect();
        let detail = format!("{wanted:?} is no step: {}", known.join(", "));
        Problem::new(&problem::NOT_FOUND, detail)
    })
}

/// Refuses who may not look at what belongs to `holder`.
pub(super) fn expect_inspector(
    actor: &Actor,
    holder: Option<&RegistrantId>,
) -> Result<(), Problem> {
    actor.authorise_right(Right::Inspect, holder).map(drop).map_err(Problem::from)
}

/// A registrant's name in a body or query.
pub(super) fn registrant(text: &str) -> Result<RegistrantId, Problem> {
    RegistrantId::parse(text)
        .map_err(|error| Problem::new(&problem::BAD_REQUEST, error.to_string()))
}

/// A moment in RFC 3339, in milliseconds since 1970.
pub(super) fn moment(member: &str, text: &str) -> Result<u64, Problem> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
    let ms = moment.and_then(|it| u64::try_from(it.unix_timestamp_nanos() / 1_000_000).ok());
    ms.ok_or_else(|| {
        let detail = format!("{member} must be RFC 3339, such as 2031-01-01T00:00:00Z");
        Problem::new(&problem::BAD_REQUEST, detail)
    })
}

/// Tells a member that is null from one that is left out.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A thing as an answer, with its version as the entity tag.
pub(super) fn thing(
    status: StatusCode,
    version: u64,
    place: Option<&str>,
    document: &impl Serialize,
) -> Response<Body> {
    let mut response = answers::json(status, document);
    answers::set(response.headers_mut(), ETAG, &format!("\"{version}\""));
    if let Some(place) = place {
        answers::set(response.headers_mut(), LOCATION, place);
    }
    response
}

/// Most bytes of a body about registrants, prefixes and transfers: a thousand long identifiers.
pub(super) const BODY_BYTES: usize = 2 << 20;

/// Things on a page when the client does not say, and most of them.
pub(super) const PAGE: (usize, usize) = (100, 1_000);

/// Versions on a page when the client does not say.
const DEFAULT_ENTRIES: usize = 20;

/// Most versions on a page.
const MAX_ENTRIES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_changed_is_named() {
        let before = json!({"state": "applied", "remark": "x", "quota": {}});
        let after = json!({"state": "allocated", "quota": {}, "valid_until_ms": 0});
        assert_eq!(changed(&shown(&after), &before), ["remark", "state", "valid_until"]);
        assert_eq!(shown(&after)["valid_until"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn cursors_are_read_or_refused() {
        let check = |after: &str| {
            let query = EntriesQuery { after: Some(after.into()), limit: None };
            query.check().map(|(_, position)| position.unwrap())
        };
        assert_eq!(check("1-42").unwrap(), Position { log: 1, index: 42 });
        for bad in ["", "1", "1-", "-1", "1-2-3", "x-1", "99999999999-1"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
