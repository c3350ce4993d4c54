//! The routes over a real registry and a store in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    draining: Arc<AtomicBool>,
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
        let draining = Arc::new(AtomicBool::new(false));
        let dns = DnsForms {
            name: Box::new(|identifier| format!("dns of {identifier}.")),
            check: Box::new(|kind, _| match kind {
                "NAPTR" => Ok(()),
                _ => Err(format!("{kind} is no type here")),
            }),
        };
        let app = App {
            resolver,
            registry: Arc::new(registry.unwrap()),
            access: Arc::new(Access::new(Arc::clone(&store))),
            pool: Pool::start(2, 64).unwrap().0,
            clock: Clock::fixed(NOW_MS),
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
        Self { router: router(Arc::new(app)), draining }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_record_lives_and_retires() {
    let node = Node::new();
    let body = json!({"values": [{"type": "URL", "data": "https://example.com/1"},
        {"type": "EMAIL", "data": "a@example.com", "permissions": "1100"}],
        "attributes": {"model": "P-100"}});
    let put = format!("PUT {X}");
    let made = node.ask(&put, &[("if-none-match", "*")], Some(body.clone())).await;
    assert_eq!((made.status, made.header("etag")), (StatusCode::CREATED, "\"1.full\""));
    assert_eq!(made.header("location"), X);
    let again = node.ask(&put, &[("if-none-match", "*")], Some(body.clone())).await;
    assert_eq!(again.problem(), "condition-failed");
    let same = node.ask(&put, &[], Some(body)).await;
    assert_eq!((same.status, same.header("etag")), (StatusCode::OK, "\"1.full\""));

    let read = node.ask_as_anybody(&format!("GET {X}"), &[], None).await;
    assert_eq!((read.status, read.header("etag")), (StatusCode::OK, "\"1.public\""));
    assert_eq!(read.json()["values"].as_array().unwrap().len(), 1);
    assert_eq!(read.header("cache-control"), "no-cache");
    assert_eq!(read.header("vary"), "Authorization, Accept");
    let full = node.ask(&format!("GET {X}"), &[], None).await;
    assert_eq!(full.json()["values"].as_array().unwrap().len(), 2);
    assert_eq!(full.header("cache-control"), "private, no-store");
    let modified = read.header("last-modified").to_owned();
    for fresh in [("if-none-match", "W/\"1.public\""), ("if-modified-since", &modified)] {
        let kept = node.ask_as_anybody(&format!("GET {X}"), &[fresh], None).await;
        assert_eq!((kept.status, kept.body.len()), (StatusCode::NOT_MODIFIED, 0));
    }
    let head = node.ask_as_anybody(&format!("HEAD {X}"), &[], None).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));

    let patch = json!({"attributes": {"model": "P-101"}});
    let line = format!("PATCH {X}");
    let stale = node.ask(&line, &[("if-match", "\"9.full\"")], Some(patch.clone())).await;
    assert_eq!(stale.problem(), "condition-failed");
    let reason = ("nameplate-reason", "%E6%8D%A2");
    let changed = node.ask(&line, &[("if-match", "\"1.public\""), reason], Some(patch)).await;
    assert_eq!((changed.status, changed.header("etag")), (StatusCode::OK, "\"2.full\""));

    let gone = node.ask(&format!("DELETE {X}"), &[("if-match", "*")], None).await;
    assert_eq!((gone.status, gone.json()["status"].clone()), (StatusCode::OK, json!("retired")));
    let tombstone = node.ask_as_anybody(&format!("GET {X}"), &[], None).await;
    assert_eq!(tombstone.problem(), "retired");
    assert_eq!(tombstone.json()["record"]["version"], 3);
    let history = node.ask(&format!("GET {X}/history?limit=2"), &[], None).await.json();
    assert_eq!(history["versions"][1]["reason"], "换");
    assert_eq!(history["next"], 2);
    let rest = node.ask_as_anybody(&format!("GET {X}/history?before=2"), &[], None).await.json();
    assert_eq!(rest["versions"][0]["version"], 1);
    assert!(rest["versions"][0].get("actor").is_none() && rest.get("next").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_lead_to_their_products() {
    let node = Node::new();
    node.register(X, "https://example.com/泵").await;
    let browser = ("accept", "text/html,*/*;q=0.8");
    for headers in [&[][..], &[browser], &[("accept", "image/png")]] {
        let led = node.ask_as_anybody("GET /88.118.8/sn-001", headers, None).await;
        assert_eq!(led.status, StatusCode::FOUND);
        assert_eq!(led.header("location"), "https://example.com/%E6%B3%B5");
        assert_eq!(led.header("cache-control"), "public, max-age=60");
    }
    let json = ("accept", "application/json");
    let record = node.ask_as_anybody("GET /hdl:88.118.8%2FSN-001", &[json], None).await;
    assert_eq!(record.json()["identifier"], "88.118.8/SN-001");
    let page = node.ask_as_anybody("GET /88.118.8/SN-001?noredirect", &[browser], None).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("dns of 88.118.8/SN-001."));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));

    node.register("/api/v1/identifiers/88.118.8%2Furn", "urn:example:1").await;
    let page = node.ask_as_anybody("GET /88.118.8/urn", &[], None).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("urn:example:1") && !page.text().contains("href=\"urn:"));
    let image = node.ask_as_anybody("GET /88.118.8/urn", &[("accept", "image/png")], None).await;
    assert_eq!(image.problem(), "not-acceptable");

    node.ask(&format!("DELETE {X}"), &[], None).await;
    let gone = node.ask_as_anybody("GET /88.118.8/SN-001", &[browser], None).await;
    assert_eq!((gone.status, gone.header("content-type")), (StatusCode::GONE, HTML));
    let gone = node.ask_as_anybody("GET /88.118.8/SN-001", &[], None).await;
    assert_eq!(gone.problem(), "retired");
    let lost = node.ask_as_anybody("GET /88.118.8/none", &[browser], None).await;
    assert_eq!((lost.status, lost.header("content-type")), (StatusCode::NOT_FOUND, HTML));
    assert_eq!(node.ask_as_anybody("GET /99.1/x", &[], None).await.problem(), "not-responsible");
}

