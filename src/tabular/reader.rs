//! Reading a table record by record.

use std::borrow::Cow;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::cells::{self, Quotes, split_fields};
use super::encoding::Encoding;
use super::plan::Plan;
use super::window::{LineEnd, LineRules, Window, unit_at};
use super::{
    MAX_COLUMNS, MAX_RECORD_BYTES, MAX_RECORD_LINES, RowFault, TableFault, TableRow, restore,
};

/// Reads a table. Ends with the first error of the stream; faults of records are records.
pub struct TableReader<R> {
    window: Window<R>,
    header: Header,
    place: Place,
}

/// What a table's first bytes say of the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Format.
    pub format: TableFormat,
    /// Encoding that was asked for, or that a mark told.
    pub encoding: Encoding,
    /// What separates cells.
    pub separator: char,
    /// Names of the columns, without white space around them; none of NDJSON.
    pub columns: Vec<String>,
}

/// A format of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableFormat {
    /// Separated values with a header (RFC 4180).
    Csv,
    /// One JSON object per line.
    Ndjson,
}

/// Where a reader stands: behind one record and before the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Bytes before the next record.
    pub offset: u64,
    /// Number of the next line, from 1.
    pub line: u64,
    /// Encoding that was found so far.
    pub encoding: Encoding,
}

/// A record as it stands in the table.
#[derive(Debug, PartialEq, Eq)]
pub struct RawRow<'a> {
    /// Number of its first line, from 1.
    pub line: u64,
    /// Offset of its first byte.
    pub start: u64,
    /// Offset behind it and its line end.
    pub end: u64,
    /// Its content.
    pub content: Result<RawContent<'a>, RowFault>,
}

