//! Every key of the configuration, declared once.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::LazyLock;

use super::load::{ConfigError, Given};
use super::setting::{Setting, check_range};
use super::types::{Apex, BaseUrl, LogFilter, LogFormat, NameServer, UtcOffset};
use crate::identifier::{MAX_OCTETS, Prefix};

/// Declares the keys: doc comment, name, type, default as an environment variable would have it,
/// placeholder in the help, and the range of numbers.
macro_rules! settings {
    ($($section:literal {
        $($(#[doc = $doc:literal])+
        $name:ident: $type:ty = $default:literal, $value:literal $(, $range:expr)?;)+
    })+) => {
        /// The effective configuration of a node.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $($($(#[doc = $doc])+ pub $name: $type,)+)+
        }

        impl Config {
            /// Reads each key from what was given for it, or from its default.
            pub(super) fn from_given(given: &Given) -> Result<Self, ConfigError> {
                let config = Self {
                    $($($name: given.read(stringify!($name), $default, |texts| {
                        let value = <$type as Setting>::read(texts)?;
                        $(check_range(&value, &$range)?;)?
                        Ok(value)
                    })?,)+)+
                };
                config.check()?;
                Ok(config)
            }

            /// Each key with its value in TOML, in the order of declaration.
            pub(super) fn to_toml(&self) -> Vec<(&'static Key, toml::Value)> {
                KEYS.iter().zip([$($(self.$name.to_toml(),)+)+]).collect()
            }
        }

        /// All keys, in the order of help and template.
        pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| vec![
            $($(Key::new(
                $section,
                stringify!($name),
                concat!($($doc, "\n"),+),
                $value,
                $default,
                <$type as Setting>::LIST,
            ),)+)+
        ]);
    };
}

/// What is known of a key beside its type.
#[derive(Debug)]
pub struct Key {
    /// Heading it stands under.
    pub section: &'static str,
    /// Name in the file.
    pub name: &'static str,
    /// Name of the flag, without dashes.
    pub flag: String,
    /// Name of the environment variable.
    pub variable: String,
    /// Documentation, one line per line.
    pub doc: Vec<&'static str>,
    /// Placeholder for the value; empty for switches.
    pub value: &'static str,
    /// Default, as the environment variable would have it.
    pub default: &'static str,
    /// Whether several values may be given.
    pub list: bool,
}

impl Key {
    fn new(
        section: &'static str,
        name: &'static str,
        doc: &'static str,
        value: &'static str,
        default: &'static str,
        list: bool,
    ) -> Self {
        Self {
            section,
            name,
            flag: name.replace('_', "-"),
            variable: format!("NAMEPLATE_{}", name.to_ascii_uppercase()),
            doc: doc.lines().map(str::trim).collect(),
            value,
            default,
            list,
        }
    }
}

