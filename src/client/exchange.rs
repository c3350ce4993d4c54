//! One request and its answer.

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::connection::collect;
use super::{ClientError, Condition, Problem};

/// A request before it has a connection.
pub(super) struct Ask {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: bytes::Bytes,
}

impl Ask {
    pub fn new(method: Method, path: String) -> Self {
        Self { method, path, headers: HeaderMap::new(), body: bytes::Bytes::new() }
    }

    pub fn json(mut self, body: &Json) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = body.to_string().into();
        self
    }

    pub fn when(mut self, condition: Condition) -> Self {
        if let Some((name, value)) = condition.header() {
            self.headers.insert(name, value);
        }
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Result<Self, ClientError> {
        let fault = || ClientError::Header(name.to_owned());
        let name: HeaderName = name.parse().map_err(|_| fault())?;
        let value = HeaderValue::from_str(value).map_err(|_| fault())?;
        self.headers.append(name, value);
        Ok(self)
    }
}

/// A whole answer.
pub(super) struct Reply {
    pub status: StatusCode,
    pub body: bytes::Bytes,
}

impl Reply {
    pub async fn read_all(response: Response<hyper::body::Incoming>) -> Result<Self, ClientError> {
        let (head, body) = response.into_parts();
        let body = collect(body, MAX_ANSWER_BYTES).await?;
        Ok(Self { status: head.status, body })
    }

    pub fn accept(self) -> Result<Self, ClientError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(ClientError::Problem(self.into_problem()))
    }

    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(ClientError::unreadable)
    }

    pub fn into_problem(self) -> Problem {
        Problem::read(self.status.as_u16(), &self.body)
    }
}

/// Most bytes of an answer that is kept in memory.
const MAX_ANSWER_BYTES: usize = 64 << 20;
