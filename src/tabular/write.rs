//! Writing tables: CSV that spreadsheets open without running anything, and NDJSON.

use std::borrow::Cow;

use serde::Serialize;

/// Appends a record of CSV (RFC 4180): commas, quotes where needed, CRLF behind.
///
/// Cells that a spreadsheet would run are made harmless by [`neutralise`]; a
/// [`super::TableReader`] takes that back.
pub fn write_row<'a>(out: &mut Vec<u8>, cells: impl IntoIterator<Item = &'a str>) {
    let begin = out.len();
    for (position, cell) in cells.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        let cell = neutralise(cell);
        let outer_space = cell.trim().len() != cell.len();
        if outer_space || cell.contains(['"', ',', ';', '\t', '\r', '\n']) {
            out.push(b'"');
            for (part, piece) in cell.split('"').enumerate() {
                if part > 0 {
                    out.extend_from_slice(b"\"\"");
                }
                out.extend_from_slice(piece.as_bytes());
            }
            out.push(b'"');
        } else {
            out.extend_from_slice(cell.as_bytes());
        }
    }
    if out.len() == begin {
        // One empty cell, which would otherwise be a blank line.
        out.extend_from_slice(b"\"\"");
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a line of NDJSON.
pub fn write_line(out: &mut Vec<u8>, document: &impl Serialize) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    out.push(b'\n');
    Ok(())
}

/// A cell with an apostrophe in front if a spreadsheet would take it for a formula.
///
/// Plain numbers stay, signs and all. What may be passed over before the formula counts as part of
/// it: white space, quotes, apostrophes; so does the full-width form of a character
/// (OWASP, "CSV Injection").
pub fn neutralise(cell: &str) -> Cow<'_, str> {
    if is_formula(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// A cell as it was before [`neutralise`].
pub fn restore(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest,
        _ => cell,
    }
}

fn is_formula(cell: &str) -> bool {
    // Whatever is a formula is one behind an apostrophe too, so that only what was put there is
    // taken away again.
    if cell.trim_start_matches('\'').starts_with(['\t', '\r', '\n']) {
        return true;
    }
    let skipped = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '\u{feff}');
    let begun = cell.trim_start_matches(skipped);
    begun.starts_with(FORMULA_STARTS) && !is_number(begun.trim_end())
}

/// A decimal number: sign, digits, fraction, exponent.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mantissa = unsigned(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, "0"));
    digits(whole) && digits(fraction) && digits(&unsigned(exponent))
}

/// What some programs, spreadsheets among them, need before UTF-8 to take it for that.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Characters that begin a formula.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tabular::split_fields;

    #[test]
    fn formulas_are_neutralised() {
        for cell in [
            "=1+1",
            "+A1",
            "-A1",
            "@SUM(A1)",
            "\tx",
            "\r=1",
            "\nx",
            " =1",
            "\"=1",
            "'=1",
            "=cmd|' /C calc'!A0",
            "-2+3",
            "+",
            "-",
            "--1",
            "-1e",
            "＝1",
            "\u{3000}=1",
            "\u{feff}=1",
            "-5,2",
            "'\t",
            "+86 10",
            "=\"a\"",
            "'-x",
            "-.5",
        ] {
            let written = neutralise(cell);
            assert!(written.starts_with('\'') && written.len() == cell.len() + 1, "{cell:?}");
            assert_eq!(restore(&written), cell);
        }
        for cell in [
            "", "a", "1", "-5.2", "+5", "-1e-3", "1.5E+10", " -5.2 ", "a=1", "'", "'a", "’=",
            "x@y", "P-100", "'1",
        ] {
            assert_eq!(neutralise(cell), cell);
            assert_eq!(restore(cell), cell);
        }
    }

    #[test]
    fn rows_are_quoted_where_needed() {
        for (cells, expected) in [
            (&["a", "泵"][..], "a,泵\r\n"),
            (&["a,b", "c;d", "e\tf"], "\"a,b\",\"c;d\",\"e\tf\"\r\n"),
            (&["say \"hi\"", "two\nlines"], "\"say \"\"hi\"\"\",\"two\nlines\"\r\n"),
            (&["=1", "-5"], "'=1,-5\r\n"),
            (&["", ""], ",\r\n"),
            (&[""], "\"\"\r\n"),
            (&[" a"], "\" a\"\r\n"),
        ] {
            let mut out = Vec::new();
            write_row(&mut out, cells.iter().copied());
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn lines_of_json_end_in_one_line_feed() {
        let mut out = Vec::new();
        write_line(&mut out, &serde_json::json!({"a": "x\ny"})).unwrap();
        assert_eq!(out, b"{\"a\":\"x\\ny\"}\n");
    }

    proptest! {
        #[test]
        fn rows_come_back(
            cells in prop::collection::vec("\\PC{0,3}['\"=+@ ,;\n\r\t-]{0,3}", 1..5),
        ) {
            let mut out = Vec::new();
            write_row(&mut out, cells.iter().map(String::as_str));
            let text = String::from_utf8(out).unwrap();
            let split = split_fields(text.strip_suffix("\r\n").unwrap(), ',').unwrap().unwrap();
            let back: Vec<&str> = split.iter().map(|cell| restore(cell)).collect();
            prop_assert_eq!(back, cells);
        }
    }
}
