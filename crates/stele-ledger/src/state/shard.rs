//! One of the 256 subtrees below depth 8: updates in batches, look-ups, and the walk of a proof.
//!
//! One-sided nodes are not stored. A slot's hash is always the hash at the slot's own depth, so a run of one-sided
//! nodes is folded into it when the subtree below changes or moves. Collapsed leaves hash alike at every depth.

use std::collections::BTreeMap;

use stele_core::state_proof::{EMPTY, inner_hash, leaf_hash, shared_bits, value_hash};

use super::arena::{Edge, Inners, Leaves, Run, Target, bit, bits, with_bits};
use super::location::Location;

/// The depth of the shards' roots.
pub(super) const SHARD_DEPTH: u16 = 8;

/// A subtree and its hash at the depth where the slot stands.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) edge: Edge,
    pub(super) hash: [u8; 32],
}

impl Slot {
    const EMPTY: Slot = Slot {
        edge: Edge::EMPTY,
        hash: EMPTY,
    };

    pub(super) fn is_empty(&self) -> bool {
        self.edge == Edge::EMPTY
    }
}

/// One change of a batch: a leaf to put, or, with [`Location::NONE`], a path to clear.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) path: [u8; 32],
    pub(super) leaf_hash: [u8; 32],
    pub(super) location: Location,
}

impl Item {
    pub(super) fn of_value(path: &[u8; 32], value: &[u8], location: Location) -> Self {
        Self {
            path: *path,
            leaf_hash: leaf_hash(path, &value_hash(value)),
            location,
        }
    }

    fn deletes(&self) -> bool {
        self.location == Location::NONE
    }
}

/// A leaf as the walks report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeafView {
    pub(super) path: [u8; 32],
    pub(super) leaf_hash: [u8; 32],
    pub(super) location: Location,
}

/// Where the walk towards a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Empty,
    Leaf(LeafView),
}

/// A leaf that already stands where a batch is built.
#[derive(Clone, Copy)]
struct Resident {
    index: u32,
    path: [u8; 32],
    hash: [u8; 32],
}

impl Resident {
    fn slot(self) -> Slot {
        Slot {
            edge: Edge::leaf(self.index),
            hash: self.hash,
        }
    }
}

/// The subtree of all paths that share their first 8 bits.
pub(super) struct Shard {
    root: Slot,
    inners: Inners,
    leaves: Leaves,
    /// Bytes of the value log that the running batch made garbage, by segment.
    freed: BTreeMap<u32, u64>,
}

impl Shard {
    pub(super) fn new() -> Self {
        Self {
            root: Slot::EMPTY,
            inners: Inners::default(),
            leaves: Leaves::default(),
            freed: BTreeMap::new(),
        }
    }

    pub(super) fn root(&self) -> &Slot {
        &self.root
    }

    pub(super) fn leaf_count(&self) -> usize {
        self.leaves.count()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.inners.memory_bytes() + self.leaves.memory_bytes()
    }

    /// Applies a batch, sorted by path and without duplicates, and returns the log bytes it made garbage.
    pub(super) fn update(&mut self, items: &[Item]) -> BTreeMap<u32, u64> {
        debug_assert!(items.is_sorted_by(|left, right| left.path < right.path));
        self.root = self.update_slot(self.root, SHARD_DEPTH, items);
        std::mem::take(&mut self.freed)
    }

    /// Points the leaf at `path` to `new` if it still stands at `old`.
    pub(super) fn relocate(&mut self, path: &[u8; 32], old: Location, new: Location) -> bool {
        match self.find(path) {
            Some((index, _)) if self.leaves.location(index) == old => {
                self.leaves.set_location(index, new);
                true
            }
            _ => false,
        }
    }

    /// The leaf at `path`.
    pub(super) fn get(&self, path: &[u8; 32]) -> Option<LeafView> {
        self.find(path)
            .map(|(index, hash)| self.leaf_view(index, hash))
    }

    /// Walks towards `path`, reports every sibling (depth, hash) that is not empty from the top down, and returns the
    /// depth and the content of the place where the walk ends.
    pub(super) fn walk(
        &self,
        path: &[u8; 32],
        mut sibling: impl FnMut(u16, [u8; 32]),
    ) -> (u16, End) {
        let mut slot = self.root;
        let mut depth = SHARD_DEPTH;
        loop {
            match slot.edge.target() {
                Target::Empty => return (depth, End::Empty),
                Target::Leaf(index) => return (depth, End::Leaf(self.leaf_view(index, slot.hash))),
                Target::Inner(index, run) => {
                    let run_path = self.run_path(index, run, depth, path);
                    let branch = self.branch_depth(index, run, depth);
                    let diverged = shared_bits(&run_path, path).clamp(depth, branch);
                    if diverged < branch {
                        let hash = self.inner_hash(index);
                        sibling(diverged, fold(hash, branch, diverged + 1, &run_path));
                        return (diverged + 1, End::Empty);
                    }
                    let side = usize::from(bit(path, branch));
                    let hashes = self.inners.hashes(index);
                    sibling(branch, hashes[1 - side]);
                    slot = Slot {
                        edge: self.inners.edges(index)[side],
                        hash: hashes[side],
                    };
                    depth = branch + 1;
                }
            }
        }
    }

