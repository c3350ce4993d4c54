//! The time, handed in so that recorded conversations replay and failures repeat.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        }))
    }

    /// A clock that always says `ms`.
    pub fn fixed(ms: u64) -> Self {
        Self(Arc::new(move || ms))
    }

    /// A clock that a test sets.
    #[cfg(test)]
    pub fn following(ms: Arc<std::sync::atomic::AtomicU64>) -> Self {
        Self(Arc::new(move || ms.load(std::sync::atomic::Ordering::Relaxed)))
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        (self.0)()
    }
}
