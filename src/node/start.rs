//! Starting a node.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use ring::rand::SystemRandom;

use super::offline::backup_header;
use super::{Addresses, Folder, Node, Servers};
use crate::access::{Access, Actions, Actor, NewToken, Right, SessionTimes, fresh_secret};
use crate::clock::Clock;
use crate::codes::CodeTables;
use crate::config::Config;
use crate::dns;
use crate::http;
use crate::ledger::current_log;
use crate::pool::Pool;
use crate::registrant::WARNING_DAYS;
use crate::registry::{self, Registry, Seed};
use crate::resolver::Resolver;
use crate::signing::NodeKeys;
use crate::store::{RocksSettings, RocksStore, Store, StoreError, write_backup};

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
    let access = Arc::new(Access::new(Arc::clone(&store)));
    let registry = Arc::new(Registry::open(
        Arc::clone(&store),
        Arc::clone(&resolver),
        keys,
        clock.clone(),
        registry::Settings {
            identifier_octets: config.identifier_max_octets,
            codes: code_tables(config)?,
            uses: Arc::clone(access.uses()),
            utc_offset_minutes: config.statistics_utc_offset.minutes(),
            ..Default::default()
        },
    )?);
    let (pool, pool_threads) = Pool::start(config.effective_pool_threads(), config.pool_queue)?;
    let draining = Arc::new(AtomicBool::new(false));
    let core = Core { store, access, resolver, registry, pool, clock, draining, render_metrics };

    let mut addresses = Addresses::default();
    let dns = core.start_dns(config, &mut addresses)?;
    let (http, certificate) = core.start_http(config, &mut addresses).await?;
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
    access: Arc<Access>,
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
        None => {
            Some(fresh_secret(&SystemRandom::new()).ok().context("the system gave no randomness")?)
        }
    };
    let secret = admin_secret.or_else(|| made_up.clone()).unwrap_or_default();
    let seed = Seed {
        origin: config.effective_ledger_origin(),
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

/// The tables of codes: the shipped ones, or the operator's own.
fn code_tables(config: &Config) -> anyhow::Result<CodeTables> {
    let read = |path: &Option<PathBuf>| {
        let path = path.as_ref();
        path.map(|path| fs::read(path).with_context(|| format!("cannot read {}", path.display())))
            .transpose()
    };
    let (regions, industries) = (read(&config.codes_regions)?, read(&config.codes_industries)?);
    CodeTables::load(regions.as_deref(), industries.as_deref())
        .context("codes_regions or codes_industries cannot be used")
}

fn warn_of_ignored_prefixes(config: &Config, resolver: &Resolver) {
    if config.prefix == Config::default().prefix {
        return;
    }
    let own = resolver.zones();
    for prefix in
        config.prefix.iter().filter(|prefix| !own.iter().any(|zone| zone.prefix == **prefix))
    {
        tracing::warn!(
            %prefix,
            "not one of this node's prefixes: --prefix seeds new nodes only and is ignored here"
        );
    }
}

impl Core {
    fn start_dns(
        &self,
        config: &Config,
        addresses: &mut Addresses,
    ) -> anyhow::Result<Option<dns::Server>> {
        let Some(listen) = config.dns else { return Ok(None) };
        let settings = dns::Settings {
            listen: vec![listen],
            apex: config.apex.as_str().to_owned(),
            serve_apex: config.root,
            name_servers: config.name_servers(),
            contact: config.dns_contact.clone().unwrap_or_default(),
            zone_ttl_seconds: config.dns_zone_ttl_seconds,
            negative_ttl_seconds: config.dns_negative_ttl_seconds,
            udp_workers: config.dns_udp_workers,
            tcp_connections_max: config.dns_tcp_connections,
            tcp_connections_per_network_max: config.dns_tcp_connections_per_network,
            tcp_idle_timeout: Duration::from_secs(config.dns_tcp_idle_seconds),
            ..Default::default()
        };
        let bound = dns::bind(&settings)?;
        addresses.dns = bound.addresses().first().copied();
        let registry = Arc::downgrade(&self.registry);
        // Serial numbers wrap (RFC 1982); what counts is that every change moves them on.
        let serial = move || registry.upgrade().map_or(0, |registry| registry.ledger_size() as u32);
        let resolver = Arc::clone(&self.resolver);
        let server =
            bound.serve(resolver, self.pool.clone(), self.clock.clone(), Arc::new(serial))?;
        Ok(Some(server))
    }

    async fn start_http(
        &self,
        config: &Config,
        addresses: &mut Addresses,
    ) -> anyhow::Result<(Vec<http::Server>, Option<Arc<http::Certificate>>)> {
        let settings = http_settings(config);
        let router = http::router(Arc::new(self.app(config, settings.clone())?));
        let mut servers = Vec::new();
        if let Some(listen) = config.http {
            let bound = http::bind(listen).with_context(|| format!("HTTP on {listen}"))?;
            addresses.http = Some(bound.address());
            servers.push(bound.serve(router.clone(), &settings));
        }
        let Some(listen) = config.https else { return Ok((servers, None)) };
        let (chain, key) = config.effective_tls_files();
        let certificate = http::Certificate::load_or_create(
            &http::Files { chain, key },
            &certificate_names(config, listen),
        )?;
        let bound = http::bind(listen).with_context(|| format!("HTTPS on {listen}"))?;
        addresses.https = Some(bound.address());
        servers.push(bound.serve_tls(router, &settings, &certificate)?);
        Ok((servers, Some(certificate)))
    }

    /// The text of `/metrics`, with the gauges read as of then.
    fn metrics(&self) -> Arc<dyn Fn() -> String + Send + Sync> {
        let (store, resolver) = (Arc::clone(&self.store), Arc::clone(&self.resolver));
        let clock = self.clock.clone();
        let (registry, render) = (Arc::downgrade(&self.registry), Arc::clone(&self.render_metrics));
        metrics::gauge!("nameplate_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Arc::new(move || {
            for (name, figure) in store.figures() {
                metrics::gauge!(format!("nameplate_store_{name}")).set(figure);
            }
            let (records, bytes) = resolver.cache_figures();
            metrics::gauge!("nameplate_resolver_cache_records").set(records as f64);
            metrics::gauge!("nameplate_resolver_cache_bytes").set(bytes as f64);
            let expiring = resolver.expiring(WARNING_DAYS, clock.now_ms());
            metrics::gauge!("nameplate_prefixes_expiring").set(expiring as f64);
            if let Some(registry) = registry.upgrade() {
                metrics::gauge!("nameplate_ledger_entries").set(registry.ledger_size() as f64);
            }
            render()
        })
    }

    fn app(&self, config: &Config, settings: http::Settings) -> anyhow::Result<http::App> {
        let apex = dns::name::Name::parse(config.apex.as_str())?;
        let store = Arc::clone(&self.store);
        let clock = self.clock.clone();
        let backup = move |actor: &Actor, out: &mut dyn Write| {
            actor.authorise_right(Right::Operate, None)?;
            let header = backup_header(clock.now_ms());
            let written = write_backup(&*store.snapshot(), &header, out, &mut |_| {});
            written.map(drop).map_err(|error| StoreError::Engine(error.to_string()).into())
        };
        Ok(http::App {
            resolver: Arc::clone(&self.resolver),
            registry: Arc::clone(&self.registry),
            access: Arc::clone(&self.access),
            pool: self.pool.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics(),
            backup: Arc::new(backup),
            dns: http::DnsForms {
                name: Box::new(move |identifier| {
                    dns::name::name_of(identifier.key(), &apex)
                        .map_or_else(String::new, |name| name.to_string())
                }),
                check: Box::new(check_dns_value),
            },
            draining: Arc::clone(&self.draining),
            limits: http::Limits::new(&settings),
            settings,
        })
    }
}

