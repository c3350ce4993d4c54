//! Planning: prefixes: applications, review, states, quotas.
//!
//! Identifiers count under the deepest prefix that is served and covers them. When a prefix below
//! another one is approved, what was registered there before moves to it, and its number with it.
//! So that the number is exact, nothing is registered below a prefix that is under review: whoever
//! registers looks at the rows between the identifier and its zone and guards them, and approving
//! one rewrites those above it.

use std::ops::{ControlFlow, Range};

use super::registrants::{check_version, out_of_order};
use super::steps::Extent;
use super::{Plan, Planning};
use crate::access::{Authority, Rate, Refusal, Right};
use crate::codec::Writer;
use crate::identifier::Prefix;
use crate::registrant::{Allocation, AllocationState, RegistrantId, Step, Terms};
use crate::registry::submit::{CountChange, RowChange};
use crate::registry::{Application, Condition, PrefixCommand, RegistryError, Wish};
use crate::store::{
    COUNTERS, ColumnId, Direction, PREFIXES, Read, Row, StoreError, StoredPrefix,
    identifier_counter, key_bytes,
};
use crate::template::Fault;

/// A prefix that the node answers for, as it is kept.
pub(super) struct Zone {
    pub prefix: Prefix,
    pub allocation: Allocation,
}

impl Planning<'_> {
    pub(super) fn prefix(self, command: &PrefixCommand) -> Result<Plan, RegistryError> {
        match command {
            PrefixCommand::Apply(application) => self.apply_for_prefix(application),
            PrefixCommand::Step { prefix, step, terms } => self.step_prefix(prefix, *step, terms),
            PrefixCommand::Amend { prefix, terms, condition } => {
                self.amend_prefix(prefix, terms, *condition)
            }
        }
    }

    /// The prefix that identifiers directly under `prefix` count under: the deepest served one that
    /// covers it. All rows on the way must stay as they are.
    pub(super) fn zone_of(&mut self, prefix: &Prefix) -> Result<Zone, RegistryError> {
        let mut next = Some(prefix.clone());
        while let Some(candidate) = next {
            let stored = self.allocation(&candidate)?.map(|stored| stored.content);
            match stored {
                Some(allocation) if allocation.state.is_served() => {
                    return Ok(Zone { prefix: candidate, allocation });
                }
                Some(allocation) if allocation.state == AllocationState::UnderReview => {
                    let remedy = "nothing is registered below it until that is decided";
                    return Err(wrong_state(&candidate, allocation.state.as_str(), remedy));
                }
                _ => next = candidate.parent(),
            }
        }
        Err(RegistryError::NotResponsible(prefix.to_string()))
    }

    /// Refuses changes below a prefix that admits none now, for a holder who is not active, and
    /// more in a second than the prefix's quota allows. What is refused later counts there too.
    pub(super) fn expect_changeable(
        &mut self,
        zone: &Zone,
        holder: Option<&RegistrantId>,
    ) -> Result<(), RegistryError> {
        self.expect_open(zone)?;
        // Whoever acts was looked at before.
        if let Some(holder) = holder.filter(|holder| self.actor.registrant() != Some(*holder)) {
            self.refuse_for_inactive(holder)?;
        }
        let Some(per_second) = zone.allocation.quota.writes_per_second else { return Ok(()) };
        let (key, rate) = (zone.prefix.as_str(), Rate { per_second, burst: per_second });
        self.registry.rates.take(key.as_bytes(), rate, 1, self.now_ms).map_err(|retry_after_ms| {
            metrics::counter!("nameplate_registry_too_fast_total").increment(1);
            let what = format!("prefix {key} takes at most {per_second} changes in a second");
            RegistryError::TooFast { what, retry_after_ms }
        })
    }

    /// Refuses a prefix that is not in use or not now.
    fn expect_open(&self, zone: &Zone) -> Result<(), RegistryError> {
        let hindered = zone.allocation.admits_changes(self.now_ms);
        hindered.map_err(|it| wrong_state(&zone.prefix, &it.state, it.remedy))
    }

    fn apply_for_prefix(mut self, application: &Application) -> Result<Plan, RegistryError> {
        let Application { wish, registrant, terms } = application;
        let authority = self.actor.authorise_right(Right::Prefixes, registrant.as_ref())?;
        if let Some(registrant) = registrant {
            self.expect_active(registrant)?;
        }
        let (prefix, number) = match wish {
            Wish::Exactly(prefix) => (prefix.clone(), None),
            Wish::NextBelow(parent) => {
                let (prefix, number) = self.next_free(parent)?;
                (prefix, Some(number))
            }
        };
        check_name(&prefix)?;
        self.check_parent(&prefix, registrant.as_ref())?;
        // A number was seen to be free; reading it again could only show who came first, whom the
        // guard finds.
        let current = if number.is_some() { None } else { self.allocation(&prefix)? };
        let free = |current: &StoredPrefix| current.content.state == AllocationState::Rejected;
        if current.as_ref().is_some_and(|current| !free(current)) {
            return Err(RegistryError::Taken(format!("prefix {prefix}")));
        }
        let content = Allocation::applied(registrant.clone());
        let content = content.amended(terms).map_err(RegistryError::Faulty)?;
        let effect = self.version(&authority).put_prefix(&prefix, current.as_ref(), &content);
        let raised = number
            .zip(prefix.parent())
            .map(|(to, parent)| CountChange::Raise { counter: number_counter(&parent), to });
        Ok(self.change(authority, vec![effect]).counting(raised))
    }

    /// The next number below `parent` that nobody ever had and nothing is registered under.
    fn next_free(&mut self, parent: &Prefix) -> Result<(Prefix, u64), RegistryError> {
        let store = &*self.registry.store;
        let counter = COUNTERS.get(store, &number_counter(parent))?;
        let first = counter.map_or(0, |count| count.0).saturating_add(1);
        for number in first..first.saturating_add(MAX_SKIPPED) {
            let prefix = Prefix::parse(&format!("{parent}.{number}"));
            let prefix = prefix.map_err(|_| RegistryError::NotResponsible(parent.to_string()))?;
            let taken = self.allocation(&prefix)?.is_some();
            if !taken && count_keys(store, prefix.covered_keys(), 1)? == 0 {
                return Ok((prefix, number));
            }
        }
        let next = first.saturating_add(MAX_SKIPPED);
        let what = format!("every number from {first} to {next} below {parent}");
        Err(RegistryError::Taken(what))
    }

    /// Refuses a prefix outside what the node serves, and one below a prefix that is not for the
    /// applicant to divide. Only those who run the node apply for prefixes at the top.
    fn check_parent(
        &mut self,
        prefix: &Prefix,
        registrant: Option<&RegistrantId>,
    ) -> Result<(), RegistryError> {
        let above = match prefix.parent().map(|parent| self.zone_of(&parent)) {
            None | Some(Err(RegistryError::NotResponsible(_))) => None,
            Some(zone) => Some(zone?),
        };
        let Some(zone) = above else {
            return match self.actor.has(Right::Operate, None) {
                true => Ok(()),
                false => Err(RegistryError::NotResponsible(prefix.to_string())),
            };
        };
        self.expect_open(&zone)?;
        match &zone.allocation.registrant {
            Some(holder) if Some(holder) != registrant => {
                let subject = format!("{} of {holder}", zone.prefix);
                let action = Right::Prefixes.as_str();
                Err(Refusal { action, subject }.into())
            }
            _ => Ok(()),
        }
    }

    fn step_prefix(
        mut self,
        prefix: &Prefix,
        step: Step,
        terms: &Terms,
    ) -> Result<Plan, RegistryError> {
        let (authority, current) = self.prefix_to_decide(prefix)?;
        let remark = self.remark(step)?;
        let before = &current.content;
        let Some(state) = before.state.after(step) else {
            let states = AllocationState::ALL.into_iter();
            let from = states.filter(|state| state.after(step).is_some()).map(|it| it.as_str());
            return Err(wrong_state(prefix, before.state.as_str(), &out_of_order(step, from)));
        };
        let amended = before.amended(terms).map_err(RegistryError::Faulty)?;
        let content = Allocation { state, remark, ..amended };
        let effect = self.version(&authority).put_prefix(prefix, Some(&current), &content);
        if step != Step::Approve {
            return Ok(self.change(authority, vec![effect]));
        }
        if let Some(registrant) = &content.registrant {
            self.expect_active(registrant)?;
        }
        let extent = self.take_over(prefix, content.registrant.as_ref())?;
        Ok(self.change(authority, vec![effect]).reaching(extent))
    }

    /// What an approved prefix takes over from the one above it: the rows that others must see
    /// rewritten, and the identifiers that count below it from now on.
    fn take_over(
        &mut self,
        prefix: &Prefix,
        registrant: Option<&RegistrantId>,
    ) -> Result<Extent, RegistryError> {
        self.check_parent(prefix, registrant)?;
        let store = &*self.registry.store;
        let mut extent = Extent::default();
        let mut next = prefix.parent();
        while let Some(above) = next {
            let Some(stored) = PREFIXES.get(store, &above)? else {
                next = above.parent();
                continue;
            };
            let served = stored.content.state.is_served();
            extent.rows.push(as_it_is(&above, &stored));
            if !served {
                next = above.parent();
                continue;
            }
            let amount = count_below(store, prefix)?;
            let (from, to) = (identifier_counter(&above), identifier_counter(prefix));
            extent.counts.push(CountChange::Move { from, to, amount });
            break;
        }
        Ok(extent)
    }

    fn amend_prefix(
        mut self,
        prefix: &Prefix,
        terms: &Terms,
        condition: Condition,
    ) -> Result<Plan, RegistryError> {
        let (authority, current) = self.prefix_to_decide(prefix)?;
        check_version(&format!("prefix {prefix}"), condition, current.version)?;
        let before = &current.content;
        if matches!(before.state, AllocationState::Closed | AllocationState::Rejected) {
            return Err(wrong_state(prefix, before.state.as_str(), "its terms stay as they are"));
        }
        let content = before.amended(terms).map_err(RegistryError::Faulty)?;
        let effect = self.version(&authority).put_prefix(prefix, Some(&current), &content);
        Ok(self.change(authority, vec![effect]))
    }

    /// A prefix, for somebody who may decide on it. Without that right nobody learns whether the
    /// prefix was ever applied for.
    fn prefix_to_decide(
        &mut self,
        prefix: &Prefix,
    ) -> Result<(Authority, StoredPrefix), RegistryError> {
        let current = self.allocation(prefix)?;
        let holder = current.as_ref().and_then(|stored| stored.content.registrant.as_ref());
        let authority = self.actor.authorise_right(Right::Review, holder)?;
        let absent = || RegistryError::Absent(format!("prefix {prefix}"));
        Ok((authority, current.ok_or_else(absent)?))
    }
}

