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
    // A restart, so that there are sorted files beside the write-ahead log.
    let node = node.terminate().0.start();
    node.admin("DELETE", "/api/v1/identifiers/88.118%2Fretired", "");
    for (identifier, _) in contents().into_iter().take(8) {
        let path = format!("/api/v1/identifiers/{}", crate::harness::segment(&identifier));
        let history = format!("{path}/history");
        for path in [path, history] {
            let reply = node.get(&path);
            expected.insert(path, json!({"status": reply.status, "body": reply.json()}));
        }
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

fn assert_sound(launch: &Launch) {
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_nameplate"));
    text(check.arg("check").arg("--data").arg(launch.data()));
}

fn assert_expected(node: &Node, folder: &Path) {
    let expected = fs::read(folder.join("expected.json")).expect("expected.json");
    let expected: Map<String, Json> = serde_json::from_slice(&expected).expect("JSON");
    for (path, wanted) in expected {
        let reply = node.get(&path);
        let found = json!({"status": reply.status, "body": reply.json()});
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

fn stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores")
}
