//! Where a node is.

use super::ClientError;

/// A server's URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name or address, without the brackets of IPv6.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Host and port as the `Host` header has them.
    pub authority: String,
    /// Path before all others, without a slash at the end.
    pub path: String,
}

impl Address {
    /// Reads `http://host[:port][/path]` or `https://…`.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let fault = || ClientError::Address(text.to_owned());
        let uri: hyper::Uri = text.trim_end_matches('/').parse().map_err(|_| fault())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(fault()),
        };
        let authority = uri.authority().ok_or_else(fault)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(fault());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { tls, host, port, authority: authority.to_string(), path })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, tls, host, port, path) in [
            ("http://127.0.0.1:8080", false, "127.0.0.1", 8080, ""),
            ("https://id.example.org/", true, "id.example.org", 443, ""),
            ("http://[::1]:81/node/", false, "::1", 81, "/node"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.tls, address.host.as_str()), (tls, host), "{text}");
            assert_eq!((address.port, address.path.as_str()), (port, path), "{text}");
        }
        for text in ["", "127.0.0.1:8080", "ftp://x", "http://", "http://u:p@h", "http://h/?q"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
