//! Planning: grants, and edits by grant.
//!
//! Grants of one granter, and the groups they name, change one after the other: every such change
//! guards and touches the granter's book, a row that is never there. An edit by grant guards the
//! book too, so that no change of grants goes unnoticed by it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::{Plan, Planning, Receipt};
use crate::access::{Action, Authority, Refusal, Right};
use crate::identifier::Identifier;
use crate::ledger::EntryKind;
use crate::record::{Patch, Record, TemplateChoice};
use crate::registrant::{
    Access, Grant, GrantSubject, Grantee, Group, GroupId, MAX_GRANTS_ON_SUBJECT, Registrant,
    RegistrantId, granter_of, granter_text,
};
use crate::registry::submit::RowChange;
use crate::registry::{GrantCommand, RegistryError};
use crate::resolver::{Allowed, granted_on};
use crate::store::{
    ColumnId, DocumentKey, DocumentKind, IndexKey, RECORDS, StoredRecord, document_guard,
    find_document, key_bytes, scan_documents,
};
use crate::template::{Fault, MAX_ATTRIBUTES, Template, TemplateHead, TemplateVersion, version_id};

impl Planning<'_> {
    pub(super) fn grant(self, command: &GrantCommand) -> Result<Plan, RegistryError> {
        match command {
            GrantCommand::Give(grant) => self.give(grant),
            GrantCommand::Revoke { id } => self.revoke(id),
            GrantCommand::KeepGroup { id, members, condition } => {
                self.keep_group(id, members, *condition)
            }
            GrantCommand::RemoveGroup { id, condition } => self.remove_group(id, *condition),
        }
    }

    fn give(mut self, wanted: &Grant) -> Result<Plan, RegistryError> {
        let authority = self.actor.authorise_right(Right::Grants, wanted.granter.as_ref())?;
        self.guard_book(wanted.granter.as_ref());
        let mut faults = Vec::new();
        self.check_grantee(wanted, &mut faults)?;
        let subject = self.check_subject(wanted, &mut faults)?;
        let names: BTreeSet<&String> = wanted.attributes.iter().collect();
        let grant = Grant {
            granter: wanted.granter.clone(),
            subject: subject.unwrap_or_else(|| wanted.subject.clone()),
            grantee: wanted.grantee.clone(),
            attributes: names.into_iter().cloned().collect(),
            access: wanted.access,
            revoked: false,
        };
        let id = grant.id();
        let current = self.document::<Grant>(&id)?;
        if faults.is_empty() && current.as_ref().is_none_or(|current| current.content.revoked) {
            self.check_count(&grant, &mut faults)?;
        }
        if !faults.is_empty() {
            return Err(RegistryError::Faulty(faults));
        }
        if let Some(current) = current.as_ref().filter(|current| current.content == grant) {
            return Ok(Plan::Done(Receipt::Document { id, version: current.version }));
        }
        let effect = self.version(&authority).put(EntryKind::Grant, &id, current.as_ref(), &grant);
        let mut rows = vec![touch_book(grant.granter.as_ref()), index_row(&grant, true)];
        if let Grantee::Group(group) = &grant.grantee {
            rows.push(touch_uses(group));
        }
        Ok(self.change(authority, vec![effect]).with_rows(rows))
    }

    fn revoke(mut self, id: &str) -> Result<Plan, RegistryError> {
        let absent = || RegistryError::Absent(format!("grant {id}"));
        let granter = granter_of(id).ok_or_else(absent)?;
        let authority = self.actor.authorise_right(Right::Grants, granter.as_ref())?;
        self.guard_book(granter.as_ref());
        let current = self.document::<Grant>(id)?.ok_or_else(absent)?;
        if current.content.revoked {
            let receipt = Receipt::Document { id: id.to_owned(), version: current.version };
            return Ok(Plan::Done(receipt));
        }
        let grant = Grant { revoked: true, ..current.content.clone() };
        let effect = self.version(&authority).put(EntryKind::Grant, id, Some(&current), &grant);
        let rows = vec![touch_book(granter.as_ref()), index_row(&grant, false)];
        Ok(self.change(authority, vec![effect]).with_rows(rows))
    }

    /// Whether the grant may go to whom it is to go.
    fn check_grantee(
        &mut self,
        grant: &Grant,
        faults: &mut Vec<Fault>,
    ) -> Result<(), RegistryError> {
        let everyone = grant.grantee == Grantee::Everyone;
        let mut fault = |path, rule, value: &str, message: String| {
            faults.push(Fault::new(path, rule, value, message));
        };
        let word = grant.access.as_str();
        if grant.access == Access::Edit && everyone {
            let message = "everyone can only view: name who may edit".to_owned();
            fault("access", "everyone", word, message);
        }
        let on_identifier = matches!(grant.subject, GrantSubject::Identifier(_));
        let whole = everyone && on_identifier && grant.attributes.is_empty();
        if grant.access == Access::Nothing && !whole {
            let message = "\"nothing\" ends what is granted by template on one identifier: it goes \
                           to everyone and names no attributes";
            fault("access", "nothing", word, message.to_owned());
        }
        let store = &*self.registry.store;
        if let Some(granter) = &grant.granter
            && find_document::<Registrant>(store, granter.as_str())?.is_none()
        {
            fault(
                "granter",
                "exists",
                granter.as_str(),
                format!("no registrant {granter} is here"),
            );
        }
        match &grant.grantee {
            Grantee::Everyone => {}
            Grantee::Registrant(id) => {
                if find_document::<Registrant>(store, id.as_str())?.is_none() {
                    let message = format!("no registrant {id} is here");
                    fault("grantee.registrant", "exists", id.as_str(), message);
                }
            }
            Grantee::Group(id) => {
                let own = id.keeper().is_none() || id.keeper() == grant.granter.as_ref();
                let stored = self.document::<Group>(&id.document_id())?;
                let text = id.to_string();
                if !own {
                    let message = "a grant goes to a group of its granter or of the node: others \
                                   would decide who is in it";
                    fault("grantee.group", "keeper", &text, message.to_owned());
                } else if stored.is_none_or(|stored| stored.content.removed) {
                    let message = format!("there is no group {id}: make it first");
                    fault("grantee.group", "exists", &text, message);
                }
            }
        }
        Ok(())
    }

    /// The subject in canonical text, if it is one that the granter can grant on, and whether the
    /// attributes are its own.
    fn check_subject(
        &mut self,
        grant: &Grant,
        faults: &mut Vec<Fault>,
    ) -> Result<Option<GrantSubject>, RegistryError> {
        let (path, text) = match &grant.subject {
            GrantSubject::Template(text) => ("subject.template", text),
            GrantSubject::Identifier(text) => ("subject.identifier", text),
        };
        let identifier = match Identifier::parse(text) {
            Ok(identifier) => identifier,
            Err(error) => {
                faults.push(Fault::new(path, "identifier", text, error));
                return Ok(None);
            }
        };
        let key_text = identifier.key().text().to_owned();
        let (subject, known) = match &grant.subject {
            GrantSubject::Template(_) => {
                let template = self.published_template(&identifier)?;
                if template.is_none() {
                    let message = "no template of this name was ever published here";
                    faults.push(Fault::new(path, "published", text, message));
                }
                (GrantSubject::Template(key_text), template.map(|template| names_of(&template)))
            }
            GrantSubject::Identifier(_) => {
                let record = self.held_record(&identifier, grant.granter.as_ref())?;
                if record.is_none() {
                    let message = format!(
                        "{identifier} is not registered, or {} does not hold it",
                        grant.granter.as_ref().map_or("the node", RegistrantId::as_str),
                    );
                    faults.push(Fault::new(path, "held", text, message));
                }
                let known = record.map(|stored| self.attributes_of(&stored.record)).transpose()?;
                (GrantSubject::Identifier(key_text), known)
            }
        };
        if let Some(known) = known {
            check_attributes(&grant.attributes, &known, faults);
        }
        Ok(Some(subject))
    }

    /// The newest definition of a template that was ever published, withdrawn since or not.
    fn published_template(
        &mut self,
        identifier: &Identifier,
    ) -> Result<Option<Template>, RegistryError> {
        let Some(head) = self.document::<TemplateHead>(identifier.key().text())? else {
            return Ok(None);
        };
        let TemplateHead { number, latest, .. } = head.content;
        // At most one draft stands above the newest that was published.
        for version in (1..=latest).rev() {
            let id = version_id(number, version);
            let stored = find_document::<TemplateVersion>(&*self.registry.store, &id)?;
            if let Some(stored) = stored.filter(|stored| stored.content.published) {
                let definition = stored.content.definition.to_string();
                let template = Template::from_json(definition.as_bytes());
                return template.map(Some).map_err(RegistryError::Faulty);
            }
        }
        Ok(None)
    }

    /// The record of an identifier, if `holder` holds it.
    fn held_record(
        &mut self,
        identifier: &Identifier,
        holder: Option<&RegistrantId>,
    ) -> Result<Option<StoredRecord>, RegistryError> {
        self.guards.push(RECORDS.guard(identifier.key()));
        let stored = RECORDS.get(&*self.registry.store, identifier.key())?;
        let Some(stored) = stored else { return Ok(None) };
        let held = if stored.record.held_apart {
            RegistrantId::parse(&stored.record.registrant).ok()
        } else {
            match self.zone_of(&identifier.prefix()) {
                Ok(zone) => zone.allocation.registrant,
                Err(RegistryError::NotResponsible(_) | RegistryError::WrongState { .. }) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        };
        Ok((held.as_ref() == holder).then_some(stored))
    }

    /// Names of the attributes that a record has or, by its template, can have.
    fn attributes_of(&mut self, record: &Record) -> Result<BTreeSet<String>, RegistryError> {
        let mut names: BTreeSet<String> =
            record.attributes().map(|value| value.kind.clone()).collect();
        let template = record.template().and_then(|(text, _)| Identifier::parse(text).ok());
        if let Some(template) = template
            && let Some(template) = self.published_template(&template)?
        {
            names.extend(names_of(&template));
        }
        Ok(names)
    }

    /// Whether there is room for one more grant on the subject.
    fn check_count(&self, grant: &Grant, faults: &mut Vec<Fault>) -> Result<(), RegistryError> {
        let start = grant.subject.start(grant.granter.as_ref());
        let mut count = 0;
        scan_documents::<Grant>(&*self.registry.store, &start, None, |_, stored| {
            count += usize::from(!stored.content.revoked);
            if count < MAX_GRANTS_ON_SUBJECT {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        if count >= MAX_GRANTS_ON_SUBJECT {
            let message = format!(
                "there are {MAX_GRANTS_ON_SUBJECT} grants on it, the most: grant to a group"
            );
            faults.push(Fault::new("subject", "maximum", grant.subject.text(), message));
        }
        Ok(())
    }

    /// Proof that the actor may make a patch that it may not make by itself, because the holder
    /// grants it all the attributes that change. The refusal it gets without any grant is
    /// `refusal`.
    pub(super) fn authorise_edit(
        &mut self,
        holder: Option<&RegistrantId>,
        current: Option<&StoredRecord>,
        patch: &Patch,
        refusal: Refusal,
    ) -> Result<Authority, RegistryError> {
        let Some(stored) = current else { return Err(refusal.into()) };
        let Some(own) = self.actor.registrant() else { return Err(refusal.into()) };
        // A grant counts as far as the token changes its own registrant's records.
        let prefix = stored.record.identifier.prefix();
        let authority = self.actor.authorise(Action::Update, &prefix, Some(own))?;
        self.guard_book(holder);
        // The node's own groups may be in the granter's grants.
        self.guard_book(None);
        let granted = granted_on(&*self.registry.store.snapshot(), holder, &stored.record)?;
        let allowed = Allowed::of(&granted, Some(own), Access::Edit);
        if allowed.is_empty() {
            return Err(refusal.into());
        }
        let values = patch.values.iter().map(|value| match value.index {
            Some(index) => format!("value {index}"),
            None => format!("value of type {}", value.kind),
        });
        let removed = patch.remove.iter().map(|index| format!("value {index}"));
        let attributes = patch.attributes.keys().filter(|name| !allowed.contains(name));
        let follows = patch.template != TemplateChoice::default();
        let template = follows.then(|| "the template".to_owned());
        let beyond = values.chain(removed).chain(attributes.cloned()).chain(template);
        let beyond: Vec<String> = beyond.collect();
        if beyond.is_empty() {
            return Ok(authority);
        }
        let identifier = stored.record.identifier.spelling().to_owned();
        Err(RegistryError::NotGranted { identifier, beyond })
    }

    /// Sees to it that no grant or group of `granter` changes under the plan.
    pub(super) fn guard_book(&mut self, granter: Option<&RegistrantId>) {
        self.guards.push(document_guard::<Grant>(granter_text(granter)));
    }

    /// Sees to it that nobody begins to use a group under the plan.
    pub(super) fn guard_uses(&mut self, group: &GroupId) {
        self.guards.push(document_guard::<Group>(&uses(group)));
    }
}

/// Marks the granter's book as changed; the row itself is never there.
pub(super) fn touch_book(granter: Option<&RegistrantId>) -> RowChange {
    touch(DocumentKind::Grant, granter_text(granter).to_owned())
}

/// Marks the uses of a group as changed.
fn touch_uses(group: &GroupId) -> RowChange {
    touch(DocumentKind::Group, uses(group))
}

/// No group's name ends in a dot.
fn uses(group: &GroupId) -> String {
    format!("{}.", group.document_id())
}

fn touch(kind: DocumentKind, id: String) -> RowChange {
    RowChange { column: ColumnId::Documents, key: key_bytes(&DocumentKey { kind, id }), row: None }
}

/// The row by which a grant is found by its grantee, there while the grant is in force.
fn index_row(grant: &Grant, there: bool) -> RowChange {
    let key = IndexKey::Granted { grantee: grant.grantee.text(), grant: grant.id() };
    let (key, row) = (key_bytes(&key), there.then(Vec::new));
    RowChange { column: ColumnId::Indexes, key, row }
}

fn names_of(template: &Template) -> BTreeSet<String> {
    template.attributes().iter().map(|attribute| attribute.item.name.clone()).collect()
}

fn check_attributes(wanted: &[String], known: &BTreeSet<String>, faults: &mut Vec<Fault>) {
    if wanted.len() > MAX_ATTRIBUTES {
        let message = format!("at most {MAX_ATTRIBUTES}; leave them out for all");
        faults.push(Fault::new("attributes", "length", wanted.len(), message));
        return;
    }
    for (position, name) in wanted.iter().enumerate().filter(|(_, name)| !known.contains(*name)) {
        let path = format!("attributes[{position}]");
        faults.push(Fault::new(path, "exists", name, "the subject has no such attribute"));
    }
}
