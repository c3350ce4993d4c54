//! Restoring a backup into a new data folder.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{BackupError, BackupHeader, BackupSummary, io_failed, read_backup};
use crate::store::format::{sync_folder, sync_folder_of};
use crate::store::{RocksSettings, RocksStore};

/// A backup that was read whole and proved sound, in a folder beside the one it is meant for.
///
/// The caller does what has to be done before anybody sees the node (its ledger starts a new
/// generation) and then calls [`Restoration::finish`]. Dropped before, it leaves nothing behind.
pub struct Restoration {
    // Closed before the folder goes.
    store: RocksStore,
    header: BackupHeader,
    summary: BackupSummary,
    draft: Draft,
    data: PathBuf,
}

impl Restoration {
    /// Reads a backup for the data folder `data`, which must not exist or be empty. Tells
    /// `progress` the rows read so far.
    pub fn read(
        input: &mut dyn Read,
        data: &Path,
        settings: &RocksSettings,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, BackupError> {
        let draft = Draft::beside(data)?;
        let folder = draft.folder.join(STORE_FOLDER);
        let store = RocksStore::open(&folder, settings)?;
        let mut total = 0;
        let (header, summary) = read_backup(input, &mut |column, rows| {
            total += rows.len() as u64;
            progress(total);
            store.load(column, rows)
        })?;
        store.finish_load()?;
        drop(store);
        for (name, content) in &header.files {
            draft.write(name, content)?;
        }
        // Opened again as any node will: proves that it can be, and upgrades an older format.
        let store = RocksStore::open(&folder, settings)?;
        Ok(Self { store, header, summary, draft, data: data.to_owned() })
    }

    /// The data folder as it will be, under its name for the time being.
    pub fn folder(&self) -> &Path {
        &self.draft.folder
    }

    /// The store with the backup's rows.
    pub fn store(&self) -> &RocksStore {
        &self.store
    }

    /// What the backup says of itself.
    pub fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// Closes the store and gives the folder its name.
    pub fn finish(self) -> Result<(BackupHeader, BackupSummary), BackupError> {
        let Self { store, header, summary, mut draft, data } = self;
        drop(store);
        sync_folder(&draft.folder)
            .and_then(|()| std::fs::rename(&draft.folder, &data))
            .map_err(io_failed(data.display().to_string()))?;
        draft.kept = true;
        sync_folder_of(&data).map_err(io_failed(data.display().to_string()))?;
        Ok((header, summary))
    }
}

/// The folder being filled; removed unless kept.
struct Draft {
    folder: PathBuf,
    kept: bool,
}

impl Draft {
    fn beside(data: &Path) -> Result<Self, BackupError> {
        let failed = |error| BackupError::Io(data.display().to_string(), error);
        let taken = match std::fs::read_dir(data) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(error)),
        };
        if taken {
            return Err(BackupError::Taken(data.display().to_string()));
        }
        let Some(name) = data.file_name() else {
            return Err(failed(io::Error::other("not the name of a folder to restore into")));
        };
        let mut name = name.to_owned();
        name.push(DRAFT_ENDING);
        let folder = data.with_file_name(name);
        if let Some(parent) = folder.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => Ok(Self { folder, kept: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(BackupError::LeftOver(folder.display().to_string()))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes one of the node's files, readable by its owner only.
    fn write(&self, name: &str, content: &[u8]) -> Result<(), BackupError> {
        let plain =
            |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
        if !name.split('/').all(plain) || name.split('/').next() == Some(STORE_FOLDER) {
            return Err(BackupError::FileName(name.to_owned()));
        }
        let path = self.folder.join(name);
        let write = || {
            if let Some(folder) = path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(content)?;
            file.sync_all()?;
            // Every folder on the way may be new.
            path.ancestors().skip(1).take(name.split('/').count()).try_for_each(sync_folder)
        };
        write().map_err(io_failed(path.display().to_string()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_dir_all(&self.folder)
        {
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "an unfinished restore could not be removed");
        }
    }
}

/// The store's folder in a node's data folder.
pub const STORE_FOLDER: &str = "store";

/// Ending of the folder's name while it is being filled.
const DRAFT_ENDING: &str = ".restoring";
