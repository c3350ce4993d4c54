//! The import of templated records by a job of the node.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};

use crate::node::Node;
use crate::process::Usage;
use crate::report::{Floor, Table, grouped, mebibytes, two_columns};
use crate::{api, disk, import};

/// What an import by a job came to.
pub struct Import {
    count: u64,
    file_bytes: u64,
    /// From the start of the job, which is the end of its upload.
    to_done: Duration,
    /// The same until the store had no work left.
    to_rest: Duration,
    /// When the job was done, CPU time since its start.
    done: Usage,
    /// The same at rest.
    rested: Usage,
    disk_bytes: u64,
    tally: String,
}

/// Imports `count` templated records into an empty node and waits until its store rests. The file
/// is made in `folder`.
pub fn measure(node: &Node, folder: &Path, data: &Path, count: u64) -> Result<Import> {
    let file = folder.join("records.ndjson");
    import::write_file(&file, count)?;
    api::publish_template(node.http)?;
    let task = json!({"kind": "import", "format": "ndjson"});
    let job = api::call(node.http, "POST", "/api/v1/jobs", &task)?;
    let id = job["id"].as_str().context("a job without a name")?;
    let path = format!("/api/v1/jobs/{id}");
    let file_bytes = api::put_file(node.http, &format!("{path}/data"), &file)?;
    fs::remove_file(&file)?;
    let (started, before) = (Instant::now(), node.process.usage()?);
    let since = |usage: Usage| Usage { cpu: usage.cpu - before.cpu, ..usage };

    let job = wait_until_done(node, &path)?;
    let (to_done, done) = (started.elapsed(), since(node.process.usage()?));
    let (rested, quiet) = disk::wait_until_idle(&node.process)?;
    let to_rest = (started.elapsed() - quiet).max(to_done);
    let pending = api::metric(node.http, "nameplate_store_pending_compaction_bytes")?;
    ensure!(pending == 0.0, "the store rests with {pending} bytes to compact");
    // The node's copy of the file goes with the job.
    api::call(node.http, "DELETE", &path, &Json::Null)?;
    let (disk_bytes, tally) = (disk::occupied_bytes(data)?, job["tally"].to_string());
    let rested = since(rested);
    Ok(Import { count, file_bytes, to_done, to_rest, done, rested, disk_bytes, tally })
}

/// The job when it is done with every record registered.
fn wait_until_done(node: &Node, path: &str) -> Result<Json> {
    loop {
        let job = api::call(node.http, "GET", path, &Json::Null)?;
        match job["state"].as_str() {
            Some("waiting" | "running") => std::thread::sleep(LOOK_EVERY),
            Some("done") if job["tally"]["created"] == job["rows"] => return Ok(job),
            _ => anyhow::bail!("the import went wrong: {job}"),
        }
    }
}

impl Import {
    /// What was found, as a table.
    pub fn table(&self) -> Table {
        let each = |total: f64| format!("{:.1}", total / self.count as f64);
        let cpu_us = |usage: &Usage| each(usage.cpu.as_secs_f64() * 1e6);
        let rate = |time: Duration| grouped(self.count as f64 / time.as_secs_f64());
        two_columns(
            "Import of templated records by a job",
            vec![
                ("records", grouped(self.count as f64)),
                ("line of one, bytes", each(self.file_bytes as f64)),
                ("start of the job to its end", format!("{:.1?}", self.to_done)),
                ("records per second", rate(self.to_done)),
                ("start of the job to the store at rest", format!("{:.1?}", self.to_rest)),
                ("records per second, compaction included", rate(self.to_rest)),
                ("server CPU µs per record", cpu_us(&self.done)),
                ("the same, compaction included", cpu_us(&self.rested)),
                ("peak of resident memory", mebibytes(self.rested.peak_bytes)),
                ("disk bytes per record at rest", each(self.disk_bytes as f64)),
                ("the job's tally", format!("`{}`", self.tally)),
            ],
        )
    }

    /// What the project demands of it.
    pub fn floors(&self) -> [Floor; 2] {
        let rate = self.count as f64 / self.to_rest.as_secs_f64();
        let peak_bytes = self.rested.peak_bytes;
        [
            Floor {
                what: "import of templated records, compaction included",
                demand: format!("at least {}/s with 10,000,000", grouped(MIN_RATE)),
                found: format!("{}/s with {}", grouped(rate), grouped(self.count as f64)),
                met: rate >= MIN_RATE,
            },
            Floor {
                what: "peak of resident memory in it",
                demand: format!("under {}", mebibytes(MAX_RESIDENT_BYTES)),
                found: mebibytes(peak_bytes),
                met: peak_bytes < MAX_RESIDENT_BYTES,
            },
        ]
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(100);
const MIN_RATE: f64 = 60_000.0;
const MAX_RESIDENT_BYTES: u64 = 1 << 30;
