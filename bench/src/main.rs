//! Measures a node as its users meet it: a program of its own, asked over loopback sockets.
//!
//! One run imports made-up catalogue data, asks for them over DNS and HTTP, writes single records
//! durably, and prints rates, latencies, memory, disk, and the server's CPU time per operation.
//! CPU time comes from /proc and counts all threads of the server; in look-ups and writes the
//! server has one core and the load generator another, so that rows of different servers compare.

#![warn(missing_docs)]

mod api;
mod catalogue;
mod disk;
mod dns_load;
mod find;
mod http;
mod http_load;
mod import;
mod job;
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
mod stream;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::node::{Launch, Node};
use crate::options::{Only, Options, Part};
use crate::postgres::Postgres;
use crate::process::{Cores, Usage};
use crate::report::{Floor, Report, grouped, mebibytes};
use crate::sample::Series;
use crate::stream::{Loaded, Restarted};

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
    if !options.quick && options.only.is_none() {
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
    if options.wants(Only::Lookups) || options.wants(Only::Writes) {
        measure_serving(options, folder, &cores, &mut report)?;
    }
    if options.wants(Only::Import) || options.wants(Only::Find) {
        measure_records(options, folder, &cores, &mut report)?;
    }
    Ok(report)
}

/// The streamed import, then look-ups and writes with one core.
fn measure_serving(
    options: &Options,
    folder: &Path,
    cores: &Cores,
    report: &mut Report,
) -> Result<()> {
    let launch = launch(options, folder, "store")?;
    let count = options.identifiers();
    let mut loaded = None;
    if options.wants(Only::Lookups) {
        eprintln!("importing {} identifiers", grouped(count as f64));
        let mut node = launch.start(&cores.all)?;
        let found = Loaded::measure(&node, &launch.data, count)?;
        report.add(found.table());
        loaded = Some(found);
        node.process.terminate(STOP_PATIENCE)?;
    }
    let node = launch.start(&cores.server)?;
    if let Some(loaded) = loaded {
        let restarted = Restarted::measure(&node, &launch.data)?;
        let (dns, knot) = measure_lookups(options, folder, cores, &node, report)?;
        let at_end = node.process.usage()?;
        report.add(restarted.table(count, &at_end, knot));
        report.floors.extend(loaded.floors(&at_end, &dns));
    }
    if options.wants(Only::Writes) {
        measure_writes(options, folder, cores, &node, report)?;
    }
    Ok(())
}

/// DNS and HTTP; gives what DNS came to and what Knot used.
fn measure_lookups(
    options: &Options,
    folder: &Path,
    cores: &Cores,
    node: &Node,
    report: &mut Report,
) -> Result<(Vec<Series>, Option<Usage>)> {
    eprintln!("starting what to compare with");
    let echo = peers::start_echo(folder, &cores.server)?;
    let (mut knot, mut nginx) = (None, None);
    if !options.no_peers {
        knot = peers::start_knot(folder, &cores.server, options.identifiers())?;
        nginx = peers::start_nginx(folder, &cores.server)?;
    }
    let dns = lookups::measure_dns(options, node, &echo, knot.as_ref())?;
    report.add(sample::tabulate("DNS over UDP, 64 questions under way", &dns));
    let http = lookups::measure_http(options, node, nginx.as_ref())?;
    report.add(sample::tabulate("HTTP, 32 kept-alive connections", &http));
    Ok((dns, knot.map(|knot| knot.process.usage()).transpose()?))
}

fn measure_writes(
    options: &Options,
    folder: &Path,
    cores: &Cores,
    node: &Node,
    report: &mut Report,
) -> Result<()> {
    let mut postgres = None;
    if !options.no_peers {
        postgres = Postgres::start(folder, &cores.server)?;
    }
    let sync_rate = disk::measure_sync_rate(folder)?;
    let note = format!("fdatasync of 4 KiB just before the writes: {}/s", grouped(sync_rate));
    report.method.push(note);
    let writes = lookups::measure_writes(options, node, postgres.as_ref())?;
    report.add(sample::tabulate("Durable writes, one new templated identifier each", &writes));
    if let [own, postgres] = &*writes {
        let (own, theirs) = (own.median().rate, postgres.median().rate);
        report.floors.push(Floor {
            what: "durable registrations",
            demand: format!("at least {}/s, as {}", grouped(theirs), postgres.server),
            found: format!("{}/s, {:.2} times as many", grouped(own), own / theirs.max(1e-9)),
            met: own >= theirs,
        });
    }
    Ok(())
}

/// The import by a job, and pages out of its records.
fn measure_records(
    options: &Options,
    folder: &Path,
    cores: &Cores,
    report: &mut Report,
) -> Result<()> {
    let launch = launch(options, folder, "records")?;
    let count = options.import_records();
    let node = launch.start(&cores.all)?;
    eprintln!("importing {} templated records", grouped(count as f64));
    let imported = job::measure(&node, folder, &launch.data, count)?;
    report.add(imported.table());
    report.floors.extend(imported.floors());
    if options.wants(Only::Find) {
        let found = find::measure(&node, count, options.operations(PAGES))?;
        report.add(sample::tabulate("Pages of 100 records", &found));
        report.floors.push(find::floor(&found, count));
    }
    Ok(())
}

fn launch(options: &Options, folder: &Path, name: &str) -> Result<Launch> {
    let (data, log) = (folder.join(name), folder.join(format!("{name}.log")));
    Ok(Launch { program: options.node()?, data, log })
}

fn describe(options: &Options, folder: &Path, cores: &Cores) -> Vec<String> {
    let rounds = options.rounds();
    let mut points = machine::describe(folder);
    points.push(format!(
        "imports and pages: server on cores {}, generator on {}; everything else: server on core \
         {}, generator on core {}",
        cores.all, cores.load, cores.server, cores.load
    ));
    points.push(format!(
        "look-ups and writes: median by CPU time of {rounds} rounds, servers in turn"
    ));
    points.push(
        "CPU is user + system time of all threads and children of the server from /proc; load busy \
         is that of the load generator"
            .to_owned(),
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

/// Pages found in each way.
const PAGES: u64 = 500;
