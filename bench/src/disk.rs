//! The disk: how fast it syncs, how much of it a folder takes, when a store has come to rest.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::process::{Process, Usage};

/// Appends 4 KiB and calls fdatasync, again and again for a second; gives syncs per second.
pub fn measure_sync_rate(folder: &Path) -> Result<f64> {
    let path = folder.join("sync-probe");
    let mut file = File::create(&path).with_context(|| format!("cannot write {path:?}"))?;
    let (started, mut syncs) = (Instant::now(), 0u32);
    while started.elapsed() < PROBE_TIME {
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        syncs += 1;
    }
    let rate = f64::from(syncs) / started.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// Bytes that the files below `folder` occupy, as `du` counts them.
pub fn occupied_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {folder:?}"))? {
            let entry = entry?;
            // A running store deletes files while they are counted.
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            bytes += metadata.blocks() * BLOCK_BYTES;
        }
    }
    Ok(bytes)
}

/// Waits until the server has used next to no CPU for two seconds; gives its usage then and for how
/// long it has been quiet.
///
/// Gives up waiting after five minutes: a store that never rests is measured as it is.
pub fn wait_until_idle(process: &Process) -> Result<(Usage, Duration)> {
    let started = Instant::now();
    let mut before = process.usage()?;
    let (mut quiet, mut last_busy) = (0, Instant::now());
    while quiet < QUIET_LOOKS && started.elapsed() < MAX_WAIT {
        std::thread::sleep(LOOK_EVERY);
        let now = process.usage()?;
        quiet = if now.cpu - before.cpu <= QUIET_CPU { quiet + 1 } else { 0 };
        before = now;
        if quiet == 0 {
            last_busy = Instant::now();
        }
    }
    Ok((before, last_busy.elapsed()))
}

const PROBE_TIME: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const QUIET_LOOKS: u32 = 4;
const QUIET_CPU: Duration = Duration::from_millis(10);
const MAX_WAIT: Duration = Duration::from_secs(300);

/// st_blocks counts 512-byte units whatever the file system's block size (inode(7)).
const BLOCK_BYTES: u64 = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_counted_with_what_is_below_them() {
        let folder = std::env::temp_dir().join(format!("nameplate-du-{}", std::process::id()));
        fs::create_dir_all(folder.join("below")).unwrap();
        let before = occupied_bytes(&folder).unwrap();
        let mut file = File::create(folder.join("below/file")).unwrap();
        file.write_all(&[1; 65_536]).unwrap();
        file.sync_all().unwrap();
        let grown = occupied_bytes(&folder).unwrap() - before;
        assert!(measure_sync_rate(&folder).unwrap() > 0.0);
        fs::remove_dir_all(&folder).unwrap();
        assert!((65_536..200_000).contains(&grown), "{grown}");
    }
}
