//! Templates: their heads as they are, their published versions compiled once.
//!
//! A published version never changes, so it is kept in memory under its number and version. Heads
//! are remembered as long as no document changes; drafts are read each time.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::Resolver;
use crate::codec::canonical_json;
use crate::identifier::CanonicalKey;
use crate::store::{
    Document, DocumentKey, Remembered, StoreError, StoredDocument, find_document, scan_documents,
};
use crate::template::{Template, TemplateHead, TemplateVersion, version_id};

/// Published versions in memory, by number and version.
pub(super) type Templates = quick_cache::sync::Cache<(u32, u64), Arc<Template>>;

/// Heads in memory, by canonical key.
pub(super) type Heads = Remembered<DocumentKey, StoredDocument<TemplateHead>>;

impl Resolver {
    /// The template at an identifier, drafts and withdrawn ones included. Blocks on the disk.
    pub fn template_head(
        &self,
        key: &CanonicalKey,
    ) -> Result<Option<StoredDocument<TemplateHead>>, StoreError> {
        let id = key.text().to_owned();
        let key = DocumentKey { kind: TemplateHead::KIND, id };
        Ok(self.heads.get(&*self.store, &key)?.map(|head| (*head).clone()))
    }

    /// Up to `limit` templates in order of their keys, which begin with `start` and come behind
    /// `after`; the keys come with them. Blocks on the disk.
    pub fn templates(
        &self,
        start: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, StoredDocument<TemplateHead>)>, StoreError> {
        let mut found = Vec::new();
        scan_documents(&*self.store, start, after, |key, stored| {
            found.push((key, stored));
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(found)
    }

    /// A version of the template with this number, published or not. Blocks on the disk.
    pub fn template_version(
        &self,
        number: u32,
        version: u64,
    ) -> Result<Option<StoredDocument<TemplateVersion>>, StoreError> {
        find_document(&*self.store, &version_id(number, version))
    }

    /// A published version of the template with this number, ready to check records; none while
    /// it is a draft. Blocks on the disk the first time.
    pub fn template(&self, number: u32, version: u64) -> Result<Option<Arc<Template>>, StoreError> {
        if let Some(template) = self.templates.get(&(number, version)) {
            return Ok(Some(template));
        }
        let stored = self.template_version(number, version)?;
        let Some(stored) = stored.filter(|stored| stored.content.published) else {
            return Ok(None);
        };
        let text = canonical_json(&stored.content.definition);
        let template = Arc::new(Template::from_json(text.as_bytes()).map_err(|faults| {
            let fault = faults.first().map(ToString::to_string).unwrap_or_default();
            StoreError::Engine(format!("template {number} version {version} is broken: {fault}"))
        })?);
        self.templates.insert((number, version), Arc::clone(&template));
        Ok(Some(template))
    }
}

/// Published versions kept in memory; the largest takes about a megabyte.
pub(super) const TEMPLATES: usize = 256;
