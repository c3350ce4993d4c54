//! What can be asked about accounts, their passwords and sessions.

/// A change to accounts, their passwords and sessions.
#[derive(Clone, Debug)]
pub enum AccountCommand {}
