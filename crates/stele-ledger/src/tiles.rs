//! The C2SP tlog-tiles view of the log: tile paths, hash tiles and entry bundles.
//!
//! Source: C2SP tlog-tiles. A tile of level L and index N holds the hashes of up to 256 subtrees of 256^L leaves
//! each, from subtree 256·N on; an entry bundle holds up to 256 records, each behind its length as a big-endian
//! u16. A tile of fewer than 256 is partial and says so in its path.
//!
//! ```text
//! tile/<L>/<N>[.p/<W>]          N in groups of three digits, all but the last with an x: x001/x234/067
//! tile/entries/<N>[.p/<W>]
//! ```
//!
//! Status: BETA.

use std::fmt;

use stele_core::id::LogIndex;

use crate::log::{LogError, LogReader, TreeError, TreeReader};

/// Hashes in a full tile, records in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Highest tile level that a path may name.
pub const TILE_LEVEL_MAX: u8 = 63;
/// Longest record that an entry bundle can hold, in bytes.
pub const BUNDLE_RECORD_BYTES_MAX: usize = u16::MAX as usize;
/// Longest path that is parsed, in bytes: `tile/63/`, seven groups and `.p/255`.
const PATH_BYTES_MAX: usize = 64;

/// Why a tile cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// The path is not that of a tile.
    #[error("this is not the path of a tile")]
    Path,
    /// The log does not reach this tile.
    #[error("the log of {size} entries does not have the tile {path}")]
    BeyondLog {
        /// The tile asked for.
        path: TilePath,
        /// Entries in the log.
        size: u64,
    },
    /// A record does not fit the bundle's 16-bit lengths.
    #[error("the record of entry {index} has {bytes} bytes and does not fit an entry bundle")]
    RecordTooLong {
        /// The entry.
        index: LogIndex,
        /// Length of its record.
        bytes: usize,
    },
    /// A bundle's lengths contradict its size.
    #[error("the entry bundle is malformed at byte {at}")]
    Bundle {
        /// Offset in the bundle.
        at: usize,
    },
    /// The tree could not be read.
    #[error("the tree could not be read")]
    Tree(#[source] TreeError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[source] LogError),
}

/// What a tile path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TilePath {
    /// A hash tile.
    Hashes {
        /// Level of the tile; at level 0 the hashes are leaf hashes.
        level: u8,
        /// Index of the tile in its level.
        index: u64,
        /// Hashes in it, 1..=256.
        width: u16,
    },
    /// An entry bundle.
    Entries {
        /// Index of the bundle.
        index: u64,
        /// Records in it, 1..=256.
        width: u16,
    },
}

impl TilePath {
    /// Parses a path without leading slash. Each tile has one path: another spelling is refused.
    ///
    /// # Errors
    /// [`TileError::Path`].
    pub fn parse(path: &str) -> Result<Self, TileError> {
        parse(path).ok_or(TileError::Path)
    }

    /// Hash tile or bundle `index` of a level of `count` hashes or records, if it has any.
    fn width_at(index: u64, count: u64) -> Option<u16> {
        let rest = count.checked_sub(index.checked_mul(u64::from(TILE_WIDTH))?)?;
        let width = rest.min(u64::from(TILE_WIDTH)) as u16;
        (width > 0).then_some(width)
    }
}

/// All tiles that make up a log of `size` entries, full ones and the partial ones at the right edge: bundles
/// first, then hash tiles by level.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TilePath> {
    let bundles = (0..size.div_ceil(u64::from(TILE_WIDTH))).filter_map(move |index| {
        TilePath::width_at(index, size).map(|width| TilePath::Entries { index, width })
    });
    let hashes = (0..8u8).flat_map(move |level| {
        let count = size >> (8 * u32::from(level));
        (0..count.div_ceil(u64::from(TILE_WIDTH))).filter_map(move |index| {
            let width = TilePath::width_at(index, count)?;
            Some(TilePath::Hashes {
                level,
                index,
                width,
            })
        })
    });
    bundles.chain(hashes)
}

