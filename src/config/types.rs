//! Types that only the configuration has.

use std::net::IpAddr;

use super::setting::Single;

/// The domain below which a node's names are, in lower case with its dot at the end; at most 100
/// octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apex(String);

impl Apex {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name server of the node's zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServer {
    /// Its name, in lower case with its dot at the end.
    pub name: String,
    /// One of its addresses.
    pub address: Option<IpAddr>,
}

/// How far a place's clocks are ahead of UTC, or behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtcOffset(i32);

/// A domain name in lower case with its dot at the end.
fn domain_name(text: &str, max_octets: usize) -> Result<String, String> {
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
    Ok(name + ".")
}

/// `http` or `https` and a host, perhaps with a path, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The URL's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host's name or address, without brackets and port.
    pub fn host(&self) -> &str {
        let behind = self.0.split_once("://").map_or(&*self.0, |(_, behind)| behind);
        let authority = behind.split('/').next().unwrap_or_default();
        match authority.strip_prefix('[') {
            Some(address) => address.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        }
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

impl Single for Apex {
    fn read_single(text: &str) -> Result<Self, String> {
        domain_name(text, MAX_APEX_OCTETS).map(Self)
    }

    fn show(&self) -> toml::Value {
        self.as_str().into()
    }
}

impl Single for NameServer {
    fn read_single(text: &str) -> Result<Self, String> {
        let (name, address) = match text.split_once('=') {
            None => (text, None),
            Some((name, address)) => {
                let fault = |_| format!("{address:?} in {text:?} is no IP address");
                (name, Some(address.parse().map_err(fault)?))
            }
        };
        Ok(Self { name: domain_name(name, MAX_NAME_OCTETS)?, address })
    }

    fn show(&self) -> toml::Value {
        match self.address {
            Some(address) => format!("{}={address}", self.name).into(),
            None => self.name.as_str().into(),
        }
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
                "{text:?} is no log level: {}, also per crate or room as in info,nameplate=debug",
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

impl UtcOffset {
    /// Minutes ahead of UTC; less than none behind it.
    pub fn minutes(self) -> i32 {
        self.0
    }
}

impl Single for UtcOffset {
    fn read_single(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is no offset from UTC: write it as in +08:00");
        let sign = match text.get(..1) {
            Some("+") => 1,
            Some("-") => -1,
            _ => return Err(fault()),
        };
        let (hours, minutes) = text[1..].split_once(':').ok_or_else(fault)?;
        let two_digits = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<i32>().ok().filter(|_| digits)
        };
        let (hours, minutes) = (two_digits(hours), two_digits(minutes));
        match (hours, minutes) {
            (Some(hours @ 0..=14), Some(minutes @ 0..=59)) => {
                Ok(Self(sign * (hours * 60 + minutes)))
            }
            _ => Err(fault()),
        }
    }

    fn show(&self) -> toml::Value {
        self.to_string().into()
    }
}

impl std::fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, minutes) = (if self.0 < 0 { '-' } else { '+' }, self.0.abs());
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Most octets of a domain name (RFC 1035 §2.3.4: 255 on the wire), its last dot included.
const MAX_NAME_OCTETS: usize = 254;

/// Most octets of the apex, its last dot included, so that prefixes and digests fit before it.
const MAX_APEX_OCTETS: usize = 100;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
