//! What can be asked about registrants.

/// A change to registrants.
#[derive(Clone, Debug)]
pub enum RegistrantCommand {}
