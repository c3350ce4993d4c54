//! What the whole room answers, over a store in memory; hickory reads the answers.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, Record as DnsRecord, RecordType};
use proptest::prelude::*;

use super::responder::{Depth, Transport, Verdict};
use super::tally::Tally;
use super::zone::Zones;
use super::{Responder, Settings};
use crate::clock::Clock;
use crate::identifier::{Identifier, Prefix};
use crate::ledger::Position;
use crate::record::{Form, Permissions, Record, Status, Ttl, Value};
use crate::resolver::{Resolver, fits_label};
use crate::store::memory::MemoryStore;
use crate::store::{NAMES, NameKey, PREFIXES, RECORDS, Store, StoredPrefix, StoredRecord};

fn value(index: u32, kind: &str, data: &str, ttl_seconds: u32) -> Value {
    Value {
        index,
        kind: kind.into(),
        data: data.into(),
        form: Form::Text,
        ttl: Ttl::Relative(ttl_seconds),
        permissions: Permissions::DEFAULT,
        timestamp: 0,
        references: Vec::new(),
    }
}

fn record(identifier: &str, status: Status, values: Vec<Value>) -> StoredRecord {
    let record = Record {
        identifier: Identifier::literal(identifier).unwrap(),
        values,
        version: 1,
        status,
        registrant: "a".into(),
        actor: "a".into(),
        reason: String::new(),
        created_ms: 0,
        modified_ms: 0,
    };
    StoredRecord { position: Position { log: 1, index: 0 }, record }
}

fn records() -> Vec<StoredRecord> {
    let secret = Value { permissions: Permissions(0x0c), ..value(5, "EMAIL", "a@b", 60) };
    let url = |data| value(1, "URL", data, 86_400);
    let mx = |index, data| value(index, "DNS/MX", data, 300);
    let long = value(2_000, "note", &"x".repeat(300), 60);
    let many = |count: u32| {
        (0..count).map(|n| value(2_000 + n, "n", &format!("{n:0>60}"), 60)).collect::<Vec<_>>()
    };
    vec![
        record(
            "88.118.8/SN-001",
            Status::Active,
            vec![
                url("https://a.example/1"),
                value(2, "URL", "https://a.example/1", 600),
                secret,
                value(2_000, "model", "P-100", 900),
                value(2_001, "note", "two\nlines", 5),
            ],
        ),
        record("88.118/8", Status::Active, vec![mx(1, "10 m.example."), mx(2, "10 relative")]),
        record("88.118/gone", Status::Retired, vec![url("https://a.example/")]),
        record("88.118/A.b", Status::Active, vec![url("https://dot.example/")]),
        record(&format!("88.118/{}", "L".repeat(64)), Status::Active, vec![long]),
        record("88.118/*", Status::Active, vec![url("https://star.example/")]),
        record("88.118/many", Status::Active, many(30)),
        record("88.118/huge", Status::Active, many(1_000)),
        record("88.118.9.1/x", Status::Active, vec![url("https://nested.example/")]),
    ]
}

fn resolver() -> Arc<Resolver> {
    let store = Arc::new(MemoryStore::default());
    let mut changes = store.begin();
    for prefix in ["88.118", "88.118.9", "20.500.1"] {
        let row =
            StoredPrefix { position: Position { log: 1, index: 0 }, version: 1, created_ms: 0 };
        PREFIXES.put(&mut *changes, &Prefix::parse(prefix).unwrap(), &row);
    }
    for stored in records() {
        let key = stored.record.identifier.key().clone();
        if !fits_label(key.suffix()) {
            let name = NameKey { prefix: key.prefix(), digest: key.short_digest() };
            NAMES.put(&mut *changes, &name, &key);
        }
        RECORDS.put(&mut *changes, &key, &stored);
    }
    changes.commit().unwrap();
    Arc::new(Resolver::open(store, 1 << 20).unwrap())
}

fn responder(settings: &Settings) -> Responder {
    let zones = Zones::new(settings, &["192.0.2.1".parse().unwrap()]).unwrap();
    Responder::new(resolver(), zones, Clock::fixed(1_000), Arc::new(|| 7))
}

fn over_root() -> Settings {
    Settings { serve_apex: true, ..Settings::default() }
}

fn query(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(0x1234, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name_from(name), kind));
    message
}

/// Reads labels with `\\DDD` and `\\.`, which hickory's own parser does not take as they are.
fn name_from(text: &str) -> Name {
    let (mut labels, mut octets) = (vec![Vec::new()], text.bytes());
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => {
                let next = octets.next().unwrap();
                let digits = octets.clone().take(2).filter(u8::is_ascii_digit).count();
                let octet = if next.is_ascii_digit() && digits == 2 {
                    let value = |octet: u8| u32::from(octet - b'0');
                    let rest = 10 * value(octets.next().unwrap()) + value(octets.next().unwrap());
                    u8::try_from(100 * value(next) + rest).unwrap()
                } else {
                    next
                };
                labels.last_mut().unwrap().push(octet);
            }
            b'.' => labels.push(Vec::new()),
            octet => labels.last_mut().unwrap().push(octet),
        }
    }
    let labels = labels.iter().map(Vec::as_slice).filter(|label| !label.is_empty());
    let mut name = Name::from_labels(labels).unwrap();
    name.set_fqdn(true);
    name
}

