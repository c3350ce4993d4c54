//! The data folder: where a node keeps what.

use std::path::{Path, PathBuf};

use crate::signing::NodeKeys;
use crate::store::{RocksSettings, RocksStore, STORE_FOLDER, StoreError};

/// A node's data folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, which need not exist.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder, as it was named.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The store's own folder.
    pub fn store(&self) -> PathBuf {
        self.0.join(STORE_FOLDER)
    }

    /// The node's private keys.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The files of jobs.
    pub fn jobs(&self) -> PathBuf {
        self.0.join("jobs")
    }

    /// The addresses a running node is bound to, as JSON.
    pub fn addresses(&self) -> PathBuf {
        self.0.join("addresses.json")
    }

    /// Makes the folder, for its owner only.
    pub fn create(&self) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// Opens a stopped node's store and keys; a store is never made here.
    pub fn open_stopped(&self) -> Result<(RocksStore, NodeKeys), OpenError> {
        if !self.store().is_dir() {
            return Err(OpenError::NoStore(self.0.clone()));
        }
        let store = RocksStore::open(&self.store(), &RocksSettings::default())?;
        Ok((store, NodeKeys::load(&self.keys())?))
    }
}

/// Why a stopped node's folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no store.
    #[error("{0} holds no store: name the folder that `nameplate serve --data` was given")]
    NoStore(PathBuf),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys do not load.
    #[error(transparent)]
    Keys(#[from] crate::signing::SigningError),
}
