//! Stores written by released states of the program: they open, upgrade and verify for ever.
//!
//! `tests/stores/VERSION/` holds the folder of a stopped node as `data.tar.gz`, and in
//! `expected.json` what HTTP must answer for some paths. They are made once for a release:
//! `WRITE_STORE=1 cargo test --release --test main stores`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};

use crate::harness::{Launch, Node, output, program, text};

#[test]
fn stores_of_all_releases_open_and_verify() {
    if std::env::var_os("WRITE_STORE").is_some() {
        write();
    }
    let mut count = 0;
    for release in fs::read_dir(stores()).expect("tests/stores").flatten() {
        let folder = release.path();
        let launch = Launch::fresh();
        unpack(&folder, &launch);
        assert_sound(&launch);
        let node = launch.start();
        assert_expected(&node, &folder);
        // Work after an upgrade, then a restart.
        node.put("88.118/after-the-upgrade", &json!({"attributes": {"a": "b"}}));
        let (launch, _) = node.terminate();
        assert_sound(&launch);
        assert_expected(&launch.start(), &folder);
        count += 1;
    }
    assert!(count > 0, "no stores");
}

#[test]
fn a_newer_store_is_refused() {
    let folder = stores().join(env!("CARGO_PKG_VERSION"));
    let launch = Launch::fresh();
    unpack(&folder, &launch);
    let format = launch.data().join("store").join("FORMAT");
    fs::write(&format, "1000\n").expect("written");
    let refused = output(&mut launch.command());
    assert!(!refused.status.success());
    assert!(launch.log().contains("start the newer program"), "{}", launch.log());
}

/// Writes the store of this release into the tree.
fn write() {
    let folder = stores().join(env!("CARGO_PKG_VERSION"));
    fs::create_dir_all(&folder).expect("made");
    let node = Node::fresh();
    let mut expected = Map::new();
    for (identifier, bodies) in contents() {
        for body in &bodies {
            node.put(&identifier, body);
        }
    }
    for (method, path, body) in steps() {
        let reply = node.admin(method, path, &body.to_string());
        assert!(matches!(reply.status, 200 | 201), "{method} {path}: {reply:?}");
    }
    // A restart, so that there are sorted files beside the write-ahead log.
    let node = node.terminate().0.start();
    node.admin("DELETE", "/api/v1/identifiers/88.118%2Fretired", "");
    for (identifier, _) in contents().into_iter().take(8) {
        let path = format!("/api/v1/identifiers/{}", crate::harness::segment(&identifier));
        let history = format!("{path}/history");
        for path in [path, history] {
            expected.insert(path.clone(), answer(&node, &path));
        }
    }
    for path in KEPT {
        expected.insert(path.to_owned(), answer(&node, path));
    }
    let (launch, _) = node.terminate();
    let tar = folder.join("data.tar.gz");
    let mut command = program("tar");
    command.args(["--owner=0", "--group=0", "-C"]).arg(launch.folder()).arg("-czf").arg(&tar);
    text(command.args(["--exclude=LOG*", "data"]));
    let expected = serde_json::to_string_pretty(&expected).expect("JSON");
    fs::write(folder.join("expected.json"), expected + "\n").expect("written");
}

/// Identifiers and the bodies they are given, one after the other.
fn contents() -> Vec<(String, Vec<Json>)> {
    let url = |data: &str| json!([{"index": 1, "type": "URL", "data": data}]);
    let typed = json!({"model": "Q", "year": 2026, "ok": true, "parts": ["a", {"b": null}]});
    let plain = || json!({"attributes": {"a": "b"}});
    let reference = json!([{"handle": "0.NA/88.118", "index": 300}]);
    let values = json!([
        {"type": "BYTES", "data": {"format": "base64", "value": "AAEC/w=="}},
        {"type": "PRIVATE", "data": "x", "permissions": "1100", "ttl": 60},
        {"type": "REF", "data": "x", "references": reference},
        {"type": "E", "data": ""},
    ]);
    let mut all = vec![
        (
            "88.118.8/SN-001".to_owned(),
            vec![
                json!({"values": url("https://example.com/1"), "attributes": {"model": "P"}}),
                json!({"values": url("https://example.com/2"), "attributes": typed}),
            ],
        ),
        ("88.118/retired".to_owned(), vec![plain()]),
        ("88.118/泵/七".to_owned(), vec![json!({"attributes": {"名": "泵"}})]),
        (format!("88.118/{}", "long".repeat(40)), vec![plain()]),
        ("88.118/values".to_owned(), vec![json!({ "values": values })]),
    ];
    // Enough for full tiles of the ledger.
    all.extend((0..600).map(|n| (format!("88.118.9/{n}"), vec![json!({"attributes": {"n": n}})])));
    all
}

