//! `nameplate import`: many registrations from files.

pub mod csv;
pub mod format;
pub mod hardware_ids;
mod progress;
mod source;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use serde_json::json;

use super::output::Output;
use super::remote::Remote;
use super::{FAILED, INTERRUPTED, Outcome, SUCCESS};
use crate::client::{Client, ImportEvent, ImportOutcome, Verdict};
use format::Format;
use progress::Progress;
use source::Source;

/// Register what files list. Can be run again without harm.
///
/// A line that cannot be registered is reported with its number, and the import goes on. Ctrl-C
/// finishes the lines on their way and says where to continue; a second one quits at once.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// Format of the files; told from name or content when left out
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Begin with this line of the first file
    #[arg(long, value_name = "LINE", default_value_t = 1)]
    continue_from: u64,
    /// Files to import; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// Numbers of lines by verdict.
#[derive(Debug, Default, Serialize)]
struct Counts {
    created: u64,
    updated: u64,
    unchanged: u64,
    failed: u64,
}

/// How a file's import ended.
enum End {
    Finished,
    Interrupted,
}

impl Import {
    /// Runs the command.
    pub fn run(&self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        self.remote.block_on(async {
            let mut counts = Counts::default();
            let begun = Instant::now();
            for (position, file) in self.files.iter().enumerate() {
                let first = if position == 0 { self.continue_from } else { 1 };
                match self.import_file(&client, file, first, &mut counts, output).await? {
                    End::Finished => {}
                    End::Interrupted => return Ok(INTERRUPTED),
                }
            }
            report_summary(&counts, begun.elapsed().as_secs_f64(), output)?;
            Ok(if counts.failed > 0 { FAILED } else { SUCCESS })
        })?
    }

    async fn import_file(
        &self,
        client: &Client,
        file: &std::path::Path,
        first: u64,
        counts: &mut Counts,
        output: &Output,
    ) -> anyhow::Result<End> {
        let name = file.display().to_string();
        let source = Source::open(file, self.format, first)?;
        let mut progress = Progress::begin(&name, source.bytes, Instant::now());
        let mut last = first.saturating_sub(1);
        let mut interrupted = false;
        let stop = async {
            wait_for_interrupt().await;
            interrupted = true;
        };
        let result = client
            .import(source.lines, stop, |event| match event {
                ImportEvent::Line(outcome) => {
                    last = outcome.number;
                    progress.advance(outcome.end, Instant::now());
                    if let Some(failure) = counts.add(&outcome) {
                        report_failure(&name, &outcome, failure, &progress, output);
                    }
                }
                ImportEvent::Interrupted(error) => {
                    progress.note(&format!("{name}: {error}; trying again"));
                }
            })
            .await;
        progress.end();
        if last >= first && (result.is_err() || interrupted) {
            report_summary(counts, 0.0, output)?;
            eprintln!("{name}: stopped behind line {last}; --continue-from {} goes on", last + 1);
        }
        result.with_context(|| name.clone())?;
        if interrupted {
            return Ok(End::Interrupted);
        }
        match source.thread.join() {
            Ok(end) => end?,
            Err(_) => anyhow::bail!("{name}: reading it failed behind line {last}"),
        }
        Ok(End::Finished)
    }
}

impl Counts {
    /// Counts an outcome; returns why it failed, if it did.
    fn add<'a>(&mut self, outcome: &'a ImportOutcome) -> Option<&'a str> {
        match &outcome.verdict {
            Verdict::Created => self.created += 1,
            Verdict::Updated => self.updated += 1,
            Verdict::Unchanged => self.unchanged += 1,
            Verdict::Failed(reason) => {
                self.failed += 1;
                return Some(reason);
            }
        }
        None
    }

    fn total(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.failed
    }
}

fn report_failure(
    name: &str,
    outcome: &ImportOutcome,
    reason: &str,
    progress: &Progress,
    output: &Output,
) {
    let ImportOutcome { number, identifier, .. } = outcome;
    if output.json {
        let failure =
            json!({"file": name, "line": number, "identifier": identifier, "problem": reason});
        // A reader that went away is noticed at the summary.
        let _ = output.json_line(&failure);
        return;
    }
    let identifier = identifier.as_deref().map(|one| format!("{one}: ")).unwrap_or_default();
    progress.note(&format!("{name}, line {number}: {identifier}{reason}"));
}

fn report_summary(counts: &Counts, seconds: f64, output: &Output) -> std::io::Result<()> {
    if output.json {
        return output.json_line(&json!({ "summary": counts }));
    }
    let Counts { created, updated, unchanged, failed } = counts;
    let rate = match seconds {
        seconds if seconds > 0.0 => {
            format!(" in {seconds:.1} s, {:.0}/s", counts.total() as f64 / seconds)
        }
        _ => String::new(),
    };
    output.line(format_args!(
        "{created} created, {updated} updated, {unchanged} unchanged, {failed} failed{rate}"
    ))
}

/// Ends at the first Ctrl-C; the second ends the process.
async fn wait_for_interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    eprintln!("finishing the lines on their way; Ctrl-C again quits at once");
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(INTERRUPTED.into());
        }
    });
}