fn kind_of(text: &str) -> RecordType {
    match text {
        "URI" => RecordType::Unknown(256),
        "IXFR" => RecordType::IXFR,
        text => RecordType::from_str(text).unwrap(),
    }
}

fn ask(responder: &Responder, question: &Message) -> Message {
    Message::from_vec(&responder.answer(&question.to_vec().unwrap()).unwrap()).unwrap()
}

fn ask_udp(responder: &Responder, question: &[u8]) -> Option<Message> {
    let (mut out, mut tally) = (Vec::new(), Tally::default());
    let verdict = responder.respond(question, Transport::Udp, Depth::Full, &mut out, &mut tally);
    (verdict == Verdict::Reply).then(|| Message::from_vec(&out).unwrap())
}

/// `<owner> <TTL> <type> <data>`, in the order of the message.
fn lines(records: &[DnsRecord]) -> Vec<String> {
    let line = |record: &DnsRecord| {
        let kind = record.record_type().to_string().replace("Unknown", "URI");
        let data = record.data.to_string();
        format!("{} {} {kind} {data}", record.name, record.ttl)
    };
    records.iter().map(line).collect()
}

const SOA: &str = "118.88.id.example. 300 SOA";

/// Question, code, beginnings of the answers, beginning of the one authority record or nothing.
type Case = (&'static str, ResponseCode, &'static [&'static str], &'static str);

const OK: ResponseCode = ResponseCode::NoError;
const NO: ResponseCode = ResponseCode::NXDomain;
const REFUSED: ResponseCode = ResponseCode::Refused;

const CASES: &[Case] = &[
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
    let apex = super::name::Name::parse("id.example").unwrap();
    for (identifier, kind, expected) in [
        (format!("88.118/{}", "l".repeat(64)), "TXT", "note=xxx"),
        ("88.118/*".to_owned(), "URI", ""),
    ] {
        let key = Identifier::literal(&identifier).unwrap().key().clone();
        let name = super::name::name_of(&key, &apex).unwrap().to_string();
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

proptest! {
    #[test]
    fn any_octets_are_answered_or_not_but_never_crash(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        super::fuzz_question(&bytes);
    }

    #[test]
    fn damaged_questions_never_crash(
        case in 0..CASES.len(), cuts in proptest::collection::vec((0_usize..90, any::<u8>()), 0..4),
    ) {
        thread_local!(static RESPONDER: Responder = responder(&over_root()));
        let (name, kind) = CASES[case].0.split_once(' ').unwrap();
        let mut question = query(name, kind_of(kind));
        question.edns = Some(Edns::new());
        let mut bytes = question.to_vec().unwrap();
        for (at, octet) in cuts {
            if let Some(place) = bytes.get_mut(at) {
                *place = octet;
            }
        }
        let answered = RESPONDER.with(|responder| ask_udp(responder, &bytes));
        prop_assert_eq!(answered.is_none(), bytes[2] & 0x80 != 0);
        if let Some(answer) = answered {
            prop_assert!(answer.metadata.response_code != ResponseCode::ServFail);
        }
        super::fuzz_question(&bytes);
    }
}

/// Asks over real sockets, cold and hot, and stops the server.
#[test]
fn sockets_answer_over_udp_and_tcp() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let settings = Settings {
        listen,
        udp_workers: 2,
        tcp_connections_max: 2,
        tcp_read_timeout: Duration::from_millis(300),
        ..over_root()
    };
    let (pool, threads) = crate::pool::Pool::start(1, 64).unwrap();
    let bound = super::bind(&settings).unwrap();
    let address = bound.addresses()[0];
    assert!(super::bind(&Settings { listen: vec![address], ..settings }).is_err());
    let server = {
        let _runtime = runtime.enter();
        bound.serve(resolver(), pool, Clock::fixed(1_000), Arc::new(|| 7)).unwrap()
    };

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let name = "sn-001._id.8.118.88.id.example.";
    let question = query(name, RecordType::TXT).to_vec().unwrap();
    let mut buffer = [0; 2_000];
    for _ in 0..3 {
        udp.send_to(&[0xff; 40], address).unwrap();
        udp.send_to(&question, address).unwrap();
        let octets = udp.recv(&mut buffer).unwrap();
        let reply = Message::from_vec(&buffer[..octets]).unwrap();
        assert_eq!(reply.answers.len(), 1);
    }
    tcp_conversation(address, &question);
    runtime.block_on(server.stop());
    threads.join();
    assert!(TcpStream::connect(address).is_err());
}

fn tcp_conversation(address: SocketAddr, question: &[u8]) {
    use std::io::{Read, Write};
    let frame = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    };
    let mut stream = connect();
    let huge = query("huge._id.118.88.id.example.", RecordType::TXT).to_vec().unwrap();
    let frames = [frame(question), frame(&huge), frame(question)].concat();
    let (first, second) = frames.split_at(9);
    stream.write_all(first).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    stream.write_all(second).unwrap();
    for expected in [1, 436, 1] {
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(Message::from_vec(&answer).unwrap().answers.len(), expected);
    }
    // One more connection has a seat, a third is closed; the silent one is closed in time.
    let mut silent = connect();
    let mut third = connect();
    assert_eq!(third.read(&mut [0; 1]).unwrap_or(0), 0);
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
    // What is no question ends the connection.
    stream.write_all(&frame(&[0xff; 40])).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}
