//! The node: the only room that knows all others. It assembles them from the configuration, starts
//! them in the order in which they need each other, and stops them in the reverse order.

mod folder;
pub mod offline;
mod start;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use folder::{Folder, OpenError};
pub use start::start;

use crate::dns;
use crate::http;
use crate::jobs::Jobs;
use crate::pool::PoolThreads;
use crate::registry::Registry;

/// A running node.
pub struct Node {
    addresses: Addresses,
    first_token: Option<String>,
    servers: Servers,
    registry: Arc<Registry>,
    jobs: Arc<Jobs>,
    pool_threads: PoolThreads,
    draining: Arc<AtomicBool>,
    certificate: Option<Arc<http::Certificate>>,
    folder: Folder,
}

/// What listens.
struct Servers {
    http: Vec<http::Server>,
    dns: Option<dns::Server>,
}

/// Where a node listens.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Addresses {
    /// HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<SocketAddr>,
    /// HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub https: Option<SocketAddr>,
    /// DNS, UDP and TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<SocketAddr>,
}

impl Node {
    /// Where the node listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The secret of the token that was made because this was the first start and none was given.
    pub fn first_token(&self) -> Option<&str> {
        self.first_token.as_deref()
    }

    /// Reads certificate files again; connections that exist keep the old one.
    pub fn reload(&self) {
        let Some(certificate) = &self.certificate else { return };
        match certificate.reload() {
            Ok(()) => tracing::info!("certificate read again"),
            Err(error) => tracing::error!(%error, "the old certificate stays in use"),
        }
    }

    /// Stops: no new connections, requests in flight get up to `patience`, jobs stand still
    /// until the next start, what was accepted for writing is written, the ledger gets its last
    /// checkpoint.
    pub async fn stop(self, patience: Duration) {
        self.draining.store(true, Ordering::Release);
        let http = self.servers.http.into_iter().map(|server| server.stop(patience));
        let dns = async {
            if let Some(server) = self.servers.dns {
                server.stop().await;
            }
        };
        tokio::join!(futures_util::future::join_all(http), dns);
        let (registry, pool_threads) = (self.registry, self.pool_threads);
        let jobs = self.jobs;
        let closing = tokio::task::spawn_blocking(move || {
            jobs.close();
            drop(jobs);
            registry.close();
            drop(registry);
            pool_threads.join();
        });
        if closing.await.is_err() {
            tracing::error!("the core did not stop cleanly");
        }
        let _ = std::fs::remove_file(self.folder.addresses());
    }
}
