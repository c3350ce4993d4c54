//! kill -9 at random moments under writers: whatever was acknowledged is there afterwards.
//!
//! Every writer changes things of its own and enters a fact into the trace after the answer only.

mod jobs;
mod mints;
mod prefixes;
mod transfers;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};

use self::jobs::JobTrace;
use self::prefixes::PrefixTrace;
use self::transfers::TransferTrace;
use crate::harness::{
    ADMIN_TOKEN, Chance, Connection, Launch, Node, Reply, decoded, output, segment,
};

#[test]
fn acknowledged_changes_survive_kill_9() {
    let rounds: u64 = std::env::var("ROUNDS").map_or(20, |rounds| rounds.parse().expect("ROUNDS"));
    let mut chance = Chance::announced("kill test");
    let mut acknowledged = 0;
    for first in (0..rounds).step_by(ROUNDS_PER_NODE) {
        let last = rounds.min(first + ROUNDS_PER_NODE as u64);
        acknowledged += torture(&mut chance, first..last);
        println!("{last} rounds, {acknowledged} changes acknowledged, none lost");
    }
    assert!(acknowledged > rounds * 20, "only {acknowledged} changes in {rounds} rounds");
}

/// Kills one node in each of the rounds and looks at it after each; how much was acknowledged.
fn torture(chance: &mut Chance, rounds: Range<u64>) -> u64 {
    let mut launch = Launch::fresh();
    let trace = Trace::default();
    for round in rounds.clone() {
        let node = launch.start();
        if round == rounds.start {
            mints::publish_templates(&node);
            trace.transfers.keep(transfers::enter_taker(&node));
        }
        trace.verify(&node, round);
        let dying = AtomicBool::new(false);
        launch = std::thread::scope(|scope| {
            let (trace, dying, address) = (&trace, &dying, node.http);
            for writer in 0..WRITERS {
                let seed = Chance(chance.next());
                scope.spawn(move || hammer(trace, dying, address, writer, seed));
            }
            scope.spawn(move || retire(trace, dying, address));
            scope.spawn(move || import(trace, dying, address));
            scope.spawn(move || mints::mint(trace, dying, address));
            scope.spawn(move || mints::mint(trace, dying, address));
            scope.spawn(move || mints::batch(trace, dying, address));
            let writing = Writing { trace, dying, address };
            scope.spawn(move || jobs::import_tables(writing));
            for _ in 0..2 {
                let seed = Chance(chance.next());
                scope.spawn(move || prefixes::allocate(writing, seed));
            }
            scope.spawn(move || transfers::hand_over(writing));
            std::thread::sleep(Duration::from_millis(20 + chance.below(400)));
            dying.store(true, Ordering::Release);
            node.kill()
        });
        check(&launch);
    }
    let node = launch.start();
    trace.verify(&node, rounds.end);
    trace.jobs.finish(&node);
    trace.acknowledged.load(Ordering::Relaxed)
}

/// What writers know.
#[derive(Default)]
struct Trace {
    names: Mutex<HashMap<String, Known>>,
    /// Identifiers whose retiring was acknowledged.
    retired: Mutex<HashSet<String>>,
    /// Identifiers whose import was acknowledged.
    imported: Mutex<HashSet<String>>,
    /// Identifiers whose minting was acknowledged, in any round.
    minted: Mutex<HashSet<String>>,
    /// Batches that were sent, whether they were acknowledged or not.
    batches: Mutex<Vec<Vec<String>>>,
    jobs: JobTrace,
    prefixes: PrefixTrace,
    transfers: TransferTrace,
    acknowledged: AtomicU64,
    keys: AtomicU64,
}

/// A writer of one round.
#[derive(Clone, Copy)]
struct Writing<'a> {
    trace: &'a Trace,
    dying: &'a AtomicBool,
    address: SocketAddr,
}

