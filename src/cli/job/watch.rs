//! Watching a job from afar: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::output::Output;
use crate::client::{Client, ClientError, JobDocument};

/// A bar for an upload of so many bytes; hidden when nobody would see it.
pub fn upload_bar(name: &str, bytes: u64) -> ProgressBar {
    bar(name, bytes, "{prefix} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
}

/// Waits until nothing more happens by itself. Passing faults of the network are waited out.
pub async fn until_at_rest(
    client: &Client,
    id: &str,
    output: &Output,
) -> Result<JobDocument, ClientError> {
    let bar = bar(id, 0, "{prefix} {wide_bar} {percent}% {msg}");
    let mut told = Instant::now();
    let mut faults = 0;
    loop {
        let job = match client.job(id).await {
            Err(error) if error.is_passing() && faults < MAX_FAULTS => {
                faults += 1;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            found => found?,
        };
        faults = 0;
        if job.is_at_rest() {
            bar.finish_and_clear();
            return Ok(job);
        }
        bar.set_length(job.uploaded_bytes.unwrap_or_default());
        bar.set_position(job.done_bytes.unwrap_or_default());
        bar.set_message(message(&job));
        if bar.is_hidden() && !output.json && told.elapsed() >= LINE_INTERVAL {
            told = Instant::now();
            eprintln!("{}", message(&job));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How far a job is.
fn message(job: &JobDocument) -> String {
    let rate = job.rows_per_second.map(|rate| format!(", {rate}/s")).unwrap_or_default();
    let left = job.seconds_left.map(|left| format!(", {left} s left")).unwrap_or_default();
    format!("{}: {} records{rate}{left}", job.state, job.rows)
}

fn bar(name: &str, length: u64, form: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    // A template that cannot be read would show the default bar.
    let style = ProgressStyle::with_template(form);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(name.to_owned())
}

/// Pause between two looks at a job.
const PAUSE: Duration = Duration::from_millis(300);

/// How often a line is written where there is no bar.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Looks that may fail one after the other.
const MAX_FAULTS: u32 = 100;
