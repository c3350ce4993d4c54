//! Planning: transfers of prefixes and identifiers.
//!
//! The holder offers, the taker accepts, and everything changes hands in one change. Between the
//! two anything may happen to what was offered, so acceptance looks at all of it again.

use std::collections::HashSet;

use super::records::holder;
use super::steps::Extent;
use super::{Plan, Planning};
use crate::access::{Authority, Right};
use crate::identifier::{Identifier, Prefix};
use crate::ledger::EntryKind;
use crate::record::{Record, Status};
use crate::registrant::{
    Allocation, MAX_TRANSFERRED, RegistrantId, Transfer, TransferState, TransferStep,
};
use crate::registry::entry::record_change;
use crate::registry::submit::{CountChange, Effect, RowChange};
use crate::registry::{RegistryError, TransferCommand};
use crate::store::{
    COUNTERS, ColumnId, IndexKey, RECORDS, StoredDocument, StoredPrefix, StoredRecord,
    document_guard, key_bytes,
};
use crate::template::Fault;

impl Planning<'_> {
    pub(super) fn transfer(self, command: &TransferCommand) -> Result<Plan, RegistryError> {
        match command {
            TransferCommand::Offer { to, prefixes, identifiers } => {
                self.offer(to, prefixes, identifiers)
            }
            TransferCommand::Step { id, step } => self.step_transfer(id, *step),
        }
    }

    fn offer(
        mut self,
        to: &RegistrantId,
        prefixes: &[Prefix],
        identifiers: &[Identifier],
    ) -> Result<Plan, RegistryError> {
        let from = self.actor.registrant().cloned();
        let authority = self.actor.authorise_right(Right::Transfers, from.as_ref())?;
        check_list(from.as_ref(), to, prefixes, identifiers)?;
        self.expect_active(to)?;
        let goods = self.goods(from.as_ref(), prefixes, identifiers)?;
        if !goods.faults.is_empty() {
            return Err(RegistryError::Faulty(goods.faults));
        }
        let counter = TRANSFERS.to_owned();
        let number = COUNTERS.get(&*self.registry.store, &counter)?.map_or(0, |count| count.0) + 1;
        let id = format!("{number:08}");
        // Nobody has the number yet; the guard finds whoever takes it meanwhile.
        self.guards.push(document_guard::<Transfer>(&id));
        let content = Transfer {
            state: TransferState::Offered,
            from,
            to: to.clone(),
            prefixes: prefixes.iter().map(Prefix::to_string).collect(),
            identifiers: identifiers.iter().map(|it| it.spelling().to_owned()).collect(),
        };
        let effect = self.version(&authority).put(EntryKind::Grant, &id, None, &content);
        let raised = CountChange::Raise { counter, to: number };
        Ok(self.change(authority, vec![effect]).counting([raised]))
    }

    fn step_transfer(mut self, id: &str, step: TransferStep) -> Result<Plan, RegistryError> {
        let current = self.document::<Transfer>(id)?;
        let Some(current) = current else {
            // Whoever may transfer nothing does not learn which numbers there are.
            let own = self.actor.registrant();
            self.actor.authorise_right(Right::Transfers, own)?;
            return Err(RegistryError::Absent(format!("transfer {id}")));
        };
        let side = match step {
            TransferStep::Accept | TransferStep::Decline => Some(&current.content.to),
            TransferStep::Cancel => current.content.from.as_ref(),
        };
        let authority = self.actor.authorise_right(Right::Transfers, side)?;
        if current.content.state != TransferState::Offered {
            let remedy = "what was decided stays so: offer anew";
            return Err(wrong_state(id, current.content.state.as_str(), remedy));
        }
        if step == TransferStep::Accept {
            return self.accept(id, current, authority);
        }
        let content = Transfer { state: step.leads_to(), ..current.content.clone() };
        let effect = self.version(&authority).put(EntryKind::Grant, id, Some(&current), &content);
        Ok(self.change(authority, vec![effect]))
    }

    fn accept(
        mut self,
        id: &str,
        current: StoredDocument<Transfer>,
        authority: Authority,
    ) -> Result<Plan, RegistryError> {
        let offer = &current.content;
        let to = &offer.to;
        let prefixes = read_all(id, &offer.prefixes, |text| Prefix::parse(text).ok())?;
        let identifiers = read_all(id, &offer.identifiers, |text| Identifier::literal(text).ok())?;
        self.expect_active(to)?;
        if let Some(from) = &offer.from {
            self.refuse_for_inactive(from)?;
        }
        let goods = self.goods(offer.from.as_ref(), &prefixes, &identifiers)?;
        if let Some(fault) = goods.faults.first() {
            let remedy = format!("{} ({} {})", NOT_AS_OFFERED, fault.value, fault.message);
            return Err(wrong_state(id, "out of date", &remedy));
        }
        let content = Transfer { state: TransferState::Accepted, ..offer.clone() };
        let version = self.version(&authority);
        let mut effects = vec![version.put(EntryKind::Grant, id, Some(&current), &content)];
        for (prefix, stored) in &goods.prefixes {
            let registrant = Some(to.clone());
            let content = Allocation { registrant, ..stored.content.clone() };
            effects.push(version.put_prefix(prefix, Some(stored), &content));
        }
        let mut rows = Vec::new();
        for (stored, holder) in goods.records {
            let record = self.handed_over(&stored.record, to, holder.as_ref(), &authority);
            rows.extend(apart_rows(&stored.record, &record));
            let change = record_change(&self.registry.keys, record, Some(stored));
            effects.push(Effect::Record(Box::new(change)));
        }
        Ok(self.change(authority, effects).reaching(Extent { rows, ..Extent::default() }))
    }

    /// Everything that is to change hands, as it is now; it must stay so. Finds what is not the
    /// giver's to give.
    fn goods(
        &mut self,
        from: Option<&RegistrantId>,
        prefixes: &[Prefix],
        identifiers: &[Identifier],
    ) -> Result<Goods, RegistryError> {
        let mut goods = Goods::default();
        for (position, prefix) in prefixes.iter().enumerate() {
            let path = format!("prefixes[{position}]");
            let fault = |rule: &str, message: String| Fault::new(&path, rule, prefix, message);
            let Some(stored) = self.allocation(prefix)? else {
                goods.faults.push(fault("holder", NOT_HELD.into()));
                continue;
            };
            if stored.content.registrant.as_ref() != from || !stored.content.state.is_served() {
                goods.faults.push(fault("holder", NOT_HELD.into()));
            } else if let Err(hindrance) = stored.content.admits_changes(self.now_ms) {
                goods.faults.push(fault("state", format!("is {}", hindrance.state)));
            } else {
                goods.prefixes.push((prefix.clone(), stored));
            }
        }
        let mut bytes = 0;
        for (position, identifier) in identifiers.iter().enumerate() {
            let path = format!("identifiers[{position}]");
            match self.record_to_give(from, identifier)? {
                Ok((stored, holder)) => {
                    let values = stored.record.values.iter();
                    bytes += 256 + values.map(|value| value.data.len() + 64).sum::<usize>();
                    goods.records.push((stored, holder));
                }
                Err((rule, message)) => {
                    goods.faults.push(Fault::new(path, rule, identifier.spelling(), message));
                }
            }
            if bytes > MAX_TRANSFERRED_BYTES {
                let message = "the records are too large to change hands at once: offer fewer";
                goods.faults.push(Fault::new("identifiers", "maximum", position, message));
                break;
            }
        }
        Ok(goods)
    }

    /// A record that `from` may give, and who holds its prefix; else what stands against it.
    #[expect(clippy::type_complexity, reason = "a record and a holder, or a rule and a message")]
    fn record_to_give(
        &mut self,
        from: Option<&RegistrantId>,
        identifier: &Identifier,
    ) -> Result<Result<(StoredRecord, Option<RegistrantId>), (&'static str, String)>, RegistryError>
    {
        self.guards.push(RECORDS.guard(identifier.key()));
        let stored = RECORDS.get(&*self.registry.store, identifier.key())?;
        let zone = match self.zone_of(&identifier.prefix()) {
            Ok(zone) => Some(zone),
            Err(RegistryError::NotResponsible(_) | RegistryError::WrongState { .. }) => None,
            Err(error) => return Err(error),
        };
        let (Some(stored), Some(zone)) = (stored, zone) else {
            return Ok(Err(("holder", NOT_HELD.into())));
        };
        let allocation = zone.allocation;
        let record = &stored.record;
        if holder(Some(record), &allocation).as_ref() != from {
            return Ok(Err(("holder", NOT_HELD.into())));
        }
        if self.head(identifier.key())?.is_some() {
            return Ok(Err(("kind", "is a template, which goes with its prefix".into())));
        }
        if let Err(hindrance) = allocation.admits_changes(self.now_ms) {
            return Ok(Err(("state", format!("belongs to a prefix that is {}", hindrance.state))));
        }
        if record.status == Status::Retired {
            return Ok(Err(("state", "is retired".into())));
        }
        Ok(Ok((stored, allocation.registrant)))
    }

    /// The version of a record that belongs to `to`; it follows its prefix again when it comes back
    /// to the prefix's holder.
    fn handed_over(
        &self,
        record: &Record,
        to: &RegistrantId,
        prefix_holder: Option<&RegistrantId>,
        authority: &Authority,
    ) -> Record {
        Record {
            version: record.version + 1,
            registrant: to.as_str().to_owned(),
            held_apart: prefix_holder != Some(to),
            actor: authority.account().to_owned(),
            reason: self.request.reason.clone(),
            modified_ms: record.modified_ms.max(self.now_ms),
            ..record.clone()
        }
    }
}

