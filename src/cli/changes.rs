//! `nameplate changes`: what was changed, and what is being changed.

use std::time::Duration;

use super::find::Left;
use super::output::{Output, printable};
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::client::{Change, Client, ClientError};

/// Show the changes of what the token may see
///
/// Each line begins with the change's position in the ledger, which --after takes.
#[derive(Debug, clap::Args)]
pub struct Changes {
    /// Begin behind this position, as in 1:4711, or "latest" for what is still to come
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// Only records and prefixes under this prefix
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Go on and show changes as they are made
    #[arg(long)]
    follow: bool,
    /// Most that are shown; 0 for all there are
    #[arg(long, value_name = "COUNT", default_value_t = 100, conflicts_with = "follow")]
    limit: usize,
    #[command(flatten)]
    remote: Remote,
}

impl Changes {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        if self.follow {
            self.remote.block_on(self.follow(&client, output))??;
        } else {
            self.remote.block_on(self.show(&client, output))??;
        }
        Ok(SUCCESS)
    }

    async fn show(&self, client: &Client, output: &Output) -> anyhow::Result<()> {
        let (mut after, mut left) = (self.after.clone(), Left::new(self.limit));
        while let Some(count) = left.page() {
            let filters = [
                ("prefix", self.prefix.clone()),
                ("after", after.clone()),
                ("limit", Some(count.to_string())),
            ];
            let page = client.changes(&filters).await?;
            page.changes.iter().try_for_each(|change| show(change, output))?;
            left.took(page.changes.len());
            after = page.next.or(after);
            if !page.more {
                break;
            }
        }
        Ok(())
    }

    /// Comes back behind the last change when the stream ends, as it does when the node restarts.
    async fn follow(&self, client: &Client, output: &Output) -> anyhow::Result<()> {
        let filters = [("prefix", self.prefix.clone())];
        let (mut after, mut reached) = (self.after.clone(), false);
        loop {
            let report = |change: Change| {
                let fault = |error| ClientError::File { path: "the output".into(), error };
                show(&change, output).map_err(fault)
            };
            match client.follow_changes(&filters, &mut after, report).await {
                Ok(()) => reached = true,
                // A node that was never there is not waited for.
                Err(error @ ClientError::Connect { .. }) if !reached => return Err(error.into()),
                Err(error) if error.is_passing() => reached = true,
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

/// A change on one line.
pub(super) fn show(change: &Change, output: &Output) -> std::io::Result<()> {
    if output.json {
        return output.json_line(change);
    }
    let actor = change.actor.as_ref().map(|actor| format!("  by {}", printable(actor)));
    let reason = change.reason.as_ref().map(|reason| format!(": {}", printable(reason)));
    output.line(format_args!(
        "{}  {}  {} {}  version {}{}{}",
        output.dim(&change.position),
        change.time,
        change.kind,
        printable(&change.subject),
        change.version,
        actor.unwrap_or_default(),
        reason.unwrap_or_default(),
    ))
}

/// Pause before a stream that ended is opened again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
