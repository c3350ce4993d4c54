//! What the fuzz targets call, one function per parser of foreign bytes.
//!
//! The targets in `tests/fuzz/` are one-line wrappers over these functions; the stable tests replay
//! the committed corpus through the same ones. A function takes any bytes, must not panic, and
//! asserts what holds for those that parse.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::access::{Token, TokenDigest};
use crate::cli::import::format::{Format, Reading};
use crate::codec::{Reader, Writer, canonical_json};
use crate::codes::{CodeTables, UnifiedCode};
use crate::dns;
use crate::identifier::{CanonicalKey, Identifier, Prefix};
use crate::ledger::{
    BodyRow, Checkpoint, CheckpointKey, CheckpointRow, JournalRow, LogRow, Position, TileKey,
    TileRow, VerifierKey, open_note,
};
use crate::record::{
    Draft, MAX_RECORD_BYTES, MAX_VALUES, Patch, Record, RecordDocument, Status, Value, View,
    ViewKind,
};
use crate::resolver::{AuditSubject, Condition, Cursors, Place};
use crate::store::{
    Key, NameKey, Row, StatisticsKey, StatisticsRow, StoredPrefix, StoredRecord, VersionKey,
    key_bytes, read_backup,
};
use crate::tabular::{
    Encoding, Mapping, Plan, RawContent, RawRow, Rejects, RowFault, TableFormat, TableReader,
    split_fields,
};
use crate::template::{MAX_FAULTS, Template, shipped};

/// A target: its name and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("backup", backup),
    ("body", body),
    ("codes", codes),
    ("finding", finding),
    ("identifier", identifier),
    ("list", list),
    ("mapping", mapping),
    ("note", note),
    ("presentation", presentation),
    ("question", dns::fuzz_question),
    ("row", row),
    ("table", table),
    ("template", template),
    ("values", values),
];

/// Spellings of identifiers and prefixes.
pub fn identifier(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(prefix) = Prefix::parse(text) {
        assert_eq!(Prefix::parse(prefix.as_str()).as_ref(), Ok(&prefix));
        assert!(prefix.covers(&prefix));
    }
    let Ok(identifier) = Identifier::parse(text) else { return };
    let key = identifier.key();
    assert_eq!(CanonicalKey::from_bytes(key.as_bytes()).as_ref(), Ok(key));
    assert!(key.prefix().own_keys().contains(&key.as_bytes().to_vec()));
    for form in [
        format!("hdl:{}", identifier.path_segment()),
        format!("https://host/{}", identifier.url_path()),
    ] {
        assert_eq!(Identifier::parse(&form).as_ref(), Ok(&identifier), "{form}");
    }
    let lower = Identifier::literal(&identifier.spelling().to_ascii_lowercase());
    assert_eq!(lower.map(|lower| lower.key().clone()).as_ref(), Ok(key));
}

/// Rows and keys of the store. The first byte says which.
pub fn row(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    if let Some(check) = ROWS.get(usize::from(choice)) {
        check(bytes);
    }
}

/// Backup files.
pub fn backup(bytes: &[u8]) {
    let mut input = bytes;
    let mut rows = 0;
    let read = read_backup(&mut input, &mut |_, found| {
        rows += found.len() as u64;
        Ok(())
    });
    if let Ok((_, summary)) = read {
        assert_eq!(summary.rows.iter().map(|(_, count)| count).sum::<u64>(), rows);
    }
}

/// Signed notes, verifier keys and checkpoints.
pub fn note(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_text(), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert!(text.starts_with(&checkpoint.to_text()));
    }
    assert!(open_note(text, &[]).is_err(), "nobody signed it whom we know");
}

/// JSON bodies of registrations and patches.
pub fn body(bytes: &[u8]) {
    if let Ok(draft) = Draft::from_json(bytes)
        && let Ok(values) = draft.into_values(None, NOW_MS)
    {
        check_values(record(values));
    }
    if let Ok(patch) = Patch::from_json(bytes) {
        let before = Draft::from_json(BEFORE).expect("a body").into_values(None, 0);
        let before = record(before.expect("values"));
        if let Ok(values) = patch.into_values(&before, NOW_MS) {
            check_values(record(values));
        }
    }
}

/// Lists to import. The first line is the file's name.
pub fn list(bytes: &[u8]) {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let name = lines.next().unwrap_or_default();
    let start = bytes.get(name.len() + 1..).unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    let Ok(format) = Format::detect(&name, start) else { return };
    let mut reader = format.reader();
    let readings = lines.map(|line| reader.read(line)).collect::<Vec<_>>();
    for reading in readings.into_iter().chain([reader.finish()]) {
        let Reading::Registration(line) = reading else { continue };
        assert!(!line.contains(&b'\n'), "a registration is one line");
        if format != Format::Ndjson {
            serde_json::from_slice::<serde_json::Value>(&line).expect("a registration is JSON");
        }
    }
}

