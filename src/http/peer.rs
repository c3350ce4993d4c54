//! Who is at the other end of a connection.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{Extensions, HeaderMap, HeaderName};

/// The address at the other end; the listener puts it beside each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The address of who asks: the connection's, or what one of our `proxies` says of it.
///
/// Of `X-Forwarded-For` the last entry counts that is none of the proxies: whatever stands before
/// it, the asker may have made up.
pub(super) fn address(extensions: &Extensions, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    // Requests that came over no connection are tests' and count as this machine's.
    let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
    let peer = peer.to_canonical();
    if !proxies.contains(&peer) {
        return peer;
    }
    let fields = headers.get_all(FORWARDED).iter().rev();
    let entries = fields.filter_map(|field| field.to_str().ok()).flat_map(|text| text.rsplit(','));
    let mut addresses = entries.map(|entry| entry.trim().parse::<IpAddr>());
    let client = addresses.find(|address| match address {
        Ok(address) => !proxies.contains(&address.to_canonical()),
        Err(_) => true,
    });
    client.and_then(Result::ok).map_or(peer, |address| address.to_canonical())
}

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proxies_are_believed() {
        let proxies: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.1"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ] {
            let mut extensions = Extensions::new();
            extensions.insert(Peer(peer.parse().unwrap()));
            let mut headers = HeaderMap::new();
            for field in forwarded {
                headers.append(FORWARDED, field.parse().unwrap());
            }
            let found = address(&extensions, &headers, &proxies);
            assert_eq!(found.to_string(), expected, "{peer} {forwarded:?}");
        }
    }
}
