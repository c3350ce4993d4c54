//! Backups of running and stopped nodes, and what comes back from them.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::harness::{Launch, Node, decoded, nameplate, output, text};

/// Our program without a node.
fn offline(launch: &Launch, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nameplate"));
    command.args(arguments).current_dir(launch.folder());
    command
}

fn check(launch: &Launch, data: &str) -> Json {
    let printed = text(offline(launch, &["check", "--json", "--data", data]).env_clear());
    serde_json::from_str(&printed).expect("JSON")
}

#[test]
fn a_backup_of_a_running_node_comes_back() {
    let node = Node::fresh();
    for number in 0..300 {
        node.put(&format!("88.118/{number}"), &json!({"attributes": {"n": number}}));
    }
    node.admin("DELETE", "/api/v1/identifiers/88.118%2F7", "");
    let said = output(&mut nameplate(&node, &["backup", "--output", "copy.npb"]));
    assert!(said.status.success(), "{}", decoded(&said.stderr));
    let words = decoded(&said.stdout) + &decoded(&said.stderr);
    assert!(words.contains("private keys"), "says whether it holds keys: {words}");
    node.put("88.118/later", &json!({"attributes": {"n": 0}}));
    let launch = node.launch().clone();

    // An older state: the ledger must not go on as if nothing had been lost.
    text(&mut offline(&launch, &["restore", "copy.npb", "--data", "older"]));
    let report = check(&launch, "older");
    assert_eq!(report["faults"], 0, "{report}");
    let refused = output(&mut offline(&launch, &["restore", "copy.npb", "--data", "older"]));
    assert!(!refused.status.success(), "a folder with a node in it is never overwritten");

    // With the keys from elsewhere, even the old log's commitments can be compared.
    let words = "restore copy.npb --data keyed --keys data/keys";
    text(&mut offline(&launch, &words.split(' ').collect::<Vec<_>>()));
    let keyed = check(&launch, "keyed");
    assert_eq!((&keyed["faults"], &keyed["unproved_logs"]), (&json!(0), &json!([])), "{keyed}");
    assert_eq!(report["unproved_logs"].as_array().map(Vec::len), Some(1), "{report}");

    drop(node);
    std::fs::rename(launch.data(), launch.folder().join("original")).expect("moved");
    std::fs::rename(launch.folder().join("older"), launch.data()).expect("moved");
    let node = launch.start();
    for number in (0..300).filter(|&number| number != 7) {
        let path = format!("/api/v1/identifiers/88.118%2F{number}");
        assert_eq!(node.get(&path).expect(200)["attributes"]["n"], number);
    }
    assert_eq!(node.get("/api/v1/identifiers/88.118%2F7").status, 410);
    assert_eq!(node.get("/api/v1/identifiers/88.118%2Flater").status, 404);
    node.put("88.118/later", &json!({"attributes": {"n": 1}}));
    let (launch, _) = node.terminate();
    assert_eq!(check(&launch, "data")["faults"], 0);
}

#[test]
fn a_backup_of_a_stopped_node_comes_back() {
    let node = Node::fresh();
    node.put("88.118/x", &json!({"attributes": {"a": "b"}}));
    let running =
        output(&mut offline(node.launch(), &["backup", "--data", "data", "--output", "copy.npb"]));
    assert!(!running.status.success(), "the node has the folder open");
    let (launch, _) = node.terminate();
    text(&mut offline(&launch, &["backup", "--data", "data", "--output", "copy.npb"]));
    text(&mut offline(&launch, &["restore", "copy.npb", "--data", "again"]));
    assert_eq!(check(&launch, "again")["faults"], 0);

    // Nothing was written since: with its keys the node goes on with its ledger.
    text(&mut offline(
        &launch,
        &["backup", "--data", "data", "--with-keys", "--output", "all.npb"],
    ));
    let words = "restore all.npb --data same --nothing-lost --json";
    let printed = text(&mut offline(&launch, &words.split(' ').collect::<Vec<_>>()));
    let restored: Json = serde_json::from_str(&printed).expect("JSON");
    assert!(restored["ledger"].as_str().is_some_and(|name| name.ends_with("/log/1")), "{restored}");
    assert_eq!(check(&launch, "same")["faults"], 0);
}

#[test]
fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let node = Node::fresh();
    for number in 0..50 {
        node.put(&format!("88.118/{number}"), &json!({"attributes": {"n": number}}));
    }
    let (launch, _) = node.terminate();
    text(&mut offline(&launch, &["backup", "--data", "data", "--output", "copy.npb"]));
    let whole = std::fs::read(launch.folder().join("copy.npb")).expect("a backup");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let damaged = [("cut", &whole[..whole.len() - 1]), ("half", &whole[..whole.len() / 2])];
    let damaged = damaged.into_iter().chain([("flipped", &flipped[..]), ("empty", &[][..])]);
    for (name, bytes) in damaged {
        let file = format!("{name}.npb");
        std::fs::write(launch.folder().join(&file), bytes).expect("written");
        let output = output(&mut offline(&launch, &["restore", &file, "--data", name]));
        assert!(!output.status.success(), "{name}: {}", decoded(&output.stdout));
        let said = decoded(&output.stderr);
        assert!(!said.contains("panicked"), "{name}: {said}");
        let left = launch.folder().join(name);
        assert!(!left.join("store").exists(), "{name}: half a store is left");
    }
}

#[test]
fn check_says_what_is_wrong() {
    let node = Node::fresh();
    for number in 0..50 {
        node.put(&format!("88.118/{number}"), &json!({"attributes": {"n": number}}));
    }
    let (launch, _) = node.terminate();
    assert_eq!(check(&launch, "data")["faults"], 0);
    // Damage in the middle of the store's files must be seen, never served or panicked on.
    let mut damaged = 0;
    for file in std::fs::read_dir(launch.data().join("store")).expect("a folder").flatten() {
        let path = file.path();
        let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let mut bytes = std::fs::read(&path).unwrap_or_default();
        if matches!(kind.as_str(), "sst" | "log") && bytes.len() > 500 {
            let middle = bytes.len() / 2;
            bytes[middle..middle + 16].fill(0x5a);
            std::fs::write(&path, bytes).expect("written");
            damaged += 1;
        }
    }
    assert!(damaged > 0, "no file to damage");
    let report = output(&mut offline(&launch, &["check", "--data", "data"]));
    assert!(!report.status.success(), "{}", decoded(&report.stdout));
    assert!(!decoded(&report.stderr).contains("panicked"), "{}", decoded(&report.stderr));
}
