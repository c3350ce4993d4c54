//! Configuration: one typed [`Config`] with every key a node has.
//!
//! A key is declared once, in `keys.rs`; its flag, its environment variable, its line in the file,
//! its default and its line in the template of `nameplate init` all come from there. Sources rank
//! flag, environment, file, default. All sources hand over text that one parser per type reads, so
//! that a value means the same wherever it is written and every error names its source.

mod flags;
mod keys;
mod load;
mod setting;
mod template;
mod types;

pub use flags::Flags;
pub use keys::{Config, KEYS, Key};
pub use load::{ConfigError, Origin, load};
pub use template::{effective, template};
pub use types::{Apex, BaseUrl, LogFilter, LogFormat, NameServer, UtcOffset};

use std::net::IpAddr;
use std::path::PathBuf;

impl Default for Config {
    fn default() -> Self {
        Self::from_given(&load::Given::default()).expect("a test reads every default")
    }
}

impl Config {
    /// What must hold between keys; each key by itself has been checked when it was read.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let fault = |reason: &str| Err(ConfigError::Conflict(reason.to_owned()));
        if self.http.is_none() && self.https.is_none() {
            return fault("http and https are both off: a node needs at least one of them");
        }
        if self.prefix.is_empty() && !self.root {
            return fault("prefix is empty: name at least one, such as 88.118, or set root");
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return fault("tls_certificate and tls_key belong together: set both or neither");
        }
        Ok(())
    }

    /// The ledger's name: the configured one, or apex and first prefix.
    pub fn effective_ledger_origin(&self) -> String {
        self.ledger_origin.clone().unwrap_or_else(|| {
            let apex = self.apex.as_str().trim_end_matches('.');
            match self.prefix.first() {
                Some(prefix) => format!("{apex}/{prefix}"),
                None => apex.to_owned(),
            }
        })
    }

    /// The base of URLs under which others reach the node, without a slash at the end.
    pub fn effective_public_url(&self) -> String {
        match (&self.public_url, self.http, self.https) {
            (Some(url), ..) => url.as_str().to_owned(),
            (None, Some(address), _) => format!("http://{address}"),
            (None, None, Some(address)) => format!("https://{address}"),
            (None, None, None) => String::new(),
        }
    }

    /// The certificate and key files of HTTPS.
    pub fn effective_tls_files(&self) -> (PathBuf, PathBuf) {
        let own = |name: &str| self.data.join("tls").join(name);
        (
            self.tls_certificate.clone().unwrap_or_else(|| own("cert.pem")),
            self.tls_key.clone().unwrap_or_else(|| own("key.pem")),
        )
    }

    /// The zones' name servers, each with all of its addresses; empty when none is configured.
    pub fn name_servers(&self) -> Vec<(String, Vec<IpAddr>)> {
        let mut servers: Vec<(String, Vec<IpAddr>)> = Vec::new();
        for NameServer { name, address } in &self.name_server {
            match servers.iter_mut().find(|(known, _)| known == name) {
                Some((_, addresses)) => addresses.extend(address),
                None => servers.push((name.clone(), address.iter().copied().collect())),
            }
        }
        servers
    }

    /// Threads of the pool: as configured, or two per processor.
    pub fn effective_pool_threads(&self) -> usize {
        if self.pool_threads > 0 { self.pool_threads } else { 2 * processors() }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_values_follow_what_they_derive_from() {
        let mut config = Config::default();
        assert_eq!(config.effective_ledger_origin(), "id.example/88.118");
        assert_eq!(config.effective_public_url(), "http://127.0.0.1:8080");
        assert_eq!(config.effective_tls_files().0, PathBuf::from("./data/tls/cert.pem"));
        config.prefix.clear();
        assert_eq!(config.effective_ledger_origin(), "id.example");
    }

    #[test]
    fn contradictions_are_refused() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert!(refused(|config| config.http = None).contains("both off"));
        assert!(refused(|config| config.prefix.clear()).contains("prefix is empty"));
        assert!(refused(|config| config.tls_key = Some("k".into())).contains("belong together"));
    }
}
