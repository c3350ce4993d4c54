//! Planning: grants and groups.

use super::{Plan, Planning};
use crate::registry::{GrantCommand, RegistryError};

impl Planning<'_> {
    pub(super) fn grant(self, command: &GrantCommand) -> Result<Plan, RegistryError> {
        match *command {}
    }
}
