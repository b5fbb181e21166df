//! Chunked arrays and the 4-byte edges of the state tree: a key costs 112 bytes and no allocation of its own.
//!
//! | array | bytes | one per |
//! |---|---|---|
//! | hashes of both children | 64, one cache line | branching node |
//! | edges to both children | 8 | branching node |
//! | path | 32 | leaf |
//! | location in the value log | 8 | leaf |
//!
//! The hash of a node stands in its parent, next to its sibling's: an update reads one cache line per level.

use super::location::Location;

/// Slots per chunk. Growth adds a chunk and moves nothing.
const CHUNK: usize = 256;

/// An array that grows by chunks, so that no element ever moves and no doubling wastes memory.
struct Chunks<T> {
    chunks: Vec<Box<[T]>>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T: Copy> Chunks<T> {
    fn get(&self, index: u32) -> &T {
        let index = index as usize;
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    fn get_mut(&mut self, index: u32) -> &mut T {
        let index = index as usize;
        &mut self.chunks[index / CHUNK][index % CHUNK]
    }

    /// Makes room for the slot `index`, which is the first one not yet in use.
    fn reserve(&mut self, index: u32, fill: T) {
        if index as usize == self.chunks.len() * CHUNK {
            self.chunks.push(vec![fill; CHUNK].into_boxed_slice());
        }
    }

    fn memory_bytes(&self) -> usize {
        self.chunks.len() * (CHUNK * size_of::<T>() + size_of::<Box<[T]>>())
    }
}

/// The two child hashes of a branching node, each folded to the depth right below the node.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Pair([[u8; 32]; 2]);

/// How many bits of one-sided nodes an edge spells out. Longer runs are read from a leaf below.
const RUN_MAX: u16 = 7;

/// How many branching nodes a shard can number; with 256 shards, two thousand million in all.
pub(super) const INNERS_MAX: u32 = 1 << 23;

/// A reference to a subtree: empty, a leaf, or a branching node with the run of one-sided nodes above it.
///
/// A branching node's edge holds its index (23 bits) and the run (8 bits: a leading one, then the path bits of the run;
/// zero when the run is longer than [`RUN_MAX`] bits).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Edge(u32);

/// What an [`Edge`] refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Target {
    Empty,
    Leaf(u32),
    Inner(u32, Run),
}

/// The one-sided nodes between a slot and the branching node below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Run {
    /// At most [`RUN_MAX`] of them: their number and their path bits.
    Short { length: u16, bits: u8 },
    /// More than that.
    Long,
}

impl Edge {
    pub(super) const EMPTY: Edge = Edge(u32::MAX);
    const LEAF: u32 = 1 << 31;

    pub(super) fn leaf(index: u32) -> Self {
        assert!(
            index < Self::LEAF - 1,
            "a shard's leaves are numbered with 31 bits"
        );
        Self(Self::LEAF | index)
    }

    pub(super) fn inner(index: u32, run: Run) -> Self {
        let code = match run {
            Run::Short { length, bits } => 1 << length | u32::from(bits),
            Run::Long => 0,
        };
        Self(index << 8 | code)
    }

    pub(super) fn target(self) -> Target {
        if self == Self::EMPTY {
            return Target::Empty;
        }
        if self.0 & Self::LEAF != 0 {
            return Target::Leaf(self.0 & !Self::LEAF);
        }
        let code = self.0 as u8;
        let run = match code.checked_ilog2() {
            None => Run::Long,
            Some(length) => Run::Short {
                length: length as u16,
                bits: code ^ 1 << length,
            },
        };
        Target::Inner(self.0 >> 8, run)
    }
}

impl Run {
    /// The run whose bits are those of `path` from `depth` up to, not including, `end`.
    pub(super) fn of(path: &[u8; 32], depth: u16, end: u16) -> Self {
        let length = end - depth;
        if length > RUN_MAX {
            Run::Long
        } else {
            Run::Short {
                length,
                bits: bits(path, depth, length),
            }
        }
    }
}

/// The bit of `path` at `depth`, 0..=255.
pub(super) fn bit(path: &[u8; 32], depth: u16) -> bool {
    path[usize::from(depth / 8)] >> (7 - depth % 8) & 1 == 1
}

/// Up to 7 bits of `path` from `depth`, right-aligned.
pub(super) fn bits(path: &[u8; 32], depth: u16, length: u16) -> u8 {
    debug_assert!(length <= RUN_MAX && depth + length <= 256);
    if length == 0 {
        return 0;
    }
    let byte = usize::from(depth / 8);
    let window = u16::from(path[byte]) << 8 | u16::from(path.get(byte + 1).copied().unwrap_or(0));
    let shift = 16 - depth % 8 - length;
    (window >> shift) as u8 & ((1u16 << length) - 1) as u8
}

