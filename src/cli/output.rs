//! Text for people and JSON for programs.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::record::{DataForm, RecordDocument, Status};

/// Where a command's findings go.
pub struct Output {
    /// Whether programs read them.
    pub json: bool,
    colour: bool,
}

impl Output {
    /// Colours appear on a terminal only, and not with `NO_COLOR` (no-color.org).
    pub fn new(json: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { json, colour: !json && !refused && io::stdout().is_terminal() }
    }

    /// Prints a line.
    pub fn line(&self, text: impl Display) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{text}")
    }

    /// Prints a document over several lines.
    pub fn json(&self, document: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(document).map_err(io::Error::other)?;
        self.line(text)
    }

    /// Prints a document on one line.
    pub fn json_line(&self, document: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(document).map_err(io::Error::other)?;
        self.line(text)
    }

    /// Prints names and values, aligned.
    pub fn table(&self, rows: &[(&str, String)]) -> io::Result<()> {
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let mut rows = rows.iter();
        rows.try_for_each(|(name, value)| {
            let padding = " ".repeat(width - name.chars().count());
            self.line(format_args!("  {}{padding}  {value}", self.dim(name)))
        })
    }

    /// Prints lines of which all but the last parts are aligned with those above and below.
    pub fn columns(&self, lines: &[Vec<String>]) -> io::Result<()> {
        let width = |column: usize| {
            let parts = lines.iter().filter_map(|line| line.get(column));
            parts.map(|part| part.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> =
            (0..lines.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
        for line in lines {
            let parts = line.iter().zip(&widths).map(|(part, width)| format!("{part:width$}"));
            self.line(parts.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    /// Prints a record.
    pub fn record(&self, record: &RecordDocument) -> io::Result<()> {
        if self.json { self.json(record) } else { self.record_and(record, Vec::new()) }
    }

    /// Prints a record for people, with more to say of it.
    pub fn record_and(&self, record: &RecordDocument, more: Vec<(&str, String)>) -> io::Result<()> {
        let status = match record.status {
            Status::Active => self.paint("32", "active"),
            Status::Retired => self.paint("31", "retired"),
        };
        let identifier = self.paint("1", &record.identifier);
        self.line(format_args!("{identifier}  {status}, version {}", record.version))?;
        let mut rows: Vec<(&str, String)> = Vec::new();
        for value in &record.values {
            let data = match &value.data {
                DataForm::Text(text) => printable(text),
                DataForm::Formatted { format, value } => {
                    format!("{format} {}", printable(&value.to_string()))
                }
            };
            rows.push((&value.kind, data));
        }
        for (name, value) in &record.attributes {
            rows.push((name, text_of(value)));
        }
        if let Some(template) = &record.template {
            let version = record.template_version.unwrap_or_default();
            rows.push(("template", printable(&format!("{template} version {version}"))));
        }
        rows.push(("registered", format!("{} by {}", record.created, record.registrant)));
        if record.version > 1 {
            rows.push(("modified", record.modified.clone()));
        }
        rows.extend(more);
        self.table(&rows)
    }

    /// Prints what went wrong to standard error.
    pub fn error(&self, error: &anyhow::Error, code: u8) {
        // Nobody is left to tell when standard error is gone.
        let _ = if self.json {
            writeln!(io::stderr(), "{}", json!({"error": format!("{error:#}"), "exit": code}))
        } else {
            writeln!(io::stderr(), "nameplate: {error:#}")
        };
    }

    /// Text that stands back.
    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        let text = printable(text);
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text }
    }
}

/// A JSON value as people write it.
pub fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => printable(text),
        other => other.to_string(),
    }
}

/// Text without control characters, which could command a terminal.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

/// Tells on a terminal how many rows are done.
pub fn rows_progress(what: &'static str) -> impl FnMut(u64) {
    let bar = indicatif::ProgressBar::new_spinner();
    move |rows| {
        bar.set_message(format!("{rows} rows {what}"));
        bar.tick();
    }
}

/// Whether the reader of standard output went away, which is its right.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let of_json = || cause.downcast_ref().and_then(serde_json::Error::io_error_kind);
        cause.downcast_ref().map(io::Error::kind).or_else(of_json)
    };
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("泵\u{1b}[2Jx\n"), "泵\\u{1b}[2Jx\\n");
        assert_eq!(text_of(&json!("a\u{7}")), "a\\u{7}");
        assert_eq!(text_of(&json!([1, "a"])), "[1,\"a\"]");
    }
}
