//! Submitting changes to the writer.

use super::{Receipt, RegistryError};

/// A planned change: what it read, what it writes, what the ledger will say.
pub struct Change {}

/// What the writer says of a change.
pub enum Verdict {
    /// It is durable.
    Committed(Receipt),
    /// Something it read has changed: plan again.
    Conflict,
    /// It was not written.
    Failed(RegistryError),
}
