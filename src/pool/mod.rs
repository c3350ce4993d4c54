//! The one place where work crosses from the async edges into the synchronous core.
//!
//! A fixed number of OS threads takes jobs from one bounded queue. A full queue refuses at once:
//! each protocol has its own answer for that.

use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

type Job = Box<dyn FnOnce() + Send>;

/// A handle on the pool; clones share its threads.
#[derive(Clone)]
pub struct Pool {
    jobs: Sender<Job>,
}

/// The pool's threads; joined when the node stops.
pub struct PoolThreads {
    threads: Vec<JoinHandle<()>>,
}

/// The pool's queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node is overloaded: try again in a moment")]
pub struct Overloaded;

/// Why [`Pool::run`] has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The queue is full.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The job panicked; counted, and told by the panic itself.
    #[error("the node failed over this request")]
    Panicked,
}

impl Pool {
    /// Starts `threads` threads behind a queue of `queue` jobs.
    pub fn start(threads: usize, queue: usize) -> std::io::Result<(Self, PoolThreads)> {
        let (jobs, intake) = bounded(queue);
        let threads = (0..threads.max(1))
            .map(|number| {
                let intake = intake.clone();
                std::thread::Builder::new()
                    .name(format!("pool-{number}"))
                    .spawn(move || work(&intake))
            })
            .collect::<Result<_, _>>()?;
        Ok((Self { jobs }, PoolThreads { threads }))
    }

    /// Queues a job.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Overloaded> {
        self.jobs.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => {
                metrics::counter!("nameplate_pool_refused_total").increment(1);
                Overloaded
            }
            TrySendError::Disconnected(_) => Overloaded,
        })
    }

    /// Runs a job and waits for its result without holding the caller's thread.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (send, receive) = tokio::sync::oneshot::channel();
        self.spawn(move || {
            let _ = send.send(job());
        })?;
        // The sender is dropped without a value only when the job panicked.
        receive.await.map_err(|_| PoolError::Panicked)
    }
}

impl PoolThreads {
    /// Waits until all queued jobs are done; every [`Pool`] must have been dropped.
    pub fn join(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

fn work(intake: &Receiver<Job>) {
    while let Ok(job) = intake.recv() {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            metrics::counter!("nameplate_panics_total").increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_panic_is_told_apart() {
        let (pool, threads) = Pool::start(1, 1).unwrap();
        assert_eq!(pool.run(|| 7).await, Ok(7));
        assert_eq!(pool.run(|| panic!("on purpose")).await, Err::<(), _>(PoolError::Panicked));
        let (hold, held) = sync_channel::<()>(0);
        let (begun, begin) = sync_channel::<()>(0);
        pool.spawn(move || {
            begun.send(()).unwrap();
            let _ = held.recv();
        })
        .unwrap();
        begin.recv().unwrap();
        pool.spawn(|| {}).unwrap();
        assert_eq!(pool.spawn(|| {}), Err(Overloaded));
        drop(hold);
        drop(pool);
        threads.join();
    }
}
