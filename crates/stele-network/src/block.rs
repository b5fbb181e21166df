//! What the engine orders: a time and raw entries. The engine's own format; our log keeps its own (note 0008).

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use commonware_codec::{
    Buf, Encode as _, EncodeSize, Error, FixedSize as _, MaxEncodeSize as _, RangeCfg, Read,
    ReadExt as _, Write, varint::UInt,
};
use commonware_consensus::simplex::types::Context;
use commonware_consensus::types::Height;
use commonware_consensus::{Block as EngineBlock, BoundedBlock, CertifiableBlock, Heightable};
use commonware_cryptography::{Digestible, Hasher as _, Sha256, ed25519, sha256};
use stele_core::entry::ENTRY_BYTES_MAX;
use stele_core::id::{NetworkId, TimeMs};

use crate::committee::Committee;

/// The engine's identity of a block.
pub(crate) type Digest = sha256::Digest;
/// The round that a block was proposed in.
pub(crate) type Round = Context<Digest, ed25519::PublicKey>;

/// The most that a block may hold. All nodes of a network must agree on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLimits {
    /// Entries.
    pub entries: usize,
    /// Bytes of all entries together.
    pub bytes: usize,
}

impl Default for BlockLimits {
    fn default() -> Self {
        Self {
            entries: 8_192,
            bytes: 2 << 20,
        }
    }
}

/// A proposal: raw entries in an order, and a time.
#[derive(Debug, Clone)]
pub struct Block {
    round: Round,
    parent: Digest,
    height: Height,
    time: TimeMs,
    committee: u64,
    entries: Arc<[Bytes]>,
    digest: Digest,
}

impl Block {
    pub(crate) fn new(
        round: Round,
        parent: Digest,
        height: Height,
        time: TimeMs,
        committee: u64,
        entries: Vec<Bytes>,
    ) -> Self {
        let mut block = Self {
            round,
            parent,
            height,
            time,
            committee,
            entries: entries.into(),
            digest: Sha256::hash(&[]),
        };
        block.digest = Sha256::hash(&[&block.encode()]);
        block
    }

    /// The block that the engine starts from. It names the network, so that two networks share no digest.
    pub(crate) fn genesis(network: &NetworkId, committee: &Committee, time: TimeMs) -> Self {
        use commonware_consensus::types::{Epoch, Round, View};
        let parent = Sha256::hash(&[b"stele/engine-genesis/1".as_slice(), network.as_bytes()]);
        let first = committee.keys().iter().next().cloned();
        let round = Context {
            round: Round::new(Epoch::zero(), View::zero()),
            leader: first.expect("a committee has validators"),
            parent: (View::zero(), parent),
        };
        Self::new(round, parent, Height::zero(), time, 1, Vec::new())
    }

    /// The proposer's time.
    pub fn time(&self) -> TimeMs {
        self.time
    }

    /// The number of the committee that decides on the block.
    pub fn committee(&self) -> u64 {
        self.committee
    }

    /// The entries.
    pub fn entries(&self) -> &[Bytes] {
        &self.entries
    }

    /// Who proposed it.
    pub(crate) fn leader(&self) -> &ed25519::PublicKey {
        &self.round.leader
    }
}

impl Write for Block {
    fn write(&self, buf: &mut impl BufMut) {
        self.round.write(buf);
        self.parent.write(buf);
        self.height.write(buf);
        UInt(self.time.get()).write(buf);
        UInt(self.committee).write(buf);
        self.entries.len().write(buf);
        for entry in self.entries.iter() {
            entry.write(buf);
        }
    }
}

impl EncodeSize for Block {
    fn encode_size(&self) -> usize {
        self.round.encode_size()
            + Digest::SIZE
            + self.height.encode_size()
            + UInt(self.time.get()).encode_size()
            + UInt(self.committee).encode_size()
            + self.entries.len().encode_size()
            + self
                .entries
                .iter()
                .map(EncodeSize::encode_size)
                .sum::<usize>()
    }
}

impl Read for Block {
    type Cfg = BlockLimits;

    fn read_cfg(buf: &mut impl Buf, limits: &BlockLimits) -> Result<Self, Error> {
        let round = Round::read(buf)?;
        let parent = Digest::read(buf)?;
        let height = Height::read(buf)?;
        let time = TimeMs::new(UInt::read(buf)?.into());
        let committee = UInt::read(buf)?.into();
        let count = usize::read_cfg(buf, &RangeCfg::new(..=limits.entries))?;
        let mut left = limits.bytes;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let entry = Bytes::read_cfg(buf, &RangeCfg::new(..=left.min(ENTRY_BYTES_MAX)))?;
            if entry.is_empty() {
                return Err(Error::Invalid("Block", "an entry is empty"));
            }
            left -= entry.len();
            entries.push(entry);
        }
        Ok(Self::new(round, parent, height, time, committee, entries))
    }
}

impl Digestible for Block {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        self.digest
    }
}

impl Heightable for Block {
    fn height(&self) -> Height {
        self.height
    }
}

impl EngineBlock for Block {
    fn parent(&self) -> Digest {
        self.parent
    }
}

impl CertifiableBlock for Block {
    type Context = Round;

    fn context(&self) -> Round {
        self.round.clone()
    }
}

impl BoundedBlock for Block {
    fn max_encode_size(limits: &BlockLimits) -> usize {
        // Each entry is preceded by its length, at most five bytes.
        Round::MAX_ENCODE_SIZE + Digest::SIZE + 10 * 3 + 5 + limits.entries * 5 + limits.bytes
    }
}

#[cfg(test)]
mod tests {
    use commonware_codec::{Copying, Decode as _};
    use commonware_consensus::types::{Epoch, Round, View};

    use super::*;
    use crate::keys::{NodeKey, engine_key};

    #[test]
    fn hostile_blocks_are_refused_or_read_within_the_limits() {
        let key = NodeKey::from_seed(&[1; 32]).public();
        let parent = Sha256::hash(&[b"parent"]);
        let round = Context {
            round: Round::new(Epoch::new(2), View::new(9)),
            leader: engine_key(&key).unwrap(),
            parent: (View::new(8), parent),
        };
        let block = |entries: Vec<Bytes>| {
            let (height, time) = (Height::new(7), TimeMs::new(1_000));
            let block = Block::new(round.clone(), parent, height, time, 1, entries);
            block.encode().to_vec()
        };
        let good = [
            block(vec![]),
            block(vec![Bytes::from(vec![7; 40]); 3]),
            parent.to_vec(),
        ];
        let limits = BlockLimits {
            entries: 4,
            bytes: 200,
        };
        assert!(Block::decode_cfg(Copying(&good[1]), &limits).is_ok());
        for over in [
            vec![Bytes::from(vec![7; 201])],
            vec![Bytes::from_static(b"e"); 5],
        ] {
            assert!(Block::decode_cfg(Copying(&block(over)), &limits).is_err());
        }
        crate::hostile::assail(&good, |bytes| {
            if let Ok(block) = Block::decode_cfg(Copying(bytes), &limits) {
                assert!(block.entries().len() <= limits.entries);
                assert!(block.entries().iter().map(Bytes::len).sum::<usize>() <= limits.bytes);
            }
        });
    }
}