impl Writing<'_> {
    /// A connection; none when the node is gone.
    fn connect(&self) -> Option<Connection> {
        let connection = Connection::open(self.address).ok();
        assert!(connection.is_some() || self.is_dying(), "no connection to a living node");
        connection
    }

    /// A number that no other writer has.
    fn number(&self) -> u64 {
        self.trace.keys.fetch_add(1, Ordering::Relaxed)
    }

    /// The answer to a request, which must be a success; none when the node is gone.
    fn ask(&self, by: &mut Connection, line: &str, body: &str) -> Option<Json> {
        self.ask_as(ADMIN_TOKEN, by, line, body)
    }

    /// As `ask`, by the holder of another token.
    fn ask_as(&self, secret: &str, by: &mut Connection, line: &str, body: &str) -> Option<Json> {
        let Ok(reply) = exchange(secret, by, line, body) else {
            assert!(self.is_dying(), "no answer from a living node to {line}");
            return None;
        };
        assert!(matches!(reply.status, 200 | 201), "{line}: {}", reply.text());
        self.trace.acknowledged.fetch_add(1, Ordering::Relaxed);
        Some(reply.json())
    }

    fn is_dying(&self) -> bool {
        self.dying.load(Ordering::Acquire)
    }
}

/// Sends a request with a token; `line` is method and path.
fn exchange(secret: &str, by: &mut Connection, line: &str, body: &str) -> std::io::Result<Reply> {
    let bearer = format!("Bearer {secret}");
    let (method, path) = line.split_once(' ').expect("method and path");
    let is_table = path.ends_with("/data");
    let kind = if is_table { "application/x-ndjson" } else { "application/json" };
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
    by.exchange(method, path, &headers, body.as_bytes())
}

/// What is known of an identifier.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Version of the last acknowledged change; 0 when there is none.
    version: u64,
    /// That change.
    last: Change,
    /// A change without an answer.
    pending: Option<Change>,
}

/// A change that can be repeated.
#[derive(Clone, Debug, Default)]
struct Change {
    key: String,
    content: u64,
    /// PATCH rather than PUT; both come to the same content.
    patch: bool,
}

/// Changes identifiers of its own until the node is gone.
fn hammer(trace: &Trace, dying: &AtomicBool, address: SocketAddr, writer: u64, mut chance: Chance) {
    let Ok(mut connection) = Connection::open(address) else {
        assert!(dying.load(Ordering::Acquire), "no connection to a living node");
        return;
    };
    loop {
        let name = format!("88.118.{writer}/K{}", chance.below(NAMES_PER_WRITER));
        let key = format!("key-{}", trace.keys.fetch_add(1, Ordering::Relaxed));
        let entry = |change: &mut dyn FnMut(&mut Known)| {
            change(trace.names.lock().expect("no panic").entry(name.clone()).or_default());
        };
        let mut change = Change { key, content: chance.next() >> 12, patch: false };
        entry(&mut |known| {
            change.patch = known.version > 0 && change.content.is_multiple_of(2);
            known.pending = Some(change.clone());
        });
        let Some(version) = make(&mut connection, &name, &change) else {
            assert!(dying.load(Ordering::Acquire), "no answer from a living node");
            return;
        };
        trace.acknowledged.fetch_add(1, Ordering::Relaxed);
        entry(&mut |known| {
            assert_eq!(version, known.version + 1, "{name}: versions go up by one");
            *known = Known { version, last: change.clone(), pending: None };
        });
    }
}

/// Makes a change and returns the version; none when the node is gone.
fn make(connection: &mut Connection, name: &str, change: &Change) -> Option<u64> {
    let bearer = bearer();
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", &change.key),
    ];
    let body = json!({"attributes": {"content": change.content.to_string()}}).to_string();
    let method = if change.patch { "PATCH" } else { "PUT" };
    let reply = connection.exchange(method, &path(name), &headers, body.as_bytes()).ok()?;
    assert!(matches!(reply.status, 200 | 201), "{name}: {}", reply.text());
    reply.json()["version"].as_u64()
}

