//! Registrations in a table of comma-separated values (RFC 4180).
//!
//! The header names the columns: `identifier`, `url`, and attributes by their names; an empty
//! field leaves its attribute out. A quoted field may hold line breaks; a quote that is never
//! closed costs a bounded number of lines, is reported with the number of the line it stands in,
//! and the import goes on behind.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::format::{ReadLines, Reading, Registration, UrlValue, not_utf8};
use crate::tabular::{MAX_RECORD_BYTES, MAX_RECORD_LINES, Quotes, split_fields};

/// A table while it is read.
#[derive(Debug)]
pub struct CsvTable {
    header: Option<Header>,
    /// Lines of a record whose quote is still open.
    pending: Vec<u8>,
    pending_lines: usize,
    quotes: Quotes,
}

impl Default for CsvTable {
    fn default() -> Self {
        let quotes = Quotes::new(Some(SEPARATOR));
        Self { header: None, pending: Vec::new(), pending_lines: 0, quotes }
    }
}

/// What the columns mean.
#[derive(Debug)]
struct Header {
    names: Vec<String>,
    identifier: usize,
    url: Option<usize>,
}

impl ReadLines for CsvTable {
    fn read(&mut self, line: &[u8]) -> Reading {
        if self.pending_lines > 0 {
            self.pending.push(b'\n');
        } else if line.iter().all(u8::is_ascii_whitespace) {
            return Reading::Nothing;
        }
        self.pending.extend_from_slice(line);
        self.pending_lines += 1;
        self.quotes.read(line.iter().copied().map(u16::from));
        if self.quotes.is_open()
            && self.pending_lines < MAX_RECORD_LINES
            && self.pending.len() < MAX_RECORD_BYTES
        {
            return Reading::Unfinished;
        }
        self.pending_lines = 0;
        self.quotes = Quotes::new(Some(SEPARATOR));
        let record = std::mem::take(&mut self.pending);
        let reading = match std::str::from_utf8(&record) {
            Ok(text) => self.take_record(split_fields(text, SEPARATOR)),
            Err(error) => self.take_record(Err(not_utf8(&error))),
        };
        self.pending = record;
        self.pending.clear();
        reading
    }

    fn finish(&mut self) -> Reading {
        let open = std::mem::take(&mut self.pending_lines) > 0;
        self.pending.clear();
        match (open, &self.header) {
            (true, _) => self.take_record(Ok(None)),
            (false, None) => {
                Reading::Unusable("no header: the first line names the columns".into())
            }
            (false, Some(_)) => Reading::Nothing,
        }
    }
}

impl CsvTable {
    fn take_record(&mut self, fields: Result<Option<Vec<Cow<'_, str>>>, String>) -> Reading {
        let open = || "a quote is opened and not closed: what follows it was skipped".to_owned();
        let fields = fields.and_then(|fields| fields.ok_or_else(open));
        let Some(header) = &self.header else {
            return match fields.and_then(|fields| Header::read(&fields)) {
                Ok(header) => {
                    self.header = Some(header);
                    Reading::Nothing
                }
                Err(reason) => Reading::Unusable(format!("header: {reason}")),
            };
        };
        match fields {
            Ok(fields) => header.registration(&fields),
            Err(reason) => Reading::Fault(reason),
        }
    }
}

