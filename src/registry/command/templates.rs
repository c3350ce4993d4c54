//! What can be asked about templates.

/// A change to templates.
#[derive(Clone, Debug)]
pub enum TemplateCommand {}
