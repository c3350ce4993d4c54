//! `GET /api/v1/statistics`: what was registered and looked up, by prefix and day.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

use super::problem::{self, Problem, ProblemDocument};
use super::{App, accept, answers, body, streamed};
use crate::access::{Actor, Refusal, Right};
use crate::identifier::Prefix;
use crate::resolver::{OUTCOMES, Protocol, Resolver};
use crate::store::{Key, StatisticsKey, StatisticsRow, key_bytes};
use crate::tabular::{BYTE_ORDER_MARK, write_row};

/// Which statistics to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatisticsQuery {
    /// The prefix, with the node's prefixes below it. Left out: all that the asker may inspect.
    #[param(example = "88.118")]
    prefix: Option<String>,
    /// The first day.
    #[param(format = Date, example = "2026-01-01")]
    from: Option<String>,
    /// The first day that is left out.
    #[param(format = Date, example = "2031-01-01")]
    until: Option<String>,
    /// `next` of the page before, with the same filters; pages only.
    after: Option<String>,
    /// Most days of prefixes on the page, 1 to 1000; pages only.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// Statistics by prefix and then by day.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Statistics)]
pub(super) struct StatisticsDocument {
    /// A prefix's day each; days on which nothing happened are left out.
    statistics: Vec<DayDocument>,
    /// When the node's days begin: offset of their place from UTC.
    #[schema(example = "+08:00")]
    utc_offset: String,
    /// `after` of the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What happened under a prefix on one day.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DayStatistics, example = json!({
    "prefix": "88.118", "day": "2026-01-05", "registrations": 120, "changes": 7,
    "retirements": 1, "lookups": {
    "dns": {"record": 5021, "retired": 3, "absent": 17, "withheld": 0, "not_responsible": 0},
    "http": {"record": 802, "retired": 0, "absent": 4, "withheld": 0, "not_responsible": 1}}
}))]
struct DayDocument {
    /// One of the node's prefixes; left out for questions about those of other nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "88.118")]
    prefix: Option<String>,
    /// The day.
    #[schema(format = Date, example = "2026-01-05")]
    day: String,
    /// Identifiers registered.
    registrations: u64,
    /// Versions made of records that were there.
    changes: u64,
    /// Identifiers retired.
    retirements: u64,
    /// Look-ups by protocol.
    lookups: LookupsDocument,
}

/// Look-ups by protocol.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Lookups)]
struct LookupsDocument {
    /// DNS over UDP and TCP.
    dns: OutcomesDocument,
    /// HTTP and HTTPS.
    http: OutcomesDocument,
}

/// Look-ups by outcome.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = LookupOutcomes)]
struct OutcomesDocument {
    /// A record was found.
    record: u64,
    /// A tombstone was found.
    retired: u64,
    /// Nothing is registered by that name.
    absent: u64,
    /// The prefix is hidden while it is suspended.
    withheld: u64,
    /// The prefix is another node's.
    not_responsible: u64,
}

