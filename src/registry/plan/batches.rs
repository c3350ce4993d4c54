//! Planning: many records in one change, all or none.
//!
//! Items do not see each other's effects, so no identifier may occur twice, but they may refer to
//! each other and one may take the unique value that another gives up. Every fault of every item is
//! told at once.

use std::collections::{HashMap, HashSet};

use super::{Plan, Planning};
use crate::identifier::CanonicalKey;
use crate::registry::{Command, RegistryError};
use crate::template::{Fault, MAX_FAULTS};

impl Planning<'_> {
    pub(super) fn batch(mut self, commands: &[Command]) -> Result<Plan, RegistryError> {
        let (mut steps, mut places) = (Vec::with_capacity(commands.len()), Vec::new());
        let (mut faults, mut at_fault) = (Vec::new(), HashSet::new());
        let mut first_of: HashMap<&CanonicalKey, usize> = HashMap::new();
        for (place, command) in commands.iter().enumerate() {
            if let Some(first) = command.key().and_then(|key| first_of.insert(key, place)) {
                let message = format!("items[{first}] is about the same identifier");
                faults.push((place, Fault::new("", "twice", "", message)));
                continue;
            }
            match self.step(command) {
                Ok(step) => {
                    steps.push(step);
                    places.push(place);
                }
                Err(error) => {
                    at_fault.extend(command.key().cloned());
                    faults.extend(of_item(error)?.into_iter().map(|fault| (place, fault)));
                }
            }
            if faults.len() > MAX_FAULTS {
                break;
            }
        }
        let proved = self.prove(&steps, &at_fault)?;
        let placed = |(step, fault)| places.get(step).map(|&place| (place, fault));
        faults.extend(proved.into_iter().filter_map(placed));
        if !faults.is_empty() {
            return Err(RegistryError::Faulty(told(faults)));
        }
        self.compose(steps, true)
    }
}

/// What an error says of the item it is about; errors that are about more stay what they are.
fn of_item(error: RegistryError) -> Result<Vec<Fault>, RegistryError> {
    let rule = match error {
        RegistryError::Faulty(faults) => return Ok(faults),
        RegistryError::Exists { .. } | RegistryError::VersionMismatch { .. } => "condition",
        RegistryError::Draft(_) => "record",
        RegistryError::TooLong { .. } => "length",
        RegistryError::NotResponsible(_) => "responsible",
        RegistryError::Absent(_) => "absent",
        RegistryError::Retired(_) => "retired",
        RegistryError::Taken(_) => "taken",
        RegistryError::WrongState { .. } => "state",
        error => return Err(error),
    };
    Ok(vec![Fault::new("", rule, "", error)])
}

/// Faults with the places of their items, in order and bounded.
fn told(mut faults: Vec<(usize, Fault)>) -> Vec<Fault> {
    faults.sort_by_key(|(place, _)| *place);
    let more = faults.len() > MAX_FAULTS;
    let at_item = |(place, mut fault): (usize, Fault)| {
        let separator = if fault.path.is_empty() { "" } else { "." };
        fault.path = format!("items[{place}]{separator}{}", fault.path);
        fault
    };
    let mut told: Vec<Fault> = faults.into_iter().take(MAX_FAULTS).map(at_item).collect();
    if more {
        let message = format!("more than {MAX_FAULTS} faults; correct these first");
        told.push(Fault::new("", "more", "", message));
    }
    told
}
