//! Tables: the same text for the terminal and for the results file.

use std::fmt::Write;

/// What a run found.
#[derive(Default)]
pub struct Report {
    /// What was measured where and how: one point each.
    pub method: Vec<String>,
    /// Tables in the order of the run.
    pub tables: Vec<Table>,
    /// What the project demands, and what was found.
    pub floors: Vec<Floor>,
}

/// A table of results.
pub struct Table {
    /// Its heading.
    pub title: &'static str,
    /// Heads of the columns.
    pub columns: Vec<&'static str>,
    /// Cells, as many as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// A demand.
pub struct Floor {
    /// What is measured.
    pub what: &'static str,
    /// The demand.
    pub demand: String,
    /// The finding.
    pub found: String,
    /// Whether the finding meets the demand.
    pub met: bool,
}

impl Report {
    /// Adds a table and prints it, so that a run that fails later has told something.
    pub fn add(&mut self, table: Table) {
        println!("{}", table.to_markdown());
        self.tables.push(table);
    }

    /// The whole report as Markdown.
    pub fn to_markdown(&self, head: &str) -> String {
        let mut out = format!("# Results\n\n{head}\n\n");
        for point in &self.method {
            let _ = writeln!(out, "- {point}");
        }
        for table in &self.tables {
            let _ = write!(out, "\n{}", table.to_markdown());
        }
        let _ = write!(out, "\n{}", self.floor_table().to_markdown());
        out
    }

    /// Whether every demand is met.
    pub fn all_met(&self) -> bool {
        self.floors.iter().all(|floor| floor.met)
    }

    /// The demands as a table.
    pub fn floor_table(&self) -> Table {
        let row = |floor: &Floor| {
            let verdict = if floor.met { "pass" } else { "MISS" };
            let what = floor.what.to_owned();
            vec![what, floor.demand.clone(), floor.found.clone(), verdict.to_owned()]
        };
        Table {
            title: "Floors",
            columns: vec!["what", "demand", "found", "verdict"],
            rows: self.floors.iter().map(row).collect(),
        }
    }
}

impl Table {
    /// A heading and a table whose columns line up as plain text too.
    pub fn to_markdown(&self) -> String {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                let cells = cells.map(|cell| cell.chars().count());
                cells.chain([self.columns[at].chars().count(), 3]).max().unwrap_or_default()
            })
            .collect();
        let line = |cells: &[&str]| {
            let mut out = String::from("|");
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(out, " {cell:<width$} |");
            }
            out + "\n"
        };
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let mut out = format!("## {}\n\n", self.title);
        out += &line(&self.columns);
        out += &line(&rules.iter().map(String::as_str).collect::<Vec<_>>());
        for row in &self.rows {
            out += &line(&row.iter().map(String::as_str).collect::<Vec<_>>());
        }
        out
    }
}

/// A table of what was found, row by row.
pub fn two_columns(title: &'static str, rows: Vec<(&str, String)>) -> Table {
    let rows = rows.into_iter().map(|(what, found)| vec![what.to_owned(), found]).collect();
    Table { title, columns: vec!["what", "found"], rows }
}

/// A number with thousands set apart: `1,234,567`.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes as MiB.
pub fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", grouped(bytes as f64 / 1024.0 / 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let table = Table {
            title: "T",
            columns: vec!["server", "µs"],
            rows: vec![vec!["a".to_owned(), "10.5".to_owned()]],
        };
        let expected = "## T\n\n| server | µs   |\n| ------ | ---- |\n| a      | 10.5 |\n";
        assert_eq!(table.to_markdown(), expected);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([grouped(0.4), grouped(999.0), grouped(1_234_567.0)], ["0", "999", "1,234,567"]);
        assert_eq!(mebibytes(3 << 30), "3,072 MiB");
    }

    #[test]
    fn a_missed_floor_is_told() {
        let floor = |met| Floor { what: "x", demand: "1".into(), found: "2".into(), met };
        let report = Report { floors: vec![floor(true), floor(false)], ..Report::default() };
        assert!(!report.all_met() && report.to_markdown("").contains("| MISS    |"));
    }
}
