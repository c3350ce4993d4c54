//! What goes wrong, as RFC 9457 problems.
//!
//! Each [`Kind`] is part of the interface: its name and status never change.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};

use crate::record::RecordDocument;
use crate::template::Fault;

/// A problem on its way to the client.
#[derive(Debug)]
pub struct Problem {
    kind: &'static Kind,
    detail: String,
    record: Option<Box<RecordDocument>>,
    faults: Vec<Fault>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Last part of its `type`.
    pub name: &'static str,
    /// HTTP status.
    pub status: StatusCode,
    /// What it is, in general.
    pub title: &'static str,
}

/// A problem as JSON (RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Which kind: `urn:nameplate:problem:` and a name that never changes.
    #[serde(rename = "type")]
    #[schema(example = "urn:nameplate:problem:not-registered")]
    pub kind: String,
    /// What the kind is, in general.
    #[schema(example = "Not registered")]
    pub title: String,
    /// HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What is wrong here, and what would be right.
    #[schema(example = "88.118.8/SN-404 is not registered")]
    pub detail: String,
    /// The tombstone, when the identifier is retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<RecordDocument>>,
    /// Every rule that is broken, when it is about rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

impl Problem {
    /// A problem of this kind; `detail` says what is wrong with which input and what would be
    /// right.
    pub fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        let header = if *kind == UNAUTHENTICATED {
            Some((axum::http::header::WWW_AUTHENTICATE, CHALLENGE))
        } else if kind.status == StatusCode::SERVICE_UNAVAILABLE {
            Some((axum::http::header::RETRY_AFTER, RETRY_AFTER_SECONDS))
        } else {
            None
        };
        let header = header.map(Box::new);
        Self { kind, detail: detail.into(), record: None, faults: Vec::new(), header }
    }

    /// Adds the tombstone of a retired identifier.
    pub fn with_record(mut self, record: RecordDocument) -> Self {
        self.record = Some(Box::new(record));
        self
    }

    /// Adds the faults that the problem is about.
    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.faults = faults;
        self
    }

    /// Adds a header to the answer.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// What is wrong here.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The problem as JSON.
    pub fn into_document(self) -> ProblemDocument {
        ProblemDocument {
            kind: format!("urn:nameplate:problem:{}", self.kind.name),
            title: self.kind.title.into(),
            status: self.kind.status.as_u16(),
            detail: self.detail,
            record: self.record,
            faults: self.faults,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response<Body> {
        metrics::counter!("nameplate_http_problems_total", "problem" => self.kind.name)
            .increment(1);
        let (status, header) = (self.kind.status, self.header.take());
        let body = serde_json::to_vec(&self.into_document()).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(header.map(|header| (Some(header.0), header.1)));
        response
    }
}

macro_rules! kinds {
    ($($constant:ident $status:ident $name:literal $title:literal;)*) => {
        $(
            #[doc = $title]
            pub const $constant: Kind =
                Kind { name: $name, status: StatusCode::$status, title: $title };
        )*

        /// Every kind, for the documentation.
        pub const KINDS: &[&Kind] = &[$(&$constant),*];
    };
}

kinds! {
    BAD_IDENTIFIER BAD_REQUEST "bad-identifier" "Not an identifier";
    BAD_REQUEST BAD_REQUEST "bad-request" "The request cannot be understood";
    BAD_JSON BAD_REQUEST "bad-json" "The body is not the JSON it should be";
    UNAUTHENTICATED UNAUTHORIZED "unauthenticated" "No valid token";
    FORBIDDEN FORBIDDEN "forbidden" "The token does not allow this";
    NOT_FOUND NOT_FOUND "not-found" "Nothing is here";
    NOT_REGISTERED NOT_FOUND "not-registered" "Not registered";
    NOT_RESPONSIBLE NOT_FOUND "not-responsible" "Another node's prefix";
    METHOD_NOT_ALLOWED METHOD_NOT_ALLOWED "method-not-allowed" "Not a method of this resource";
    NOT_ACCEPTABLE NOT_ACCEPTABLE "not-acceptable" "Not available in an accepted media type";
    REQUEST_TIMEOUT REQUEST_TIMEOUT "request-timeout" "The body came too slowly";
    RETIRED GONE "retired" "The identifier is retired";
    CONDITION_FAILED PRECONDITION_FAILED "condition-failed" "The condition does not hold";
    BODY_TOO_LARGE PAYLOAD_TOO_LARGE "body-too-large" "The body is too large";
    BAD_MEDIA_TYPE UNSUPPORTED_MEDIA_TYPE "bad-media-type" "The body has the wrong media type";
    BAD_RECORD UNPROCESSABLE_ENTITY "bad-record" "The record cannot be like this";
    IDENTIFIER_TOO_LONG UNPROCESSABLE_ENTITY "identifier-too-long" "The identifier is too long";
    IDEMPOTENCY_REUSE UNPROCESSABLE_ENTITY "idempotency-reuse" "The idempotency key was used";
    FAULTY UNPROCESSABLE_ENTITY "faulty" "Rules are broken";
    TAKEN CONFLICT "taken" "The name is taken";
    WRONG_STATE CONFLICT "wrong-state" "Not possible in this state";
    TOO_FAST TOO_MANY_REQUESTS "too-fast" "Too many requests";
    WITHHELD FORBIDDEN "withheld" "The prefix is suspended and its records are hidden";
    QUOTA_REACHED FORBIDDEN "quota-reached" "The quota is used up";
    INTERNAL INTERNAL_SERVER_ERROR "internal" "The node failed";
    BUSY SERVICE_UNAVAILABLE "busy" "The node is busy";
    DRAINING SERVICE_UNAVAILABLE "draining" "The node is shutting down";
    TIMEOUT SERVICE_UNAVAILABLE "timeout" "The answer took too long";
    WRITES_STOPPED SERVICE_UNAVAILABLE "writes-stopped" "The node takes no changes";
}

/// What 401 asks for (RFC 6750 §3).
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"nameplate\"");

/// When to come back after a 503.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names_of_their_own() {
        let mut names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }

    #[test]
    fn statuses_that_need_a_header_have_it() {
        let header = |kind, name: &str| {
            let response = Problem::new(kind, "x").into_response();
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        assert!(header(&UNAUTHENTICATED, "www-authenticate").unwrap().starts_with("Bearer"));
        for kind in [&BUSY, &DRAINING, &TIMEOUT, &WRITES_STOPPED] {
            assert!(header(kind, "retry-after").is_some(), "{}", kind.name);
        }
        assert_eq!(header(&BAD_JSON, "content-type").unwrap(), "application/problem+json");
    }
}
