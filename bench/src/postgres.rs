//! PostgreSQL beside the node: what a plain table takes when every row has to be durable.
//!
//! A cluster of its own, as Debian configures one: `fsync` and `synchronous_commit` are on. It
//! listens on a Unix socket in its folder, which is beside the node's store, so that both sync to
//! the same disk. A row is an identifier, the primary key, and the JSON that the node is sent.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::latency::Outcome;
use crate::process::Process;
use crate::sample::Sample;

/// A running PostgreSQL with an empty table.
pub struct Postgres {
    /// The name its rows carry.
    pub name: String,
    process: Process,
    folder: PathBuf,
}

impl Postgres {
    /// Starts PostgreSQL 15, if Debian's package is installed, on the core.
    pub fn start(folder: &Path, core: &str) -> Result<Option<Self>> {
        if !Path::new(PROGRAMS).join("postgres").is_file() {
            return Ok(None);
        }
        let folder = folder.join("postgres");
        fs::create_dir_all(&folder)?;
        let user = server_user(&folder)?;
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group))?;
        }
        let data = folder.join("data");
        let mut make = server_program("initdb", user);
        make.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--username", USER]);
        run(make.arg("-D").arg(&data))?;
        let mut command = server_program("postgres", user);
        command.arg("-D").arg(&data).args(["-c", "listen_addresses="]);
        command.arg("-c").arg(format!("unix_socket_directories={}", folder.display()));
        let process = Process::start("PostgreSQL", &command, core, &folder.join("log"))?;
        let mut postgres = Self { name: String::new(), process, folder };
        postgres.wait_until_ready()?;
        let version = run(postgres.client("psql").args(["-Atc", "SHOW server_version"]))?;
        let version = version.split(' ').next().unwrap_or_default().trim();
        postgres.name = format!("PostgreSQL {version}");
        let table = "CREATE TABLE record (identifier text PRIMARY KEY, body text NOT NULL)";
        run(postgres.client("psql").args(["-c", table]))?;
        Ok(Some(postgres))
    }

    /// Inserts about `rows` rows with this body, one transaction each, through 32 clients with
    /// prepared statements. Every round has a number of its own.
    pub fn measure_inserts(&self, round: u64, rows: u64, body: &str) -> Result<Sample> {
        let script = self.folder.join("insert.sql");
        fs::write(&script, INSERT)?;
        let log = self.folder.join(format!("round-{round}"));
        let mut command = self.client("pgbench");
        command.args(["-M", "prepared", "-n", "-l", "-c", CLIENTS, "-j", THREADS, "--log-prefix"]);
        command.arg(&log).arg("-f").arg(&script);
        command.args(["-t", &(rows / CLIENT_COUNT).max(1).to_string()]);
        command.arg("-D").arg(format!("k={}", round * ROUND_STEP));
        command.arg("-D").arg(format!("body={body}"));
        Sample::take(&self.process, || {
            let printed = run(&mut command)?;
            let mut outcome = read_latencies(&self.folder, &log)?;
            let rate = number_behind(&printed, "tps = ").context("pgbench told no rate")?;
            outcome.elapsed = Duration::from_secs_f64(outcome.right as f64 / rate.max(1e-9));
            let failed = number_behind(&printed, "number of failed transactions: ");
            if failed != Some(0.0) {
                outcome.count_wrong(|| printed);
            }
            Ok(outcome)
        })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            self.process.check_runs()?;
            if run(self.client("psql").args(["-c", "SELECT 1"])).is_ok() {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        bail!("PostgreSQL does not answer; {}", self.process.last_words())
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(Path::new(PROGRAMS).join(program));
        command.arg("-h").arg(&self.folder).args(["-U", USER]).env("PGDATABASE", "postgres");
        command
    }
}

