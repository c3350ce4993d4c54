//! Jobs over a store in memory, stopped and crashed wherever it hurts.

mod rules;

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::access::{Actions, NewToken};
use crate::registry::{self, Command, Request, Seed, check};
use crate::resolver::{Lookup, Outcome, Subject};
use crate::signing::NodeKeys;
use crate::store::memory::MemoryStore;

const NOW_MS: u64 = 1_767_225_600_000;
const ADMIN: &str = "npt_an-administrator-of-the-node";

struct Node {
    jobs: Jobs,
    store: Arc<MemoryStore>,
    registry: Arc<Registry>,
    resolver: Arc<Resolver>,
    access: Arc<Access>,
    keys: Arc<NodeKeys>,
    admin: Actor,
    folder: TempDir,
}

impl Node {
    fn new() -> Self {
        Self::with(MemoryStore::default(), TempDir::new().unwrap(), 1 << 30)
    }

    fn with(store: MemoryStore, folder: TempDir, bytes: u64) -> Self {
        let store = Arc::new(store);
        let keys = Arc::new(NodeKeys::from_seeds(&[1; 32], [2; 32]));
        let prefixes = vec![Prefix::parse("88.118").unwrap()];
        let token = token(ADMIN, "admin", Actions::all());
        let seed = Seed { origin: "node.example".into(), prefixes, token };
        registry::seed(&*store, &keys, &seed, NOW_MS).unwrap();
        let shared: Arc<dyn Store> = Arc::clone(&store) as _;
        let resolver = Arc::new(Resolver::open(Arc::clone(&shared), 1 << 20).unwrap());
        let clock = Clock::fixed(NOW_MS);
        let registry = Registry::open(
            Arc::clone(&shared),
            Arc::clone(&resolver),
            Arc::clone(&keys),
            clock.clone(),
            registry::Settings::default(),
        );
        let registry = Arc::new(registry.unwrap());
        let access = Arc::new(Access::new(Arc::clone(&shared)));
        let admin = access.authenticate(ADMIN, NOW_MS).unwrap().unwrap();
        let parts = Parts {
            store: shared,
            registry: Arc::clone(&registry),
            resolver: Arc::clone(&resolver),
            access: Arc::clone(&access),
            clock,
            check_dns: Arc::new(|kind, _| Err(format!("{kind} is no type here"))),
        };
        let path = folder.path().join("jobs");
        let settings = Settings { folder: path, bytes, at_once: 1, kept_ms: 1_000_000 };
        let jobs = Jobs::open(parts, settings).unwrap();
        Self { jobs, store, registry, resolver, access, keys, admin, folder }
    }

    /// The node as it would be after a crash at this moment.
    fn crashed(&self) -> Self {
        let (store, folder) = self.remains();
        Self::with(store, folder, 1 << 30)
    }

    /// What a crash at this moment would leave.
    fn remains(&self) -> (MemoryStore, TempDir) {
        let store = self.store.crashed();
        let folder = TempDir::new().unwrap();
        copy(self.folder.path(), folder.path());
        (store, folder)
    }

    fn create(&self, task: ImportTask) -> JobId {
        let random = ring::rand::SystemRandom::new();
        let made = self.jobs.create(&self.admin, Task::Import(task), "why".into(), &random);
        made.unwrap().job.id
    }

    fn send(&self, id: &JobId, table: &[u8]) {
        let mut upload = self.jobs.upload(&self.admin, id, 0).unwrap();
        upload.append(table).unwrap();
        upload.finish(true).unwrap();
    }

    fn import(&self, task: ImportTask, table: &[u8]) -> JobId {
        let id = self.create(task);
        self.send(&id, table);
        id
    }

    fn find(&self, id: &JobId) -> JobView {
        self.jobs.find(&self.admin, id).unwrap()
    }

