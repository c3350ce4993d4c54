//! What requests share: memory for bodies and answers, turns for imports, rates.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::Settings;
use super::problem::{self, Problem};
use super::rates::Rates;

/// The shares of memory and turns that are left.
pub struct Limits {
    /// In KiB, because permits are counted in 32 bits.
    memory: Arc<Semaphore>,
    imports: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    chunks: Semaphore,
    rates: Rates,
}

/// A share of memory or a place among the imports; given back when dropped.
pub(super) type Share = OwnedSemaphorePermit;

/// Bytes together with their share of memory, which ends when the last of them is sent.
struct Shared {
    bytes: Bytes,
    _share: Share,
}

impl Limits {
    /// Everything that `settings` allow.
    pub fn new(settings: &Settings) -> Self {
        let kibibytes = settings.memory_bytes / 1_024;
        Self {
            memory: Arc::new(Semaphore::new(kibibytes.min(u32::MAX as usize))),
            imports: Arc::new(Semaphore::new(settings.imports)),
            streams: Arc::new(Semaphore::new(settings.streams)),
            chunks: Semaphore::new(IMPORT_CHUNKS),
            rates: Rates::new(settings),
        }
    }

    /// What has been asked of late.
    pub(super) fn rates(&self) -> &Rates {
        &self.rates
    }

    /// A share of memory for a body or an answer.
    pub(super) fn share(&self, bytes: u64) -> Result<Share, Problem> {
        let kibibytes = u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.memory).try_acquire_many_owned(kibibytes);
        share.map_err(|_| refuse("memory", "too many large requests are under way: try again"))
    }

    /// A place among the imports under way.
    pub(super) fn begin_import(&self) -> Result<Share, Problem> {
        let place = Arc::clone(&self.imports).try_acquire_owned();
        place.map_err(|_| refuse("imports", "too many imports are under way: try again later"))
    }

    /// A place among the streams under way: followers of changes, exports.
    pub(super) fn begin_stream(&self) -> Result<Share, Problem> {
        let place = Arc::clone(&self.streams).try_acquire_owned();
        place.map_err(|_| refuse("streams", "too many streams are under way: try again later"))
    }

    /// A turn to write a chunk: the pool's other threads are left to lookups.
    pub(super) async fn chunk_turn(&self) -> Option<SemaphorePermit<'_>> {
        self.chunks.acquire().await.ok()
    }
}

/// Ties a share to bytes.
pub(super) fn tie(bytes: Bytes, share: Share) -> Bytes {
    Bytes::from_owner(Shared { bytes, _share: share })
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn refuse(reason: &'static str, detail: &str) -> Problem {
    metrics::counter!("nameplate_http_refused_total", "reason" => reason).increment(1);
    Problem::new(&problem::BUSY, detail)
}

/// Chunks of imports that are written at once.
const IMPORT_CHUNKS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_with_the_last_byte() {
        let limits = Limits::new(&Settings { memory_bytes: 10 << 10, ..Settings::default() });
        let share = limits.share(9 << 10).unwrap();
        let bytes = tie(Bytes::from_static(b"abc"), share);
        let part = bytes.slice(1..2);
        drop(bytes);
        assert!(limits.share(2 << 10).is_err());
        assert_eq!(part, "b");
        drop(part);
        assert!(limits.share(10 << 10).is_ok());
        assert!(limits.share(u64::MAX).is_err());
    }
}