/// The bytes of a hash tile: `width` hashes of 32 bytes.
///
/// # Errors
/// [`TileError::BeyondLog`] or [`TileError::Tree`].
pub fn hash_tile(
    tree: &TreeReader,
    level: u8,
    index: u64,
    width: u16,
) -> Result<Vec<u8>, TileError> {
    let size = tree.size();
    let count = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
    if TilePath::width_at(index, count).is_none_or(|available| width > available) {
        let path = TilePath::Hashes {
            level,
            index,
            width,
        };
        return Err(TileError::BeyondLog { path, size });
    }
    let first = index * u64::from(TILE_WIDTH);
    let hashes = tree.tile_hashes(usize::from(level), first, usize::from(width));
    Ok(hashes.map_err(TileError::Tree)?.into_flattened())
}

/// The bytes of an entry bundle: `width` records, each behind its length.
///
/// # Errors
/// [`TileError::BeyondLog`], [`TileError::RecordTooLong`] or [`TileError::Log`].
pub fn entry_bundle(log: &LogReader, index: u64, width: u16) -> Result<Vec<u8>, TileError> {
    let size = log.entries_count();
    if TilePath::width_at(index, size).is_none_or(|available| width > available) {
        let path = TilePath::Entries { index, width };
        return Err(TileError::BeyondLog { path, size });
    }
    let first = index * u64::from(TILE_WIDTH);
    let end = first + u64::from(width);
    let (height, _) = log.position(LogIndex::new(first)).map_err(TileError::Log)?;
    let mut bundle = Vec::new();
    for block in log.blocks(height) {
        let block = block.map_err(TileError::Log)?;
        for (at, (_, record)) in (block.first_index().get()..).zip(block.items()) {
            if at < first {
                continue;
            }
            if at == end {
                return Ok(bundle);
            }
            let Ok(bytes) = u16::try_from(record.len()) else {
                let index = LogIndex::new(at);
                return Err(TileError::RecordTooLong {
                    index,
                    bytes: record.len(),
                });
            };
            bundle.extend_from_slice(&bytes.to_be_bytes());
            bundle.extend_from_slice(record);
        }
        if block.first_index().get() + block.len() as u64 >= end {
            break;
        }
    }
    Ok(bundle)
}

/// The records of an entry bundle, at most 256.
///
/// # Errors
/// [`TileError::Bundle`].
pub fn parse_bundle(bundle: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut records = vec![];
    let mut rest = bundle;
    while !rest.is_empty() {
        let malformed = TileError::Bundle {
            at: bundle.len() - rest.len(),
        };
        let Some((length, behind)) = rest.split_first_chunk::<2>() else {
            return Err(malformed);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if behind.len() < length || records.len() == usize::from(TILE_WIDTH) {
            return Err(malformed);
        }
        let (record, behind) = behind.split_at(length);
        records.push(record);
        rest = behind;
    }
    Ok(records)
}

fn parse(path: &str) -> Option<TilePath> {
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        None => (rest, TILE_WIDTH),
        Some((index, width)) => (
            index,
            width
                .parse()
                .ok()
                .filter(|width| (1..TILE_WIDTH).contains(width))?,
        ),
    };
    let index = parse_index(index)?;
    let parsed = if kind == "entries" {
        TilePath::Entries { index, width }
    } else {
        let level = kind.parse().ok().filter(|level| *level <= TILE_LEVEL_MAX)?;
        TilePath::Hashes {
            level,
            index,
            width,
        }
    };
    // Signs, leading zeros and superfluous groups parse above, and are refused here.
    (parsed.to_string() == path).then_some(parsed)
}

