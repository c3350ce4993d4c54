//! Planning: prefixes: applications, review, states, quotas.

use super::{Plan, Planning};
use crate::registry::{PrefixCommand, RegistryError};

impl Planning<'_> {
    pub(super) fn prefix(self, command: &PrefixCommand) -> Result<Plan, RegistryError> {
        match *command {}
    }
}
