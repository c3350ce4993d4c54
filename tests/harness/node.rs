//! Starting, stopping and killing nodes.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tempfile::TempDir;

use super::{Reply, exchange, segment, wait_until};

/// A running node; killed when dropped.
pub struct Node {
    launch: Launch,
    process: Child,
    /// Where HTTP is.
    pub http: SocketAddr,
    /// Where HTTPS is, if it was asked for.
    pub https: Option<SocketAddr>,
    /// Where DNS is.
    pub dns: SocketAddr,
}

/// How to start a node.
#[derive(Clone)]
pub struct Launch {
    folder: Arc<TempDir>,
    arguments: Vec<String>,
    wrapper: Vec<String>,
    token: Option<String>,
}

impl Launch {
    /// In a fresh folder, with the default prefix.
    pub fn fresh() -> Self {
        let folder = TempDir::with_prefix("nameplate-").expect("a temporary folder");
        Self {
            folder: Arc::new(folder),
            arguments: Vec::new(),
            wrapper: Vec::new(),
            token: Some(ADMIN_TOKEN.to_owned()),
        }
    }

    /// With more arguments for `serve`.
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Under another program, such as strace.
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Without an admin token in the environment.
    pub fn without_token(mut self) -> Self {
        self.token = None;
        self
    }

    /// A folder that the test may use beside the data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the node has written to stdout and stderr.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The command that starts the node.
    pub fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_nameplate");
        let mut command = match self.wrapper.split_first() {
            Some((wrapper, rest)) => {
                let mut command = Command::new(wrapper);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"));
        let log = log.expect("a log file");
        command
            .arg("serve")
            .arg("--data")
            .arg(self.data())
            .args(["--http", "127.0.0.1:0", "--dns", "127.0.0.1:0"])
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .env_remove("NAMEPLATE_ADMIN_TOKEN")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log);
        if let Some(token) = &self.token {
            command.env("NAMEPLATE_ADMIN_TOKEN", token);
        }
        command
    }

    /// Starts the node and waits until it serves.
    pub fn start(self) -> Node {
        let addresses = self.data().join("addresses.json");
        let _ = fs::remove_file(&addresses);
        let mut process = self.command().spawn().expect("the node starts");
        let mut found = None;
        wait_until(START_LIMIT, "the node's addresses", || {
            if let Some(status) = process.try_wait().expect("a process") {
                panic!("the node ended with {status}:\n{}", self.log());
            }
            found = fs::read(&addresses).ok().and_then(|file| serde_json::from_slice(&file).ok());
            found.is_some()
        });
        let found: Json = found.expect("addresses");
        let address = |name: &str| found[name].as_str().and_then(|text| text.parse().ok());
        let node = Node {
            http: address("http").expect("an HTTP address"),
            https: address("https"),
            dns: address("dns").expect("a DNS address"),
            launch: self,
            process,
        };
        wait_until(START_LIMIT, "readiness", || node.get("/readyz").status == 200);
        node
    }
}

impl Node {
    /// A node in a fresh folder.
    pub fn fresh() -> Self {
        Launch::fresh().start()
    }

    /// How it was started; starts it again after it ended.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.launch.data()
    }

    /// The process, or the wrapper around it.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// `http://127.0.0.1:PORT` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// The URL of an identifier in the API.
    pub fn api(&self, identifier: &str) -> String {
        self.url(&format!("/api/v1/identifiers/{}", segment(identifier)))
    }

    /// GET without a token.
    pub fn get(&self, path: &str) -> Reply {
        exchange(self.http, "GET", path, &[], b"").unwrap_or_default()
    }

    /// A request with the admin token.
    pub fn admin(&self, method: &str, path: &str, body: &str) -> Reply {
        self.admin_with(method, path, &[], body)
    }

    /// A request with the admin token and more headers.
    pub fn admin_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let bearer = format!("Bearer {ADMIN_TOKEN}");
        let mut all = vec![("Authorization", bearer.as_str())];
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            all.push(("Content-Type", "application/json"));
        }
        all.extend(headers);
        exchange(self.http, method, path, &all, body.as_bytes()).expect("a reply")
    }

    /// Registers or replaces; the reply must be a success.
    pub fn put(&self, identifier: &str, body: &Json) -> Reply {
        let path = format!("/api/v1/identifiers/{}", segment(identifier));
        let reply = self.admin("PUT", &path, &body.to_string());
        assert!(matches!(reply.status, 200 | 201), "PUT {identifier}: {reply:?}");
        reply
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.process.id()).expect("a pid");
        send_signal(pid, signal);
    }

    /// Ends it without warning.
    pub fn kill(mut self) -> Launch {
        self.process.kill().expect("alive");
        let status = self.process.wait().expect("a process");
        assert_eq!(status.signal(), Some(9), "the node ended on its own: {status}");
        self.launch.clone()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(mut self) -> (Launch, ExitStatus) {
        self.signal(15);
        let status = self.wait(Duration::from_secs(20));
        (self.launch.clone(), status)
    }

    /// Waits for the end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut status = None;
        wait_until(limit, "the node's end", || {
            status = self.process.try_wait().expect("a process");
            status.is_some()
        });
        status.expect("ended")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = self.launch.log();
            let from = log.len().saturating_sub(4_000);
            eprintln!("--- log of the node ---\n{}", log.get(from..).unwrap_or(&log));
        }
    }
}

/// Sends a signal to one process, never to a group: procps 4.0.2 takes `kill -15 -1234` for -1,
/// which is every process there is.
pub fn send_signal(pid: i32, signal: i32) {
    assert!(pid > 1, "{pid} is no single process");
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    assert!(status.expect("kill runs").success(), "no process {pid}");
}

/// The admin token of test nodes.
pub const ADMIN_TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789a";

const START_LIMIT: Duration = Duration::from_secs(60);
