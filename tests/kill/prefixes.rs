//! Prefixes on their way from application to end: no number comes twice, no step is lost.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use serde_json::json;

use super::{Writing, exchange, path};
use crate::harness::{ADMIN_TOKEN, Chance, Connection};

/// Prefixes that were applied for.
#[derive(Default)]
pub(super) struct PrefixTrace {
    /// Numbers given out in any round.
    given: Mutex<HashSet<String>>,
    /// The last acknowledged version of those of this round.
    versions: Mutex<HashMap<String, u64>>,
    /// Identifiers that were registered below them in this round.
    registered: Mutex<Vec<(String, &'static str)>>,
}

/// Applies for prefixes and takes some of the steps with each until the node is gone.
pub(super) fn allocate(writing: Writing<'_>, mut chance: Chance) {
    let Some(mut connection) = writing.connect() else { return };
    let acknowledge = |prefix: &str, version: u64| {
        let mut versions = writing.trace.prefixes.versions.lock().expect("no panic");
        versions.insert(prefix.to_owned(), version);
    };
    loop {
        let wished = format!("88.118.93.{}", writing.number());
        // What is registered below it before counts under it later.
        let (body, by_number) = match chance.below(2) {
            0 => (json!({"parent": "88.118.94"}), true),
            _ => (json!({"prefix": wished}), false),
        };
        if !by_number && register(writing, &mut connection, &wished, "before").is_none() {
            return;
        }
        let line = "POST /api/v1/prefixes";
        let Some(made) = writing.ask(&mut connection, line, &body.to_string()) else { return };
        let prefix = made["prefix"].as_str().expect("a prefix").to_owned();
        let mut given = writing.trace.prefixes.given.lock().expect("no panic");
        assert!(given.insert(prefix.clone()), "{prefix} was given out twice");
        drop(given);
        acknowledge(&prefix, 1);
        let body = json!({"reason": "as agreed"}).to_string();
        for (step, version) in STEPS.iter().zip(2..).take(chance.below(6) as usize) {
            let line = format!("POST /api/v1/prefixes/{prefix}/{step}");
            let Some(changed) = writing.ask(&mut connection, &line, &body) else { return };
            assert_eq!(changed["version"].as_u64(), Some(version), "{changed}");
            acknowledge(&prefix, version);
            let open = STATES[version as usize - 1] == "allocated";
            if open && register(writing, &mut connection, &prefix, step).is_none() {
                return;
            }
        }
    }
}

/// Registers an identifier; none when the node is gone.
fn register(
    writing: Writing<'_>,
    connection: &mut Connection,
    prefix: &str,
    suffix: &'static str,
) -> Option<()> {
    let name = format!("{prefix}/{suffix}");
    let body = r#"{"attributes":{"a":"b"}}"#;
    writing.ask(connection, &format!("PUT {}", path(&name)), body)?;
    let mut registered = writing.trace.prefixes.registered.lock().expect("no panic");
    registered.push((prefix.to_owned(), suffix));
    Some(())
}

impl PrefixTrace {
    /// Every prefix is where it was acknowledged to be, or one step ahead.
    pub fn verify(&self, connection: &mut Connection, round: u64) {
        for (prefix, acknowledged) in self.versions.lock().expect("no panic").drain() {
            let line = format!("GET /api/v1/prefixes/{prefix}");
            let reply = exchange(ADMIN_TOKEN, connection, &line, "").expect("an answer");
            assert_eq!(reply.status, 200, "round {round}: {prefix}: {}", reply.text());
            let found = reply.json();
            let version = found["version"].as_u64().expect("a number");
            let known = acknowledged..=acknowledged + 1;
            assert!(known.contains(&version), "round {round}: {found} after {acknowledged}");
            let state = STATES.get(version as usize - 1);
            assert_eq!(found["state"].as_str(), state.copied(), "round {round}: {found}");
        }
        for (prefix, suffix) in self.registered.lock().expect("no panic").drain(..) {
            let line = format!("GET /api/v1/prefixes/{prefix}");
            let state = exchange(ADMIN_TOKEN, connection, &line, "").expect("an answer").json();
            // Below a closed prefix there are tombstones.
            let status = if state["state"] == "closed" { 410 } else { 200 };
            let line = format!("GET {}", path(&format!("{prefix}/{suffix}")));
            let reply = exchange(ADMIN_TOKEN, connection, &line, "").expect("an answer");
            assert_eq!(reply.status, status, "round {round}: {line}");
        }
    }
}

/// The steps of a prefix's life, in order.
const STEPS: [&str; 5] = ["review", "approve", "suspend", "resume", "close"];

/// The states of its versions.
const STATES: [&str; 6] =
    ["applied", "under-review", "allocated", "suspended", "allocated", "closed"];