/// Name of the counter of the numbers given out below a prefix.
fn number_counter(parent: &Prefix) -> String {
    format!("prefixes/{parent}")
}

/// A row written once more as it is, for those who have read it to read it again.
fn as_it_is(prefix: &Prefix, stored: &StoredPrefix) -> RowChange {
    let mut row = Writer::with_capacity(256);
    stored.write_row(&mut row);
    let row = Some(row.into_bytes());
    RowChange { column: ColumnId::Prefixes, key: key_bytes(prefix), row }
}

/// How many identifiers lie below `prefix` and below no served prefix under it.
fn count_below(read: &dyn Read, prefix: &Prefix) -> Result<u64, RegistryError> {
    let mut ranges: Vec<Range<Vec<u8>>> = Vec::new();
    let below = format!("{prefix}.").into_bytes()..format!("{prefix}/").into_bytes();
    PREFIXES.scan(read, below, Direction::Forward, |served, stored| {
        if stored.content.state.is_served() {
            ranges.push(served.covered_keys());
        }
        ControlFlow::Continue(())
    })?;
    ranges.sort_by(|one, other| one.start.cmp(&other.start));
    let all = prefix.covered_keys();
    let (mut count, mut start) = (0, all.start);
    for range in ranges {
        if range.start > start {
            count += count_keys(read, start.clone()..range.start, MAX_MOVED + 1 - count)?;
        }
        start = start.max(range.end);
    }
    if start < all.end {
        count += count_keys(read, start..all.end, MAX_MOVED + 1 - count)?;
    }
    if count > MAX_MOVED {
        let state = format!("the prefix of more than {MAX_MOVED} identifiers");
        let remedy = "that is more than can change hands at once: allocate prefixes below it first";
        return Err(wrong_state(prefix, &state, remedy));
    }
    Ok(count)
}

