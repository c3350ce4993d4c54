//! Comparing what tests make with what is recorded in the tree.

use std::path::Path;

/// Fails when `current` is not the content of the file at `path` in the tree;
/// `UPDATE_SNAPSHOTS=1` writes the file anew. Look at the difference before you commit it.
pub(crate) fn compare(path: &str, current: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, current).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        recorded == current,
        "{} has changed: run the tests with UPDATE_SNAPSHOTS=1 and look at the difference",
        path.display()
    );
}
