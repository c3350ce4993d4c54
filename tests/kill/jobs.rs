//! Imports of tables, which go on over kills: at the end exactly their lines are there, each once.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Writing, exchange};
use crate::harness::{ADMIN_TOKEN, Connection, Node, wait_until};

/// Jobs whose tables were acknowledged.
#[derive(Default)]
pub(super) struct JobTrace {
    /// Those that may not have ended.
    open: Mutex<Vec<Job>>,
}

#[derive(Clone)]
struct Job {
    id: String,
    /// Where its records are, and no others.
    prefix: String,
    /// Lines that were dealt with when it was last looked at.
    rows: u64,
}

/// Imports one table after the other until the node is gone.
pub(super) fn import_tables(writing: Writing<'_>) {
    let Some(mut connection) = writing.connect() else { return };
    loop {
        // What earlier rounds began goes on by itself.
        while writing.trace.jobs.open.lock().expect("no panic").len() >= OPEN_JOBS {
            if writing.is_dying() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let prefix = format!("88.118.95.{}", writing.number());
        let body = json!({"kind": "import", "format": "ndjson", "template": "88.118.97/lot",
            "prefix": prefix});
        let line = "POST /api/v1/jobs";
        let Some(job) = writing.ask(&mut connection, line, &body.to_string()) else { return };
        let id = job["id"].as_str().expect("a name").to_owned();
        let line = format!("PUT /api/v1/jobs/{id}/data");
        if writing.ask(&mut connection, &line, &table(&prefix)).is_none() {
            return;
        }
        writing.trace.jobs.open.lock().expect("no panic").push(Job { id, prefix, rows: 0 });
    }
}

/// Every other line names its identifier; those of the rest are minted.
fn table(prefix: &str) -> String {
    let line = |number: u64| match number.is_multiple_of(2) {
        true => json!({"identifier": format!("{prefix}/J{number}"),
            "attributes": {"serial": number.to_string()}}),
        false => json!({"attributes": {"serial": number.to_string()}}),
    };
    (0..LINES).map(|number| format!("{}\n", line(number))).collect()
}

impl JobTrace {
    /// Looks at all that may not have ended, and closely at what has.
    pub fn verify(&self, connection: &mut Connection, round: u64) {
        self.open.lock().expect("no panic").retain_mut(|job| {
            let line = format!("GET /api/v1/jobs/{}", job.id);
            let found = ask(connection, &line).expect("JSON");
            let rows = found["rows"].as_u64().expect("a number");
            assert!(rows >= job.rows, "round {round}: {found} fell behind {}", job.rows);
            job.rows = rows;
            match found["state"].as_str() {
                Some("running" | "waiting" | "queued") => true,
                Some("done") => {
                    settle(connection, job, &found);
                    false
                }
                _ => panic!("round {round}: {found}"),
            }
        });
    }

    /// Waits for the end of all.
    pub fn finish(&self, node: &Node) {
        let mut connection = Connection::open(node.http).expect("a connection");
        wait_until(Duration::from_secs(120), "the end of all imports", || {
            self.verify(&mut connection, u64::MAX);
            self.open.lock().expect("no panic").is_empty()
        });
    }
}

/// Each line of the table is one record, and there are no others.
fn settle(connection: &mut Connection, job: &Job, found: &Json) {
    let expected = json!({"created": LINES, "updated": 0, "unchanged": 0, "failed": 0});
    let tally = &found["tally"];
    for (name, number) in expected.as_object().expect("an object") {
        assert_eq!(tally[name].as_u64().unwrap_or(0), *number, "{name} of {found}");
    }
    let line = format!("GET /api/v1/exports?prefix={}", job.prefix);
    let reply = exchange(ADMIN_TOKEN, connection, &line, "").expect("an answer");
    let (text, mut serials) = (reply.text(), HashSet::new());
    for line in text.lines() {
        let record: Json = serde_json::from_str(line).expect("JSON");
        let serial = record["attributes"]["serial"].as_str().expect("a serial").to_owned();
        let number: u64 = serial.parse().expect("a number");
        let suffix = record["identifier"].as_str().expect("text").rsplit('/').next();
        let named = suffix == Some(format!("J{number}").as_str());
        assert_eq!(named, number.is_multiple_of(2), "{record}");
        assert!(number < LINES && serials.insert(serial), "{record} is there twice");
    }
    assert_eq!(serials.len() as u64, LINES, "{}: lines that are there", job.id);
}

fn ask(connection: &mut Connection, line: &str) -> Option<Json> {
    let reply = exchange(ADMIN_TOKEN, connection, line, "").expect("an answer");
    (reply.status == 200).then(|| reply.json())
}

/// Jobs that are begun before others have ended.
const OPEN_JOBS: usize = 2;

/// Lines of a table: enough for a job to live through kills.
const LINES: u64 = 5_000;
