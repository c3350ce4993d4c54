//! Records: made, read, led to, listed.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use super::*;

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
