//! Refusals, tokens, limits, health.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use super::*;

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
        ("GET /api/v1/identifiers?prefix=88..1", &[], None, "bad-identifier"),
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
    let ndjson = ("content-type", "application/x-ndjson");
    let late = node.ask("POST /api/v1/imports", &[ndjson], None).await;
    assert_eq!((late.problem().as_str(), late.header("retry-after")), ("draining", "1"));
    // A single change that came in before goes on.
    let begun = node.ask(&format!("PUT {X}"), &[], Some(json!({"values": []}))).await;
    assert_eq!(begun.status, StatusCode::CREATED);
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
