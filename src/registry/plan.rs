//! Planning: from a request to a change, on the caller's thread.

use std::sync::Arc;

use super::Change;
use crate::store::StoredRecord;

/// What planning came to.
pub enum Plan {
    /// Nothing needs to change: a repetition, or the record is as asked.
    Done(Receipt),
    /// A change to submit.
    Change(Box<Change>),
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Receipt {
    /// A record was made, changed or found as asked.
    Record {
        /// The record and its place in the ledger.
        stored: Arc<StoredRecord>,
        /// Whether the identifier was registered by this request.
        created: bool,
        /// Whether anything changed; a repetition of an idempotent request says what it said
        /// first.
        changed: bool,
    },
    /// A token was made or revoked.
    Token {
        /// Its public name.
        id: String,
    },
}