/// How many records there are in a range of keys, at most `most`.
fn count_keys(read: &dyn Read, range: Range<Vec<u8>>, most: u64) -> Result<u64, StoreError> {
    let mut count = 0;
    if most == 0 {
        return Ok(0);
    }
    read.scan(ColumnId::Records, range, Direction::Forward, &mut |_, _| {
        count += 1;
        if count < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(count)
}

/// Refuses names that no prefix of a node may have.
fn check_name(prefix: &Prefix) -> Result<(), RegistryError> {
    let fault = |rule: &str, message: String| {
        Err(RegistryError::Faulty(vec![Fault::new("prefix", rule, prefix, message)]))
    };
    let octets = prefix.as_str().len();
    if octets > MAX_PREFIX_OCTETS {
        return fault("maximum", format!("has {octets} octets; at most {MAX_PREFIX_OCTETS}"));
    }
    if prefix.is_reserved() {
        return fault("reserved", "begins with a word that paths of the API begin with".into());
    }
    Ok(())
}

fn wrong_state(prefix: &Prefix, state: &str, remedy: &str) -> RegistryError {
    RegistryError::WrongState {
        subject: format!("prefix {prefix}"),
        state: state.to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// Most octets of a prefix that can be applied for, as in the management interfaces of the national
/// system.
const MAX_PREFIX_OCTETS: usize = 64;

/// Most numbers that are tried before somebody has to name one.
const MAX_SKIPPED: u64 = 1_000;

/// Most identifiers that move to a prefix when it is approved. They are counted while the request
/// waits, about a million in a second.
const MAX_MOVED: u64 = 5_000_000;
