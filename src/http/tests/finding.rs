//! Finding, following, auditing.

use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::{Value as Json, json};

use super::*;

const LIST: &str = "GET /api/v1/identifiers";

fn identifiers(page: &Json) -> Vec<&str> {
    let records = page["records"].as_array().unwrap().iter();
    records.map(|record| record["identifier"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_and_cursors_are_bound_to_them() {
    let node = Node::new();
    for number in 0..5 {
        node.register(&format!("/api/v1/identifiers/88.118.8%2F{number}"), "https://e.com").await;
    }
    node.ask("DELETE /api/v1/identifiers/88.118.8%2F3", &[], None).await;
    let find = async |query: &str| node.ask_as_anybody(&format!("{LIST}?{query}"), &[], None).await;
    let retired = find("status=retired").await.json();
    assert_eq!(identifiers(&retired), ["88.118.8/3"]);
    let since = find("modified_from=2025-12-31T23:59:59Z&limit=9").await.json();
    assert_eq!(identifiers(&since).len(), 5, "{since}");
    let since = find("created_from=2026-01-01T08:00:00%2B08:00&created_until=2026-01-02T00:00:00Z");
    assert_eq!(identifiers(&since.await.json()).len(), 5);
    assert_eq!(identifiers(&find("created_until=2026-01-01T00:00:00Z").await.json()).len(), 0);

    let page = find("prefix=88.118&limit=2").await.json();
    let cursor = page["next"].as_str().unwrap();
    let next = find(&format!("prefix=88.118&limit=1&after={cursor}")).await.json();
    assert_eq!(identifiers(&next), ["88.118.8/2"]);
    for other in ["prefix=88.118.8", "prefix=88.118&status=active", ""] {
        let refused = find(&format!("{other}&after={cursor}")).await;
        assert_eq!(refused.problem(), "bad-request", "{other}");
    }
    for (query, kind) in [
        ("after=88.118.8/1", "bad-request"),
        ("after=", "bad-request"),
        ("where=model:P-100", "bad-request"),
        ("where=model", "bad-request"),
        ("where=a:1&where=b:2&prefix=88.118", "bad-request"),
        (&["where=a:1"; 9].join("&"), "bad-request"),
        ("template=88.118/T&prefix=88.118", "faulty"),
        ("registrant=acme", "unauthenticated"),
        ("registrant=-", "bad-request"),
        ("created_from=yesterday", "bad-request"),
        ("colour=red", "bad-request"),
        ("status=active&status=retired", "bad-request"),
        ("prefix=99", "not-responsible"),
    ] {
        assert_eq!(find(query).await.problem(), kind, "{query}");
    }
    let mine = node.ask(&format!("{LIST}?registrant=acme"), &[], None).await.json();
    assert_eq!(identifiers(&mine).len(), 0);
    let none = node.ask_as_anybody(&format!("GET {X}/references"), &[], None).await.json();
    assert_eq!(none, json!({"references": []}));
    let bad = node.ask_as_anybody(&format!("GET {X}/references?after={cursor}"), &[], None).await;
    assert_eq!(bad.problem(), "bad-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_page_by_page() {
    let node = Node::new();
    node.register(X, "https://e.com").await;
    node.ask(&format!("DELETE {X}"), &[("nameplate-reason", "broken")], None).await;
    let changes =
        async |query: &str| node.ask(&format!("GET /api/v1/changes?{query}"), &[], None).await;
    let anybody = node.ask_as_anybody("GET /api/v1/changes", &[], None).await;
    assert_eq!(anybody.problem(), "unauthenticated");
    let first = changes("prefix=88.118.8&limit=1").await.json();
    assert_eq!(first["more"], true);
    let after = first["next"].as_str().unwrap();
    let second = changes(&format!("prefix=88.118.8&after={after}")).await.json();
    let change = &second["changes"][0];
    assert_eq!(
        (&change["kind"], &change["subject"]),
        (&json!("retire"), &json!("88.118.8/SN-001"))
    );
    assert_eq!((&change["reason"], &change["actor"]), (&json!("broken"), &json!("admin")));
    assert_eq!(second["more"], false);
    let latest = changes("after=latest").await.json();
    assert_eq!(latest["next"], second["next"]);
    assert_eq!(latest["changes"], json!([]));
    let all = changes("").await.json();
    let subjects: Vec<_> =
        all["changes"].as_array().unwrap().iter().map(|change| &change["subject"]).collect();
    assert_eq!(subjects[0], "prefix/88.118");
    assert!(subjects.iter().any(|subject| subject.as_str().unwrap().starts_with("token/")));
    for broken in ["after=1", "after=x:1", "limit=0", "limit=1001", "prefix=/"] {
        assert_eq!(changes(broken).await.status, 400, "{broken}");
    }
}

/// Reads events until one has this text.
async fn read_until(body: &mut Body, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let frame = tokio::time::timeout(Duration::from_secs(10), body.frame()).await;
        let frame = frame.unwrap_or_else(|_| panic!("no {text} in {read}"));
        let frame = frame.unwrap_or_else(|| panic!("the end, no {text} in {read}")).unwrap();
        read.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    read
}

async fn follow(node: &Node, query: &str, last: Option<&str>) -> axum::http::Response<Body> {
    let mut request = Request::builder()
        .uri(format!("/api/v1/changes?{query}"))
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("accept", "text/event-stream");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    node.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_as_they_are_made_and_go_on_where_they_stopped() {
    let heartbeat = Duration::from_millis(300);
    let node = Node::with(Settings { heartbeat, streams: 2, ..Settings::default() });
    let response = follow(&node, "prefix=88.118.8&after=latest", None).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    node.register(X, "https://e.com").await;
    let read = read_until(&mut body, "\n\n").await;
    assert!(read.contains("event: change") && read.contains("\"88.118.8/SN-001\""), "{read}");
    let id = read.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    // What is hidden by the filter moves the position on all the same.
    node.register("/api/v1/identifiers/88.118.9%2F1", "https://e.com").await;
    let moved = read_until(&mut body, "id: ").await;
    assert!(!moved.contains("data:"), "{moved}");
    read_until(&mut body, ":\n").await;
    let second = follow(&node, "", Some("1:0")).await;
    let third = follow(&node, "", None).await;
    assert_eq!(third.status(), 503, "two at once");
    drop((body, second));
    node.ask(&format!("DELETE {X}"), &[], None).await;
    let mut body = follow(&node, "prefix=88.118.8&after=1:0", Some(&id)).await.into_body();
    let read = read_until(&mut body, "\"retire\"").await;
    assert!(!read.contains("\"put\""), "{read}");
    assert_eq!(follow(&node, "", Some("nonsense")).await.status(), 400);
    node.draining.store(true, std::sync::atomic::Ordering::Relaxed);
    let rest = tokio::time::timeout(Duration::from_secs(10), body.collect()).await;
    assert!(rest.is_ok(), "a stream ends when the node does");
    assert_eq!(follow(&node, "", None).await.status(), 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token() {
    let node = Node::new();
    let wanted = json!({"account": "acme", "actions": ["read"]});
    let made = node.ask("POST /api/v1/tokens", &[], Some(wanted)).await.json();
    let request = Request::builder()
        .uri("/api/v1/changes?after=latest")
        .header("authorization", format!("Bearer {}", made["secret"].as_str().unwrap()))
        .header("accept", "text/event-stream");
    let response = node.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let revoke = format!("DELETE /api/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(node.ask(&revoke, &[], None).await.status, 204);
    let rest = tokio::time::timeout(Duration::from_secs(10), response.into_body().collect()).await;
    assert!(rest.is_ok(), "the stream goes on without a token");
}

#[tokio::test(flavor = "multi_thread")]
async fn audits_are_searched_and_exported() {
    let node = Node::new();
    for number in 0..3 {
        let path = format!("PUT /api/v1/identifiers/88.118.8%2F{number}");
        let body = json!({"attributes": {"a": number}});
        let reason = ("nameplate-reason", "=1+1");
        assert_eq!(node.ask(&path, &[reason], Some(body)).await.status, 201);
    }
    let audit = async |query: &str, accept: &str| {
        node.ask(&format!("GET /api/v1/audit?{query}"), &[("accept", accept)], None).await
    };
    let anybody = node.ask_as_anybody("GET /api/v1/audit", &[], None).await;
    assert_eq!(anybody.problem(), "unauthenticated");
    let page = audit("kind=put&limit=2", "*/*").await.json();
    assert_eq!(page["entries"][0]["subject"], "88.118.8/2");
    assert_eq!(page["entries"][1]["reason"], "=1+1");
    let next = page["next"].as_str().unwrap();
    let rest = audit(&format!("kind=put&limit=2&after={next}"), "*/*").await.json();
    assert_eq!(rest["entries"].as_array().unwrap().len(), 1);
    assert!(rest.get("next").is_none());
    let other = audit(&format!("kind=retire&after={next}"), "*/*").await;
    assert_eq!(other.problem(), "bad-request");
    let one = audit("subject=88.118.8/1&actor=admin&order=oldest", "*/*").await.json();
    assert_eq!(one["entries"].as_array().unwrap().len(), 1);
    let prefix = audit("subject=prefix/88.118", "*/*").await.json();
    assert_eq!(prefix["entries"][0]["content"]["state"], "allocated", "{prefix}");

    let table = audit("prefix=88.118.8", "text/csv").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let text = table.text();
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines[0], "position,time,kind,subject,version,actor,reason,registrant,content");
    assert_eq!(lines.len(), 4);
    assert!(lines[1].contains(",put,88.118.8/0,1,admin,'=1+1,"), "{}", lines[1]);
    let lines = audit("", "application/x-ndjson").await.text();
    let entries: Vec<Json> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_records = entries.iter().filter(|entry| entry["kind"] == "put").count();
    assert!(of_records == 3 && entries.len() > 3, "{lines}");
    assert_eq!(audit("", "image/png").await.problem(), "not-acceptable");
    assert_eq!(audit("kind=dance", "*/*").await.problem(), "bad-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_are_counted_exactly() {
    let node = Node::new();
    for number in 0..3 {
        node.register(&format!("/api/v1/identifiers/88.118.8%2F{number}"), "https://e.com").await;
    }
    let change = json!({"attributes": {"a": 1}});
    node.ask("PATCH /api/v1/identifiers/88.118.8%2F1", &[], Some(change)).await;
    node.ask("DELETE /api/v1/identifiers/88.118.8%2F2", &[], None).await;
    let statistics = async |query: &str, accept: &str| {
        let line = format!("GET /api/v1/statistics?{query}");
        node.ask(&line, &[("accept", accept)], None).await
    };
    let anybody = node.ask_as_anybody("GET /api/v1/statistics", &[], None).await;
    assert_eq!(anybody.problem(), "unauthenticated");
    let day = "prefix=88.118&from=2026-01-01&until=2026-01-02";
    let found = statistics(day, "*/*").await.json();
    assert_eq!(found["utc_offset"], "+08:00");
    let row = &found["statistics"][0];
    assert_eq!((&row["prefix"], &row["day"]), (&json!("88.118"), &json!("2026-01-01")));
    let counts = ["registrations", "changes", "retirements"].map(|name| row[name].as_u64());
    assert_eq!(counts, [Some(3), Some(1), Some(1)], "{row}");
    let none = statistics("from=2026-01-02&prefix=88.118", "*/*").await.json();
    assert_eq!(none["statistics"], json!([]));
    let table = statistics("prefix=88", "text/csv").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let text = table.text();
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
    assert!(lines[0].starts_with("prefix,day,registrations,changes,retirements,dns_record,"));
    assert!(lines[1].starts_with("88.118,2026-01-01,3,1,1,"), "{}", lines[1]);
    for (query, kind) in [
        ("prefix=99", "not-responsible"),
        ("prefix=88.118.8", "bad-request"),
        ("from=yesterday", "bad-request"),
        ("after=x", "bad-request"),
    ] {
        assert_eq!(statistics(query, "*/*").await.problem(), kind, "{query}");
    }
}

/// What the registry files is what is found: templates, values, references, in the records' own
/// transaction.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_filed_is_found() {
    let node = Node::new();
    let template = json!({"labels": {"en": "Pump"}, "attributes": [
        {"index": 2000, "name": "model", "type": "string", "max_length": 64, "indexed": true,
         "labels": {"en": "Model"}},
        {"index": 2001, "name": "power", "type": "decimal", "digits": 9, "fraction_digits": 3,
         "indexed": true, "labels": {"en": "Power"}},
        {"index": 2002, "name": "spare_for", "type": "reference", "labels": {"en": "Spare"}},
        {"index": 2003, "name": "note", "type": "string", "labels": {"en": "Note"}}]});
    let path = "/api/v1/templates/88.118%2Ft%2Fpump";
    assert_eq!(node.ask(&format!("PUT {path}"), &[], Some(template)).await.status, 201);
    assert_eq!(node.ask(&format!("POST {path}/publish"), &[], None).await.status, 200);
    for (number, power) in [(1, "7.5"), (2, "10"), (3, "-1"), (4, "11.25")] {
        let mut body = json!({"template": "88.118/t/pump",
            "attributes": {"model": format!("P-{}", number % 2), "power": power}});
        if number > 1 {
            body["attributes"]["spare_for"] = json!("88.118.8/1");
        }
        let put = format!("PUT /api/v1/identifiers/88.118.8%2F{number}");
        let made = node.ask(&put, &[], Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let find = async |query: &str| {
        let line = format!("{LIST}?prefix=88.118&template=88.118/t/pump&{query}");
        node.ask_as_anybody(&line, &[], None).await
    };
    for (query, expected) in [
        ("where=power:-5..10", &["88.118.8/3", "88.118.8/1"][..]),
        ("where=power:-5..=10.000", &["88.118.8/3", "88.118.8/1", "88.118.8/2"]),
        ("where=power:7.50&where=model:P-1", &["88.118.8/1"]),
        ("where=power:7.50&where=model:P-0", &[]),
        ("where=model:P-0", &["88.118.8/2", "88.118.8/4"]),
        ("status=active", &["88.118.8/1", "88.118.8/2", "88.118.8/3", "88.118.8/4"]),
    ] {
        let found = find(query).await.json();
        assert_eq!(identifiers(&found), expected, "{query}");
    }
    let fault = find("where=note:x").await;
    assert_eq!(fault.problem(), "faulty");
    assert!(fault.json()["faults"][0]["message"].as_str().unwrap().contains("model, power"));
    let refer = async |limit: usize, after: &str| {
        let line = format!("GET /api/v1/identifiers/88.118.8%2F1/references?limit={limit}{after}");
        node.ask_as_anybody(&line, &[], None).await.json()
    };
    let first = refer(2, "").await;
    assert_eq!(first["references"][0]["identifier"], "88.118.8/2");
    assert_eq!(first["references"][0]["attributes"], json!(["spare_for"]));
    let rest = refer(2, &format!("&after={}", first["next"].as_str().unwrap())).await;
    assert_eq!(rest["references"].as_array().unwrap().len(), 1);
    // A change is in the index with the record, and a retired record in none.
    let patch = json!({"attributes": {"power": "70"}});
    node.ask("PATCH /api/v1/identifiers/88.118.8%2F4", &[], Some(patch)).await;
    node.ask("DELETE /api/v1/identifiers/88.118.8%2F2", &[], None).await;
    assert_eq!(identifiers(&find("where=power:10..").await.json()), ["88.118.8/4"]);
    assert_eq!(identifiers(&find("where=power:10..70").await.json()), [""; 0]);
    assert_eq!(refer(9, "").await["references"].as_array().unwrap().len(), 2);
}
