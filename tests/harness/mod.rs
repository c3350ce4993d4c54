//! A real node in a folder of its own, driven from outside.

mod connection;
mod node;
mod programs;

pub use connection::{Connection, Reply, exchange};
pub use node::{ADMIN_TOKEN, Launch, Node, send_signal};
pub use programs::{curl, decoded, dig, nameplate, output, program, python, python_program, text};

use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

/// Waits until `done` says yes; panics after `limit`.
pub fn wait_until(limit: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An identifier as one segment of a path.
pub fn segment(identifier: &str) -> String {
    percent_encoding::utf8_percent_encode(identifier, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
}

/// A port that is free for UDP and TCP.
pub fn free_port() -> u16 {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let port = udp.local_addr().expect("an address").port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Chance that can be repeated: SplitMix64 by Sebastiano Vigna.
pub struct Chance(pub u64);

impl Chance {
    /// Seeded by `SEED`, or by the clock; says which, so that a failure can be repeated.
    pub fn announced(what: &str) -> Self {
        let clock = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos() as u64;
        let seed = std::env::var("SEED").map_or(clock, |seed| seed.parse().expect("SEED"));
        println!("{what}: SEED={seed}");
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}
