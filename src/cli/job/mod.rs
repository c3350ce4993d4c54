//! `nameplate job`: imports and exports that go on at the node by themselves.

mod watch;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::output::{Output, text_of};
use super::remote::Remote;
use super::{FAILED, Outcome, SUCCESS};
use crate::client::{Client, JobDocument};

/// Imports and exports of any size, done by the node
#[derive(Debug, clap::Args)]
pub struct JobCommand {
    #[command(subcommand)]
    action: JobAction,
}

#[derive(Debug, Subcommand)]
enum JobAction {
    Import(Import),
    Export(Export),
    List(List),
    Show(Show),
    Wait(Wait),
    Pause(Pause),
    Resume(Resume),
    Cancel(Cancel),
    Remove(Remove),
    Rejects(Rejects),
    Result(JobResult),
}

/// Send a table that the node imports by itself
///
/// The upload goes on where it broke off; the import outlasts this command and restarts of the
/// node.
#[derive(Debug, clap::Args)]
struct Import {
    /// CSV of any make, or NDJSON with one registration per line
    file: PathBuf,
    /// Format; told from the name when left out
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Encoding: utf-8, gbk, gb18030, utf-16le, utf-16be; told from the content when left out
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// What the columns of a CSV mean, as JSON
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Template of records that name none
    #[arg(long, value_name = "IDENTIFIER")]
    template: Option<String>,
    /// Prefix under which identifiers are minted for records that have none
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Check everything, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Why; kept in the history of every record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Wait for the end
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Write records to a file at the node, for `result` to fetch
#[derive(Debug, clap::Args)]
struct Export {
    /// Format
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
    /// Begin a CSV with a byte order mark, which some spreadsheets need
    #[arg(long)]
    mark: bool,
    /// Prefix, with all below it; all of the node's when left out
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Only records that follow this template
    #[arg(long, value_name = "IDENTIFIER")]
    template: Option<String>,
    /// Wait for the end
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    remote: Remote,
}

/// A format of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Separated values with a header
    Csv,
    /// One JSON object per line
    Ndjson,
}

/// List jobs, newest first
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    remote: Remote,
}

macro_rules! of_one_job {
    ($($(#[doc = $doc:literal])+ $name:ident)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, clap::Args)]
            struct $name {
                /// The job
                id: String,
                #[command(flatten)]
                remote: Remote,
            }
        )+
    };
}

of_one_job! {
    /// Look at a job
    Show
    /// Wait until a job is at rest
    Wait
    /// Make a job stand still until it is resumed
    Pause
    /// Go on with a paused job, where it stopped
    Resume
    /// End a job for good
    Cancel
    /// Remove a job that has ended, with its files
    Remove
}

/// Fetch the records that an import refused, with reasons
#[derive(Debug, clap::Args)]
struct Rejects {
    /// The job
    id: String,
    /// File to write; standard output when left out
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// Fetch what a job made: exported records, or minted identifiers by line
#[derive(Debug, clap::Args)]
struct JobResult {
    /// The job
    id: String,
    /// File to write; standard output when left out
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

impl JobCommand {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        match self.action {
            JobAction::Import(import) => import.run(output),
            JobAction::Export(export) => export.run(output),
            JobAction::List(List { remote }) => list(&remote, output),
            JobAction::Show(Show { id, remote }) => {
                let client = remote.client()?;
                show(&remote.block_on(client.job(&id))??, output)
            }
            JobAction::Wait(Wait { id, remote }) => {
                let client = remote.client()?;
                let job = remote.block_on(watch::until_at_rest(&client, &id, output))??;
                show(&job, output)
            }
            JobAction::Pause(Pause { id, remote }) => turn(&id, "pause", &remote, output),
            JobAction::Resume(Resume { id, remote }) => turn(&id, "resume", &remote, output),
            JobAction::Cancel(Cancel { id, remote }) => turn(&id, "cancel", &remote, output),
            JobAction::Remove(Remove { id, remote }) => {
                let client = remote.client()?;
                remote.block_on(client.remove_job(&id))??;
                if output.json {
                    output.json(&json!({"removed": id}))?;
                } else {
                    output.line(format_args!("job {id} is removed"))?;
                }
                Ok(SUCCESS)
            }
            JobAction::Rejects(Rejects { id, output: file, remote }) => {
                fetch(&id, true, file.as_deref(), &remote)
            }
            JobAction::Result(JobResult { id, output: file, remote }) => {
                fetch(&id, false, file.as_deref(), &remote)
            }
        }
    }
}

impl Import {
    fn run(&self, output: &Output) -> Outcome {
        let body = self.body()?;
        let name = self.file.display().to_string();
        // A table that is not there makes no job.
        let file = std::fs::metadata(&self.file).with_context(|| format!("cannot read {name}"))?;
        let client = self.remote.client_with_reason(self.reason.as_deref())?;
        let job = self.remote.block_on(async {
            let made = client.create_job(&body).await?;
            if !output.json {
                eprintln!("job {}", made.id);
            }
            let bar = watch::upload_bar(&name, file.len());
            let sent = |at| bar.set_position(at);
            let sent = client.send_job_data(&made.id, &self.file, sent).await;
            bar.finish_and_clear();
            let job = sent.with_context(|| format!("{name}, job {}", made.id))?;
            if self.wait {
                return Ok::<_, anyhow::Error>(
                    watch::until_at_rest(&client, &job.id, output).await?,
                );
            }
            Ok(job)
        })??;
        show(&job, output)
    }

    /// The body that makes the job.
    fn body(&self) -> anyhow::Result<Json> {
        let mut body = json!({"kind": "import", "format": self.format()?.as_str()});
        if self.dry_run {
            body["dry_run"] = true.into();
        }
        if let Some(path) = &self.mapping {
            let name = path.display();
            let text = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
            body["mapping"] =
                serde_json::from_slice(&text).with_context(|| format!("{name} is no JSON"))?;
        }
        for (member, given) in
            [("encoding", &self.encoding), ("template", &self.template), ("prefix", &self.prefix)]
        {
            if let Some(given) = given {
                body[member] = given.as_str().into();
            }
        }
        Ok(body)
    }

    fn format(&self) -> anyhow::Result<Format> {
        let name = self.file.to_string_lossy().to_ascii_lowercase();
        let told = match name.rsplit_once('.').map(|(_, end)| end) {
            Some("csv" | "txt" | "tsv") => Some(Format::Csv),
            Some("ndjson" | "jsonl" | "json") => Some(Format::Ndjson),
            _ => None,
        };
        let name = self.file.display();
        self.format.or(told).with_context(|| format!("{name}: say --format csv or ndjson"))
    }
}

impl Export {
    fn run(&self, output: &Output) -> Outcome {
        let mut body = json!({"kind": "export", "format": self.format.as_str()});
        if self.mark {
            body["mark"] = true.into();
        }
        for (member, given) in [("prefix", &self.prefix), ("template", &self.template)] {
            if let Some(given) = given {
                body[member] = given.as_str().into();
            }
        }
        let client = self.remote.client()?;
        let job = self.remote.block_on(async {
            let made = client.create_job(&body).await?;
            match self.wait {
                true => watch::until_at_rest(&client, &made.id, output).await,
                false => Ok(made),
            }
        })??;
        show(&job, output)
    }
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
        }
    }
}

