//! Starting a node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;

use super::{Addresses, Folder, Node, Servers};
use crate::access::{Access, Actions, NewToken, fresh_secret};
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::current_log;
use crate::pool::Pool;
use crate::registry::{self, Registry, Seed};
use crate::resolver::Resolver;
use crate::signing::NodeKeys;
use crate::store::{RocksSettings, RocksStore, Store};
use crate::{dns, http};

/// Starts the node that `config` describes. `admin_secret` becomes the first token of a new node;
/// without one a secret is made up, which [`Node::first_token`] shows.
pub async fn start(
    config: &Config,
    admin_secret: Option<String>,
    clock: Clock,
    render_metrics: Arc<dyn Fn() -> String + Send + Sync>,
) -> anyhow::Result<Node> {
    let folder = Folder::new(&config.data);
    folder.create().with_context(|| format!("cannot make {}", config.data.display()))?;
    let settings = RocksSettings { cache_bytes: config.cache_bytes, ..Default::default() };
    let store: Arc<dyn Store> = Arc::new(RocksStore::open(&folder.store(), &settings)?);
    // A store that has a ledger has keys; making new ones would hide their loss.
    let seeded = current_log(&*store)?.is_some();
    let open_keys = if seeded { NodeKeys::load } else { NodeKeys::open };
    let keys = Arc::new(open_keys(&folder.keys())?);
    let first_token = match seeded {
        true => None,
        false => seed(config, admin_secret, &*store, &keys, clock.now_ms())?,
    };
    let resolver = Arc::new(Resolver::open(Arc::clone(&store), config.answer_cache_bytes)?);
    warn_of_ignored_prefixes(config, &resolver);
    let registry = Arc::new(Registry::open(
        Arc::clone(&store),
        Arc::clone(&resolver),
        keys,
        clock.clone(),
        registry::Settings {
            identifier_octets: config.identifier_max_octets,
            ..Default::default()
        },
    )?);
    let threads = match config.pool_threads {
        0 => 2 * std::thread::available_parallelism().map_or(2, usize::from),
        threads => threads,
    };
    let (pool, pool_threads) = Pool::start(threads, config.pool_queue)?;
    let draining = Arc::new(AtomicBool::new(false));
    let core = Core { store, resolver, registry, pool, clock, draining, render_metrics };

    let mut addresses = Addresses::default();
    let dns = core.start_dns(config, &mut addresses)?;
    let (http, certificate) = core.start_http(config, &folder, &mut addresses)?;
    let text = serde_json::to_string_pretty(&addresses)?;
    std::fs::write(folder.addresses(), text + "\n").context("cannot write addresses.json")?;
    Ok(Node {
        addresses,
        first_token,
        servers: Servers { http, dns },
        registry: core.registry,
        pool_threads,
        draining: core.draining,
        certificate,
        folder,
    })
}

/// What the edges are built on.
struct Core {
    store: Arc<dyn Store>,
    resolver: Arc<Resolver>,
    registry: Arc<Registry>,
    pool: Pool,
    clock: Clock,
    draining: Arc<AtomicBool>,
    render_metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// Seeds a new store; the secret that was made up for its first token, if one was.
fn seed(
    config: &Config,
    admin_secret: Option<String>,
    store: &dyn Store,
    keys: &Arc<NodeKeys>,
    now_ms: u64,
) -> anyhow::Result<Option<String>> {
    let made_up = match &admin_secret {
        Some(_) => None,
        None => Some(fresh_secret(&ring::rand::SystemRandom::new())?),
    };
    let secret = admin_secret.or_else(|| made_up.clone()).unwrap_or_default();
    let seed = Seed {
        origin: config.ledger_origin(),
        prefixes: config.prefix.clone(),
        token: NewToken {
            secret,
            account: "admin".into(),
            actions: Actions::all(),
            prefixes: None,
            expires_ms: None,
        },
    };
    registry::seed(store, keys, &seed, now_ms).context("NAMEPLATE_ADMIN_TOKEN cannot be used")?;
    Ok(made_up)
}

fn warn_of_ignored_prefixes(config: &Config, resolver: &Resolver) {
    if config.prefix == Config::default().prefix {
        return;
    }
    let own = resolver.zones();
    for prefix in config.prefix.iter().filter(|prefix| !own.iter().any(|zone| **zone == **prefix)) {
        tracing::warn!(
            %prefix,
            "not one of this node's prefixes: --prefix seeds new nodes only and is ignored here"
        );
    }
}