/// Read statistics
///
/// Registrations, changes, retirements and look-ups by protocol and outcome, for each prefix and
/// day, of the prefixes that the asker may inspect. Registrations are exact; look-ups appear within
/// ten seconds, and those of the last seconds before a crash are lost. With `Accept: text/csv` all
/// come as one table.
#[utoipa::path(
    get,
    path = "/api/v1/statistics",
    operation_id = "readStatistics",
    tag = "observation",
    params(StatisticsQuery),
    responses(
        (status = 200, description = "Statistics", content(
            (StatisticsDocument = "application/json"),
            (String = "text/csv"),
        )),
        (status = "default", description = "A problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(super) async fn read_statistics(
    State(app): State<Arc<App>>,
    head: Parts,
) -> Result<Response<Body>, Problem> {
    let query: StatisticsQuery = body::query(&head.uri)?;
    let media_type = accept::best(&head.headers, &["application/json", "text/csv"])?;
    let limit = super::identifiers::page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let prefix = query.prefix.as_deref().map(Prefix::parse).transpose()?;
    let days = day_or("from", query.from.as_deref(), 0)?
        ..day_or("until", query.until.as_deref(), u32::MAX)?;
    let text = format!("statistics {prefix:?} {days:?}");
    let after = app.place(&text, query.after.as_deref(), StatisticsKey::read_key)?;
    let actor = app.actor(&head.headers).await?;
    if let Some(prefix) = &prefix {
        app.refuse_unserved(prefix)?;
        refuse_unseen(&app.resolver, &actor, prefix)?;
    }
    if media_type == "text/csv" {
        let share = app.limits.begin_stream()?;
        let resolver = Arc::clone(&app.resolver);
        let table =
            Table { resolver, actor, prefix, days, after: None, begun: false, ended: false };
        let media_type = "text/csv; charset=utf-8";
        return Ok(streamed::answer(app, share, media_type, "statistics.csv", table));
    }
    let resolver = Arc::clone(&app.resolver);
    let read = move || resolver.statistics(&actor, prefix.as_ref(), days, after.as_ref(), limit);
    let page = app.pool.run(read).await??;
    let document = StatisticsDocument {
        statistics: page.rows.iter().map(|(key, row)| DayDocument::new(key, row)).collect(),
        utc_offset: offset_text(app.registry.utc_offset_minutes()),
        next: page.next.map(|next| app.registry.cursors().seal(&text, &key_bytes(&next))),
    };
    Ok(answers::json(StatusCode::OK, &document))
}

/// 403 when the actor may see the statistics of nothing at or below a prefix.
fn refuse_unseen(resolver: &Resolver, actor: &Actor, prefix: &Prefix) -> Result<(), Problem> {
    let zones = resolver.zones();
    let mut below = zones.iter().filter(|zone| prefix.covers(&zone.prefix));
    if below.any(|zone| resolver.sees_statistics(actor, zone)) {
        return Ok(());
    }
    // Prefixes below one of this node's count there.
    let above = resolver.zone_of(prefix).filter(|zone| zone.prefix != *prefix);
    if let Some(zone) = above.filter(|zone| resolver.sees_statistics(actor, zone)) {
        let detail = format!("statistics of {prefix} are part of those of {}", zone.prefix);
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    let subject = format!("prefix {prefix}");
    Err(Refusal { action: Right::Inspect.as_str(), subject }.into())
}

impl DayDocument {
    fn new(key: &StatisticsKey, row: &StatisticsRow) -> Self {
        Self {
            prefix: key.prefix.as_ref().map(Prefix::to_string),
            day: day_text(key.day),
            registrations: row.registrations,
            changes: row.changes,
            retirements: row.retirements,
            lookups: LookupsDocument {
                dns: OutcomesDocument::new(row, Protocol::Dns),
                http: OutcomesDocument::new(row, Protocol::Http),
            },
        }
    }
}

impl OutcomesDocument {
    fn new(row: &StatisticsRow, protocol: Protocol) -> Self {
        let mut cells = cells(row, protocol);
        let mut next = || cells.next().unwrap_or_default();
        Self {
            record: next(),
            retired: next(),
            absent: next(),
            withheld: next(),
            not_responsible: next(),
        }
    }
}

fn cells(row: &StatisticsRow, protocol: Protocol) -> impl Iterator<Item = u64> {
    row.lookups.iter().copied().skip(protocol as usize * OUTCOMES.len()).take(OUTCOMES.len())
}

/// All statistics, a page at a time.
struct Table {
    resolver: Arc<Resolver>,
    actor: Arc<Actor>,
    prefix: Option<Prefix>,
    days: Range<u32>,
    after: Option<StatisticsKey>,
    begun: bool,
    ended: bool,
}

impl streamed::Produce for Table {
    fn produce(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        if self.ended {
            return Ok(None);
        }
        let mut out = Vec::new();
        if !self.begun {
            out.extend_from_slice(BYTE_ORDER_MARK);
            let lookups = Protocol::ALL.into_iter().flat_map(|protocol| {
                OUTCOMES.map(|outcome| format!("{}_{outcome}", protocol.as_str()))
            });
            let lookups: Vec<String> = lookups.collect();
            let first = ["prefix", "day", "registrations", "changes", "retirements"];
            write_row(&mut out, first.into_iter().chain(lookups.iter().map(String::as_str)));
        }
        self.begun = true;
        let (prefix, days) = (self.prefix.as_ref(), self.days.clone());
        let after = self.after.as_ref();
        let page = self.resolver.statistics(&self.actor, prefix, days, after, MAX_LIMIT)?;
        for (key, row) in &page.rows {
            let prefix = key.prefix.as_ref().map(Prefix::to_string).unwrap_or_default();
            let counts = [row.registrations, row.changes, row.retirements].into_iter();
            let lookups = Protocol::ALL.into_iter().flat_map(|protocol| cells(row, protocol));
            let counts = counts.chain(lookups).map(|count| count.to_string());
            let cells: Vec<String> =
                [prefix, day_text(key.day)].into_iter().chain(counts).collect();
            write_row(&mut out, cells.iter().map(String::as_str));
        }
        self.ended = page.next.is_none();
        self.after = page.next;
        Ok(Some(out))
    }
}

/// A day of a query in days since 1970-01-01, or what it is without one.
fn day_or(name: &str, text: Option<&str>, default: u32) -> Result<u32, Problem> {
    let Some(text) = text else { return Ok(default) };
    let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
    let days = day.map(|day| i64::from(day.to_julian_day()) - i64::from(EPOCH.to_julian_day()));
    days.and_then(|days| u32::try_from(days).ok()).ok_or_else(|| {
        let detail = format!("{name} must be a day from 1970 on, such as 2026-01-05");
        Problem::new(&problem::BAD_REQUEST, detail)
    })
}

fn day_text(day: u32) -> String {
    let date = i32::try_from(day)
        .ok()
        .and_then(|day| Date::from_julian_day(EPOCH.to_julian_day().checked_add(day)?).ok());
    date.map_or_else(|| format!("day {day}"), |date| date.to_string())
}

fn offset_text(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

const EPOCH: Date = OffsetDateTime::UNIX_EPOCH.to_offset(UtcOffset::UTC).date();

/// Rows on a page when the client does not say.
const DEFAULT_LIMIT: usize = 100;

/// Most rows on a page.
const MAX_LIMIT: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written() {
        for (text, day) in [("1970-01-01", 0), ("2026-01-01", 20_454), ("2028-02-29", 21_243)] {
            assert_eq!(day_or("from", Some(text), 7).unwrap(), day, "{text}");
            assert_eq!(day_text(day), text);
        }
        assert_eq!(day_or("from", None, 7).unwrap(), 7);
        for broken in ["", "1969-12-31", "2026-02-30", "2026-1-1", "today", "2026-01-01T00:00:00Z"]
        {
            assert!(day_or("from", Some(broken), 7).is_err(), "{broken:?}");
        }
        assert_eq!(day_text(u32::MAX), "day 4294967295");
        assert_eq!(OUTCOMES, ["record", "retired", "absent", "withheld", "not_responsible"]);
        assert_eq!([offset_text(480), offset_text(-210)], ["+08:00", "-03:30"]);
    }
}
