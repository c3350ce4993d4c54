//! Work on the folder of a stopped node. Every function refuses a folder that a node has open.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use super::Folder;
use crate::access::NewToken;
use crate::clock::Clock;
use crate::registry::{self, CheckReport};
use crate::signing::{LOG_KEY_FILE, NodeKeys, SALT_KEY_FILE};
use crate::store::{
    BackupHeader, BackupSummary, Restoration, RocksSettings, STORE_FORMAT, Store, write_backup,
};

/// What a restore came to.
#[derive(Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub header: BackupHeader,
    /// What was read.
    pub summary: BackupSummary,
    /// Name of the log that the node goes on with; new unless nothing was lost.
    pub origin: String,
    /// Whether the node's keys had to be made anew because the backup holds none.
    pub new_keys: bool,
}

/// Walks the store of a stopped node; `progress` is told the rows done so far.
pub fn check(data: &Path, progress: &mut dyn FnMut(u64)) -> anyhow::Result<CheckReport> {
    let (store, keys) = Folder::new(data).open_stopped()?;
    Ok(registry::check(&*store.snapshot(), &keys, progress)?)
}

/// Writes a backup of a stopped node, with its private keys if asked.
pub fn backup(
    data: &Path,
    with_keys: bool,
    out: &mut dyn Write,
    clock: &Clock,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<BackupSummary> {
    let folder = Folder::new(data);
    let (store, _) = folder.open_stopped()?;
    let mut header = backup_header(clock.now_ms());
    header.holds_private_keys = with_keys;
    if with_keys {
        for name in [LOG_KEY_FILE, SALT_KEY_FILE] {
            let path = folder.keys().join(name);
            let content = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
            header.files.push((format!("keys/{name}"), content));
        }
    }
    let summary = write_backup(&*store.snapshot(), &header, out, progress)?;
    Ok(summary)
}

/// Restores a backup into `data`, which must not exist or be empty. Unless the caller knows that
/// nothing was lost, the ledger starts its next generation. `keys` is a folder with the node's
/// keys for backups that hold none; without it the node gets new ones.
pub fn restore(
    input: &mut dyn Read,
    data: &Path,
    keys: Option<&Path>,
    nothing_lost: bool,
    clock: &Clock,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Restored> {
    let settings = RocksSettings::default();
    let restoration = Restoration::read(input, data, &settings, progress)?;
    let own_keys = restoration.folder().join("keys");
    let holds_keys = restoration.header().holds_private_keys;
    if let Some(keys) = keys.filter(|_| !holds_keys) {
        NodeKeys::copy(keys, &own_keys)?;
    }
    let new_keys = !holds_keys && keys.is_none();
    if new_keys && nothing_lost {
        anyhow::bail!(
            "the backup holds no private keys, so the old ledger cannot go on: name a folder that \
             does with --keys, or restore without --nothing-lost"
        );
    }
    let open_keys = if new_keys { NodeKeys::open } else { NodeKeys::load };
    let keys = Arc::new(open_keys(&own_keys)?);
    let log = match nothing_lost {
        true => crate::ledger::current_log(restoration.store())?
            .context("the backup holds no ledger: it is not of a node that ever started")?,
        false => registry::begin_generation(restoration.store(), &keys, clock.now_ms())?,
    };
    let (header, summary) = restoration.finish()?;
    Ok(Restored { header, summary, origin: log.origin, new_keys })
}

/// Makes a token in the store of a stopped node; its public name.
pub fn create_token(data: &Path, token: &NewToken, clock: &Clock) -> anyhow::Result<String> {
    let (store, keys) = Folder::new(data).open_stopped()?;
    Ok(registry::create_token_offline(&store, &Arc::new(keys), token, clock.now_ms())?)
}

/// What a backup made now says of itself.
pub(super) fn backup_header(now_ms: u64) -> BackupHeader {
    BackupHeader {
        store_format: STORE_FORMAT,
        program: concat!("nameplate ", env!("CARGO_PKG_VERSION")).into(),
        created_ms: now_ms,
        holds_private_keys: false,
        files: Vec::new(),
    }
}
