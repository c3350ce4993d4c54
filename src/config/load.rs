//! Gathering what was given for each key, by rank of source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::flags::Flags;
use super::keys::{Config, KEYS, Key};

/// The effective configuration from flags, environment, file and defaults, in this rank.
///
/// `variable` reads the environment. The file is the one that `--config` or `NAMEPLATE_CONFIG`
/// names; there need not be one.
pub fn load(
    flags: &Flags,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let mut given = Given::default();
    let file = flags.config.clone().or_else(|| variable(FILE_VARIABLE).map(PathBuf::from));
    if let Some(path) = file.filter(|path| !path.as_os_str().is_empty()) {
        given.add_file(&path)?;
    }
    for key in KEYS.iter() {
        if let Some(text) = variable(&key.variable) {
            given.set(key, split(&text, key.list), Origin::Variable(key.variable.clone()));
        }
        if let Some(texts) = flags.values.get(key.name) {
            given.set(key, texts.clone(), Origin::Flag(key.flag.clone()));
        }
    }
    Config::from_given(&given)
}

/// Texts given for keys, and where.
#[derive(Debug, Default)]
pub(super) struct Given {
    texts: BTreeMap<&'static str, (Vec<String>, Origin)>,
}

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    Flag(String),
    /// In the environment.
    Variable(String),
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// Nowhere: the default.
    Default(&'static str),
}

impl Given {
    /// Reads one key.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        default: &'static str,
        parse: impl FnOnce(&[String]) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        if let Some((texts, origin)) = self.texts.get(name) {
            let fault = |reason| ConfigError::Value { origin: origin.clone(), reason };
            return parse(texts).map_err(fault);
        }
        let list = KEYS.iter().any(|key| key.name == name && key.list);
        let fault = |reason| ConfigError::Value { origin: Origin::Default(name), reason };
        parse(&split(default, list)).map_err(fault)
    }

    fn set(&mut self, key: &'static Key, texts: Vec<String>, origin: Origin) {
        self.texts.insert(key.name, (texts, origin));
    }

    fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        self.add_text(&text, path)
    }

    /// Takes the keys of a file's text.
    pub(super) fn add_text(&mut self, text: &str, path: &Path) -> Result<(), ConfigError> {
        let line = |at: usize| 1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count();
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: line(error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        })?;
        for (name, value) in table.get_ref() {
            let origin = Origin::File {
                path: path.to_owned(),
                line: line(name.span().start),
                key: name.get_ref().to_string(),
            };
            let Some(key) = KEYS.iter().find(|key| key.name == name.get_ref()) else {
                return Err(ConfigError::UnknownKey { origin, nearest: nearest(name.get_ref()) });
            };
            match texts(value.get_ref()) {
                Some(texts) => self.set(key, texts, origin),
                None => {
                    let reason = "a table or date; write a text, number, true, false or list";
                    return Err(ConfigError::Value { origin, reason: reason.into() });
                }
            }
        }
        Ok(())
    }
}

/// A value of the file as the texts that flags would have given.
fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    let single = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
                .ok()
                .map(|number| number.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    };
    match value {
        DeValue::Array(items) => items.iter().map(|item| single(item.get_ref())).collect(),
        value => single(value).map(|text| vec![text]),
    }
}

fn split(text: &str, list: bool) -> Vec<String> {
    if !list {
        return vec![text.to_owned()];
    }
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The key whose name takes the fewest edits to become `name`.
fn nearest(name: &str) -> &'static str {
    let keys = KEYS.iter().map(|key| key.name);
    keys.min_by_key(|key| edits(key, name.get(..64).unwrap_or(name))).unwrap_or_default()
}

/// Letters to insert, remove or replace between two names (Levenshtein).
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let (mut diagonal, mut left) = (i, i + 1);
        for (cell, b) in row.iter_mut().skip(1).zip(other.bytes()) {
            left = (diagonal + usize::from(a != b)).min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, left);
        }
    }
    row.last().copied().unwrap_or_default()
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Flag(flag) => write!(f, "--{flag}"),
            Origin::Variable(name) => write!(f, "{name}"),
            Origin::File { path, line, key } => {
                write!(f, "{}, line {line}, {key}", path.display())
            }
            Origin::Default(name) => write!(f, "default of {name}"),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {error}: name a file that can be read, or none", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{}, line {line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The file has a key that does not exist.
    #[error("{origin}: no such key; did you mean {nearest}? `nameplate init` lists all keys")]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// The key that is nearest.
        nearest: &'static str,
    },
    /// A value does not fit its key.
    #[error("{origin}: {reason}")]
    Value {
        /// Where.
        origin: Origin,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Keys contradict each other.
    #[error("{0}")]
    Conflict(String),
}