/// What a record holds.
#[derive(Debug, PartialEq, Eq)]
pub enum RawContent<'a> {
    /// Cells of CSV; as many as the header names.
    Cells(Vec<Cow<'a, str>>),
    /// A line of NDJSON.
    Json(Cow<'a, str>),
}

/// A record that was found: where, and its size in the window.
struct Span {
    line: u64,
    start: u64,
    end: u64,
    /// Where in the window its text is; or why there is none.
    text: Result<(usize, usize), RowFault>,
}

impl<R: Read> TableReader<R> {
    /// Begins a table and reads its header.
    pub fn open(input: R, format: TableFormat, encoding: Encoding) -> Result<Self, TableFault> {
        let mut window = Window::new(input);
        window.fill(MARK_BYTES)?;
        let (encoding, mark) = encoding.begin(window.bytes());
        window.consume(mark);
        let place = Place { offset: mark as u64, line: 1, encoding };
        let header = Header { format, encoding, separator: ',', columns: Vec::new() };
        let mut reader = Self { window, header, place };
        if format == TableFormat::Csv {
            reader.read_header()?;
        }
        Ok(reader)
    }

    /// Goes on with a table: `input` stands at `place.offset`, both came from another reader.
    pub fn resume(input: R, header: Header, place: Place) -> Self {
        Self { window: Window::new(input), header, place }
    }

    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the reader stands.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The next record and what it asks to register; none at the end.
    ///
    /// Blank lines and records whose cells are all blank are passed over.
    pub fn next_row(&mut self, plan: &Plan) -> std::io::Result<Option<TableRow>> {
        while let Some(raw) = self.next_raw()? {
            let RawRow { line, start, end, content } = raw;
            let content = match content {
                Ok(RawContent::Cells(cells)) if cells.iter().all(|cell| cell.trim().is_empty()) => {
                    continue;
                }
                Ok(content) => plan.registration(content),
                Err(fault) => Err(fault),
            };
            return Ok(Some(TableRow { line, start, end, content }));
        }
        Ok(None)
    }

    /// The next record as it stands there, for a look at it; none at the end.
    pub fn next_raw(&mut self) -> std::io::Result<Option<RawRow<'_>>> {
        let rules = LineRules {
            encoding: self.place.encoding,
            // A return within a line of NDJSON is white space.
            returns: self.header.format == TableFormat::Csv,
        };
        let quotes = match self.header.format {
            TableFormat::Csv => Some(Quotes::new(Some(self.header.separator))),
            TableFormat::Ndjson => None,
        };
        let Some(Span { line, start, end, text }) = self.advance(rules, quotes)? else {
            return Ok(None);
        };
        let encoding = &mut self.place.encoding;
        let (window, header) = (&self.window, &self.header);
        let content = text.and_then(|(from, count)| {
            let text = encoding.decode(window.held(from, count))?;
            header.content(text)
        });
        Ok(Some(RawRow { line, start, end, content }))
    }

    fn read_header(&mut self) -> Result<(), TableFault> {
        let rules = LineRules { encoding: self.place.encoding, returns: true };
        let span = self.advance(rules, Some(Quotes::new(None)))?.ok_or_else(|| {
            TableFault::Header("the table is empty: its first line names the columns".into())
        })?;
        let fault = |fault: RowFault| TableFault::Header(fault.to_string());
        let (from, count) = span.text.map_err(fault)?;
        let text = self.place.encoding.decode(self.window.held(from, count)).map_err(fault)?;
        self.header.separator = cells::separator(&text);
        self.header.columns = column_names(&text, self.header.separator)?;
        Ok(())
    }

    /// Passes over the next record that is not blank.
    fn advance(
        &mut self,
        rules: LineRules,
        quotes: Option<Quotes>,
    ) -> std::io::Result<Option<Span>> {
        loop {
            let (line, start) = (self.place.line, self.place.offset);
            let Some((text, length)) = self.measure(rules, quotes)? else { return Ok(None) };
            let from = self.window.consume(length);
            self.place.offset += length as u64;
            let text = match text {
                Ok(count) if is_blank(self.window.held(from, count), rules.encoding) => continue,
                Ok(count) => Ok((from, count)),
                Err(fault) => {
                    if fault.rule == TOO_LONG {
                        self.place.offset += self.window.skip_line(rules)?;
                        self.place.line += 1;
                    }
                    Err(fault)
                }
            };
            return Ok(Some(Span { line, start, end: self.place.offset, text }));
        }
    }

    /// The size of the next record without and with its line end. Counts its lines.
    fn measure(
        &mut self,
        rules: LineRules,
        mut quotes: Option<Quotes>,
    ) -> std::io::Result<Option<(Result<usize, RowFault>, usize)>> {
        let (first, mut at, mut opened) = (self.place.line, 0, self.place.line);
        loop {
            let (text, next) = match self.window.line(at, rules)? {
                LineEnd::At { text, next } => (text, next),
                LineEnd::TooFar => return Ok(Some((Err(too_long()), at))),
                LineEnd::End if at == 0 => return Ok(None),
                LineEnd::End => return Ok(Some((Err(open_quote(opened)), at))),
            };
            if let Some(quotes) = &mut quotes {
                let was_open = quotes.is_open();
                read_quotes(quotes, self.window.bytes().get(at..text), rules.encoding);
                if !was_open {
                    opened = self.place.line;
                }
            }
            self.place.line += 1;
            if !quotes.is_some_and(|quotes| quotes.is_open()) {
                return Ok(Some((Ok(text), next)));
            }
            if self.place.line - first >= MAX_RECORD_LINES as u64 {
                return Ok(Some((Err(open_quote(opened)), next)));
            }
            at = next;
        }
    }
}

