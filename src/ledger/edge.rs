//! The right edge of a growing log: its peaks and, per level, the tile that is not full yet.

use super::hash::Hash;
use super::tile::{TILE_HEIGHT, TILE_WIDTH};
use super::tree::Peaks;

/// What must be remembered of a log to append to it: at most 255 hashes per level, and the peaks.
#[derive(Clone, Debug, Default)]
pub(super) struct Edge {
    peaks: Peaks,
    /// The hashes of the growing tiles of level 1 and up.
    growing: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of the first entries of a log, as far as stored tiles tell: what is left of `size`
    /// (see [`untiled`]) has to be pushed entry by entry. Asks for the hashes of at most 255 full
    /// tiles per level, by level and number.
    pub(super) fn from_tiles<E>(
        size: u64,
        mut tile: impl FnMut(u8, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Self, E> {
        let mut edge = Self::default();
        for level in (1..TOP_LEVEL).rev() {
            let height = TILE_HEIGHT * u32::from(level + 1);
            let count = size >> height;
            for number in count - count % TILE_WIDTH..count {
                let mut subtree = Peaks::default();
                for hash in tile(level, number)? {
                    subtree.push(0, hash, |_, _| {});
                }
                edge.add(height, subtree.root(), |_, _, _| {});
            }
        }
        Ok(edge)
    }

    /// How many entries the log has.
    pub(super) fn size(&self) -> u64 {
        self.peaks.size()
    }

    /// The log's root.
    pub(super) fn root(&self) -> Hash {
        self.peaks.root()
    }

    /// Adds an entry's leaf hash and shows `full` every tile of level 1 and up that it completes:
    /// level, number, hashes.
    pub(super) fn push(&mut self, leaf: Hash, full: impl FnMut(u8, u64, &[Hash])) {
        self.add(0, leaf, full);
    }

    fn add(&mut self, height: u32, hash: Hash, mut full: impl FnMut(u8, u64, &[Hash])) {
        let Self { peaks, growing } = self;
        let size = peaks.size();
        peaks.push(height, hash, |height, hash| {
            let level = height / TILE_HEIGHT;
            if level == 0 || height % TILE_HEIGHT != 0 {
                return;
            }
            if growing.len() < level as usize {
                growing.resize_with(level as usize, Vec::new);
            }
            let Some(tile) = growing.get_mut(level as usize - 1) else { return };
            tile.push(*hash);
            if tile.len() as u64 == TILE_WIDTH {
                full(level as u8, size >> (TILE_HEIGHT * (level + 1)), tile);
                tile.clear();
            }
        });
    }
}

/// Index of the first entry that no stored tile tells about, in a log of `size` entries: at most
/// 65,535 remain, because level 0 is not stored.
pub(super) fn untiled(size: u64) -> u64 {
    size - size % (TILE_WIDTH * TILE_WIDTH)
}

/// A tile of this level would be full after 2^64 entries.
const TOP_LEVEL: u8 = 7;

#[cfg(test)]
mod tests {
    use super::super::hash::{leaf_hash, node_hash};
    use super::super::tile::tile_widths;
    use super::super::vectors::{examples, list};
    use super::*;

    /// Logs of equal entries have one hash per height, so that large ones cost nothing.
    fn hashes_by_height() -> Vec<Hash> {
        std::iter::successors(Some(leaf_hash(b"same")), |hash| Some(node_hash(hash, hash)))
            .take(64)
            .collect()
    }

    #[test]
    fn edges_of_large_logs_come_back_from_tiles() {
        let hashes = hashes_by_height();
        let examples = examples();
        let sizes = list(&examples, "/tiles_by_size").iter().map(|row| row["size"].as_u64());
        let sizes: Vec<u64> =
            sizes.flatten().chain([0, 1 << 24, (1 << 24) + 65_535, 1 << 40]).collect();
        for size in sizes {
            let mut edge = Edge::from_tiles(size, |level, number| {
                let (full, _) = tile_widths(size, level);
                assert!(number < full, "tile {level}/{number} of size {size}");
                Ok::<_, ()>(vec![hashes[TILE_HEIGHT as usize * usize::from(level)]; 256])
            })
            .unwrap();
            assert_eq!(edge.size(), untiled(size));
            while edge.size() < size {
                edge.push(hashes[0], |_, _, _| panic!("no tile is completed"));
            }
            let mut peaks = Peaks::default();
            for height in (0..64).rev().filter(|height| size >> height & 1 == 1) {
                peaks.push(height, hashes[height as usize], |_, _| {});
            }
            assert_eq!(edge.root(), peaks.root(), "size {size}");
            for (position, growing) in edge.growing.iter().enumerate() {
                let (_, width) = tile_widths(size, position as u8 + 1);
                assert_eq!(growing.len() as u64, width, "size {size}, level {}", position + 1);
            }
        }
    }
}
