//! The Rust client of a node's HTTP interface; the command line and the tests use it.
//!
//! One [`Client`] talks to one node over HTTP/1.1, plain or TLS, and keeps one idle connection.
//! Every call is bounded in time and every answer in size. Absence is an outcome, not an error;
//! a refusal is an error that carries the node's own words (RFC 9457).

mod accounts;
mod address;
mod allocation;
mod connection;
mod documents;
mod error;
mod exchange;
mod finding;
mod grants;
mod import;
mod templates;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value as Json, json};
use tokio::io::AsyncWriteExt;

use crate::identifier::Identifier;
use crate::record::RecordDocument;
pub use accounts::{AccountDocument, NewAccountDocument, SessionDocument};
use address::Address;
pub use allocation::Thing;
use connection::{Connector, Payload, Sender};
pub use documents::{
    Condition, Found, History, NewTokenDocument, Page, Resolved, ResolvedOutcome, TokenDocument,
    TokenWithSecret, Written,
};
pub use error::{ClientError, Problem};
use exchange::{Ask, Reply};
pub use finding::{
    Audit, Change, Changes, DayStatistics, Filters, References, Referrer, Statistics,
};
pub use import::{ImportEvent, ImportLine, ImportOutcome, Verdict};

/// A client of one node.
pub struct Client {
    address: Address,
    connector: Connector,
    authorization: Option<HeaderValue>,
    reason: Option<HeaderValue>,
    timeout: Duration,
    idle: std::sync::Mutex<Option<Sender>>,
}

/// What a client needs to know.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The node: `http://127.0.0.1:8080`, perhaps with a path.
    pub server: String,
    /// Secret that proves who asks.
    pub token: Option<String>,
    /// PEM file of certificates to trust beside the system's; a node's own is `DATA/tls/cert.pem`.
    pub authorities: Option<std::path::PathBuf>,
    /// Why changes are made, for the history.
    pub reason: Option<String>,
    /// How long a call may take; streams count from their last piece.
    pub timeout: Duration,
}

