//! Measures a node as its users meet it: a program of its own, asked over loopback sockets.
//!
//! One run imports made-up catalogue data, asks for them over DNS and HTTP, writes single records
//! durably, and prints rates, latencies, memory, disk, and the server's CPU time per operation.
//! CPU time comes from /proc and counts all threads of the server; in look-ups and writes the
//! server has one core and the load generator another, so that rows of different servers compare.

#![warn(missing_docs)]

mod catalogue;
mod disk;
mod dns_load;
mod http;
mod http_load;
mod import;
mod latency;
mod lookups;
mod machine;
mod memory;
mod node;
mod options;
mod peers;
mod postgres;
mod process;
mod random;
mod report;
mod sample;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::catalogue::Item;
use crate::memory::Watched;
use crate::node::{Launch, Node};
use crate::options::{Options, Part};
use crate::postgres::Postgres;
use crate::process::{Cores, Usage};
use crate::report::{Floor, Report, Table, grouped, mebibytes};
use crate::sample::Series;

fn main() -> Result<()> {
    let options = Options::parse();
    match &options.part {
        Some(Part::Echo) => return peers::echo(),
        Some(Part::Lines { path }) => {
            let bytes = import::write_file(path, options.import_records)?;
            eprintln!("{} in {}", mebibytes(bytes), path.display());
            return Ok(());
        }
        None => {}
    }
    let work = Workplace::open(options.data()?)?;
    let report = measure(&options, &work.folder)?;
    drop(work);
    let (date, commit) = (time::OffsetDateTime::now_utc().date(), machine::commit());
    let head = format!("`make bench` of {date} at commit {commit}.");
    let text = report.to_markdown(&head);
    println!("{}", report.floor_table().to_markdown());
    if !options.quick {
        fs::write(&options.results, text)
            .with_context(|| format!("cannot write {}", options.results.display()))?;
        eprintln!("written to {}", options.results.display());
    }
    if !report.all_met() {
        eprintln!("not every floor is met");
    }
    Ok(())
}

fn measure(options: &Options, folder: &Path) -> Result<Report> {
    let cores = Cores::choose()?;
    cores.bind_self()?;
    let mut report = Report { method: describe(options, folder, &cores), ..Report::default() };
    let (data, log) = (folder.join("store"), folder.join("node.log"));
    let launch = Launch { program: options.node()?, data, log };
    let count = options.identifiers();

    eprintln!("importing {} identifiers", grouped(count as f64));
    let mut node = launch.start(&cores.all)?;
    let loaded = measure_import(&node, &launch.data, count)?;
    report.add(loaded.table(count));
    node.process.terminate(STOP_PATIENCE)?;
    let node = launch.start(&cores.server)?;
    let restarted = Restarted::measure(&node, &launch.data)?;

    eprintln!("starting what to compare with");
    let echo = peers::start_echo(folder, &cores.server)?;
    let (mut knot, mut nginx, mut postgres) = (None, None, None);
    if !options.no_peers {
        knot = peers::start_knot(folder, &cores.server, count)?;
        nginx = peers::start_nginx(folder, &cores.server)?;
        postgres = Postgres::start(folder, &cores.server)?;
    }
    let dns = lookups::measure_dns(options, &node, &echo, knot.as_ref())?;
    report.add(sample::tabulate("DNS over UDP, 64 questions under way", &dns));
    let http = lookups::measure_http(options, &node, nginx.as_ref())?;
    report.add(sample::tabulate("HTTP, 32 kept-alive connections", &http));
    let serving = node.process.usage()?;
    let sync_rate = disk::measure_sync_rate(folder)?;
    let writes = lookups::measure_writes(options, &node, postgres.as_ref())?;
    report.add(sample::tabulate("Durable writes, one new identifier each", &writes));

    let knot = knot.map(|knot| knot.process.usage()).transpose()?;
    let at_end = node.process.usage()?;
    let peak_bytes = loaded.busy.peak_bytes.max(at_end.peak_bytes);
    report.add(restarted.table(count, &serving, &at_end, knot));
    let note = format!("fdatasync of 4 KiB just before the writes: {}/s", grouped(sync_rate));
    report.method.push(note);
    report.floors = floors(&loaded, count, peak_bytes, &dns, &writes);
    Ok(report)
}

/// What the import found.
struct Loaded {
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

fn measure_import(node: &Node, data: &Path, count: u64) -> Result<Loaded> {
    let before = node.process.usage()?;
    let run = || import::run(node.http, count);
    let (imported, memory) = memory::watch(&node.process, run)?;
    let import::Imported { elapsed, sent_bytes, summary } = imported;
    let since = |usage: Usage| Usage { cpu: usage.cpu - before.cpu, ..usage };
    let busy = since(node.process.usage()?);
    let disk_bytes = disk::occupied_bytes(data)?;
    let rested = since(disk::wait_until_idle(&node.process)?);
    let rested_disk_bytes = disk::occupied_bytes(data)?;
    Ok(Loaded { elapsed, sent_bytes, summary, memory, busy, rested, disk_bytes, rested_disk_bytes })
}

impl Loaded {
    fn rate(&self, count: u64) -> f64 {
        count as f64 / self.elapsed.as_secs_f64()
    }