/// Checks the data of a value of type `DNS/<kind>`.
fn check_dns_value(kind: &str, data: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(data).map_err(|_| "the data is not text".to_owned())?;
    dns::presentation::parse(&format!("DNS/{kind}"), text).map(drop)
}

fn http_settings(config: &Config) -> http::Settings {
    http::Settings {
        connections: config.http_connections,
        connections_per_network: config.http_connections_per_network,
        header_timeout: Duration::from_secs(config.http_header_timeout_seconds),
        request_timeout: Duration::from_secs(config.http_request_timeout_seconds),
        registration_bytes: config.http_body_bytes,
        import_line_bytes: config.http_body_bytes,
        address_rate: config.http_address_rate,
        account_rate: config.http_account_rate,
        proxies: config.http_proxy.iter().map(IpAddr::to_canonical).collect(),
        session_times: SessionTimes {
            lifetime_ms: config.session_seconds * 1_000,
            idle_ms: config.session_idle_seconds * 1_000,
        },
        public_url: config.public_url.as_ref().map(|url| url.as_str().to_owned()),
        ..Default::default()
    }
}

/// Names for a certificate of the node's own: what it is reached by, as far as known.
fn certificate_names(config: &Config, listen: SocketAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.push(listen.ip().to_string());
    names.extend(config.public_url.as_ref().map(|url| url.host().to_owned()));
    names.sort();
    names.dedup();
    names
}
