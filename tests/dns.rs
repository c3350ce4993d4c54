//! DNS as dig, kdig and dnspython see it.

use serde_json::json;

use crate::harness::{Node, dig, program, python, text};

/// A node with a few names in it.
fn stocked() -> Node {
    let node = Node::fresh();
    node.put(
        "88.118.8/SN-001",
        &json!({
            "values": [{"type": "URL", "data": "https://example.com/p", "ttl": 300}],
            "attributes": {"model": "P-100", "maker": "Acme"}
        }),
    );
    node.put("88.118.8/old", &json!({"attributes": {"a": "b"}}));
    node.admin("DELETE", "/api/v1/identifiers/88.118.8%2Fold", "");
    let long = "x".repeat(200);
    node.put(&format!("88.118.8/{long}"), &json!({"attributes": {"long": "yes"}}));
    let many: serde_json::Map<_, _> =
        (0..60).map(|n| (format!("attribute-{n}"), json!("x".repeat(60)))).collect();
    node.put("88.118.8/many", &json!({"attributes": many}));
    let naptr = r#"10 100 "u" "E2U+sip" "!^.*$!sip:info@example.com!" ."#;
    node.put("88.118.8/n", &json!({"values": [{"type": "DNS/NAPTR", "data": naptr}]}));
    node
}

const NAME: &str = "SN-001._id.8.118.88.id.example.";

#[test]
fn records_are_found_with_dig() {
    let node = stocked();
    let uri = dig(&node, &["+noall", "+answer", NAME, "URI"]);
    assert!(
        uri.contains("\"https://example.com/p\"")
            && uri.split_whitespace().any(|word| word == "300"),
        "{uri}"
    );
    let texts = dig(&node, &["+short", NAME, "TXT"]);
    assert!(texts.contains("\"model=P-100\"") && texts.contains("\"maker=Acme\""), "{texts}");
    let naptr = dig(&node, &["+short", "n._id.8.118.88.id.example.", "NAPTR"]);
    assert!(naptr.contains("E2U+sip"), "{naptr}");
    let old = dig(&node, &["old._id.8.118.88.id.example.", "TXT"]);
    assert!(old.contains("NOERROR") && old.contains("\"status=retired\""), "{old}");
    let key = [&[1u8][..], "88.118.8/".as_bytes(), "X".repeat(200).as_bytes()].concat();
    let digest = ring::digest::digest(&ring::digest::SHA256, &key);
    let label = data_encoding::BASE32HEX_NOPAD.encode(&digest.as_ref()[..20]);
    let name = format!("{label}._hash.8.118.88.id.example.");
    assert!(dig(&node, &["+short", &name, "TXT"]).contains("long=yes"));
}

#[test]
fn absence_is_told_exactly() {
    let node = stocked();
    let status = |name: &str, kind: &str| {
        let answer = dig(&node, &["+norecurse", name, kind]);
        let word = answer.split("status: ").nth(1).and_then(|rest| rest.split(',').next());
        let soa = answer.contains("AUTHORITY: 1") && answer.contains("\tSOA\t");
        (word.unwrap_or_default().to_owned(), soa, answer.contains("flags: qr aa"))
    };
    let expect = |name: &str, kind: &str, word: &str| {
        assert_eq!(status(name, kind), (word.to_owned(), true, true), "{name} {kind}");
    };
    expect("absent._id.8.118.88.id.example.", "TXT", "NXDOMAIN");
    expect("9.118.88.id.example.", "TXT", "NXDOMAIN");
    expect(NAME, "A", "NOERROR");
    expect("_id.8.118.88.id.example.", "TXT", "NOERROR");
    expect("8.118.88.id.example.", "TXT", "NOERROR");
    expect("_hash.8.118.88.id.example.", "TXT", "NOERROR");
    expect("118.88.id.example.", "TXT", "NOERROR");
    expect("below.SN-001._id.8.118.88.id.example.", "TXT", "NXDOMAIN");
    assert!(dig(&node, &["www.elsewhere.test.", "A"]).contains("REFUSED"));
    assert!(dig(&node, &["1.99.id.example.", "SOA"]).contains("REFUSED"));
}

#[test]
fn the_apex_of_a_zone_has_soa_and_ns() {
    let node = stocked();
    let soa = dig(&node, &["+short", "118.88.id.example.", "SOA"]);
    assert_eq!(soa.split_whitespace().count(), 7, "{soa}");
    assert!(!dig(&node, &["+short", "118.88.id.example.", "NS"]).trim().is_empty());
}

#[test]
fn large_answers_are_truncated_and_come_over_tcp() {
    let node = stocked();
    let name = "many._id.8.118.88.id.example.";
    for size in ["+noedns", "+bufsize=4096"] {
        let cut = dig(&node, &["+ignore", size, name, "TXT"]);
        assert!(cut.contains("flags: qr aa tc"), "{cut}");
        let bytes = cut.split("MSG SIZE  rcvd: ").nth(1).and_then(|rest| rest.trim().parse().ok());
        let bytes: usize = bytes.expect("a size");
        assert!(bytes <= if size == "+noedns" { 512 } else { 1_232 }, "{bytes}");
    }
    let whole = dig(&node, &[name, "TXT"]);
    assert!(whole.contains("ANSWER: 60") && whole.contains("(TCP)"), "{whole}");
}

#[test]
fn kdig_is_answered_over_every_transport() {
    let node = stocked();
    let port = node.dns.port().to_string();
    for more in [&["+bufsize=1232"][..], &["+tcp"], &["+cookie"], &["+nsid"], &["+dnssec"]] {
        let base = ["@127.0.0.1", "-p", port.as_str(), NAME, "TXT"];
        let answer = text(program("kdig").args(base).args(more));
        assert!(answer.contains("status: NOERROR"), "{more:?}: {answer}");
        assert!(answer.contains("model=P-100"), "{answer}");
    }
}

#[test]
fn the_edges_of_the_protocol_are_as_the_rfcs_say() {
    let node = stocked();
    let answers = python(EDGES, &json!({"port": node.dns.port(), "name": NAME}));
    let expect = |what: &str, answer: &str| assert_eq!(answers[what], answer, "{what}: {answers}");
    expect("edns version 1", "BADVERS");
    expect("unknown option", "NOERROR");
    expect("status opcode", "NOTIMP");
    expect("opcode 15", "NOTIMP");
    expect("update", "REFUSED");
    expect("notify", "NOTIMP");
    expect("axfr", "REFUSED");
    expect("ixfr", "REFUSED");
    expect("no question", "FORMERR");
    expect("two questions", "FORMERR");
    expect("class chaos", "REFUSED");
    expect("any", "NOERROR, 1 answers");
    expect("tcp pipelined", "5 of 5");
    expect("case kept", "yes");
}

/// Asks what a resolver would never ask and prints a word about each answer.
const EDGES: &str = include_str!("foreign/edges.py");