    /// Visits every leaf in the order of their paths.
    pub(super) fn visit(&self, mut visitor: impl FnMut(LeafView)) {
        let mut stack = vec![self.root];
        while let Some(slot) = stack.pop() {
            match slot.edge.target() {
                Target::Empty => {}
                Target::Leaf(index) => visitor(self.leaf_view(index, slot.hash)),
                Target::Inner(index, _) => {
                    let edges = self.inners.edges(index);
                    let hashes = self.inners.hashes(index);
                    for side in [1, 0] {
                        stack.push(Slot {
                            edge: edges[side],
                            hash: hashes[side],
                        });
                    }
                }
            }
        }
    }

    fn leaf_view(&self, index: u32, leaf_hash: [u8; 32]) -> LeafView {
        LeafView {
            path: *self.leaves.path(index),
            leaf_hash,
            location: self.leaves.location(index),
        }
    }

    /// The index and the hash of the leaf at `path`. Runs are not compared on the way: the leaf's path decides.
    fn find(&self, path: &[u8; 32]) -> Option<(u32, [u8; 32])> {
        let mut edge = self.root.edge;
        let mut hash = &self.root.hash;
        let mut depth = SHARD_DEPTH;
        loop {
            match edge.target() {
                Target::Empty => return None,
                Target::Leaf(index) => {
                    return (self.leaves.path(index) == path).then_some((index, *hash));
                }
                Target::Inner(index, run) => {
                    let branch = self.branch_depth(index, run, depth);
                    let side = usize::from(bit(path, branch));
                    edge = self.inners.edges(index)[side];
                    hash = &self.inners.hashes(index)[side];
                    depth = branch + 1;
                }
            }
        }
    }

    fn update_slot(&mut self, slot: Slot, depth: u16, items: &[Item]) -> Slot {
        if items.is_empty() {
            return slot;
        }
        match slot.edge.target() {
            Target::Empty => self.build(items, None, depth),
            Target::Leaf(index) => {
                let resident = Resident {
                    index,
                    path: *self.leaves.path(index),
                    hash: slot.hash,
                };
                self.build(items, Some(resident), depth)
            }
            Target::Inner(index, run) => self.update_inner(index, run, depth, items),
        }
    }

    /// Builds the subtree at `depth` that holds the puts of `items` and the leaf already there.
    fn build(&mut self, items: &[Item], resident: Option<Resident>, depth: u16) -> Slot {
        match (items, resident) {
            ([], None) => return Slot::EMPTY,
            ([], Some(resident)) => return resident.slot(),
            ([item], None) => return self.new_leaf(item),
            ([item], Some(resident)) if item.path == resident.path => {
                return self.replace_leaf(resident.index, item);
            }
            ([item], Some(resident)) if item.deletes() => return resident.slot(),
            _ => {}
        }
        let mut first = items[0].path;
        let mut last = items[items.len() - 1].path;
        if let Some(resident) = resident {
            first = first.min(resident.path);
            last = last.max(resident.path);
        }
        let branch = shared_bits(&first, &last);
        let (left, right) = split(items, branch);
        let (resident_left, resident_right) = match resident {
            Some(resident) if bit(&resident.path, branch) => (None, Some(resident)),
            other => (other, None),
        };
        let left = self.build(left, resident_left, branch + 1);
        let right = self.build(right, resident_right, branch + 1);
        self.join(None, [left, right], branch, depth, &first)
    }

    fn update_inner(&mut self, index: u32, run: Run, depth: u16, items: &[Item]) -> Slot {
        let branch = self.branch_depth(index, run, depth);
        let first = &items[0].path;
        if branch > depth {
            let last = &items[items.len() - 1].path;
            let run_path = self.run_path(index, run, depth, first);
            let diverged = shared_bits(&run_path, first).min(shared_bits(&run_path, last));
            if diverged < branch {
                return self.split_run(index, &run_path, [depth, diverged, branch], items);
            }
        }
        let edges = self.inners.edges(index);
        let hashes = *self.inners.hashes(index);
        let (left, right) = split(items, branch);
        let left = self.update_slot(
            Slot {
                edge: edges[0],
                hash: hashes[0],
            },
            branch + 1,
            left,
        );
        let right = self.update_slot(
            Slot {
                edge: edges[1],
                hash: hashes[1],
            },
            branch + 1,
            right,
        );
        self.join(Some(index), [left, right], branch, depth, first)
    }

