//! The look-ups and writes: what is asked of whom, in which order.
//!
//! Servers take turns within a round, so that what else happens on the machine meets all of them.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::catalogue::{Item, TEMPLATE};
use crate::dns_load::{Expected, Questions};
use crate::http::segment;
use crate::http_load::Load;
use crate::node::{Node, TOKEN};
use crate::options::Options;
use crate::peers::Peer;
use crate::postgres::Postgres;
use crate::random::{Random, mix};
use crate::sample::{Sample, Series, file_sample};

/// Asks the node and the peers over UDP: all identifiers, a hot set, absent names.
pub fn measure_dns(
    options: &Options,
    node: &Node,
    echo: &Peer,
    knot: Option<&Peer>,
) -> Result<Vec<Series>> {
    let count = options.operations(DNS_QUESTIONS);
    let mut all = Vec::new();
    let mut servers = vec![("Nameplate", &node.process, node.dns)];
    servers.extend(knot.map(|peer| (peer.name.as_str(), &peer.process, peer.address)));
    for (asked, workload) in [(UNIFORM, 0), (HOT, 1), (ABSENT, 2)] {
        for round in 0..u64::from(options.rounds()) {
            let questions = dns_questions(workload, round, count, options.identifiers());
            for &(name, process, address) in &servers {
                eprintln!("  DNS, {asked}, {name}");
                if round == 0 {
                    questions.ask(address, count / 10, LIMIT)?;
                }
                let sample = Sample::take(process, || questions.ask(address, count, LIMIT))
                    .with_context(|| format!("{name}, DNS, {asked}"))?;
                file_sample(&mut all, name, asked, sample);
            }
            if workload == 1 {
                let same = questions.echoed();
                let run = || same.ask(echo.address, count, LIMIT);
                file_sample(&mut all, &echo.name, HOT, Sample::take(&echo.process, run)?);
            }
        }
    }
    Ok(all)
}

/// Asks the node over HTTP for JSON and for redirects, and nginx for its constant reply.
pub fn measure_http(options: &Options, node: &Node, nginx: Option<&Peer>) -> Result<Vec<Series>> {
    let requests = options.operations(HTTP_REQUESTS);
    let load = Load { connections: CONNECTIONS, requests, limit: LIMIT, status: 200 };
    let identifiers = options.identifiers();
    let mut all = Vec::new();
    for round in 0..u64::from(options.rounds()) {
        let item = |number: u64| Item::new(mix(number ^ (round << 40)) % identifiers);
        let json = |number: u64, out: &mut String| {
            let item = item(number);
            let id = segment(&format!("{}/{}", item.prefix(), item.suffix()));
            out.extend(["GET /api/v1/identifiers/", &id, " HTTP/1.1\r\nhost: localhost\r\n\r\n"]);
        };
        let redirect = |number: u64, out: &mut String| {
            let item = item(number);
            let (prefix, suffix) = (item.prefix(), item.suffix());
            out.extend(["GET /", &prefix, "/", &suffix, " HTTP/1.1\r\nhost: localhost\r\n\r\n"]);
        };
        eprintln!("  HTTP, {JSON}");
        let sample = Sample::take(&node.process, || load.run(node.http, &json)).context(JSON)?;
        file_sample(&mut all, "Nameplate", JSON, sample);
        eprintln!("  HTTP, {REDIRECT}");
        let found = Load { status: 302, ..load };
        let run = || found.run(node.http, &redirect);
        let sample = Sample::take(&node.process, run).context(REDIRECT)?;
        file_sample(&mut all, "Nameplate", REDIRECT, sample);
        if let Some(peer) = nginx {
            eprintln!("  HTTP, {CONSTANT}, {}", peer.name);
            let sample = Sample::take(&peer.process, || load.run(peer.address, &json))?;
            file_sample(&mut all, &peer.name, CONSTANT, sample);
        }
    }
    Ok(all)
}

