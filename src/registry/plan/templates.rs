//! Planning: templates.
//!
//! A template's head and its versions are documents. Publishing also writes the record at the
//! template's identifier, by which it resolves, and withdrawing retires it, in the same change.

use std::sync::Arc;

use serde_json::Value as Json;

use super::prefixes::Zone;
use super::records::check_condition;
use super::steps::{Extent, Parts};
use super::templated::Contents;
use super::{Plan, Planning, Receipt};
use crate::access::{Authority, Right};
use crate::codec::canonical_json;
use crate::identifier::Identifier;
use crate::ledger::EntryKind;
use crate::record::{
    ATTRIBUTES_FROM, Form, MAX_VALUE_BYTES, Permissions, Status, TEMPLATE_DEFINITION, Ttl, Value,
};
use crate::registrant::Allocation;
use crate::registry::submit::CountChange;
use crate::registry::{Condition, RegistryError, TemplateCommand};
use crate::store::{StoreError, StoredDocument, StoredRecord};
use crate::template::{Fault, Template, TemplateHead, TemplateVersion, version_id};

/// A template as it is, before a change.
struct Kept {
    head: Option<StoredDocument<TemplateHead>>,
    record: Option<StoredRecord>,
    zone: Arc<Zone>,
    allocation: Allocation,
    authority: Authority,
}

impl Planning<'_> {
    pub(super) fn template(self, command: &TemplateCommand) -> Result<Plan, RegistryError> {
        match command {
            TemplateCommand::Draft { identifier, template, condition } => {
                self.draft_template(identifier, template, *condition)
            }
            TemplateCommand::Publish { identifier, condition } => {
                self.publish_template(identifier, *condition)
            }
            TemplateCommand::Withdraw { identifier, condition } => {
                self.withdraw_template(identifier, *condition)
            }
        }
    }

    fn draft_template(
        mut self,
        identifier: &Identifier,
        template: &Template,
        condition: Condition,
    ) -> Result<Plan, RegistryError> {
        let kept = self.kept(identifier, condition)?;
        let content = TemplateVersion { published: false, definition: template.to_json() };
        check_size(&content.definition)?;
        let (stored, draft) = match &kept.head {
            None => {
                if kept.record.is_some() {
                    return Err(RegistryError::Taken(identifier.to_string()));
                }
                self.check_length(identifier)?;
                return self.first_draft(identifier, kept, &content);
            }
            Some(stored) => {
                (stored, self.version_of(identifier, &stored.content, stored.content.latest)?)
            }
        };
        let mut head = stored.content.clone();
        let current = Some(&draft).filter(|draft| !draft.content.published);
        // A withdrawn template comes back by a new version, even one that says the same.
        let in_force = current.is_some() || !head.withdrawn;
        if in_force && draft.content.definition == content.definition {
            return Ok(Plan::Done(document(identifier, stored.version)));
        }
        if current.is_none() {
            head.latest += 1;
        }
        self.check_successor(identifier, &head, template)?;
        head.holder = kept.allocation.registrant.clone();
        let by = self.version(&kept.authority);
        let kind = EntryKind::Template;
        let effects = vec![
            by.put(kind, identifier.key().text(), Some(stored), &head),
            by.put(kind, &version_id(head.number, head.latest), current, &content),
        ];
        Ok(self.change(kept.authority, effects))
    }

    /// The change that makes a new template.
    fn first_draft(
        mut self,
        identifier: &Identifier,
        kept: Kept,
        content: &TemplateVersion,
    ) -> Result<Plan, RegistryError> {
        let number = self.registry.numbers.take(&*self.registry.store, NUMBERS, 1)?;
        let short = u32::try_from(number).map_err(|_| RegistryError::WrongState {
            subject: "this node".into(),
            state: "out of numbers for templates".into(),
            remedy: "use another node".into(),
        })?;
        // Nobody else's number, however it was come by.
        self.document::<TemplateVersion>(&version_id(short, 1))?;
        let head = TemplateHead {
            number: short,
            identifier: identifier.to_string(),
            holder: kept.allocation.registrant,
            latest: 1,
            published: None,
            withdrawn: false,
        };
        let by = self.version(&kept.authority);
        let effects = vec![
            by.put(EntryKind::Template, identifier.key().text(), None, &head),
            by.put(EntryKind::Template, &version_id(short, 1), None, content),
        ];
        let count = CountChange::Raise { counter: NUMBERS.to_owned(), to: number };
        Ok(self.change(kept.authority, effects).counting([count]))
    }

    fn publish_template(
        mut self,
        identifier: &Identifier,
        condition: Condition,
    ) -> Result<Plan, RegistryError> {
        let kept = self.kept(identifier, condition)?;
        let stored = kept.head.ok_or_else(|| absent(identifier))?;
        let mut head = stored.content.clone();
        let draft = self.version_of(identifier, &head, head.latest)?;
        if draft.content.published {
            return Err(RegistryError::WrongState {
                subject: identifier.to_string(),
                state: "without a draft".into(),
                remedy: "write the draft of its next version first".into(),
            });
        }
        let template = compile(identifier, &draft.content)?;
        self.check_successor(identifier, &head, &template)?;
        head.published = Some(head.latest);
        head.withdrawn = false;
        head.holder = kept.allocation.registrant.clone();
        let content = TemplateVersion { published: true, ..draft.content.clone() };
        let parts = Parts {
            identifier: identifier.clone(),
            current: kept.record,
            zone: &kept.zone.prefix,
            allocation: &kept.allocation,
            status: Status::Active,
            contents: Contents::free(values(&template, head.latest, self.now_ms)),
            before: None,
        };
        let mut extent = Extent::default();
        let record = self.effect(parts, kept.authority.account(), &mut extent);
        let by = self.version(&kept.authority);
        let kind = EntryKind::Template;
        let effects = vec![
            by.put(kind, identifier.key().text(), Some(&stored), &head),
            by.put(kind, &version_id(head.number, head.latest), Some(&draft), &content),
            record,
        ];
        Ok(self.change(kept.authority, effects).reaching(extent))
    }

    fn withdraw_template(
        mut self,
        identifier: &Identifier,
        condition: Condition,
    ) -> Result<Plan, RegistryError> {
        let kept = self.kept(identifier, condition)?;
        let stored = kept.head.ok_or_else(|| absent(identifier))?;
        let mut head = stored.content.clone();
        if head.withdrawn {
            return Ok(Plan::Done(document(identifier, stored.version)));
        }
        if head.published.is_none() {
            return Err(RegistryError::WrongState {
                subject: identifier.to_string(),
                state: "a draft".into(),
                remedy: "only what was published can be withdrawn".into(),
            });
        }
        head.published = None;
        head.withdrawn = true;
        let parts = Parts {
            identifier: identifier.clone(),
            current: kept.record,
            zone: &kept.zone.prefix,
            allocation: &kept.allocation,
            status: Status::Retired,
            contents: Contents::default(),
            before: None,
        };
        let mut extent = Extent::default();
        let record = self.effect(parts, kept.authority.account(), &mut extent);
        let by = self.version(&kept.authority);
        let head = by.put(EntryKind::Template, identifier.key().text(), Some(&stored), &head);
        Ok(self.change(kept.authority, vec![head, record]).reaching(extent))
    }

    /// Reads a template, its record and its prefix, which must stay as they are; the actor must
    /// keep templates of whoever holds the prefix.
    fn kept(
        &mut self,
        identifier: &Identifier,
        condition: Condition,
    ) -> Result<Kept, RegistryError> {
        let target = self.target_of_any_kind(identifier, condition)?;
        let holder = target.allocation.registrant.as_ref();
        let authority = self.actor.authorise_right(Right::Templates, holder)?;
        self.expect_changeable(&target.zone, holder)?;
        let head = self.head(identifier.key())?;
        check_condition(identifier, condition, head.as_ref().map(|head| head.version))?;
        let (record, zone, allocation) = (target.current, target.zone, target.allocation);
        Ok(Kept { head, record, zone, allocation, authority })
    }

    /// A version that the head names.
    fn version_of(
        &mut self,
        identifier: &Identifier,
        head: &TemplateHead,
        version: u64,
    ) -> Result<StoredDocument<TemplateVersion>, RegistryError> {
        let found = self.document(&version_id(head.number, version))?;
        found.ok_or_else(|| broken(identifier, version).into())
    }

    /// Checks that the head's latest version may follow the one before, if there is one.
    fn check_successor(
        &mut self,
        identifier: &Identifier,
        head: &TemplateHead,
        template: &Template,
    ) -> Result<(), RegistryError> {
        let before = head.latest - 1;
        if before == 0 {
            return Ok(());
        }
        let published = self.registry.resolver.template(head.number, before)?;
        let published = published.ok_or_else(|| broken(identifier, before))?;
        template.check_successor(&published).map_err(RegistryError::Faulty)
    }
}

