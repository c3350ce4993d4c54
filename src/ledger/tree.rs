//! The tree as it grows: only the roots of its complete subtrees are kept.

use super::hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash};

/// The roots of the complete subtrees that make up a tree, largest first.
///
/// A tree of n entries has one for each bit that is set in n, so at most 64.
#[derive(Clone, Debug, Default)]
pub struct Peaks {
    size: u64,
    hashes: Vec<Hash>,
}

impl Peaks {
    /// How many entries the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the root of a complete subtree of 2^`height` entries, and shows `completed` its height
    /// and hash and then those of every larger subtree that it completes.
    ///
    /// The tree's size must be a multiple of 2^`height`.
    pub fn push(&mut self, height: u32, hash: Hash, mut completed: impl FnMut(u32, &Hash)) {
        debug_assert!(self.size.trailing_zeros() >= height);
        let (mut hash, mut reached) = (hash, height);
        completed(reached, &hash);
        while self.size >> reached & 1 == 1 {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            reached += 1;
            completed(reached, &hash);
        }
        self.hashes.push(hash);
        self.size += 1 << height;
    }

    /// The tree's root (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        let joined =
            self.hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        joined.unwrap_or(EMPTY_ROOT)
    }
}

/// The Merkle tree hash of a list of entries (RFC 6962 §2.1).
pub fn tree_hash(entries: impl IntoIterator<Item: AsRef<[u8]>>) -> Hash {
    let mut peaks = Peaks::default();
    for entry in entries {
        peaks.push(0, leaf_hash(entry.as_ref()), |_, _| {});
    }
    peaks.root()
}

/// The definition of RFC 6962 §2.1, word for word, over leaf hashes.
#[cfg(test)]
pub(super) fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&defined_root(left), &defined_root(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{bytes, examples, hash, list};
    use super::*;

    #[test]
    fn roots_of_every_size_are_as_in_the_examples() {
        let examples = examples();
        for tree in list(&examples, "/merkle") {
            let entries: Vec<_> = (0..list(tree, "/entries").len())
                .map(|i| bytes(tree, &format!("/entries/{i}")))
                .collect();
            let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
            for size in 0..=entries.len() {
                let root = hash(tree, &format!("/roots_by_size/{size}"));
                assert_eq!(tree_hash(&entries[..size]), root, "size {size}");
                assert_eq!(defined_root(&leaves[..size]), root, "size {size}");
                if size > 0 {
                    assert_eq!(leaves[size - 1], hash(tree, &format!("/leaf_hashes/{}", size - 1)));
                }
            }
        }
    }
}
