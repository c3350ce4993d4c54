//! What can be asked about prefixes: applications, review, states, quotas.

/// A change to prefixes.
#[derive(Clone, Debug)]
pub enum PrefixCommand {}
