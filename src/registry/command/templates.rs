//! What can be asked about templates.

use std::sync::Arc;

use super::Condition;
use crate::identifier::Identifier;
use crate::template::Template;

/// A change to a template. Conditions are about the version of its head, which counts every change.
#[derive(Clone, Debug)]
pub enum TemplateCommand {
    /// Make a template, or a draft of its next version, or change that draft.
    Draft {
        /// The template's identifier.
        identifier: Identifier,
        /// What the draft is to say.
        template: Arc<Template>,
        /// When to do it.
        condition: Condition,
    },
    /// Make the draft the version that new records follow.
    Publish {
        /// The template's identifier.
        identifier: Identifier,
        /// When to do it.
        condition: Condition,
    },
    /// Let no new records follow the template until it is published again.
    Withdraw {
        /// The template's identifier.
        identifier: Identifier,
        /// When to do it.
        condition: Condition,
    },
}
