//! Planning: the next identifier by a template's coding rule.
//!
//! A number is taken at the very end, when nothing else can go wrong with the plan, so that plans
//! that are refused leave no gaps.

use std::collections::HashSet;
use std::sync::Arc;

use super::Planning;
use super::steps::{Step, Subject};
use crate::access::Action;
use crate::identifier::{CanonicalKey, Identifier, Prefix};
use crate::record::{Draft, Status};
use crate::registry::RegistryError;
use crate::registry::submit::CountChange;
use crate::store::{COUNTERS, RECORDS, identifier_counter};
use crate::template::{Fault, SuffixRule, Template};

/// An identifier that is still to be made.
pub(super) struct Minting {
    pub prefix: Prefix,
    /// The template's number.
    number: u32,
    template: Arc<Template>,
    serial: Option<String>,
}

impl Planning<'_> {
    pub(super) fn mint_step(
        &mut self,
        prefix: &Prefix,
        serial: Option<&str>,
        draft: &Draft,
    ) -> Result<Step, RegistryError> {
        let zone = Arc::new(self.zone_of(prefix)?);
        let allocation = zone.allocation.clone();
        let holder = allocation.registrant.as_ref();
        let authority = self.actor.authorise(Action::Register, prefix, holder)?;
        self.expect_changeable(&zone, holder)?;
        let store = &*self.registry.store;
        if let Some(limit) = allocation.quota.identifiers {
            // The count only grows, so a quota that is used up now stays so.
            let count = COUNTERS.get(store, &identifier_counter(&zone.prefix))?;
            if count.is_some_and(|count| count.0 >= limit) {
                return Err(RegistryError::QuotaReached { prefix: zone.prefix.to_string(), limit });
            }
        }
        let Some(wanted) = &draft.template.template else {
            let message = "name the template whose coding rule makes the identifier";
            return Err(RegistryError::Faulty(vec![Fault::new(
                "template", "required", "", message,
            )]));
        };
        let chosen = self.choose(wanted.key(), draft.template.version, None)?;
        let contents = self.contents(draft, None);
        let mut faults = self.check_rule(&chosen.template, serial);
        match contents {
            Ok(contents) if faults.is_empty() => {
                let minting = Minting {
                    prefix: prefix.clone(),
                    number: chosen.head.number,
                    template: chosen.template,
                    serial: serial.map(str::to_owned),
                };
                let (subject, status) = (Subject::Minted(minting), Status::Active);
                let (current, before) = (None, None);
                Ok(Step { subject, current, zone, allocation, authority, status, contents, before })
            }
            Ok(_) => Err(RegistryError::Faulty(faults)),
            Err(RegistryError::Faulty(more)) => {
                faults.extend(more);
                Err(RegistryError::Faulty(faults))
            }
            Err(error) => Err(error),
        }
    }

    /// What is wrong with minting by this template, before any number is taken.
    fn check_rule(&self, template: &Template, serial: Option<&str>) -> Vec<Fault> {
        let Some(rule) = template.suffix() else {
            let message = "the template has no coding rule: register identifiers of your choice";
            return vec![Fault::new("template", "suffix", "", message)];
        };
        if let Some(serial) = serial.filter(|_| !rule.needs_serial()) {
            let message = "the template's coding rule takes no serial: leave it out";
            return vec![Fault::new("serial", "unknown", serial, message)];
        }
        rule.render(self.now_ms, rule.first_counter(), serial).err().map(said).into_iter().collect()
    }

    /// Makes the identifier, one that neither exists nor is among `names`, and says which counter
    /// grows with it.
    pub(super) fn mint(
        &mut self,
        minting: &Minting,
        names: &HashSet<CanonicalKey>,
    ) -> Result<(Identifier, Option<CountChange>), RegistryError> {
        let Some(rule) = minting.template.suffix() else { return Err(RegistryError::Busy) };
        let Some(scope) = rule.counter_scope(self.now_ms) else {
            let identifier = self.render(rule, minting, None)?;
            if !self.is_free(&identifier, names)? {
                return Err(RegistryError::Taken(identifier.to_string()));
            }
            return Ok((identifier, None));
        };
        let counter = format!("mint/{}/{}/{scope}", minting.number, minting.prefix);
        let first = rule.first_counter().unwrap_or_default();
        for _ in 0..MINT_ATTEMPTS {
            let number = self.registry.numbers.take(&*self.registry.store, &counter, first)?;
            let identifier = self.render(rule, minting, Some(number)).inspect_err(|_| {
                self.registry.numbers.give_back(&counter, number);
            })?;
            if self.is_free(&identifier, names)? {
                return Ok((identifier, Some(CountChange::Raise { counter, to: number })));
            }
        }
        Err(RegistryError::Busy)
    }

    fn render(
        &self,
        rule: &SuffixRule,
        minting: &Minting,
        number: Option<u64>,
    ) -> Result<Identifier, RegistryError> {
        let suffix = rule.render(self.now_ms, number, minting.serial.as_deref());
        let suffix = suffix.map_err(|fault| RegistryError::Faulty(vec![said(fault)]))?;
        let text = format!("{}/{suffix}", minting.prefix);
        let identifier = Identifier::literal(&text).map_err(|error| {
            RegistryError::Faulty(vec![Fault::new("serial", "identifier", &text, error)])
        })?;
        self.check_length(&identifier)?;
        Ok(identifier)
    }

    /// Whether nobody has the identifier, which must stay so.
    fn is_free(
        &mut self,
        identifier: &Identifier,
        names: &HashSet<CanonicalKey>,
    ) -> Result<bool, RegistryError> {
        let key = identifier.key();
        if names.contains(key)
            || RECORDS.get(&*self.registry.store, key)?.is_some()
            || self.head(key)?.is_some()
        {
            return Ok(false);
        }
        self.guards.push(RECORDS.guard(key));
        Ok(true)
    }
}

/// A fault of the coding rule, at the member of the request that it is about.
fn said(mut fault: Fault) -> Fault {
    if fault.path == "suffix.serial" {
        fault.path = "serial".into();
    }
    fault
}

/// How many identifiers that exist are skipped by one plan; the next goes on behind them.
const MINT_ATTEMPTS: usize = 10_000;
