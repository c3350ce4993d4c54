//! Planning: registrants.
//!
//! A unified code is claimed by a document of its own, so that two registrants can never have the
//! same one, however their applications race. A closed registrant gives its code up.

use serde_json::{Map, Value as Json};

use super::{Plan, Planning};
use crate::access::{Authority, Right};
use crate::ledger::EntryKind;
use crate::registrant::{CodeClaim, Profile, Registrant, RegistrantId, RegistrantState, Step};
use crate::registry::submit::Effect;
use crate::registry::{AccountCommand, Command, Condition, RegistrantCommand, RegistryError};
use crate::store::{Document, DocumentKey, StoredDocument, document_guard};
use crate::template::Fault;

impl Planning<'_> {
    pub(super) fn registrant(self, command: &RegistrantCommand) -> Result<Plan, RegistryError> {
        match command {
            RegistrantCommand::Apply { id, profile } => self.enter_registrant(id, profile),
            RegistrantCommand::Update { id, changes, condition } => {
                self.update_registrant(id, changes, *condition)
            }
            RegistrantCommand::Step { id, step } => self.step_registrant(id, *step),
        }
    }

    fn enter_registrant(
        mut self,
        id: &RegistrantId,
        profile: &Profile,
    ) -> Result<Plan, RegistryError> {
        let authority = self.actor.authorise_right(Right::Registrants, Some(id))?;
        if self.document::<Registrant>(id.as_str())?.is_some() {
            return Err(RegistryError::Taken(format!("registrant {id}")));
        }
        let profile = self.checked(profile.clone())?;
        self.keep_registrant(authority, id, None, Registrant::applied(profile))
    }

    fn update_registrant(
        mut self,
        id: &RegistrantId,
        changes: &Map<String, Json>,
        condition: Condition,
    ) -> Result<Plan, RegistryError> {
        let authority = self.actor.authorise_right(Right::Registrants, Some(id))?;
        let current = self.existing_registrant(id)?;
        check_version(&format!("registrant {id}"), condition, current.version)?;
        let before = &current.content;
        if before.state == RegistrantState::Closed {
            return Err(wrong_state(id, before, "its data stays as it is"));
        }
        let profile = self.checked(merged(&before.profile(), changes)?)?;
        let content = before.with_profile(profile);
        // Who the registrant is was reviewed; that does not change behind the reviewer's back.
        let identity = |of: &Registrant| (of.name_zh.clone(), of.unified_code.clone());
        let settled = !matches!(before.state, RegistrantState::Applied);
        let reviews = self.actor.has(Right::Review, Some(id));
        if settled && !reviews && identity(before) != identity(&content) {
            let remedy = "have the node's staff change name_zh and unified_code";
            return Err(wrong_state(id, before, remedy));
        }
        self.keep_registrant(authority, id, Some(current), content)
    }

    fn step_registrant(mut self, id: &RegistrantId, step: Step) -> Result<Plan, RegistryError> {
        let authority = self.actor.authorise_right(Right::Review, Some(id))?;
        let current = self.existing_registrant(id)?;
        let remark = self.remark(step)?;
        let Some(state) = current.content.state.after(step) else {
            let states = RegistrantState::ALL.into_iter();
            let from = states.filter(|state| state.after(step).is_some()).map(|it| it.as_str());
            return Err(wrong_state(id, &current.content, &out_of_order(step, from)));
        };
        let content = Registrant { state, remark, ..current.content.clone() };
        self.keep_registrant(authority, id, Some(current), content)
    }

    /// The change that makes `content` the registrant's next version and moves its claim.
    fn keep_registrant(
        mut self,
        authority: Authority,
        id: &RegistrantId,
        current: Option<StoredDocument<Registrant>>,
        content: Registrant,
    ) -> Result<Plan, RegistryError> {
        let before = current.as_ref().and_then(|current| current.content.claimed_code());
        let after = content.claimed_code();
        let mut effects = vec![self.version(&authority).put(
            EntryKind::Registrant,
            id.as_str(),
            current.as_ref(),
            &content,
        )];
        if before != after {
            let claim = |code: Option<&str>, of| code.map(|code| (code.to_owned(), of));
            let moved = [claim(after, Some(id.clone())), claim(before, None)];
            for (code, registrant) in moved.into_iter().flatten() {
                effects.push(self.claim(&authority, &code, registrant)?);
            }
        }
        Ok(self.change(authority, effects))
    }

    /// The next version of who has a code.
    fn claim(
        &mut self,
        authority: &Authority,
        code: &str,
        registrant: Option<RegistrantId>,
    ) -> Result<Effect, RegistryError> {
        let current = self.document::<CodeClaim>(code)?;
        let taken = current.as_ref().is_some_and(|current| current.content.registrant.is_some());
        if taken && registrant.is_some() {
            return Err(RegistryError::Taken(format!("unified_code {code}")));
        }
        let content = CodeClaim { registrant };
        let version = self.version(authority);
        Ok(version.put(EntryKind::Registrant, code, current.as_ref(), &content))
    }

    fn checked(&self, profile: Profile) -> Result<Profile, RegistryError> {
        profile.checked(&self.registry.settings.codes).map_err(RegistryError::Faulty)
    }

    fn existing_registrant(
        &mut self,
        id: &RegistrantId,
    ) -> Result<StoredDocument<Registrant>, RegistryError> {
        let absent = || RegistryError::Absent(format!("registrant {id}"));
        self.document(id.as_str())?.ok_or_else(absent)
    }

    /// Refuses unless the registrant may hold prefixes and register; it must stay so.
    pub(super) fn expect_active(&mut self, id: &RegistrantId) -> Result<(), RegistryError> {
        let current = self.existing_registrant(id)?;
        match current.content.state {
            RegistrantState::Active => Ok(()),
            _ => Err(wrong_state(id, &current.content, ONLY_ACTIVE)),
        }
    }

    /// Refuses changes for a registrant that is not active; it must stay so. Names that were never
    /// entered stand in nobody's way: nobody suspended them.
    pub(super) fn refuse_for_inactive(&mut self, id: &RegistrantId) -> Result<(), RegistryError> {
        self.guards.push(document_guard::<Registrant>(id.as_str()));
        let key = DocumentKey { kind: Registrant::KIND, id: id.as_str().to_owned() };
        let current = self.registry.registrants.get(&*self.registry.store, &key)?;
        match current {
            Some(current) if current.content.state != RegistrantState::Active => {
                Err(wrong_state(id, &current.content, ONLY_ACTIVE))
            }
            _ => Ok(()),
        }
    }

    /// Refuses whoever acts for a registrant that is not active. One that has applied may correct
    /// its application and do nothing else; anybody may come and go, to look.
    pub(super) fn refuse_inactive_actor(&mut self) -> Result<(), RegistryError> {
        use AccountCommand::{BeginSession, EndSession};
        let Some(id) = self.actor.registrant() else { return Ok(()) };
        if matches!(self.request.command, Command::Account(BeginSession(_) | EndSession)) {
            return Ok(());
        }
        let outcome = self.refuse_for_inactive(id);
        let corrects = matches!(self.request.command, Command::Registrant(_));
        match outcome {
            Err(RegistryError::WrongState { state, .. })
                if corrects && state == RegistrantState::Applied.as_str() =>
            {
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Why a step is taken; some steps need a reason.
    pub(super) fn remark(&self, step: Step) -> Result<Option<String>, RegistryError> {
        let reason = self.request.reason.trim();
        if reason.is_empty() && step.needs_reason() {
            let message =
                format!("say why: whoever it is about reads why you {} it", step.as_str());
            return Err(RegistryError::Faulty(vec![Fault::new("reason", "required", "", message)]));
        }
        Ok((!reason.is_empty()).then(|| reason.to_owned()))
    }
}

/// The profile with some of its members replaced.
fn merged(profile: &Profile, changes: &Map<String, Json>) -> Result<Profile, RegistryError> {
    let mut json = serde_json::to_value(profile).unwrap_or_default();
    if let Json::Object(members) = &mut json {
        for (name, value) in changes {
            match value {
                Json::Null => drop(members.remove(name)),
                value => drop(members.insert(name.clone(), value.clone())),
            }
        }
    }
    serde_json::from_value(json)
        .map_err(|error| RegistryError::Faulty(vec![Fault::new("", "type", "", error)]))
}

/// Refuses when the condition does not hold for a thing at `version`.
pub(super) fn check_version(
    subject: &str,
    condition: Condition,
    version: u64,
) -> Result<(), RegistryError> {
    match condition {
        Condition::Always | Condition::Present => Ok(()),
        Condition::Absent => Err(RegistryError::Exists { identifier: subject.to_owned(), version }),
        Condition::Version(wanted) if wanted == version => Ok(()),
        Condition::Version(wanted) => Err(RegistryError::VersionMismatch {
            identifier: subject.to_owned(),
            wanted: Some(wanted),
            found: Some(version),
        }),
    }
}

/// In which states a step can be taken, as in "it is possible to resume what is suspended".
pub(super) fn out_of_order(step: Step, from: impl Iterator<Item = &'static str>) -> String {
    let from: Vec<_> = from.collect();
    format!("{} is possible for what is {}", step.as_str(), from.join(" or "))
}

fn wrong_state(id: &RegistrantId, registrant: &Registrant, remedy: &str) -> RegistryError {
    RegistryError::WrongState {
        subject: format!("registrant {id}"),
        state: registrant.state.as_str().to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// What registrants that are not active are told.
const ONLY_ACTIVE: &str = "only active registrants hold prefixes and change what is below them";
