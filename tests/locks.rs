//! The lock file against `deny.toml` and against the advisories known to us.
//!
//! No advisory database can be counted on where this runs, so the floors are kept here with the
//! date on which they were last compared with the database.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use toml::{Table, Value};

/// When the floors were last compared with the advisories.
const FLOORS_READ: &str = "2026-11-20";

/// Crate, lowest version without a known advisory that concerns us, and the advisories.
const FLOORS: [(&str, [u64; 3], &str); 6] = [
    ("hickory-proto", [0, 26, 2], "CVE-2026-123570 to -123608, RUSTSEC-2026-0118 to -0120"),
    ("hickory-server", [0, 26, 2], "CVE-2026-123570 to -123608, RUSTSEC-2023-0041"),
    ("h2", [0, 4, 4], "RUSTSEC-2024-0332"),
    ("hyper", [0, 14, 10], "RUSTSEC-2020-0008, RUSTSEC-2021-0020, RUSTSEC-2021-0078"),
    ("rustls", [0, 23, 18], "RUSTSEC-2024-0336, RUSTSEC-2024-0399"),
    ("ring", [0, 17, 12], "RUSTSEC-2025-0009"),
];

/// Crates of which two versions in one program would be a fault.
const SINGLE: [&str; 7] =
    ["hickory-proto", "librocksdb-sys", "lz4-sys", "ring", "rustls", "tokio", "zstd-sys"];

#[test]
fn nothing_banned_is_locked() {
    let policy = read("deny.toml");
    let deny = policy["bans"]["deny"].as_array().expect("a list of bans");
    let banned: Vec<&str> = deny.iter().filter_map(|ban| ban["name"].as_str()).collect();
    assert!(banned.contains(&"aws-lc-rs") && banned.contains(&"openssl-sys"));
    for (name, version) in locked() {
        assert!(!banned.contains(&name.as_str()), "{name} {version} is banned: see deny.toml");
    }
}

#[test]
fn locked_versions_are_above_known_advisories() {
    for (name, floor, advisories) in FLOORS {
        let versions: Vec<String> = of(name);
        assert!(!versions.is_empty(), "{name} left the lock file: take it out of FLOORS");
        for version in versions {
            let numbers = numbers(&version);
            assert!(numbers >= floor, "{name} {version}: {advisories} (read {FLOORS_READ})");
        }
    }
}

#[test]
fn crates_that_must_be_single_are() {
    for name in SINGLE {
        assert_eq!(of(name).len(), 1, "{name}: {:?}", of(name));
    }
}

#[test]
fn every_licence_is_allowed() {
    let policy = read("deny.toml");
    let allowed = policy["licenses"]["allow"].as_array().expect("a list of licences");
    let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
    for package in packages() {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence, &allowed), "{name}: licence {licence} is not in deny.toml");
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT", "Apache-2.0"];
    assert!(is_allowed("MIT OR GPL-3.0", &allowed));
    assert!(is_allowed("GPL-3.0/MIT", &allowed));
    assert!(is_allowed("(MIT OR GPL-3.0) AND Apache-2.0", &allowed));
    assert!(!is_allowed("MIT AND GPL-3.0", &allowed));
    assert!(!is_allowed("GPL-3.0", &allowed));
}

/// Whether an SPDX expression can be met with the allowed licences. `AND` binds before `OR`.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let expression = expression.trim().replace('/', " OR ");
    if let Some((left, right)) = split(&expression, " OR ") {
        return is_allowed(left, allowed) || is_allowed(right, allowed);
    }
    if let Some((left, right)) = split(&expression, " AND ") {
        return is_allowed(left, allowed) && is_allowed(right, allowed);
    }
    match expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.contains(&expression.as_str()),
    }
}

/// Splits at the first operator that stands outside parentheses.
fn split<'a>(expression: &'a str, operator: &str) -> Option<(&'a str, &'a str)> {
    let outside = |at: usize| {
        let before = &expression[..at];
        before.matches('(').count() == before.matches(')').count()
    };
    let (at, _) = expression.match_indices(operator).find(|&(at, _)| outside(at))?;
    Some((&expression[..at], &expression[at + operator.len()..]))
}

fn numbers(version: &str) -> [u64; 3] {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    let mut parts = release.split('.').map(|part| part.parse().expect("a version number"));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

fn of(name: &str) -> Vec<String> {
    locked().into_iter().filter(|(locked, _)| locked == name).map(|(_, version)| version).collect()
}

/// Name and version of every package in the lock file.
fn locked() -> Vec<(String, String)> {
    let lock = read("Cargo.lock");
    let packages = lock["package"].as_array().expect("a list of packages");
    let field = |package: &Value, name: &str| package[name].as_str().expect("text").to_owned();
    packages.iter().map(|package| (field(package, "name"), field(package, "version"))).collect()
}

/// What cargo knows of the packages that are built on Linux.
fn packages() -> Vec<Json> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("a list of packages").clone()
}

fn read(name: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).expect("readable").parse().expect("TOML")
}
