//! The house rules that a program can check: who may use whom, sizes, names, leftovers.
//!
//! The rules are described in `CONTRIBUTING.md` and `ARCHITECTURE.md`.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the bottom row up; a room uses its own row and the rows below it.
const ROWS: [&[&str]; 6] = [
    &["identifier", "record", "registrant", "template", "codes", "tabular", "codec"],
    &["store", "ledger", "signing"],
    &["resolver", "registry", "access", "jobs"],
    &["dns", "handle", "http", "peer"],
    &["node"],
    &["main", "cli", "fuzzing"],
];

/// Rooms beside all rows: everybody may use them, they use each other and the lowest row.
const BESIDE: [&str; 6] = ["client", "clock", "config", "pool", "snapshot", "telemetry"];

/// Crates that only some rooms may name.
const FENCED: [(&str, &[&str]); 7] = [
    ("rocksdb", &["store"]),
    ("hickory_proto", &["dns"]),
    ("hickory_server", &["dns"]),
    ("axum", &["http"]),
    ("hyper", &["http", "client"]),
    ("hyper_util", &["http", "client"]),
    ("tower_http", &["http"]),
];

/// Words that say nothing about what a thing is.
const EMPTY_WORDS: [&str; 7] = ["manager", "helper", "util", "utils", "common", "misc", "impl"];

/// The one file with unsafe code.
const UNSAFE_FILE: &str = "src/dns/datagrams.rs";

const MAX_FILE_LINES: usize = 700;
const MAX_MEDIAN_LINES: usize = 200;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_COLUMNS: usize = 100;

#[test]
fn rooms_use_their_own_row_and_the_rows_below() {
    let mut faults = Vec::new();
    for file in sources("src") {
        let Some(room) = file.room() else { continue };
        if place(room).is_none() {
            faults.push(format!("{}: room {room:?} is in no row of tests/house.rs", file.path));
        }
        for (number, line) in file.code() {
            if line.contains("crate::{") {
                faults.push(format!("{}:{number}: one `use` per room", file.path));
            }
        }
        for (number, used) in file.rooms_used() {
            if !may_use(room, &used) {
                faults.push(format!("{}:{number}: {room} must not use {used}", file.path));
            }
        }
    }
    report(&faults);
}

#[test]
fn foreign_crates_stay_in_their_rooms() {
    let mut faults = Vec::new();
    for file in sources("src") {
        for (number, line) in file.code() {
            for (name, rooms) in FENCED {
                let named = words(line).any(|word| word == name) && line.contains("::");
                let allowed = file.room().is_some_and(|room| rooms.contains(&room));
                if named && !allowed {
                    faults.push(format!("{}:{number}: only {rooms:?} name {name}", file.path));
                }
            }
        }
    }
    report(&faults);
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut faults = Vec::new();
    let mut sizes = Vec::new();
    for file in all_sources() {
        let count = file.text.lines().count();
        sizes.push(count);
        if count > MAX_FILE_LINES {
            faults.push(format!("{}: {count} lines, at most {MAX_FILE_LINES}", file.path));
        }
        for (number, line) in (1..).zip(file.text.lines()) {
            let columns = line.chars().count();
            if columns > MAX_COLUMNS {
                faults.push(format!("{}:{number}: {columns} columns", file.path));
            }
        }
        for (number, name, count) in file.functions() {
            if count > MAX_FUNCTION_LINES {
                faults.push(format!("{}:{number}: fn {name} has {count} lines", file.path));
            }
        }
    }
    sizes.sort_unstable();
    let share = |percent: usize| sizes[sizes.len() * percent / 100];
    let (median, ninth, largest) = (share(50), share(90), sizes[sizes.len() - 1]);
    println!("{} files: median {median} lines, p90 {ninth}, largest {largest}", sizes.len());
    if median > MAX_MEDIAN_LINES {
        faults.push(format!("the median file has {median} lines, at most {MAX_MEDIAN_LINES}"));
    }
    report(&faults);
}

#[test]
fn names_say_what_a_thing_is() {
    let mut faults = Vec::new();
    for file in all_sources() {
        let stem = Path::new(&file.path).file_stem().unwrap_or_default().to_string_lossy();
        for name in file.defined_names().chain([stem.as_ref()]) {
            let split = split_words(name);
            if let Some(word) = split.iter().find(|word| EMPTY_WORDS.contains(&word.as_str())) {
                faults.push(format!("{}: {name}: the word {word:?} says nothing", file.path));
            }
            if name.starts_with("get_") {
                faults.push(format!("{}: {name}: leave get_ out", file.path));
            }
        }
    }
    report(&faults);
}

#[test]
fn unsafe_code_is_in_one_file() {
    let mut faults = Vec::new();
    for file in all_sources().into_iter().filter(|file| file.path != UNSAFE_FILE) {
        for (number, line) in file.code() {
            let written = line.starts_with("#[") || line.starts_with("#!");
            if !written && words(line).any(|word| word == "unsafe") && !line.contains('"') {
                faults.push(format!("{}:{number}: unsafe outside {UNSAFE_FILE}", file.path));
            }
        }
    }
    report(&faults);
}