/// Tables of registrations. The first byte says whether it is NDJSON.
pub fn table(bytes: &[u8]) {
    let Some((&choice, table)) = bytes.split_first() else { return };
    let format = if choice == b'n' { TableFormat::Ndjson } else { TableFormat::Csv };
    let open = || TableReader::open(table, format, Encoding::Automatic);
    let Ok(mut reader) = open() else { return };
    let rejects = Rejects::new(reader.header().clone());
    let plan = Plan::new(reader.header(), None);
    while let Ok(Some(RawRow { line, start, end, content })) = reader.next_raw() {
        assert!(start < end && line > 0);
        let record = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let record = record.and_then(|(start, end)| table.get(start..end)).expect("in the table");
        let fault = content.as_ref().err().cloned();
        let fault = fault.unwrap_or_else(|| RowFault::new("", "", ""));
        let mut refused = Vec::new();
        rejects.add(&mut refused, line, record, &[fault]);
        let refused = String::from_utf8(refused).expect("refused rows are UTF-8");
        if format == TableFormat::Csv {
            assert!(matches!(split_fields(refused.trim_end(), ','), Ok(Some(_))), "{refused}");
        }
        if let (Ok(plan), Ok(content)) = (&plan, content) {
            let cells = matches!(content, RawContent::Cells(_));
            if let Ok(registration) = plan.registration(content) {
                assert_eq!(registration.cells, cells);
            }
        }
    }
    assert_eq!(reader.place().offset, table.len() as u64);
    let (header, place) = (reader.header().clone(), reader.place());
    let mut behind = TableReader::resume(&b""[..], header, place);
    assert!(matches!(behind.next_raw(), Ok(None)));
}

/// Mappings of columns, laid over a header that has all columns they name.
pub fn mapping(bytes: &[u8]) {
    let Ok(mapping) = Mapping::parse(bytes) else { return };
    let json = serde_json::to_vec(&mapping).expect("mappings are JSON");
    assert_eq!(Mapping::parse(&json).as_ref(), Ok(&mapping));
    let mut header = Vec::new();
    crate::tabular::write_row(&mut header, mapping.columns.keys().map(String::as_str));
    if let Ok(reader) = TableReader::open(&header[..], TableFormat::Csv, Encoding::Utf8) {
        let _ = Plan::new(reader.header(), Some(&mapping));
    }
}

/// National codes and tables of them. The first byte says which.
pub fn codes(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    match choice {
        b'r' => drop(CodeTables::load(Some(bytes), None)),
        b'i' => drop(CodeTables::load(None, Some(bytes))),
        b'l' => {
            let tables = CodeTables::shipped();
            if let Ok(region) = tables.region(&text) {
                assert_eq!(tables.region(&region.code), Ok(region));
            }
            if let Ok(industry) = tables.industry(&text) {
                assert_eq!(tables.industry(&industry.code), Ok(industry));
            }
            assert!(tables.find_regions(&text, 1).len() < 2);
        }
        _ => {
            let Ok(code) = UnifiedCode::parse(&text) else { return };
            assert_eq!(UnifiedCode::parse(code.as_str()).as_ref(), Ok(&code));
            let _ = code.organisation_warning();
        }
    }
}

/// Definitions of templates.
pub fn template(bytes: &[u8]) {
    match Template::from_json(bytes) {
        Err(faults) => assert!((1..=MAX_FAULTS + 1).contains(&faults.len())),
        Ok(template) => {
            let canonical = canonical_json(&template.to_json());
            let again = Template::from_json(canonical.as_bytes()).expect("the canonical form");
            assert_eq!(again, template);
            assert_eq!(canonical_json(&again.to_json()), canonical);
            assert_eq!(again.check_successor(&template), Ok(()));
            template.json_schema("urn:x");
            if let Some(rule) = template.suffix()
                && let Ok(suffix) = rule.render(NOW_MS, rule.first_counter(), Some("7"))
            {
                Identifier::literal(&format!("88.118/{suffix}")).expect("a suffix");
            }
        }
    }
}

