//! Minted identifiers, none of which comes twice, and batches that are written whole or not at all.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value as Json, json};

use super::{IDENTIFIERS, Trace, bearer};
use crate::harness::{Connection, Node};

/// What minted identifiers, batches and tables follow.
pub(super) fn publish_templates(node: &Node) {
    for (name, unique) in [("part", true), ("lot", false)] {
        let serial = json!({"index": 2000, "name": "serial", "type": "string", "required": true,
            "unique": unique, "indexed": true, "max_length": 32, "labels": {"en": "Serial"}});
        let template = json!({"labels": {"en": name}, "attributes": [serial],
            "suffix": {"parts": [{"text": "M"}, {"counter": {"digits": 9}}]}});
        let path = format!("/api/v1/templates/88.118.97%2F{name}");
        node.admin("PUT", &path, &template.to_string()).expect(201);
        node.admin("POST", &format!("{path}/publish"), "").expect(200);
    }
}

/// Mints one identifier after the other until the node is gone; none comes twice.
pub(super) fn mint(trace: &Trace, dying: &AtomicBool, address: SocketAddr) {
    let Ok(mut connection) = Connection::open(address) else { return };
    let bearer = bearer();
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    loop {
        let serial = format!("m{}", trace.keys.fetch_add(1, Ordering::Relaxed));
        let body = json!({"prefix": "88.118.97", "template": "88.118.97/part",
            "attributes": {"serial": serial}});
        let sent = body.to_string();
        let reply = connection.exchange("POST", IDENTIFIERS, &headers, sent.as_bytes());
        let Ok(reply) = reply else {
            assert!(dying.load(Ordering::Acquire), "no answer from a living node");
            return;
        };
        assert_eq!(reply.status, 201, "{}", reply.text());
        let name = reply.json()["identifier"].as_str().expect("an identifier").to_owned();
        trace.imported.lock().expect("no panic").insert(name.clone());
        assert!(trace.minted.lock().expect("no panic").insert(name.clone()), "{name} came twice");
        trace.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends one batch after the other, each all or nothing, until the node is gone.
pub(super) fn batch(trace: &Trace, dying: &AtomicBool, address: SocketAddr) {
    let Ok(mut connection) = Connection::open(address) else { return };
    let bearer = bearer();
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    loop {
        let first = trace.keys.fetch_add(BATCH_ITEMS, Ordering::Relaxed);
        let names: Vec<_> = (0..BATCH_ITEMS).map(|n| format!("88.118.96/B{}", first + n)).collect();
        let put = |name: &String| {
            json!({"put": {"identifier": name, "template": "88.118.97/part",
                "attributes": {"serial": name}}})
        };
        let items: Vec<Json> = names.iter().map(put).collect();
        let body = json!({"atomic": true, "items": items}).to_string();
        trace.batches.lock().expect("no panic").push(names.clone());
        let reply = connection.exchange("POST", "/api/v1/batches", &headers, body.as_bytes());
        let Ok(reply) = reply else {
            assert!(dying.load(Ordering::Acquire), "no answer from a living node");
            return;
        };
        assert_eq!(reply.status, 200, "{}", reply.text());
        trace.imported.lock().expect("no panic").extend(names);
        trace.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

const BATCH_ITEMS: u64 = 5;
