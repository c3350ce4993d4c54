//! Signatures of the room `node` until it is there.
#![allow(missing_docs, unused_variables)]
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::Config;

pub struct Node {}

#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Addresses {
    pub http: Option<std::net::SocketAddr>,
    pub https: Option<std::net::SocketAddr>,
    pub dns: Option<std::net::SocketAddr>,
}

impl Node {
    pub fn addresses(&self) -> Addresses {
        Addresses::default()
    }
    pub fn first_token(&self) -> Option<&str> {
        None
    }
    pub fn reload(&self) {}
    pub async fn stop(self, patience: Duration) {}
}

pub async fn start(
    config: &Config,
    admin_secret: Option<String>,
    clock: Clock,
    render_metrics: Arc<dyn Fn() -> String + Send + Sync>,
) -> anyhow::Result<Node> {
    anyhow::bail!("not there yet")
}

pub mod offline {
    use std::io::{Read, Write};
    use std::path::Path;

    use crate::access::NewToken;
    use crate::clock::Clock;
    use crate::registry::CheckReport;

    pub struct BackupHeader {
        pub program: String,
        pub created_ms: u64,
    }
    pub struct BackupSummary {
        pub rows: Vec<(crate::store::ColumnId, u64)>,
        pub bytes: u64,
    }
    pub struct Restored {
        pub header: BackupHeader,
        pub summary: BackupSummary,
        pub origin: String,
        pub new_keys: bool,
    }
    pub fn check(data: &Path, progress: &mut dyn FnMut(u64)) -> anyhow::Result<CheckReport> {
        anyhow::bail!("not there yet")
    }
    pub fn backup(
        data: &Path,
        with_keys: bool,
        out: &mut dyn Write,
        clock: &Clock,
        progress: &mut dyn FnMut(u64),
    ) -> anyhow::Result<BackupSummary> {
        anyhow::bail!("not there yet")
    }
    pub fn restore(
        input: &mut dyn Read,
        data: &Path,
        nothing_lost: bool,
        clock: &Clock,
        progress: &mut dyn FnMut(u64),
    ) -> anyhow::Result<Restored> {
        anyhow::bail!("not there yet")
    }
    pub fn create_token(data: &Path, token: &NewToken, clock: &Clock) -> anyhow::Result<String> {
        anyhow::bail!("not there yet")
    }
}