/// `path` with `length` bits from `depth` replaced.
pub(super) fn with_bits(path: &[u8; 32], depth: u16, length: u16, bits: u8) -> [u8; 32] {
    let mut path = *path;
    for offset in 0..length {
        let depth = depth + offset;
        let mask = 0x80 >> (depth % 8);
        let byte = &mut path[usize::from(depth / 8)];
        *byte = if bits >> (length - 1 - offset) & 1 == 1 {
            *byte | mask
        } else {
            *byte & !mask
        };
    }
    path
}

/// The branching nodes of a shard.
#[derive(Default)]
pub(super) struct Inners {
    hashes: Chunks<Pair>,
    edges: Chunks<[Edge; 2]>,
    free: Vec<u32>,
    len: u32,
}

impl Inners {
    pub(super) fn insert(&mut self, edges: [Edge; 2], hashes: [[u8; 32]; 2]) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            let index = self.len;
            assert!(
                index < INNERS_MAX,
                "State::apply refuses batches that could fill a shard"
            );
            self.hashes.reserve(index, Pair([[0; 32]; 2]));
            self.edges.reserve(index, [Edge::EMPTY; 2]);
            self.len += 1;
            index
        });
        self.set(index, edges, hashes);
        index
    }

    pub(super) fn set(&mut self, index: u32, edges: [Edge; 2], hashes: [[u8; 32]; 2]) {
        *self.edges.get_mut(index) = edges;
        self.hashes.get_mut(index).0 = hashes;
    }

    pub(super) fn remove(&mut self, index: u32) {
        self.free.push(index);
    }

    pub(super) fn edges(&self, index: u32) -> [Edge; 2] {
        *self.edges.get(index)
    }

    pub(super) fn hashes(&self, index: u32) -> &[[u8; 32]; 2] {
        &self.hashes.get(index).0
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.hashes.memory_bytes() + self.edges.memory_bytes() + self.free.capacity() * 4
    }
}

/// The leaves of a shard.
#[derive(Default)]
pub(super) struct Leaves {
    paths: Chunks<[u8; 32]>,
    locations: Chunks<Location>,
    free: Vec<u32>,
    len: u32,
}

impl Leaves {
    pub(super) fn insert(&mut self, path: &[u8; 32], location: Location) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            let index = self.len;
            self.paths.reserve(index, [0; 32]);
            self.locations.reserve(index, Location::NONE);
            self.len += 1;
            index
        });
        *self.paths.get_mut(index) = *path;
        *self.locations.get_mut(index) = location;
        index
    }

    pub(super) fn remove(&mut self, index: u32) {
        self.free.push(index);
    }

    pub(super) fn path(&self, index: u32) -> &[u8; 32] {
        self.paths.get(index)
    }

    pub(super) fn location(&self, index: u32) -> Location {
        *self.locations.get(index)
    }

    pub(super) fn set_location(&mut self, index: u32, location: Location) {
        *self.locations.get_mut(index) = location;
    }

    /// How many leaves are in use.
    pub(super) fn count(&self) -> usize {
        self.len as usize - self.free.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.paths.memory_bytes() + self.locations.memory_bytes() + self.free.capacity() * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_give_back_what_they_hold() {
        assert_eq!(Edge::EMPTY.target(), Target::Empty);
        assert_eq!(Edge::leaf(7).target(), Target::Leaf(7));
        assert_eq!(
            Edge::inner(INNERS_MAX - 1, Run::Long).target(),
            Target::Inner(INNERS_MAX - 1, Run::Long)
        );
        for length in 0..=RUN_MAX {
            for bits in 0..1u16 << length {
                let run = Run::Short {
                    length,
                    bits: bits as u8,
                };
                assert_eq!(Edge::inner(3, run).target(), Target::Inner(3, run));
            }
        }
    }

    #[test]
    fn bits_are_read_and_written_most_significant_first() {
        let mut path = [0u8; 32];
        path[0] = 0b1011_0010;
        path[1] = 0b1100_0000;
        path[31] = 0b0000_0101;
        assert_eq!(bits(&path, 0, 3), 0b101);
        assert_eq!(bits(&path, 5, 5), 0b0_1011);
        assert_eq!(bits(&path, 253, 3), 0b101);
        assert_eq!(bits(&path, 256, 0), 0);
        for depth in 0..=249 {
            for value in [0, 0b101_0101, 0b111_1111] {
                let changed = with_bits(&path, depth, 7, value);
                assert_eq!(bits(&changed, depth, 7), value);
                for other in (0..depth).chain(depth + 7..256) {
                    assert_eq!(bit(&changed, other), bit(&path, other));
                }
            }
        }
    }
}