/// Variable that names the file.
pub(super) const FILE_VARIABLE: &str = "NAMEPLATE_CONFIG";

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn from_text(text: &str) -> Result<Config, ConfigError> {
        let mut given = Given::default();
        given.add_text(text, Path::new("n.toml"))?;
        Config::from_given(&given)
    }

    #[test]
    fn sources_rank_flag_environment_file_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.toml");
        std::fs::write(&path, "http = '127.0.0.1:1'\nhttps = '127.0.0.1:1'\ndns = 'off'").unwrap();
        let environment = |name: &str| match name {
            "NAMEPLATE_HTTP" | "NAMEPLATE_HTTPS" => Some("127.0.0.1:2".to_owned()),
            "NAMEPLATE_PREFIX" => Some("88.1, 88.2".to_owned()),
            "NAMEPLATE_CONFIG" => Some(path.display().to_string()),
            _ => None,
        };
        let values = BTreeMap::from([("http", vec!["127.0.0.1:3".to_owned()])]);
        let config = load(&Flags { config: None, values }, &environment).unwrap();
        assert_eq!(config.http.unwrap().port(), 3);
        assert_eq!(config.https.unwrap().port(), 2);
        assert_eq!(config.dns, None);
        assert_eq!(config.prefix.len(), 2);
        assert_eq!(config.pool_queue, 4096);
    }

    #[test]
    fn no_source_is_the_default() {
        assert_eq!(load(&Flags::default(), &nothing).unwrap(), Config::default());
    }

    #[test]
    fn errors_name_file_line_key_and_remedy() {
        for (text, expected) in [
            ("\nhttp = 'x'", "n.toml, line 2, http: \"x\" is no address: write IP:PORT"),
            ("htp = 1", "n.toml, line 1, htp: no such key; did you mean http?"),
            ("cache_byte = 1", "did you mean cache_bytes?"),
            ("prefixes = []", "did you mean prefix?"),
            ("a = ", "n.toml, line 1: "),
            ("# c\n\npool_queue = 2", "n.toml, line 3, pool_queue: 2 is out of range: 16 to"),
            ("pool_queue = 'many'", "pool_queue: \"many\" is no whole number"),
            ("pool_queue = [100, 200]", "pool_queue: 2 values; this key takes one"),
            ("pool_queue = 1.5", "\"1.5\" is no whole number"),
            ("http = 2026-01-01", "a table or date"),
            ("[http]\na = 1", "n.toml, line 1, http: a table or date"),
            ("prefix = ['88..1']", "prefix: \"88..1\" is no prefix"),
            ("prefix = 'api.1'", "prefix: \"api.1\" begins like a path"),
            ("apex = 'a..b'", "apex: \"a..b\" is no domain name"),
            ("root = 'yes'", "root: \"yes\" is neither true nor false"),
            ("log_level = 'loud'", "log_level: \"loud\" is no log level"),
            ("public_url = 'example.org'", "public_url: \"example.org\" is no base URL"),
            ("identifier_max_octets = 5000", "5000 is out of range: 16 to 2048"),
        ] {
            let error = from_text(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} gave {error}");
        }
        let long = format!("apex = '{}.b'", "a.".repeat(60));
        assert!(from_text(&long).unwrap_err().to_string().contains("no domain name"));
        let long = format!("apex = '{}b'", "a.".repeat(60));
        assert!(from_text(&long).unwrap_err().to_string().contains("at most 100"));
    }

    #[test]
    fn values_are_read_as_they_are_written() {
        let config = from_text("apex = 'ID.Example'\nprefix = '88.1'\ncache_bytes = 16_777_216");
        let config = config.unwrap();
        assert_eq!(config.apex.as_str(), "id.example.");
        assert_eq!(config.prefix[0].as_str(), "88.1");
        assert_eq!(config.cache_bytes, 16 << 20);
    }
}
