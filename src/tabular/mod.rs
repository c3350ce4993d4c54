//! Tables of registrations as people make them: CSV of any make, and NDJSON.
//!
//! A [`TableReader`] cuts a stream of bytes into records and remembers, behind each, the [`Place`]
//! at which a reader can go on later. A [`Plan`], made of the header and what somebody said of its
//! columns (a [`Mapping`]), turns a record into a [`Registration`]. What is wrong with a record is
//! a [`RowFault`] and costs that record alone; only a table whose columns cannot be understood is
//! refused as a whole, before anything is written. Memory is bound by [`MAX_RECORD_BYTES`],
//! whatever the table.

mod cells;
mod encoding;
mod mapping;
mod plan;
mod reader;
mod rejects;
mod script_escape;
mod window;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::record::DraftValueBody;

pub use cells::{Quotes, split_fields};
pub use encoding::Encoding;
pub use mapping::{ColumnMeaning, Decoding, Mapping, MappingFault};
pub use plan::Plan;
pub use reader::{Header, Place, RawContent, RawRow, TableFormat, TableReader};
pub use rejects::Rejects;
pub use write::{BYTE_ORDER_MARK, neutralise, restore, write_line, write_row};

/// A record of a table and what it comes to.
#[derive(Debug)]
pub struct TableRow {
    /// Number of the record's first line, from 1.
    pub line: u64,
    /// Offset of the record's first byte.
    pub start: u64,
    /// Offset behind the record and its line end, in bytes.
    pub end: u64,
    /// What to register, or why nothing can be.
    pub content: Result<Registration, RowFault>,
}

/// What a record asks to register; also the shape of a line of NDJSON.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The identifier in any spelling; none leaves it to the node to mint one.
    #[serde(default)]
    pub identifier: Option<String>,
    /// The serial number or the like that a minted identifier is to carry.
    #[serde(default)]
    pub serial: Option<String>,
    /// Identifier of the template to hold the record against.
    #[serde(default)]
    pub template: Option<String>,
    /// Values that are no attributes.
    #[serde(default)]
    pub values: Option<Vec<DraftValueBody>>,
    /// Attributes by name.
    #[serde(default)]
    pub attributes: Option<BTreeMap<String, Json>>,
    /// Whether the attributes are cells of a spreadsheet: text whose type the template decides.
    #[serde(skip)]
    pub cells: bool,
}

/// What is wrong with one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}{detail}", place(.path))]
pub struct RowFault {
    /// The column or member at fault; empty when it is the record as a whole.
    pub path: String,
    /// The rule that is broken. Reading knows `encoding`, `text`, `quoting`, `too-long`,
    /// `field-count`, `identifier`, `decode` and `json`.
    pub rule: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl RowFault {
    /// A fault; `path` is empty when it is the record as a whole.
    pub fn new(path: &str, rule: &str, detail: impl Into<String>) -> Self {
        Self { path: path.to_owned(), rule: rule.to_owned(), detail: detail.into() }
    }
}

fn place(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// Why a table cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum TableFault {
    /// The bytes could not be had.
    #[error("the table cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The header is not usable.
    #[error("header: {0}")]
    Header(String),
    /// The mapping does not fit the header.
    #[error("mapping: {}", listed(.0))]
    Mapping(Vec<MappingFault>),
}

fn listed(faults: &[MappingFault]) -> String {
    faults.iter().map(MappingFault::to_string).collect::<Vec<_>>().join("; ")
}

/// Most bytes of a record, line ends within it included.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// Most lines of a record: what a quote that is never closed costs.
pub const MAX_RECORD_LINES: usize = 100;

/// Most columns of a table: as many as a sheet of the usual spreadsheets has.
pub const MAX_COLUMNS: usize = 16_384;

#[cfg(test)]
mod tests;