impl Header {
    /// A record's text, cut into what its format says.
    pub(super) fn content<'a>(&self, text: Cow<'a, str>) -> Result<RawContent<'a>, RowFault> {
        if let Some(at) = text.find('\0') {
            let detail = format!("byte {} is zero, which is no text", at + 1);
            return Err(RowFault::new("", "text", detail));
        }
        if self.format == TableFormat::Ndjson {
            return Ok(RawContent::Json(text));
        }
        let cells = self.cells(text)?;
        if cells.len() != self.columns.len() {
            let (found, wanted) = (cells.len(), self.columns.len());
            let detail = format!("{found} fields where the header names {wanted}");
            return Err(RowFault::new("", "field-count", detail));
        }
        Ok(RawContent::Cells(cells))
    }

    /// The cells of a record, however many.
    pub(super) fn cells<'a>(&self, text: Cow<'a, str>) -> Result<Vec<Cow<'a, str>>, RowFault> {
        Ok(match text {
            Cow::Borrowed(text) => self.split(text)?.into_iter().map(restored).collect(),
            Cow::Owned(text) => {
                let cells = self.split(&text)?;
                cells.into_iter().map(|cell| Cow::Owned(restored(cell).into_owned())).collect()
            }
        })
    }

    fn split<'a>(&self, text: &'a str) -> Result<Vec<Cow<'a, str>>, RowFault> {
        split_fields(text, self.separator)
            .map_err(|reason| RowFault::new("", QUOTING, reason))?
            .ok_or_else(|| RowFault::new("", QUOTING, "a quote is opened and not closed"))
    }
}

/// A cell without the apostrophe that keeps spreadsheets from running it.
fn restored(cell: Cow<'_, str>) -> Cow<'_, str> {
    match cell {
        Cow::Borrowed(cell) => Cow::Borrowed(restore(cell)),
        Cow::Owned(cell) => {
            let kept = restore(&cell).len();
            if kept == cell.len() { Cow::Owned(cell) } else { Cow::Owned(restore(&cell).into()) }
        }
    }
}

fn column_names(text: &str, separator: char) -> Result<Vec<String>, TableFault> {
    let fault = |reason: String| TableFault::Header(reason);
    if text.contains('\0') {
        let reason = "zero bytes: if this is UTF-16 without a byte order mark, say so";
        return Err(fault(reason.into()));
    }
    let cells = split_fields(text, separator).map_err(fault)?;
    let cells = cells.ok_or_else(|| fault("a quote is opened and not closed".into()))?;
    let columns: Vec<String> = cells.iter().map(|name| restore(name.trim()).to_owned()).collect();
    let mut seen = std::collections::BTreeSet::new();
    for (number, name) in (1..).zip(&columns) {
        if name.is_empty() {
            return Err(fault(format!("column {number} has no name")));
        }
        if !seen.insert(name) {
            return Err(fault(format!("column {name:?} is there twice")));
        }
    }
    Ok(columns)
}

fn read_quotes(quotes: &mut Quotes, line: Option<&[u8]>, encoding: Encoding) {
    let line = line.unwrap_or_default();
    match encoding.low_byte() {
        // Without any quote, only an open one matters, and it stays open.
        None if !line.contains(&b'"') => {}
        None => quotes.read(line.iter().copied().map(u16::from)),
        Some(low) => {
            quotes.read((0..line.len()).step_by(2).filter_map(|at| unit_at(line, at, low)));
        }
    }
}

fn is_blank(text: &[u8], encoding: Encoding) -> bool {
    let blank = |unit: u16| u8::try_from(unit).is_ok_and(|byte| byte.is_ascii_whitespace());
    match encoding.low_byte() {
        None => text.iter().all(u8::is_ascii_whitespace),
        Some(low) => (0..text.len()).step_by(2).all(|at| unit_at(text, at, low).is_some_and(blank)),
    }
}

fn too_long() -> RowFault {
    let detail = format!("a record of over {MAX_RECORD_BYTES} bytes, the most for a record");
    RowFault::new("", TOO_LONG, detail)
}

fn open_quote(line: u64) -> RowFault {
    let detail = format!(
        "a quote is opened in line {line} and not closed: what follows it was skipped, at most \
         {MAX_RECORD_LINES} lines"
    );
    RowFault::new("", QUOTING, detail)
}

/// Rules that records break.
const QUOTING: &str = "quoting";
const TOO_LONG: &str = "too-long";

/// Bytes of the longest byte order mark.
const MARK_BYTES: usize = 4;

// A header is a record like any other, so that its columns are bounded by it.
const _: () = assert!(MAX_COLUMNS < MAX_RECORD_BYTES);