/// Records of the shipped templates. The first byte says which.
pub fn values(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let Some((_, definition)) = shipped().get(usize::from(choice)) else { return };
    let Ok(draft) = Draft::from_json(bytes) else { return };
    let template = Template::from_json(definition.as_bytes()).expect("shipped");
    for (name, attribute) in &draft.attributes {
        template.coerce(name, &attribute.text);
        let _ = template.index_bytes(name, &attribute.text);
    }
    let Ok(filled) = template.fill(draft.attributes, &BTreeMap::new()) else { return };
    assert!(filled.values.is_sorted_by(|one, next| one.index < next.index));
    for key in &filled.keys {
        let value = filled.values.iter().find(|value| value.index == key.attribute);
        let value = value.expect("keys are of values");
        let asked = template.index_bytes(&value.name, &value.attribute.text);
        assert_eq!(asked.as_ref(), Ok(&(key.attribute, key.bytes.clone())));
    }
    // What is stored is right, and stays as it is when it is given again.
    let stored = filled.values.iter();
    let stored = stored.map(|value| (value.name.clone(), value.attribute.clone())).collect();
    assert_eq!(template.fill(stored, &BTreeMap::new()).as_ref(), Ok(&filled));
}

/// Conditions on attributes, subjects of audits, cursors and the places they hold.
pub fn finding(bytes: &[u8]) {
    if let Ok(place) = Place::from_bytes(bytes) {
        assert_eq!(place.to_bytes(), bytes);
    }
    let bytes = bytes.get(..4_096).unwrap_or(bytes);
    let cursors = Cursors::new(&[7; 32]);
    let sealed = cursors.seal("query", bytes);
    assert_eq!(cursors.open("query", &sealed).as_deref(), Ok(bytes));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert!(cursors.open("query", text).is_err(), "nobody else has the key");
    let _ = AuditSubject::parse(text);
    if let Ok(condition) = Condition::parse(text) {
        assert_eq!(Condition::parse(&condition.to_string()), Ok(condition));
    }
}

/// Values that are DNS records. The first line is the value's type.
pub fn presentation(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (kind, text) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(record) = dns::presentation::parse(kind, text) {
        assert_eq!(dns::presentation::type_number(kind), Some(record.kind));
        assert!(record.octets.len() <= usize::from(u16::MAX));
    }
}

fn check_row<R: Row + PartialEq + Debug>(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(row) = R::read_row(&mut reader) else { return };
    let mut writer = Writer::default();
    row.write_row(&mut writer);
    let mut reader = Reader::new(writer.as_bytes());
    assert_eq!(R::read_row(&mut reader).as_ref(), Ok(&row));
    assert_eq!(reader.finish("row"), Ok(()));
}

fn check_key<K: Key>(bytes: &[u8]) {
    if let Ok(key) = K::read_key(bytes) {
        assert_eq!(key_bytes(&key), bytes);
    }
}

/// What holds for every record that was accepted.
fn check_values(record: Record) {
    let values = &record.values;
    let bytes: usize = values.iter().map(|value| value.kind.len() + value.data.len()).sum();
    assert!(values.len() <= MAX_VALUES && bytes <= MAX_RECORD_BYTES);
    assert!(values.is_sorted_by(|one, next| one.index < next.index));
    let view = View { record: &record, kind: &ViewKind::PUBLIC };
    assert!(view.values().all(|value| value.permissions.public_read()));
    serde_json::to_string(&RecordDocument::new(&view, 0)).expect("documents are JSON");
    let mut writer = Writer::default();
    record.write_disk(&mut writer);
    assert_eq!(Record::read_disk(&mut Reader::new(writer.as_bytes())), Ok(record));
}

fn record(values: Vec<Value>) -> Record {
    Record {
        identifier: Identifier::literal("88.118/x").expect("an identifier"),
        values,
        version: 1,
        status: Status::Active,
        registrant: "acme".into(),
        held_apart: false,
        actor: "acme".into(),
        reason: String::new(),
        created_ms: NOW_MS,
        modified_ms: NOW_MS,
    }
}

/// What [`row`] can be asked for; the order is the corpus's, so new ones go to the end.
const ROWS: &[fn(&[u8])] = &[
    check_row::<StoredRecord>,
    check_row::<StoredPrefix>,
    check_row::<Token>,
    check_key::<CanonicalKey>,
    check_key::<VersionKey>,
    check_key::<NameKey>,
    check_key::<TokenDigest>,
    check_key::<Prefix>,
    check_row::<JournalRow>,
    check_row::<BodyRow>,
    check_row::<TileRow>,
    check_row::<CheckpointRow>,
    check_row::<LogRow>,
    check_key::<Position>,
    check_key::<TileKey>,
    check_key::<CheckpointKey>,
    check_row::<StatisticsRow>,
    check_key::<StatisticsKey>,
];

const NOW_MS: u64 = 1_800_000_000_000;

const BEFORE: &[u8] = br#"{"values":[{"type":"URL","data":"https://h/"}],"attributes":{"a":1}}"#;
