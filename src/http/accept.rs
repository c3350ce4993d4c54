//! Content negotiation (RFC 9110 §12.5.1), as far as two media types need it.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use super::problem::{self, Problem};

/// What the client would rather have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A page, or wherever the identifier leads.
    Page,
    /// The record.
    Json,
    /// Neither.
    Neither,
}

/// What the client would rather have; a page when it does not care.
pub(super) fn wanted(headers: &HeaderMap) -> Wanted {
    let (page, json) = (quality(headers, "text", "html"), quality(headers, "application", "json"));
    match (page, json) {
        (0, 0) => Wanted::Neither,
        _ if json > page => Wanted::Json,
        _ => Wanted::Page,
    }
}

/// Whether the client asks for HTML by name, as browsers do.
pub(super) fn names_html(headers: &HeaderMap) -> bool {
    wanted(headers) == Wanted::Page
        && ranges(headers).any(|range| range.main == "text" && range.sub == "html")
}

/// Whether JSON will do.
pub(super) fn takes_json(headers: &HeaderMap) -> bool {
    quality(headers, "application", "json") > 0
}

/// Which of these media types the client would rather have, the first of equals; 406 when none
/// will do.
pub(super) fn best(headers: &HeaderMap, types: &[&'static str]) -> Result<&'static str, Problem> {
    let quality = |wanted: &str| {
        let (main, sub) = wanted.split_once('/').unwrap_or((wanted, ""));
        quality(headers, main, sub)
    };
    let best = types.iter().rev().max_by_key(|wanted| quality(wanted));
    best.copied().filter(|wanted| quality(wanted) > 0).ok_or_else(|| {
        Problem::new(&problem::NOT_ACCEPTABLE, format!("this comes as {}", types.join(", ")))
    })
}

/// Quality in thousandths for a media type; the most specific range decides.
fn quality(headers: &HeaderMap, main: &str, sub: &str) -> u16 {
    if !headers.contains_key(ACCEPT) {
        return 1_000;
    }
    let specificity = |range: &Range<'_>| match (range.main, range.sub) {
        ("*", "*") => Some(0),
        (own, "*") if own.eq_ignore_ascii_case(main) => Some(1),
        (own, kind) if own.eq_ignore_ascii_case(main) && kind.eq_ignore_ascii_case(sub) => Some(2),
        _ => None,
    };
    let matching = ranges(headers).filter_map(|range| Some((specificity(&range)?, range.quality)));
    matching.max().map_or(0, |(_, quality)| quality)
}

struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    quality: u16,
}

/// The ranges of the Accept header; broken ones are passed over.
fn ranges(headers: &HeaderMap) -> impl Iterator<Item = Range<'_>> {
    let fields = headers.get_all(ACCEPT).iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(|field| field.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let weight = parts.find_map(|part| {
            part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))?.parse::<f32>().ok()
        });
        let quality = (weight.unwrap_or(1.0).clamp(0.0, 1.0) * 1_000.0) as u16;
        Some(Range { main, sub, quality })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_they_would_rather_have() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, expected, html) in [
            (None, Wanted::Page, false),
            (Some("*/*"), Wanted::Page, false),
            (Some(browser), Wanted::Page, true),
            (Some("application/json"), Wanted::Json, false),
            (Some("application/*"), Wanted::Json, false),
            (Some("application/json, text/html;q=0.5"), Wanted::Json, false),
            (Some("application/json;q=0.5, text/html"), Wanted::Page, true),
            (Some("application/json, */*;q=0.1"), Wanted::Json, false),
            (Some("text/html;q=0, */*"), Wanted::Json, false),
            (Some("image/png"), Wanted::Neither, false),
            (Some("application/json;q=0"), Wanted::Neither, false),
            (Some(";;q=x,,/"), Wanted::Neither, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(accept.map(|text| (ACCEPT, text.parse().unwrap())));
            assert_eq!(wanted(&headers), expected, "{accept:?}");
            assert_eq!(names_html(&headers), html, "{accept:?}");
        }
    }
}