/// Registers and retires one identifier after the other until the node is gone.
fn retire(trace: &Trace, dying: &AtomicBool, address: SocketAddr) {
    let Ok(mut connection) = Connection::open(address) else { return };
    let bearer = bearer();
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    loop {
        let name = format!("88.118.99/R{}", trace.keys.fetch_add(1, Ordering::Relaxed));
        let body = br#"{"attributes":{"a":"b"}}"#;
        let made = connection.exchange("PUT", &path(&name), &headers, body);
        let retired = made.and_then(|made| {
            assert_eq!(made.status, 201, "{name}: {}", made.text());
            connection.exchange("DELETE", &path(&name), &headers, b"")
        });
        match retired {
            Ok(reply) => assert!(reply.status < 300, "{name}: {}", reply.text()),
            Err(error) => {
                assert!(dying.load(Ordering::Acquire), "a living node: {error}");
                return;
            }
        }
        trace.retired.lock().expect("no panic").insert(name);
        trace.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// Imports batch after batch until the node is gone; a line counts when its outcome is there.
fn import(trace: &Trace, dying: &AtomicBool, address: SocketAddr) {
    let Ok(mut connection) = Connection::open(address) else { return };
    let bearer = bearer();
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/x-ndjson")];
    loop {
        let first = trace.keys.fetch_add(100, Ordering::Relaxed);
        let name = |line: u64| format!("88.118.98/I{}", first + line);
        let line = |line| json!({"identifier": name(line), "attributes": {"n": line}});
        let body: String = (1..=100).map(|number| format!("{}\n", line(number))).collect();
        let reply = connection.exchange("POST", "/api/v1/imports", &headers, body.as_bytes());
        // Outcomes that arrived before the end count too: the lines are in the reply's chunks.
        let (body, ended) = match reply {
            Ok(reply) => (reply.body, false),
            Err(_) => (connection.take_partial_body(), true),
        };
        let text = String::from_utf8_lossy(&body).into_owned();
        let outcomes = text.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        for outcome in outcomes.filter(|outcome| outcome["outcome"] == "created") {
            let line = outcome["line"].as_u64().expect("a number");
            trace.imported.lock().expect("no panic").insert(name(line));
            trace.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        if ended {
            assert!(dying.load(Ordering::Acquire), "a living node ended an import");
            return;
        }
    }
}

impl Trace {
    /// Compares the node with what was acknowledged, and repeats what has no answer yet.
    fn verify(&self, node: &Node, round: u64) {
        let mut connection = Connection::open(node.http).expect("a connection");
        let mut names = self.names.lock().expect("no panic");
        for (name, known) in names.iter_mut() {
            let reply = connection.exchange("GET", &path(name), &[], b"").expect("an answer");
            if known.version > 0 {
                // A change repeated with its key says again what it said first.
                let again = make(&mut connection, name, &known.last);
                assert_eq!(again, Some(known.version), "round {round}: {name} repeated");
            }
            let found = content(&reply.body);
            let pending = known.pending.take();
            let applied = pending.as_ref().map(|change| (known.version + 1, change.content));
            let acknowledged = (known.version, known.last.content);
            assert!(
                found == acknowledged || Some(found) == applied,
                "round {round}: {name} is {found:?}, acknowledged was {acknowledged:?}, \
                 pending {applied:?}"
            );
            if let Some(last) = pending {
                let version = make(&mut connection, name, &last).expect("an answer");
                assert_eq!(version, known.version + 1, "round {round}: {name}: applied once");
                *known = Known { version, last, pending: None };
            }
        }
        for names in self.batches.lock().expect("no panic").drain(..) {
            let status = |name: &String| {
                connection.exchange("GET", &path(name), &[], b"").expect("an answer").status
            };
            let found: HashSet<u16> = names.iter().map(status).collect();
            assert_eq!(found.len(), 1, "round {round}: {names:?} were written in part");
        }
        self.jobs.verify(&mut connection, round);
        self.prefixes.verify(&mut connection, round);
        self.transfers.verify(&mut connection, round);
        for (names, status) in [(&self.retired, 410), (&self.imported, 200)] {
            // What was seen in an earlier round is not looked at again.
            for name in names.lock().expect("no panic").drain() {
                let reply = connection.exchange("GET", &path(&name), &[], b"");
                assert_eq!(reply.expect("an answer").status, status, "round {round}: {name}");
            }
        }
    }
}

fn path(name: &str) -> String {
    format!("{IDENTIFIERS}/{}", segment(name))
}

fn bearer() -> String {
    format!("Bearer {ADMIN_TOKEN}")
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

const IDENTIFIERS: &str = "/api/v1/identifiers";

const WRITERS: u64 = 8;
const NAMES_PER_WRITER: u64 = 40;

/// A node grows with every round, and looking at all of it takes longer and longer.
const ROUNDS_PER_NODE: usize = 20;
