//! Tiles: the tree cut into pieces of 256 hashes (C2SP `tlog-tiles`).

use std::fmt::Write;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileKind {
    /// Hashes of subtrees of 256^level entries.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// The path of a tile below the log's origin: `tile/0/x001/x234/067`, or with `.p/W` behind it
/// when it holds only `width` hashes or entries.
///
/// The number is written in groups of three digits, all but the last marked with `x`.
pub fn tile_path(kind: TileKind, number: u64, width: u64) -> String {
    let mut path = match kind {
        TileKind::Hashes(level) => format!("tile/{level}/"),
        TileKind::Entries => "tile/entries/".to_owned(),
    };
    let digits = number.to_string();
    let digits = format!("{digits:0>0$}", digits.len().next_multiple_of(3));
    for (position, digit) in digits.chars().enumerate() {
        if position % 3 == 0 {
            let last_group = position + 3 == digits.len();
            path.push_str(if position == 0 { "" } else { "/" });
            path.push_str(if last_group { "" } else { "x" });
        }
        path.push(digit);
    }
    if width < TILE_WIDTH {
        // Writing to a String cannot fail.
        let _ = write!(path, ".p/{width}");
    }
    path
}

/// How many full tiles a level has in a log of `size` entries, and the width of the partial one
/// behind them (0: there is none).
pub fn tile_widths(size: u64, level: u8) -> (u64, u64) {
    let hashes = size.checked_shr(TILE_HEIGHT * u32::from(level)).unwrap_or(0);
    (hashes / TILE_WIDTH, hashes % TILE_WIDTH)
}

/// Hashes or entries in a full tile.
pub const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// Levels of the tree in a tile.
pub(super) const TILE_HEIGHT: u32 = 8;

#[cfg(test)]
mod tests {
    use super::super::vectors::{examples, list, text};
    use super::*;

    #[test]
    fn paths_are_as_in_the_examples() {
        for tile in list(&examples(), "/tile_paths") {
            let kind = match text(tile, "/level") {
                "entries" => TileKind::Entries,
                level => TileKind::Hashes(level.parse().unwrap()),
            };
            let (number, width) =
                (tile["index"].as_u64().unwrap(), tile["width"].as_u64().unwrap());
            assert_eq!(tile_path(kind, number, width), text(tile, "/path_text"));
        }
    }

    #[test]
    fn widths_are_as_in_the_examples() {
        for row in list(&examples(), "/tiles_by_size") {
            let size = row["size"].as_u64().unwrap();
            for level in 0..8 {
                let wanted = list(row, "/levels").iter().find(|wanted| wanted["level"] == level);
                let wanted = wanted.map_or((0, 0), |wanted| {
                    let number = |name: &str| wanted[name].as_u64().unwrap();
                    (number("full"), number("partial_width"))
                });
                assert_eq!(tile_widths(size, level), wanted, "size {size}, level {level}");
            }
        }
    }
}
