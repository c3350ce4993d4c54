//! Finding records: by prefix, template, registrant, state, time and attribute.
//!
//! A [`Query`] becomes a [`Find`] with one way through the store: the attribute's index, the
//! template's, the registrant's prefixes, the journal, or the records of a prefix, in this order of
//! preference. Every row on the way is looked at through the asker's eyes: each condition is tried
//! on what the asker may see of the record itself, so that what cannot be read cannot be found, and
//! a row of an index that is being changed does no harm. Work is bounded by [`MAX_ROWS`] and
//! [`MAX_BYTES`]; a page that ends there has a place to go on from.

mod condition;
mod path;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::Arc;

pub use condition::{BadCondition, Condition, Wanted};
pub use walk::{FoundPage, MAX_BYTES, MAX_ROWS, weight};

use super::{Answer, Period, Resolver};
use crate::access::{Asker, Refusal, Right};
use crate::codec::{Corrupt, Reader, Writer};
use crate::identifier::{CanonicalKey, Identifier, Prefix};
use crate::record::{Status, TEMPLATE_INDEX, Value};
use crate::registrant::RegistrantId;
use crate::store::{ColumnId, StoreError};
use crate::template::{Fault, Template};
use condition::Bounds;
use path::Path;

/// What to find; what is left out does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The prefix, with those below it.
    pub prefix: Option<Prefix>,
    /// The template.
    pub template: Option<Identifier>,
    /// Who holds the records.
    pub registrant: Option<RegistrantId>,
    /// Whether they are in use.
    pub status: Option<Status>,
    /// When they were registered.
    pub created: Period,
    /// When their latest version was made.
    pub modified: Period,
    /// What their attributes must be; needs prefix and template.
    pub conditions: Vec<Condition>,
}

/// A query that can be answered: its words are known and the asker may ask it.
#[derive(Debug)]
pub struct Find {
    query: Query,
    template: Option<WantedTemplate>,
    bounds: Vec<(String, Bounds)>,
    path: Path,
}

/// A template that records are found by.
#[derive(Debug)]
struct WantedTemplate {
    /// The node's number for it.
    number: u32,
    key: CanonicalKey,
    /// Its newest published version.
    template: Arc<Template>,
}

/// Where a walk stands: the last row that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    column: ColumnId,
    key: Vec<u8>,
}

impl Query {
    /// What cursors are bound to.
    pub fn text(&self) -> String {
        format!("find {self:?}")
    }
}

impl Resolver {
    /// Checks a query and chooses the way to answer it. Blocks on the disk.
    pub fn prepare(&self, query: Query, asker: &Asker) -> Result<Find, FindError> {
        let template = query.template.as_ref().map(|identifier| {
            self.wanted_template(identifier)?.ok_or_else(|| {
                let message = "is no published template of this node";
                FindError::Faulty(vec![Fault::new("template", "unknown", identifier, message)])
            })
        });
        let template = template.transpose()?;
        let bounds = self.bounds(&query, template.as_ref(), asker)?;
        if let Some(registrant) = &query.registrant {
            check_registrant(registrant, query.prefix.as_ref(), asker)?;
        }
        let path = self.path(&query, template.as_ref(), &bounds)?;
        Ok(Find { query, template, bounds, path })
    }

    fn wanted_template(
        &self,
        identifier: &Identifier,
    ) -> Result<Option<WantedTemplate>, StoreError> {
        let key = identifier.key().clone();
        let Some(head) = self.template_head(&key)?.map(|stored| stored.content) else {
            return Ok(None);
        };
        // The newest version of a template may be a draft, and one that was withdrawn has none
        // that is published; the records of the versions before are found by those.
        for version in head.published.into_iter().chain((1..=head.latest).rev().take(2)) {
            if let Some(template) = self.template(head.number, version)? {
                return Ok(Some(WantedTemplate { number: head.number, key, template }));
            }
        }
        Ok(None)
    }

