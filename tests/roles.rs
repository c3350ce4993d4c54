//! Every role against every route: `tests/roles.tsv` says who may, a real node must agree.
//!
//! A line of the table is a method, a path as in the OpenAPI document, and who may: a letter in its
//! place for each role that is let through, `.` where it gets 403 (401 for the anonymous). Letters:
//!
//! `P` platform administrator, `V` reviewer, `A` auditor, `R` registrant administrator,
//! `O` operator, `N` application, `-` anonymous.
//!
//! R, O and N act for the registrant `acme`. The third column is about things of `acme` (or of
//! nobody), the fourth, where there is one, about the same things of the registrant `other`.
//!
//! **To add a route**: add its line, and in [`request`] a body that is good enough to reach the
//! authorisation. Where the path names a thing, add the thing to [`Things::make`] and its place to
//! [`place`]; a column whose thing has no place is not asked. Requests come once for each role and
//! column, in the table's order, so they must do no harm to the next (`fresh` gives new names).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value as Json, json};

use crate::harness::{Node, Reply, exchange};

const TABLE: &str = include_str!("roles.tsv");

/// Letters of the roles, in their order in the table, with their words; the last is anonymous.
const ROLES: [(char, &str); 7] = [
    ('P', "platform-administrator"),
    ('V', "reviewer"),
    ('A', "auditor"),
    ('R', "registrant-administrator"),
    ('O', "operator"),
    ('N', "application"),
    ('-', ""),
];

/// A line of the table.
struct Line {
    method: String,
    path: String,
    /// For things of `acme` and of `other`.
    letters: Vec<String>,
}

/// Whose things a request is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    Others,
}

fn table() -> Vec<Line> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut columns = line.split('\t').map(str::to_owned);
            let (method, path) = (columns.next(), columns.next());
            let letters: Vec<String> = columns.collect();
            assert!((1..=2).contains(&letters.len()), "columns of {line:?}");
            assert!(letters.iter().all(|text| text.chars().count() == ROLES.len()), "{line:?}");
            Line { method: method.expect(line), path: path.expect(line), letters }
        })
        .collect()
}

#[test]
fn every_route_has_a_line_and_every_line_a_route() {
    let node = Node::fresh();
    let document = node.get("/api/v1/openapi.json").expect(200);
    let mut routes = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            routes.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let lines: Vec<String> =
        table().iter().map(|line| format!("{} {}", line.method, line.path)).collect();
    let known: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(known.len(), lines.len(), "a route has two lines");
    let missing: Vec<_> = routes.difference(&known).collect();
    let stale: Vec<_> = known.difference(&routes).collect();
    assert!(missing.is_empty(), "routes without a line in tests/roles.tsv: {missing:?}");
    assert!(stale.is_empty(), "lines in tests/roles.tsv without a route: {stale:?}");
}

