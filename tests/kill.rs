//! kill -9 at random moments under writers: whatever was acknowledged is there afterwards.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::{ADMIN_TOKEN, Chance, Connection, Launch, Node, decoded, output, segment};

const WRITERS: u64 = 8;
const NAMES_PER_WRITER: u64 = 40;

#[test]
fn acknowledged_changes_survive_kill_9() {
    let rounds = std::env::var("ROUNDS").map_or(20, |rounds| rounds.parse().expect("ROUNDS"));
    let mut chance = Chance::announced("kill test");
    let mut launch = Launch::fresh();
    let trace = Trace::default();
    for round in 0..rounds {
        let node = launch.start();
        trace.verify(&node, round);
        let dying = AtomicBool::new(false);
        launch = std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (trace, dying, address) = (&trace, &dying, node.http);
                let seed = Chance(chance.next());
                scope.spawn(move || hammer(trace, dying, address, writer, seed));
            }
            std::thread::sleep(Duration::from_millis(20 + chance.below(400)));
            dying.store(true, Ordering::Release);
            node.kill()
        });
        check(&launch);
    }
    let node = launch.start();
    trace.verify(&node, rounds);
    let count = trace.acknowledged.load(Ordering::Relaxed);
    println!("{rounds} rounds, {count} changes acknowledged, none lost");
    assert!(count > rounds * 20, "only {count} changes in {rounds} rounds");
}

/// What writers know.
#[derive(Default)]
struct Trace {
    names: Mutex<HashMap<String, Known>>,
    acknowledged: AtomicU64,
    keys: AtomicU64,
}

/// What is known of an identifier.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Version and content of the last acknowledged change; 0 when there is none.
    version: u64,
    content: u64,
    /// Key of that change.
    key: String,
    /// A change without an answer: key and content.
    pending: Option<(String, u64)>,
}

/// Changes identifiers of its own until the node is gone.
fn hammer(trace: &Trace, dying: &AtomicBool, address: SocketAddr, writer: u64, mut chance: Chance) {
    let Ok(mut connection) = Connection::open(address) else {
        assert!(dying.load(Ordering::Acquire), "no connection to a living node");
        return;
    };
    loop {
        let name = format!("88.118.{writer}/K{}", chance.below(NAMES_PER_WRITER));
        let content = chance.next() >> 12;
        let key = format!("key-{}", trace.keys.fetch_add(1, Ordering::Relaxed));
        let entry = |change: &mut dyn FnMut(&mut Known)| {
            change(trace.names.lock().expect("no panic").entry(name.clone()).or_default());
        };
        entry(&mut |known| known.pending = Some((key.clone(), content)));
        let reply = put(&mut connection, &name, &key, content);
        let Some(version) = reply else {
            assert!(dying.load(Ordering::Acquire), "no answer from a living node");
            return;
        };
        trace.acknowledged.fetch_add(1, Ordering::Relaxed);
        entry(&mut |known| {
            assert_eq!(version, known.version + 1, "{name}: versions go up by one");
            *known = Known { version, content, key: key.clone(), pending: None };
        });
    }
}

/// Registers and returns the version; none when the node is gone.
fn put(connection: &mut Connection, name: &str, key: &str, content: u64) -> Option<u64> {
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", key),
    ];
    let body = json!({"attributes": {"content": content.to_string()}}).to_string();
    let path = format!("/api/v1/identifiers/{}", segment(name));
    let reply = connection.exchange("PUT", &path, &headers, body.as_bytes()).ok()?;
    assert!(matches!(reply.status, 200 | 201), "{name}: {}", reply.text());
    reply.json()["version"].as_u64()
}

impl Trace {
    /// Compares the node with what was acknowledged, and repeats what has no answer yet.
    fn verify(&self, node: &Node, round: u64) {
        let mut connection = Connection::open(node.http).expect("a connection");
        let mut names = self.names.lock().expect("no panic");
        for (name, known) in names.iter_mut() {
            let path = format!("/api/v1/identifiers/{}", segment(name));
            let reply = connection.exchange("GET", &path, &[], b"").expect("an answer");
            if known.version > 0 {
                // A change repeated with its key says again what it said first.
                let again = put(&mut connection, name, &known.key, known.content);
                assert_eq!(again, Some(known.version), "round {round}: {name} repeated");
            }
            let found = content(&reply.body);
            let pending = known.pending.take();
            let applied = pending.as_ref().map(|(_, content)| (known.version + 1, *content));
            let acknowledged = (known.version, known.content);
            assert!(
                found == acknowledged || Some(found) == applied,
                "round {round}: {name} is {found:?}, acknowledged was {acknowledged:?}, \
                 pending {applied:?}"
            );
            if let Some((key, content)) = pending {
                let version = put(&mut connection, name, &key, content).expect("an answer");
                assert_eq!(version, known.version + 1, "round {round}: {name}: applied once");
                *known = Known { version, content, key, pending: None };
            }
        }
    }
}

/// Version and content of a record; zeros when there is none.
fn content(body: &[u8]) -> (u64, u64) {
    let record: Json = serde_json::from_slice(body).expect("JSON");
    let content = record["attributes"]["content"].as_str().and_then(|text| text.parse().ok());
    (record["version"].as_u64().unwrap_or(0), content.unwrap_or(0))
}

/// `nameplate check` finds nothing.
fn check(launch: &Launch) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_nameplate"));
    let output = output(command.arg("check").arg("--data").arg(launch.data()));
    let (stdout, stderr) = (decoded(&output.stdout), decoded(&output.stderr));
    assert!(output.status.success(), "check: {stdout}\n{stderr}");
}
