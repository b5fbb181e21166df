//! What a run is made of, and what it came to.

use std::time::Duration;

/// What the last validator does instead of taking part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Liar {
    /// It is honest.
    None,
    /// It votes for several proposals in every round, and sends noise. The others soon cut it off.
    Votes,
    /// It does not vote, and serves altered blocks and false places of the engine's blocks.
    Blocks,
    /// Two honest nodes run with its one key, each linked to a part of the others.
    Twins,
}

/// What a run is made of.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) validators: u64,
    pub(super) liar: Liar,
    /// How long faults go on.
    pub(super) trouble: Duration,
    pub(super) epoch_blocks: u64,
    /// More is down than up: progress is rare, and whoever comes back is far behind.
    pub(super) harsh: bool,
    /// How often all nodes lose power at once, so that what was not synced is torn.
    pub(super) power_cuts: u64,
    /// The engine's disks fail now and then: writes that end short, syncs that do not come back well.
    pub(super) disk_faults: bool,
    /// Messages overtake each other.
    pub(super) reorder: bool,
    /// Clocks differ by tenths of a second, and those of as many nodes as may be faulty by seconds.
    pub(super) skew: bool,
    /// The stewards keep deciding on new shares of the network key.
    pub(super) reshares: bool,
    /// A node without a vote follows the logs.
    pub(super) follower: bool,
    /// The engine's blocks that are kept for peers behind, and how far behind a node joins anew.
    pub(super) retention: u64,
    pub(super) catch_up_at: u64,
}

/// The next number of a sequence that depends on nothing but the one before.
fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Scenario {
    /// Crashes, partitions and bad links alone.
    pub(super) fn of(validators: u64) -> Self {
        Self {
            validators,
            liar: Liar::None,
            trouble: Duration::from_secs(15),
            // Short, so that every run crosses several epochs.
            epoch_blocks: 12,
            harsh: false,
            power_cuts: 0,
            disk_faults: false,
            reorder: false,
            skew: false,
            reshares: false,
            follower: false,
            retention: 1_000_000,
            catch_up_at: 512,
        }
    }

    /// What else happens is drawn from the seed, so that a seed names the whole run.
    pub(super) fn drawn(validators: u64, seed: u64) -> Self {
        let mut state = seed;
        let mut one_in = |of: u64| mix(&mut state).is_multiple_of(of);
        let liar = if one_in(5) {
            Liar::Votes
        } else if one_in(5) {
            Liar::Blocks
        } else if one_in(4) {
            Liar::Twins
        } else {
            Liar::None
        };
        Self {
            liar,
            harsh: liar == Liar::None && one_in(4),
            power_cuts: u64::from(one_in(2)),
            disk_faults: one_in(2),
            reorder: one_in(2),
            skew: one_in(2),
            follower: one_in(2),
            reshares: one_in(3),
            ..Self::of(validators)
        }
    }

    /// How many of the honest may be faulty besides the liar.
    pub(super) fn faulty_max(&self) -> usize {
        (self.validators as usize - 1) / 3 - usize::from(self.liar != Liar::None)
    }

    /// How far each node's clock is from the true time, in milliseconds.
    pub(super) fn skews(&self, nodes: usize, seed: u64) -> Vec<i64> {
        let mut state = !seed;
        let skew = |number: usize| {
            if !self.skew {
                return 0;
            }
            let range = if number < self.faulty_max() {
                4_000
            } else {
                200
            };
            (mix(&mut state) % (2 * range + 1)) as i64 - range as i64
        };
        (0..nodes).map(skew).collect()
    }
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) blocks: u64,
    pub(super) acknowledged: u64,
    pub(super) crashes: u64,
    pub(super) partitions: u64,
    pub(super) power_cuts: u64,
    /// Blocks of our log that a crash left half-written, and power cuts that tore the engine's writes.
    pub(super) torn_writes: u64,
    /// Nodes that stopped because their disk failed.
    pub(super) disk_failures: u64,
    /// Nodes that lost the engine's stores.
    pub(super) stores_lost: u64,
    pub(super) twins: u64,
    pub(super) liars: u64,
    pub(super) skewed: u64,
    pub(super) reordered: u64,
    /// How often the shares of the network key were replaced.
    pub(super) resharings: u64,
    /// The runtime's digest of every step that was taken.
    pub(super) steps: String,
}

impl Outcome {
    /// The counts with their names.
    pub(super) fn counts(&self) -> [(&'static str, u64); 13] {
        [
            ("blocks", self.blocks),
            ("entries acknowledged", self.acknowledged),
            ("crashes", self.crashes),
            ("partitions", self.partitions),
            ("power cuts of all", self.power_cuts),
            ("torn writes", self.torn_writes),
            ("nodes stopped by a failing disk", self.disk_failures),
            ("engine stores lost", self.stores_lost),
            ("runs with twins", self.twins),
            ("runs with a liar", self.liars),
            ("runs with skewed clocks", self.skewed),
            ("runs with reordered messages", self.reordered),
            ("resharings of the key", self.resharings),
        ]
    }
}