#[test]
fn every_role_reaches_what_the_table_says() {
    let node = Node::fresh();
    let secrets = make_roles(&node);
    let things = Things::make(&node);
    let mut faults = Vec::new();
    for line in table() {
        for (letters, whose) in line.letters.iter().zip([Whose::Own, Whose::Others]) {
            let mut found = String::new();
            let mut replies = Vec::new();
            for ((letter, _), secret) in ROLES.into_iter().zip(&secrets) {
                let Some(reply) = ask(&node, &line, whose, secret.as_deref(), &things) else {
                    found = letters.clone();
                    break;
                };
                replies.push(format!("{letter} {}", reply.status));
                found.push(if is_refused(&reply, letter) { '.' } else { letter });
            }
            if found != *letters {
                let column = if whose == Whose::Own { "own" } else { "others'" };
                let (method, path) = (&line.method, &line.path);
                let told = replies.join(", ");
                faults.push(format!("{method} {path}, {column}: {letters} is {found} ({told})"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// One secret for each role, none for the anonymous.
fn make_roles(node: &Node) -> Vec<Option<String>> {
    let make = |(letter, role): (char, &str)| {
        (letter != '-').then(|| {
            let name = format!("role-{letter}");
            let registrant = "RON".contains(letter).then_some("acme");
            make_account(node, &name, role, registrant, None);
            make_token(node, &name)["secret"].as_str().expect("a secret").to_owned()
        })
    };
    ROLES.into_iter().map(make).collect()
}

fn make_account(
    node: &Node,
    name: &str,
    role: &str,
    registrant: Option<&str>,
    password: Option<&str>,
) {
    let body = json!({"name": name, "role": role, "registrant": registrant, "password": password});
    node.admin("POST", "/api/v1/accounts", &body.to_string()).expect(201);
}

fn make_token(node: &Node, account: &str) -> Json {
    node.admin("POST", "/api/v1/tokens", &json!({"account": account}).to_string()).expect(201)
}

/// Things that requests are about: first `acme`'s, then `other`'s.
struct Things {
    accounts: [&'static str; 2],
    tokens: [String; 2],
    /// Offers by them to a third registrant.
    transfers: [String; 2],
}

impl Things {
    fn make(node: &Node) -> Self {
        make_registrants(node);
        let transfers = REGISTRANTS.map(|registrant| {
            let name = format!("{registrant}-giver");
            make_account(node, &name, "registrant-administrator", Some(registrant), None);
            let secret = make_token(node, &name)["secret"].as_str().expect("secret").to_owned();
            make_transfer(node, registrant, &secret)
        });
        let accounts = ["acme-worker", "other-worker"];
        for (account, registrant) in accounts.into_iter().zip(["acme", "other"]) {
            make_account(node, account, "operator", Some(registrant), None);
        }
        make_account(node, LOGIN.0, "operator", Some("acme"), Some(LOGIN.1));
        let token =
            |account: &str| make_token(node, account)["id"].as_str().expect("an id").to_owned();
        let tokens = accounts.map(token);
        node.put("88.118.8/SN-001", &json!({"attributes": {"model": "P-100"}}));
        for prefix in PREFIXES {
            let path = format!("/api/v1/templates/{prefix}%2Ft");
            node.admin("PUT", &path, &template().to_string()).expect(201);
            node.admin("POST", &format!("{path}/publish"), "").expect(200);
        }
        Self { accounts, tokens, transfers }
    }
}

/// Registrants that are active; the first two have a prefix each.
fn make_registrants(node: &Node) {
    let done = |path: &str, body: Json| {
        let reply = node.admin("POST", path, &body.to_string());
        assert!(reply.status < 300, "{path}: {reply:?}");
    };
    for registrant in [REGISTRANTS[0], REGISTRANTS[1], "third"] {
        done("/api/v1/registrants", json!({"id": registrant, "name_zh": registrant}));
        done(&format!("/api/v1/registrants/{registrant}/review"), json!({}));
        done(&format!("/api/v1/registrants/{registrant}/approve"), json!({}));
    }
    for (registrant, prefix) in REGISTRANTS.into_iter().zip(PREFIXES) {
        done("/api/v1/prefixes", json!({"prefix": prefix, "registrant": registrant}));
        done(&format!("/api/v1/prefixes/{prefix}/review"), json!({}));
        done(&format!("/api/v1/prefixes/{prefix}/approve"), json!({}));
    }
}

/// An offer of a registrant's prefix to a third one; its number.
fn make_transfer(node: &Node, registrant: &str, secret: &str) -> String {
    let prefix = PREFIXES[REGISTRANTS.iter().position(|it| *it == registrant).expect("known")];
    let body = json!({"to": "third", "prefixes": [prefix]}).to_string();
    let bearer = format!("Bearer {secret}");
    let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
    let reply = exchange(node.http, "POST", "/api/v1/transfers", &headers, body.as_bytes());
    let offer = reply.expect("a reply").expect(201);
    offer["id"].as_str().expect("an id").to_owned()
}

/// The path of a request; none when there is no such thing of theirs.
fn place(path: &str, whose: Whose, things: &Things) -> Option<String> {
    let of = usize::from(whose == Whose::Others);
    Some(match path {
        "/{identifier}" => "/88.118.8/SN-001".into(),
        // The node's own record is neither acme's nor other's; acme has no prefix here.
        path if path.contains("/identifiers/{id}") => {
            (whose == Whose::Others).then(|| path.replace("{id}", "88.118.8%2FSN-001"))?
        }
        path if path.starts_with("/api/v1/templates/{id}") => {
            path.replace("{id}", &format!("{}%2Ft", PREFIXES[of])).replace("{version}", "1")
        }
        path if path.starts_with("/api/v1/registrants/{id}") => {
            path.replace("{id}", REGISTRANTS[of]).replace("{step}", "resume")
        }
        path if path.starts_with("/api/v1/prefixes/{prefix}") => {
            path.replace("{prefix}", PREFIXES[of]).replace("{step}", "resume")
        }
        path if path.starts_with("/api/v1/transfers/{id}") => {
            path.replace("{id}", &things.transfers[of]).replace("{step}", "cancel")
        }
        path if path.starts_with("/api/v1/groups/{id}") => {
            path.replace("{id}", &format!("{}.service", REGISTRANTS[of]))
        }
        // A grant that never was: who may not is told so first.
        path if path.starts_with("/api/v1/grants/{id}") => {
            path.replace("{id}", &format!("{}.i00.view.everyone", REGISTRANTS[of]))
        }
        path => path.replace("{name}", things.accounts[of]).replace("{id}", &things.tokens[of]),
    })
}

/// The body of a request and its media type.
fn request(method: &str, path: &str, whose: Whose, things: &Things) -> (String, &'static str) {
    let of = usize::from(whose == Whose::Others);
    let registrant = REGISTRANTS[of];
    let body = match (method, path) {
        ("PUT" | "PATCH", "/api/v1/identifiers/{id}") => {
            json!({"attributes": {"model": fresh("P")}})
        }
        ("POST", "/api/v1/identifiers") => {
            json!({"prefix": PREFIXES[of], "template": format!("{}/t", PREFIXES[of])})
        }
        ("POST", "/api/v1/batches") => {
            let identifier = format!("{}/{}", PREFIXES[of], fresh("B"));
            json!({"items": [{"put": {"identifier": identifier, "attributes": {}}}]})
        }
        ("POST", "/api/v1/identifiers/{id}/restore") => json!({"version": 1}),
        ("PUT", "/api/v1/templates/{id}") => template(),
        ("POST", "/api/v1/imports") => {
            let line = json!({"identifier": "88.118.8/SN-002", "attributes": {"a": "b"}});
            return (line.to_string(), "application/x-ndjson");
        }
        ("POST", "/api/v1/resolve") => json!({"identifiers": ["88.118.8/SN-001"]}),
        ("POST", "/api/v1/tokens") => json!({"account": things.accounts[of]}),
        ("POST", "/api/v1/accounts") => {
            json!({"name": fresh("made"), "role": "operator", "registrant": registrant})
        }
        ("POST", "/api/v1/accounts/{name}/set-role") => json!({"role": "operator"}),
        ("POST", "/api/v1/accounts/{name}/set-password") => json!({"password": LOGIN.1}),
        ("POST", "/api/v1/registrants") => json!({"id": registrant, "name_zh": "x"}),
        ("PATCH", "/api/v1/registrants/{id}") => json!({"name_en": fresh("X")}),
        ("POST", "/api/v1/prefixes") => json!({"parent": "88.118", "registrant": registrant}),
        ("PATCH", "/api/v1/prefixes/{prefix}") => json!({"may_reinstate": true}),
        ("POST", "/api/v1/transfers") => json!({"to": "third", "prefixes": [PREFIXES[0]]}),
        ("POST", "/api/v1/grants") => json!({"granter": registrant, "grantee": "everyone",
            "subject": {"identifier": "88.118.8/SN-001"}, "access": "view"}),
        ("PUT", "/api/v1/groups/{id}") => json!({"members": ["third"]}),
        ("POST", "/api/v1/sessions") => json!({"account": LOGIN.0, "password": LOGIN.1}),
        _ => return (String::new(), "application/json"),
    };
    (body.to_string(), "application/json")
}

fn ask(
    node: &Node,
    line: &Line,
    whose: Whose,
    secret: Option<&str>,
    things: &Things,
) -> Option<Reply> {
    let path = place(&line.path, whose, things)?;
    let (body, kind) = request(&line.method, &line.path, whose, things);
    let bearer = secret.map(|secret| format!("Bearer {secret}"));
    let mut headers = vec![("Content-Type", kind)];
    headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    let reply = exchange(node.http, &line.method, &path, &headers, body.as_bytes());
    let reply = reply.expect("a reply");
    assert!(reply.status < 500, "{} {path}: {reply:?}", line.method);
    Some(reply)
}

/// Whether the role was refused, by the answer as a whole or for an item in it.
fn is_refused(reply: &Reply, letter: char) -> bool {
    let refusal = if letter == '-' { 401 } else { 403 };
    let body = String::from_utf8_lossy(&reply.body);
    reply.status == refusal || body.contains("urn:nameplate:problem:forbidden")
}

/// A template's definition.
fn template() -> Json {
    let attribute = json!({"index": 2000, "name": "model", "type": "string", "max_length": 9,
        "labels": {"en": "Model"}});
    json!({"labels": {"en": "Thing"}, "attributes": [attribute],
        "suffix": {"parts": [{"text": "T"}, {"counter": {"digits": 6}}]}})
}

/// A name that no request had before.
fn fresh(start: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("{start}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whose things are meant in the two columns.
const REGISTRANTS: [&str; 2] = ["acme", "other"];

/// Their prefixes.
const PREFIXES: [&str; 2] = ["88.118.41", "88.118.42"];

/// An account and its password.
const LOGIN: (&str, &str) = ("logs-in", "correct horse battery");