/// What changes hands.
#[derive(Default)]
struct Goods {
    prefixes: Vec<(Prefix, StoredPrefix)>,
    /// Records, each with the holder of its prefix.
    records: Vec<(StoredRecord, Option<RegistrantId>)>,
    faults: Vec<Fault>,
}

/// The rows by which records that are held apart are found, before and after.
fn apart_rows(before: &Record, after: &Record) -> Vec<RowChange> {
    let row = |record: &Record, row: Option<Vec<u8>>| {
        let registrant = RegistrantId::parse(&record.registrant).ok();
        let registrant = registrant.filter(|_| record.held_apart)?;
        let key = IndexKey::Apart { registrant, key: record.identifier.key().clone() };
        Some(RowChange { column: ColumnId::Indexes, key: key_bytes(&key), row })
    };
    row(before, None).into_iter().chain(row(after, Some(Vec::new()))).collect()
}

/// Refuses lists that are empty, too long or name something twice, and gifts to oneself.
fn check_list(
    from: Option<&RegistrantId>,
    to: &RegistrantId,
    prefixes: &[Prefix],
    identifiers: &[Identifier],
) -> Result<(), RegistryError> {
    let mut faults = Vec::new();
    let count = prefixes.len() + identifiers.len();
    if !(1..=MAX_TRANSFERRED).contains(&count) {
        let message = format!("offer 1 to {MAX_TRANSFERRED} prefixes and identifiers at once");
        faults.push(Fault::new("", "maximum", count, message));
    }
    if from == Some(to) {
        faults.push(Fault::new("to", "other", to, "has them already"));
    }
    let mut seen = HashSet::new();
    for (position, prefix) in prefixes.iter().enumerate() {
        if !seen.insert(prefix.as_str().as_bytes()) {
            let path = format!("prefixes[{position}]");
            faults.push(Fault::new(path, "unique", prefix, "is named twice"));
        }
    }
    for (position, identifier) in identifiers.iter().enumerate() {
        if !seen.insert(identifier.key().as_bytes()) {
            let path = format!("identifiers[{position}]");
            faults.push(Fault::new(path, "unique", identifier.spelling(), "is named twice"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(RegistryError::Faulty(faults)) }
}

/// What the texts of a transfer stand for; they were checked when it was offered.
fn read_all<T>(
    id: &str,
    texts: &[String],
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, RegistryError> {
    let broken = || wrong_state(id, "unreadable", "run `nameplate check` and offer anew");
    texts.iter().map(|text| read(text).ok_or_else(broken)).collect()
}

fn wrong_state(id: &str, state: &str, remedy: &str) -> RegistryError {
    RegistryError::WrongState {
        subject: format!("transfer {id}"),
        state: state.to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// Counter of transfers.
const TRANSFERS: &str = "transfers";

/// What is said of things that the giver does not hold; others' things are not told apart from
/// things that do not exist.
const NOT_HELD: &str = "is not held by the giver";

/// What the taker of an offer is told that cannot be kept.
const NOT_AS_OFFERED: &str = "not all of it is as it was offered: have it offered anew";

/// Most bytes of records in one transfer, roughly: they are written at once.
const MAX_TRANSFERRED_BYTES: usize = 32 << 20;
