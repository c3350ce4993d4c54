//! What can be asked about transfers of prefixes and identifiers.

/// A change to transfers of prefixes and identifiers.
#[derive(Clone, Debug)]
pub enum TransferCommand {}
