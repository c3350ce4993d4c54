//! How many connections there are: in all, and from each network.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections and refuses those beyond the caps. Memory is bound by the overall cap.
pub(super) struct Connections {
    counts: Mutex<Counts>,
    most: usize,
    most_per_network: usize,
}

#[derive(Default)]
struct Counts {
    all: usize,
    per_network: HashMap<Network, usize>,
}

/// An IPv4 /24 or an IPv6 /56: what one customer of a provider commonly has at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Network(u128);

/// The right to be a connection; given back when dropped.
pub(super) struct Permit {
    connections: Arc<Connections>,
    network: Network,
}

impl Connections {
    pub(super) fn new(most: usize, most_per_network: usize) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), most, most_per_network })
    }

    /// A permit for a connection from `address`; none beyond a cap.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        let network = Network::of(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.per_network.get(&network).copied().unwrap_or_default();
        let reason = if counts.all >= self.most {
            "connections"
        } else if own >= self.most_per_network {
            "connections_per_network"
        } else {
            counts.all += 1;
            counts.per_network.insert(network, own + 1);
            metrics::gauge!("nameplate_http_connections").increment(1);
            return Some(Permit { connections: Arc::clone(self), network });
        };
        metrics::counter!("nameplate_http_refused_total", "reason" => reason).increment(1);
        None
    }
}

impl Network {
    fn of(address: IpAddr) -> Self {
        let bits = match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits() & (u128::MAX << 8),
            IpAddr::V6(address) => Ipv6Addr::to_bits(address) & (u128::MAX << 72),
        };
        Self(bits)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.connections.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Entry::Occupied(mut own) = counts.per_network.entry(self.network) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
        metrics::gauge!("nameplate_http_connections").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_hold_in_all_and_per_network() {
        let connections = Connections::new(3, 2);
        let admit = |address: &str| connections.admit(address.parse().unwrap());
        let first = admit("192.0.2.1").unwrap();
        let _second = admit("::ffff:192.0.2.200").unwrap();
        assert!(admit("192.0.2.3").is_none());
        let _third = admit("2001:db8:0:aa00::1").unwrap();
        assert!(admit("198.51.100.1").is_none());
        drop(first);
        let _fourth = admit("2001:db8:0:aaff::1").unwrap();
        assert_eq!(connections.counts.lock().unwrap().per_network.len(), 2);
    }
}
