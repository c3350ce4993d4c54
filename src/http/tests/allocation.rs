//! Registrants, prefixes, transfers and codes over HTTP.

use super::*;
use crate::access::{Action, Role};

impl Node {
    /// A secret of a new account.
    async fn account_token(&self, name: &str, role: Role, registrant: Option<&str>) -> String {
        let body = json!({"name": name, "role": role, "registrant": registrant});
        self.done("POST /api/v1/accounts", Some(body)).await;
        let actions: Vec<_> = role.actions().iter().map(Action::as_str).collect();
        let body = json!({"account": name, "actions": actions});
        let reply = self.ask("POST /api/v1/tokens", &[], Some(body)).await;
        reply.json()["secret"].as_str().unwrap().to_owned()
    }

    async fn done(&self, line: &str, body: Option<Json>) -> Json {
        let reply = self.ask(line, &[], body).await;
        assert!(reply.status.is_success(), "{line}: {}", reply.text());
        reply.json()
    }

    async fn refused(&self, line: &str, body: Option<Json>) -> (u16, String) {
        let reply = self.ask(line, &[], body).await;
        (reply.status.as_u16(), reply.problem())
    }

    async fn active(&self, id: &str) {
        let body = json!({"id": id, "name_zh": "泵业公司"});
        self.done("POST /api/v1/registrants", Some(body)).await;
        self.done(&format!("POST /api/v1/registrants/{id}/review"), None).await;
        self.done(&format!("POST /api/v1/registrants/{id}/approve"), None).await;
    }

    async fn allocated(&self, prefix: &str, registrant: Option<&str>) {
        let body = match registrant {
            Some(registrant) => json!({"prefix": prefix, "registrant": registrant}),
            None => json!({"prefix": prefix}),
        };
        self.done("POST /api/v1/prefixes", Some(body)).await;
        self.done(&format!("POST /api/v1/prefixes/{prefix}/review"), None).await;
        self.done(&format!("POST /api/v1/prefixes/{prefix}/approve"), None).await;
    }
}

fn because(reason: &str) -> Option<Json> {
    Some(json!({ "reason": reason }))
}

#[tokio::test]
async fn an_enterprise_applies_and_is_approved() {
    let node = Node::new();
    let body = json!({
        "id": "acme", "name_zh": "西安泵业有限公司", "unified_code": "91110108ma00np019p",
        "industry": "C34", "region": "110108",
        "contacts": [{"name": "王工", "email": "ids@acme.example"}], "reason": "first contact",
    });
    let reply = node.ask("POST /api/v1/registrants", &[], Some(body.clone())).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("location")),
        (201, "/api/v1/registrants/acme")
    );
    assert_eq!(reply.header("etag"), "\"1\"");
    assert_eq!(reply.json()["unified_code"], "91110108MA00NP019P");
    assert_eq!(reply.json()["state"], "applied");
    let again = node.refused("POST /api/v1/registrants", Some(body)).await;
    assert_eq!(again, (409, "taken".into()));

    let path = "/api/v1/registrants/acme";
    let early = node.refused(&format!("POST {path}/approve"), None).await;
    assert_eq!(early, (409, "wrong-state".into()));
    node.done(&format!("POST {path}/review"), None).await;
    let silent = node.refused(&format!("POST {path}/reject"), None).await;
    assert_eq!(silent, (422, "faulty".into()));
    let rejected = node.done(&format!("POST {path}/reject"), because("licence is missing")).await;
    assert_eq!(
        (&rejected["state"], &rejected["remark"]),
        (&json!("applied"), &json!("licence is missing"))
    );
    node.done(&format!("POST {path}/review"), None).await;
    node.done(&format!("POST {path}/approve"), because("licence is there")).await;
    let stale = [("if-match", "\"1\"")];
    let patch = json!({"name_en": "Acme Pumps"});
    let reply = node.ask(&format!("PATCH {path}"), &stale, Some(patch.clone())).await;
    assert_eq!(reply.problem(), "condition-failed");
    let current = [("if-match", "\"5\"")];
    let reply = node.ask(&format!("PATCH {path}"), &current, Some(patch)).await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, "\"6\""));
    let gone = json!({"name_en": null, "contacts": []});
    let json = node.done(&format!("PATCH {path}"), Some(gone)).await;
    assert!(json.get("name_en").is_none() && json["contacts"] == json!([]), "{json}");

    let history = node.done(&format!("GET {path}/history?limit=2"), None).await;
    let entries = history["entries"].as_array().unwrap();
    assert_eq!(entries[0]["changed"], json!(["contacts", "name_en"]));
    assert_eq!(entries[1]["changed"], json!(["name_en"]));
    let next = history["next"].as_str().unwrap();
    let older = node.done(&format!("GET {path}/history?after={next}"), None).await;
    let entries = older["entries"].as_array().unwrap();
    assert_eq!((entries.len(), older.get("next")), (5, None));
    assert_eq!(
        (&entries[4]["reason"], &entries[4]["version"]),
        (&json!("first contact"), &json!(1))
    );
    assert_eq!(entries[0]["actor"], "admin");
}

