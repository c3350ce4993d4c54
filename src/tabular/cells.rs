//! Cells of a record of separated values (RFC 4180).
//!
//! Written here rather than taken from the `csv` crate so that a quote that is never closed costs
//! a bounded number of lines and the reading goes on behind. A cell is quoted when a quote is its
//! first character; two quotes in it stand for one; quotes elsewhere are taken as they are.

use std::borrow::Cow;

use super::MAX_COLUMNS;

/// Follows quotes from line to line: whether the record goes on in the next line.
#[derive(Clone, Copy, Debug)]
pub struct Quotes {
    /// None while the separator is not known: any of [`SEPARATORS`].
    separator: Option<char>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    /// Behind a quote within a quoted cell: its end, or the first of two.
    QuoteInQuoted,
    /// Text behind a closing quote: the record is lost, and ends with its line.
    Broken,
}

impl Quotes {
    /// At the start of a record. Without a separator, all usual ones count.
    pub fn new(separator: Option<char>) -> Self {
        Self { separator, state: State::CellStart }
    }

    /// Reads a line without its end, as bytes of any superset of ASCII or as UTF-16 units.
    pub fn read(&mut self, line: impl Iterator<Item = u16>) {
        for unit in line {
            let at_separator = match self.separator {
                Some(separator) => u32::from(unit) == u32::from(separator),
                None => SEPARATORS.iter().any(|known| u32::from(unit) == u32::from(*known)),
            };
            let at_quote = unit == u16::from(b'"');
            self.state = match self.state {
                State::CellStart if at_quote => State::Quoted,
                State::CellStart | State::Plain if at_separator => State::CellStart,
                State::CellStart | State::Plain => State::Plain,
                State::Quoted if at_quote => State::QuoteInQuoted,
                State::Quoted => State::Quoted,
                State::QuoteInQuoted if at_quote => State::Quoted,
                State::QuoteInQuoted if at_separator => State::CellStart,
                State::QuoteInQuoted | State::Broken => State::Broken,
            };
        }
    }

    /// Whether a quote is open, so that the next line belongs to the record.
    pub fn is_open(&self) -> bool {
        self.state == State::Quoted
    }
}

/// The separator of a header: the one that is there most often outside quotes.
pub(super) fn separator(header: &str) -> char {
    let mut counts = SEPARATORS.map(|separator| (separator, 0_usize));
    let mut quoted = false;
    for c in header.chars() {
        quoted ^= c == '"';
        for (separator, count) in &mut counts {
            *count += usize::from(!quoted && c == *separator);
        }
    }
    // The first of several that are there equally often.
    let most = counts.iter().map(|(_, count)| *count).max();
    counts.into_iter().find(|(_, count)| Some(*count) == most).map_or(',', |(found, _)| found)
}

/// The cells of a record without its line end; none when a quote is still open at its end.
///
/// Copies only cells in which a doubled quote stands for one.
pub fn split_fields(record: &str, separator: char) -> Result<Option<Vec<Cow<'_, str>>>, String> {
    let mut fields = Vec::new();
    let mut rest = record;
    loop {
        let (field, behind) = match rest.strip_prefix('"') {
            Some(quoted) => match split_quoted(quoted) {
                Some(split) => split,
                None => return Ok(None),
            },
            None => {
                let (field, behind) = rest.split_at(rest.find(separator).unwrap_or(rest.len()));
                (Cow::Borrowed(field), behind)
            }
        };
        fields.push(field);
        match behind.strip_prefix(separator) {
            Some(_) if fields.len() == MAX_COLUMNS => {
                return Err(format!("over {MAX_COLUMNS} fields, the most for a record"));
            }
            Some(next) => rest = next,
            None if behind.is_empty() => return Ok(Some(fields)),
            None => {
                let number = fields.len();
                return Err(format!("text behind the closing quote of field {number}"));
            }
        }
    }
}

/// A quoted cell and what is behind its closing quote; none without one.
fn split_quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut field = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let (part, behind) = rest.split_once('"')?;
        if field.is_empty() {
            field = Cow::Borrowed(part);
        } else {
            field.to_mut().push_str(part);
        }
        match behind.strip_prefix('"') {
            Some(next) => {
                field.to_mut().push('"');
                rest = next;
            }
            None => return Some((field, behind)),
        }
    }
}

/// Separators that spreadsheets write, the likeliest first.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_open(lines: &[&str]) -> bool {
        let mut quotes = Quotes::new(Some(','));
        lines.iter().for_each(|line| quotes.read(line.bytes().map(u16::from)));
        quotes.is_open()
    }

    #[test]
    fn fields_are_split_as_rfc_4180_says() {
        for (record, expected) in [
            ("a,b,,c", vec!["a", "b", "", "c"]),
            ("", vec![""]),
            (",", vec!["", ""]),
            ("\"a,b\",c", vec!["a,b", "c"]),
            ("\"say \"\"hi\"\"\"", vec!["say \"hi\""]),
            ("\"\"\"\",\"\"\"a\"", vec!["\"", "\"a"]),
            ("\"two\nlines\",x", vec!["two\nlines", "x"]),
            ("5\" disk,泵", vec!["5\" disk", "泵"]),
            ("\"\",\"\"", vec!["", ""]),
        ] {
            let fields = split_fields(record, ',').unwrap().unwrap();
            assert_eq!(fields, expected, "{record}");
            assert!(!is_open(&[record]), "{record}");
        }
        for record in ["\"open,b", "\"open\"\"", "a,\"b"] {
            assert_eq!(split_fields(record, ','), Ok(None), "{record}");
            assert!(is_open(&[record]), "{record}");
        }
        assert!(split_fields("\"a\"b,\"c", ',').unwrap_err().contains("field 1"));
        assert!(!is_open(&["\"a\"b,\"c"]));
        assert!(is_open(&["a,\"b", "c"]) && !is_open(&["a,\"b", "c\",d"]));
        let wide = ",".repeat(MAX_COLUMNS);
        assert!(split_fields(&wide[1..], ',').is_ok());
        assert!(split_fields(&wide, ',').unwrap_err().contains("16384"));
    }

    #[test]
    fn separators_are_told_from_the_header() {
        for (header, expected) in [
            ("identifier,url", ','),
            ("identifier;url", ';'),
            ("identifier\turl", '\t'),
            ("identifier", ','),
            ("\"a,b,c\";d", ';'),
            ("a,b;c", ','),
            ("", ','),
        ] {
            assert_eq!(separator(header), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn quoted_fields_come_back(fields in proptest::collection::vec("[^\r]{0,12}", 1..5)) {
            let quoted: Vec<_> =
                fields.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
            let joined = quoted.join(";");
            let split = split_fields(&joined, ';').unwrap().unwrap();
            prop_assert_eq!(split, fields);
        }

        #[test]
        fn splitting_and_following_agree(text in "[a\",;\n]{0,30}") {
            let open = matches!(split_fields(&text, ','), Ok(None));
            prop_assert_eq!(is_open(&[&text]), open);
        }
    }
}
