//! Templates as questions need them: by identifier, read once.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::Resolver;
use crate::identifier::{CanonicalKey, Identifier};
use crate::store::{StoreError, find_document};
use crate::template::{Template, TemplateHead, TemplateVersion, version_id};

/// A template that records are found by.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The node's number for it.
    pub number: u32,
    /// Its identifier.
    pub key: CanonicalKey,
    /// Its newest version that counts.
    pub template: Arc<Template>,
}

/// Published versions, which never change.
pub(super) struct Templates(Cache<(u32, u64), Arc<Template>>);

impl Templates {
    pub(super) fn new() -> Self {
        Self(Cache::new(MAX_TEMPLATES))
    }
}

impl Resolver {
    /// The template of this identifier; none when this node has none such, or one that cannot be
    /// read.
    pub(super) fn template(&self, identifier: &Identifier) -> Result<Option<Wanted>, StoreError> {
        let key = identifier.key();
        let head = find_document::<TemplateHead>(&*self.store, key.text())?;
        let Some(head) = head.map(|stored| stored.content) else { return Ok(None) };
        let (number, version) = (head.number, head.published.unwrap_or(head.latest));
        let wanted = |template| Some(Wanted { number, key: key.clone(), template });
        if let Some(template) = self.templates.0.get(&(number, version)) {
            return Ok(wanted(template));
        }
        let id = version_id(number, version);
        let Some(stored) = find_document::<TemplateVersion>(&*self.store, &id)? else {
            return Ok(None);
        };
        let definition = serde_json::to_vec(&stored.content.definition).unwrap_or_default();
        let Ok(template) = Template::from_json(&definition) else { return Ok(None) };
        let template = Arc::new(template);
        if stored.content.published {
            self.templates.0.insert((number, version), Arc::clone(&template));
        }
        Ok(wanted(template))
    }
}

/// Most templates kept in memory.
const MAX_TEMPLATES: usize = 256;
