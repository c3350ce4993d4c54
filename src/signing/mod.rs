//! The node's own keys: made at the first start, kept in a folder of their own, never shown.
//!
//! A key serves one purpose. The log key signs checkpoints; the salt key hides what ledger
//! entries commit to until somebody is shown the salts. Losing the log key ends the log's
//! generation, losing the salt key makes its entries unprovable: a backup needs both. All
//! cryptography is ring's.

mod key_file;
mod log_key;
mod salt_key;

use std::path::{Path, PathBuf};

pub use log_key::{LogKey, verify_ed25519};
pub use salt_key::SaltKey;

/// The keys of one node.
#[derive(Debug)]
pub struct NodeKeys {
    /// Signs checkpoints.
    pub log: LogKey,
    /// Salts what entries commit to.
    pub salt: SaltKey,
}

impl NodeKeys {
    /// Loads the keys in `folder` and makes those that are missing.
    ///
    /// Only for a node without a log: with a log, a missing key is a loss that [`NodeKeys::load`]
    /// reports and a new key would hide.
    pub fn open(folder: &Path) -> Result<Self, SigningError> {
        key_file::make_folder(folder)?;
        for (name, generate) in KEY_FILES {
            if key_file::is_absent(&folder.join(name)) {
                key_file::write(folder, name, &generate()?)?;
            }
        }
        Self::load(folder)
    }

    /// Loads the keys in `folder`; a missing one is an error.
    pub fn load(folder: &Path) -> Result<Self, SigningError> {
        let path = folder.join(LOG_KEY_FILE);
        let log = LogKey::from_pkcs8(&key_file::read(&path)?)
            .ok_or(SigningError::Invalid { path, expected: "an Ed25519 key in PKCS#8 DER" })?;
        let path = folder.join(SALT_KEY_FILE);
        let salt = <[u8; 32]>::try_from(key_file::read(&path)?)
            .map_err(|_| SigningError::Invalid { path, expected: "32 bytes" })?;
        Ok(Self { log, salt: SaltKey::new(&salt) })
    }

    /// Copies the keys in one folder, once they have proved to be keys, into another.
    pub fn copy(from: &Path, to: &Path) -> Result<(), SigningError> {
        Self::load(from)?;
        key_file::make_folder(to)?;
        for (name, _) in KEY_FILES {
            key_file::write(to, name, &key_file::read(&from.join(name))?)?;
        }
        Ok(())
    }

    /// Keys from seeds: always the same, for tests and recorded conversations.
    pub fn from_seeds(log_seed: &[u8; 32], salt: [u8; 32]) -> Self {
        Self { log: LogKey::from_seed(log_seed), salt: SaltKey::new(&salt) }
    }
}

/// Why keys could not be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The system refused.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// A key is not there.
    #[error("{0} is missing: put it back from a backup that holds private keys")]
    Missing(PathBuf),
    /// Others than the owner can read a key.
    #[error(
        "{path} is readable by others (mode {mode:04o}): run `chmod 600 {path}`, and replace the \
         key if others may have read it"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file does not hold the key it should.
    #[error("{path} does not hold {expected}: put it back from a backup that holds private keys")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The system gave no randomness.
    #[error("the system's random generator failed: no key was made")]
    Chance,
}

/// File of the log key, in the keys' folder.
pub const LOG_KEY_FILE: &str = "log.der";

/// File of the salt key, in the keys' folder.
pub const SALT_KEY_FILE: &str = "salt.key";

/// Makes the content of a key's file.
type Generate = fn() -> Result<Vec<u8>, SigningError>;

/// The keys' files and how their content is made.
const KEY_FILES: [(&str, Generate); 2] =
    [(LOG_KEY_FILE, log_key::generate), (SALT_KEY_FILE, salt_key::generate)];

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn keys_are_made_once_and_kept_from_others() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("data/keys");
        assert!(matches!(NodeKeys::load(&folder), Err(SigningError::Missing(_))));
        let made = NodeKeys::open(&folder).unwrap();
        let again = NodeKeys::open(&folder).unwrap();
        assert_eq!(made.log.public(), again.log.public());
        assert_eq!(made.salt.record_salt(b"k", 1), again.salt.record_salt(b"k", 1));
        assert_eq!(mode(&folder), 0o700);
        let mut names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [LOG_KEY_FILE, SALT_KEY_FILE]);
        assert!(KEY_FILES.iter().all(|(name, _)| mode(&folder.join(name)) == 0o600));
    }

    #[test]
    fn a_file_left_by_a_crash_is_no_hindrance() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("log.der.new"), b"half a k").unwrap();
        NodeKeys::open(home.path()).unwrap();
        assert!(NodeKeys::load(home.path()).is_ok());
        assert!(!home.path().join("log.der.new").exists());
        assert_eq!(mode(&home.path().join(LOG_KEY_FILE)), 0o600);
    }

    #[test]
    fn exposed_missing_and_broken_keys_are_refused() {
        let home = tempfile::tempdir().unwrap();
        NodeKeys::open(home.path()).unwrap();
        let salt = home.path().join(SALT_KEY_FILE);
        fs::set_permissions(&salt, fs::Permissions::from_mode(0o640)).unwrap();
        let error = NodeKeys::load(home.path()).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && error.contains("0640"), "{error}");
        fs::set_permissions(&salt, fs::Permissions::from_mode(0o600)).unwrap();
        for content in [&[7u8; 31][..], &[7; 33], &[], &[7; 100_000]] {
            fs::write(&salt, content).unwrap();
            assert!(matches!(NodeKeys::load(home.path()), Err(SigningError::Invalid { .. })));
        }
        fs::remove_file(&salt).unwrap();
        assert!(matches!(NodeKeys::load(home.path()), Err(SigningError::Missing(_))));
        fs::write(home.path().join(LOG_KEY_FILE), b"-----BEGIN").unwrap();
        assert!(matches!(NodeKeys::open(home.path()), Err(SigningError::Invalid { .. })));
    }

    #[test]
    fn keys_are_not_shown() {
        let keys = NodeKeys::from_seeds(&[0x5a; 32], [0xa5; 32]);
        let shown = format!("{keys:?}").to_lowercase();
        assert!(!shown.contains("5a5a") && !shown.contains("a5a5"), "{shown}");
        assert!(!shown.contains("90, 90") && !shown.contains("165, 165"), "{shown}");
    }
}