#[test]
fn nothing_unfinished_is_left() {
    // Put together here so that this file does not find itself.
    let markers = ["TO DO", "FIX ME", "XX X", "dbg !(", "to do!(", "un implemented!("];
    let markers = markers.map(|marker| marker.replace(' ', ""));
    let mut faults = Vec::new();
    for file in all_sources() {
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(marker) = markers.iter().find(|&marker| line.contains(marker)) {
                faults.push(format!("{}:{number}: {marker} is left over", file.path));
            }
        }
        if !file.text.starts_with("//!") && !file.path.starts_with("tests/fuzz") {
            faults.push(format!("{}: no module doc at the top", file.path));
        }
    }
    report(&faults);
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() {
    let places = ["root", "work", "farm", "home"].map(|first| format!("/{first}/"));
    let mut faults = Vec::new();
    for path in tree(root(), &["rs", "toml", "md", "sh", "json", "yaml", "service", "lock", ""]) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            let named = places.iter().find(|place| names_place(line, place));
            if let Some(place) = named {
                faults.push(format!("{}:{number}: {place}", path.display()));
            }
        }
    }
    report(&faults);
}

/// Whether `place` begins a path in `line`: it is not the middle of a URL or a longer path.
fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | ')'))
    })
}

/// One Rust file.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The first part of the path below `src`: `src/dns/name.rs` is in `dns`.
    fn room(&self) -> Option<&str> {
        let room = self.path.strip_prefix("src/")?.split(['/', '.']).next()?;
        (room != "lib").then_some(room)
    }

    /// Lines that are no comments, trimmed, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = (1..).zip(self.text.lines().map(str::trim));
        lines.filter(|(_, line)| !line.starts_with("//"))
    }

    /// The rooms named behind `crate::` or `nameplate::`, with the line's number.
    fn rooms_used(&self) -> Vec<(usize, String)> {
        let mut used = Vec::new();
        for (number, line) in self.code() {
            for root in ["crate::", "nameplate::"] {
                for (at, _) in line.match_indices(root) {
                    let list = line[at + root.len()..].trim_start_matches('{');
                    used.extend(words(list).next().map(|room| (number, room.to_owned())));
                }
            }
        }
        used.retain(|(_, room)| room.starts_with(char::is_lowercase));
        used
    }

    /// Functions: line number, name and count of lines. Relies on rustfmt's indentation.
    fn functions(&self) -> Vec<(usize, String, usize)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut functions = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = defined(line, &["fn"]) else { continue };
            let mut rest = lines[at..].iter();
            // Declarations without a body and bodies on one line are short enough.
            if !rest.find(|line| line.ends_with(['{', ';', '}'])).is_some_and(|l| l.ends_with('{'))
            {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", &line[..indent]);
            let Some(length) = lines[at..].iter().position(|line| *line == end) else { continue };
            functions.push((at + 1, name.to_owned(), length + 1));
        }
        functions
    }

    /// Names of functions, types, traits, modules and constants defined here.
    fn defined_names(&self) -> impl Iterator<Item = &str> {
        const KINDS: [&str; 8] =
            ["fn", "struct", "enum", "trait", "type", "mod", "const", "static"];
        self.code().filter_map(|(_, line)| defined(line, &KINDS))
    }
}

/// The name that `line` defines, if it defines something of one of the kinds.
fn defined<'a>(line: &'a str, kinds: &[&str]) -> Option<&'a str> {
    let mut parts = words(line.trim_start());
    loop {
        let word = parts.next()?;
        if kinds.contains(&word) {
            return parts.next();
        }
        if !matches!(word, "pub" | "crate" | "super" | "in" | "async" | "const" | "extern" | "C") {
            return None;
        }
    }
}

/// Identifiers and keywords in a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The words of a name: `AnswerCache` and `answer_cache` are both answer, cache.
fn split_words(name: &str) -> Vec<String> {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            spaced.push('_');
        }
        spaced.extend(c.to_lowercase());
    }
    spaced.split('_').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Where a room stands: its row, or beside all.
fn place(room: &str) -> Option<Option<usize>> {
    if BESIDE.contains(&room) {
        return Some(None);
    }
    ROWS.iter().position(|row| row.contains(&room)).map(Some)
}

fn may_use(room: &str, used: &str) -> bool {
    match (place(room), place(used)) {
        (_, Some(None)) => true,
        (Some(None), Some(Some(row))) => row == 0,
        (Some(Some(own)), Some(Some(row))) => row <= own,
        _ => false,
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the tree.
fn all_sources() -> Vec<Source> {
    ["src", "tests", "bench"].into_iter().flat_map(sources).collect()
}

fn sources(below: &str) -> Vec<Source> {
    let files = tree(&root().join(below), &["rs"]).into_iter().map(|path| Source {
        text: fs::read_to_string(&path).expect("sources are UTF-8"),
        path: path.strip_prefix(root()).expect("below the root").display().to_string(),
    });
    files.collect()
}

/// Files below `folder` with one of the extensions, without what is built or downloaded.
fn tree(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if [".git", "target", "data", "corpus"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if extensions.contains(&extension.as_str()) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn the_rules_find_what_they_look_for() {
    assert!(may_use("registry", "store") && may_use("store", "ledger"));
    assert!(!may_use("store", "registry") && !may_use("dns", "node") && !may_use("pool", "store"));
    assert_eq!(split_words("AnswerCache"), ["answer", "cache"]);
    assert_eq!(defined("    pub(crate) async fn resolve<T>(", &["fn"]), Some("resolve"));
    let place = format!("/{}/", "root");
    assert!(names_place(&format!("see {place}x"), &place));
    assert!(!names_place(&format!("https://host{place}x"), &place));
    let text = "fn long() {\n    a();\n}\n".to_owned();
    let file = Source { path: "src/dns/x.rs".into(), text };
    assert_eq!(file.functions(), [(1, "long".to_owned(), 3)]);
    assert_eq!(file.room(), Some("dns"));
}