fn parse_index(groups: &str) -> Option<u64> {
    let mut index = 0u64;
    for group in groups.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 {
            return None;
        }
        index = index
            .checked_mul(1000)?
            .checked_add(digits.parse::<u16>().ok()?.into())?;
    }
    Some(index)
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, width) = match *self {
            Self::Hashes {
                level,
                index,
                width,
            } => {
                write!(f, "tile/{level}/")?;
                (index, width)
            }
            Self::Entries { index, width } => {
                write!(f, "tile/entries/")?;
                (index, width)
            }
        };
        let mut divisor = 1u64;
        while index / divisor >= 1000 {
            divisor *= 1000;
        }
        while divisor > 1 {
            write!(f, "x{:03}/", index / divisor % 1000)?;
            divisor /= 1000;
        }
        write!(f, "{:03}", index % 1000)?;
        if width < TILE_WIDTH {
            write!(f, ".p/{width}")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_of_the_specification() {
        for (path, tile) in [
            (
                "tile/0/000",
                TilePath::Hashes {
                    level: 0,
                    index: 0,
                    width: 256,
                },
            ),
            (
                "tile/0/x001/x234/067",
                TilePath::Hashes {
                    level: 0,
                    index: 1_234_067,
                    width: 256,
                },
            ),
            (
                "tile/2/000.p/6",
                TilePath::Hashes {
                    level: 2,
                    index: 0,
                    width: 6,
                },
            ),
            (
                "tile/entries/x001/000.p/255",
                TilePath::Entries {
                    index: 1000,
                    width: 255,
                },
            ),
        ] {
            assert_eq!(tile.to_string(), path);
            assert_eq!(TilePath::parse(path).unwrap(), tile);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/+1/000",
            "tile/-1/000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p/1/2",
            "tile/0/+00",
            "tile/data/000",
            "tile/entries/x018/x446/x744/x073/x709/x551/616",
            "tile/0/000/",
            "tile/0/../000",
            "tile/0/x001/x002/x003/x004/x005/x006/x007/x008/x009/x010/x011/x012/013",
        ] {
            assert!(TilePath::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn the_tiles_of_a_log() {
        let tiles: Vec<_> = tiles_of(256 * 256 + 300)
            .map(|tile| tile.to_string())
            .collect();
        assert_eq!(tiles.len(), 258 + 258 + 2 + 1);
        for path in [
            "tile/entries/257.p/44",
            "tile/0/257.p/44",
            "tile/1/000",
            "tile/1/001.p/1",
            "tile/2/000.p/1",
        ] {
            assert!(tiles.iter().any(|tile| tile == path), "{path}");
        }
        assert_eq!(tiles_of(0).count(), 0);
    }

    #[test]
    fn bundles_are_bounded() {
        assert_eq!(parse_bundle(b"\0\x01a\0\0").unwrap(), [&b"a"[..], b""]);
        assert!(matches!(
            parse_bundle(b"\0\x01a\0"),
            Err(TileError::Bundle { at: 3 })
        ));
        assert!(matches!(
            parse_bundle(b"\0\x02a"),
            Err(TileError::Bundle { at: 0 })
        ));
        assert!(parse_bundle(&[0; 512]).is_ok());
        assert!(matches!(
            parse_bundle(&[0; 514]),
            Err(TileError::Bundle { at: 512 })
        ));
    }

    proptest! {
        #[test]
        fn paths_round_trip(level in 0u8..=63, index in any::<u64>(), width in 1u16..=256, entries in any::<bool>()) {
            let tile = if entries { TilePath::Entries { index, width } } else { TilePath::Hashes { level, index, width } };
            prop_assert_eq!(TilePath::parse(&tile.to_string()).unwrap(), tile);
        }

        #[test]
        fn whatever_parses_is_spelled_so(path in "tile/(entries|[0-9]{1,2}|x)/(x?[0-9]{3}/?){0,8}(.p/[0-9]{0,4})?", bytes in any::<Vec<u8>>()) {
            if let Ok(tile) = TilePath::parse(&path) {
                prop_assert_eq!(tile.to_string(), path);
            }
            if let Ok(records) = parse_bundle(&bytes) {
                prop_assert_eq!(records.iter().map(|record| record.len() + 2).sum::<usize>(), bytes.len());
            }
        }
    }
}
