//! Bearer tokens in requests (RFC 6750 §2.1); in the header only, never in URLs.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::problem::{self, Problem};

/// The token in the request; none when it carries none.
pub(super) fn secret(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let refuse = |detail: &str| Problem::new(&problem::UNAUTHENTICATED, detail);
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err(refuse("the request has two Authorization headers: send one"));
    }
    let text = field.to_str().map_err(|_| refuse("the Authorization header is not ASCII"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(refuse("the Authorization header must be: Bearer, a space, the token"));
    }
    Ok(Some(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_bearer_token_is_taken() {
        let secret_of = |fields: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(AUTHORIZATION, field.parse().unwrap());
            }
            secret(&headers).ok()
        };
        assert_eq!(secret_of(&[]), Some(None));
        assert_eq!(secret_of(&["Bearer npt_x"]), Some(Some("npt_x".into())));
        assert_eq!(secret_of(&["bearer  npt_x "]), Some(Some("npt_x".into())));
        for broken in [&["Basic YTpi"][..], &["Bearer"], &["Bearer "], &["Bearer a", "Bearer b"]] {
            assert_eq!(secret_of(broken), None, "{broken:?}");
        }
    }
}