settings! {
    "Node" {
        /// Folder of the node's data: store, keys, certificate.
        data: PathBuf = "./data", "DIR";
        /// Prefixes this node is responsible for. They seed a new node; later state is in its
        /// store. Repeat the flag, or separate with commas in the variable.
        prefix: Vec<Prefix> = "88.118", "PREFIX";
        /// Answer for the apex itself too: this node is the root of the tree in DNS.
        root: bool = "false", "";
        /// Base of the URLs under which others reach the node. Empty: the address of http.
        public_url: Option<BaseUrl> = "", "URL";
        /// Name of the ledger, for all time. Empty: apex and first prefix.
        ledger_origin: Option<String> = "", "NAME";
        /// Most octets of an identifier that can be registered.
        identifier_max_octets: usize = "255", "OCTETS", 16..=MAX_OCTETS;
        /// Table of regions (GB/T 2260) to use instead of the shipped one: CSV as in schemas/codes.
        codes_regions: Option<PathBuf> = "", "FILE";
        /// Table of industries (GB/T 4754) to use instead of the shipped one: CSV as in
        /// schemas/codes.
        codes_industries: Option<PathBuf> = "", "FILE";
        /// When the days of the statistics begin: the offset of their place from UTC.
        statistics_utc_offset: UtcOffset = "+08:00", "OFFSET";
        /// How long a stopping node waits for requests in flight.
        drain_seconds: u64 = "20", "SECONDS", 0..=600;
    }
    "HTTP" {
        /// Address of HTTP, or off.
        http: Option<SocketAddr> = "127.0.0.1:8080", "ADDR";
        /// Address of HTTPS, or off. A certificate of its own is made at the first start.
        https: Option<SocketAddr> = "off", "ADDR";
        /// Certificate chain for HTTPS, PEM. Empty: tls/cert.pem in the data folder.
        tls_certificate: Option<PathBuf> = "", "FILE";
        /// Private key for HTTPS, PEM. Empty: tls/key.pem in the data folder.
        tls_key: Option<PathBuf> = "", "FILE";
        /// Most connections at once.
        http_connections: usize = "4096", "COUNT", 1..=1_000_000;
        /// Most connections at once from one network (/24, /56).
        http_connections_per_network: usize = "1024", "COUNT", 1..=1_000_000;
        /// How long a client may take to send a request's head.
        http_header_timeout_seconds: u64 = "10", "SECONDS", 1..=600;
        /// How long a request may take until its answer begins.
        http_request_timeout_seconds: u64 = "30", "SECONDS", 1..=3_600;
        /// How long a client may take to go on reading an answer or sending an import.
        http_idle_timeout_seconds: u64 = "60", "SECONDS", 1..=3_600;
        /// Most bytes of a request's body, and of one line of an import.
        http_body_bytes: usize = "1048576", "BYTES", 1_024..=64 << 20;
        /// Requests that one address (IPv6: one /64) may make in a second, on average over five
        /// seconds; more get 429. 0: any number. Addresses of this machine are not held back.
        http_address_rate: u32 = "2000", "COUNT";
        /// Requests and items of batches and imports that one account may send in a second, on
        /// average over five seconds; more get 429, imports wait. 0: any number.
        http_account_rate: u32 = "100000", "COUNT";
        /// Address of a reverse proxy whose X-Forwarded-For is believed. Repeat for more.
        http_proxy: Vec<IpAddr> = "", "IP";
    }
    "Logins" {
        /// How long a session lasts.
        session_seconds: u64 = "43200", "SECONDS", 60..=2_592_000;
        /// How long a session may be unused before it ends.
        session_idle_seconds: u64 = "1800", "SECONDS", 60..=2_592_000;
    }
    "DNS" {
        /// Address of DNS, UDP and TCP, or off.
        dns: Option<SocketAddr> = "127.0.0.1:5300", "ADDR";
        /// Domain below which the node's names are.
        apex: Apex = "id.example.", "NAME";
        /// Name servers of the node's zones: a name, and behind = its address where the zones
        /// must give it, as in ns1.id.example.=192.0.2.1. Repeat for more. Empty: ns below each
        /// zone, with the address of dns.
        name_server: Vec<NameServer> = "", "NAME[=IP]";
        /// Mail address or name of who answers for the zones. Empty: hostmaster below each zone.
        dns_contact: Option<String> = "", "MAIL";
        /// TTL of the zones' own records and of tombstones.
        dns_zone_ttl_seconds: u32 = "3600", "SECONDS", 0..=604_800;
        /// How long others may remember that a name does not exist.
        dns_negative_ttl_seconds: u32 = "300", "SECONDS", 0..=86_400;
        /// Threads that answer UDP. 0: one per processor.
        dns_udp_workers: usize = "0", "COUNT", 0..=256;
        /// Most TCP connections at once.
        dns_tcp_connections: usize = "1000", "COUNT", 1..=1_000_000;
        /// Most TCP connections at once from one network (/24, /56).
        dns_tcp_connections_per_network: usize = "100", "COUNT", 1..=1_000_000;
        /// How long a TCP connection may be silent.
        dns_tcp_idle_seconds: u64 = "10", "SECONDS", 1..=600;
    }
    "Memory and threads" {
        /// Memory for blocks of the store.
        cache_bytes: u64 = "268435456", "BYTES", 8 << 20..=1 << 44;
        /// Memory for records that were just asked for.
        answer_cache_bytes: u64 = "67108864", "BYTES", 1 << 20..=1 << 44;
        /// Threads that read and write the store. 0: two per processor.
        pool_threads: usize = "0", "COUNT", 0..=1_024;
        /// Most jobs that wait for those threads.
        pool_queue: usize = "4096", "COUNT", 16..=1_000_000;
    }
    "Logs" {
        /// What is logged: error, warn, info, debug or trace, also per crate or room as in
        /// "info,nameplate=debug". Read again at SIGHUP.
        log_level: LogFilter = "info", "LEVEL";
        /// Form of the log on standard error: text or json.
        log_format: LogFormat = "text", "FORM";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_reads() {
        assert_eq!(Config::default().to_toml().len(), KEYS.len());
    }
}