/// User and group of the server, which refuses to be root: those that Debian's package makes. None
/// when this program, and so the folder it made, is not root's.
fn server_user(folder: &Path) -> Result<Option<(u32, u32)>> {
    if fs::metadata(folder)?.uid() != 0 {
        return Ok(None);
    }
    let id = |flag: &str| -> Result<u32> {
        let printed = run(Command::new("id").args([flag, "postgres"]))?;
        printed.trim().parse().context("id printed no number")
    };
    Ok(Some((id("-u")?, id("-g")?)))
}

/// A program of the server as that user. It may go through folders on the way to its own that only
/// root may enter. The parent-death signal is set anew, because a change of user clears it.
fn server_program(program: &str, user: Option<(u32, u32)>) -> Command {
    let program = Path::new(PROGRAMS).join(program);
    let Some((user, group)) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups"]);
    command.args(["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]);
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// What a program printed; it must succeed.
fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let told = command.output().with_context(|| format!("cannot run {name}"))?;
    let said = String::from_utf8_lossy(&told.stderr);
    ensure!(told.status.success(), "{name}: {}: {}", told.status, said.trim());
    Ok(String::from_utf8_lossy(&told.stdout).into_owned())
}

/// Reads what `pgbench --log` writes, a file for each thread: the third number of a line is the
/// transaction's time in microseconds.
fn read_latencies(folder: &Path, prefix: &Path) -> Result<Outcome> {
    let prefix = prefix.file_name().unwrap_or_default().to_string_lossy().into_owned() + ".";
    let mut outcome = Outcome::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(&prefix) {
            continue;
        }
        for line in fs::read_to_string(entry.path())?.lines() {
            let us = line.split(' ').nth(2).and_then(|us| us.parse().ok());
            outcome.count_right(Duration::from_micros(us.context("a line of another form")?));
        }
    }
    Ok(outcome)
}

fn number_behind(text: &str, words: &str) -> Option<f64> {
    text.split_once(words)?.1.split([' ', '\n']).next()?.parse().ok()
}

/// One row; `k` counts a client's rows. Its identifier is as long as the catalogue's are.
const INSERT: &str = "\
\\set k :k + 1
\\set n 100000000000 + :client_id * 1000000000 + :k
INSERT INTO record VALUES ('88.118.100000/S-' || cast(:n as text), :body);
";

/// What a round's rows are numbered from.
const ROUND_STEP: u64 = 1_000_000;

const CLIENTS: &str = "32";
const CLIENT_COUNT: u64 = 32;
const THREADS: &str = "2";
const USER: &str = "nameplate";

/// Where Debian's package postgresql-15 keeps its programs.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Cores;

    #[test]
    fn postgres_takes_every_row_when_it_is_installed() {
        let folder = std::env::temp_dir().join(format!("nameplate-pg-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let core = Cores::choose().unwrap().all;
        if let Some(postgres) = Postgres::start(&folder, &core).unwrap() {
            let body = r#"{"attributes":{"a":"it's"}}"#;
            let samples = [0, 1].map(|round| postgres.measure_inserts(round, 640, body).unwrap());
            for sample in samples {
                assert!(sample.rate > 0.0 && sample.p50_us > 0.0, "{sample:?}");
            }
            let count = "SELECT count(*), min(body), max(length(identifier)) FROM record";
            let counted = run(postgres.client("psql").args(["-Atc", count])).unwrap();
            assert_eq!(counted.trim(), format!("1280|{body}|28"));
            let durable = "SELECT string_agg(setting, ',' ORDER BY name) FROM pg_settings \
                           WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes')";
            let durable = run(postgres.client("psql").args(["-Atc", durable])).unwrap();
            assert_eq!(durable.trim(), "on,on,on");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_pgbench_prints_is_read() {
        let text = "number of failed transactions: 0 (0.000%)\n\
                    tps = 1234.500000 (without initial connection time)\n";
        assert_eq!(number_behind(text, "tps = "), Some(1234.5));
        assert_eq!(number_behind(text, "number of failed transactions: "), Some(0.0));
        assert_eq!(number_behind(text, "latency = "), None);
    }
}
