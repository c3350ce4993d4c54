//! Rows of a code table, which is CSV with named columns.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::tabular::{Encoding, RawContent, RawRow, TableFormat, TableReader};

/// A line of a code table: cells by the position of their column in what was asked for.
pub(super) struct Row {
    pub(super) line: u64,
    cells: Vec<String>,
}

impl Row {
    /// A cell; empty where the table does not have its column.
    pub(super) fn cell(&self, position: usize) -> &str {
        self.cells.get(position).map_or("", String::as_str)
    }

    /// A cell; none where it is empty.
    pub(super) fn filled(&self, position: usize) -> Option<String> {
        Some(self.cell(position)).filter(|cell| !cell.is_empty()).map(str::to_owned)
    }
}

/// Reads a table. `columns` are those that are read, the first `needed` of them must be there.
pub(super) fn read(bytes: &[u8], columns: &[&str], needed: usize, faults: &mut Faults) -> Vec<Row> {
    if bytes.len() > MAX_TABLE_BYTES {
        faults.add(1, format!("{} bytes; at most {MAX_TABLE_BYTES} are read", bytes.len()));
        return Vec::new();
    }
    let opened = TableReader::open(bytes, TableFormat::Csv, Encoding::Automatic);
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(fault) => {
            faults.add(1, fault.to_string());
            return Vec::new();
        }
    };
    let find = |name: &&str| reader.header().columns.iter().position(|column| column == name);
    let places: Vec<Option<usize>> = columns.iter().map(find).collect();
    for (name, place) in columns.iter().zip(&places).take(needed) {
        if place.is_none() {
            faults.add(1, format!("header: no column {name}"));
        }
    }
    let mut rows = Vec::new();
    // Bytes in memory do not fail to be read.
    while let Ok(Some(RawRow { line, content, .. })) = reader.next_raw() {
        match content {
            Ok(RawContent::Cells(found)) => {
                let cell = |place: &Option<usize>| place.and_then(|place| found.get(place));
                let text = |place| cell(place).map_or("", |cell| cell.trim()).to_owned();
                rows.push(Row { line, cells: places.iter().map(text).collect() });
            }
            Ok(RawContent::Json(_)) => {}
            Err(fault) => faults.add(line, fault.to_string()),
        }
    }
    rows
}

/// Puts rows in the order of their codes; a code that is there twice is a fault.
pub(super) fn by_code<T>(
    rows: impl IntoIterator<Item = (u64, String, T)>,
    faults: &mut Faults,
) -> BTreeMap<String, T> {
    let mut table = BTreeMap::new();
    for (line, code, row) in rows {
        match table.entry(code) {
            Entry::Vacant(place) => {
                place.insert(row);
            }
            Entry::Occupied(place) => {
                faults.add(line, format!("code {} is there twice", place.key()));
            }
        }
    }
    table
}

/// Faults of a table while it is read.
#[derive(Default)]
pub(super) struct Faults {
    found: Vec<LineFault>,
    further: u64,
}

impl Faults {
    pub(super) fn add(&mut self, line: u64, reason: impl Into<String>) {
        if self.found.len() < MAX_FAULTS {
            self.found.push(LineFault { line, reason: reason.into() });
        } else {
            self.further += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// What was made of the table if it has no fault.
    pub(super) fn or<T>(self, table: &'static str, value: T) -> Result<T, TableError> {
        let Self { mut found, further } = self;
        if found.is_empty() {
            return Ok(value);
        }
        found.sort_by_key(|fault| fault.line);
        Err(TableError { table, faults: found, further })
    }
}

/// Why a code table cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("table of {table}: {}", listed(.faults, *.further))]
pub struct TableError {
    /// What it is a table of.
    pub table: &'static str,
    /// Faulty lines.
    pub faults: Vec<LineFault>,
    /// How many faults there are beyond those.
    pub further: u64,
}

/// What is wrong with a line of a code table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LineFault {
    /// Number of the line, from 1.
    pub line: u64,
    /// What is wrong and what would be right.
    pub reason: String,
}

fn listed(faults: &[LineFault], further: u64) -> String {
    let mut text = faults.iter().map(LineFault::to_string).collect::<Vec<_>>().join("; ");
    if further > 0 {
        text += &format!("; and {further} more");
    }
    text
}

/// Most bytes of a code table.
const MAX_TABLE_BYTES: usize = 16 << 20;

/// Most faults that are named; further ones are counted.
const MAX_FAULTS: usize = 1_000;
