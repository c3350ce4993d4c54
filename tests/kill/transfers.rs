//! Transfers: what was accepted has changed hands, all of it, and nothing else has.

use std::collections::HashSet;
use std::sync::Mutex;

use serde_json::{Value as Json, json};

use super::{Writing, exchange, path};
use crate::harness::{ADMIN_TOKEN, Connection, Node};

/// Transfers that were offered in this round.
#[derive(Default)]
pub(super) struct TransferTrace {
    offers: Mutex<Vec<Offer>>,
    /// Secret of the token of whoever takes.
    secret: Mutex<String>,
}

/// What is known of an offer.
struct Offer {
    id: String,
    prefix: String,
    identifiers: Vec<String>,
    accepted: bool,
}

/// Enters the registrant that everything is offered to.
pub(super) fn enter_taker(node: &Node) -> String {
    let make = |path: &str, body: Json| node.admin("POST", path, &body.to_string()).expect(201);
    make("/api/v1/registrants", json!({"id": TAKER, "name_zh": "张氏泵业"}));
    for step in ["review", "approve"] {
        node.admin("POST", &format!("/api/v1/registrants/{TAKER}/{step}"), "").expect(200);
    }
    let account = json!({"name": "zhang-admin", "role": "registrant-administrator",
        "registrant": TAKER});
    make("/api/v1/accounts", account);
    let token = make("/api/v1/tokens", json!({"account": "zhang-admin"}));
    token["secret"].as_str().expect("a secret").to_owned()
}

/// Hands a prefix and single identifiers over, again and again, until the node is gone.
pub(super) fn hand_over(writing: Writing<'_>) {
    let Some(mut connection) = writing.connect() else { return };
    while let Some(()) = hand_over_once(writing, &mut connection) {}
}

/// None when the node is gone.
fn hand_over_once(writing: Writing<'_>, connection: &mut Connection) -> Option<()> {
    let number = writing.number();
    let prefix = format!("88.118.92.{number}");
    let identifiers = ["a", "b", "c"].map(|suffix| format!("88.118.91/T{number}{suffix}"));
    writing.ask(connection, "POST /api/v1/prefixes", &json!({"prefix": prefix}).to_string())?;
    for step in ["review", "approve"] {
        writing.ask(connection, &format!("POST /api/v1/prefixes/{prefix}/{step}"), "")?;
    }
    for identifier in &identifiers {
        let body = r#"{"attributes":{"a":"b"}}"#;
        writing.ask(connection, &format!("PUT {}", path(identifier)), body)?;
    }
    let offer = json!({"to": TAKER, "prefixes": [prefix], "identifiers": identifiers});
    let made = writing.ask(connection, "POST /api/v1/transfers", &offer.to_string())?;
    let id = made["id"].as_str().expect("a number").to_owned();
    let identifiers = identifiers.into();
    let offer = Offer { id: id.clone(), prefix, identifiers, accepted: false };
    let trace = &writing.trace.transfers;
    trace.offers.lock().expect("no panic").push(offer);
    let secret = trace.secret.lock().expect("no panic").clone();
    let line = format!("POST /api/v1/transfers/{id}/accept");
    writing.ask_as(&secret, connection, &line, "")?;
    if let Some(last) = trace.offers.lock().expect("no panic").last_mut() {
        last.accepted = true;
    }
    Some(())
}

impl TransferTrace {
    /// Keeps the secret of whoever takes.
    pub fn keep(&self, secret: String) {
        *self.secret.lock().expect("no panic") = secret;
    }

    /// Everything offered is with the one or all with the other.
    pub fn verify(&self, connection: &mut Connection, round: u64) {
        for offer in self.offers.lock().expect("no panic").drain(..) {
            let mut read = |line: String| {
                let reply = exchange(ADMIN_TOKEN, connection, &line, "").expect("an answer");
                assert_eq!(reply.status, 200, "round {round}: {line}: {}", reply.text());
                reply.json()
            };
            let transfer = read(format!("GET /api/v1/transfers/{}", offer.id));
            let accepted = transfer["state"] == "accepted";
            assert!(accepted || !offer.accepted, "round {round}: {transfer} was accepted");
            let prefix = read(format!("GET /api/v1/prefixes/{}", offer.prefix));
            let records = offer.identifiers.iter().map(|it| read(format!("GET {}", path(it))));
            let things: Vec<Json> = records.chain([prefix]).collect();
            let taken: HashSet<bool> =
                things.iter().map(|thing| thing["registrant"] == TAKER).collect();
            assert_eq!(taken, [accepted].into(), "round {round}: {transfer} of {things:?}");
        }
    }
}

/// Registrant that takes.
const TAKER: &str = "zhang";
