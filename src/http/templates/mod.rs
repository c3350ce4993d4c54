//! `/api/v1/templates`: typed descriptions of what records carry.
//!
//! What was published is for everybody to read; drafts are for those who keep or inspect the
//! templates of whoever holds the prefix.

pub(super) mod change;
pub(super) mod read;
pub(super) mod shipped;

use axum::http::Uri;
use serde::Serialize;
use serde_json::Value as Json;

use super::problem::Problem;
use super::{App, path};
use crate::access::{Asker, Right};
use crate::identifier::Identifier;
use crate::record::timestamp;
use crate::registry::RegistryError;
use crate::resolver::Resolver;
use crate::store::{StoreError, StoredDocument};
use crate::template::TemplateHead;

/// A template.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Template, example = json!({
    "identifier": "88.118.8/template/product", "number": 1, "registrant": "acme",
    "state": "published", "published": 1, "newest": 1, "version": 2,
    "created": "2026-01-05T08:00:00.000Z", "modified": "2026-01-05T08:00:00.000Z"
}))]
pub(super) struct TemplateDocument {
    /// The template's identifier.
    #[schema(example = "88.118.8/template/product")]
    identifier: String,
    /// The node's own short number for it.
    number: u32,
    /// Who keeps it; left out for the node's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    registrant: Option<String>,
    /// Where it stands.
    state: TemplateState,
    /// The version that new records follow; left out while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<u64>,
    /// The newest version that was ever published; left out before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<u64>,
    /// The version that is drafted; shown to those who keep or inspect the template.
    #[serde(skip_serializing_if = "Option::is_none")]
    draft: Option<u64>,
    /// Counts every change to the template; the ETag.
    version: u64,
    /// When it was first drafted (RFC 3339).
    created: String,
    /// When it was last changed (RFC 3339).
    modified: String,
    /// The definition of the newest version that the asker may see, and in lists none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    definition: Option<Json>,
}

/// Where a template stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TemplateState {
    /// No version was published yet.
    Draft,
    /// New records may follow it.
    Published,
    /// No new records may follow it.
    Withdrawn,
}

/// A template as one asker sees it.
struct Seen {
    stored: StoredDocument<TemplateHead>,
    /// Whether the asker sees drafts.
    keeps: bool,
    /// Whether the newest version is a draft.
    drafted: bool,
}

impl Seen {
    /// None when the asker may not see that there is a template. Blocks on the disk.
    fn read(
        resolver: &Resolver,
        asker: &Asker,
        stored: StoredDocument<TemplateHead>,
    ) -> Result<Option<Self>, StoreError> {
        let head = &stored.content;
        let drafted = match head.published {
            Some(published) => published < head.latest,
            None => {
                let newest = resolver.template_version(head.number, head.latest)?;
                newest.is_none_or(|newest| !newest.content.published)
            }
        };
        let keeps = may_keep(resolver, asker, head);
        let seen = Self { keeps, drafted, stored };
        Ok((keeps || seen.newest().is_some()).then_some(seen))
    }

    fn head(&self) -> &TemplateHead {
        &self.stored.content
    }

    /// The newest version that was published.
    fn newest(&self) -> Option<u64> {
        let newest = self.head().latest - u64::from(self.drafted);
        (newest > 0).then_some(newest)
    }

    fn sees(&self, version: u64) -> bool {
        self.newest().is_some_and(|newest| version <= newest) || self.keeps
    }

    /// The newest version that the asker sees.
    fn shown(&self) -> u64 {
        if self.keeps { self.head().latest } else { self.newest().unwrap_or_default() }
    }

    fn document(&self, definition: Option<Json>) -> TemplateDocument {
        let head = self.head();
        let state = match (head.withdrawn, head.published) {
            (true, _) => TemplateState::Withdrawn,
            (false, Some(_)) => TemplateState::Published,
            (false, None) => TemplateState::Draft,
        };
        TemplateDocument {
            identifier: head.identifier.clone(),
            number: head.number,
            registrant: head.holder.as_ref().map(ToString::to_string),
            state,
            published: head.published,
            newest: self.newest(),
            draft: Some(head.latest).filter(|_| self.drafted && self.keeps),
            version: self.stored.version,
            created: timestamp(self.stored.created_ms),
            modified: timestamp(self.stored.modified_ms),
            definition,
        }
    }
}

/// Whether the asker keeps or inspects the template.
fn may_keep(resolver: &Resolver, asker: &Asker, head: &TemplateHead) -> bool {
    let Asker::Actor(actor) = asker else { return false };
    let prefix = Identifier::literal(&head.identifier).map(|identifier| identifier.prefix()).ok();
    let zone = prefix.and_then(|prefix| resolver.zone_of(&prefix));
    let holder = zone.as_ref().and_then(|zone| zone.allocation.registrant.as_ref());
    actor.has(Right::Templates, holder) || actor.has(Right::Inspect, holder)
}

/// The template that a path is about, as the asker sees it.
async fn seen(app: &App, uri: &Uri, asker: Asker) -> Result<Seen, Problem> {
    let identifier = identifier(uri)?;
    let resolver = std::sync::Arc::clone(&app.resolver);
    let key = identifier.key().clone();
    let read = move || {
        let head = resolver.template_head(&key)?;
        head.map_or(Ok(None), |head| Seen::read(&resolver, &asker, head))
    };
    let absent = || RegistryError::Absent(format!("template {identifier}"));
    Ok(app.pool.run(read).await??.ok_or_else(absent)?)
}

/// The identifier in a path below `/api/v1/templates/`.
fn identifier(uri: &Uri) -> Result<Identifier, Problem> {
    path::decode(path::segment(uri, TEMPLATES))
}

/// Where the templates are.
const TEMPLATES: &str = "/api/v1/templates/";
