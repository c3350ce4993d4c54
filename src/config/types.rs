//! Types that only the configuration has.

use super::setting::Single;

/// A domain name in lower case with its dot at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(String);

impl DomainName {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn read(text: &str, max_octets: usize) -> Result<Self, String> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
        if !name.split('.').all(fits) {
            return Err(format!(
                "{text:?} is no domain name: labels of letters, digits and '-', such as id.example."
            ));
        }
        if name.len() + 1 > max_octets {
            return Err(format!("{text:?} has {} octets; at most {max_octets}", name.len() + 1));
        }
        Ok(Self(name + "."))
    }
}

/// The domain below which a node's names are: a [`DomainName`] of at most 100 octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apex(DomainName);

impl Apex {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name `label` below the apex.
    pub(super) fn child(&self, label: &str) -> DomainName {
        DomainName(format!("{label}.{}", self.as_str()))
    }
}

/// `http` or `https` and a host, perhaps with a path, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The URL's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which events are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// The directives' text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object per line.
    Json,
}

impl Single for DomainName {
    fn read_single(text: &str) -> Result<Self, String> {
        Self::read(text, MAX_NAME_OCTETS)
    }

    fn show(&self) -> toml::Value {
        self.as_str().into()
    }
}

impl Single for Apex {
    fn read_single(text: &str) -> Result<Self, String> {
        DomainName::read(text, MAX_APEX_OCTETS).map(Self)
    }

    fn show(&self) -> toml::Value {
        self.as_str().into()
    }
}

impl Single for BaseUrl {
    fn read_single(text: &str) -> Result<Self, String> {
        let url = text.trim_end_matches('/');
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let fits = |host: &str| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_graphic())
                && !host.contains(['?', '#', '"', '<', '>'])
        };
        if !host.is_some_and(fits) {
            return Err(format!("{text:?} is no base URL: such as https://id.example.org"));
        }
        Ok(Self(url.to_owned()))
    }

    fn show(&self) -> toml::Value {
        self.as_str().into()
    }
}

impl Single for LogFilter {
    fn read_single(text: &str) -> Result<Self, String> {
        let valid = tracing_subscriber::EnvFilter::builder().parse(text).is_ok();
        // A single word that is no level would be taken for the name of a room and log nothing.
        let level = text.contains(['=', ',']) || LEVELS.contains(&text);
        if !valid || !level {
            return Err(format!(
                "{text:?} is no log level: {}, also per room as in info,nameplate::http=debug",
                LEVELS.join(", ")
            ));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> toml::Value {
        self.as_str().into()
    }
}

impl Single for LogFormat {
    fn read_single(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("{text:?} is no form of the log: text or json")),
        }
    }

    fn show(&self) -> toml::Value {
        let word = match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        word.into()
    }
}

/// Most octets of a domain name (RFC 1035 §2.3.4: 255 on the wire), its last dot included.
const MAX_NAME_OCTETS: usize = 254;

/// Most octets of the apex, its last dot included, so that prefixes and digests fit before it.
const MAX_APEX_OCTETS: usize = 100;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
