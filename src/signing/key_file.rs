//! Files that only their owner may read, written so that a crash leaves the whole file or none.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::SigningError;

/// Makes the folder and those above it, for the owner only; one that exists stays as it is.
pub(super) fn make_folder(folder: &Path) -> Result<(), SigningError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.and_then(|()| folder.parent().filter(|above| above.is_dir()).map_or(Ok(()), sync_folder))
        .map_err(|source| failed(folder, "make the folder", source))
}

/// Whether nothing at all is there; in doubt (a dangling link, an error) something is.
pub(super) fn is_absent(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Writes a file: under another name, to stable storage, then renamed.
pub(super) fn write(folder: &Path, name: &str, content: &[u8]) -> Result<(), SigningError> {
    let unfinished = folder.join(format!("{name}.new"));
    let write = || -> io::Result<()> {
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(name))?;
        sync_folder(folder)
    };
    write().map_err(|source| failed(&folder.join(name), "write the key", source))
}

/// Reads a file that nobody but its owner can read; what is too long for a key is cut off.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, SigningError> {
    let read_failed = |source: io::Error| match source.kind() {
        ErrorKind::NotFound => SigningError::Missing(path.to_owned()),
        _ => failed(path, "read the key", source),
    };
    let file = File::open(path).map_err(read_failed)?;
    let mode = file.metadata().map_err(read_failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SigningError::Exposed { path: path.to_owned(), mode });
    }
    let mut content = Vec::new();
    file.take(MAX_KEY_BYTES).read_to_end(&mut content).map_err(read_failed)?;
    Ok(content)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn failed(path: &Path, action: &'static str, source: io::Error) -> SigningError {
    SigningError::Io { path: path.to_owned(), action, source }
}

/// Most bytes read of a key's file; every key is far shorter.
const MAX_KEY_BYTES: u64 = 4_096;
