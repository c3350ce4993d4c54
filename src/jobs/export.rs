//! Exports: the records of a prefix or a filter as a table, from one snapshot, in bounded memory.
//!
//! A line of NDJSON registers its record again when it is imported. CSV holds what fits into a
//! sheet: the identifier, where it leads, and the attributes, one column each.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value as Json;

use super::board::Slot;
use super::files::{Growing, Part};
use super::runner::{Ended, Stop};
use super::{ExportTask, Job, JobState, Office, PROGRESS, Progress, ProgressKey, Tally};
use crate::access::Asker;
use crate::identifier::{CanonicalKey, Identifier, Prefix};
use crate::record::{Attribute, RecordDocument, Status, Value, View, registration};
use crate::resolver::Resolver;
use crate::store::{Direction, RECORDS, Read, StoreError, StoredRecord};
use crate::tabular::{BYTE_ORDER_MARK, TableFormat, write_line, write_row};

/// Writes the records that a task selects, as the asker sees them; how many they are.
///
/// `go_on` is told the number so far now and then, and ends the export by saying no.
pub fn write_export(
    read: &dyn Read,
    resolver: &Resolver,
    task: &ExportTask,
    asker: &Asker,
    out: &mut dyn Write,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<u64, ExportError> {
    let selection = Selection::new(read, resolver, task, asker)?;
    let mut text = Vec::with_capacity(2 * PIECE_BYTES);
    let columns = match task.format {
        TableFormat::Ndjson => Columns::default(),
        TableFormat::Csv => selection.columns(go_on)?,
    };
    if task.format == TableFormat::Csv {
        if task.mark {
            text.extend_from_slice(BYTE_ORDER_MARK);
        }
        columns.write_header(&mut text);
    }
    let mut exported = 0;
    selection.visit(&mut |stored, view| {
        match task.format {
            TableFormat::Csv => columns.write(&view, &mut text),
            TableFormat::Ndjson => {
                let document = RecordDocument::new(&view, stored.position.index);
                // Writing to memory does not fail, and neither do these types.
                let _ = write_line(&mut text, &registration(&document));
            }
        }
        exported += 1;
        if text.len() >= PIECE_BYTES {
            out.write_all(&text)?;
            text.clear();
        }
        if exported % LOOK_ROWS == 0 && !go_on(exported) {
            return Err(ExportError::Ended);
        }
        Ok(())
    })?;
    out.write_all(&text)?;
    out.flush()?;
    Ok(exported)
}

/// One turn of an export: all of it. One that is stopped begins again.
pub(super) fn run(
    office: &Office,
    slot: &Slot,
    job: &Job,
    task: &ExportTask,
) -> Result<Ended, Stop> {
    let begun = std::time::Instant::now();
    let parts = &office.parts;
    let actor = parts.access.renew(job.token, parts.clock.now_ms())?;
    let ended = || Stop::Pause("the token of the job has ended: resume it with another".into());
    let asker = Asker::Actor(Arc::new(actor.ok_or_else(ended)?));
    let mut result = office.files.grow(&job.id, Part::Result, 0)?;
    let publish = |rows: u64, bytes: u64| {
        let mut live = slot.lock();
        let tally = Tally { exported: rows, ..Tally::default() };
        let active_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or_default();
        live.progress = Progress { tally, result_bytes: bytes, active_ms, ..Progress::default() };
        live.job.state == JobState::Running && !office.board.is_closing()
    };
    let snapshot = parts.store.snapshot();
    let mut go_on = |rows| publish(rows, 0);
    let mut out = Out(&mut result);
    let written = write_export(&*snapshot, &parts.resolver, task, &asker, &mut out, &mut go_on);
    match written {
        Ok(rows) => {
            result.sync()?;
            publish(rows, result.length());
            let progress = slot.lock().progress.clone();
            let mut transaction = parts.store.begin();
            PROGRESS.put(&mut *transaction, &ProgressKey(job.id.clone()), &progress);
            transaction.commit()?;
            Ok(Ended::Done)
        }
        Err(ExportError::Ended) => {
            result.cut(0)?;
            Ok(Ended::Left)
        }
        Err(ExportError::Write(error)) => {
            result.cut(0)?;
            Err(error.into())
        }
        Err(error) => Err(Stop::Fail(error.to_string())),
    }
}

/// A file of results as something to write to.
struct Out<'a>(&'a mut Growing);

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The records that a task selects.
struct Selection<'a> {
    read: &'a dyn Read,
    resolver: &'a Resolver,
    asker: &'a Asker,
    prefix: Option<Prefix>,
    template: Option<CanonicalKey>,
    status: Status,
}