/// What is done beside that: a registrant with a prefix, a template, records that follow it, what
/// others are granted, and a transfer. Method, path and body.
fn steps() -> Vec<(&'static str, &'static str, Json)> {
    let acme = json!({"id": "acme", "name_zh": "泵业", "unified_code": "91110108MA00NP019P"});
    let prefix = json!({"prefix": "88.118.7", "registrant": "acme", "quota": {"identifiers": 9}});
    let attribute = |index: u32, name: &str, rules: Json| {
        let mut all = json!({"index": index, "name": name, "labels": {"en": name}});
        all.as_object_mut().expect("members").extend(rules.as_object().expect("rules").clone());
        all
    };
    let code = json!({"type": "string", "max_length": 8, "required": true, "unique": true,
        "indexed": true});
    let attributes = [
        attribute(2000, "code", code),
        attribute(2001, "power", json!({"type": "decimal", "unit": "kW", "indexed": true})),
        attribute(2002, "price", json!({"type": "decimal", "view": "owner"})),
        attribute(2003, "part_of", json!({"type": "reference"})),
    ];
    let suffix = json!({"parts": [{"text": "P"}, {"counter": {"digits": 4, "start": 1}}]});
    let template = json!({"labels": {"en": "Pump"}, "attributes": attributes, "suffix": suffix});
    let pump = |code: &str| {
        let attributes = json!({"code": code, "power": "5.5", "price": "100",
            "part_of": "88.118.8/SN-001"});
        json!({"prefix": "88.118.7", "template": "88.118.7/T", "attributes": attributes})
    };
    let template_subject = json!({"template": "88.118.7/T"});
    let grant = json!({"subject": template_subject, "granter": "acme", "access": "view",
        "grantee": {"group": "acme.friends"}, "attributes": ["price"]});
    vec![
        ("POST", "/api/v1/registrants", acme),
        ("POST", "/api/v1/registrants/acme/review", json!({})),
        ("POST", "/api/v1/registrants/acme/approve", json!({})),
        ("POST", "/api/v1/registrants", json!({"id": "beta", "name_zh": "贝塔"})),
        (
            "POST",
            "/api/v1/accounts",
            json!({"name": "line", "role": "application",
            "registrant": "acme"}),
        ),
        ("POST", "/api/v1/prefixes", prefix),
        ("POST", "/api/v1/prefixes/88.118.7/review", json!({})),
        ("POST", "/api/v1/prefixes/88.118.7/approve", json!({})),
        ("PUT", "/api/v1/templates/88.118.7%2FT", template),
        ("POST", "/api/v1/templates/88.118.7%2FT/publish", json!({})),
        ("POST", "/api/v1/identifiers", pump("A")),
        ("POST", "/api/v1/identifiers", pump("B")),
        ("PUT", "/api/v1/groups/acme.friends", json!({"members": ["beta"]})),
        ("POST", "/api/v1/grants", grant),
    ]
}

/// What the node says of a path: of identifiers to anybody, of all else to its staff.
fn answer(node: &Node, path: &str) -> Json {
    let open = path.starts_with("/api/v1/identifiers/");
    let reply = if open { node.get(path) } else { node.admin("GET", path, "") };
    json!({"status": reply.status, "body": reply.json()})
}

fn assert_sound(launch: &Launch) {
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_nameplate"));
    text(check.arg("check").arg("--data").arg(launch.data()));
}

fn assert_expected(node: &Node, folder: &Path) {
    let expected = fs::read(folder.join("expected.json")).expect("expected.json");
    let expected: Map<String, Json> = serde_json::from_slice(&expected).expect("JSON");
    for (path, wanted) in expected {
        let found = answer(node, &path);
        assert!(holds(&found, &wanted), "{path}: {found} where {wanted} was recorded");
    }
}

/// Whether all that was recorded is there as it was; later releases may tell more.
fn holds(found: &Json, wanted: &Json) -> bool {
    match (found, wanted) {
        (Json::Object(found), Json::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| found.get(name).is_some_and(|found| holds(found, wanted))),
        (Json::Array(found), Json::Array(wanted)) => {
            let pairs = found.iter().zip(wanted);
            found.len() == wanted.len() && pairs.into_iter().all(|(one, other)| holds(one, other))
        }
        (found, wanted) => found == wanted,
    }
}

fn unpack(folder: &Path, launch: &Launch) {
    let tar = folder.join("data.tar.gz");
    text(program("tar").arg("-C").arg(launch.folder()).arg("-xzf").arg(tar));
}

/// Paths that must be answered alike, beside those of records.
const KEPT: [&str; 12] = [
    "/api/v1/registrants",
    "/api/v1/registrants/acme/history",
    "/api/v1/accounts/line",
    "/api/v1/prefixes/88.118.7",
    "/api/v1/templates/88.118.7%2FT",
    "/api/v1/identifiers/88.118.7%2FP0001",
    "/api/v1/identifiers/88.118.7%2FP0002/history",
    "/api/v1/identifiers?prefix=88.118.7&template=88.118.7%2FT&where=code:B",
    "/api/v1/identifiers/88.118.8%2FSN-001/references",
    "/api/v1/groups",
    "/api/v1/grants?granter=acme",
    "/api/v1/audit?subject=prefix/88.118.7",
];

fn stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores")
}
