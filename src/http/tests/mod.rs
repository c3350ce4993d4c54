//! The routes over a real registry and a store in memory.

mod access;
mod allocation;
mod faults;
mod finding;
mod imports;
mod permissions;
mod records;
mod templates;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use super::*;
use crate::access::{Access, Actions, NewToken};
use crate::clock::Clock;
use crate::identifier::Prefix;
use crate::pool::Pool;
use crate::registry::{self, Registry, Seed};
use crate::resolver::Resolver;
use crate::signing::NodeKeys;
use crate::store::Store;
use crate::store::memory::MemoryStore;

const NOW_MS: u64 = 1_767_225_600_000;
const ADMIN: &str = "npt_an-administrator-of-the-node";
const X: &str = "/api/v1/identifiers/88.118.8%2FSN-001";

/// A node without listeners.
pub(super) struct Node {
    pub(super) router: Router,
    store: Arc<dyn Store>,
    resolver: Arc<Resolver>,
    draining: Arc<AtomicBool>,
    now_ms: Arc<AtomicU64>,
}

/// An answer, read whole.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Node {
    pub(super) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(super) fn with(settings: Settings) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let keys = Arc::new(NodeKeys::from_seeds(&[1; 32], [2; 32]));
        let token = NewToken {
            secret: ADMIN.into(),
            account: "admin".into(),
            actions: Actions::all(),
            prefixes: None,
            expires_ms: None,
        };
        let prefixes = vec![Prefix::parse("88.118").unwrap()];
        let first = Seed { origin: "node.example".into(), prefixes, token };
        registry::seed(&*store, &keys, &first, NOW_MS).unwrap();
        let resolver = Arc::new(Resolver::open(Arc::clone(&store), 1 << 20).unwrap());
        let registry = Registry::open(
            Arc::clone(&store),
            Arc::clone(&resolver),
            keys,
            Clock::fixed(NOW_MS),
            registry::Settings::default(),
        );
        let now_ms = Arc::new(AtomicU64::new(NOW_MS));
        let draining = Arc::new(AtomicBool::new(false));
        let dns = DnsForms {
            name: Box::new(|identifier| format!("dns of {identifier}.")),
            check: Box::new(|kind, _| match kind {
                "NAPTR" => Ok(()),
                _ => Err(format!("{kind} is no type here")),
            }),
        };
        let app = App {
            resolver: Arc::clone(&resolver),
            registry: Arc::new(registry.unwrap()),
            access: Arc::new(Access::new(Arc::clone(&store))),
            pool: Pool::start(2, 64).unwrap().0,
            clock: Clock::following(Arc::clone(&now_ms)),
            metrics: Arc::new(|| "figures 1\n".into()),
            backup: Arc::new(|actor, out| {
                let _ = write!(out, "backup for {}", actor.account());
                Ok(())
            }),
            dns,
            draining: Arc::clone(&draining),
            limits: Limits::new(&settings),
            settings,
        };
        Self { router: router(Arc::new(app)), store, resolver, draining, now_ms }
    }

    async fn ask_as(&self, secret: &str, line: &str, body: Option<Json>) -> Reply {
        let bearer = format!("Bearer {secret}");
        self.ask_as_anybody(line, &[("authorization", &bearer)], body).await
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: head.status, headers: head.headers, body }
    }

    /// A request by the administrator: `"PUT /path"`, headers, JSON body.
    async fn ask(&self, line: &str, headers: &[(&str, &str)], body: Option<Json>) -> Reply {
        let token = format!("Bearer {ADMIN}");
        let headers = [headers, &[("authorization", token.as_str())]].concat();
        self.ask_as_anybody(line, &headers, body).await
    }

    async fn ask_as_anybody(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: Option<Json>,
    ) -> Reply {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |json| match json {
            Json::String(text) => Body::from(text),
            json => Body::from(json.to_string()),
        });
        self.send(request.body(body).unwrap()).await
    }

    async fn register(&self, path: &str, url: &str) {
        let body = json!({"values": [{"type": "URL", "data": url, "ttl": 60}]});
        let reply = self.ask(&format!("PUT {path}"), &[], Some(body)).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}

impl Reply {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem's name; panics when the answer is no problem.
    fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem["type"].as_str().unwrap().strip_prefix("urn:nameplate:problem:").unwrap().into()
    }
}
