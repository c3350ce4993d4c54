//! Limits and times of the HTTP side, as plain data.

use std::net::IpAddr;
use std::time::Duration;

use crate::access::SessionTimes;

/// Everything about HTTP that can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most connections at once; more are closed as they arrive.
    pub connections: usize,
    /// Most connections at once from one network: an IPv4 /24 or an IPv6 /56.
    pub connections_per_network: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a new connection may take to show which protocol it speaks.
    pub first_bytes_timeout: Duration,
    /// How long the head of a request may take; also how long a connection may idle.
    pub header_timeout: Duration,
    /// How long a request may take from its head to the head of its answer. Imports and backups
    /// are bound by `idle_timeout` instead.
    pub request_timeout: Duration,
    /// How long the other side of a connection may go without reading or, in an import, without
    /// sending.
    pub idle_timeout: Duration,
    /// Most bytes in the body of a registration or change.
    pub registration_bytes: usize,
    /// Most bytes in the body of a bulk resolution.
    pub resolve_bytes: usize,
    /// Most bytes in the body of a batch.
    pub batch_bytes: usize,
    /// Most bytes in one line of an import.
    pub import_line_bytes: usize,
    /// Most lines of an import that are written at once.
    pub import_chunk_lines: usize,
    /// Most imports at once.
    pub imports: usize,
    /// Most followers of changes and exports at once.
    pub streams: usize,
    /// How often a stream of changes without changes says that it is there.
    pub heartbeat: Duration,
    /// Most bytes of bodies and large answers in memory at once; requests beyond get 503.
    pub memory_bytes: usize,
    /// Bytes of records after which a list or bulk answer ends; the rest is asked for again.
    pub answer_bytes: usize,
    /// Longest time for which a redirect or public record may be kept, in seconds.
    pub max_age_seconds: u32,
    /// Requests that one address may make in a second, on average; 0 for any number.
    pub address_rate: u32,
    /// Requests and items that one account may send in a second, on average; 0 for any number.
    pub account_rate: u32,
    /// Reverse proxies, whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpAddr>,
    /// How long sessions last.
    pub session_times: SessionTimes,
    /// Where people reach this node (`https://id.example.com`), for the readable pages.
    pub public_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 4_096,
            connections_per_network: 1_024,
            handshake_timeout: Duration::from_secs(5),
            first_bytes_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            registration_bytes: 1 << 20,
            resolve_bytes: 4 << 20,
            batch_bytes: 16 << 20,
            import_line_bytes: 1 << 20,
            import_chunk_lines: 2_048,
            imports: 32,
            streams: 64,
            heartbeat: Duration::from_secs(15),
            memory_bytes: 128 << 20,
            answer_bytes: 8 << 20,
            max_age_seconds: 3_600,
            address_rate: 2_000,
            account_rate: 100_000,
            proxies: Vec::new(),
            session_times: SessionTimes::default(),
            public_url: None,
        }
    }
}
