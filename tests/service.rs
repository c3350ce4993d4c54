//! The node as a service: restart, drain, reload, health, one node per folder.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Connection, Launch, Node, decoded, dig, output, program, wait_until};

#[test]
fn what_was_registered_is_there_after_a_restart() {
    let node = Node::fresh();
    node.put("88.118/x", &json!({"attributes": {"a": "b"}}));
    let before = node.get("/api/v1/identifiers/88.118%2Fx").expect(200);
    let (launch, status) = node.terminate();
    assert!(status.success(), "{status}");
    let node = launch.start();
    assert_eq!(node.get("/api/v1/identifiers/88.118%2Fx").expect(200), before);
    assert!(dig(&node, &["x._id.118.88.id.example.", "TXT"]).contains("a=b"));
}

#[test]
fn a_second_node_in_one_folder_is_refused() {
    let node = Node::fresh();
    let second = output(&mut node.launch().command());
    assert!(!second.status.success());
    let log = node.launch().log();
    assert!(log.contains("in use by another node"), "{log}");
    assert_eq!(node.get("/readyz").status, 200);
}

#[test]
fn sigterm_drains() {
    let mut node = Node::fresh();
    let mut kept = Connection::open(node.http).expect("a connection");
    // A request whose body is still on its way when the signal comes.
    let head = "PUT /api/v1/identifiers/88.118%2Fx HTTP/1.1\r\nHost: node.test\r\n";
    let bearer = format!("Authorization: Bearer {}\r\n", crate::harness::ADMIN_TOKEN);
    let rest = "Content-Type: application/json\r\nContent-Length: 24\r\n\r\n{\"attributes\":";
    kept.send_raw([head, &bearer, rest].concat().as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(200));
    node.signal(15);
    std::thread::sleep(Duration::from_millis(300));
    kept.send_raw(b"{\"a\":\"b\"}}").expect("sent");
    let reply = kept.read_reply(false).expect("the answer of a draining node");
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert!(node.wait(Duration::from_secs(20)).success());
    let node = node.launch().clone().start();
    assert_eq!(node.get("/api/v1/identifiers/88.118%2Fx").expect(200)["version"], 1);
}

#[test]
fn sighup_reads_certificates_again() {
    let launch = Launch::fresh();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| launch.folder().join(name));
    let make = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("made");
        fs::write(&certificate, made.cert.pem()).expect("written");
        fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    };
    make("first.test");
    let [certificate_path, key_path] = [&certificate, &key].map(|path| path.display().to_string());
    let node = launch
        .arguments(&["--https", "127.0.0.1:0"])
        .arguments(&["--tls-certificate", &certificate_path, "--tls-key", &key_path])
        .start();
    assert!(served_names(&node).contains("first.test"));
    make("second.test");
    node.signal(1);
    wait_until(Duration::from_secs(10), "the new certificate", || {
        served_names(&node).contains("second.test")
    });
    // A broken file must not take the node down, nor the certificate in use.
    fs::write(&certificate, "broken").expect("written");
    node.signal(1);
    std::thread::sleep(Duration::from_millis(300));
    assert!(served_names(&node).contains("second.test"));
}

#[test]
fn sighup_reads_the_log_level_again() {
    let launch = Launch::fresh();
    let config = launch.folder().join("nameplate.toml");
    fs::write(&config, "log_level = \"info\"\n").expect("written");
    let node = launch.arguments(&["--config", &config.display().to_string()]).start();
    let reload = || {
        node.signal(1);
        std::thread::sleep(Duration::from_millis(300));
    };
    // A level that is none leaves the old one, and says so.
    fs::write(&config, "log_level = \"loud\"\n").expect("written");
    reload();
    let log = node.launch().log();
    assert!(log.contains("the log level stays as it is"), "{log}");
    fs::write(&config, "log_level = \"off\"\n").expect("written");
    reload();
    let before = node.launch().log().len();
    fs::write(&config, "log_level = \"loud\"\n").expect("written");
    reload();
    assert_eq!(node.launch().log().len(), before, "off is off");
    assert_eq!(node.get("/readyz").status, 200);
}

/// Names in the certificate that the node shows, as openssl reads them.
fn served_names(node: &Node) -> String {
    let address = node.https.expect("an HTTPS address");
    let script = format!(
        "openssl s_client -connect {address} </dev/null 2>/dev/null \
         | openssl x509 -noout -ext subjectAltName"
    );
    decoded(&output(program("bash").args(["-c", &script])).stdout)
}

#[test]
fn health_and_metrics_are_told() {
    let node = Node::fresh();
    node.put("88.118/x", &json!({"attributes": {"a": "b"}}));
    dig(&node, &["x._id.118.88.id.example.", "TXT"]);
    assert_eq!(node.get("/healthz").status, 200);
    let ready = node.get("/readyz").expect(200);
    assert_eq!(ready["writes"], "ok", "{ready}");
    assert_eq!(node.get("/readyz?writes").status, 200);
    let metrics = node.get("/metrics");
    assert!(metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    let text = metrics.text();
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    for sample in samples {
        let (name, value) = sample.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("nameplate_"), "{sample}");
        assert!(value.parse::<f64>().is_ok(), "{sample}");
    }
    assert!(!text.contains("nameplate_panics_total 1"));
    assert!(
        text.contains("nameplate_ledger_entries 4\n"),
        "prefix, account, token, record: {text}"
    );
}

/// What operators see is what they can look up.
#[test]
fn metrics_are_documented() {
    let node = Node::fresh();
    node.put("88.118/x", &json!({"attributes": {"a": "b"}}));
    let handbook = include_str!("../deploy/README.md");
    let text = node.get("/metrics").text();
    let told = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let missing: Vec<_> = told.filter(|name| !handbook.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "deploy/README.md does not document {missing:?}");
}

#[test]
fn a_restart_takes_less_than_a_few_seconds() {
    let node = Node::fresh();
    for number in 0..50 {
        node.put(&format!("88.118/{number}"), &json!({"attributes": {"n": number}}));
    }
    let launch = node.kill();
    let start = Instant::now();
    let node = launch.start();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(node.get("/api/v1/identifiers/88.118%2F49").status, 200);
}
