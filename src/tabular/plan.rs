//! A mapping laid over a header: how each column of each record is read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::mapping::{ColumnMeaning, Decoding, Mapping, MappingFault};
use super::reader::{Header, RawContent, TableFormat};
use super::rejects::ADDED_COLUMNS;
use super::{Registration, RowFault, TableFault, script_escape};
use crate::record::{DataForm, Draft, DraftBody, DraftValueBody};

/// How the records of one table become registrations.
#[derive(Clone, Debug)]
pub struct Plan {
    columns: Vec<Column>,
    prefix: Option<String>,
    template: Option<String>,
}

/// A column and how it is read.
#[derive(Clone, Debug)]
struct Column {
    name: String,
    reading: ColumnReading,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ColumnReading {
    Identifier,
    Serial,
    Value { kind: String },
    Attribute { name: String, decoding: Option<Decoding> },
    Ignored,
}

impl Plan {
    /// Lays a mapping over a header; names everything that does not fit.
    pub fn new(header: &Header, mapping: Option<&Mapping>) -> Result<Self, TableFault> {
        if header.format == TableFormat::Ndjson {
            if mapping.is_some() {
                let detail = "lines of NDJSON name their members themselves: leave it out";
                return Err(TableFault::Mapping(vec![MappingFault::new("mapping", detail)]));
            }
            return Ok(Self { columns: Vec::new(), prefix: None, template: None });
        }
        let empty = Mapping::default();
        let given = mapping.unwrap_or(&empty);
        let read = |name: &String| Column { name: name.clone(), reading: reading(name, given) };
        let columns: Vec<Column> = header.columns.iter().map(read).collect();
        let mut faults = missing(header, given);
        check(&columns, given, &mut faults);
        match mapping {
            _ if faults.is_empty() => {
                let (prefix, template) = (given.prefix.clone(), given.template.clone());
                Ok(Self { columns, prefix, template })
            }
            Some(_) => Err(TableFault::Mapping(faults)),
            None => {
                let reasons: Vec<String> = faults.into_iter().map(|fault| fault.detail).collect();
                Err(TableFault::Header(reasons.join("; ")))
            }
        }
    }

    /// What a record asks to register.
    pub fn registration(&self, content: RawContent<'_>) -> Result<Registration, RowFault> {
        match content {
            RawContent::Cells(cells) => self.cells(cells),
            RawContent::Json(line) => serde_json::from_str(&line)
                .map_err(|error| RowFault::new("", "json", error.to_string())),
        }
    }

