//! Accounts, sessions, lockout and rates.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use serde_json::json;

use super::*;
use crate::http::peer::Peer;

const PASSWORD: &str = "correct horse battery";

impl Node {
    async fn account(&self, name: &str, role: &str, registrant: Option<&str>) {
        let body = json!({
            "name": name, "role": role, "registrant": registrant, "password": PASSWORD,
        });
        let reply = self.ask("POST /api/v1/accounts", &[], Some(body)).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
    }

    /// Logs in from an address.
    async fn log_in_from(&self, address: &str, account: &str, password: &str) -> Reply {
        let body = json!({"account": account, "password": password}).to_string();
        let request = Request::post("/api/v1/sessions")
            .extension(Peer(address.parse::<IpAddr>().unwrap()))
            .header("content-type", "application/json")
            .body(Body::from(body));
        self.send(request.unwrap()).await
    }

    async fn log_in(&self, account: &str) -> String {
        let reply = self.log_in_from("127.0.0.1", account, PASSWORD).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["secret"].as_str().unwrap().to_owned()
    }

    fn pass(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_begin_and_end() {
    let node = Node::new();
    node.account("li", "registrant-administrator", Some("acme")).await;
    let own = "GET /api/v1/accounts/li";
    let secret = node.log_in("li").await;
    assert!(secret.starts_with("nps_") && secret.len() == 47);
    let read = node.ask_as(&secret, own, None).await.json();
    assert_eq!(
        (&read["role"], &read["registrant"]),
        (&json!("registrant-administrator"), &json!("acme"))
    );
    assert_eq!(read["has_password"], true);
    let out = node.ask_as(&secret, "DELETE /api/v1/sessions/current", None).await;
    assert_eq!(out.status, 204);
    assert_eq!(node.ask_as(&secret, own, None).await.status, 401, "logged out");
    assert_eq!(
        node.ask("DELETE /api/v1/sessions/current", &[], None).await.problem(),
        "wrong-state"
    );

    let used = node.log_in("li").await;
    let unused = node.log_in("li").await;
    for _ in 0..3 {
        node.pass(20 * 60_000);
        assert_eq!(node.ask_as(&used, own, None).await.status, 200);
    }
    assert_eq!(node.ask_as(&unused, own, None).await.status, 401, "unused for too long");
    for _ in 0..33 {
        node.pass(20 * 60_000);
        node.ask_as(&used, own, None).await;
    }
    assert_eq!(node.ask_as(&used, own, None).await.status, 401, "its time is over");

    let before = node.log_in("li").await;
    let path = "POST /api/v1/accounts/li/set-password";
    let other = "a staple nobody knows";
    for (body, status) in [
        (json!({"password": other}), 403),
        (json!({"password": other, "current": "wrong wrong wrong"}), 403),
        (json!({"password": "password1234", "current": PASSWORD}), 422),
        (json!({"password": other, "current": PASSWORD}), 200),
    ] {
        let reply = node.ask_as(&before, path, Some(body.clone())).await;
        assert_eq!(reply.status, status, "{body} {}", reply.text());
    }
    assert_eq!(node.ask_as(&before, own, None).await.status, 401, "another password");
    assert_eq!(node.log_in_from("127.0.0.1", "li", PASSWORD).await.status, 401);
    let reply = node.log_in_from("127.0.0.1", "li", other).await;
    let last = reply.json()["secret"].as_str().unwrap().to_owned();
    let token = node.ask_as(&last, "POST /api/v1/tokens", Some(json!({"account": "li"}))).await;
    let token = token.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(node.ask("POST /api/v1/accounts/li/disable", &[], None).await.status, 200);
    for secret in [&last, &token] {
        assert_eq!(node.ask_as(secret, own, None).await.status, 401, "disabled");
    }
    assert_eq!(node.log_in_from("127.0.0.1", "li", other).await.status, 401);
    assert_eq!(node.ask("POST /api/v1/accounts/li/enable", &[], None).await.status, 200);
    assert_eq!(node.ask_as(&last, own, None).await.status, 401, "sessions do not come back");
    assert_eq!(node.ask_as(&token, own, None).await.status, 200, "tokens do");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_wait_and_the_owner_does_not() {
    let node = Node::new();
    node.account("li", "operator", None).await;
    node.log_in("li").await;
    let attacker = "192.0.2.1";
    let mut statuses = Vec::new();
    for name in ["li", "nobody"] {
        for _ in 0..8 {
            let reply = node.log_in_from(attacker, name, "wrong wrong wrong").await;
            statuses.push(reply.status.as_u16());
            if reply.status == 429 {
                assert_eq!(reply.problem(), "too-fast");
                assert!(reply.header("retry-after").parse::<u64>().unwrap() > 0);
            }
        }
    }
    assert_eq!(statuses[..8], statuses[8..], "known and unknown accounts look alike");
    assert_eq!(statuses[..8], [401, 401, 401, 401, 401, 429, 429, 429]);
    assert_eq!(node.log_in_from(attacker, "li", PASSWORD).await.status, 429, "even the right one");
    assert_eq!(node.log_in_from("127.0.0.1", "li", PASSWORD).await.status, 201, "the owner");
    assert_eq!(node.log_in_from("198.51.100.7", "li", PASSWORD).await.status, 201, "abroad");
    node.pass(1_000);
    assert_eq!(node.log_in_from(attacker, "li", PASSWORD).await.status, 201, "later");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_above_themselves() {
    let node = Node::new();
    node.account("boss", "registrant-administrator", Some("acme")).await;
    node.account("rival", "operator", Some("other")).await;
    node.account("second", "platform-administrator", None).await;
    let boss = node.log_in("boss").await;
    let account = |name: &str, role: &str, registrant: Option<&str>| json!({"name": name, "role": role, "registrant": registrant});
    let (make, tokens) = ("POST /api/v1/accounts", "POST /api/v1/tokens");
    for (line, body, status) in [
        (make, account("x", "operator", Some("acme")), 201),
        (make, account("x", "operator", Some("acme")), 409),
        (make, account("operator", "operator", Some("acme")), 409),
        (make, account("y", "operator", Some("other")), 403),
        (make, account("y", "operator", None), 403),
        (make, account("y", "auditor", None), 403),
        (make, account("y", "platform-administrator", Some("acme")), 403),
        (make, account("", "operator", Some("acme")), 422),
        ("POST /api/v1/accounts/x/set-role", json!({"role": "application"}), 200),
        ("POST /api/v1/accounts/x/set-role", json!({"role": "reviewer"}), 403),
        ("POST /api/v1/accounts/boss/set-role", json!({"role": "operator"}), 403),
        ("POST /api/v1/accounts/rival/set-role", json!({"role": "application"}), 403),
        ("POST /api/v1/accounts/admin/disable", json!({}), 403),
        (
            "POST /api/v1/accounts/admin/set-password",
            json!({"password": "a staple of nobody"}),
            403,
        ),
        ("POST /api/v1/accounts/nobody/disable", json!({}), 404),
        (tokens, json!({"account": "x"}), 201),
        (tokens, json!({"account": "x", "actions": ["administer"]}), 422),
        (tokens, json!({"account": "rival"}), 403),
        (tokens, json!({"account": "admin"}), 403),
        (tokens, json!({"account": "by-name"}), 403),
    ] {
        let reply = node.ask_as(&boss, line, Some(body.clone())).await;
        assert_eq!(reply.status, status, "{line} {body}: {}", reply.text());
    }
    // A token makes none that outlives, outreaches or outdoes it.
    let limited = json!({
        "account": "boss", "actions": ["read", "administer"], "expires": "2026-06-01T00:00:00Z",
    });
    let limited = node.ask_as(&boss, tokens, Some(limited)).await.json()["secret"].clone();
    let limited = limited.as_str().unwrap();
    let until = |end: &str| json!({"account": "boss", "actions": ["read"], "expires": end});
    for (body, status) in [
        (until("2026-06-01T00:00:00Z"), 201),
        (until("2026-06-01T00:00:01Z"), 403),
        (json!({"account": "boss", "actions": ["read"]}), 403),
        (json!({"account": "boss", "actions": ["update"], "expires": "2026-05-01T00:00:00Z"}), 403),
    ] {
        let reply = node.ask_as(limited, tokens, Some(body.clone())).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
    }
    let making = account("z", "operator", Some("acme"));
    assert_eq!(node.ask_as(limited, make, Some(making)).await.status, 403, "it cannot register");
    let listed = node.ask_as(&boss, "GET /api/v1/tokens", None).await.json();
    let accounts = listed["tokens"].as_array().unwrap().iter().map(|token| &token["account"]);
    assert!(accounts.clone().all(|account| account == "boss" || account == "x"), "{listed}");
    assert!(accounts.count() >= 4);
    let seen = node.ask_as(&boss, "GET /api/v1/accounts", None).await.json();
    let names: Vec<_> =
        seen["accounts"].as_array().unwrap().iter().map(|account| &account["name"]).collect();
    assert_eq!(names, ["boss", "x"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_platform_administrator_stays() {
    let node = Node::new();
    let disable = "POST /api/v1/accounts/admin/disable";
    assert_eq!(node.ask(disable, &[], None).await.problem(), "wrong-state");
    node.account("second", "platform-administrator", None).await;
    let second = node.log_in("second").await;
    let demote = Some(json!({"role": "auditor"}));
    let path = "POST /api/v1/accounts/admin/set-role";
    assert_eq!(node.ask_as(&second, path, demote.clone()).await.status, 200);
    assert_eq!(
        node.ask("POST /api/v1/tokens", &[], Some(json!({"account": "x"}))).await.status,
        403
    );
    let own = "POST /api/v1/accounts/second";
    assert_eq!(node.ask_as(&second, &format!("{own}/set-role"), demote).await.status, 403);
    let reply = node.ask_as(&second, &format!("{own}/disable"), None).await;
    assert_eq!(reply.problem(), "wrong-state");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_accounts_follow_each_other() {
    let node = Node::new();
    for number in 0..5 {
        let body = json!({"name": format!("n {number}/泵"), "role": "operator"});
        assert_eq!(node.ask("POST /api/v1/accounts", &[], Some(body)).await.status, 201);
    }
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let line = format!("GET /api/v1/accounts?limit=2{after}");
        let page = node.ask(&line, &[], None).await.json();
        let accounts = page["accounts"].as_array().unwrap().clone();
        assert!(accounts.len() <= 2);
        names.extend(accounts.iter().map(|account| account["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        let all = percent_encoding::NON_ALPHANUMERIC;
        after = format!("&after={}", percent_encoding::utf8_percent_encode(next, all));
    }
    assert_eq!(names.len(), 6);
    assert!(names.is_sorted());
    let read = node.ask("GET /api/v1/accounts/n%203%2F%E6%B3%B5", &[], None).await;
    assert_eq!(read.json()["name"], "n 3/泵");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_tell_when_they_were_used() {
    let node = Node::new();
    let made = node.ask("POST /api/v1/tokens", &[], Some(json!({"account": "acme"}))).await.json();
    assert_eq!(made["actions"].as_array().unwrap().len(), 5);
    let used = async || {
        let list = node.ask("GET /api/v1/tokens", &[], None).await.json();
        let tokens = list["tokens"].as_array().unwrap().clone();
        let own = tokens.into_iter().find(|token| token["id"] == made["id"]).unwrap();
        own["last_used"].as_str().map(str::to_owned)
    };
    assert_eq!(used().await, None);
    node.pass(5_000);
    node.ask_as(made["secret"].as_str().unwrap(), "GET /api/v1/tokens", None).await;
    assert_eq!(used().await.as_deref(), Some("2026-01-01T00:00:05Z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_fast_is_told_when_to_come_back() {
    let node = Node::with(Settings { address_rate: 2, account_rate: 3, ..Settings::default() });
    let from = async |address: &str| {
        let peer = Peer(address.parse::<IpAddr>().unwrap());
        let request = Request::get("/healthz").extension(peer).body(Body::empty());
        node.send(request.unwrap()).await
    };
    for _ in 0..10 {
        assert_eq!(from("192.0.2.1").await.status, 200);
    }
    let reply = from("192.0.2.1").await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, "1"));
    assert_eq!(reply.problem(), "too-fast");
    assert_eq!(from("192.0.2.2").await.status, 200);
    node.pass(500);
    assert_eq!(from("192.0.2.1").await.status, 200);

    for _ in 0..15 {
        assert_eq!(node.ask("GET /api/v1/tokens", &[], None).await.status, 200);
    }
    assert_eq!(node.ask("GET /api/v1/tokens", &[], None).await.problem(), "too-fast");
    assert_eq!(node.ask_as_anybody("GET /healthz", &[], None).await.status, 200);
    node.pass(1_000);
    assert_eq!(node.ask("GET /api/v1/tokens", &[], None).await.status, 200);
}
