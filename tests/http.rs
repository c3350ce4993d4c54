//! The registration API over HTTP, driven by curl.

use serde_json::{Value as Json, json};

use crate::harness::{ADMIN_TOKEN, Launch, Node, Reply, curl, segment};

/// curl with the admin token and a JSON body.
#[track_caller]
fn send(node: &Node, method: &str, path: &str, headers: &[&str], body: &str) -> Reply {
    let url = node.url(path);
    let bearer = format!("Authorization: Bearer {ADMIN_TOKEN}");
    let mut arguments = vec!["-X", method, &url, "-H", &bearer];
    for header in headers {
        arguments.extend(["-H", header]);
    }
    if !body.is_empty() {
        arguments.extend(["-H", "Content-Type: application/json", "--data-binary", body]);
    }
    curl(&arguments)
}

fn path(identifier: &str) -> String {
    format!("/api/v1/identifiers/{}", segment(identifier))
}

const BODY: &str = r#"{
    "values": [{"index": 1, "type": "URL", "data": "https://example.com/p", "ttl": 300}],
    "attributes": {"model": "P-100", "year": 2026}
}"#;

#[test]
fn an_identifier_lives() {
    let node = Node::fresh();
    let at = path("88.118.8/SN-001");

    let made = send(&node, "PUT", &at, &["If-None-Match: *"], BODY);
    let record = made.expect(201);
    assert_eq!(record["identifier"], "88.118.8/SN-001");
    assert_eq!((&record["version"], &record["status"]), (&json!(1), &json!("active")));
    assert_eq!(record["values"][0]["data"], "https://example.com/p");
    assert_eq!(record["values"][0]["ttl"], 300);
    assert_eq!(record["attributes"], json!({"model": "P-100", "year": 2026}));
    let tag = made.header("etag").expect("an ETag").to_owned();
    assert!(tag.starts_with("\"1."), "{tag}");

    send(&node, "PUT", &at, &["If-None-Match: *"], BODY).problem(412);
    send(&node, "PUT", &at, &["If-Match: \"7.public\""], BODY).problem(412);

    let patch = r#"{
        "values": [{"index": 2, "type": "EMAIL", "data": "a@example.com"}],
        "attributes": {"year": null, "colour": "red"}
    }"#;
    let patched = send(&node, "PATCH", &at, &[&format!("If-Match: {tag}")], patch).expect(200);
    assert_eq!(patched["version"], 2);
    assert_eq!(patched["attributes"], json!({"model": "P-100", "colour": "red"}));
    assert_eq!(patched["values"][1]["type"], "EMAIL");
    assert_eq!(patched["created"], record["created"]);
    send(&node, "PATCH", &at, &[&format!("If-Match: {tag}")], patch).problem(412);

    let retired = send(&node, "DELETE", &at, &[], "");
    assert!(matches!(retired.status, 200 | 204), "{retired:?}");
    let gone = send(&node, "GET", &at, &[], "");
    assert_eq!(gone.status, 410);
    send(&node, "PUT", &at, &[], BODY).problem(410);

    let history = send(&node, "GET", &format!("{at}/history"), &[], "").expect(200);
    let versions = history["versions"].as_array().expect("a list");
    let versions: Vec<&Json> = versions.iter().map(|entry| &entry["version"]).collect();
    assert_eq!(versions, [3, 2, 1], "{history}");
}

#[test]
fn all_spellings_are_one_identifier() {
    let node = Node::fresh();
    node.put("88.118.8/Pump 七/é", &json!({"attributes": {"a": "b"}}));
    for spelling in ["88.118.8/PUMP 七/é", "88.118.8/pump 七/é"] {
        let record = send(&node, "GET", &path(spelling), &[], "").expect(200);
        assert_eq!(record["identifier"], "88.118.8/Pump 七/é", "the spelling registered is kept");
    }
    send(&node, "GET", &path("88.118.8/Pump%20七/é"), &[], "").problem(404);
    let public =
        curl(&["-H", "Accept: application/json", &node.url("/88.118.8/pump%20%E4%B8%83/%C3%A9")]);
    assert_eq!(public.expect(200)["identifier"], "88.118.8/Pump 七/é");
}

