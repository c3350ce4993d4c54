//! The streamed import and the node after it: what they took, as tables and floors.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::catalogue::Item;
use crate::memory::{self, Watched};
use crate::node::Node;
use crate::process::Usage;
use crate::report::{Floor, Table, grouped, mebibytes, two_columns};
use crate::sample::Series;
use crate::{disk, import};

/// What the import found.
pub struct Loaded {
    count: u64,
    elapsed: Duration,
    sent_bytes: u64,
    summary: String,
    /// Memory while it ran.
    memory: Watched,
    /// Usage at the last acknowledgement, CPU time counted from the first byte.
    busy: Usage,
    /// The same when the node had come to rest.
    rested: Usage,
    disk_bytes: u64,
    rested_disk_bytes: u64,
}

impl Loaded {
    /// Imports the items 0 to `count` - 1 into an empty node.
    pub fn measure(node: &Node, data: &Path, count: u64) -> Result<Self> {
        let before = node.process.usage()?;
        let run = || import::run(node.http, count);
        let (imported, memory) = memory::watch(&node.process, run)?;
        let import::Imported { elapsed, sent_bytes, summary } = imported;
        let since = |usage: Usage| Usage { cpu: usage.cpu - before.cpu, ..usage };
        let busy = since(node.process.usage()?);
        let disk_bytes = disk::occupied_bytes(data)?;
        let rested = since(disk::wait_until_idle(&node.process)?.0);
        let rested_disk_bytes = disk::occupied_bytes(data)?;
        Ok(Self {
            count,
            elapsed,
            sent_bytes,
            summary,
            memory,
            busy,
            rested,
            disk_bytes,
            rested_disk_bytes,
        })
    }

    fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// What was found, as a table.
    pub fn table(&self) -> Table {
        let each = |total: f64| format!("{:.1}", total / self.count as f64);
        let cpu_us = |usage: &Usage| each(usage.cpu.as_secs_f64() * 1e6);
        let sizes = (0..1000).map(|n| Item::new(n * 997 % self.count).metadata_bytes());
        let metadata: usize = sizes.sum();
        two_columns(
            "Import",
            vec![
                ("identifiers", grouped(self.count as f64)),
                ("metadata of one, bytes", format!("{:.0}", metadata as f64 / 1000.0)),
                ("line of one, bytes", each(self.sent_bytes as f64)),
                ("first byte to last acknowledgement", format!("{:.1?}", self.elapsed)),
                ("identifiers per second", grouped(self.rate())),
                ("server CPU µs per identifier", cpu_us(&self.busy)),
                ("the same with all work it left for later", cpu_us(&self.rested)),
                ("resident memory during it, mean", mebibytes(self.memory.mean_bytes)),
                ("the same, most", mebibytes(self.memory.most_bytes)),
                ("resident memory after it", mebibytes(self.busy.resident_bytes)),
                ("peak of resident memory", mebibytes(self.rested.peak_bytes)),
                ("disk bytes per identifier after it", each(self.disk_bytes as f64)),
                ("the same at rest", each(self.rested_disk_bytes as f64)),
                ("the node's summary", format!("`{}`", self.summary)),
            ],
        )
    }

    /// What the project demands of it and of the look-ups behind it.
    pub fn floors(&self, at_end: &Usage, dns: &[Series]) -> [Floor; 3] {
        let rate = self.rate();
        let peak_bytes = self.busy.peak_bytes.max(at_end.peak_bytes);
        let own = dns.iter().filter(|series| series.server == "Nameplate");
        let slowest_us = own.map(|series| series.median().cpu_us).fold(0.0, f64::max);
        [
            Floor {
                what: "import",
                demand: format!("at least {}/s", grouped(MIN_IMPORT_RATE)),
                found: format!("{}/s", grouped(rate)),
                met: rate >= MIN_IMPORT_RATE,
            },
            Floor {
                what: "peak of resident memory",
                demand: format!(
                    "under {} with 1,000,000 identifiers",
                    mebibytes(MAX_RESIDENT_BYTES)
                ),
                found: format!("{} with {}", mebibytes(peak_bytes), grouped(self.count as f64)),
                met: peak_bytes < MAX_RESIDENT_BYTES,
            },
            Floor {
                what: "server CPU per DNS question, slowest row",
                demand: format!("at most {MAX_DNS_CPU_US} µs"),
                found: format!("{slowest_us:.1} µs"),
                met: slowest_us <= MAX_DNS_CPU_US,
            },
        ]
    }
}

/// The node after a clean stop and a new start.
pub struct Restarted {
    start_time: Duration,
    disk_bytes: u64,
    usage: Usage,
}

impl Restarted {
    /// Waits until the node rests and looks at it.
    pub fn measure(node: &Node, data: &Path) -> Result<Self> {
        let (usage, _) = disk::wait_until_idle(&node.process)?;
        let disk_bytes = disk::occupied_bytes(data)?;
        Ok(Self { start_time: node.start_time, disk_bytes, usage })
    }

    /// What was found, as a table; `at_end` is behind all look-ups.
    pub fn table(&self, count: u64, at_end: &Usage, knot: Option<Usage>) -> Table {
        let mut rows = vec![
            ("start after a clean stop", format!("{:.2?}", self.start_time)),
            ("disk bytes per identifier", format!("{:.1}", self.disk_bytes as f64 / count as f64)),
            ("resident memory after the start", mebibytes(self.usage.resident_bytes)),
            ("resident memory after all look-ups", mebibytes(at_end.resident_bytes)),
            ("peak", mebibytes(at_end.peak_bytes)),
        ];
        rows.extend(knot.map(|usage| ("Knot, for comparison", mebibytes(usage.resident_bytes))));
        two_columns("Memory and disk after a restart", rows)
    }
}

const MIN_IMPORT_RATE: f64 = 50_000.0;
const MAX_RESIDENT_BYTES: u64 = 1 << 30;
const MAX_DNS_CPU_US: f64 = 34.0;
