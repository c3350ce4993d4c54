//! The options of commands that talk to a node.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::{Client, ClientOptions};

/// Which node, and who asks.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct Remote {
    /// The node
    #[arg(
        long,
        value_name = "URL",
        env = "NAMEPLATE_SERVER",
        default_value = DEFAULT_SERVER,
        hide_env_values = true
    )]
    pub server: String,
    /// Token that proves who asks; in the variable it stays out of process lists
    #[arg(long, value_name = "TOKEN", env = "NAMEPLATE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Certificates to trust beside the system's, PEM; a node's own is DATA/tls/cert.pem
    #[arg(long, value_name = "FILE", env = "NAMEPLATE_CA", hide_env_values = true)]
    ca: Option<PathBuf>,
    /// How long the node may take to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout_seconds: u64,
}

impl Remote {
    /// A client of the node.
    pub fn client(&self) -> anyhow::Result<Client> {
        self.client_with_reason(None)
    }

    /// A client whose changes carry a reason.
    pub fn client_with_reason(&self, reason: Option<&str>) -> anyhow::Result<Client> {
        let options = ClientOptions {
            server: self.server.clone(),
            token: self.token.clone().filter(|token| !token.is_empty()),
            authorities: self.ca.clone(),
            reason: reason.map(str::to_owned),
            timeout: Duration::from_secs(self.timeout_seconds),
        };
        Ok(Client::new(&options)?)
    }

    /// Runs a conversation to its end.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(work))
    }
}

/// The node on this machine.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";
