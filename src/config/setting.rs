//! How each type of key is read from text and shown in TOML.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::identifier::Prefix;

/// A type that keys can have.
pub(super) trait Setting: Sized {
    /// Whether several values may be given.
    const LIST: bool = false;

    /// Reads the texts given for the key; the error says what would be right.
    fn read(texts: &[String]) -> Result<Self, String>;

    /// The value as the file would have it.
    fn to_toml(&self) -> toml::Value;
}

/// One value in text form, for the types that have no list and no absence.
pub(super) trait Single: Sized {
    /// Reads the value; the error says what would be right.
    fn read_single(text: &str) -> Result<Self, String>;

    /// The value as the file would have it.
    fn show(&self) -> toml::Value;

    /// What stands for no value.
    const NONE: &'static str = "";
}

impl<T: Single> Setting for T {
    fn read(texts: &[String]) -> Result<Self, String> {
        match texts {
            [text] => T::read_single(text),
            texts => Err(format!("{} values; this key takes one", texts.len())),
        }
    }

    fn to_toml(&self) -> toml::Value {
        self.show()
    }
}

impl<T: Single> Setting for Option<T> {
    fn read(texts: &[String]) -> Result<Self, String> {
        match texts {
            [text] if text.is_empty() || text == T::NONE => Ok(None),
            texts => T::read(texts).map(Some),
        }
    }

    fn to_toml(&self) -> toml::Value {
        self.as_ref().map_or_else(|| T::NONE.into(), Single::show)
    }
}

impl<T: Single> Setting for Vec<T> {
    const LIST: bool = true;

    fn read(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| T::read_single(text)).collect()
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Array(self.iter().map(Single::show).collect())
    }
}

impl Single for SocketAddr {
    const NONE: &'static str = "off";

    fn read_single(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            format!("{text:?} is no address: write IP:PORT, such as 127.0.0.1:8080 or [::]:8080")
        })
    }

    fn show(&self) -> toml::Value {
        self.to_string().into()
    }
}

impl Single for IpAddr {
    fn read_single(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text:?} is no IP address: write 192.0.2.1 or ::1"))
    }

    fn show(&self) -> toml::Value {
        self.to_string().into()
    }
}

impl Single for PathBuf {
    fn read_single(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty path: name a file or folder".into());
        }
        Ok(text.into())
    }

    fn show(&self) -> toml::Value {
        self.to_string_lossy().into_owned().into()
    }
}

impl Single for String {
    fn read_single(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err(format!("{text:?} holds control characters: leave them out"));
        }
        Ok(text.to_owned())
    }

    fn show(&self) -> toml::Value {
        self.as_str().into()
    }
}

impl Single for bool {
    fn read_single(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("{text:?} is neither true nor false")),
        }
    }

    fn show(&self) -> toml::Value {
        (*self).into()
    }
}

impl Single for Prefix {
    fn read_single(text: &str) -> Result<Self, String> {
        let prefix = Prefix::parse(text).map_err(|error| error.to_string())?;
        if prefix.is_reserved() {
            return Err(format!("{text:?} begins like a path that HTTP keeps for itself"));
        }
        if prefix.arcs().any(|arc| arc.len() > 63) {
            return Err(format!("{text:?} has a part of over 63 octets, too long for DNS"));
        }
        Ok(prefix)
    }

    fn show(&self) -> toml::Value {
        self.as_str().into()
    }
}

impl Single for u64 {
    fn read_single(text: &str) -> Result<Self, String> {
        text.replace('_', "").parse().map_err(|_| format!("{text:?} is no whole number"))
    }

    fn show(&self) -> toml::Value {
        toml::Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl Single for u32 {
    fn read_single(text: &str) -> Result<Self, String> {
        let number = u64::read_single(text)?;
        u32::try_from(number).map_err(|_| format!("{number} is too large"))
    }

    fn show(&self) -> toml::Value {
        u64::from(*self).show()
    }
}

impl Single for usize {
    fn read_single(text: &str) -> Result<Self, String> {
        let number = u64::read_single(text)?;
        usize::try_from(number).map_err(|_| format!("{number} is too large"))
    }

    fn show(&self) -> toml::Value {
        (*self as u64).show()
    }
}

/// Refuses numbers outside their range.
pub(super) fn check_range<T: PartialOrd + Display>(
    value: &T,
    range: &RangeInclusive<T>,
) -> Result<(), String> {
    if range.contains(value) {
        return Ok(());
    }
    Err(format!("{value} is out of range: {} to {}", range.start(), range.end()))
}
