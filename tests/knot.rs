//! Our DNS answers beside those of Knot, which has the same records in zone files.
//!
//! The zone files are written here, from the records as registered and DESIGN's rules, without any
//! of the node's code; only SOA and NS are asked from the node.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::{Chance, Node, dig, free_port, output, program, python, text, wait_until};

const RECORDS: u64 = 400;
const QUERIES: u64 = 6_000;
const ZONES: [&str; 2] = ["118.88.id.example.", "1000.86.id.example."];
const PREFIXES: [&str; 5] = ["88.118", "88.118.8", "88.118.8.1", "86.1000.1", "86.1000.A-b"];

#[test]
fn answers_are_those_of_knot() {
    let mut chance = Chance::announced("comparison with Knot");
    let node = crate::harness::Launch::fresh()
        .arguments(&["--prefix", "88.118", "--prefix", "86.1000"])
        .start();
    let mut zone_lines = vec![String::new(); ZONES.len()];
    let mut names = Vec::new();
    for number in 0..RECORDS {
        let registered = Registered::by_chance(&mut chance, number);
        registered.register(&node);
        let zone = usize::from(registered.prefix.starts_with("86."));
        zone_lines[zone].push_str(&registered.zone_lines());
        names.push(registered.owner());
    }
    let port = free_port();
    let _knot = Knot::start(&node, &zone_lines, port);
    let queries: Vec<Json> = (0..QUERIES).map(|_| query(&mut chance, &names)).collect();
    let file = node.launch().folder().join("queries.json");
    fs::write(&file, json!(queries).to_string()).expect("written");
    let verdict = python(
        include_str!("foreign/compare.py"),
        &json!({"ours": node.dns.port(), "theirs": port, "queries": file}),
    );
    println!("{}", verdict["summary"]);
    assert_eq!(verdict["compared"], QUERIES);
    let differences = verdict["differences"].as_array().expect("a list");
    let first: Vec<String> = differences.iter().take(10).map(Json::to_string).collect();
    assert!(first.is_empty(), "{} differ:\n{}", differences.len(), first.join("\n"));
}

/// A record, in the words of the test.
struct Registered {
    prefix: &'static str,
    suffix: String,
    /// TTL and target.
    urls: Vec<(u32, String)>,
    /// TTL, name and text.
    texts: Vec<(u32, String, String)>,
    naptr: bool,
    retired: bool,
}

impl Registered {
    fn by_chance(chance: &mut Chance, number: u64) -> Self {
        let prefix = *chance.pick(&PREFIXES);
        let suffix = match chance.below(8) {
            0 => format!("SN {number}.a\\b\"c"),
            1 => format!("泵-{number}/é"),
            2 => format!("{number}-{}", "x".repeat(chance.below(180) as usize)),
            3 => format!("{number};(@$)"),
            _ => format!("SN-{number:05}"),
        };
        let mut ttl = || *chance.pick(&[60, 300, 86_400]);
        let urls = [0, 1].map(|n| (ttl(), format!("https://example.com/{number}/{n}?a=b;c")));
        let texts = ["EMAIL", "note", "SERIAL"].map(|name| (ttl(), name.to_owned()));
        let (urls_wanted, texts_wanted) = (chance.below(3), chance.below(4));
        let lengths = [1, 40, 250, 255, 256, 700];
        let texts = texts.into_iter().take(texts_wanted as usize).map(|(ttl, name)| {
            let length = *chance.pick(&lengths);
            (ttl, name, format!("{number} \"é\\ {}", "t".repeat(length)))
        });
        Self {
            prefix,
            suffix,
            texts: texts.collect(),
            urls: urls.into_iter().take(urls_wanted as usize).collect(),
            naptr: chance.below(4) == 0,
            retired: chance.below(10) == 0,
        }
    }

    fn register(&self, node: &Node) {
        let mut values: Vec<Json> = Vec::new();
        for (ttl, target) in &self.urls {
            values.push(json!({"type": "URL", "data": target, "ttl": ttl}));
        }
        for (ttl, name, text) in &self.texts {
            values.push(json!({"type": name, "data": text, "ttl": ttl}));
        }
        if self.naptr {
            values.push(json!({"type": "DNS/NAPTR", "data": NAPTR, "ttl": 120}));
        }
        values.push(json!({"type": "KEY", "data": "nobody", "permissions": "1100"}));
        let identifier = format!("{}/{}", self.prefix, self.suffix);
        node.put(&identifier, &json!({ "values": values }));
        if self.retired {
            let path = format!("/api/v1/identifiers/{}", crate::harness::segment(&identifier));
            assert!(node.admin("DELETE", &path, "").status < 300);
        }
    }

    /// The owner name, in a zone file's escapes.
    fn owner(&self) -> String {
        let arcs: Vec<&str> = self.prefix.rsplit('.').collect();
        let below = format!("{}.id.example.", arcs.join("."));
        if self.suffix.len() <= 63 {
            return format!("{}._id.{below}", escaped(self.suffix.as_bytes(), false));
        }
        let folded = format!("{}/{}", self.prefix, self.suffix).to_ascii_uppercase();
        let key = [&[1], folded.as_bytes()].concat();
        let digest = ring::digest::digest(&ring::digest::SHA256, &key);
        let label = data_encoding::BASE32HEX_NOPAD.encode(&digest.as_ref()[..20]);
        format!("{label}._hash.{below}")
    }