/// Registers new identifiers by a template, one by one, each acknowledged when it is durable, and
/// inserts rows of the same size into PostgreSQL.
pub fn measure_writes(
    options: &Options,
    node: &Node,
    postgres: Option<&Postgres>,
) -> Result<Vec<Series>> {
    let requests = options.operations(WRITES);
    let load = Load { connections: WRITE_CONNECTIONS, requests, limit: LIMIT, status: 201 };
    crate::api::publish_template(node.http)?;
    let mut all = Vec::new();
    for round in 0..u64::from(options.rounds()) {
        let first = FIRST_WRITTEN + round * WRITES;
        let put = |number: u64, out: &mut String| {
            let item = Item::new(first + number);
            let id = segment(&format!("{}/{}", item.prefix(), item.suffix()));
            let body = registration(&item);
            let length = body.len().to_string();
            out.extend(["PUT /api/v1/identifiers/", &id, " HTTP/1.1\r\nhost: localhost\r\n"]);
            out.extend(["authorization: Bearer ", TOKEN, "\r\nif-none-match: *\r\n"]);
            out.extend(["content-type: application/json\r\n"]);
            out.extend(["content-length: ", &length, "\r\n\r\n", &body]);
        };
        eprintln!("  HTTP, {PUT}");
        let sample = Sample::take(&node.process, || load.run(node.http, &put)).context(PUT)?;
        file_sample(&mut all, "Nameplate", PUT, sample);
        if let Some(postgres) = postgres {
            eprintln!("  {INSERT}, {}", postgres.name);
            let body = registration(&Item::new(first));
            let sample = postgres.measure_inserts(round, requests, &body).context(INSERT)?;
            file_sample(&mut all, &postgres.name, INSERT, sample);
        }
    }
    Ok(all)
}

/// What is sent to register an item, and what a row of PostgreSQL holds.
fn registration(item: &Item) -> String {
    let mut body = String::new();
    item.write_body(WRITE_TEMPLATE, &mut body);
    body
}

/// Questions of a round: any identifier, 10,000 hot ones, absent ones.
fn dns_questions(workload: u64, round: u64, count: u64, identifiers: u64) -> Questions {
    let mut random = Random::new(workload << 32 | round);
    match workload {
        0 => {
            let any = (0..count).map(|_| Item::new(random.below(identifiers)));
            Questions::new(any, Expected::Records)
        }
        1 => {
            // The same names in every round; there may be fewer identifiers than that.
            let hot = (0..HOT_NAMES).map(|number| Item::new(mix(number) % identifiers));
            Questions::new(hot, Expected::Records)
        }
        _ => {
            let absent = (0..count).map(|_| Item::absent(random.below(identifiers)));
            Questions::new(absent, Expected::Absence)
        }
    }
}

const UNIFORM: &str = "any identifier";
const HOT: &str = "10,000 hot names";
const ABSENT: &str = "absent names";
const JSON: &str = "GET /api/v1/identifiers/{id}";
const REDIRECT: &str = "GET /{id}, redirect";
const CONSTANT: &str = "constant reply";
const PUT: &str = "PUT, 64 connections";
const INSERT: &str = "INSERT, 32 prepared clients";

/// Kept-alive connections of look-ups.
pub const CONNECTIONS: usize = 32;

/// Kept-alive connections of writes.
const WRITE_CONNECTIONS: usize = 64;

/// The template that written records follow.
const WRITE_TEMPLATE: Option<&str> = Some(TEMPLATE);

const DNS_QUESTIONS: u64 = 400_000;
const HTTP_REQUESTS: u64 = 200_000;
const WRITES: u64 = 50_000;
const HOT_NAMES: u64 = 10_000;

/// Written identifiers are far from imported ones.
const FIRST_WRITTEN: u64 = 1 << 40;

/// Time after which a measurement sends nothing more.
const LIMIT: Duration = Duration::from_secs(30);