impl ClientOptions {
    /// A client of `server` without a token.
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            token: None,
            authorities: None,
            reason: None,
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        let address = Address::parse(&options.server)?;
        let connector = Connector::new(&address, options.authorities.as_deref())?;
        let authorization = options.token.as_deref().map(bearer).transpose()?;
        let reason = options.reason.as_deref().map(|reason| encode(reason).to_string());
        let reason = reason.map(HeaderValue::try_from).transpose();
        let reason = reason.map_err(|_| ClientError::Header(REASON.into()))?;
        let timeout = options.timeout;
        Ok(Self { address, connector, authorization, reason, timeout, idle: None.into() })
    }

    /// Registers an identifier or replaces its record. `body` is a registration.
    pub async fn register(
        &self,
        identifier: &Identifier,
        body: &Json,
        condition: Condition,
        idempotency_key: Option<&str>,
    ) -> Result<Written, ClientError> {
        let mut ask = Ask::new(Method::PUT, path_of(identifier)).json(body).when(condition);
        if let Some(key) = idempotency_key {
            ask = ask.header(IDEMPOTENCY_KEY, key)?;
        }
        self.write(ask).await
    }

    /// Changes parts of a record. `body` is a patch.
    pub async fn update(
        &self,
        identifier: &Identifier,
        body: &Json,
        condition: Condition,
    ) -> Result<Written, ClientError> {
        self.write(Ask::new(Method::PATCH, path_of(identifier)).json(body).when(condition)).await
    }

    /// Retires an identifier, for good.
    pub async fn retire(
        &self,
        identifier: &Identifier,
        condition: Condition,
    ) -> Result<Written, ClientError> {
        self.write(Ask::new(Method::DELETE, path_of(identifier)).when(condition)).await
    }

    /// The record of an identifier.
    pub async fn find(&self, identifier: &Identifier) -> Result<Found, ClientError> {
        let reply = self.call(&Ask::new(Method::GET, path_of(identifier))).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(Found::Absent(reply.into_problem().to_string())),
            StatusCode::GONE => Ok(Found::Retired(reply.into_problem().record)),
            _ => Ok(Found::Record(Box::new(reply.accept()?.read()?))),
        }
    }

    /// A page of the records under `prefix`, or of the whole node, behind the identifier `after`.
    pub async fn list(
        &self,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, ClientError> {
        let mut path = format!("{IDENTIFIERS}?limit={limit}");
        if let Some(prefix) = prefix {
            path += &format!("&prefix={}", encode(prefix));
        }
        if let Some(after) = after {
            path += &format!("&after={}", encode(after));
        }
        self.call(&Ask::new(Method::GET, path)).await?.accept()?.read()
    }

    /// Looks many identifiers up, any number; answers in the order asked.
    pub async fn resolve_many(&self, identifiers: &[String]) -> Result<Vec<Resolved>, ClientError> {
        #[derive(serde::Deserialize)]
        struct Answers {
            results: Vec<Resolved>,
        }
        let mut results: Vec<Resolved> = Vec::with_capacity(identifiers.len());
        while let Some(rest) = identifiers.get(results.len()..).filter(|rest| !rest.is_empty()) {
            let asked = rest.get(..MAX_RESOLVED).unwrap_or(rest);
            let body = json!({ "identifiers": asked });
            let ask = Ask::new(Method::POST, "/api/v1/resolve".into()).json(&body);
            let answers: Answers = self.call(&ask).await?.accept()?.read()?;
            let full = |result: &Resolved| result.outcome == ResolvedOutcome::Deferred;
            let before = results.len();
            let answered = answers.results.into_iter().take(asked.len());
            results.extend(answered.take_while(|result| !full(result)));
            if results.len() == before {
                return Err(ClientError::Unreadable("an answer without results".into()));
            }
        }
        Ok(results)
    }

    /// Makes a token; its secret is in the answer and nowhere else.
    pub async fn create_token(
        &self,
        wanted: &NewTokenDocument,
    ) -> Result<TokenWithSecret, ClientError> {
        let body = serde_json::to_value(wanted).map_err(ClientError::unreadable)?;
        self.call(&Ask::new(Method::POST, TOKENS.into()).json(&body)).await?.accept()?.read()
    }

    /// All tokens, without their secrets.
    pub async fn tokens(&self) -> Result<Vec<TokenDocument>, ClientError> {
        #[derive(serde::Deserialize)]
        struct Tokens {
            tokens: Vec<TokenDocument>,
        }
        let reply = self.call(&Ask::new(Method::GET, TOKENS.into())).await?;
        reply.accept()?.read().map(|list: Tokens| list.tokens)
    }

    /// Ends a token.
    pub async fn revoke_token(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("{TOKENS}/{}", encode(id));
        self.call(&Ask::new(Method::DELETE, path)).await?.accept()?;
        Ok(())
    }

    /// What `/readyz` says, and whether the node is ready.
    pub async fn ready(&self) -> Result<(bool, Json), ClientError> {
        let reply = self.call(&Ask::new(Method::GET, "/readyz".into())).await?;
        let ready = reply.status.is_success();
        Ok((ready, reply.read().unwrap_or(Json::Null)))
    }

    /// Copies a backup of the node into `file`; returns its bytes. Holds no private keys.
    ///
    /// The file appears under its name only when it is complete and on the disk.
    pub async fn backup(&self, file: &Path) -> Result<u64, ClientError> {
        let partial = file.with_added_extension("part");
        let copied = self.copy_backup(&partial).await;
        if copied.is_err() {
            // What is there of it is no backup.
            let _ = tokio::fs::remove_file(&partial).await;
        }
        let bytes = copied?;
        let fault = |error| ClientError::File { path: file.to_owned(), error };
        tokio::fs::rename(&partial, file).await.map_err(fault)?;
        Ok(bytes)
    }

    async fn copy_backup(&self, file: &Path) -> Result<u64, ClientError> {
        let ask = Ask::new(Method::GET, "/api/v1/backup".into());
        let mut response = self.open(&ask).await?;
        if !response.status().is_success() {
            return Err(ClientError::Problem(Reply::read_all(response).await?.into_problem()));
        }
        let fault = |error| ClientError::File { path: file.to_owned(), error };
        let mut options = tokio::fs::File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut output = options.open(file).await.map_err(fault)?;
        let mut bytes = 0;
        while let Some(frame) = self.within(response.body_mut().frame()).await? {
            let Ok(data) = frame.map_err(ClientError::lost)?.into_data() else { continue };
            output.write_all(&data).await.map_err(fault)?;
            bytes += data.len() as u64;
        }
        output.flush().await.map_err(fault)?;
        output.sync_all().await.map_err(fault)?;
        Ok(bytes)
    }

    async fn write(&self, ask: Ask) -> Result<Written, ClientError> {
        let reply = self.call(&ask).await?.accept()?;
        let created = reply.status == StatusCode::CREATED;
        Ok(Written { record: reply.read::<RecordDocument>()?, created })
    }

    /// Sends a request and reads the whole answer.
    async fn call(&self, ask: &Ask) -> Result<Reply, ClientError> {
        self.within(async {
            let (response, sender) = self.exchange(ask).await?;
            let reply = Reply::read_all(response).await?;
            *self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(sender);
            Ok(reply)
        })
        .await?
    }

    /// Sends a request and leaves the answer's body to the caller.
    async fn open(&self, ask: &Ask) -> Result<Response<hyper::body::Incoming>, ClientError> {
        self.within(self.exchange(ask)).await?.map(|(response, _)| response)
    }

    /// One request on the idle connection or a new one. A request that an old connection did not
    /// take, and any GET that it lost, goes out once more on a new one.
    async fn exchange(
        &self,
        ask: &Ask,
    ) -> Result<(Response<hyper::body::Incoming>, Sender), ClientError> {
        let idle = self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(mut sender) = idle
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(self.request(ask)?).await {
                Ok(response) => return Ok((response, sender)),
                Err(mut error) => {
                    let untaken = error.take_message().is_some();
                    if !untaken && ask.method != Method::GET {
                        return Err(ClientError::lost(error.into_error()));
                    }
                }
            }
        }
        let mut sender = self.connector.connect(&self.address).await?;
        let response = sender.send_request(self.request(ask)?).await.map_err(ClientError::lost)?;
        Ok((response, sender))
    }

    fn request(&self, ask: &Ask) -> Result<Request<Payload>, ClientError> {
        self.address_request(ask, Payload::whole(ask.body.clone()))
    }

    fn address_request(
        &self,
        ask: &Ask,
        payload: Payload,
    ) -> Result<Request<Payload>, ClientError> {
        let path = format!("{}{}", self.address.path, ask.path);
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(path)
            .header(HOST, &self.address.authority)
            .body(payload)
            .map_err(|error| ClientError::Address(error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.extend(ask.headers.clone());
        if let Some(authorization) = &self.authorization {
            headers.entry(AUTHORIZATION).or_insert_with(|| authorization.clone());
        }
        if let Some(reason) = self.reason.as_ref().filter(|_| ask.method != Method::GET) {
            headers.insert(REASON, reason.clone());
        }
        Ok(request)
    }

    fn late(&self) -> ClientError {
        ClientError::Timeout { server: self.address.to_string(), timeout: self.timeout }
    }

    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, ClientError> {
        tokio::time::timeout(self.timeout, work).await.map_err(|_| self.late())
    }
}

fn path_of(identifier: &Identifier) -> String {
    format!("{IDENTIFIERS}/{}", identifier.path_segment())
}

fn encode(text: &str) -> impl std::fmt::Display {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
}

fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
    let mut value = value.map_err(|_| ClientError::Header("authorization".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// How long a call may take unless said otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Most identifiers that a node resolves in one request.
const MAX_RESOLVED: usize = 1_000;

const IDENTIFIERS: &str = "/api/v1/identifiers";
/// Header that says why a change is made, as percent-encoded UTF-8.
const REASON: &str = "nameplate-reason";

/// Header that makes a repetition return the first outcome.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

const TOKENS: &str = "/api/v1/tokens";