const HTML: &str = "text/html; charset=utf-8";

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_problems() {
    let node = Node::new();
    let ok = json!({"attributes": {"a": "b"}});
    let put = &format!("PUT {X}");
    let text = |text: &str| Some(Json::String(text.into()));
    for (line, headers, body, problem) in [
        ("GET /api/v1/nonsense", &[][..], None, "not-found"),
        ("POST /api/v1/nonsense", &[], None, "not-found"),
        ("POST /88.118.8/x", &[], None, "method-not-allowed"),
        ("POST /api/v1/identifiers/88.1%2Fx", &[], None, "method-not-allowed"),
        ("GET /", &[], None, "not-found"),
        ("GET /88.118/%FF", &[], None, "bad-identifier"),
        ("GET /api/v1/identifiers/88.118.8/SN-001", &[], None, "not-found"),
        ("GET /api/v1/identifiers/88.118.8", &[], None, "bad-identifier"),
        ("GET /api/v1/identifiers/88.118%2Fx", &[("accept", "image/png")], None, "not-acceptable"),
        ("GET /api/v1/identifiers/88.118%2Fx", &[], None, "not-registered"),
        ("GET /api/v1/identifiers/99.1%2Fx", &[], None, "not-responsible"),
        ("GET /api/v1/identifiers/88.118%2Fx/history", &[], None, "not-registered"),
        ("GET /api/v1/identifiers", &[], None, "bad-request"),
        ("GET /api/v1/identifiers?prefix=88.118&limit=0", &[], None, "bad-request"),
        ("GET /api/v1/identifiers?prefix=88.118&nonsense=1", &[], None, "bad-request"),
        ("GET /api/v1/identifiers?prefix=99", &[], None, "not-responsible"),
        (put, &[("content-type", "text/plain")], Some(ok.clone()), "bad-media-type"),
        (put, &[("content-encoding", "gzip")], Some(ok.clone()), "bad-media-type"),
        (put, &[("content-length", "9999999")], Some(ok.clone()), "body-too-large"),
        (put, &[], text(&"[".repeat(200_000)), "bad-json"),
        (put, &[], text(&" ".repeat(2 << 20)), "body-too-large"),
        (put, &[], Some(json!({})), "bad-json"),
        (put, &[], Some(json!({"values": [], "x": 1})), "bad-json"),
        (put, &[], Some(json!({"values": [{"type": "DNS/FOO", "data": "x"}]})), "bad-record"),
        (put, &[], Some(json!({"attributes": {"a": 1.5}})), "bad-record"),
        (put, &[("if-match", "7")], Some(ok.clone()), "bad-request"),
        (put, &[("if-match", "*")], Some(ok.clone()), "condition-failed"),
        (put, &[("idempotency-key", "a b")], Some(ok.clone()), "bad-request"),
        ("PUT /api/v1/identifiers/99.1%2Fx", &[], Some(ok.clone()), "not-responsible"),
        ("PATCH /api/v1/identifiers/88.118%2Fx", &[], Some(ok.clone()), "not-registered"),
        ("DELETE /api/v1/identifiers/88.118%2Fx", &[("if-none-match", "*")], None, "bad-request"),
        ("POST /api/v1/resolve", &[], Some(json!({"identifiers": []})), "bad-request"),
        ("POST /api/v1/imports", &[], Some(ok.clone()), "bad-media-type"),
        ("DELETE /api/v1/tokens/ffff", &[], None, "not-registered"),
    ] {
        let reply = node.ask(line, headers, body).await;
        assert_eq!(reply.problem(), problem, "{line} {headers:?}");
    }
    let allowed = node.ask("POST /88.118.8/x", &[], None).await;
    assert_eq!(allowed.header("allow"), "GET,HEAD");
    let long = format!("PUT /api/v1/identifiers/88.118%2F{}", "x".repeat(300));
    assert_eq!(node.ask(&long, &[], Some(ok)).await.problem(), "identifier-too-long");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_open_what_they_name() {
    let node = Node::new();
    let body = json!({"values": []});
    let put = format!("PUT {X}");
    let nobody = node.ask_as_anybody(&put, &[], Some(body.clone())).await;
    assert_eq!(nobody.problem(), "unauthenticated");
    assert!(nobody.header("www-authenticate").starts_with("Bearer"));
    let wrong = ("authorization", "Bearer npt_wrong");
    let misread = node.ask_as_anybody("GET /88.118.8/SN-001", &[wrong], None).await;
    assert_eq!(misread.problem(), "unauthenticated");

    let wanted = json!({"account": "acme", "actions": ["register"], "prefixes": ["88.118.8"]});
    let made = node.ask("POST /api/v1/tokens", &[], Some(wanted)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let (id, secret) = (made.json()["id"].clone(), made.json()["secret"].clone());
    let (id, secret) = (id.as_str().unwrap(), secret.as_str().unwrap());
    assert!(secret.starts_with("npt_") && secret.len() == 47);
    let bearer = format!("Bearer {secret}");
    let own = [("authorization", bearer.as_str())];
    let made = node.ask_as_anybody(&put, &own, Some(body.clone())).await;
    assert_eq!((made.status, made.header("etag")), (StatusCode::CREATED, "\"1.public\""));
    let other = "PUT /api/v1/identifiers/88.118.9%2Fx";
    assert_eq!(node.ask_as_anybody(other, &own, Some(body.clone())).await.problem(), "forbidden");
    for line in ["GET /api/v1/tokens", "GET /api/v1/backup", "DELETE /api/v1/tokens/x"] {
        assert_eq!(node.ask_as_anybody(line, &own, None).await.problem(), "forbidden", "{line}");
    }
    let listed = node.ask("GET /api/v1/tokens", &[], None).await;
    assert!(listed.text().contains(id) && !listed.text().contains(secret));
    let revoked = node.ask(&format!("DELETE /api/v1/tokens/{id}"), &[], None).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    let late = node.ask_as_anybody(&put, &own, Some(body)).await;
    assert_eq!(late.problem(), "unauthenticated");
    assert_eq!(node.ask("GET /api/v1/backup", &[], None).await.text(), "backup for admin");
}

#[tokio::test(flavor = "multi_thread")]
async fn repetitions_get_the_first_outcome() {
    let node = Node::new();
    let (one, two) = (json!({"attributes": {"a": "1"}}), json!({"attributes": {"a": "2"}}));
    let (put, key) = (format!("PUT {X}"), ("idempotency-key", "k-1"));
    let absent = ("if-none-match", "*");
    assert_eq!(node.ask(&put, &[key, absent], Some(one.clone())).await.status, 201);
    assert_eq!(node.ask(&put, &[key, absent], Some(one)).await.status, 201);
    assert_eq!(node.ask(&put, &[key, absent], Some(two)).await.problem(), "idempotency-reuse");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_followed_to_their_end() {
    let node = Node::with(Settings { answer_bytes: 1_000, ..Settings::default() });
    for number in 0..9 {
        node.register(&format!("/api/v1/identifiers/88.118%2Fa+{number}"), "https://e.com").await;
    }
    let (mut path, mut found) = ("/api/v1/identifiers?prefix=88&limit=4".to_owned(), Vec::new());
    loop {
        let page = node.ask_as_anybody(&format!("GET {path}"), &[], None).await;
        let records = page.json()["records"].as_array().unwrap().clone();
        found.extend(records.iter().map(|record| record["identifier"].clone()));
        let Some(next) = page.header("link").strip_suffix(">; rel=\"next\"") else { break };
        path = next.trim_start_matches('<').to_owned();
    }
    let expected: Vec<Json> = (0..9).map(|number| json!(format!("88.118/a+{number}"))).collect();
    assert_eq!(found, expected);

    let wanted = json!({"identifiers":
        ["88.118/a+0", "hdl:88.118/A%2B1", "88.118/none", "99.1/x", "nonsense"]});
    let results = node.ask_as_anybody("POST /api/v1/resolve", &[], Some(wanted)).await.json();
    let outcomes = results["results"].as_array().unwrap().iter();
    let outcomes: Vec<_> = outcomes.map(|result| result["outcome"].clone()).collect();
    assert_eq!(outcomes, ["record", "record", "absent", "not-responsible", "failed"]);
    let pallet: Vec<String> = (0..9).map(|number| format!("88.118/a+{number}")).collect();
    let wanted = json!({ "identifiers": pallet });
    let results = node.ask_as_anybody("POST /api/v1/resolve", &[], Some(wanted)).await.json();
    assert_eq!(results["results"][8]["outcome"], "deferred");
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_tell_of_each_line() {
    let node = Node::with(Settings { import_chunk_lines: 2, ..Settings::default() });
    let text = r#"{"identifier":"88.118/1","attributes":{"n":"1"}}

{"identifier":"88.118/1","attributes":{"n":"1"}}
{"identifier":"88.118/1","attributes":{"n":"2"}}
{"identifier":"88.118/2","nonsense":1}
{"identifier":"99.1/2","attributes":{}}
not json"#;
    let ndjson = ("content-type", "application/x-ndjson");
    let body = Some(Json::String(text.into()));
    let reply = node.ask("POST /api/v1/imports", &[ndjson], body.clone()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let lines: Vec<Json> =
        reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines[..6].iter().map(|line| (&line["line"], &line["outcome"])).collect();
    let expected = [
        (json!(1), json!("created")),
        (json!(3), json!("unchanged")),
        (json!(4), json!("updated")),
        (json!(5), json!("failed")),
        (json!(6), json!("failed")),
        (json!(7), json!("failed")),
    ];
    assert_eq!(told, expected.iter().map(|(line, told)| (line, told)).collect::<Vec<_>>());
    assert_eq!(
        lines[6]["summary"],
        json!({"created": 1, "updated": 1, "unchanged": 1, "failed": 3, "complete": true})
    );
    let faults = node.ask("POST /api/v1/imports?outcomes=failed", &[ndjson], body).await;
    assert_eq!(faults.text().lines().count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_imports_are_bounded() {
    let node = Node::new();
    let send = async |body: Vec<u8>| {
        let request = Request::post("/api/v1/imports")
            .header("authorization", format!("Bearer {ADMIN}"))
            .header("content-type", "application/x-ndjson")
            .header("content-encoding", "gzip")
            .body(Body::from(body))
            .unwrap();
        let reply = node.send(request).await;
        let last = reply.text().lines().last().unwrap_or_default().to_owned();
        serde_json::from_str::<Json>(&last).unwrap()["summary"].clone()
    };
    let small = send(gzip(b"{\"identifier\":\"88.118/1\",\"attributes\":{}}\n")).await;
    assert_eq!((&small["created"], &small["complete"]), (&json!(1), &json!(true)));
    let bomb = send(gzip(&b"\n".repeat(64 << 20))).await;
    assert_eq!(bomb["problem"]["status"], 413, "{bomb}");
    let bomb = send(gzip(&b"x".repeat(64 << 20))).await;
    assert_eq!(bomb["problem"]["status"], 413, "{bomb}");
    let broken = send(b"no gzip at all".to_vec()).await;
    assert_eq!(broken["problem"]["status"], 400, "{broken}");
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new("gzip")
        .arg("-1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let plain = plain.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&plain).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_of_draining() {
    let node = Node::new();
    let ready = node.ask_as_anybody("GET /readyz?writes", &[], None).await;
    assert_eq!(ready.status, StatusCode::OK);
    assert_eq!(ready.json(), json!({"status": "ready", "writes": "ok", "draining": false}));
    assert_eq!(node.ask_as_anybody("GET /metrics", &[], None).await.text(), "figures 1\n");
    assert_eq!(node.ask_as_anybody("GET /api/v1/openapi.json", &[], None).await.status, 200);
    node.draining.store(true, Ordering::Relaxed);
    assert_eq!(node.ask_as_anybody("GET /readyz", &[], None).await.status, 503);
    assert_eq!(node.ask_as_anybody("GET /healthz", &[], None).await.status, 200);
    let late = node.ask(&format!("PUT {X}"), &[], Some(json!({"values": []}))).await;
    assert_eq!((late.problem().as_str(), late.header("retry-after")), ("draining", "1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_any_origin_read() {
    let node = Node::new();
    let origin = ("origin", "https://elsewhere.example");
    let asked = ("access-control-request-method", "GET");
    let preflight = node.ask_as_anybody(&format!("OPTIONS {X}"), &[origin, asked], None).await;
    assert_eq!(preflight.header("access-control-allow-methods"), "GET,HEAD");
    let read = node.ask_as_anybody(&format!("GET {X}"), &[origin], None).await;
    assert_eq!(read.header("access-control-allow-origin"), "*");
    assert!(!read.headers.contains_key("access-control-allow-credentials"));
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_come_while_lines_go() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (node, settings) = (Node::new(), Settings::default());
    let server = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = server.serve(node.router.clone(), &settings);
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /api/v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\
         Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut seen, mut piece) = (String::new(), [0; 4_096]);
    for number in 1..=3 {
        let line = format!("{{\"identifier\":\"88.118/{number}\",\"attributes\":{{}}}}\n");
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        stream.write_all(chunk.as_bytes()).await.unwrap();
        while !seen.contains(&format!("\"line\":{number},\"outcome\":\"created\"")) {
            let count = stream.read(&mut piece).await.unwrap();
            assert_ne!(count, 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    while !seen.contains("\"complete\":true") {
        let count = stream.read(&mut piece).await.unwrap();
        assert_ne!(count, 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
    drop(stream);
    server.stop(std::time::Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_for_bodies_is_bounded() {
    let node = Node::with(Settings { memory_bytes: 64 << 10, ..Settings::default() });
    let body = json!({"attributes": {"a": "x".repeat(60_000)}});
    let made = node.ask(&format!("PUT {X}"), &[], Some(body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let read = node.ask_as_anybody(&format!("GET {X}"), &[], None).await;
    assert!(read.status == 200 && read.body.len() > 60_000);
    let body = json!({"attributes": {"a": "x".repeat(60_000), "b": "x".repeat(60_000)}});
    let refused = node.ask(&format!("PUT {X}"), &[], Some(body)).await;
    assert_eq!(refused.problem(), "busy");
}
