//! Finding, following and auditing from the command line, over a real store.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::{Node, nameplate, output, text, wait_until};

fn lines(node: &Node, arguments: &[&str]) -> Vec<Json> {
    let printed = text(&mut nameplate(node, &[arguments, &["--json"]].concat()));
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{printed}"));
    printed.lines().map(read).collect()
}

#[test]
fn what_was_done_is_found_followed_audited_and_counted() {
    let node = Node::fresh();
    for number in 0..5 {
        let attributes = json!({"model": format!("=P-{number}")});
        node.put(&format!("88.118.8/{number}"), &json!({"attributes": attributes}));
    }
    text(&mut nameplate(&node, &["retire", "88.118.8/3", "--reason", "=scrapped"]));
    let found = lines(&node, &["find", "--prefix", "88.118.8", "--limit", "3"]);
    assert_eq!(found.len(), 3);
    let retired =
        lines(&node, &["find", "--status", "retired", "--modified-from", "2020-01-01T00:00:00Z"]);
    assert_eq!(retired[0]["identifier"], "88.118.8/3");
    let shown = text(&mut nameplate(&node, &["find", "--prefix", "88.118.8"]));
    assert!(shown.contains("88.118.8/0  active, version 1  model==P-0"), "{shown}");
    let refused = output(&mut nameplate(&node, &["find", "--where", "model:x"]));
    assert!(!refused.status.success());
    assert!(lines(&node, &["find", "--refers-to", "88.118.8/0"]).is_empty());

    let changes = lines(&node, &["changes", "--prefix", "88.118.8", "--limit", "0"]);
    assert_eq!((changes.len(), &changes[5]["kind"]), (6, &json!("retire")));
    let after = changes[4]["position"].as_str().expect("a position");
    let rest = lines(&node, &["changes", "--prefix", "88.118.8", "--after", after]);
    assert_eq!(rest, changes[5..]);
    let audit = lines(&node, &["audit", "--kind", "retire"]);
    assert_eq!(audit[0]["reason"], "=scrapped");
    let table = text(&mut nameplate(&node, &["audit", "--kind", "retire", "--export", "csv"]));
    assert!(table.contains("'=scrapped"), "{table}");

    let looked_up = || {
        let days = lines(&node, &["statistics", "--prefix", "88.118"]);
        days.iter().filter_map(|day| day["lookups"]["http"]["record"].as_u64()).sum::<u64>()
    };
    text(&mut nameplate(&node, &["resolve", "88.118.8/0"]));
    let days = lines(&node, &["statistics", "--prefix", "88.118"]);
    let sum = |name: &str| days.iter().filter_map(|day| day[name].as_u64()).sum::<u64>();
    assert_eq!((sum("registrations"), sum("retirements")), (5, 1), "{days:?}");
    wait_until(Duration::from_secs(30), "the look-up is counted", || looked_up() >= 1);
    let table = text(&mut nameplate(&node, &["statistics", "--csv"]));
    assert!(table.lines().count() >= 2, "{table}");
}

#[test]
fn changes_are_followed_as_they_are_made() {
    let node = Node::fresh();
    node.put("88.118.8/before", &json!({"attributes": {"a": 1}}));
    let follow = ["changes", "--follow", "--prefix", "88.118.8", "--json"];
    let mut command = nameplate(&node, &follow);
    let mut following = command.stdout(Stdio::piped()).spawn().expect("nameplate runs");
    let mut printed = BufReader::new(following.stdout.take().expect("a pipe")).lines();
    let mut next = || -> Json {
        let line = printed.next().expect("another line").expect("readable");
        serde_json::from_str(&line).expect("JSON")
    };
    assert_eq!(next()["subject"], "88.118.8/before");
    node.put("88.118.8/after", &json!({"attributes": {"a": 1}}));
    assert_eq!(next()["subject"], "88.118.8/after");
    following.kill().expect("it runs");
    following.wait().expect("it ends");
}