#[tokio::test]
async fn faults_of_an_application_are_named_at_once() {
    let node = Node::new();
    let body = json!({
        "id": "acme", "name_zh": "", "unified_code": "91110108579104047H", "industry": "Z",
        "contacts": [{"name": "x", "email": "x"}],
    });
    let reply = node.ask("POST /api/v1/registrants", &[], Some(body)).await;
    assert_eq!(reply.problem(), "faulty");
    let faults = reply.json()["faults"].as_array().unwrap().clone();
    let paths: Vec<_> = faults.iter().map(|fault| fault["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["name_zh", "unified_code", "industry", "contacts[0].email"]);
    for (body, problem) in [
        (json!({"id": "-a", "name_zh": "x"}), "bad-request"),
        (json!({"id": "a", "name_zh": "x", "colour": 1}), "bad-json"),
        (json!({"name_zh": "x"}), "bad-json"),
    ] {
        assert_eq!(node.refused("POST /api/v1/registrants", Some(body)).await.1, problem);
    }
}

#[tokio::test]
async fn prefixes_are_applied_for_and_decided() {
    let node = Node::new();
    node.active("acme").await;
    let body = json!({"parent": "88.118", "registrant": "acme", "quota": {"identifiers": 5}});
    let reply = node.ask("POST /api/v1/prefixes", &[], Some(body)).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("location")),
        (201, "/api/v1/prefixes/88.118.1")
    );
    let path = "/api/v1/prefixes/88.118.1";
    node.done(&format!("POST {path}/review"), None).await;
    let terms = json!({
        "quota": {"identifiers": 1}, "valid_until": "2026-01-11T00:00:00Z", "reason": "for a trial",
    });
    let json = node.done(&format!("POST {path}/approve"), Some(terms)).await;
    assert_eq!(json["state"], "allocated");
    assert_eq!(json["remark"], "for a trial");
    assert_eq!(json["warnings"], json!(["ends on 2026-01-11T00:00:00Z, in 10 days"]));
    let listed = node.done("GET /api/v1/prefixes?expiring_within_days=30", None).await;
    assert_eq!(listed["prefixes"].as_array().unwrap().len(), 1);
    let listed = node.done("GET /api/v1/prefixes?expiring_within_days=9", None).await;
    assert_eq!(listed["prefixes"], json!([]));
    let listed = node.done("GET /api/v1/prefixes?limit=1", None).await;
    assert_eq!(
        (&listed["prefixes"][0]["prefix"], &listed["next"]),
        (&json!("88.118"), &json!("88.118"))
    );
    let listed = node.done("GET /api/v1/prefixes?limit=1&after=88.118&registrant=acme", None).await;
    assert_eq!((&listed["prefixes"][0]["registrant"], listed.get("next")), (&json!("acme"), None));

    node.register("/api/v1/identifiers/88.118.1%2F1", "https://example.com/1").await;
    let body = json!({"attributes": {"model": "P-100"}});
    let full = node.refused("PUT /api/v1/identifiers/88.118.1%2F2", Some(body.clone())).await;
    assert_eq!(full, (403, "quota-reached".into()));
    let json =
        node.done(&format!("PATCH {path}"), Some(json!({"quota": {"identifiers": null}}))).await;
    assert_eq!((&json["quota"], &json["identifiers"]), (&json!({}), &json!(1)));
    node.done("PUT /api/v1/identifiers/88.118.1%2F2", Some(body)).await;

    for (line, body, status) in [
        ("POST /api/v1/prefixes", json!({"prefix": "88.118.1"}), 409),
        ("POST /api/v1/prefixes", json!({"prefix": "88.118.2", "parent": "88.118"}), 400),
        ("POST /api/v1/prefixes", json!({}), 400),
        ("POST /api/v1/prefixes", json!({"prefix": "88..1"}), 400),
        ("POST /api/v1/prefixes", json!({"prefix": "88.118.2", "registrant": "nobody"}), 404),
        (
            "POST /api/v1/prefixes/88.118.1/suspend",
            json!({"reason": "x", "may_reinstate": true}),
            400,
        ),
        ("POST /api/v1/prefixes/88.118.1/suspend", json!({}), 422),
        ("POST /api/v1/prefixes/88.118.1/resume", json!({}), 409),
        ("POST /api/v1/prefixes/88.118.1/explode", json!({}), 404),
        ("POST /api/v1/prefixes/88.118.7/review", json!({}), 404),
        ("PATCH /api/v1/prefixes/88.118.1", json!({"valid_until": "soon"}), 400),
        ("PATCH /api/v1/prefixes/88.118.1", json!({"valid_from": "2031-01-01T00:00:00Z"}), 422),
    ] {
        assert_eq!(node.refused(line, Some(body.clone())).await.0, status, "{line} {body}");
    }
    let history = node.done(&format!("GET {path}/history"), None).await;
    assert_eq!(history["entries"][1]["content"]["valid_until"], "2026-01-11T00:00:00Z");
    assert_eq!(node.refused("GET /api/v1/prefixes/20.500", None).await.0, 404);
}

