//! The formats an import reads, line by line.

use bytes::Bytes;
use serde::Serialize;

use super::csv::CsvTable;
use super::hardware_ids::{Bus, HardwareIds};

/// A format of files to import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object per line: the body of a registration and `identifier`.
    Ndjson,
    /// A header `identifier,url,…`, then one registration per record (RFC 4180); other columns are
    /// attributes.
    Csv,
    /// The PCI ID list of Debian's package pci.ids.
    PciIds,
    /// The USB ID list of Debian's package usb.ids.
    UsbIds,
}

/// Reads a file's lines, which come without their ends.
pub trait ReadLines: Send {
    /// What the next line comes to. Bytes may be anything.
    fn read(&mut self, line: &[u8]) -> Reading;

    /// What is left over at the file's end.
    fn finish(&mut self) -> Reading {
        Reading::Nothing
    }
}

/// What a line comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing to register: blank, a comment, a heading.
    Nothing,
    /// The record goes on in the next line.
    Unfinished,
    /// A registration as a line of an import.
    Registration(Bytes),
    /// Why the line cannot be read.
    Fault(String),
    /// Why the whole file cannot be read.
    Unusable(String),
}

impl Format {
    /// The format by the file's name, or else by its first bytes.
    pub fn detect(name: &str, start: &[u8]) -> Result<Self, String> {
        let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
        if start.starts_with(&[0x1f, 0x8b]) {
            return Err("compressed with gzip: unpack it first, as in zcat FILE | …import -".into());
        }
        let name = name.to_ascii_lowercase();
        let named = [
            (".ndjson", Format::Ndjson),
            (".jsonl", Format::Ndjson),
            (".csv", Format::Csv),
            ("pci.ids", Format::PciIds),
            ("usb.ids", Format::UsbIds),
        ];
        if let Some((_, format)) = named.into_iter().find(|(end, _)| name.ends_with(end)) {
            return Ok(format);
        }
        let head = String::from_utf8_lossy(start.get(..SNIFFED_BYTES).unwrap_or(start));
        let first = head.lines().next().unwrap_or_default().to_ascii_lowercase();
        if head.trim_start().starts_with('{') {
            Ok(Format::Ndjson)
        } else if head.contains("List of PCI ID's") {
            Ok(Format::PciIds)
        } else if head.contains("List of USB ID's") {
            Ok(Format::UsbIds)
        } else if first.split(',').any(|name| name.trim().trim_matches('"') == "identifier") {
            Ok(Format::Csv)
        } else {
            Err("the format cannot be told from name or content: say it with --format".into())
        }
    }

    /// A reader for one file.
    pub fn reader(self) -> Box<dyn ReadLines> {
        match self {
            Format::Ndjson => Box::new(Ndjson),
            Format::Csv => Box::new(CsvTable::default()),
            Format::PciIds => Box::new(HardwareIds::new(Bus::Pci)),
            Format::UsbIds => Box::new(HardwareIds::new(Bus::Usb)),
        }
    }
}

/// NDJSON goes to the node as it is; the node says what is wrong with a line.
struct Ndjson;

impl ReadLines for Ndjson {
    fn read(&mut self, line: &[u8]) -> Reading {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Reading::Nothing;
        }
        match std::str::from_utf8(line) {
            // A return within a line is white space in JSON, but some readers end lines at it.
            Ok(text) => Reading::Registration(text.replace('\r', " ").into()),
            Err(error) => Reading::Fault(not_utf8(&error)),
        }
    }
}

/// A line of an import as the formats with a fixed shape make it.
#[derive(Serialize)]
pub(super) struct Registration<'a> {
    pub identifier: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<[UrlValue<'a>; 1]>,
    #[serde(serialize_with = "serialize_pairs")]
    pub attributes: Vec<(&'a str, &'a str)>,
}

/// A value of type `URL`.
#[derive(Serialize)]
pub(super) struct UrlValue<'a> {
    index: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    data: &'a str,
}

impl<'a> UrlValue<'a> {
    pub fn new(data: &'a str) -> Self {
        Self { index: 1, kind: "URL", data }
    }
}

impl Registration<'_> {
    pub fn reading(&self) -> Reading {
        match serde_json::to_vec(self) {
            Ok(json) => Reading::Registration(json.into()),
            Err(error) => Reading::Fault(error.to_string()),
        }
    }
}

fn serialize_pairs<S: serde::Serializer>(
    pairs: &[(&str, &str)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

pub(super) fn not_utf8(error: &std::str::Utf8Error) -> String {
    format!(
        "not UTF-8 at byte {}: convert the file, as with iconv -t UTF-8",
        error.valid_up_to() + 1
    )
}

/// What some programs put before UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes of a file that are looked at to tell its format.
const SNIFFED_BYTES: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_name_then_content() {
        for (name, start, format) in [
            ("/x/pci.ids", "", Format::PciIds),
            ("usb.ids", "", Format::UsbIds),
            ("a.CSV", "{", Format::Csv),
            ("a.jsonl", "", Format::Ndjson),
            ("-", "\u{feff} {\"identifier\"", Format::Ndjson),
            ("-", "#\n#\tList of PCI ID's\n", Format::PciIds),
            ("-", "#\n#\tList of USB ID's\n", Format::UsbIds),
            ("-", "model,\"Identifier\"\r\n", Format::Csv),
        ] {
            assert_eq!(Format::detect(name, start.as_bytes()), Ok(format), "{name} {start}");
        }
        assert!(Format::detect("-", b"hello").unwrap_err().contains("--format"));
        assert!(Format::detect("a.csv", b"\x1f\x8b\x08").unwrap_err().contains("gzip"));
    }

    #[test]
    fn ndjson_passes_lines_on() {
        let mut reader = Format::Ndjson.reader();
        assert_eq!(reader.read(b"  \t"), Reading::Nothing);
        assert_eq!(reader.read(b"{}"), Reading::Registration("{}".into()));
        let broken = reader.read(b"{\"a\":\"\xff\"}");
        assert!(matches!(broken, Reading::Fault(reason) if reason.contains("byte 7")));
    }
}