    /// Some items leave the run between `depth` and `branch` at `diverged`: the node there becomes a branching one.
    fn split_run(
        &mut self,
        index: u32,
        run_path: &[u8; 32],
        [depth, diverged, branch]: [u16; 3],
        items: &[Item],
    ) -> Slot {
        let below = diverged + 1;
        let rest = Slot {
            edge: Edge::inner(index, Run::of(run_path, below, branch)),
            hash: fold(self.inner_hash(index), branch, below, run_path),
        };
        let (left, right) = split(items, diverged);
        let sides = if bit(run_path, diverged) {
            [
                self.build(left, None, below),
                self.update_slot(rest, below, right),
            ]
        } else {
            [
                self.update_slot(rest, below, left),
                self.build(right, None, below),
            ]
        };
        self.join(None, sides, diverged, depth, run_path)
    }

    /// The slot at `depth` above two sides that part at `branch`. `path` gives the bits in between; `reuse` is the node
    /// that stood there before.
    fn join(
        &mut self,
        reuse: Option<u32>,
        sides: [Slot; 2],
        branch: u16,
        depth: u16,
        path: &[u8; 32],
    ) -> Slot {
        let [left, right] = sides;
        if !left.is_empty() && !right.is_empty() {
            let edges = [left.edge, right.edge];
            let hashes = [left.hash, right.hash];
            let index = match reuse {
                Some(index) => {
                    self.inners.set(index, edges, hashes);
                    index
                }
                None => self.inners.insert(edges, hashes),
            };
            let hash = fold(inner_hash(&left.hash, &right.hash), branch, depth, path);
            return Slot {
                edge: Edge::inner(index, Run::of(path, depth, branch)),
                hash,
            };
        }
        if let Some(index) = reuse {
            self.inners.remove(index);
        }
        if left.is_empty() {
            self.lift(right, true, branch, depth, path)
        } else {
            self.lift(left, false, branch, depth, path)
        }
    }

    /// Moves the only side of a former branching node up to `depth`.
    fn lift(&mut self, slot: Slot, side: bool, branch: u16, depth: u16, path: &[u8; 32]) -> Slot {
        let Target::Inner(index, run) = slot.edge.target() else {
            return slot;
        };
        let path = with_bits(path, branch, 1, u8::from(side));
        let path = self.run_path(index, run, branch + 1, &path);
        let end = self.branch_depth(index, run, branch + 1);
        Slot {
            edge: Edge::inner(index, Run::of(&path, depth, end)),
            hash: fold(slot.hash, branch + 1, depth, &path),
        }
    }

    fn new_leaf(&mut self, item: &Item) -> Slot {
        if item.deletes() {
            return Slot::EMPTY;
        }
        let index = self.leaves.insert(&item.path, item.location);
        Slot {
            edge: Edge::leaf(index),
            hash: item.leaf_hash,
        }
    }

    fn replace_leaf(&mut self, index: u32, item: &Item) -> Slot {
        let old = self.leaves.location(index);
        *self.freed.entry(old.segment()).or_default() += old.length() as u64;
        if item.deletes() {
            self.leaves.remove(index);
            return Slot::EMPTY;
        }
        self.leaves.set_location(index, item.location);
        Slot {
            edge: Edge::leaf(index),
            hash: item.leaf_hash,
        }
    }

    /// The hash of a branching node at its own depth.
    fn inner_hash(&self, index: u32) -> [u8; 32] {
        let [left, right] = self.inners.hashes(index);
        inner_hash(left, right)
    }

    /// The depth at which the node `index` branches, whose slot stands at `depth`.
    fn branch_depth(&self, index: u32, run: Run, depth: u16) -> u16 {
        match run {
            Run::Short { length, .. } => depth + length,
            Run::Long => {
                let [left, right] = self.inners.edges(index);
                shared_bits(self.first_path(left), self.first_path(right))
            }
        }
    }

    /// A path that shares all bits of the run below `depth`, given one that shares the bits above.
    fn run_path(&self, index: u32, run: Run, depth: u16, above: &[u8; 32]) -> [u8; 32] {
        match run {
            Run::Short {
                length,
                bits: run_bits,
            } if bits(above, depth, length) == run_bits => *above,
            Run::Short { length, bits } => with_bits(above, depth, length, bits),
            Run::Long => *self.first_path(self.inners.edges(index)[0]),
        }
    }

    /// The least path below an edge that is not empty.
    fn first_path(&self, mut edge: Edge) -> &[u8; 32] {
        loop {
            match edge.target() {
                Target::Leaf(index) => return self.leaves.path(index),
                Target::Inner(index, _) => edge = self.inners.edges(index)[0],
                Target::Empty => unreachable!("both sides of a branching node hold leaves"),
            }
        }
    }
}

/// Splits items, sorted and alike above `depth`, by their bit at `depth`.
fn split(items: &[Item], depth: u16) -> (&[Item], &[Item]) {
    items.split_at(items.partition_point(|item| !bit(&item.path, depth)))
}

/// Carries the hash of a subtree at depth `from` up to `to` through one-sided nodes on the way of `path`.
fn fold(mut hash: [u8; 32], from: u16, to: u16, path: &[u8; 32]) -> [u8; 32] {
    for depth in (to..from).rev() {
        hash = if bit(path, depth) {
            inner_hash(&EMPTY, &hash)
        } else {
            inner_hash(&hash, &EMPTY)
        };
    }
    hash
}
