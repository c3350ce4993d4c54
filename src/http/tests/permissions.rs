//! Grants and groups: the same asker sees the same fields wherever it looks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::*;
use crate::access::Asker;
use crate::identifier::Identifier;
use crate::record::{Record, Status};
use crate::resolver::{Lookup, Outcome, Protocol, Subject};
use crate::store::DocumentKind;
use crate::store::staged::{put_document, put_prefix, put_record, put_registrant, value};

/// Acme holds 88.118.1; gamma is in acme's group; beta, delta are nobody special. X is what grants
/// are given on by name, Y another record of the same template.
struct World {
    node: Node,
    /// Secrets by asker; anonymous has none.
    secrets: BTreeMap<&'static str, String>,
}

const X: &str = "88.118.1/X";
const Y: &str = "88.118.1/Y";
const HIDDEN: [&str; 3] = ["cost", "note", "plan"];

const ASKERS: [&str; 9] = [
    "anonymous",
    "acme",
    "beta",
    "gamma",
    "delta",
    "node",
    "auditor",
    "beta without read",
    "beta within its prefix",
];

impl World {
    async fn new() -> Self {
        let node = Node::new();
        for id in ["acme", "beta", "gamma", "delta"] {
            put_registrant(&*node.store, id);
        }
        put_prefix(&*node.store, "88.118.1", "acme");
        node.resolver.reload_zones().unwrap();
        let attribute = |index: u32, name: &str, view: &str| {
            json!({"index": index, "name": name, "type": "string", "labels": {"en": name},
                "view": view})
        };
        let definition = json!({"labels": {"en": "Part"}, "attributes": [
            attribute(2000, "open", "public"), attribute(2001, "cost", "owner"),
            attribute(2002, "plan", "owner"), attribute(2003, "note", "owner"),
        ]});
        let head = json!({"number": 1, "identifier": "88.118.1/t", "latest": 1, "published": 1});
        put_document(&*node.store, DocumentKind::Template, "88.118.1/T", &head);
        let version = json!({"published": true, "definition": definition});
        let id = crate::template::version_id(1, 1);
        put_document(&*node.store, DocumentKind::TemplateVersion, &id, &version);
        for identifier in [X, Y] {
            put_record(&*node.store, &record(identifier));
        }
        let mut world = Self { node, secrets: BTreeMap::new() };
        let all = json!(["read", "register", "update", "retire"]);
        let administers = json!(["read", "register", "update", "retire", "administer"]);
        let own = json!(["88.119"]);
        for (asker, role, registrant, actions, prefixes) in [
            ("acme", "registrant-administrator", Some("acme"), &administers, None),
            ("beta", "application", Some("beta"), &all, None),
            ("gamma", "operator", Some("gamma"), &all, None),
            ("delta", "application", Some("delta"), &all, None),
            ("node", "application", None, &all, None),
            ("auditor", "auditor", None, &json!(["read"]), None),
            ("beta without read", "application", Some("beta"), &json!(["update"]), None),
            ("beta within its prefix", "application", Some("beta"), &all, Some(&own)),
        ] {
            let mut account = json!({"role": role});
            registrant.inspect(|&registrant| account["registrant"] = registrant.into());
            let name = asker.replace(' ', "-");
            put_document(&*world.node.store, DocumentKind::Account, &name, &account);
            let mut wanted = json!({"account": name});
            if actions != &all {
                wanted["actions"] = actions.clone();
            }
            prefixes.inspect(|&prefixes| wanted["prefixes"] = prefixes.clone());
            let made = world.node.ask("POST /api/v1/tokens", &[], Some(wanted)).await;
            let secret = made.json()["secret"].as_str().unwrap().to_owned();
            world.secrets.insert(asker, secret);
        }
        let members = json!({"members": ["gamma"]});
        let made = world.ask("acme", "PUT /api/v1/groups/acme.g", &[], Some(members)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        world
    }

    async fn ask(
        &self,
        asker: &str,
        line: &str,
        headers: &[(&str, &str)],
        body: Option<Json>,
    ) -> Reply {
        let token = self.secrets.get(asker).map(|secret| format!("Bearer {secret}"));
        let mut headers = headers.to_vec();
        headers.extend(token.as_deref().map(|token| ("authorization", token)));
        self.node.ask_as_anybody(line, &headers, body).await
    }

    async fn give(&self, grant: &Json) -> String {
        let given = self.ask("acme", "POST /api/v1/grants", &[], Some(grant.clone())).await;
        assert!(given.status.is_success(), "{grant}: {}", given.text());
        given.json()["id"].as_str().unwrap().to_owned()
    }

    async fn revoke(&self, id: &str) {
        let line = format!("DELETE /api/v1/grants/{id}");
        assert_eq!(self.ask("acme", &line, &[], None).await.status, 204);
    }

    /// The hidden attributes that an asker sees, which have to be the same everywhere; and the
    /// entity tag.
    async fn sees(&self, asker: &str, identifier: &str) -> (BTreeSet<String>, String) {
        let segment = identifier.replace('/', "%2F");
        let path = format!("/api/v1/identifiers/{segment}");
        let read = self.ask(asker, &format!("GET {path}"), &[], None).await;
        assert_eq!(read.header("vary"), "Authorization, Accept");
        let tag = read.header("etag").to_owned();
        let private = read.header("cache-control") == "private, no-store";
        let seen = shown(&read.json());
        assert_eq!(private, !tag.contains("public"), "{asker} {tag}");
        let fresh = self.ask(asker, &format!("GET {path}"), &[("if-none-match", &tag)], None).await;
        assert_eq!(fresh.status, 304, "{asker} {tag}");

        let list = self.ask(asker, "GET /api/v1/identifiers?prefix=88.118.1", &[], None).await;
        let list = list.json()["records"].as_array().unwrap().clone();
        let listed = list.iter().find(|record| record["identifier"] == *identifier).unwrap();
        assert_eq!(shown(listed), seen, "{asker}: list");
        let history = self.ask(asker, &format!("GET {path}/history"), &[], None).await.json();
        assert_eq!(shown(&history["versions"][0]), seen, "{asker}: history");
        let many = json!({"identifiers": [identifier]});
        let many = self.ask(asker, "POST /api/v1/resolve", &[], Some(many)).await.json();
        assert_eq!(shown(&many["results"][0]["record"]), seen, "{asker}: resolve");
        let json = ("accept", "application/json");
        let public = self.ask(asker, &format!("GET /{identifier}"), &[json], None).await;
        assert_eq!(shown(&public.json()), seen, "{asker}: public path");
        let html = ("accept", "text/html");
        let page = self.ask(asker, &format!("GET /{identifier}?noredirect"), &[html], None).await;
        let named: BTreeSet<String> = HIDDEN
            .iter()
            .filter(|name| page.text().contains(&format!("secret of {name}")))
            .map(|name| (*name).to_owned())
            .collect();
        assert_eq!(named, seen, "{asker}: page");
        if asker == "anonymous" {
            assert_eq!(self.resolved(identifier), seen, "as DNS gets it");
        }
        (seen, tag)
    }

    /// What anybody gets from the resolver, as DNS does.
    fn resolved(&self, identifier: &str) -> BTreeSet<String> {
        let identifier = Identifier::literal(identifier).unwrap();
        let subject = Subject::Identifier(identifier.key());
        let lookup = Lookup { subject, asker: &Asker::Public, protocol: Protocol::Dns };
        let Ok(Outcome::Record(answer)) = self.node.resolver.resolve(&lookup) else { panic!() };
        let hidden = answer.view().values().filter(|value| HIDDEN.contains(&value.kind.as_str()));
        hidden.map(|value| value.kind.clone()).collect()
    }
}

fn record(identifier: &str) -> Record {
    Record {
        identifier: Identifier::literal(identifier).unwrap(),
        values: vec![
            value(1, "URL", "https://e.com/", 0x0e),
            value(2, "EMAIL", "owner@e.com", 0x0c),
            value(300, "HS_SECKEY", "never", 0x0e),
            value(1_000, "TEMPLATE", "88.118.1/t", 0x0e),
            value(1_001, "TEMPLATE_VERSION", "1", 0x0e),
            value(2_000, "open", "x", 0x0e),
            value(2_001, "cost", "secret of cost", 0x0c),
            value(2_002, "plan", "secret of plan", 0x0c),
            value(2_003, "note", "secret of note", 0x0c),
        ],
        version: 1,
        status: Status::Active,
        registrant: "acme".into(),
        held_apart: false,
        actor: "acme".into(),
        reason: String::new(),
        created_ms: NOW_MS,
        modified_ms: NOW_MS,
    }
}

fn shown(record: &Json) -> BTreeSet<String> {
    let attributes = record["attributes"].as_object().unwrap();
    assert_eq!(attributes.get("open"), Some(&json!("x")), "what is public stays so");
    let kinds: Vec<&str> = record["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value["type"].as_str().unwrap())
        .collect();
    assert!(!kinds.contains(&"HS_SECKEY"), "never shown");
    let hidden = attributes.keys().filter(|name| HIDDEN.contains(&name.as_str()));
    hidden.cloned().collect()
}

/// A grant of the table: grantee, attributes, access.
type Given = (&'static str, &'static [&'static str], &'static str);

const BY_TEMPLATE: [&[Given]; 7] = [
    &[],
    &[("beta", &["cost"], "view")],
    &[("group", &["cost", "plan"], "view")],
    &[("everyone", &["note"], "view")],
    &[("beta", &[], "edit")],
    &[("everyone", &["cost"], "view"), ("beta", &["plan"], "edit"), ("group", &[], "view")],
    &[("beta", &["cost"], "view"), ("beta", &["note"], "edit")],
];

const BY_IDENTIFIER: [&[Given]; 7] = [
    &[],
    &[("everyone", &[], "nothing")],
    &[("beta", &["plan"], "view")],
    &[("group", &[], "edit")],
    &[("everyone", &["plan"], "view")],
    &[("everyone", &[], "view")],
    &[("delta", &["cost"], "edit"), ("everyone", &["note"], "view")],
];

/// What an asker is to see, told by the rules alone.
fn expected(asker: &str, given: &[Given]) -> BTreeSet<String> {
    let all = || HIDDEN.iter().map(|name| (*name).to_owned());
    if ["acme", "auditor"].contains(&asker) {
        return all().collect();
    }
    let reaches = |grantee: &str| match grantee {
        "everyone" => true,
        "group" => asker == "gamma",
        one => asker == one,
    };
    let mut seen = BTreeSet::new();
    for (_, attributes, access) in given.iter().filter(|(grantee, ..)| reaches(grantee)) {
        if *access != "nothing" {
            let names = attributes.iter().map(|name| (*name).to_owned());
            if attributes.is_empty() { seen.extend(all()) } else { seen.extend(names) }
        }
    }
    seen
}

fn body(subject: Json, (grantee, attributes, access): &Given) -> Json {
    let grantee = match *grantee {
        "everyone" => json!("everyone"),
        "group" => json!({"group": "acme.g"}),
        one => json!({"registrant": one}),
    };
    json!({"subject": subject, "grantee": grantee, "attributes": attributes, "access": access})
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_the_same_wherever_they_look() {
    let world = World::new().await;
    for by_template in BY_TEMPLATE {
        let mut templates = Vec::new();
        for given in by_template {
            templates.push(world.give(&body(json!({"template": "88.118.1/T"}), given)).await);
        }
        for by_identifier in BY_IDENTIFIER {
            let mut identifiers = Vec::new();
            for given in by_identifier {
                identifiers.push(world.give(&body(json!({"identifier": X}), given)).await);
            }
            let on_x = if by_identifier.is_empty() { by_template } else { by_identifier };
            for (identifier, given) in [(X, on_x), (Y, by_template)] {
                let mut tags: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
                for asker in ASKERS {
                    let (seen, tag) = world.sees(asker, identifier).await;
                    assert_eq!(seen, expected(asker, given), "{asker} {identifier} {given:?}");
                    let before = tags.insert(tag.clone(), seen.clone());
                    assert!(before.is_none_or(|before| before == seen), "{tag} for two views");
                }
            }
            for id in identifiers {
                world.revoke(&id).await;
            }
        }
        for id in templates {
            world.revoke(&id).await;
        }
    }
    for asker in ASKERS {
        assert_eq!(world.sees(asker, X).await.0, expected(asker, &[]), "{asker} in the end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_is_never_taken_for_what_is_shown() {
    let world = World::new().await;
    let everyone = body(json!({"identifier": X}), &("everyone", &["cost"], "view"));
    let path = "GET /api/v1/identifiers/88.118.1%2FX";
    let plain = world.ask("anonymous", path, &[], None).await;
    let date = plain.header("last-modified").to_owned();
    assert!(!date.is_empty());
    let fresh: [(&str, &str); 2] =
        [("if-none-match", plain.header("etag")), ("if-modified-since", &date)];
    for header in fresh {
        assert_eq!(world.ask("anonymous", path, &[header], None).await.status, 304);
    }
    for round in 0..3 {
        let id = world.give(&everyone).await;
        for header in fresh {
            let read = world.ask("anonymous", path, &[header], None).await;
            assert_eq!((read.status, shown(&read.json()).len()), (StatusCode::OK, 1), "{round}");
            assert_eq!(read.header("last-modified"), "", "a date says nothing of grants");
        }
        world.revoke(&id).await;
        let tag = world.ask("anonymous", path, &[], None).await.header("etag").to_owned();
        assert_eq!(tag, plain.header("etag"));
    }
    // The public path lets others keep what follows from the record alone.
    let follow = async || {
        let json = ("accept", "application/json");
        let reply = world.ask("anonymous", "GET /88.118.1/X", &[json], None).await;
        reply.header("cache-control").to_owned()
    };
    assert!(follow().await.starts_with("public, max-age="));
    let id = world.give(&everyone).await;
    assert_eq!(follow().await, "no-cache");
    world.revoke(&id).await;
    // Askers in turn, on one remembered record.
    let id = world.give(&body(json!({"identifier": X}), &("beta", &["cost"], "view"))).await;
    for _ in 0..3 {
        for (asker, count) in [("beta", 1), ("anonymous", 0), ("acme", 3), ("delta", 0)] {
            assert_eq!(world.sees(asker, X).await.0.len(), count, "{asker}");
        }
    }
    // A member that leaves its group sees nothing from the next question on, one that comes does.
    world.revoke(&id).await;
    world.give(&body(json!({"template": "88.118.1/T"}), &("group", &["plan"], "view"))).await;
    for (members, gamma, delta) in
        [(json!(["gamma"]), 1, 0), (json!(["delta"]), 0, 1), (json!([]), 0, 0)]
    {
        let members = json!({"members": members});
        let set = world.ask("acme", "PUT /api/v1/groups/acme.g", &[], Some(members)).await;
        assert_eq!(set.status, 200, "{}", set.text());
        assert_eq!(world.sees("gamma", X).await.0.len(), gamma);
        assert_eq!(world.sees("delta", Y).await.0.len(), delta);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_go_as_far_as_the_grant() {
    let world = World::new().await;
    let line = "PATCH /api/v1/identifiers/88.118.1%2FX";
    let patch = |attributes: Json| Some(json!({"attributes": attributes}));
    let refused = world.ask("beta", line, &[], patch(json!({"cost": "1"}))).await;
    assert_eq!(refused.problem(), "forbidden");
    let edit = body(json!({"template": "88.118.1/t"}), &("beta", &["cost", "note"], "edit"));
    let id = world.give(&edit).await;
    world.give(&body(json!({"template": "88.118.1/t"}), &("beta", &["plan"], "view"))).await;
    let changed = world.ask("beta", line, &[], patch(json!({"cost": "1"}))).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(shown(&changed.json()).len(), 3, "as the editor sees it");
    let owner = world.ask("acme", "GET /api/v1/identifiers/88.118.1%2FX", &[], None).await.json();
    assert_eq!((&owner["attributes"]["cost"], &owner["registrant"]), (&json!("1"), &json!("acme")));
    let public = world.ask("anonymous", "GET /88.118.1/X", &[("accept", "application/json")], None);
    assert!(shown(&public.await.json()).is_empty(), "hidden as before");

    for (what, named) in [
        (json!({"attributes": {"cost": "2", "plan": "2"}}), "plan of"),
        (json!({"attributes": {"cost": "2", "open": null}}), "open of"),
        (json!({"attributes": {"cost": "2"}, "values": [{"index": 2}]}), "value 2 of"),
        (json!({"values": [{"type": "URL", "data": "https://evil/"}]}), "value of type URL of"),
    ] {
        let refused = world.ask("beta", line, &[], Some(what.clone())).await;
        assert_eq!((refused.problem().as_str(), refused.status.as_u16()), ("forbidden", 403));
        assert!(
            refused.json()["detail"].as_str().unwrap().starts_with(named),
            "{}",
            refused.text()
        );
    }
    for asker in ["gamma", "beta within its prefix", "auditor", "node"] {
        let refused = world.ask(asker, line, &[], patch(json!({"cost": "3"}))).await;
        assert_eq!(refused.problem(), "forbidden", "{asker}");
    }
    for line in ["PUT /api/v1/identifiers/88.118.1%2FX", "DELETE /api/v1/identifiers/88.118.1%2FX"]
    {
        let whole = line.starts_with("PUT").then(|| json!({"attributes": {"cost": "2"}}));
        assert_eq!(world.ask("beta", line, &[], whole).await.problem(), "forbidden", "{line}");
    }
    world.revoke(&id).await;
    let late = world.ask("beta", line, &[], patch(json!({"cost": "4"}))).await;
    assert_eq!(late.problem(), "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_grant_is_told() {
    let world = World::new().await;
    let bad = json!({"subject": {"template": "88.118.1/none"}, "grantee": "everyone",
        "attributes": ["cost"], "access": "edit"});
    let ask = |body: Json| world.ask("acme", "POST /api/v1/grants", &[], Some(body));
    let paths = |reply: &Reply| -> Vec<String> {
        assert_eq!(reply.problem(), "faulty", "{}", reply.text());
        let faults = reply.json()["faults"].as_array().unwrap().clone();
        faults.iter().map(|fault| fault["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths(&ask(bad).await), ["access", "subject.template"]);
    let bad = json!({"subject": {"identifier": X}, "grantee": {"group": "acme.none"},
        "attributes": ["cost", "weight", "height"], "access": "nothing"});
    assert_eq!(
        paths(&ask(bad).await),
        ["access", "grantee.group", "attributes[1]", "attributes[2]"]
    );
    for (subject, grantee, path) in [
        (json!({"identifier": "88.118.8/1"}), json!({"registrant": "beta"}), "subject.identifier"),
        (json!({"identifier": "nonsense"}), json!({"registrant": "beta"}), "subject.identifier"),
        (json!({"identifier": X}), json!({"registrant": "nobody"}), "grantee.registrant"),
        (json!({"identifier": X}), json!({"group": "beta.g"}), "grantee.group"),
    ] {
        let grant = json!({"subject": subject, "grantee": grantee, "access": "view"});
        assert_eq!(paths(&ask(grant).await), [path]);
    }
    let own = json!({"granter": "beta", "subject": {"identifier": X},
        "grantee": "everyone", "access": "view"});
    assert_eq!(ask(own).await.problem(), "forbidden", "for another");
    let good = json!({"subject": {"identifier": X}, "grantee": "everyone", "access": "view"});
    for asker in ["beta", "gamma", "node", "auditor", "beta without read"] {
        let reply = world.ask(asker, "POST /api/v1/grants", &[], Some(good.clone())).await;
        assert_eq!(reply.problem(), "forbidden", "{asker}");
    }
    assert_eq!(
        world.ask("anonymous", "POST /api/v1/grants", &[], Some(good)).await.problem(),
        "unauthenticated"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_groups_are_kept_and_listed() {
    let world = World::new().await;
    let given =
        world.give(&body(json!({"identifier": X}), &("beta", &["plan", "cost"], "view"))).await;
    let by_group =
        world.give(&body(json!({"template": "88.118.1/T"}), &("group", &[], "view"))).await;
    let ids = |reply: &Reply, things: &str| -> Vec<String> {
        let list = reply.json()[things].as_array().unwrap().clone();
        list.iter().map(|thing| thing["id"].as_str().unwrap().to_owned()).collect()
    };
    let list = async |asker: &str, query: &str| {
        world.ask(asker, &format!("GET /api/v1/grants{query}"), &[], None).await
    };
    let mut both = vec![given.clone(), by_group.clone()];
    both.sort();
    assert_eq!(ids(&list("acme", "").await, "grants"), both);
    assert_eq!(ids(&list("auditor", "").await, "grants"), both);
    assert_eq!(ids(&list("acme", "?identifier=88.118.1/x").await, "grants"), [given.as_str()]);
    assert_eq!(ids(&list("acme", "?template=88.118.1/t").await, "grants"), [by_group.as_str()]);
    assert_eq!(ids(&list("beta", "?to=me").await, "grants"), [given.as_str()]);
    assert_eq!(ids(&list("gamma", "?to=me").await, "grants"), [by_group.as_str()]);
    assert_eq!(ids(&list("delta", "?to=me").await, "grants"), [""; 0]);
    let first = list("acme", "?limit=1").await;
    let next = first.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(ids(&list("acme", &format!("?limit=1&after={next}")).await, "grants"), both[1..]);
    assert_eq!(list("beta", "?granter=acme").await.problem(), "forbidden");
    assert_eq!(list("node", "?to=me").await.problem(), "bad-request");
    assert_eq!(ids(&list("acme", "?after=zzz").await, "grants"), both);

    let line = format!("GET /api/v1/grants/{given}");
    for (asker, status) in [("acme", 200), ("beta", 200), ("auditor", 200), ("gamma", 403)] {
        assert_eq!(world.ask(asker, &line, &[], None).await.status.as_u16(), status, "{asker}");
    }
    let document = world.ask("beta", &line, &[], None).await.json();
    assert_eq!(document["attributes"], json!(["cost", "plan"]));
    let again = body(json!({"identifier": X}), &("beta", &["cost"], "view"));
    assert_eq!(world.give(&again).await, given, "the same grant, with other attributes");
    let document = world.ask("beta", &line, &[], None).await.json();
    assert_eq!((&document["attributes"], &document["version"]), (&json!(["cost"]), &json!(2)));

    let group = "/api/v1/groups/acme.g";
    let used = world.ask("acme", &format!("DELETE {group}"), &[], None).await;
    assert_eq!(used.problem(), "wrong-state");
    assert!(used.text().contains(&by_group), "{}", used.text());
    let bad = json!({"members": ["gamma", "No Name", "nobody"]});
    let faulty = world.ask("acme", &format!("PUT {group}"), &[], Some(bad)).await.json();
    assert_eq!(faulty["faults"].as_array().unwrap().len(), 2, "{faulty}");
    let stale = ("if-match", "\"7\"");
    let put = format!("PUT {group}");
    let stale = world.ask("acme", &put, &[stale], Some(json!({"members": []}))).await;
    assert_eq!(stale.problem(), "condition-failed");
    world.revoke(&by_group).await;
    world.revoke(&by_group).await;
    let gone = world.ask("acme", &format!("GET /api/v1/grants/{by_group}"), &[], None).await;
    assert_eq!(gone.status, 404);
    assert_eq!(world.ask("acme", &format!("DELETE {group}"), &[], None).await.status, 204);
    assert_eq!(world.ask("acme", &format!("GET {group}"), &[], None).await.status, 404);
    let listed = world.ask("acme", "GET /api/v1/groups", &[], None).await;
    assert_eq!(ids(&listed, "groups"), [""; 0]);
    let other = world.ask("beta", &format!("GET {group}"), &[], None).await;
    assert_eq!(other.problem(), "forbidden");
    let unknown = world.ask("acme", "DELETE /api/v1/grants/acme.none", &[], None).await;
    assert_eq!(unknown.problem(), "not-registered");
    let foreign = world.ask("acme", "DELETE /api/v1/grants/beta.none", &[], None).await;
    assert_eq!(foreign.problem(), "forbidden");
}
