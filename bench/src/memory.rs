//! A server's resident memory while something else makes it work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Process;

/// What was seen, ten times a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The most, in bytes.
    pub most_bytes: u64,
    /// The mean, in bytes.
    pub mean_bytes: u64,
}

/// Does the work and watches the server meanwhile. A server that ends fails the work's watching.
pub fn watch<T>(server: &Process, work: impl FnOnce() -> Result<T>) -> Result<(T, Watched)> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| -> Result<Vec<u64>> {
            let mut seen = Vec::new();
            loop {
                // Looked at before and after, so that short work is seen too.
                let last = done.load(Ordering::Acquire);
                seen.push(server.usage()?.resident_bytes);
                if last {
                    return Ok(seen);
                }
                std::thread::park_timeout(LOOK_EVERY);
            }
        });
        let outcome = work();
        done.store(true, Ordering::Release);
        watcher.thread().unpark();
        let seen = watcher.join().expect("the watcher panicked")?;
        let most_bytes = seen.iter().copied().max().context("nothing was seen")?;
        let mean_bytes = seen.iter().sum::<u64>() / seen.len() as u64;
        Ok((outcome?, Watched { most_bytes, mean_bytes }))
    })
}

const LOOK_EVERY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Cores;
    use std::process::Command;

    #[test]
    fn memory_that_comes_and_goes_is_seen() {
        let mut command = Command::new("bash");
        // 64 MiB and more for half a second.
        let grow = "printf -v a '%*s' 67108864 ''; sleep 0.5; unset a; sleep 600";
        command.args(["-c", grow]);
        let log = std::env::temp_dir().join(format!("nameplate-watch-{}", std::process::id()));
        let cores = Cores::choose().unwrap().all;
        let process = Process::start("bash", &command, &cores, &log).unwrap();
        let sleep = || {
            std::thread::sleep(Duration::from_millis(1500));
            Ok(7)
        };
        let (seven, watched) = watch(&process, sleep).unwrap();
        std::fs::remove_file(log).unwrap();
        assert_eq!(seven, 7);
        assert!(watched.most_bytes > 64 << 20, "{watched:?}");
        assert!(watched.mean_bytes < watched.most_bytes, "{watched:?}");
    }
}
