//! Planning: templates.

use super::{Plan, Planning};
use crate::registry::{TemplateCommand, RegistryError};

impl Planning<'_> {
    pub(super) fn template(self, command: &TemplateCommand) -> Result<Plan, RegistryError> {
        match *command {}
    }
}