#[test]
fn tags_answer_conditional_reads() {
    let node = Node::fresh();
    node.put("88.118/x", &json!({"attributes": {"a": "b"}}));
    let url = node.api("88.118/x");
    let first = curl(&[&url]);
    let tag = first.header("etag").expect("an ETag").to_owned();
    let again = curl(&["-H", &format!("If-None-Match: {tag}"), &url]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    let head = curl(&["-I", &url]);
    assert_eq!((head.status, head.header("etag")), (200, Some(tag.as_str())));
    assert_eq!(head.body.len(), 0);
    // The holder of a token sees another view, and caches must know.
    let full = send(&node, "GET", &path("88.118/x"), &[], "");
    assert_ne!(full.header("etag"), Some(tag.as_str()));
    assert!(full.header("vary").is_some_and(|vary| vary.to_lowercase().contains("authorization")));
}

#[test]
fn reads_are_for_every_origin_and_private_values_for_none() {
    let node = Node::fresh();
    let secret = json!({"type": "NOTE", "data": "internal", "permissions": "1100"});
    let key = json!({"type": "HS_SECKEY", "data": "key"});
    node.put("88.118/x", &json!({"values": [secret, key]}));
    let url = node.api("88.118/x");
    let reply = curl(&["-H", "Origin: https://elsewhere.example", &url]);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert!(!reply.text().contains("internal") && !reply.text().contains("HS_SECKEY"));
    let full = send(&node, "GET", &path("88.118/x"), &[], "");
    assert!(full.text().contains("internal") && !full.text().contains("HS_SECKEY"));
    let preflight = [
        "-X",
        "OPTIONS",
        "-H",
        "Origin: https://elsewhere.example",
        "-H",
        "Access-Control-Request-Method: PUT",
        &url,
    ];
    let allowed = curl(&preflight).header("access-control-allow-methods").map(str::to_owned);
    assert!(!allowed.unwrap_or_default().contains("PUT"), "browsers of others must not write");
}

#[test]
fn a_repeated_key_repeats_the_outcome() {
    let node = Node::fresh();
    let at = path("88.118/x");
    let key = ["Idempotency-Key: one", "If-None-Match: *"];
    let first = send(&node, "PUT", &at, &key, BODY);
    assert_eq!(first.status, 201);
    send(&node, "PATCH", &at, &[], r#"{"attributes":{"model":"P-200"}}"#).expect(200);
    let again = send(&node, "PUT", &at, &key, BODY);
    assert_eq!(again.status, 201, "the first outcome: {}", again.text());
    assert_eq!(again.json()["version"], 1);
    assert_eq!(send(&node, "GET", &at, &[], "").expect(200)["version"], 2);
    send(&node, "PUT", &at, &key, r#"{"attributes":{}}"#).problem(422);
}

#[test]
fn lists_go_page_by_page() {
    let node = Node::fresh();
    for number in 0..25 {
        node.put(&format!("88.118.8/N{number:02}"), &json!({"attributes": {"n": number}}));
    }
    node.put("88.118.80/other", &json!({"attributes": {"n": 1}}));
    let mut seen: Vec<String> = Vec::new();
    let mut at = "/api/v1/identifiers?prefix=88.118.8&limit=10".to_owned();
    let first = at.clone();
    loop {
        let page = send(&node, "GET", &at, &[], "").expect(200);
        let records = page["records"].as_array().expect("a list");
        assert!(records.len() <= 10);
        let names = records.iter().filter_map(|record| record["identifier"].as_str());
        seen.extend(names.map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        at = format!("{first}&after={}", segment(next));
    }
    let wanted: Vec<String> = (0..25).map(|number| format!("88.118.8/N{number:02}")).collect();
    assert_eq!(seen, wanted);
}

#[test]
fn a_pallet_resolves_at_once() {
    let node = Node::fresh();
    node.put("88.118/a", &json!({"attributes": {"n": 1}}));
    let mut wanted: Vec<String> =
        (0..998).map(|number| format!("88.118/absent-{number}")).collect();
    wanted.extend(["88.118/A".to_owned(), "99.1/x".to_owned()]);
    let body = json!({"identifiers": wanted}).to_string();
    let file = node.launch().folder().join("pallet.json");
    std::fs::write(&file, &body).expect("a file");
    let data = format!("@{}", file.display());
    let url = node.url("/api/v1/resolve");
    let json = "Content-Type: application/json";
    let reply = curl(&["-H", json, "--data-binary", &data, &url]).expect(200);
    let results = reply["results"].as_array().expect("a list");
    assert_eq!(results.len(), 1_000);
    assert_eq!(results[998]["identifier"], "88.118/A", "the spelling asked for is echoed");
    assert_eq!(results[998]["record"]["attributes"]["n"], 1);
    let outcomes = [0, 998, 999].map(|at| results[at]["outcome"].as_str().unwrap_or_default());
    assert_eq!(outcomes, ["absent", "record", "not-responsible"]);
    let body = json!({"identifiers": vec!["88.118/a"; 1_001]}).to_string();
    std::fs::write(&file, &body).expect("a file");
    let refused = curl(&["-H", json, "--data-binary", &data, &url]);
    assert!(matches!(refused.status, 400 | 413 | 422), "{}", refused.text());
}

#[test]
fn an_import_reports_each_line() {
    let node = Node::fresh();
    let lines = [
        r#"{"identifier":"88.118/a","attributes":{"n":1}}"#,
        r#"{"identifier":"88.118/b","attributes":{"n":1.5}}"#,
        "not json",
        r#"{"identifier":"99.1/c","attributes":{"n":1}}"#,
        r#"{"identifier":"88.118/d","values":[{"type":"URL","data":"https://d.example/"}]}"#,
    ];
    for (round, outcome) in ["created", "unchanged"].iter().enumerate() {
        let kind = ["Content-Type: application/x-ndjson"];
        let reply = send(&node, "POST", "/api/v1/imports", &kind, &lines.join("\n"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let text = reply.text();
        let answers: Vec<Json> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |line: i64| {
            let found = answers.iter().find(|answer| answer["line"] == line);
            found.unwrap_or_else(|| panic!("round {round}: no line {line} in\n{text}")).to_string()
        };
        assert!(of(1).contains(outcome) && of(5).contains(outcome), "{text}");
        assert!(of(2).contains("fraction"), "{text}");
        assert!(of(3).contains("error") || of(3).contains("problem"), "{text}");
        assert!(of(4).contains("99.1"), "{text}");
    }
    assert_eq!(node.get(&path("88.118/d")).expect(200)["version"], 1);
}

#[test]
fn the_document_is_served_and_kept() {
    let node = Node::fresh();
    let served = curl(&[&node.url("/api/v1/openapi.json")]).expect(200);
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/openapi.json");
    let kept = std::fs::read_to_string(kept).expect("schemas/openapi.json");
    let kept: Json = serde_json::from_str(&kept).expect("JSON");
    assert!(served == kept, "schemas/openapi.json is out of date: take the served one");
}

#[test]
fn https_has_a_certificate_from_the_first_start() {
    let node = Launch::fresh().arguments(&["--https", "127.0.0.1:0"]).start();
    node.put("88.118/x", &json!({"attributes": {"a": "b"}}));
    let address = node.https.expect("an HTTPS address");
    let url = format!("https://{address}/api/v1/identifiers/88.118%2Fx");
    for version in ["--http1.1", "--http2"] {
        assert_eq!(curl(&["-k", version, &url]).expect(200)["version"], 1);
    }
    assert_ne!(curl(&["-k", "--tls-max", "1.2", &url]).status, 0);
}
