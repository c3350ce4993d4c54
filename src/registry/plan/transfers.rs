//! Planning: transfers of prefixes and identifiers.

use super::{Plan, Planning};
use crate::registry::{RegistryError, TransferCommand};

impl Planning<'_> {
    pub(super) fn transfer(self, command: &TransferCommand) -> Result<Plan, RegistryError> {
        match *command {}
    }
}
