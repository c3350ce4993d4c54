//! What one asker may see of a record.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Record, Value};

/// Which of a record's values an asker sees. Part of the ETag, so that views never mix in caches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewKind {
    /// Values that everybody may read, and attributes that are granted to everybody.
    Public(Extra),
    /// What everybody sees, and attributes that are granted to the asker.
    Granted(Extra),
    /// Every value; secrets that never leave are still left out.
    Full,
}

impl ViewKind {
    /// The public view of a record of which nothing more is granted to everybody.
    pub const PUBLIC: ViewKind = ViewKind::Public(Extra(None));

    /// The word in the ETag: `"<version>.<view>"`. It differs when other values are seen.
    pub fn tag(&self) -> Cow<'static, str> {
        match self {
            ViewKind::Public(Extra(None)) => "public".into(),
            ViewKind::Public(extra) => format!("public-{}", extra.digest()).into(),
            ViewKind::Granted(extra) => format!("granted-{}", extra.digest()).into(),
            ViewKind::Full => "full".into(),
        }
    }

    /// Whether everybody sees the same.
    pub fn is_public(&self) -> bool {
        matches!(self, ViewKind::Public(_))
    }

    /// Whether nothing but the record itself decides what is seen, so that an answer is as old as
    /// the record's version.
    pub fn follows_the_record(&self) -> bool {
        matches!(self, ViewKind::Public(Extra(None)) | ViewKind::Full)
    }

    fn shows(&self, value: &Value) -> bool {
        match self {
            ViewKind::Public(extra) | ViewKind::Granted(extra) => {
                value.permissions.public_read() || extra.contains(value.index)
            }
            ViewKind::Full => true,
        }
    }
}

/// Indexes of attributes that a grant shows beside the values that everybody may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra(Option<Arc<[u32]>>);

impl Extra {
    /// These indexes, ascending.
    pub fn new(indexes: Vec<u32>) -> Self {
        debug_assert!(indexes.is_sorted_by(|one, next| one < next));
        Self((!indexes.is_empty()).then(|| indexes.into()))
    }

    fn contains(&self, index: u32) -> bool {
        self.0.as_ref().is_some_and(|indexes| indexes.binary_search(&index).is_ok())
    }

    /// The first eight bytes of SHA-256 over the indexes, in hex.
    fn digest(&self) -> String {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for index in self.0.iter().flat_map(|indexes| indexes.iter()) {
            context.update(&index.to_be_bytes());
        }
        let digest = context.finish();
        digest
            .as_ref()
            .first_chunk::<8>()
            .map(|head| data_encoding::HEXLOWER.encode(head))
            .unwrap_or_default()
    }
}

/// A record as one asker sees it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The record.
    pub record: &'a Record,
    /// Which values are seen.
    pub kind: &'a ViewKind,
}

impl<'a> View<'a> {
    /// The values seen, in ascending order of index.
    pub fn values(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let kind = self.kind;
        self.record
            .values
            .iter()
            .filter(move |value| kind.shows(value) && !value.is_type("HS_SECKEY"))
    }

    /// Where the identifier leads: the visible `URL` value with the lowest index.
    pub fn url(&self) -> Option<&'a str> {
        self.values().find(|value| value.is_type("URL")).and_then(Value::text)
    }

    /// The entity tag, quotes included.
    pub fn etag(&self) -> String {
        format!("\"{}.{}\"", self.record.version, self.kind.tag())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_differ_when_other_values_are_seen() {
        let extra = |indexes: &[u32]| Extra::new(indexes.to_vec());
        let kinds = [
            ViewKind::PUBLIC,
            ViewKind::Full,
            ViewKind::Public(extra(&[2_000])),
            ViewKind::Public(extra(&[2_001])),
            ViewKind::Public(extra(&[2_000, 2_001])),
            ViewKind::Granted(extra(&[2_000])),
        ];
        let tags: std::collections::BTreeSet<_> = kinds.iter().map(ViewKind::tag).collect();
        assert_eq!(tags.len(), kinds.len(), "{tags:?}");
        assert_eq!((kinds[0].tag().as_ref(), kinds[1].tag().as_ref()), ("public", "full"));
        assert_eq!(ViewKind::Public(extra(&[])), ViewKind::PUBLIC);
    }
}
