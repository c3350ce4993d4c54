//! What nobody should send: a clear answer, nothing written, nothing leaked, no panic.

use std::io::Write;
use std::net::UdpSocket;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::{ADMIN_TOKEN, Chance, Connection, Node, exchange, python};

/// Path, body, status.
const BODIES: [(&str, &str, u16); 18] = [
    ("88.118%2Fx", "", 400),
    ("88.118%2Fx", "{", 400),
    ("88.118%2Fx", "[]", 400),
    ("88.118%2Fx", "{}", 400),
    ("88.118%2Fx", r#"{"values":[],"surprise":1}"#, 400),
    ("88.118%2Fx", r#"{"values":"text"}"#, 400),
    ("88.118%2Fx", r#"{"values":[{"type":"URL"}]}"#, 400),
    ("88.118%2Fx", r#"{"values":[{"type":"URL","data":"javascript:alert(1)"}]}"#, 400),
    ("88.118%2Fx", r#"{"values":[{"type":"URL","data":"https://h/\r\nSet-Cookie: a=b"}]}"#, 400),
    ("88.118%2Fx", r#"{"values":[{"type":"A","data":"x","index":0}]}"#, 400),
    ("88.118%2Fx", r#"{"values":[{"type":"A","data":"x","ttl":-1}]}"#, 400),
    ("88.118%2Fx", r#"{"attributes":{"n":1.5}}"#, 400),
    ("88.118%2Fx", "{\"attributes\":{\"n\":\"\u{0}\"}}", 400),
    ("88.118", r#"{"attributes":{}}"#, 400),
    ("88..118%2Fx", r#"{"attributes":{}}"#, 400),
    ("88.118%2F", r#"{"attributes":{}}"#, 400),
    ("88.118%2Fa%0Ab", r#"{"attributes":{}}"#, 400),
    ("88.118%2F%FF", r#"{"attributes":{}}"#, 400),
];

/// Refusals of bodies may be 400 or, where the JSON is right and its meaning is not, 422.
fn is_refusal(status: u16, expected: u16) -> bool {
    status == expected || (expected == 400 && status == 422)
}

#[test]
fn bodies_and_identifiers_that_are_wrong_change_nothing() {
    let node = Node::fresh();
    let before = entries(&node);
    for (identifier, body, status) in BODIES {
        let path = format!("/api/v1/identifiers/{identifier}");
        let reply = node.admin("PUT", &path, body);
        assert!(is_refusal(reply.status, status), "{identifier} {body}: {}", reply.text());
        assert!(!reply.problem(reply.status).is_empty(), "{identifier} {body}: no detail");
    }
    let deep = format!("{{\"attributes\":{{\"a\":{}{}}}}}", "[".repeat(500), "]".repeat(500));
    let reply = node.admin("PUT", "/api/v1/identifiers/88.118%2Fx", &deep);
    assert!(is_refusal(reply.status, 400), "{}", reply.text());
    let long = format!("/api/v1/identifiers/88.118%2F{}", "x".repeat(300));
    let reply = node.admin("PUT", &long, r#"{"attributes":{}}"#);
    assert!(matches!(reply.status, 400 | 414 | 422), "{}", reply.text());
    let broken = b"{\"attributes\":{\"a\":\"\xff\xfe\"}}";
    let path = "/api/v1/identifiers/88.118%2Fx";
    let reply = raw(&node, "PUT", path, &[("Content-Type", "application/json")], broken);
    assert!(is_refusal(reply, 400), "{reply}");
    let reply = raw(&node, "PUT", path, &[("Content-Type", "text/plain")], b"{\"attributes\":{}}");
    assert_eq!(reply, 415);
    for (method, path, status) in [
        ("POST", "/api/v1/identifiers/88.118%2Fx", 405),
        ("GET", "/api/v1/identifiers?limit=0", 400),
        ("GET", "/api/v1/identifiers?limit=-1", 400),
        ("GET", "/api/v1/identifiers?limit=999999999999999999999", 400),
        ("GET", "/api/v1/identifiers?prefix=a//b", 400),
        ("GET", "/api/v1/nothing", 404),
    ] {
        let reply = node.admin(method, path, "");
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text());
    }
    assert_eq!(entries(&node), before, "something was written");
    assert_sound(&node);
}

fn raw(node: &Node, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> u16 {
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let all = [headers, &[("Authorization", bearer.as_str())]].concat();
    exchange(node.http, method, path, &all, body).map_or(0, |reply| reply.status)
}

/// Every identifier there is.
fn entries(node: &Node) -> Json {
    node.admin("GET", "/api/v1/identifiers?prefix=88.118", "").expect(200)
}

/// The node still works and never panicked.
fn assert_sound(node: &Node) {
    node.put("88.118/sound", &json!({"attributes": {"a": "b"}}));
    assert_eq!(node.get("/api/v1/identifiers/88.118%2Fsound").status, 200);
    let metrics = node.get("/metrics").text();
    let panics = metrics.lines().find(|line| line.starts_with("nameplate_panics_total"));
    assert!(panics.is_none_or(|line| line.ends_with(" 0")), "{panics:?}");
    assert!(!node.launch().log().contains("panicked at"), "{}", node.launch().log());
}

#[test]
fn bodies_that_are_too_large_are_cut_off() {
    let node = Node::fresh();
    let large = format!("{{\"attributes\":{{\"a\":\"{}\"}}}}", "x".repeat(8 << 20));
    let path = "/api/v1/identifiers/88.118%2Fx";
    let status = raw(&node, "PUT", path, &[("Content-Type", "application/json")], large.as_bytes());
    // The node may close while we are still sending.
    assert!(matches!(status, 413 | 0), "{status}");
    let claimed = raw(&node, "PUT", path, &[("Content-Length", "99999999999")], b"");
    assert!(matches!(claimed, 413 | 400 | 0), "{claimed}");
    let before = resident_kib(&node);
    let bomb = gzip(&format!("{{\"attributes\":{{\"a\":\"{}\"}}}}", "x".repeat(64 << 20)));
    assert!(bomb.len() < 1 << 20);
    let kind = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    let status = raw(&node, "PUT", path, &kind, &bomb);
    assert!(matches!(status, 413 | 415 | 400), "{status}");
    let grown = resident_kib(&node).saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more after a compression bomb");
    assert_eq!(node.get(path).status, 404);
    assert_sound(&node);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut child = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("gzip runs");
    let mut stdin = child.stdin.take().expect("piped");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("gzip ends");
    writer.join().expect("no panic").expect("written");
    output.stdout
}

fn resident_kib(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("alive");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn connections_that_dawdle_are_closed() {
    let node = Node::fresh();
    let mut silent = Connection::open(node.http).expect("a connection");
    let mut slow = Connection::open(node.http).expect("a connection");
    slow.send_raw(b"GET / HTTP/1.1\r\nHost: ").expect("sent");
    let mut half_open_dns = std::net::TcpStream::connect(node.dns).expect("a connection");
    half_open_dns.write_all(&[0, 40, 1]).expect("sent");
    half_open_dns.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    // Others are served meanwhile.
    assert_sound(&node);
    let end = |connection: &mut Connection, what: &str| {
        let reply = connection.read_reply(false);
        let told = reply.as_ref().is_ok_and(|reply| matches!(reply.status, 400 | 408));
        assert!(told || connection.is_closed(), "{what}: {reply:?}");
    };
    end(&mut slow, "slow headers");
    end(&mut silent, "a silent connection");
    let mut rest = [0; 16];
    let read = std::io::Read::read(&mut half_open_dns, &mut rest);
    assert!(matches!(read, Ok(0)) || read.is_err_and(|error| error.raw_os_error() == Some(104)));
}

#[test]
fn headers_that_are_wrong_are_refused() {
    let node = Node::fresh();
    let many = "X: y\r\n".repeat(500);
    let huge = format!("X: {}\r\n", "y".repeat(100_000));
    for head in [
        "NONSENSE\r\n\r\n".to_owned(),
        "GET /\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        format!("GET /healthz HTTP/1.1\r\nHost: h\r\n{many}\r\n"),
        format!("GET /healthz HTTP/1.1\r\nHost: h\r\n{huge}\r\n"),
        "POST /api/v1/resolve HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"
            .to_owned(),
        "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
    ] {
        let mut connection = Connection::open(node.http).expect("a connection");
        let _ = connection.send_raw(head.as_bytes());
        let status = connection.read_reply(false).map_or(0, |reply| reply.status);
        let first = head.lines().next().unwrap_or_default();
        assert!(status == 0 || (400..500).contains(&status), "{first:?}: {status}");
    }
    assert_sound(&node);
}

#[test]
fn datagrams_that_are_wrong_are_answered_or_dropped() {
    let node = Node::fresh();
    node.put("88.118/x", &json!({"attributes": {"a": "b"}}));
    let answers = python(include_str!("foreign/broken.py"), &json!({"port": node.dns.port()}));
    for (what, answer) in answers.as_object().expect("an object") {
        let expected: &[&str] = match what.split(':').next().unwrap_or_default() {
            "drop" => &["nothing"],
            _ => &["FORMERR", "nothing"],
        };
        assert!(expected.iter().any(|word| answer == word), "{what}: {answer}");
    }
    let mut chance = Chance::announced("random datagrams");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for _ in 0..3_000 {
        let length = chance.below(200) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| chance.next() as u8).collect();
        if chance.below(2) == 0 && length > 12 {
            // A plausible header, so that the question is looked at.
            bytes[2..12].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        }
        socket.send_to(&bytes, node.dns).expect("sent");
    }
    // Counts that announce more than any datagram holds must not be believed.
    let before = resident_kib(&node);
    for number in 0..20_000u16 {
        let [high, low] = number.to_be_bytes();
        let counts = [high, low, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        socket.send_to(&counts, node.dns).expect("sent");
    }
    assert!(crate::harness::dig(&node, &["x._id.118.88.id.example.", "TXT"]).contains("a=b"));
    let grown = resident_kib(&node).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more after counts that lie");
    assert_sound(&node);
}
