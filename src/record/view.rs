//! What one asker may see of a record.

use super::{Record, Value};

/// Which of a record's values an asker sees. Part of the ETag, so that views never mix in caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewKind {
    /// Values that everybody may read.
    Public,
    /// Every value; secrets that never leave are still left out.
    Full,
}

impl ViewKind {
    /// The word in the ETag: `"<version>.<view>"`.
    pub fn as_str(self) -> &'static str {
        match self {
            ViewKind::Public => "public",
            ViewKind::Full => "full",
        }
    }
}

/// A record as one asker sees it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The record.
    pub record: &'a Record,
    /// Which values are seen.
    pub kind: ViewKind,
}

impl<'a> View<'a> {
    /// The values seen, in ascending order of index.
    pub fn values(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let kind = self.kind;
        self.record.values.iter().filter(move |value| match kind {
            ViewKind::Public => value.permissions.public_read() && !value.is_type("HS_SECKEY"),
            ViewKind::Full => !value.is_type("HS_SECKEY"),
        })
    }

    /// Where the identifier leads: the visible `URL` value with the lowest index.
    pub fn url(&self) -> Option<&'a str> {
        self.values().find(|value| value.is_type("URL")).and_then(Value::text)
    }

    /// The entity tag, quotes included.
    pub fn etag(&self) -> String {
        format!("\"{}.{}\"", self.record.version, self.kind.as_str())
    }
}
