//! Disks that fail: the sync comes before the reply, and no failed write is ever acknowledged.

use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::harness::{Launch, Node, dig, output, program, send_signal, wait_until};

#[test]
fn the_sync_comes_before_the_reply() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let trace_path = trace.display().to_string();
    let calls = "trace=fdatasync,fsync,sync_file_range,write,writev,sendto,sendmsg,read,recvfrom";
    let wrapper = ["strace", "-f", "-ttt", "-y", "-s", "120", "-o", &trace_path, "-e", calls];
    let node = Launch::fresh().under(&wrapper).start();
    for number in 0..3 {
        node.put(&format!("88.118/sync-{number}"), &json!({"attributes": {"a": "b"}}));
    }
    let lines = fs::read_to_string(&trace).expect("a trace");
    let lines: Vec<&str> = lines.lines().collect();
    for number in 0..3 {
        let position = |from: usize, what: &dyn Fn(&str) -> bool| {
            lines[from..].iter().position(|line| what(line)).map(|at| from + at)
        };
        let request = position(0, &|line| line.contains(&format!("sync%2D{number}")));
        let request = request.expect("the request in the trace");
        let reply = position(request, &|line| line.contains("\"HTTP/1.1 201"));
        let reply = reply.expect("the reply in the trace");
        let synced = lines[request..reply].iter().any(|line| {
            let done = line.ends_with("= 0") || line.contains("= 0 ");
            done && (line.contains("fdatasync") || line.contains("fsync"))
        });
        assert!(synced, "no sync between\n{}\n{}", lines[request], lines[reply]);
    }
    // The process is strace; the node below it ends with it.
    end_below(&node);
}

/// Kills the node below strace.
fn end_below(node: &Node) {
    let children = format!("/proc/{0}/task/{0}/children", node.pid());
    for child in fs::read_to_string(children).unwrap_or_default().split_whitespace() {
        send_signal(child.parse().expect("a pid"), 9);
    }
}

#[test]
fn a_failing_sync_stops_writes_for_good() {
    disk_fails("fdatasync,fsync,sync_file_range:error=EIO");
}

#[test]
fn a_failing_write_stops_writes() {
    disk_fails("write,pwrite64,writev,pwritev:error=EIO");
}

#[test]
fn a_full_disk_stops_writes() {
    disk_fails("write,pwrite64,writev,pwritev:error=ENOSPC");
}

/// Lets calls on the store's files fail under a running node.
fn disk_fails(fault: &str) {
    let node = Node::fresh();
    for number in 0..5 {
        node.put(&format!("88.118/before-{number}"), &json!({"attributes": {"n": number}}));
    }
    let injection = Injection::start(&node, fault);
    let mut acknowledged = Vec::new();
    for number in 0..5 {
        let path = format!("/api/v1/identifiers/88.118%2Fduring-{number}");
        let reply = node.admin("PUT", &path, r#"{"attributes":{"a":"b"}}"#);
        if reply.status < 300 {
            acknowledged.push(path);
        } else {
            assert_eq!(reply.status, 503, "{fault}: {}", reply.text());
            let detail = reply.problem(503);
            assert!(detail.contains("writes are stopped"), "{detail}");
        }
    }
    assert!(acknowledged.is_empty(), "{fault}: acknowledged under a failing disk");
    assert_lookups_go_on(&node, fault);
    drop(injection);
    // Nobody knows what the kernel kept: only a restart helps.
    let reply = node.admin("PUT", "/api/v1/identifiers/88.118%2Fafter", r#"{"attributes":{}}"#);
    assert_eq!(reply.status, 503, "{fault}: {}", reply.text());

    let launch = node.kill();
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_nameplate"));
    let checked = output(check.arg("check").arg("--data").arg(launch.data()));
    assert!(checked.status.success(), "{fault}: {}", String::from_utf8_lossy(&checked.stdout));
    let node = launch.start();
    for number in 0..5 {
        let path = format!("/api/v1/identifiers/88.118%2Fbefore-{number}");
        assert_eq!(node.get(&path).expect(200)["attributes"]["n"], number);
    }
    node.put("88.118/after", &json!({"attributes": {"a": "b"}}));
    assert_eq!(node.get("/readyz?writes").status, 200);
}

fn assert_lookups_go_on(node: &Node, fault: &str) {
    for number in 0..5 {
        let path = format!("/api/v1/identifiers/88.118%2Fbefore-{number}");
        assert_eq!(node.get(&path).expect(200)["attributes"]["n"], number);
        let name = format!("before-{number}._id.118.88.id.example.");
        assert!(dig(node, &["+short", &name, "TXT"]).contains(&format!("n={number}")));
    }
    let ready = node.get("/readyz").expect(200);
    let writes = ready["writes"].as_str().unwrap_or_default();
    assert!(writes.starts_with("stopped: "), "{fault}: {ready}");
    assert_eq!(node.get("/readyz?writes").status, 503, "{fault}");
}

/// strace attached to a node; lets go when dropped.
struct Injection(Child);

impl Injection {
    fn start(node: &Node, fault: &str) -> Self {
        let log = node.launch().folder().join("injection");
        let mut command = program("strace");
        command.args(["-f", "-p", &node.pid().to_string(), "-o"]).arg(&log);
        let calls = fault.split(':').next().unwrap_or_default();
        command.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={fault}")]);
        // Files of the store only: sockets and event counters use the same calls.
        for path in store_files(node) {
            command.args(["-P", &path]);
        }
        let stderr_path = node.launch().folder().join("strace");
        let stderr = fs::File::create(&stderr_path).expect("a file");
        let child = command.stdin(Stdio::null()).stderr(stderr).spawn();
        let child = child.expect("strace: `make test` installs it");
        wait_until(Duration::from_secs(10), "strace to attach to every thread", || {
            let tasks = fs::read_dir(format!("/proc/{}/task", node.pid())).expect("alive");
            tasks.flatten().all(|task| {
                let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
                status.contains(&format!("TracerPid:\t{}\n", child.id()))
            })
        });
        Self(child)
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        send_signal(i32::try_from(self.0.id()).expect("a pid"), 15);
        let _ = self.0.wait();
    }
}

/// The files that the node has open for writing below its data folder.
fn store_files(node: &Node) -> Vec<String> {
    let data = node.data().canonicalize().expect("a folder");
    let opened = fs::read_dir(format!("/proc/{}/fd", node.pid())).expect("alive");
    let targets = opened.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    let files: Vec<String> = targets
        .filter(|target| target.starts_with(&data) && target.is_file())
        .map(|target| target.display().to_string())
        .collect();
    assert!(!files.is_empty(), "no open files below {}", data.display());
    files
}