#[tokio::test]
async fn a_suspended_prefix_hides_its_records_when_told_to() {
    let node = Node::new();
    node.allocated("88.118.8", None).await;
    node.register(X, "https://example.com/1").await;
    let path = "/api/v1/prefixes/88.118.8";
    let public = async |path: &str| node.ask_as_anybody(&format!("GET {path}"), &[], None).await;
    assert_eq!(public(X).await.status, 200);
    node.done(&format!("POST {path}/suspend"), because("unpaid")).await;
    assert_eq!(public(X).await.status, 200);
    assert_eq!(node.refused(&format!("DELETE {X}"), None).await, (409, "wrong-state".into()));
    node.done(&format!("PATCH {path}"), Some(json!({"hidden_when_suspended": true}))).await;
    for path in [X.to_owned(), format!("{X}/history"), "/88.118.8/SN-001".into()] {
        assert_eq!(public(&path).await.problem(), "withheld", "{path}");
        assert_eq!(public(&path).await.status, 403);
    }
    let body = json!({"identifiers": ["88.118.8/SN-001"]});
    let reply = node.ask_as_anybody("POST /api/v1/resolve", &[], Some(body)).await;
    assert_eq!(reply.json()["results"][0]["outcome"], "withheld");
    assert_eq!(public("/api/v1/identifiers?prefix=88.118.8").await.json()["records"], json!([]));
    node.done(&format!("GET {X}"), None).await;
    node.done(&format!("POST {path}/resume"), None).await;
    assert_eq!(public(X).await.status, 200);
    node.done(&format!("POST {path}/close"), because("given up")).await;
    assert_eq!(public(X).await.problem(), "retired");
    assert_eq!(public("/88.118.8/SN-001").await.status, 410);
    let listed = public("/api/v1/identifiers?prefix=88.118.8").await.json();
    assert_eq!(listed["records"][0]["status"], "retired");
    assert_eq!(listed["records"][0]["values"], json!([]));
    let listed = public("/api/v1/identifiers?prefix=88.118.8&status=active").await.json();
    assert_eq!(listed["records"], json!([]));
}

#[tokio::test]
async fn transfers_need_both_sides() {
    let node = Node::new();
    for (id, prefix) in [("acme", "88.118.8"), ("zhang", "88.118.9")] {
        node.active(id).await;
        node.allocated(prefix, Some(id)).await;
    }
    let acme = node.account_token("acme-admin", Role::RegistrantAdministrator, Some("acme")).await;
    let zhang =
        node.account_token("zhang-admin", Role::RegistrantAdministrator, Some("zhang")).await;
    let other = node.account_token("li-admin", Role::RegistrantAdministrator, Some("li")).await;
    node.register(X, "https://example.com/1").await;
    let body = json!({"to": "zhang", "identifiers": ["88.118.8/sn-001"], "reason": "sold"});
    let offer = node.ask_as(&acme, "POST /api/v1/transfers", Some(body.clone())).await;
    assert_eq!(
        (offer.status.as_u16(), offer.header("location")),
        (201, "/api/v1/transfers/00000001")
    );
    assert_eq!(offer.json()["from"], "acme");
    let by_zhang = node.ask_as(&zhang, "POST /api/v1/transfers", Some(body)).await;
    assert_eq!(by_zhang.problem(), "faulty");
    let path = "/api/v1/transfers/00000001";
    for (secret, step, status) in [
        (&acme, "accept", 403),
        (&other, "decline", 403),
        (&zhang, "cancel", 403),
        (&zhang, "take", 404),
        (&zhang, "accept", 200),
        (&acme, "cancel", 409),
    ] {
        let reply = node.ask_as(secret, &format!("POST {path}/{step}"), None).await;
        assert_eq!(reply.status.as_u16(), status, "{step}: {}", reply.text());
    }
    let json = node.done(&format!("GET {X}"), None).await;
    assert_eq!((&json["registrant"], &json["version"]), (&json!("zhang"), &json!(2)));
    let update = json!({"attributes": {"owner": "zhang"}});
    let reply = node.ask_as(&zhang, &format!("PATCH {X}"), Some(update.clone())).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = node.ask_as(&acme, &format!("PATCH {X}"), Some(update)).await;
    assert_eq!(reply.status, 403);
    let seen = async |secret: &str| {
        let list = node.ask_as(secret, "GET /api/v1/transfers?state=accepted", None).await.json();
        let one = node.ask_as(secret, &format!("GET {path}"), None).await.status.as_u16();
        (list["transfers"].as_array().unwrap().len(), one)
    };
    assert_eq!(
        [seen(&acme).await, seen(&zhang).await, seen(&other).await],
        [(1, 200), (1, 200), (0, 403)]
    );
}

