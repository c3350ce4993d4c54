//! Servers as child processes: started on chosen cores, accounted from /proc, killed in the end.
//!
//! A child dies with this process, whatever ends it: on drop, and through the parent-death signal
//! that `setpriv` sets. Children are started from the main thread only, because that signal follows
//! the thread.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A running server.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` on the cores; what it prints goes to `log`.
    pub fn start(name: &str, command: &Command, cores: &str, log: &Path) -> Result<Self> {
        let output = File::create(log).with_context(|| format!("cannot write {log:?}"))?;
        let mut wrapped = Command::new("setpriv");
        wrapped.args(["--pdeathsig", "KILL", "taskset", "-c", cores]);
        wrapped.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            wrapped.env(name, value.unwrap_or_default());
        }
        wrapped.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = wrapped
            .spawn()
            .context("cannot run setpriv (package util-linux), which starts the servers")?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// CPU time so far, that of its children included, and memory, its own.
    pub fn usage(&self) -> Result<Usage> {
        let id = self.child.id();
        let own = Usage::read(id).with_context(|| format!("{} does not run", self.name))?;
        Ok(Usage { cpu: own.cpu + children_cpu(id)?, ..own })
    }

    /// Fails when the server has ended.
    pub fn check_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} has ended: {status}; {}", self.name, self.last_words()),
        }
    }

    /// The end of what the server printed, for the message of a run that fails.
    pub fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = &text[text.len().saturating_sub(MAX_LAST_WORDS)..];
        format!("it printed: {}", String::from_utf8_lossy(text).trim())
    }

    /// Asks the server to end and waits for it.
    pub fn terminate(&mut self, patience: Duration) -> Result<()> {
        let id = self.child.id();
        Command::new("sh").arg("-c").arg(format!("kill -TERM {id}")).status()?;
        let asked = Instant::now();
        while asked.elapsed() < patience {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("{} did not end within {} s of SIGTERM", self.name, patience.as_secs())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only for a child that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time of all its threads and of its children that have ended.
    pub cpu: Duration,
    /// Resident memory now, in bytes.
    pub resident_bytes: u64,
    /// The most resident memory it ever had, in bytes.
    pub peak_bytes: u64,
}

impl Usage {
    /// That of this program.
    pub fn own() -> Result<Self> {
        Self::read(std::process::id())
    }

    fn read(id: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let usage = Self {
            cpu: cpu_time(&stat).context("unexpected form of /proc/PID/stat")?,
            resident_bytes: field_bytes(&status, "VmRSS:").unwrap_or_default(),
            peak_bytes: field_bytes(&status, "VmHWM:").unwrap_or_default(),
        };
        anyhow::ensure!(usage.resident_bytes > 0, "process {id} has ended");
        Ok(usage)
    }
}

/// Cores for the measured servers and for this process.
pub struct Cores {
    /// The one core that servers get for look-ups and writes.
    pub server: String,
    /// The core of the load generators.
    pub load: String,
    /// All cores, for an import.
    pub all: String,
}

impl Cores {
    /// Takes the first allowed core for the server and the second for the load; with a single
    /// core both share it.
    pub fn choose() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let all = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let all = all.context("no Cpus_allowed_list in /proc/self/status")?.trim().to_owned();
        let cores = parse_list(&all);
        let server = cores.first().context("no core allowed")?.to_string();
        let load = cores.get(1).map_or_else(|| server.clone(), u32::to_string);
        Ok(Self { server, load, all })
    }

    /// Binds this process to the load's core.
    pub fn bind_self(&self) -> Result<()> {
        let id = std::process::id().to_string();
        let status = Command::new("taskset")
            .args(["-a", "-c", "-p", &self.load, &id])
            .stdout(Stdio::null())
            .status()
            .context("cannot run taskset (package util-linux)")?;
        anyhow::ensure!(status.success(), "taskset failed: {status}");
        Ok(())
    }
}

/// CPU time of the children that live, or have ended without their parent's having noticed.
fn children_cpu(parent: u32) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for entry in fs::read_dir("/proc").context("cannot list /proc")? {
        // Processes end while they are looked at.
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else { continue };
        if parent_of(&stat) == Some(parent) {
            total += cpu_time(&stat).unwrap_or_default();
        }
    }
    Ok(total)
}

/// The fields of proc(5) from the third on: those behind the name in parentheses.
fn fields(stat: &str) -> Option<std::str::SplitWhitespace<'_>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace())
}

/// Field 4.
fn parent_of(stat: &str) -> Option<u32> {
    fields(stat)?.nth(1)?.parse().ok()
}

/// utime, stime, cutime and cstime: fields 14 to 17.
fn cpu_time(stat: &str) -> Option<Duration> {
    let ticks = fields(stat)?.skip(11).take(4).map(|ticks| ticks.parse::<u64>().ok());
    Some(Duration::from_millis(ticks.sum::<Option<u64>>()? * TICK_MS))
}

fn field_bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// `0-2,5` as numbers; parts of another form are left out.
fn parse_list(list: &str) -> Vec<u32> {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<u32>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// Linux reports CPU time to user space in hundredths of a second on every common architecture.
const TICK_MS: u64 = 10;

const MAX_LAST_WORDS: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 30 70 20 0 4 0 99 1 2";
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(3)));
        assert_eq!(parent_of(stat), Some(1));
        assert_eq!(field_bytes("VmHWM:\t  2048 kB\nVmRSS:\t1024 kB\n", "VmRSS:"), Some(1 << 20));
        assert_eq!(parse_list("0-2,5"), [0, 1, 2, 5]);
        assert!(Usage::read(std::process::id()).unwrap().peak_bytes > 0);
    }

    #[test]
    fn a_child_ends_with_its_owner() {
        let cores = Cores::choose().unwrap();
        let mut command = Command::new("sleep");
        command.arg("600");
        let log = std::env::temp_dir().join(format!("nameplate-bench-{}", std::process::id()));
        let mut process = Process::start("sleep", &command, &cores.all, &log).unwrap();
        process.check_runs().unwrap();
        let id = process.child.id();
        drop(process);
        let _ = fs::remove_file(&log);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }
}
