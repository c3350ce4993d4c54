//! Records that were refused, as a table that can be mended and read again.

use serde::Serialize;

use super::RowFault;
use super::reader::{Header, TableFormat};
use super::write::{BYTE_ORDER_MARK, write_line, write_row};

/// Writes refused records: as CSV with the table's own columns and, behind them, where the record
/// was and what is wrong; as NDJSON with the same as members.
///
/// The columns that are added are passed over when the mended table is read again.
#[derive(Clone, Debug)]
pub struct Rejects {
    header: Header,
    /// Positions of the table's own columns.
    kept: Vec<usize>,
}

/// A refused line of NDJSON.
#[derive(Serialize)]
struct RejectedLine<'a> {
    line: u64,
    faults: &'a [RowFault],
    text: &'a str,
}

impl Rejects {
    /// For refused records of a table with this header.
    pub fn new(header: Header) -> Self {
        let kept = (0..header.columns.len())
            .filter(|at| {
                header.columns.get(*at).is_some_and(|name| !ADDED_COLUMNS.contains(&name.as_str()))
            })
            .collect();
        Self { header, kept }
    }

    /// Appends what comes before the first record: of CSV a byte order mark and the header.
    pub fn begin(&self, out: &mut Vec<u8>) {
        if self.header.format == TableFormat::Csv {
            out.extend_from_slice(BYTE_ORDER_MARK);
            let names = self.own(&self.header.columns);
            write_row(out, names.chain(ADDED_COLUMNS));
        }
    }

    /// Appends a record: its number, its bytes from [`super::TableRow`]'s `start` to `end`, and
    /// what is wrong with it.
    ///
    /// A record that cannot be cut into the table's columns stands as a whole in the last one.
    pub fn add(&self, out: &mut Vec<u8>, line: u64, record: &[u8], faults: &[RowFault]) {
        let text = self.header.encoding.decode_lossy(record);
        let text = text.trim_end_matches(['\r', '\n']);
        if self.header.format == TableFormat::Ndjson {
            // Writing to memory does not fail, and neither does this type.
            let _ = write_line(out, &RejectedLine { line, faults, text });
            return;
        }
        let cells = self.header.cells(text.into()).ok();
        let cells = cells.filter(|cells| cells.len() <= self.header.columns.len());
        let whole = if cells.is_none() { text } else { "" };
        let cells: Vec<String> =
            cells.unwrap_or_default().into_iter().map(|cell| cell.into_owned()).collect();
        let joined =
            |part: fn(&RowFault) -> &str| faults.iter().map(part).collect::<Vec<_>>().join("; ");
        let (line, paths) = (line.to_string(), joined(|fault| &fault.path));
        let (rules, reasons) = (joined(|fault| &fault.rule), joined(|fault| &fault.detail));
        write_row(out, self.own(&cells).chain([&*line, &*paths, &*rules, &*reasons, whole]));
    }

    /// The table's own of some cells; cells that are not there are empty.
    fn own<'a>(&'a self, cells: &'a [String]) -> impl Iterator<Item = &'a str> {
        self.kept.iter().map(|at| cells.get(*at).map_or("", String::as_str))
    }
}

/// Columns that stand behind the table's own: number of the line; paths, rules and reasons of the
/// faults, separated by semicolons; the record's text where it has no cells.
pub(super) const ADDED_COLUMNS: [&str; 5] =
    ["rejected:line", "rejected:path", "rejected:rule", "rejected:reason", "rejected:text"];
