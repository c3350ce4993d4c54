//! Planning: accounts, their passwords and sessions.

use super::{Plan, Planning};
use crate::registry::{AccountCommand, RegistryError};

impl Planning<'_> {
    pub(super) fn account(self, command: &AccountCommand) -> Result<Plan, RegistryError> {
        match *command {}
    }
}
