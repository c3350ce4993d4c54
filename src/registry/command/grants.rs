//! What can be asked about grants and groups.

/// A change to grants and groups.
#[derive(Clone, Debug)]
pub enum GrantCommand {}