impl Header {
    fn read(fields: &[Cow<'_, str>]) -> Result<Self, String> {
        let names: Vec<String> = fields.iter().map(|name| name.trim().to_owned()).collect();
        let mut seen = BTreeSet::new();
        for name in &names {
            if name.is_empty() {
                return Err("a column has no name".into());
            }
            if !seen.insert(name) {
                return Err(format!("column {name:?} is there twice"));
            }
        }
        let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let identifier = find("identifier")
            .ok_or("no column identifier: name the columns, separated by commas")?;
        let url = find("url");
        Ok(Self { names, identifier, url })
    }

    fn registration(&self, fields: &[Cow<'_, str>]) -> Reading {
        if fields.len() != self.names.len() {
            let (found, wanted) = (fields.len(), self.names.len());
            return Reading::Fault(format!("{found} fields where the header names {wanted}"));
        }
        let (mut identifier, mut url, mut attributes) = ("", None, Vec::new());
        for (position, (name, field)) in self.names.iter().zip(fields).enumerate() {
            if position == self.identifier {
                identifier = field.trim();
            } else if Some(position) == self.url {
                url = Some(field.trim()).filter(|url| !url.is_empty());
            } else if !field.is_empty() {
                attributes.push((name.as_str(), field.as_ref()));
            }
        }
        if identifier.is_empty() {
            return Reading::Fault("the identifier is empty".into());
        }
        let values = url.map(|url| [UrlValue::new(url)]);
        Registration { identifier, values, attributes }.reading()
    }
}

/// What separates fields; the node tells others from the header, this command does not.
const SEPARATOR: char = ',';

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(text: &str) -> Vec<Reading> {
        let mut table = CsvTable::default();
        let mut readings: Vec<_> = text.lines().map(|line| table.read(line.as_bytes())).collect();
        readings.push(table.finish());
        readings
    }

    fn registered(reading: &Reading) -> &str {
        match reading {
            Reading::Registration(json) => std::str::from_utf8(json).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn records_become_registrations() {
        let readings = read_all(
            "Identifier,URL,model,note\n88.118/1,https://h/1,P-1,\"a\nb\"\n\n88.118/2,,P-2,\n",
        );
        assert_eq!(readings[..2], [Reading::Nothing, Reading::Unfinished]);
        assert_eq!(
            registered(&readings[2]),
            r#"{"identifier":"88.118/1","values":[{"index":1,"type":"URL","data":"https://h/1"}],"#
                .to_owned()
                + r#""attributes":{"model":"P-1","note":"a\nb"}}"#
        );
        assert_eq!(readings[3], Reading::Nothing);
        assert_eq!(
            registered(&readings[4]),
            r#"{"identifier":"88.118/2","attributes":{"model":"P-2"}}"#
        );
        assert_eq!(readings[5], Reading::Nothing);
    }

    #[test]
    fn faults_name_what_is_wrong() {
        for (text, expected) in [
            ("", "no header"),
            ("a,b", "no column identifier"),
            ("identifier,a,a", "column \"a\" is there twice"),
            ("identifier,,a", "a column has no name"),
            ("identifier;url", "separated by commas"),
        ] {
            let found = read_all(text);
            let reason = found.iter().find_map(|reading| match reading {
                Reading::Unusable(reason) => Some(reason.clone()),
                _ => None,
            });
            assert!(reason.as_ref().is_some_and(|why| why.contains(expected)), "{text}: {found:?}");
        }
        for (line, expected) in [
            ("88.1/1", "1 fields where the header names 2"),
            ("88.1/1,a,b", "3 fields where the header names 2"),
            (" ,a", "the identifier is empty"),
            ("\"88.1/1\"x,a", "behind the closing quote of field 1"),
            ("\"88.1/1,a", "a quote is opened and not closed"),
        ] {
            let found = read_all(&format!("identifier,a\n{line}"));
            let reasons = found.iter().filter_map(|reading| match reading {
                Reading::Fault(reason) => Some(reason),
                _ => None,
            });
            assert!(reasons.into_iter().any(|why| why.contains(expected)), "{line}: {found:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_costs_a_bounded_number_of_lines() {
        let lines = format!("identifier\n\"88.1/1\n{}88.1/2\n", "88.1/x\n".repeat(99));
        let readings = read_all(&lines);
        assert!(matches!(readings[100], Reading::Fault(_)));
        assert!(registered(&readings[101]).contains("88.1/2"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..5)) {
            let mut table = CsvTable::default();
            lines.iter().for_each(|line| drop(table.read(line)));
            table.finish();
        }
    }
}
