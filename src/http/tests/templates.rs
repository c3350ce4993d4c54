//! Templates, minting, batches and history over HTTP.

use super::*;

const TEMPLATE: &str = "/api/v1/templates/88.118%2Ft%2Fpump";
const BATCHES: &str = "POST /api/v1/batches";

fn pump() -> Json {
    json!({
        "labels": {"zh": "泵", "en": "Pump"},
        "attributes": [
            {"index": 2000, "name": "serial", "type": "string", "labels": {"en": "Serial"},
             "required": true, "unique": true, "max_length": 20},
            {"index": 2001, "name": "spare_for", "type": "reference", "labels": {"en": "Spare"}},
        ],
        "suffix": {"parts": [{"text": "P"}, {"counter": {"digits": 3}}]},
    })
}

impl Node {
    async fn with_pump() -> Self {
        let node = Node::new();
        let made = node.ask(&format!("PUT {TEMPLATE}"), &[], Some(pump())).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let published = node.ask(&format!("POST {TEMPLATE}/publish"), &[], None).await;
        assert_eq!(published.status, 200, "{}", published.text());
        node
    }

    async fn mint(&self, headers: &[(&str, &str)], serial: &str) -> Reply {
        let attributes = json!({"serial": serial});
        let body =
            json!({"prefix": "88.118", "template": "88.118/t/pump", "attributes": attributes});
        self.ask("POST /api/v1/identifiers", headers, Some(body)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_kept_and_read() {
    let node = Node::new();
    let put = format!("PUT {TEMPLATE}");
    assert_eq!(node.ask_as_anybody(&put, &[], Some(pump())).await.status, 401);
    assert_eq!(node.ask(&put, &[], Some(json!("no"))).await.problem(), "bad-json");
    let faulty = node.ask(&put, &[], Some(json!({"attributes": [{}]}))).await;
    assert_eq!(faulty.problem(), "faulty");
    assert!(faulty.json()["faults"].as_array().unwrap().len() > 1);
    let made = node.ask(&put, &[("if-none-match", "*")], Some(pump())).await;
    assert_eq!((made.status, made.header("etag")), (StatusCode::CREATED, "\"1\""));
    assert_eq!(made.json()["state"], "draft");
    assert_eq!(made.json()["draft"], 1);

    let get = format!("GET {TEMPLATE}");
    assert_eq!(node.ask_as_anybody(&get, &[], None).await.problem(), "not-registered");
    let list = node.ask_as_anybody("GET /api/v1/templates", &[], None).await;
    assert_eq!(list.json(), json!({"templates": []}));
    let publish = format!("POST {TEMPLATE}/publish");
    assert_eq!(
        node.ask(&publish, &[("if-match", "\"7\"")], None).await.problem(),
        "condition-failed"
    );
    let body = Some(json!({"reason": "agreed"}));
    assert_eq!(node.ask(&publish, &[("if-match", "\"1\"")], body).await.status, 200);
    assert_eq!(node.ask(&publish, &[], None).await.problem(), "wrong-state");
    let odd = node.ask(&publish, &[], Some(json!({"why": "?"}))).await;
    assert_eq!(odd.problem(), "bad-json");

    let mut next = pump();
    next["labels"]["en"] = "Pump, new".into();
    let drafted = node.ask(&put, &[], Some(next)).await.json();
    assert_eq!((&drafted["published"], &drafted["draft"]), (&json!(1), &json!(2)));
    assert_eq!(drafted["definition"]["labels"]["en"], "Pump, new");
    let seen = node.ask_as_anybody(&get, &[], None).await.json();
    assert_eq!(seen["definition"]["labels"]["en"], "Pump");
    assert!(seen.get("draft").is_none());
    let version = |number: u32| format!("GET {TEMPLATE}/versions/{number}");
    assert_eq!(node.ask_as_anybody(&version(1), &[], None).await.json()["published"], true);
    assert_eq!(node.ask_as_anybody(&version(2), &[], None).await.status, 404);
    assert_eq!(node.ask(&version(2), &[], None).await.json()["published"], false);
    assert_eq!(node.ask(&version(3), &[], None).await.status, 404);
    let odd = node.ask(&format!("GET {TEMPLATE}/versions/x"), &[], None).await;
    assert_eq!(odd.problem(), "bad-request");
    let schema = node.ask_as_anybody(&format!("GET {TEMPLATE}/schema"), &[], None).await.json();
    assert!(schema["properties"]["serial"].is_object(), "{schema}");
    let list = node.ask_as_anybody("GET /api/v1/templates?prefix=88.118", &[], None).await.json();
    assert_eq!(list["templates"][0]["state"], "published");
    let list = node.ask("GET /api/v1/templates?prefix=88.119", &[], None).await.json();
    assert_eq!(list, json!({"templates": []}));

    let record = node.ask_as_anybody("GET /api/v1/identifiers/88.118%2Ft%2Fpump", &[], None).await;
    assert_eq!(record.json()["attributes"]["label_en"], "Pump");
    let change = node.ask("DELETE /api/v1/identifiers/88.118%2Ft%2Fpump", &[], None).await;
    assert_eq!(change.problem(), "wrong-state");
    let withdrawn = node.ask(&format!("POST {TEMPLATE}/withdraw"), &[], None).await;
    assert_eq!(withdrawn.json()["state"], "withdrawn");
    assert_eq!(node.mint(&[], "A").await.problem(), "faulty");
    assert_eq!(node.ask_as_anybody(&get, &[], None).await.json()["newest"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn shipped_templates_can_be_drafted_as_they_are() {
    let node = Node::new();
    let shipped = node.ask_as_anybody("GET /api/v1/templates/shipped", &[], None).await.json();
    for template in shipped["templates"].as_array().unwrap() {
        let name = template["name"].as_str().unwrap();
        let path = format!("GET /api/v1/templates/shipped/{name}");
        let definition = node.ask_as_anybody(&path, &[], None).await.json();
        let put = format!("PUT /api/v1/templates/88.118%2F{name}");
        let made = node.ask(&put, &[], Some(definition)).await;
        assert_eq!(made.status, 201, "{name}");
    }
    let none = node.ask_as_anybody("GET /api/v1/templates/shipped/none", &[], None).await;
    assert_eq!(none.problem(), "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn identifiers_are_minted() {
    let node = Node::with_pump().await;
    let key = ("idempotency-key", "m-1");
    let minted = node.mint(&[key], "A").await;
    assert_eq!(minted.status, 201, "{}", minted.text());
    assert_eq!(minted.header("location"), "/api/v1/identifiers/88.118%2FP001");
    let record = minted.json();
    assert_eq!(
        (&record["template"], &record["template_version"]),
        (&json!("88.118/t/pump"), &json!(1))
    );
    assert_eq!(record["values"], json!([]));
    assert_eq!(node.mint(&[key], "A").await.json()["identifier"], "88.118/P001");
    assert_eq!(node.mint(&[key], "B").await.problem(), "idempotency-reuse");
    let taken = node.mint(&[], "A").await;
    assert_eq!(taken.json()["faults"][0]["rule"], "unique");
    assert!(taken.json()["faults"][0]["message"].as_str().unwrap().contains("88.118/P001"));
    assert_eq!(node.mint(&[], "B").await.json()["identifier"], "88.118/P002");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_says_what_changed_and_versions_come_back() {
    let node = Node::new();
    let put = format!("PUT {X}");
    let secret = json!({"index": 2, "type": "NOTE", "data": "a", "permissions": "1100"});
    let one = json!({"values": [{"index": 1, "type": "URL", "data": "https://e/1"}, secret],
        "attributes": {"a": "1", "b": "1"}});
    node.ask(&put, &[], Some(one)).await;
    let two = json!({"values": [{"index": 1, "type": "URL", "data": "https://e/2"}],
        "attributes": {"a": "1", "c": 1}});
    node.ask(&put, &[], Some(two)).await;
    let history = format!("GET {X}/history");
    let seen = node.ask(&history, &[], None).await.json();
    let expected = json!({"added": ["attributes.c"], "changed": ["values[1]"],
        "removed": ["attributes.b", "values[2]"]});
    assert_eq!(seen["versions"][0]["changes"], expected);
    let page = node.ask_as_anybody(&format!("{history}?limit=1"), &[], None).await.json();
    let expected = json!({"added": ["attributes.c"], "changed": ["values[1]"],
        "removed": ["attributes.b"]});
    assert_eq!((&page["versions"][0]["changes"], &page["next"]), (&expected, &json!(2)));

    let restore = format!("POST {X}/restore");
    let body = Some(json!({"version": 1, "reason": "a mistake"}));
    let stale = node.ask(&restore, &[("if-match", "\"1\"")], body.clone()).await;
    assert_eq!(stale.problem(), "condition-failed");
    let restored = node.ask(&restore, &[("if-match", "\"2\"")], body).await.json();
    assert_eq!((&restored["version"], &restored["attributes"]["b"]), (&json!(3), &json!("1")));
    let seen = node.ask(&history, &[], None).await.json();
    assert_eq!(seen["versions"][0]["reason"], "a mistake");
    let none = node.ask(&restore, &[], Some(json!({"version": 9}))).await;
    assert_eq!(none.problem(), "not-registered");
    node.ask(&format!("DELETE {X}"), &[], None).await;
    let gone = node.ask(&history, &[], None).await.json();
    assert!(
        gone["versions"][0]["changes"]["changed"].as_array().unwrap().contains(&json!("status"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_tell_of_every_item() {
    let node = Node::with_pump().await;
    let put = |suffix: &str, serial: &str| {
        let attributes = json!({"serial": serial});
        json!({"put": {"identifier": format!("88.118/{suffix}"), "template": "88.118/t/pump",
            "attributes": attributes}})
    };
    let items = json!([
        put("a", "A"),
        {"patch": {"identifier": "88.118/a", "if_match": 1, "attributes": {"serial": "B"}}},
        put("b", "A"),
        {"put": {"identifier": "88.118/c", "attributes": {"x": 1.5}}},
        {"odd": {}},
        {"retire": {"identifier": "88.118/none"}},
        {"mint": {"prefix": "88.118", "template": "88.118/t/pump", "attributes": {"serial": "M"}}},
        {"put": {"identifier": "88.118/d", "if_match": 1, "if_absent": true, "attributes": {}}},
        {"retire": {"identifier": "88.118/a"}},
    ]);
    let body = json!({ "items": items });
    let key = ("idempotency-key", "b-1");
    let first = node.ask(BATCHES, &[key], Some(body.clone())).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let told = |reply: &Reply| -> Vec<String> {
        let outcomes = reply.json()["outcomes"].as_array().unwrap().clone();
        let word = |outcome: &Json| outcome["outcome"].as_str().unwrap().to_owned();
        outcomes.iter().map(word).collect()
    };
    let expected = [
        "created", "updated", "created", "failed", "failed", "failed", "created", "failed",
        "retired",
    ];
    assert_eq!(told(&first), expected);
    let outcomes = first.json()["outcomes"].clone();
    assert_eq!(outcomes[3]["problem"]["type"], "urn:nameplate:problem:bad-record");
    assert_eq!(outcomes[6]["identifier"], "88.118/P001");
    let counts = ["created", "updated", "retired", "failed"].map(|word| first.json()[word].clone());
    assert_eq!(counts, [3, 1, 1, 4].map(Json::from));
    let again = node.ask(BATCHES, &[key], Some(body)).await;
    let repeated = again.json()["outcomes"].clone();
    assert_eq!(repeated[6]["identifier"], "88.118/P001");
    assert_eq!(told(&again), expected);
    let other = node.ask(BATCHES, &[key], Some(json!({"items": [put("z", "Z")]}))).await;
    assert_eq!(other.problem(), "idempotency-reuse");
}

#[tokio::test(flavor = "multi_thread")]
async fn atomic_batches_are_done_whole_or_not_at_all() {
    let node = Node::with_pump().await;
    let put = |number: usize, serial: &str, spare: &str| {
        let attributes = json!({"serial": serial, "spare_for": spare});
        json!({"put": {"identifier": format!("88.118/{number}"), "template": "88.118/t/pump",
            "attributes": attributes}})
    };
    let items =
        json!([put(1, "A", "88.118/2"), put(2, "A", "88.118/3"), {"retire": {"identifier": "x"}}]);
    let form = node.ask(BATCHES, &[], Some(json!({"atomic": true, "items": items}))).await;
    assert_eq!(form.json()["faults"][0]["path"], "items[2]");
    let items = json!([put(1, "A", "88.118/2"), put(2, "A", "88.118/3")]);
    let refused = node.ask(BATCHES, &[], Some(json!({"atomic": true, "items": items}))).await;
    assert_eq!(refused.problem(), "faulty");
    let paths: Vec<_> =
        refused.json()["faults"].as_array().unwrap().iter().map(|f| f["path"].clone()).collect();
    assert_eq!(paths, ["items[1].attributes.serial", "items[1].attributes.spare_for"]);
    let one = node.ask("GET /api/v1/identifiers/88.118%2F1", &[], None).await;
    assert_eq!(one.status, 404);
    let items = json!([put(1, "A", "88.118/2"), put(2, "B", "88.118/1")]);
    let body = Some(json!({"atomic": true, "items": items}));
    let key = ("idempotency-key", "b-2");
    let done = node.ask(BATCHES, &[key], body.clone()).await.json();
    assert_eq!(done["created"], 2);
    assert_eq!(node.ask(BATCHES, &[key], body).await.json(), done);

    let many: Vec<Json> = (0..10_001).map(|n| put(n, &n.to_string(), "88.118/1")).collect();
    for atomic in [true, false] {
        let body = json!({"atomic": atomic, "items": many});
        assert_eq!(node.ask(BATCHES, &[], Some(body)).await.problem(), "bad-json");
    }
    let all = json!({"atomic": true, "items": many[10..10_000]});
    let done = node.ask(BATCHES, &[], Some(all)).await;
    assert_eq!(done.json()["created"], 9_990, "{:.300}", done.text());
    assert_eq!(node.ask(BATCHES, &[], Some(json!({"items": []}))).await.problem(), "bad-request");
    let scopeless = node.ask_as_anybody(BATCHES, &[], Some(json!({"items": []}))).await;
    assert_eq!(scopeless.problem(), "unauthenticated");
}