    fn zone_lines(&self) -> String {
        let owner = self.owner();
        if self.retired {
            return format!("{owner} 3600 TXT \"status=retired\"\n");
        }
        let mut lines = String::new();
        let least = self.urls.iter().map(|(ttl, _)| ttl).min();
        for (_, target) in &self.urls {
            let ttl = least.copied().unwrap_or_default();
            lines += &format!("{owner} {ttl} URI 10 1 \"{}\"\n", escaped(target.as_bytes(), true));
        }
        let least = self.texts.iter().map(|(ttl, ..)| ttl).min();
        for (_, name, text) in &self.texts {
            let whole = format!("{name}={text}").into_bytes();
            let strings = whole.chunks(255).map(|part| format!("\"{}\"", escaped(part, true)));
            let strings = strings.collect::<Vec<_>>().join(" ");
            lines += &format!("{owner} {} TXT {strings}\n", least.copied().unwrap_or_default());
        }
        if self.naptr {
            lines += &format!("{owner} 120 NAPTR {NAPTR}\n");
        }
        if lines.is_empty() {
            // The name exists without public data: a type nobody asks for stands in for that.
            lines = format!("{owner} 60 HINFO \"a\" \"b\"\n");
        }
        lines
    }
}

/// Octets in the escapes of a zone file (RFC 1035 §5.1).
fn escaped(octets: &[u8], quoted: bool) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_=/:?&".contains(&octet);
    let one = |&octet: &u8| match octet {
        b' ' if quoted => " ".to_owned(),
        octet if plain(octet) => char::from(octet).to_string(),
        octet => format!("\\{octet:03}"),
    };
    octets.iter().map(one).collect()
}

/// A query: existing, near existing, absent; every type; odd case; several sizes; TCP.
fn query(chance: &mut Chance, names: &[String]) -> Json {
    let known = chance.pick(names).clone();
    let parent = known.split_once("._").map_or("", |(_, rest)| rest);
    let name = match chance.below(20) {
        0 => format!("absent-{}._id.8.118.88.id.example.", chance.below(99)),
        1 => format!("below.{known}"),
        2 => format!("_{parent}"),
        3 => parent.split_once('.').map_or("", |(_, rest)| rest).to_owned(),
        4 => chance.pick(&ZONES).to_string(),
        5 => format!("{}.88.id.example.", chance.below(200)),
        6 => format!("{}.8.118.88.id.example.", chance.below(3)),
        7 => "id.example.".to_owned(),
        8 => format!("ns.{}", chance.pick(&ZONES)),
        9 => format!("*._id.{}", chance.pick(&ZONES)),
        _ => known,
    };
    let usual = ["TXT", "URI", "NAPTR"];
    let others = ["A", "AAAA", "NS", "SOA", "MX", "CNAME", "SRV", "DS", "TYPE999"];
    let types = if chance.below(3) > 0 { &usual[..] } else { &others };
    let flip = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c };
    let odd = chance.below(3) == 0;
    json!({
        "name": if odd { name.chars().map(flip).collect() } else { name },
        "type": chance.pick(types),
        "edns": chance.pick(&[0, 512, 1_232, 4_096]),
        "dnssec": chance.below(8) == 0,
        "tcp": chance.below(8) == 0,
    })
}

/// knotd, stopped when dropped.
struct Knot(Child);

impl Knot {
    fn start(node: &Node, zone_lines: &[String], port: u16) -> Self {
        let folder = node.launch().folder().join("knot");
        fs::create_dir(&folder).expect("made");
        let mut config = format!(
            "server:\n  listen: 127.0.0.1@{port}\n  rundir: {0}\n  pidfile: {0}/pid\n\
             log:\n  - target: stderr\n    any: error\n\
             database:\n  storage: {0}\n\
             template:\n  - id: default\n    storage: {0}\n    semantic-checks: off\n    \
             journal-content: none\nzone:\n",
            folder.display()
        );
        for (zone, lines) in ZONES.iter().zip(zone_lines) {
            write_zone(node, &folder, zone, lines);
            config += &format!("  - domain: {zone}\n    file: {zone}zone\n");
        }
        let path = folder.join("knot.conf");
        fs::write(&path, config).expect("written");
        text(program("knotc").arg("-c").arg(&path).arg("conf-check"));
        let log = fs::File::create(folder.join("log")).expect("a file");
        let mut command = program("knotd");
        command.arg("-c").arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let knot = Self(command.spawn().expect("knotd: `make test` installs it"));
        for zone in ZONES {
            let port = port.to_string();
            wait_until(Duration::from_secs(30), "Knot's zones", || {
                let ask = ["@127.0.0.1", "-p", &port, "+tries=1", "+time=1", "+short", zone, "SOA"];
                !output(program("dig").args(ask)).stdout.is_empty()
                    || panic_with(&folder.join("log"))
            });
        }
        knot
    }
}

impl Drop for Knot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Fails with Knot's own words when it has any.
fn panic_with(log: &Path) -> bool {
    let log = fs::read_to_string(log).unwrap_or_default();
    assert!(!log.contains("error"), "{log}");
    false
}

fn write_zone(node: &Node, folder: &Path, zone: &str, lines: &str) {
    let mut file = String::new();
    for (name, kind) in [(zone, "SOA"), (zone, "NS"), (&format!("ns.{zone}"), "A")] {
        let own = dig(node, &["+noall", "+answer", name, kind]);
        assert!(!own.is_empty(), "no {kind} at {name}");
        file += &own;
    }
    file += lines;
    fs::write(folder.join(format!("{zone}zone")), file).expect("written");
}

const NAPTR: &str = r#"10 100 "u" "E2U+sip" "!^.*$!sip:info@example.com!" ."#;
