//! What an operator may choose.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Settings of the DNS edge.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses to listen on, UDP and TCP on the same port; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Naming suffix, at most 100 octets.
    pub apex: String,
    /// Whether the apex itself is a zone of this node.
    pub serve_apex: bool,
    /// Name servers of all zones with their addresses; when empty, each zone has the one server
    /// `ns.<zone>` with the addresses listened on, as far as these are definite.
    pub name_servers: Vec<(String, Vec<IpAddr>)>,
    /// Mail address or name of who answers for the zones; when empty, `hostmaster.<zone>`.
    pub contact: String,
    /// TTL of SOA, NS and their addresses, and of tombstones.
    pub zone_ttl_seconds: u32,
    /// How long others may remember that a name does not exist.
    pub negative_ttl_seconds: u32,
    /// UDP threads per address; 0 is one per core.
    pub udp_workers: usize,
    /// Most TCP connections; further ones are closed at once
    /// (`nameplate_dns_connections_refused_total`).
    pub tcp_connections_max: usize,
    /// Most TCP connections from one network (IPv4 /24, IPv6 /56).
    pub tcp_connections_per_network_max: usize,
    /// How long the first question of a connection may take, and the rest of a begun one.
    pub tcp_read_timeout: Duration,
    /// How long a connection may stay without a question after an answer.
    pub tcp_idle_timeout: Duration,
    /// How long an answer may take to be taken off our hands.
    pub tcp_write_timeout: Duration,
    /// Most questions on one connection; it is closed behind the last.
    pub tcp_queries_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 5300))],
            apex: "id.example.".into(),
            serve_apex: false,
            name_servers: Vec::new(),
            contact: String::new(),
            zone_ttl_seconds: 3_600,
            negative_ttl_seconds: 300,
            udp_workers: 0,
            tcp_connections_max: 1_000,
            tcp_connections_per_network_max: 100,
            tcp_read_timeout: Duration::from_secs(5),
            tcp_idle_timeout: Duration::from_secs(10),
            tcp_write_timeout: Duration::from_secs(5),
            tcp_queries_max: 10_000,
        }
    }
}
