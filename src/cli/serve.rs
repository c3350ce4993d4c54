//! `nameplate serve`: run a node.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output::Output;
use super::{Outcome, SUCCESS};
use crate::clock::Clock;
use crate::config::{self, Config, Flags};
use crate::node::{self, Node};
use crate::telemetry::{self, Telemetry};

/// Run a node
///
/// Needs no configuration. A flag wins over its environment variable, the variable over the file,
/// the file over the default. The first start takes the administrator's token from
/// NAMEPLATE_ADMIN_TOKEN, or makes one up and shows it once. SIGTERM and Ctrl-C drain; SIGHUP reads
/// certificates and the log level again.
#[derive(Debug, clap::Args)]
pub struct Serve {
    #[command(flatten)]
    flags: Flags,
}

impl Serve {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let config = self.load()?;
        let telemetry = telemetry::install(&config.log_level, config.log_format)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let served = runtime.block_on(self.serve(&config, telemetry, output));
        // What blocks beyond the drain would hold the process.
        runtime.shutdown_timeout(Duration::from_secs(1));
        telemetry.finish();
        served.map(|()| SUCCESS)
    }

    async fn serve(
        &self,
        config: &Config,
        telemetry: &'static Telemetry,
        output: &Output,
    ) -> anyhow::Result<()> {
        // Before the node starts, so that no signal finds the default action.
        let mut signals = Signals::install()?;
        let secret = std::env::var(ADMIN_TOKEN).ok().filter(|secret| !secret.is_empty());
        let render = Arc::new(|| telemetry.render());
        let node = node::start(config, secret, Clock::system(), render).await?;
        if let Err(error) = announce(&node, config, output) {
            tracing::warn!(%error, "nobody reads standard output");
        }
        while let Wanted::Reload = signals.next().await {
            node.reload();
            match self.load() {
                Ok(config) => telemetry.set_filter(&config.log_level)?,
                Err(error) => tracing::error!(%error, "the log level stays as it is"),
            }
        }
        tracing::info!("stopping");
        node.stop(Duration::from_secs(config.drain_seconds)).await;
        tracing::info!("stopped");
        Ok(())
    }

    fn load(&self) -> anyhow::Result<Config> {
        Ok(config::load(&self.flags, &|name| std::env::var(name).ok())?)
    }
}

/// Says where the node is, and a first token's secret, which is nowhere else.
fn announce(node: &Node, config: &Config, output: &Output) -> anyhow::Result<()> {
    let addresses = node.addresses();
    if output.json {
        let mut document = serde_json::to_value(addresses)?;
        if let Some(token) = node.first_token() {
            document["admin_token"] = token.into();
        }
        output.json_line(&document)?;
        return Ok(());
    }
    let mut rows = Vec::new();
    rows.extend(addresses.http.map(|address| ("HTTP", format!("http://{address}"))));
    rows.extend(addresses.https.map(|address| ("HTTPS", format!("https://{address}"))));
    rows.extend(addresses.dns.map(|address| ("DNS", format!("{address}, UDP and TCP"))));
    rows.push(("data", config.data.display().to_string()));
    rows.extend(node.first_token().map(|token| ("admin token", format!("{token} (shown once)"))));
    output.line(format_args!("nameplate {} serves", env!("CARGO_PKG_VERSION")))?;
    output.table(&rows)?;
    Ok(())
}

/// The signals a node listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What a signal asks for.
enum Wanted {
    Stop,
    Reload,
}

impl Signals {
    fn install() -> anyhow::Result<Self> {
        let install = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
            hang_up: install(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Wanted {
        tokio::select! {
            _ = self.terminate.recv() => Wanted::Stop,
            _ = self.interrupt.recv() => Wanted::Stop,
            _ = self.hang_up.recv() => Wanted::Reload,
        }
    }
}

/// Variable with the secret of a new node's first token.
const ADMIN_TOKEN: &str = "NAMEPLATE_ADMIN_TOKEN";