type Take<'a> = &'a mut dyn FnMut(&StoredRecord, View<'_>) -> Result<(), ExportError>;

impl<'a> Selection<'a> {
    fn new(
        read: &'a dyn Read,
        resolver: &'a Resolver,
        task: &'a ExportTask,
        asker: &'a Asker,
    ) -> Result<Self, ExportError> {
        let template = task.template.as_deref().map(Identifier::parse).transpose();
        let template = template.map_err(|error| ExportError::Template(error.to_string()))?;
        let template = template.map(|template| template.key().clone());
        let prefix = task.prefix.as_deref().map(Prefix::parse).transpose();
        let prefix = prefix.map_err(|error| ExportError::Prefix(error.to_string()))?;
        let status = task.status.unwrap_or(Status::Active);
        Ok(Self { read, resolver, asker, prefix, template, status })
    }

    fn visit(&self, take: Take<'_>) -> Result<(), ExportError> {
        let range = self.prefix.as_ref().map_or_else(CanonicalKey::all, Prefix::covered_keys);
        let mut fault = None;
        self.read.scan(RECORDS.id(), range, Direction::Forward, &mut |key, row| {
            let stored = match RECORDS.decode(key, row) {
                Ok(stored) => stored,
                Err(error) => {
                    tracing::error!(%error, "a record is left out of an export");
                    return ControlFlow::Continue(());
                }
            };
            let Some(stored) = self.resolver.as_it_stands(stored, self.asker) else {
                return ControlFlow::Continue(());
            };
            if !self.selects(&stored) {
                return ControlFlow::Continue(());
            }
            let kind = self.resolver.view(&stored.record, self.asker);
            let taken = kind
                .map_err(ExportError::from)
                .and_then(|kind| take(&stored, View { record: &stored.record, kind: &kind }));
            match taken {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    fault = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        fault.map_or(Ok(()), Err)
    }

    fn selects(&self, stored: &StoredRecord) -> bool {
        let of_template = |wanted: &CanonicalKey| {
            let template =
                stored.record.template().and_then(|(text, _)| Identifier::parse(text).ok());
            template.is_some_and(|template| template.key() == wanted)
        };
        stored.record.status == self.status && self.template.as_ref().is_none_or(of_template)
    }

    /// The attributes that the records have, in the order of their indexes.
    fn columns(&self, go_on: &mut dyn FnMut(u64) -> bool) -> Result<Columns, ExportError> {
        let mut found: BTreeMap<String, u32> = BTreeMap::new();
        let mut rows = 0_u64;
        self.visit(&mut |_, view| {
            for value in view.values().filter(|value| value.is_attribute()) {
                if let Some(index) = found.get_mut(&value.kind) {
                    *index = value.index.min(*index);
                } else if found.len() >= MAX_COLUMNS {
                    return Err(ExportError::TooWide);
                } else {
                    found.insert(value.kind.clone(), value.index);
                }
            }
            rows += 1;
            let going = !rows.is_multiple_of(LOOK_ROWS) || go_on(0);
            if going { Ok(()) } else { Err(ExportError::Ended) }
        })?;
        let mut names: Vec<(u32, String)> =
            found.into_iter().map(|(name, index)| (index, name)).collect();
        names.sort_unstable();
        Ok(Columns { names: names.into_iter().map(|(_, name)| name).collect() })
    }
}

/// Columns of attributes, behind those that every table has.
#[derive(Default)]
struct Columns {
    names: Vec<String>,
}

impl Columns {
    fn write_header(&self, text: &mut Vec<u8>) {
        // An attribute by the name of a column of ours must not be taken for it.
        let own = |name: &String| FIXED.iter().any(|fixed| fixed.eq_ignore_ascii_case(name));
        let names = self
            .names
            .iter()
            .map(|name| if own(name) { format!("{name} (attribute)") } else { name.clone() });
        let names: Vec<String> = names.collect();
        write_row(text, FIXED.into_iter().chain(names.iter().map(String::as_str)));
    }

    fn write(&self, view: &View<'_>, text: &mut Vec<u8>) {
        let attributes: BTreeMap<&str, String> = view
            .values()
            .filter(|value| value.is_attribute())
            .map(|value| (value.kind.as_str(), cell(value)))
            .collect();
        let identifier = view.record.identifier.spelling();
        let fixed = [identifier, view.url().unwrap_or_default()];
        let of = |name: &'_ String| attributes.get(name.as_str()).map_or("", String::as_str);
        write_row(text, fixed.into_iter().chain(self.names.iter().map(of)));
    }
}

/// An attribute as a cell: text as it is, other types as JSON.
fn cell(value: &Value) -> String {
    match Attribute::to_json(value.form, value.text().unwrap_or_default()) {
        Json::String(text) => text,
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// Why an export has no end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The actor may not.
    #[error("this token does not allow to run exports: use one that reads")]
    Refused,
    /// The prefix is none.
    #[error("prefix: {0}")]
    Prefix(String),
    /// The template is no identifier.
    #[error("template: {0}")]
    Template(String),
    /// The records have more attributes than a sheet has room for.
    #[error("over {MAX_COLUMNS} different attributes: choose a template, or NDJSON")]
    TooWide,
    /// It was told to end.
    #[error("the export was ended")]
    Ended,
    /// What was written could not be taken.
    #[error("the export cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Columns that every table has.
const FIXED: [&str; 2] = ["identifier", "url"];

/// Most columns of attributes.
const MAX_COLUMNS: usize = 1_000;

/// Bytes that are written together.
const PIECE_BYTES: usize = 64 << 10;

/// Records between two looks at whether to go on.
const LOOK_ROWS: u64 = 1_024;