fn list(remote: &Remote, output: &Output) -> Outcome {
    let client = remote.client()?;
    let jobs = remote.block_on(client.jobs())??;
    if output.json {
        output.json(&jobs)?;
    } else {
        jobs.iter().try_for_each(|job| output.line(describe(job)))?;
    }
    Ok(SUCCESS)
}

fn turn(id: &str, verb: &str, remote: &Remote, output: &Output) -> Outcome {
    let client = remote.client()?;
    let job = remote.block_on(client.turn_job(id, verb))??;
    show(&job, output)
}

/// Copies the records that were refused, or the result, to a file or standard output.
fn fetch(id: &str, rejects: bool, file: Option<&Path>, remote: &Remote) -> Outcome {
    let client = remote.client()?;
    remote.block_on(async {
        match file {
            Some(path) => {
                let name = path.display().to_string();
                // Appears under its name only when it is complete.
                let partial = path.with_added_extension("part");
                let made = tokio::fs::File::create(&partial).await;
                let mut out = made.with_context(|| format!("cannot write {name}"))?;
                copy(&client, id, rejects, &mut out).await?;
                out.sync_all().await.with_context(|| format!("cannot write {name}"))?;
                std::fs::rename(&partial, path).with_context(|| format!("cannot write {name}"))
            }
            None => copy(&client, id, rejects, &mut tokio::io::stdout()).await,
        }
    })??;
    Ok(SUCCESS)
}

async fn copy(
    client: &Client,
    id: &str,
    rejects: bool,
    out: &mut (impl tokio::io::AsyncWrite + Unpin),
) -> anyhow::Result<()> {
    match rejects {
        true => client.job_rejects(id, out).await?,
        false => client.job_result(id, out).await?,
    };
    Ok(())
}

/// Prints a job; one that failed, or with records that did, is a failure.
fn show(job: &JobDocument, output: &Output) -> Outcome {
    let failed = job.tally.get("failed").and_then(Json::as_u64).unwrap_or_default();
    if output.json {
        output.json(job)?;
    } else {
        output.line(describe(job))?;
        let told = [("rate", job.rows_per_second), ("left", job.seconds_left)];
        let unit = |name| if name == "rate" { "records/s" } else { "s" };
        let mut rows: Vec<(&str, String)> = told
            .into_iter()
            .filter_map(|(name, figure)| Some((name, format!("{} {}", figure?, unit(name)))))
            .collect();
        rows.extend(job.detail.as_ref().map(|detail| ("detail", text_of(&json!(detail)))));
        if failed > 0 {
            rows.push(("failed", format!("why is in: nameplate job rejects {}", job.id)));
        }
        output.table(&rows)?;
    }
    Ok(if job.state == "failed" || failed > 0 { FAILED } else { SUCCESS })
}

/// A job on one line: `9f86d081884c7d65  import, done: 3 created, 1 failed; 2026-01-01T00:00:00Z`.
fn describe(job: &JobDocument) -> String {
    let counts = job.tally.iter().filter_map(|(name, count)| {
        let count = count.as_u64().filter(|count| *count > 0)?;
        Some(format!("{count} {name}"))
    });
    let counts: Vec<String> = counts.collect();
    let counts = if counts.is_empty() { "no records".into() } else { counts.join(", ") };
    let JobDocument { id, kind, state, created, account, more, .. } = job;
    let dry = if more.get("dry_run") == Some(&Json::Bool(true)) { "dry run of an " } else { "" };
    text_of(&json!(format!("{id}  {dry}{kind}, {state}: {counts}; by {account}, {created}")))
}
