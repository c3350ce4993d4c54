//! Minting: the next identifier, once.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::templates::{PRODUCT, fault, faults, made, product, register};
use super::*;

fn mint(attributes: Json) -> Request {
    minted_at("88.118", &made(attributes), None)
}

fn minted_at(prefix: &str, body: &str, serial: Option<&str>) -> Request {
    Request::new(Command::Mint {
        prefix: Prefix::parse(prefix).unwrap(),
        serial: serial.map(str::to_owned),
        draft: Draft::from_json(body.as_bytes()).unwrap(),
    })
}

impl Fixture {
    fn minted(&self, request: &Request) -> String {
        let (stored, created, _) = self.stored(request);
        assert!(created);
        stored.record.identifier.to_string()
    }

    /// The same store with a write side of its own, as after a restart.
    fn restarted(self) -> Self {
        self.registry.close();
        let resolver = Arc::new(Resolver::open(Arc::clone(&self.store), 1 << 20).unwrap());
        let (store, keys) = (Arc::clone(&self.store), Arc::clone(&self.keys));
        let registry =
            Registry::open(store, resolver, keys, Clock::fixed(NOW_MS), Settings::default());
        Self { registry: Arc::new(registry.unwrap()), ..self }
    }
}

#[test]
fn numbers_follow_each_other_and_skip_what_exists() {
    let node = Fixture::with_product();
    assert_eq!(node.minted(&mint(json!({"serial": "a"}))), "88.118/P001");
    node.stored(&register("88.118/p002", json!({"serial": "b"})));
    node.stored(&retire("88.118/p002"));
    assert_eq!(node.minted(&mint(json!({"serial": "c"}))), "88.118/P003");
    let refused = node.apply(&mint(json!({"serial": "c"})));
    assert_eq!(faults(refused), fault("attributes.serial", "unique"));
    let refused = node.apply(&mint(json!({})));
    assert_eq!(faults(refused), fault("attributes.serial", "required"));
    assert_eq!(node.minted(&mint(json!({"serial": "d"}))), "88.118/P004", "refusals take none");
    let below = minted_at("88.118.8", &made(json!({"serial": "a"})), None);
    assert_eq!(node.minted(&below), "88.118.8/P001", "each prefix counts for itself");
    assert_eq!(node.check().findings, []);
}

#[test]
fn what_cannot_be_minted_is_named() {
    let node = Fixture::with_product();
    let body = made(json!({"serial": "a"}));
    let serial = node.apply(&minted_at("88.118", &body, Some("7")));
    assert_eq!(faults(serial), fault("serial", "unknown"));
    let foreign = node.apply(&minted_at("20.500", &body, None));
    assert!(matches!(foreign, Err(RegistryError::NotResponsible(_))));
    let free = node.apply(&minted_at("88.118", P100, None));
    assert_eq!(faults(free), fault("template", "required"));

    let mut plain = product();
    plain.as_object_mut().unwrap().remove("suffix");
    node.draft("88.118/t/plain", &plain).unwrap();
    node.publish("88.118/t/plain").unwrap();
    let body = json!({"template": "88.118/t/plain", "attributes": {"serial": "a"}}).to_string();
    let ruleless = node.apply(&minted_at("88.118", &body, None));
    assert_eq!(faults(ruleless), fault("template", "suffix"));

    let mut serial = product();
    serial["suffix"] = json!({"parts": [{"text": "S-"}, {"serial": {"max_length": 4}}]});
    node.draft("88.118/t/serial", &serial).unwrap();
    node.publish("88.118/t/serial").unwrap();
    let body = json!({"template": "88.118/t/serial", "attributes": {"serial": 1}}).to_string();
    let both = faults(node.apply(&minted_at("88.118", &body, Some("12345"))));
    assert_eq!(both[0], ("serial".to_owned(), "max_length".to_owned()));
    assert_eq!(both[1].0, "attributes.serial");
    let body = json!({"template": "88.118/t/serial", "attributes": {"serial": "x"}}).to_string();
    assert_eq!(node.minted(&minted_at("88.118", &body, Some("0007"))), "88.118/S-0007");
    let body = json!({"template": "88.118/t/serial", "attributes": {"serial": "y"}}).to_string();
    let again = node.apply(&minted_at("88.118", &body, Some("0007")));
    assert!(matches!(again, Err(RegistryError::Taken(_))));

    let mut short = product();
    short["suffix"] = json!({"parts": [{"text": "Q"}, {"counter": {"digits": 1, "start": 8}}]});
    node.draft("88.118/t/short", &short).unwrap();
    node.publish("88.118/t/short").unwrap();
    let one = |serial: &str| {
        let attributes = json!({"serial": serial});
        let body = json!({"template": "88.118/t/short", "attributes": attributes}).to_string();
        node.apply(&minted_at("88.118", &body, None))
    };
    assert!(one("8").is_ok() && one("9").is_ok());
    assert_eq!(faults(one("10")), fault("suffix.counter", "exhausted"));
    assert_eq!(faults(one("10")), fault("suffix.counter", "exhausted"));
}

#[test]
fn eight_writers_and_a_restart_repeat_nothing() {
    let mut node = Fixture::with_product();
    let mut all = BTreeSet::new();
    for round in 0..2 {
        let minted: Vec<String> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|writer| {
                    let node = &node;
                    scope.spawn(move || {
                        let one = |number| {
                            let serial = format!("{round}-{writer}-{number}");
                            node.minted(&mint(json!({"serial": serial})))
                        };
                        (0..25).map(one).collect::<Vec<_>>()
                    })
                })
                .collect();
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        assert_eq!(minted.len(), 200);
        for identifier in minted {
            assert!(all.insert(identifier.clone()), "{identifier} was minted twice");
        }
        node = node.restarted();
    }
    let highest = all.last().unwrap();
    let next = node.minted(&mint(json!({"serial": "next"})));
    assert!(next > *highest, "{next} after {highest}");
    assert_eq!(node.check().findings, []);
}

#[test]
fn a_repeated_mint_gives_the_first_identifier() {
    let node = Fixture::with_product();
    let key = IdempotencyKey { key: "m".into(), request_digest: [1; 32] };
    let request = Request { idempotency: Some(key), ..mint(json!({"serial": "a"})) };
    assert_eq!(node.minted(&request), "88.118/P001");
    assert_eq!(node.minted(&request), "88.118/P001");
    let node = node.restarted();
    assert_eq!(node.minted(&request), "88.118/P001");
    let requests: Vec<_> = (0..300).map(|n| mint(json!({"serial": n.to_string()}))).collect();
    let outcomes = node.registry.apply_all(&node.admin, &requests, NOW_MS);
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(node.registry.ledger_size(), 3 + 2 + 3 + 1 + 300);
    assert_eq!(PRODUCT, "88.118/t/product");
}