/// What the record at a template's identifier holds.
fn values(template: &Template, version: u64, now_ms: u64) -> Vec<Value> {
    let value = |index, kind: &str, text: String, form| Value {
        index,
        kind: kind.to_owned(),
        data: text.into_bytes(),
        form,
        ttl: Ttl::DEFAULT,
        permissions: Permissions::DEFAULT,
        timestamp: u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX),
        references: Vec::new(),
    };
    let labels = template.labels();
    let definition = canonical_json(&template.to_json());
    vec![
        value(1, TEMPLATE_DEFINITION, definition, Form::Text),
        value(ATTRIBUTES_FROM, "label_zh", labels.zh().to_owned(), Form::Text),
        value(ATTRIBUTES_FROM + 1, "label_en", labels.en().to_owned(), Form::Text),
        value(ATTRIBUTES_FROM + 2, "version", version.to_string(), Form::Integer),
        value(ATTRIBUTES_FROM + 3, "state", "published".to_owned(), Form::Text),
    ]
}

/// Refuses definitions that no value could hold.
fn check_size(definition: &Json) -> Result<(), RegistryError> {
    let bytes = canonical_json(definition).len();
    if bytes > MAX_VALUE_BYTES {
        let message = format!("a definition of {bytes} bytes; at most {MAX_VALUE_BYTES} fit");
        return Err(RegistryError::Faulty(vec![Fault::new("", "length", "", message)]));
    }
    Ok(())
}

fn compile(identifier: &Identifier, draft: &TemplateVersion) -> Result<Template, RegistryError> {
    let text = canonical_json(&draft.definition);
    Template::from_json(text.as_bytes()).map_err(|_| broken(identifier, 0).into())
}

fn document(identifier: &Identifier, version: u64) -> Receipt {
    Receipt::Document { id: identifier.key().text().to_owned(), version }
}

fn absent(identifier: &Identifier) -> RegistryError {
    RegistryError::Absent(format!("template {identifier}"))
}

/// The store lacks what a head names, or cannot read it.
fn broken(identifier: &Identifier, version: u64) -> StoreError {
    let text =
        format!("version {version} of template {identifier} is broken: run `nameplate check`");
    StoreError::Engine(text)
}

/// Counter of the numbers of templates.
const NUMBERS: &str = "templates/number";
