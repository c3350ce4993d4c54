//! Pages of 100 records found in different ways, from random places of a large node.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use crate::api;
use crate::catalogue::{ENTERPRISE_ITEMS, Item, TEMPLATE};
use crate::http::segment;
use crate::latency::Outcome;
use crate::node::Node;
use crate::random::Random;
use crate::report::Floor;
use crate::sample::{Sample, Series, file_sample};

/// Asks for `pages` pages in each way, among items 0 to `count` - 1.
pub fn measure(node: &Node, count: u64, pages: u64) -> Result<Vec<Series>> {
    let mut all = Vec::new();
    for (number, asked) in WAYS.into_iter().enumerate() {
        eprintln!("  {asked}");
        let mut random = Random::new(FIRST_SEED + number as u64);
        let queries: Vec<Wanted> =
            (0..pages).map(|_| Wanted::new(asked, random.below(count), count)).collect();
        let run = || ask(node.http, &queries);
        let sample = Sample::take(&node.process, run).context(asked)?;
        file_sample(&mut all, "Nameplate", asked, sample);
    }
    Ok(all)
}

fn ask(node: SocketAddr, queries: &[Wanted]) -> Result<Outcome> {
    let (mut outcome, started) = (Outcome::default(), Instant::now());
    let mut waited = Duration::ZERO;
    for wanted in queries {
        let sent = Instant::now();
        let page = api::call(node, "GET", &wanted.path, &Json::Null)?;
        waited += sent.elapsed();
        match wanted.check(&page) {
            Ok(()) => outcome.count_right(sent.elapsed()),
            Err(error) => outcome.count_wrong(|| format!("GET {}: {error:#}", wanted.path)),
        }
    }
    ensure!(waited <= started.elapsed(), "the clock went back");
    // Reading the answers is the asker's business.
    outcome.elapsed = waited;
    Ok(outcome)
}

/// A query and what must be true of its page.
struct Wanted {
    path: String,
    prefix: String,
    kind: Option<&'static str>,
    /// Least mass, in kilograms.
    mass: Option<f64>,
    /// Records that the page must have at least.
    least: usize,
}

impl Wanted {
    /// A query of that kind about the place of item `number` among `count`.
    fn new(asked: &str, number: u64, count: u64) -> Self {
        let item = Item::new(number);
        let prefix = item.prefix();
        let enterprise = number - number % ENTERPRISE_ITEMS;
        let neighbours = (enterprise..(enterprise + ENTERPRISE_ITEMS).min(count)).map(Item::new);
        let mut path = format!("/api/v1/identifiers?limit={PAGE}&prefix={prefix}");
        let (mut kind, mut mass) = (None, None);
        if asked != BY_PREFIX {
            path += &format!("&template={}", segment(TEMPLATE));
        }
        if asked == BY_EQUALITY {
            kind = Some(item.kind_code());
            path += &format!("&where=kind:{}", item.kind_code());
        }
        if asked == BY_RANGE {
            mass = Some(number_of(&item.mass()).min(MAX_FROM));
            path += &format!("&where=mass:{}..", mass.unwrap_or_default());
        }
        let fits = |other: &Item| {
            kind.is_none_or(|kind| other.kind_code() == kind)
                && mass.is_none_or(|mass| number_of(&other.mass()) >= mass)
        };
        let least = neighbours.filter(fits).count().min(PAGE);
        Self { path, prefix, kind, mass, least }
    }

    fn check(&self, page: &Json) -> Result<()> {
        let records = page["records"].as_array().context("a page without records")?;
        ensure!(records.len() == self.least, "{} records, not {}", records.len(), self.least);
        for record in records {
            let identifier = record["identifier"].as_str().unwrap_or_default();
            let suffix = identifier.strip_prefix(&self.prefix);
            ensure!(suffix.is_some_and(|rest| rest.starts_with('/')), "{identifier}: not below");
            let (kind, mass) = (&record["attributes"]["kind"], &record["attributes"]["mass"]);
            ensure!(self.kind.is_none_or(|wanted| kind == wanted), "{identifier} is a {kind}");
            let fits = |least| mass.as_str().is_some_and(|mass| number_of(mass) >= least);
            ensure!(self.mass.is_none_or(fits), "{identifier} has {mass} kg");
        }
        Ok(())
    }
}

fn number_of(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// What the project demands.
pub fn floor(found: &[Series], count: u64) -> Floor {
    let slowest_ms = found.iter().map(|series| series.median().cpu_us / 1e3).fold(0.0, f64::max);
    Floor {
        what: "server CPU per page of 100, slowest row",
        demand: format!("under {MAX_CPU_MS} ms out of 10,000,000"),
        found: format!("{slowest_ms:.2} ms out of {}", crate::report::grouped(count as f64)),
        met: slowest_ms < MAX_CPU_MS,
    }
}

const WAYS: [&str; 4] = [BY_PREFIX, BY_TEMPLATE, BY_EQUALITY, BY_RANGE];
const BY_PREFIX: &str = "prefix";
const BY_TEMPLATE: &str = "prefix and template";
const BY_EQUALITY: &str = "prefix, template, kind";
const BY_RANGE: &str = "prefix, template, range of mass";

/// Records of a page.
const PAGE: usize = 100;

/// Every enterprise has more than a page of heavier items.
const MAX_FROM: f64 = 200.0;

/// The seeds of the places.
const FIRST_SEED: u64 = 77;

const MAX_CPU_MS: f64 = 2.0;