    fn cells(&self, cells: Vec<Cow<'_, str>>) -> Result<Registration, RowFault> {
        let mut registration =
            Registration { template: self.template.clone(), cells: true, ..Default::default() };
        let (mut values, mut attributes) = (Vec::new(), BTreeMap::new());
        for (column, cell) in self.columns.iter().zip(cells) {
            let trimmed = cell.trim();
            match &column.reading {
                ColumnReading::Ignored => {}
                ColumnReading::Identifier if trimmed.is_empty() => {
                    let detail = "the identifier is empty";
                    return Err(RowFault::new(&column.name, "identifier", detail));
                }
                ColumnReading::Identifier => {
                    registration.identifier = Some(match &self.prefix {
                        Some(prefix) => format!("{prefix}/{trimmed}"),
                        None => trimmed.to_owned(),
                    });
                }
                _ if trimmed.is_empty() => {}
                ColumnReading::Serial => registration.serial = Some(trimmed.to_owned()),
                ColumnReading::Value { kind } => values.push(value(kind, trimmed)),
                ColumnReading::Attribute { name, decoding } => {
                    let content = match decoding {
                        Some(Decoding::Base64EscapedJson) => script_escape::decode(&cell)
                            .map_err(|reason| RowFault::new(&column.name, "decode", reason))?,
                        None => Json::String(cell.into_owned()),
                    };
                    attributes.insert(name.clone(), content);
                }
            }
        }
        registration.values = (!values.is_empty()).then_some(values);
        registration.attributes = Some(attributes);
        Ok(registration)
    }
}

/// How a column is read: as the mapping says, else as its name says.
fn reading(name: &str, mapping: &Mapping) -> ColumnReading {
    if mapping.serial.as_deref() == Some(name) {
        return ColumnReading::Serial;
    }
    let attribute = |attribute: &str| ColumnReading::Attribute {
        name: attribute.to_owned(),
        decoding: mapping.decode.get(name).copied(),
    };
    match mapping.columns.get(name) {
        Some(None) => ColumnReading::Ignored,
        Some(Some(ColumnMeaning::Identifier)) => ColumnReading::Identifier,
        Some(Some(ColumnMeaning::Value(kind))) => ColumnReading::Value { kind: kind.clone() },
        Some(Some(ColumnMeaning::Attribute(name))) => attribute(name),
        None if ADDED_COLUMNS.contains(&name) => ColumnReading::Ignored,
        None if name.eq_ignore_ascii_case("identifier") => ColumnReading::Identifier,
        None if name.eq_ignore_ascii_case("url") => ColumnReading::Value { kind: "URL".into() },
        None => attribute(name),
    }
}

fn value(kind: &str, data: &str) -> DraftValueBody {
    DraftValueBody {
        index: None,
        kind: kind.to_owned(),
        data: Some(DataForm::Text(data.to_owned())),
        ttl: None,
        permissions: None,
        references: Vec::new(),
    }
}

/// Columns that a mapping names and the table does not have.
fn missing(header: &Header, mapping: &Mapping) -> Vec<MappingFault> {
    let mut named: Vec<(String, &String)> = Vec::new();
    named.extend(mapping.columns.keys().map(|name| (format!("columns.{name}"), name)));
    named.extend(mapping.serial.iter().map(|name| ("serial".to_owned(), name)));
    named.extend(mapping.decode.keys().map(|name| (format!("decode.{name}"), name)));
    let absent = named.into_iter().filter(|(_, name)| !header.columns.contains(name));
    absent
        .map(|(path, name)| {
            let there = header.columns.iter().take(NAMED_COLUMNS).cloned().collect::<Vec<_>>();
            let more = if header.columns.len() > NAMED_COLUMNS { " …" } else { "" };
            let there = there.join(", ");
            MappingFault::new(path, format!("no column {name:?}; there are {there}{more}"))
        })
        .collect()
}

/// What is wrong with the columns together.
fn check(columns: &[Column], mapping: &Mapping, faults: &mut Vec<MappingFault>) {
    let (mut identifiers, mut attributes) = (0, BTreeSet::new());
    for Column { name, reading } in columns {
        let path = format!("columns.{name}");
        if mapping.decode.contains_key(name) && !matches!(reading, ColumnReading::Attribute { .. })
        {
            let detail = "only attributes can be decoded";
            faults.push(MappingFault::new(format!("decode.{name}"), detail));
        }
        match reading {
            ColumnReading::Identifier => {
                identifiers += 1;
                if identifiers == 2 {
                    let detail = format!("column {name:?} would be a second identifier");
                    faults.push(MappingFault::new(path, detail));
                }
            }
            ColumnReading::Serial if matches!(mapping.columns.get(name), Some(Some(_))) => {
                let detail = "the column is the serial and something else";
                faults.push(MappingFault::new(path, detail));
            }
            ColumnReading::Serial | ColumnReading::Ignored => {}
            ColumnReading::Value { kind } => faults.extend(refused_value(path, kind)),
            ColumnReading::Attribute { name: attribute, .. } => {
                if !attributes.insert(attribute) {
                    let detail = format!("attribute {attribute:?} has another column already");
                    faults.push(MappingFault::new(path, detail));
                } else {
                    faults.extend(refused_attribute(path, attribute));
                }
            }
        }
    }
    if identifiers == 0 && mapping.prefix.is_none() && mapping.template.is_none() {
        let detail = "no column identifier: map one, or give a prefix or template by which to mint";
        faults.push(MappingFault::new("columns", detail));
    }
}

/// Why no record could have a value of this type.
fn refused_value(path: String, kind: &str) -> Option<MappingFault> {
    let body = DraftBody { values: Some(vec![value(kind, "https://h/")]), ..Default::default() };
    Some(MappingFault::new(path, Draft::from_body(body).err()?.to_string()))
}

/// Why no record could have an attribute of this name.
fn refused_attribute(path: String, name: &str) -> Option<MappingFault> {
    let attributes = BTreeMap::from([(name.to_owned(), Json::String(String::new()))]);
    let body = DraftBody { attributes: Some(attributes), ..Default::default() };
    Some(MappingFault::new(path, Draft::from_body(body).err()?.to_string()))
}

/// Most columns that a fault lists.
const NAMED_COLUMNS: usize = 20;
