//! The whole tree in memory: 256 shards and the 255 nodes above them.

use std::collections::BTreeMap;

use rayon::prelude::*;
use stele_core::state_proof::{EMPTY, inner_hash};

use super::arena::{INNERS_MAX, bit};
use super::location::{Location, Position};
use super::shard::{End, Item, LeafView, SHARD_DEPTH, Shard};

/// The number of shards: one per value of a path's first byte.
pub(super) const SHARDS: usize = 1 << SHARD_DEPTH;

/// Below this many changes the threads cost more than they bring.
const PARALLEL_MIN: usize = 256;

/// A change as it comes out of a block or out of the value log.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) path: &'a [u8; 32],
    /// `None` deletes.
    pub(super) value: Option<&'a [u8]>,
    pub(super) location: Location,
}

/// A batch, hashed, sorted and parted by shard. Making it needs no access to the tree.
pub(super) struct Batch {
    shards: Vec<Vec<Item>>,
    count: usize,
}

impl Batch {
    /// Of several changes to one path the last one counts.
    pub(super) fn new(inputs: &[Input<'_>]) -> Self {
        let mut ends = [0usize; SHARDS];
        for input in inputs {
            ends[usize::from(input.path[0])] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        let mut order = vec![0u32; inputs.len()];
        let mut next = ends;
        for (index, input) in inputs.iter().enumerate().rev() {
            let slot = &mut next[usize::from(input.path[0])];
            *slot -= 1;
            order[*slot] = index as u32;
        }
        let starts = next;
        let hash_shard = |shard: usize| hash_and_sort(inputs, &order[starts[shard]..ends[shard]]);
        let shards = if inputs.len() < PARALLEL_MIN {
            (0..SHARDS).map(hash_shard).collect()
        } else {
            (0..SHARDS).into_par_iter().map(hash_shard).collect()
        };
        Self {
            shards,
            count: inputs.len(),
        }
    }

    /// Log bytes of the records that the batch points to, by segment.
    pub(super) fn live_bytes(&self) -> BTreeMap<u32, u64> {
        let mut live = BTreeMap::new();
        for item in self
            .shards
            .iter()
            .flatten()
            .filter(|item| item.location != Location::NONE)
        {
            *live.entry(item.location.segment()).or_default() += item.location.length() as u64;
        }
        live
    }
}

fn hash_and_sort(inputs: &[Input<'_>], order: &[u32]) -> Vec<Item> {
    let mut keyed: Vec<(u64, u32)> = order
        .iter()
        .map(|&index| {
            let path = inputs[index as usize].path;
            let head = u64::from_be_bytes(path[1..9].try_into().expect("eight bytes"));
            (head, index)
        })
        .collect();
    keyed.sort_unstable_by(|left, right| {
        let rest = |index: u32| &inputs[index as usize].path[9..];
        left.0
            .cmp(&right.0)
            .then_with(|| rest(left.1).cmp(rest(right.1)))
            .then(left.1.cmp(&right.1))
    });
    let mut items: Vec<Item> = Vec::with_capacity(keyed.len());
    for (position, &(_, index)) in keyed.iter().enumerate() {
        let input = &inputs[index as usize];
        let overwritten = keyed
            .get(position + 1)
            .is_some_and(|&(_, later)| inputs[later as usize].path == input.path);
        if overwritten {
            continue;
        }
        items.push(match input.value {
            Some(value) => Item::of_value(input.path, value, input.location),
            None => Item {
                path: *input.path,
                leaf_hash: EMPTY,
                location: Location::NONE,
            },
        });
    }
    items
}

/// The hash of a subtree, and whether it is a collapsed leaf, which keeps its hash when it rises.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Summary {
    Empty,
    Leaf([u8; 32]),
    Inner([u8; 32]),
}

impl Summary {
    fn of_shard(leaves: usize, hash: [u8; 32]) -> Self {
        match leaves {
            0 => Self::Empty,
            1 => Self::Leaf(hash),
            _ => Self::Inner(hash),
        }
    }

    fn hash(self) -> [u8; 32] {
        match self {
            Self::Empty => EMPTY,
            Self::Leaf(hash) | Self::Inner(hash) => hash,
        }
    }

    fn join(left: Self, right: Self) -> Self {
        match (left, right) {
            (Self::Empty, Self::Empty) => Self::Empty,
            (Self::Leaf(hash), Self::Empty) | (Self::Empty, Self::Leaf(hash)) => Self::Leaf(hash),
            _ => Self::Inner(inner_hash(&left.hash(), &right.hash())),
        }
    }
}

/// The root over all shards, given the number of leaves and the root's hash of each.
pub(super) fn root_of_shards(shards: &[(usize, [u8; 32])]) -> [u8; 32] {
    assert_eq!(shards.len(), SHARDS);
    let mut nodes: Vec<_> = shards
        .iter()
        .map(|(leaves, hash)| Summary::of_shard(*leaves, *hash))
        .collect();
    while nodes.len() > 1 {
        nodes = nodes
            .chunks_exact(2)
            .map(|pair| Summary::join(pair[0], pair[1]))
            .collect();
    }
    nodes[0].hash()
}

/// The state's tree. All hashes are up to date after every call.
pub(super) struct Tree {
    shards: Vec<Shard>,
    /// A binary heap: node 1 is the root, the children of i are 2i and 2i+1, the shards' roots are 256..512.
    top: Vec<Summary>,
    /// Number of blocks applied: the height of the last one plus one.
    pub(super) next_height: u64,
    /// The end of the last frame that is applied.
    pub(super) applied: Position,
}

impl Tree {
    pub(super) fn new(next_height: u64, applied: Position) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::new()).collect(),
            top: vec![Summary::Empty; 2 * SHARDS],
            next_height,
            applied,
        }
    }

    pub(super) fn from_shards(shards: Vec<Shard>, next_height: u64, applied: Position) -> Self {
        assert_eq!(shards.len(), SHARDS);
        let mut tree = Self {
            shards,
            top: vec![Summary::Empty; 2 * SHARDS],
            next_height,
            applied,
        };
        tree.refresh_top(&[true; SHARDS]);
        tree
    }

    pub(super) fn root(&self) -> [u8; 32] {
        self.top[1].hash()
    }

    pub(super) fn height(&self) -> Option<u64> {
        self.next_height.checked_sub(1)
    }

    pub(super) fn shard(&self, index: usize) -> &Shard {
        &self.shards[index]
    }

    pub(super) fn leaf_count(&self) -> usize {
        self.shards.iter().map(Shard::leaf_count).sum()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.shards.iter().map(Shard::memory_bytes).sum()
    }

    /// Whether a batch of `count` changes might exceed what a shard can number.
    pub(super) fn could_overflow(&self, count: usize) -> bool {
        let fullest = self.shards.iter().map(Shard::leaf_count).max().unwrap_or(0);
        fullest + count >= INNERS_MAX as usize
    }

    /// Applies a batch whose last frame ends at `end`, and returns the log bytes that became garbage, by segment.
    pub(super) fn apply(&mut self, batch: &Batch, end: Position) -> BTreeMap<u32, u64> {
        let update = |shard: &mut Shard, items: &Vec<Item>| {
            if items.is_empty() {
                BTreeMap::new()
            } else {
                shard.update(items)
            }
        };
        let freed: Vec<BTreeMap<u32, u64>> = if batch.count < PARALLEL_MIN {
            self.shards
                .iter_mut()
                .zip(&batch.shards)
                .map(|(shard, items)| update(shard, items))
                .collect()
        } else {
            self.shards
                .par_iter_mut()
                .zip(&batch.shards)
                .map(|(shard, items)| update(shard, items))
                .collect()
        };
        let mut dirty = [false; SHARDS];
        for (dirty, items) in dirty.iter_mut().zip(&batch.shards) {
            *dirty = !items.is_empty();
        }
        self.refresh_top(&dirty);
        self.applied = end;
        let mut total = BTreeMap::new();
        for (segment, bytes) in freed.into_iter().flatten() {
            *total.entry(segment).or_default() += bytes;
        }
        total
    }

    pub(super) fn relocate(&mut self, path: &[u8; 32], old: Location, new: Location) -> bool {
        self.shards[usize::from(path[0])].relocate(path, old, new)
    }

    pub(super) fn get(&self, path: &[u8; 32]) -> Option<LeafView> {
        self.shards[usize::from(path[0])].get(path)
    }

    /// As [`Shard::walk`], from the root of the whole tree.
    pub(super) fn walk(
        &self,
        path: &[u8; 32],
        mut sibling: impl FnMut(u16, [u8; 32]),
    ) -> (u16, End) {
        let mut node = 1;
        for depth in 0..SHARD_DEPTH {
            match self.top[node] {
                Summary::Empty => return (depth, End::Empty),
                Summary::Leaf(_) => return (depth, self.only_leaf_below(node)),
                Summary::Inner(_) => {}
            }
            let child = 2 * node + usize::from(bit(path, depth));
            if self.top[child ^ 1] != Summary::Empty {
                sibling(depth, self.top[child ^ 1].hash());
            }
            node = child;
        }
        self.shards[node - SHARDS].walk(path, sibling)
    }

    fn only_leaf_below(&self, mut node: usize) -> End {
        while node < SHARDS {
            node = 2 * node + usize::from(self.top[2 * node] == Summary::Empty);
        }
        let mut end = End::Empty;
        self.shards[node - SHARDS].visit(|leaf| end = End::Leaf(leaf));
        end
    }

    fn refresh_top(&mut self, dirty: &[bool; SHARDS]) {
        let mut stale = vec![false; 2 * SHARDS];
        stale[SHARDS..].copy_from_slice(dirty);
        for (index, shard) in self.shards.iter().enumerate() {
            if dirty[index] {
                let root = shard.root();
                self.top[SHARDS + index] = Summary::of_shard(shard.leaf_count(), root.hash);
            }
        }
        for node in (1..SHARDS).rev() {
            if stale[2 * node] || stale[2 * node + 1] {
                stale[node] = true;
                self.top[node] = Summary::join(self.top[2 * node], self.top[2 * node + 1]);
            }
        }
    }
}