    fn wait(&self, id: &JobId, until: impl Fn(&JobView) -> bool) -> JobView {
        let begun = Instant::now();
        loop {
            let view = self.find(id);
            if until(&view) {
                return view;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{view:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn end(&self, id: &JobId) -> JobView {
        self.wait(id, |view| view.job.state.is_final() || view.job.state == JobState::Paused)
    }

    fn rejects(&self, id: &JobId) -> String {
        let (file, length, _) = self.jobs.rejects(&self.admin, id).unwrap();
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut file.unwrap(), &mut text).unwrap();
        assert_eq!(text.len() as u64, length);
        String::from_utf8(text).unwrap()
    }

    /// Versions made of records, whose rows, names and ledger agree.
    fn checked_entries(&self) -> u64 {
        self.jobs.close();
        self.registry.close();
        let report = check(&*self.store.snapshot(), &self.keys, &mut |_| {}).unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        self.registry.ledger_size()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn token(secret: &str, account: &str, actions: Actions) -> NewToken {
    let (secret, account) = (secret.to_owned(), account.to_owned());
    NewToken { secret, account, actions, prefixes: None, expires_ms: None }
}

fn ndjson() -> ImportTask {
    ImportTask {
        format: TableFormat::Ndjson,
        encoding: crate::tabular::Encoding::default(),
        mapping: None,
        template: None,
        prefix: None,
        dry_run: false,
    }
}

fn csv() -> ImportTask {
    ImportTask { format: TableFormat::Csv, ..ndjson() }
}

/// Lines that register, replace, repeat and fail, and what is to come of them.
fn mixed(lines: usize) -> (Vec<u8>, Tally) {
    let (mut text, mut tally, mut known) = (Vec::new(), Tally::default(), HashMap::new());
    for number in 0..lines {
        // Every tenth line is about one of few identifiers, some of them next to each other.
        let name = if number % 10 < 2 { number / 10 % 7 } else { number };
        let content = if number % 10 == 0 { number % 3 } else { 1 };
        if number % 97 == 5 {
            tally.failed += 1;
            text.extend_from_slice(b"{\"identifier\": \"88.118/broken\",\n");
            continue;
        }
        match known.insert(name, content) {
            None => tally.created += 1,
            Some(before) if before == content => tally.unchanged += 1,
            Some(_) => tally.updated += 1,
        }
        let line =
            json!({"identifier": format!("88.118/N{name}"), "attributes": {"content": content}});
        text.extend_from_slice(format!("{line}\n").as_bytes());
    }
    (text, tally)
}

#[test]
fn lines_come_to_what_they_would_one_by_one() {
    let node = Node::new();
    let (table, expected) = mixed(3_000);
    let view = node.end(&node.import(ndjson(), &table));
    assert_eq!((view.job.state, view.progress.tally), (JobState::Done, expected), "{view:?}");
    let rejects = node.rejects(&view.job.id);
    assert_eq!(rejects.lines().count() as u64, expected.failed);
    assert!(rejects.starts_with("{\"line\":6,\"faults\":[{\"path\":\"\",\"rule\":\"json\""));
    // A ledger begins with entries about the node itself.
    let begun = Node::new().checked_entries();
    assert_eq!(node.checked_entries() - begun, expected.created + expected.updated);
}

#[test]
fn a_crash_anywhere_loses_nothing_and_does_nothing_twice() {
    let node = Node::new();
    let (table, expected) = mixed(8_000);
    let id = node.create(ndjson());
    let mut crashed = vec![node.remains()];
    let begun = node.registry.ledger_size();
    node.send(&id, &table);
    for share in 1..8 {
        node.wait(&id, |view| view.progress.tally.rows() >= share * 1_000);
        crashed.push(node.remains());
    }
    node.end(&id);
    let mut remains = crashed.into_iter();
    let (store, folder) = remains.next().unwrap();
    let empty = Node::with(store, folder, 1 << 30);
    assert_eq!(empty.find(&id).job.state, JobState::WaitingForData);
    let mut middle = 0;
    for (store, folder) in remains {
        let progress = PROGRESS.get(&store, &ProgressKey(id.clone())).unwrap().unwrap();
        middle += u64::from(progress.tally.rows() < expected.rows());
        let again = Node::with(store, folder, 1 << 30);
        let view = again.end(&id);
        assert_eq!((view.job.state, view.progress.tally), (JobState::Done, expected));
        assert_eq!(again.rejects(&id).lines().count() as u64, expected.failed);
        let entries = again.checked_entries() - begun;
        assert_eq!(entries, expected.created + expected.updated);
    }
    assert!(middle > 2, "no crash hit the middle");
}

#[test]
fn a_stopping_node_goes_on_at_its_next_start() {
    let node = Node::new();
    let (table, expected) = mixed(4_000);
    let id = node.import(ndjson(), &table);
    node.wait(&id, |view| view.progress.tally.rows() > 500);
    node.jobs.close();
    let stopped = node.find(&id).progress;
    assert!(stopped.tally.rows() < expected.rows());
    let again = node.crashed();
    let view = again.end(&id);
    assert_eq!((view.job.state, view.progress.tally), (JobState::Done, expected));
    assert!(view.progress.active_ms >= stopped.active_ms);
}

#[test]
fn jobs_are_paused_resumed_and_cancelled() {
    let node = Node::new();
    let (table, expected) = mixed(6_000);
    let id = node.import(ndjson(), &table);
    node.wait(&id, |view| view.progress.tally.rows() > 300);
    assert_eq!(node.jobs.pause(&node.admin, &id).unwrap().job.state, JobState::Paused);
    std::thread::sleep(Duration::from_millis(300));
    let still = node.find(&id).progress;
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(node.find(&id).progress, still, "it stands still");
    assert!(still.tally.rows() < expected.rows());
    assert!(node.jobs.remove(&node.admin, &id).is_err(), "only what has ended is removed");
    assert_eq!(node.crashed().find(&id).job.state, JobState::Paused, "for ever if need be");
    node.jobs.resume(&node.admin, &id).unwrap();
    assert_eq!(node.end(&id).progress.tally, expected);
    assert!(node.jobs.pause(&node.admin, &id).is_err());
    assert!(node.jobs.cancel(&node.admin, &id).is_err());

    let second = node.import(ndjson(), &table);
    node.jobs.cancel(&node.admin, &second).unwrap();
    let view = node.end(&second);
    assert_eq!(view.job.state, JobState::Cancelled);
    assert!(node.jobs.resume(&node.admin, &second).is_err());
    node.wait(&second, |_| node.jobs.remove(&node.admin, &second).is_ok());
    assert!(matches!(node.jobs.find(&node.admin, &second), Err(JobError::Absent(_))));
    assert!(!node.folder.path().join("jobs").join(second.as_str()).exists());
}

#[test]
fn an_upload_is_continued_where_it_broke_off() {
    let node = Node::new();
    let (table, expected) = mixed(500);
    let (first, rest) = table.split_at(1_234);
    let id = node.create(ndjson());
    let mut upload = node.jobs.upload(&node.admin, &id, 0).unwrap();
    assert!(matches!(
        node.jobs.upload(&node.admin, &id, 0).err(),
        Some(JobError::WrongState { .. })
    ));
    upload.append(first).unwrap();
    let view = upload.finish(false).unwrap();
    assert_eq!((view.job.state, view.job.uploaded_bytes), (JobState::WaitingForData, 1_234));

    let again = node.crashed();
    let refused = again.jobs.upload(&again.admin, &id, 1_000).err();
    assert!(matches!(refused, Some(JobError::WrongOffset { found: 1_234, sent: 1_000 })));
    // What was sent and not finished does not count.
    let mut lost = again.jobs.upload(&again.admin, &id, 1_234).unwrap();
    lost.append(b"lost").unwrap();
    drop(lost);
    assert_eq!(again.find(&id).job.uploaded_bytes, 1_234);
    let mut upload = again.jobs.upload(&again.admin, &id, 1_234).unwrap();
    upload.append(rest).unwrap();
    upload.finish(true).unwrap();
    assert_eq!(again.end(&id).progress.tally, expected);
    assert!(again.jobs.upload(&again.admin, &id, 0).is_err(), "a table is sent once");
}

#[test]
fn a_sheet_in_gbk_is_mapped_and_its_bad_cells_are_named() {
    let node = Node::new();
    let mut sheet = String::from("货号,型号,备注\r\n");
    for number in 0..3_000 {
        let name = if number == 1_234 { "88.118/a b".into() } else { format!("泵{number}") };
        let note = if number % 1_000 == 0 { "=HYPERLINK(\"http://evil\")" } else { "好" };
        sheet.push_str(&format!("{name},P-{number},\"{}\"\r\n", note.replace('"', "\"\"")));
    }
    sheet.push_str("=1+1,too,many,cells\r\n");
    let (bytes, _, _) = encoding_rs::GB18030.encode(&sheet);
    let mapping = json!({"columns": {"货号": "identifier", "型号": {"attribute": "model"}},
        "prefix": "88.118"});
    let task = ImportTask { mapping: serde_json::from_value(mapping).unwrap(), ..csv() };
    let view = node.end(&node.import(task, &bytes));
    assert_eq!(view.job.state, JobState::Done, "{view:?}");
    let Tally { created, failed, .. } = view.progress.tally;
    assert_eq!((created, failed), (3_000, 1));
    let rejects = node.rejects(&view.job.id);
    let lines: Vec<&str> = rejects.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("\u{feff}货号,型号,备注,rejected:line"), "{rejects}");
    assert!(lines[1].contains("3002") && lines[1].contains("field-count"), "{rejects}");
    let cells = crate::tabular::split_fields(lines[1], ',').unwrap().unwrap();
    assert!(cells.iter().all(|cell| !cell.starts_with('=')), "{rejects}");
    let key = Identifier::parse("88.118/泵7").unwrap();
    let asker = crate::access::Asker::Public;
    let subject = Subject::Identifier(key.key());
    let lookup = Lookup { subject, asker: &asker, protocol: crate::resolver::Protocol::Http };
    let Outcome::Record(answer) = node.resolver.resolve(&lookup).unwrap() else { panic!() };
    assert_eq!(answer.stored.record.values[0].text(), Some("P-7"));
    assert_eq!(answer.stored.record.reason, "why");
}

#[test]
fn a_dry_run_writes_nothing() {
    let node = Node::new();
    let (table, expected) = mixed(1_000);
    let before = node.registry.ledger_size();
    let view = node.end(&node.import(ImportTask { dry_run: true, ..ndjson() }, &table));
    assert_eq!(view.job.state, JobState::Done);
    assert_eq!(view.progress.tally.failed, expected.failed);
    assert_eq!(view.progress.tally.rows(), expected.rows());
    assert_eq!(node.rejects(&view.job.id).lines().count() as u64, expected.failed);
    assert_eq!(node.checked_entries(), before);
}

#[test]
fn a_small_job_does_not_wait_for_a_large_one() {
    let node = Node::new();
    let (large, _) = mixed(60_000);
    let first = node.import(ndjson(), &large);
    node.wait(&first, |view| view.progress.tally.rows() > 0);
    let (small, expected) = mixed(100);
    let second = node.import(ndjson(), &small);
    assert_eq!(node.end(&second).progress.tally.rows(), expected.rows());
    assert!(!node.find(&first).job.state.is_final());
    node.jobs.cancel(&node.admin, &first).unwrap();
}

#[test]
fn a_job_ends_with_its_token_and_goes_on_with_another() {
    let node = Node::new();
    let secret = "npt_a-token-of-acme-that-is-long-enough";
    let apply = |command| node.registry.apply(&node.admin, &Request::new(command), NOW_MS);
    let registering = [Action::Register, Action::Read].into_iter().collect();
    apply(Command::CreateToken(token(secret, "acme", registering))).unwrap();
    let acme = node.access.authenticate(secret, NOW_MS).unwrap().unwrap();
    let random = ring::rand::SystemRandom::new();
    let made = node.jobs.create(&acme, Task::Import(ndjson()), String::new(), &random).unwrap();
    let (id, (table, expected)) = (made.job.id, mixed(4_000));
    node.send(&id, &table);
    node.wait(&id, |view| view.progress.tally.rows() > 100);
    apply(Command::RevokeToken { id: acme.token().0.id() }).unwrap();
    let view = node.end(&id);
    assert_eq!(view.job.state, JobState::Paused);
    assert!(view.job.detail.unwrap().contains("token"));
    assert!(view.progress.tally.rows() < expected.rows());
    node.jobs.resume(&node.admin, &id).unwrap();
    let rows = node.end(&id).progress.tally.rows();
    assert_eq!(rows, expected.rows());
}

#[test]
fn tables_that_cannot_be_read_fail_at_once() {
    let node = Node::new();
    let fails = |task: ImportTask, table: &[u8]| {
        let view = node.end(&node.import(task, table));
        assert_eq!(view.job.state, JobState::Failed, "{view:?}");
        view.job.detail.unwrap()
    };
    assert!(fails(csv(), b"").contains("empty"));
    assert!(fails(csv(), b"a,a\n1,2\n").contains("twice"));
    assert!(fails(csv(), b"a,b\n1,2\n").contains("no column identifier"));
    let mapping = json!({"columns": {"x": "identifier", "y": {"attribute": "=cmd"}}});
    let mapping = serde_json::from_value(mapping).unwrap();
    assert!(fails(ImportTask { mapping, ..csv() }, b"a\n1\n").contains("no column \"x\""));
    let view = node.end(&node.import(ndjson(), b""));
    assert_eq!((view.job.state, view.progress.tally.rows()), (JobState::Done, 0));
}

#[test]
fn the_files_of_jobs_have_their_share_of_the_disk() {
    let node = Node::with(MemoryStore::default(), TempDir::new().unwrap(), 1_000);
    let id = node.create(ndjson());
    let mut upload = node.jobs.upload(&node.admin, &id, 0).unwrap();
    upload.append(&[b' '; 600]).unwrap();
    let error = upload.append(&[b' '; 600]).unwrap_err();
    assert!(matches!(&error, JobError::NoRoom(text) if text.contains("jobs_bytes")), "{error}");
    assert_eq!(upload.finish(false).unwrap().job.uploaded_bytes, 600);
    node.jobs.cancel(&node.admin, &id).unwrap();
    node.jobs.remove(&node.admin, &id).unwrap();
    let bad = node.create(ndjson());
    let line = "{\"identifier\":\"88.118/x\",\"unknown\":1}\n".repeat(12);
    node.send(&bad, line.as_bytes());
    let view = node.end(&bad);
    assert_eq!(view.job.state, JobState::Paused, "no room for what is refused");
    assert!(view.job.detail.unwrap().contains("jobs_bytes"));
}

#[test]
fn strangers_see_no_jobs() {
    let node = Node::new();
    let id = node.create(ndjson());
    let apply = |command| node.registry.apply(&node.admin, &Request::new(command), NOW_MS);
    let secret = "npt_a-token-of-acme-that-is-long-enough";
    let actions = [Action::Register].into_iter().collect();
    apply(Command::CreateToken(token(secret, "acme", actions))).unwrap();
    let acme = node.access.authenticate(secret, NOW_MS).unwrap().unwrap();
    assert!(matches!(node.jobs.find(&acme, &id), Err(JobError::Absent(_))));
    assert!(matches!(node.jobs.cancel(&acme, &id), Err(JobError::Absent(_))));
    assert!(node.jobs.list(&acme, None, 10).is_empty());
    assert_eq!(node.jobs.list(&node.admin, None, 10).len(), 1);
    let reading = "npt_a-token-that-only-reads-and-no-more";
    let actions = [Action::Read].into_iter().collect();
    apply(Command::CreateToken(token(reading, "reader", actions))).unwrap();
    let reader = node.access.authenticate(reading, NOW_MS).unwrap().unwrap();
    let random = ring::rand::SystemRandom::new();
    let made = node.jobs.create(&reader, Task::Import(ndjson()), String::new(), &random);
    assert!(matches!(made, Err(JobError::Refused(_))));
}

#[test]
fn exports_come_back_as_they_were() {
    let node = Node::new();
    let mut table = String::new();
    for number in 0..3_000 {
        let line = json!({"identifier": format!("88.118/N{number}"),
            "values": [{"type": "URL", "data": format!("https://h/{number}")}],
            "attributes": {"model": format!("={number}"), "size": number}});
        table.push_str(&format!("{line}\n"));
    }
    node.end(&node.import(ndjson(), table.as_bytes()));
    let random = ring::rand::SystemRandom::new();
    let export = |format, prefix: &str| {
        let task = ExportTask {
            format,
            mark: true,
            prefix: Some(prefix.to_owned()),
            template: None,
            status: None,
        };
        let task = Task::Export(task);
        let made = node.jobs.create(&node.admin, task, String::new(), &random).unwrap();
        let view = node.end(&made.job.id);
        assert_eq!(view.job.state, JobState::Done, "{view:?}");
        let (file, length, _) = node.jobs.result(&node.admin, &made.job.id).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file.unwrap(), &mut text).unwrap();
        assert_eq!(text.len() as u64, length);
        (text, view.progress.tally.exported)
    };
    let (lines, count) = export(TableFormat::Ndjson, "88.118");
    assert_eq!((count, lines.lines().count()), (3_000, 3_000));
    let view = node.end(&node.import(ndjson(), lines.as_bytes()));
    assert_eq!(view.progress.tally.unchanged, 3_000, "{view:?}");
    let (sheet, _) = export(TableFormat::Csv, "88.118");
    let mut rows = sheet.lines();
    assert_eq!(rows.next(), Some("\u{feff}identifier,url,model,size"));
    assert_eq!(rows.next(), Some("88.118/N0,https://h/0,'=0,0"));
    assert_eq!(export(TableFormat::Ndjson, "88.117").1, 0);
}
