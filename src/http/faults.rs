//! Core errors as HTTP problems: the one place that maps them.
//!
//! Errors of the store are logged here, where they stop; the client learns only that the node
//! failed, because their text is about the node's disk.

use axum::http::header::RETRY_AFTER;

use super::problem::{self, Problem};
use crate::access::Refusal;
use crate::identifier::IdentifierError;
use crate::pool::PoolError;
use crate::record::DraftError;
use crate::registry::RegistryError;
use crate::resolver::FindError;
use crate::store::StoreError;

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let detail = error.to_string();
        let kind = match error {
            RegistryError::Refused(refusal) => return refusal.into(),
            RegistryError::Draft(error) => return error.into(),
            RegistryError::Store(error) => return error.into(),
            RegistryError::Ledger(_) | RegistryError::Unseeded => {
                tracing::error!(%error, "the ledger failed under an HTTP request");
                let detail = "the ledger failed; the node's log says how";
                return Problem::new(&problem::INTERNAL, detail);
            }
            RegistryError::Ended => &problem::UNAUTHENTICATED,
            RegistryError::WeakSecret | RegistryError::TokenExists(_) => &problem::BAD_REQUEST,
            RegistryError::TooLong { .. } => &problem::IDENTIFIER_TOO_LONG,
            RegistryError::NotResponsible(_) => &problem::NOT_RESPONSIBLE,
            RegistryError::Exists { .. } | RegistryError::VersionMismatch { .. } => {
                &problem::CONDITION_FAILED
            }
            RegistryError::Absent(_) => &problem::NOT_REGISTERED,
            RegistryError::Retired(_) => &problem::RETIRED,
            RegistryError::IdempotencyReuse(_) => &problem::IDEMPOTENCY_REUSE,
            RegistryError::Faulty(faults) => {
                return Problem::new(&problem::FAULTY, detail).with_faults(faults);
            }
            RegistryError::NotGranted { .. } => &problem::FORBIDDEN,
            RegistryError::Taken(_) => &problem::TAKEN,
            RegistryError::WrongState { .. } => &problem::WRONG_STATE,
            RegistryError::TooFast { retry_after_ms, .. } => {
                let seconds = retry_after_ms.div_ceil(1_000).max(1);
                return Problem::new(&problem::TOO_FAST, detail)
                    .with_header(RETRY_AFTER, seconds.into());
            }
            RegistryError::QuotaReached { .. } => &problem::QUOTA_REACHED,
            RegistryError::Busy => &problem::BUSY,
        };
        Problem::new(kind, detail)
    }
}

impl From<FindError> for Problem {
    fn from(error: FindError) -> Self {
        let detail = error.to_string();
        match error {
            FindError::Incomplete => Problem::new(&problem::BAD_REQUEST, detail),
            FindError::Faulty(faults) => Problem::new(&problem::FAULTY, detail).with_faults(faults),
            FindError::Anonymous => Problem::new(&problem::UNAUTHENTICATED, detail),
            FindError::Refused(refusal) => refusal.into(),
            FindError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::Stopped(_) = error {
            return Problem::new(&problem::WRITES_STOPPED, error.to_string());
        }
        tracing::error!(%error, "the store failed under an HTTP request");
        Problem::new(&problem::INTERNAL, "the store failed; the node's log says how")
    }
}

impl From<PoolError> for Problem {
    fn from(error: PoolError) -> Self {
        let kind = match error {
            PoolError::Overloaded(_) => &problem::BUSY,
            PoolError::Panicked => &problem::INTERNAL,
        };
        Problem::new(kind, error.to_string())
    }
}

impl From<IdentifierError> for Problem {
    fn from(error: IdentifierError) -> Self {
        Problem::new(&problem::BAD_IDENTIFIER, error.to_string())
    }
}

impl From<DraftError> for Problem {
    fn from(error: DraftError) -> Self {
        let kind = match error {
            DraftError::Json(_) | DraftError::Empty => &problem::BAD_JSON,
            _ => &problem::BAD_RECORD,
        };
        Problem::new(kind, error.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Problem::new(&problem::FORBIDDEN, refusal.to_string())
    }
}
