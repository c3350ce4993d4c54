//! The measured node: a subprocess with a store of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::catalogue::NODE_PREFIX;
use crate::http::Connection;
use crate::process::Process;

/// A node that answers.
pub struct Node {
    /// The running program.
    pub process: Process,
    /// Where it answers HTTP.
    pub http: SocketAddr,
    /// Where it answers DNS.
    pub dns: SocketAddr,
    /// From the start to the first `/readyz` that said yes.
    pub start_time: Duration,
}

/// How to start a node.
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// The folder of its store.
    pub data: PathBuf,
    /// File for what it prints.
    pub log: PathBuf,
}

impl Launch {
    /// Starts the node on the cores and waits until it is ready.
    pub fn start(&self, cores: &str) -> Result<Node> {
        let addresses = self.data.join("addresses.json");
        // What an earlier node on the folder left would be taken for the new node's.
        let _ = fs::remove_file(&addresses);
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--data").arg(&self.data);
        command.args(["--http", "127.0.0.1:0", "--dns", "127.0.0.1:0", "--prefix", NODE_PREFIX]);
        command.env("NAMEPLATE_ADMIN_TOKEN", TOKEN);
        let started = Instant::now();
        let mut process = Process::start("the node", &command, cores, &self.log)?;
        while started.elapsed() < START_PATIENCE {
            process.check_runs()?;
            if let Some((http, dns)) = read_addresses(&addresses)
                && is_ready(http)
            {
                return Ok(Node { process, http, dns, start_time: started.elapsed() });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the node is not ready after {START_PATIENCE:?}; {}", process.last_words())
    }
}

/// The administrator's token of the measured node; it lives on loopback for minutes.
pub const TOKEN: &str = "nameplate-bench-admin-token-0123456789";

fn read_addresses(path: &Path) -> Option<(SocketAddr, SocketAddr)> {
    let json: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let address = |name: &str| json.get(name)?.as_str()?.parse().ok();
    Some((address("http")?, address("dns")?))
}

fn is_ready(http: SocketAddr) -> bool {
    let ask = || Connection::open(http, Duration::from_secs(1))?.exchange(READY_REQUEST);
    ask().is_ok_and(|status| status == 200)
}

const READY_REQUEST: &[u8] = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n";
const START_PATIENCE: Duration = Duration::from_secs(120);
