//! Planning: registrants.

use super::{Plan, Planning};
use crate::registry::{RegistrantCommand, RegistryError};

impl Planning<'_> {
    pub(super) fn registrant(self, command: &RegistrantCommand) -> Result<Plan, RegistryError> {
        match *command {}
    }
}
