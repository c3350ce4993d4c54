//! What can be asked about transfers of prefixes and identifiers.

use crate::identifier::{Identifier, Prefix};
use crate::registrant::{RegistrantId, TransferStep};

/// A change to transfers.
#[derive(Clone, Debug)]
pub enum TransferCommand {
    /// Offer prefixes and identifiers of one's own to another registrant.
    Offer {
        /// Who is to take them.
        to: RegistrantId,
        /// The prefixes.
        prefixes: Vec<Prefix>,
        /// The identifiers.
        identifiers: Vec<Identifier>,
    },
    /// Take, refuse or withdraw an offer.
    Step {
        /// The transfer's number.
        id: String,
        /// What becomes of it.
        step: TransferStep,
    },
}