    /// The conditions as bytes, if the asker may ask for them.
    fn bounds(
        &self,
        query: &Query,
        template: Option<&WantedTemplate>,
        asker: &Asker,
    ) -> Result<Vec<(String, Bounds)>, FindError> {
        if query.conditions.is_empty() {
            return Ok(Vec::new());
        }
        let (Some(wanted), Some(prefix)) = (template, &query.prefix) else {
            return Err(FindError::Incomplete);
        };
        let (mut bounds, mut faults) = (Vec::new(), Vec::new());
        for condition in &query.conditions {
            match condition.bounds(&wanted.template) {
                Ok(found) => bounds.push((condition.attribute.clone(), found)),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(FindError::Faulty(faults));
        }
        let owner_only = |condition: &&Condition| {
            let attribute = wanted.template.attribute(&condition.attribute);
            attribute.is_some_and(|attribute| !attribute.permissions.public_read())
        };
        let secret = query.conditions.iter().find(owner_only);
        if let Some(condition) = secret.filter(|_| !self.sees_all_below(prefix, asker)) {
            if let Asker::Public = asker {
                return Err(FindError::Anonymous);
            }
            let subject = format!("prefix {prefix}, where {} is not public", condition.attribute);
            return Err(FindError::Refused(Refusal { action: "read records", subject }));
        }
        Ok(bounds)
    }

    /// Whether the asker may read everything under a prefix and the prefixes below it.
    fn sees_all_below(&self, prefix: &Prefix, asker: &Asker) -> bool {
        let zones = self.zones();
        let below = zones.iter().filter(|zone| prefix.covers(&zone.prefix));
        let sees = |of: &Prefix, zone: &super::Zone| {
            asker.sees_all(of, zone.allocation.registrant.as_ref())
        };
        let above = self.zone_of(prefix);
        above.is_none_or(|zone| sees(prefix, &zone))
            && below.into_iter().all(|zone| sees(&zone.prefix, zone))
    }
}

impl Find {
    /// Whether the asker may see of a record that it is one of those wanted.
    fn wants(&self, answer: &Answer, holder: impl FnOnce() -> Option<RegistrantId>) -> bool {
        let (query, record) = (&self.query, &answer.stored.record);
        query.status.is_none_or(|status| record.status == status)
            && query.created.contains(record.created_ms)
            && query.modified.contains(record.modified_ms)
            && query.prefix.as_ref().is_none_or(|prefix| prefix.covers(&record.identifier.prefix()))
            && self.template.as_ref().is_none_or(|wanted| shows_template(answer, wanted))
            && self.bounds.iter().all(|(name, bounds)| self.shows_value(answer, name, bounds))
            && query.registrant.as_ref().is_none_or(|wanted| holder().as_ref() == Some(wanted))
    }

    fn shows_value(&self, answer: &Answer, name: &str, bounds: &Bounds) -> bool {
        let text = visible(answer, bounds.attribute).and_then(Value::text);
        let template = self.template.as_ref().map(|wanted| &wanted.template);
        let bytes = template.zip(text).and_then(|(template, text)| {
            template.index_bytes(name, text).ok().map(|(_, bytes)| bytes)
        });
        bytes.is_some_and(|bytes| bounds.contain(&bytes))
    }
}

fn shows_template(answer: &Answer, wanted: &WantedTemplate) -> bool {
    let text = visible(answer, TEMPLATE_INDEX).and_then(Value::text);
    text.is_some_and(|text| text.eq_ignore_ascii_case(wanted.key.text()))
}

fn visible(answer: &Answer, index: u32) -> Option<&Value> {
    answer.view().values().find(|value| value.index == index)
}

/// Whose records somebody holds is for those to ask who may read them.
fn check_registrant(
    registrant: &RegistrantId,
    prefix: Option<&Prefix>,
    asker: &Asker,
) -> Result<(), FindError> {
    let Asker::Actor(actor) = asker else { return Err(FindError::Anonymous) };
    let holder = Some(registrant);
    let all = || [Right::Read, Right::Inspect].into_iter().any(|right| actor.has(right, holder));
    if all() || prefix.is_some_and(|prefix| asker.sees_all(prefix, holder)) {
        return Ok(());
    }
    let subject = format!("registrant {registrant}");
    Err(FindError::Refused(Refusal { action: Right::Inspect.as_str(), subject }))
}

impl Place {
    /// The place as bytes for a cursor.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.key.len() + 1);
        writer.u8(self.column as u8).raw(&self.key);
        writer.into_bytes()
    }

    /// Reads what [`Place::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        let column = reader.u8("column")?;
        let known = [ColumnId::Records, ColumnId::Indexes, ColumnId::Journal];
        let column = known.into_iter().find(|known| *known as u8 == column);
        let column = column.ok_or(Corrupt::Range("column"))?;
        Ok(Self { column, key: reader.rest().to_vec() })
    }
}

/// Why a query was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FindError {
    /// Conditions on attributes say nothing without a template and a prefix.
    #[error("conditions on attributes need a template and a prefix: add both")]
    Incomplete,
    /// The template is unknown, an attribute is not indexed, or a value is none of its type.
    #[error("{}", .0.iter().map(Fault::to_string).collect::<Vec<_>>().join("; "))]
    Faulty(Vec<Fault>),
    /// What not everybody may see is not for those to ask for who send no token.
    #[error("send a token that may read all that is asked for")]
    Anonymous,
    /// The asker may not see what it would be told.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Resolver {
    /// Up to `limit` records behind `from`, as the asker may see them. Blocks on the disk.
    ///
    /// The page ends early when it holds about `most_bytes`, or when more rows or bytes were looked
    /// at than one request may; `next` then says where to go on.
    pub fn find_page(
        &self,
        find: &Find,
        asker: &Asker,
        from: Option<&Place>,
        limit: usize,
        most_bytes: usize,
    ) -> Result<FoundPage, StoreError> {
        walk::walk(self, find, asker, from, limit, most_bytes)
    }
}
