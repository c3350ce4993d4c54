//! Questions and their answers.

use std::net::SocketAddr;

use hickory_proto::op::{Edns, ResponseCode};
use hickory_proto::rr::{DNSClass, RecordType};

use super::*;

const SOA: &str = "118.88.id.example. 300 SOA";

/// Question, code, beginnings of the answers, beginning of the one authority record or nothing.
pub(super) type Case = (&'static str, ResponseCode, &'static [&'static str], &'static str);

const OK: ResponseCode = ResponseCode::NoError;
const NO: ResponseCode = ResponseCode::NXDomain;
const REFUSED: ResponseCode = ResponseCode::Refused;

pub(super) const CASES: &[Case] = &[
    (
        "sN-001._id.8.118.88.ID.example. TXT",
        OK,
        &["sN-001._id.8.118.88.ID.example. 900 TXT model=P-100"],
        "",
    ),
    ("SN-001._id.8.118.88.id.example. URI", OK, &["SN-001._id.8.118.88.id.example. 600 URI"], ""),
    ("SN-001._id.8.118.88.id.example. MX", OK, &[], SOA),
    (
        "SN-001._id.8.118.88.id.example. ANY",
        OK,
        &["SN-001._id.8.118.88.id.example. 3600 HINFO RFC8482"],
        "",
    ),
    ("SN-002._id.8.118.88.id.example. TXT", NO, &[], SOA),
    ("x.SN-001._id.8.118.88.id.example. TXT", NO, &[], SOA),
    ("8._id.118.88.id.example. MX", OK, &["8._id.118.88.id.example. 300 MX 10 m.example."], ""),
    ("8._id.118.88.id.example. TXT", OK, &[], SOA),
    ("8.118.88.id.example. TXT", OK, &[], SOA),
    ("8.118.88.id.example. ANY", OK, &[], SOA),
    ("7.118.88.id.example. TXT", NO, &[], SOA),
    ("_id.8.118.88.id.example. TXT", OK, &[], SOA),
    ("_hash.118.88.id.example. TXT", OK, &[], SOA),
    ("_hash.8.118.88.id.example. TXT", NO, &[], SOA),
    ("a\\.b._id.118.88.id.example. URI", OK, &["a\\.b._id.118.88.id.example. 86400 URI"], ""),
    ("*._id.118.88.id.example. URI", NO, &[], SOA),
    (
        "gone._id.118.88.id.example. TXT",
        OK,
        &["gone._id.118.88.id.example. 3600 TXT status=retired"],
        "",
    ),
    ("gone._id.118.88.id.example. URI", OK, &[], SOA),
    (
        "118.88.id.example. SOA",
        OK,
        &["118.88.id.example. 3600 SOA ns.118.88.id.example. hostmaster.118.88.id.example. 7 "],
        "",
    ),
    ("118.88.id.example. NS", OK, &["118.88.id.example. 3600 NS ns.118.88.id.example."], ""),
    ("118.88.id.example. A", OK, &[], SOA),
    ("118.88.id.example. ANY", OK, &["118.88.id.example. 3600 HINFO"], ""),
    ("118.88.id.example. DS", OK, &[], "id.example. 300 SOA"),
    ("9.118.88.id.example. DS", OK, &[], SOA),
    ("8.118.88.id.example. DS", OK, &[], SOA),
    ("9.118.88.id.example. NS", OK, &["9.118.88.id.example. 3600 NS ns.9."], ""),
    ("1.9.118.88.id.example. TXT", OK, &[], "9.118.88.id.example. 300 SOA"),
    ("2.9.118.88.id.example. TXT", NO, &[], "9.118.88.id.example. 300 SOA"),
    ("NS.118.88.id.example. A", OK, &["NS.118.88.id.example. 3600 A 192.0.2.1"], ""),
    ("ns.118.88.id.example. AAAA", OK, &[], SOA),
    ("x.ns.118.88.id.example. A", NO, &[], SOA),
    ("1.500.20.id.example. SOA", OK, &["1.500.20.id.example. 3600 SOA"], ""),
    ("id.example. SOA", OK, &["id.example. 3600 SOA ns.id.example."], ""),
    ("id.example. DS", OK, &[], "id.example. 300 SOA"),
    ("88.id.example. A", OK, &[], "id.example. 300 SOA"),
    ("500.20.id.example. A", OK, &[], "id.example. 300 SOA"),
    ("89.id.example. A", NO, &[], "id.example. 300 SOA"),
    ("_id.88.id.example. A", NO, &[], "id.example. 300 SOA"),
    ("x._id.88.id.example. A", NO, &[], "id.example. 300 SOA"),
    ("x._id.id.example. A", NO, &[], "id.example. 300 SOA"),
    ("\\007.118.88.id.example. A", NO, &[], SOA),
    ("\\255._id.118.88.id.example. A", NO, &[], SOA),
    ("example. SOA", REFUSED, &[], ""),
    (". NS", REFUSED, &[], ""),
    ("xid.example. SOA", REFUSED, &[], ""),
    ("118.88.id.example. AXFR", REFUSED, &[], ""),
    ("118.88.id.example. IXFR", REFUSED, &[], ""),
];

fn check(responder: &Responder, cases: &[Case]) {
    for (question, code, answers, authority) in cases {
        let (name, kind) = question.split_once(' ').unwrap();
        let asked = query(name, kind_of(kind));
        let reply = ask(responder, &asked);
        assert_eq!(reply.metadata.response_code, *code, "{question}");
        assert_eq!(reply.queries, asked.queries, "{question}");
        assert_eq!(reply.metadata.authoritative, *code != REFUSED, "{question}");
        let found = lines(&reply.answers);
        assert_eq!(found.len(), answers.len(), "{question}: {found:?}");
        for (found, expected) in found.iter().zip(*answers) {
            assert!(found.starts_with(expected), "{question}: {found}");
        }
        let found = lines(&reply.authorities).join(" | ");
        assert!(found.starts_with(authority), "{question}: {found}");
        assert_eq!(found.is_empty(), authority.is_empty(), "{question}: {found}");
    }
}

#[test]
fn questions_have_the_answers_of_the_table() {
    check(&responder(&over_root()), CASES);
}

#[test]
fn without_the_apex_only_own_prefixes_are_answered() {
    check(
        &responder(&Settings::default()),
        &[
            ("id.example. SOA", REFUSED, &[], ""),
            ("88.id.example. A", REFUSED, &[], ""),
            ("7.88.id.example. A", REFUSED, &[], ""),
            ("118.88.id.example. DS", OK, &[], SOA),
            ("SN-002._id.8.118.88.id.example. TXT", NO, &[], SOA),
        ],
    );
}

#[test]
fn named_servers_serve_every_zone() {
    let servers = ["a.ns.118.88.id.example", "b.example"];
    let address = |n: u8| vec![SocketAddr::from(([192, 0, 2, n], 0)).ip()];
    let name_servers = vec![(servers[0].into(), address(1)), (servers[1].into(), address(2))];
    let contact = "d.n.s@example.org".into();
    let responder = responder(&Settings { name_servers, contact, ..over_root() });
    check(
        &responder,
        &[
            ("20.id.example. A", OK, &[], "id.example. 300 SOA a.ns.118.88.id.example."),
            ("a.ns.118.88.id.example. A", OK, &["a.ns.118.88.id.example. 3600 A 192.0.2.1"], ""),
            ("ns.118.88.id.example. A", OK, &[], SOA),
            ("b.ns.118.88.id.example. A", NO, &[], SOA),
            ("118.88.id.example. SOA", OK, &["118.88.id.example. 3600 SOA a.ns"], ""),
        ],
    );
    let reply = ask(&responder, &query("118.88.id.example.", RecordType::NS));
    assert_eq!(reply.answers.len(), 2);
    assert_eq!(lines(&reply.additionals), ["a.ns.118.88.id.example. 3600 A 192.0.2.1"]);
    let reply = ask(&responder, &query("118.88.id.example.", RecordType::SOA));
    assert!(lines(&reply.answers)[0].contains(" d\\.n\\.s.example.org. 7 3600 600 604800 300"));
}

#[test]
fn long_suffixes_are_found_by_digest_in_any_case() {
    let responder = responder(&over_root());
    let apex = crate::dns::name::Name::parse("id.example").unwrap();
    for (identifier, kind, expected) in [
        (format!("88.118/{}", "l".repeat(64)), "TXT", "note=xxx"),
        ("88.118/*".to_owned(), "URI", ""),
    ] {
        let key = Identifier::literal(&identifier).unwrap().key().clone();
        let name = crate::dns::name::name_of(&key, &apex).unwrap().to_string();
        for name in [name.to_ascii_lowercase(), name] {
            let reply = ask(&responder, &query(&name, kind_of(kind)));
            assert_eq!(reply.answers.len(), 1, "{name}");
            assert!(reply.answers[0].data.to_string().starts_with(expected), "{name}");
        }
    }
}

#[test]
fn uri_data_is_priority_weight_and_bare_target() {
    let responder = responder(&over_root());
    let question = query("sn-001._id.8.118.88.id.example.", kind_of("URI")).to_vec().unwrap();
    let answer = responder.answer(&question).unwrap();
    assert!(answer.ends_with(b"\x00\x17\x00\x0a\x00\x01https://a.example/1"));
}

#[test]
fn big_answers_are_truncated_to_nothing_over_udp() {
    let responder = responder(&over_root());
    for (name, whole) in [("many", 30), ("huge", 436)] {
        let mut question = query(&format!("{name}._id.118.88.id.example."), RecordType::TXT);
        let reply = ask(&responder, &question);
        assert!(!reply.metadata.truncation);
        assert_eq!(reply.answers.len(), whole);
        for payload in [None, Some(0), Some(1_232), Some(65_535)] {
            question.edns = payload.map(|octets| Edns::new().set_max_payload(octets).clone());
            let reply = ask_udp(&responder, &question.to_vec().unwrap()).unwrap();
            assert!(reply.metadata.truncation && reply.metadata.authoritative);
            assert!(reply.answers.is_empty() && reply.authorities.is_empty());
            assert_eq!(reply.edns.is_some(), payload.is_some());
        }
    }
}

#[test]
fn edns_is_answered_with_our_size_and_the_asker_flag() {
    let responder = responder(&over_root());
    let mut question = query("118.88.id.example.", RecordType::SOA);
    let mut edns = Edns::new();
    edns.set_dnssec_ok(true).set_max_payload(4_096);
    question.edns = Some(edns.clone());
    let reply = ask(&responder, &question);
    let said = reply.edns.unwrap();
    assert!(said.flags().dnssec_ok && said.flags().z == 0);
    assert_eq!((said.max_payload(), said.version()), (1_232, 0));

    edns.set_version(1);
    question.edns = Some(edns);
    let reply = ask(&responder, &question);
    assert_eq!(u16::from(reply.metadata.response_code), 16);
    assert_eq!(reply.edns.unwrap().version(), 0);
    assert!(reply.answers.is_empty() && !reply.metadata.authoritative);
}

#[test]
fn other_classes_are_refused_and_any_class_is_ours() {
    let responder = responder(&over_root());
    for (class, name, code) in [
        (DNSClass::CH, "version.bind.", REFUSED),
        (DNSClass::CH, "118.88.id.example.", REFUSED),
        (DNSClass::HS, "118.88.id.example.", REFUSED),
        (DNSClass::ANY, "118.88.id.example.", OK),
    ] {
        let mut question = query(name, RecordType::TXT);
        question.queries[0].set_query_class(class);
        assert_eq!(ask(&responder, &question).metadata.response_code, code, "{class} {name}");
    }
}

#[test]
fn hot_answers_equal_those_from_the_disk() {
    let responder = responder(&over_root());
    for (question, ..) in CASES {
        let (name, kind) = question.split_once(' ').unwrap();
        let bytes = query(name, kind_of(kind)).to_vec().unwrap();
        let ask = |depth| {
            let (mut out, mut tally) = (Vec::new(), Tally::default());
            let verdict = responder.respond(&bytes, Transport::Udp, depth, &mut out, &mut tally);
            (verdict, out)
        };
        let full = ask(Depth::Full);
        let hot = ask(Depth::Hot);
        assert!(hot.0 == Verdict::Cold || hot == full, "{question}");
        if kind == "URI" && name.starts_with("SN-001") {
            assert_eq!(hot.0, Verdict::Reply, "{question}");
        }
    }
}