#[tokio::test]
async fn enterprises_see_and_decide_their_own_only() {
    let node = Node::new();
    node.active("acme").await;
    node.active("zhang").await;
    node.allocated("88.118.8", Some("acme")).await;
    node.allocated("88.118.9", Some("zhang")).await;
    let acme = node.account_token("acme-admin", Role::RegistrantAdministrator, Some("acme")).await;
    let reviewer = node.account_token("reviewer", Role::Reviewer, None).await;
    let auditor = node.account_token("auditor", Role::Auditor, None).await;
    let list = async |secret: &str, things: &str| {
        let reply = node.ask_as(secret, &format!("GET /api/v1/{things}"), None).await;
        reply.json()[things].as_array().unwrap().len()
    };
    assert_eq!((list(&acme, "registrants").await, list(&acme, "prefixes").await), (1, 1));
    assert_eq!((list(&auditor, "registrants").await, list(&reviewer, "prefixes").await), (2, 3));
    for (secret, line, body, status) in [
        (&acme, "GET /api/v1/registrants/zhang", None, 403),
        (&acme, "GET /api/v1/registrants/zhang/history", None, 403),
        (&acme, "GET /api/v1/prefixes/88.118.9", None, 403),
        (&acme, "GET /api/v1/prefixes/88.118.9/history", None, 403),
        (&acme, "GET /api/v1/prefixes/88.118.8", None, 200),
        (&acme, "PATCH /api/v1/registrants/zhang", Some(json!({"name_en": "x"})), 403),
        (&acme, "PATCH /api/v1/registrants/acme", Some(json!({"name_en": "x"})), 200),
        (&acme, "PATCH /api/v1/registrants/acme", Some(json!({"name_zh": "别家"})), 409),
        (&acme, "PATCH /api/v1/prefixes/88.118.8", Some(json!({"quota": {}})), 403),
        (&acme, "POST /api/v1/prefixes/88.118.8/close", because("x"), 403),
        (&acme, "POST /api/v1/registrants/acme/close", because("x"), 403),
        (&acme, "POST /api/v1/registrants/zhang/suspend", because("x"), 403),
        (&acme, "POST /api/v1/registrants", Some(json!({"id": "li", "name_zh": "x"})), 403),
        (&acme, "POST /api/v1/prefixes", Some(json!({"parent": "88.118.8"})), 201),
        (&acme, "POST /api/v1/prefixes", Some(json!({"parent": "88.118.9"})), 403),
        (&auditor, "POST /api/v1/prefixes/88.118.8/close", because("x"), 403),
        (&auditor, "POST /api/v1/prefixes", Some(json!({"parent": "88.118"})), 403),
        (&reviewer, "POST /api/v1/prefixes", Some(json!({"parent": "88.118"})), 403),
        (&reviewer, "POST /api/v1/registrants/acme/suspend", because("x"), 200),
        (&acme, "POST /api/v1/prefixes", Some(json!({"parent": "88.118"})), 409),
        (&acme, "GET /api/v1/prefixes/88.118.8", None, 200),
    ] {
        let reply = node.ask_as(secret, line, body).await;
        assert_eq!(reply.status.as_u16(), status, "{line}: {}", reply.text());
    }
    for line in ["GET /api/v1/registrants", "GET /api/v1/prefixes/88.118", "GET /api/v1/transfers"]
    {
        assert_eq!(node.ask_as_anybody(line, &[], None).await.problem(), "unauthenticated");
    }
}

#[tokio::test]
async fn codes_are_found_by_name() {
    let node = Node::new();
    let find = async |path: &str| node.ask_as_anybody(&format!("GET {path}"), &[], None).await;
    let found = find("/api/v1/codes/regions?text=110108&limit=1").await.json();
    assert_eq!(found["regions"][0]["code"], "110108");
    let found = find("/api/v1/codes/industries?text=C34").await.json();
    assert_eq!(found["industries"][0]["division"]["code"], "34");
    assert_eq!(find("/api/v1/codes/regions?limit=1000").await.problem(), "bad-request");
}
