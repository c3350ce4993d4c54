//! Planning: templates.

use super::{Plan, Planning};
use crate::registry::{RegistryError, TemplateCommand};

impl Planning<'_> {
    pub(super) fn template(self, command: &TemplateCommand) -> Result<Plan, RegistryError> {
        match *command {}
    }
}
