//! What the whole room answers, over a store in memory; hickory reads the answers.

mod answers;
mod granted;
mod hostile;
mod sockets;
mod standing;

use std::str::FromStr;
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, Record as DnsRecord, RecordType};

use super::responder::{Depth, Transport, Verdict};
use super::tally::Tally;
use super::zone::Zones;
use super::{Responder, Serial, Settings};
use crate::clock::Clock;
use crate::identifier::{Identifier, Prefix};
use crate::ledger::Position;
use crate::record::{Form, Permissions, Record, Status, Ttl, Value};
use crate::registrant::Allocation;
use crate::resolver::{Resolver, fits_label};
use crate::store::memory::MemoryStore;
use crate::store::{
    NAMES, NameKey, PREFIXES, RECORDS, Store, StoredPrefix, StoredRecord, key_bytes,
};

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
        held_apart: false,
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
        let row = StoredPrefix {
            position: Position { log: 1, index: 0 },
            version: 1,
            created_ms: 0,
            modified_ms: 0,
            content: Allocation::own(),
        };
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
    let torn = Identifier::literal("88.118/torn").unwrap();
    changes.put(RECORDS.id(), &key_bytes(torn.key()), b"\xff");
    changes.commit().unwrap();
    Arc::new(Resolver::open(store, 1 << 20).unwrap())
}

fn responder(settings: &Settings) -> Responder {
    responder_with(settings, Arc::new(|| 7))
}

fn responder_with(settings: &Settings, serial: Serial) -> Responder {
    let zones = Zones::new(settings, &["192.0.2.1".parse().unwrap()]).unwrap();
    Responder::new(resolver(), zones, Clock::fixed(1_000), serial)
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