    fn table(&self, count: u64) -> Table {
        let each = |total: f64| format!("{:.1}", total / count as f64);
        let cpu_us = |usage: &Usage| each(usage.cpu.as_secs_f64() * 1e6);
        let metadata: usize = (0..1000).map(|n| Item::new(n * 997 % count).metadata_bytes()).sum();
        two_columns(
            "Import",
            vec![
                ("identifiers", grouped(count as f64)),
                ("metadata of one, bytes", format!("{:.0}", metadata as f64 / 1000.0)),
                ("line of one, bytes", each(self.sent_bytes as f64)),
                ("first byte to last acknowledgement", format!("{:.1?}", self.elapsed)),
                ("identifiers per second", grouped(self.rate(count))),
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
}

/// The node after a clean stop and a new start.
struct Restarted {
    start_time: Duration,
    disk_bytes: u64,
    usage: Usage,
}

impl Restarted {
    fn measure(node: &Node, data: &Path) -> Result<Self> {
        let usage = disk::wait_until_idle(&node.process)?;
        let disk_bytes = disk::occupied_bytes(data)?;
        Ok(Self { start_time: node.start_time, disk_bytes, usage })
    }

    fn table(&self, count: u64, serving: &Usage, at_end: &Usage, knot: Option<Usage>) -> Table {
        let mut rows = vec![
            ("start after a clean stop", format!("{:.2?}", self.start_time)),
            ("disk bytes per identifier", format!("{:.1}", self.disk_bytes as f64 / count as f64)),
            ("resident memory after the start", mebibytes(self.usage.resident_bytes)),
            ("resident memory after all look-ups", mebibytes(serving.resident_bytes)),
            ("peak, writes included", mebibytes(at_end.peak_bytes)),
        ];
        rows.extend(knot.map(|usage| ("Knot, for comparison", mebibytes(usage.resident_bytes))));
        two_columns("Memory and disk after a restart", rows)
    }
}

fn two_columns(title: &'static str, rows: Vec<(&str, String)>) -> Table {
    let rows = rows.into_iter().map(|(what, found)| vec![what.to_owned(), found]).collect();
    Table { title, columns: vec!["what", "found"], rows }
}

fn floors(
    loaded: &Loaded,
    count: u64,
    peak_bytes: u64,
    dns: &[Series],
    writes: &[Series],
) -> Vec<Floor> {
    let rate = loaded.rate(count);
    let own = dns.iter().filter(|series| series.server == "Nameplate");
    let slowest_us = own.map(|series| series.median().cpu_us).fold(0.0, f64::max);
    let mut floors = vec![
        Floor {
            what: "import",
            demand: format!("at least {}/s", grouped(MIN_IMPORT_RATE)),
            found: format!("{}/s", grouped(rate)),
            met: rate >= MIN_IMPORT_RATE,
        },
        Floor {
            what: "peak of resident memory",
            demand: format!("under {} with 1,000,000 identifiers", mebibytes(MAX_RESIDENT_BYTES)),
            found: format!("{} with {}", mebibytes(peak_bytes), grouped(count as f64)),
            met: peak_bytes < MAX_RESIDENT_BYTES,
        },
        Floor {
            what: "server CPU per DNS question, slowest row",
            demand: format!("at most {MAX_DNS_CPU_US} µs"),
            found: format!("{slowest_us:.1} µs"),
            met: slowest_us <= MAX_DNS_CPU_US,
        },
    ];
    if let [own, postgres] = writes {
        let (own, theirs) = (own.median().rate, postgres.median().rate);
        floors.push(Floor {
            what: "durable registrations",
            demand: format!("at least {}/s, as {}", grouped(theirs), postgres.server),
            found: format!("{}/s", grouped(own)),
            met: own >= theirs,
        });
    }
    floors
}

fn describe(options: &Options, folder: &Path, cores: &Cores) -> Vec<String> {
    let rounds = options.rounds();
    let mut points = machine::describe(folder);
    points.push(format!(
        "import: server on cores {}, generator on {}; everything else: server on core {}, \
         generator on core {}",
        cores.all, cores.load, cores.server, cores.load
    ));
    points.push(format!(
        "look-ups and writes: median by CPU time of {rounds} rounds, servers in turn"
    ));
    points.push(
        "CPU is user + system time of all threads and children of the server from /proc".to_owned(),
    );
    points.push(
        "DNS questions alternate between URI and TXT, RD set, no EDNS; a wrong, refused, limited \
         or truncated answer fails the run"
            .to_owned(),
    );
    points
}

/// The folder of a run: its own while it lasts, empty before, gone afterwards.
struct Workplace {
    folder: PathBuf,
    _lock: File,
}

impl Workplace {
    fn open(folder: PathBuf) -> Result<Self> {
        let lock = folder.with_extension("lock");
        let lock = File::create(&lock).with_context(|| format!("cannot write {lock:?}"))?;
        ensure!(lock.try_lock().is_ok(), "another run uses {}", folder.display());
        if folder.exists() {
            let own = folder.join(MARK).exists() || folder.read_dir()?.next().is_none();
            ensure!(own, "{} is not empty and not from a benchmark", folder.display());
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        File::create(folder.join(MARK))?;
        let folder = folder.canonicalize()?;
        Ok(Self { folder, _lock: lock })
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What is left is removed by the next run.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Name of the file that marks a folder as one that may be emptied.
const MARK: &str = "made-by-nameplate-bench";

/// How long the node may take to end cleanly.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

const MIN_IMPORT_RATE: f64 = 50_000.0;
const MAX_RESIDENT_BYTES: u64 = 1 << 30;
const MAX_DNS_CPU_US: f64 = 34.0;
