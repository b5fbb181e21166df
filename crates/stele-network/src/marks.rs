//! Where each epoch began: kept in the engine's own store, so that a restart enters the epoch it left.

use bytes::Bytes;
use commonware_codec::{Copying, Decode as _, DecodeExt as _, Encode as _};
use commonware_consensus::simplex::Floor;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Finalization;
use commonware_runtime::{Clock, Metrics, Storage};
use commonware_storage::metadata::{Config, Metadata};
use commonware_utils::sequence::U64;

use crate::block::Digest;

/// How many epochs are remembered.
const KEPT: u64 = 8;
/// The most validators of a committee; a longer list of signatures is not read.
const VALIDATORS_MAX: usize = 100;
/// The longest mark: a finalization signed by a hundred validators.
const MARK_BYTES_MAX: usize = 64 << 10;

/// The beginning of an epoch on this node.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) epoch: u64,
    /// The number of the committee that decides in it.
    pub(crate) committee: u64,
    pub(crate) start: MarkStart,
}

/// What the engine builds on.
#[derive(Debug, Clone)]
pub(crate) enum MarkStart {
    /// The last block of the epoch before.
    Boundary(Digest),
    /// A block within the epoch that the committee finalized: this node came late.
    Floor(Finalization<Scheme, Digest>),
}

impl MarkStart {
    pub(crate) fn floor(&self) -> Floor<Scheme, Digest> {
        match self {
            Self::Boundary(before) => Floor::Genesis(*before),
            Self::Floor(finalization) => Floor::Finalized(finalization.clone()),
        }
    }
}

/// Reads a finalization.
pub(crate) fn read_finalization(bytes: &[u8]) -> Option<Finalization<Scheme, Digest>> {
    Finalization::decode_cfg(Copying(bytes), &VALIDATORS_MAX).ok()
}

impl Mark {
    fn encode(&self) -> Vec<u8> {
        let (kind, start) = match &self.start {
            MarkStart::Boundary(before) => (0, before.encode()),
            MarkStart::Floor(finalization) => (1, finalization.encode()),
        };
        [&self.committee.to_be_bytes()[..], &[kind], &start].concat()
    }

    fn decode(epoch: u64, bytes: &[u8]) -> Option<Self> {
        let (committee, rest) = bytes.split_first_chunk::<8>()?;
        let start = match rest.split_first()? {
            (0, before) => {
                MarkStart::Boundary(Digest::decode(Bytes::copy_from_slice(before)).ok()?)
            }
            (1, finalization) => MarkStart::Floor(read_finalization(finalization)?),
            _ => return None,
        };
        Some(Self {
            epoch,
            committee: u64::from_be_bytes(*committee),
            start,
        })
    }
}

/// The newest marks.
pub(crate) struct Marks<E: Storage + Clock + Metrics> {
    store: Option<Metadata<E, U64, Vec<u8>>>,
}

impl<E: Storage + Clock + Metrics> Marks<E> {
    pub(crate) async fn open(context: E, partition: &str) -> Self {
        let config = Config {
            partition: format!("{partition}-marks"),
            codec_config: ((..=MARK_BYTES_MAX).into(), ()),
        };
        let store = Metadata::init(context, config).await;
        Self {
            store: Some(store.expect("the store of epochs opens")),
        }
    }

    fn store(&self) -> &Metadata<E, U64, Vec<u8>> {
        self.store.as_ref().expect("taken only while it is written")
    }

    /// All marks, ascending.
    pub(crate) fn all(&self) -> Vec<Mark> {
        let store = self.store();
        let read = |key: &U64| {
            let value = store.get(key).expect("a key has a value");
            Mark::decode(u64::from(key), value).expect("a mark was written")
        };
        let mut marks: Vec<_> = store.keys().map(read).collect();
        marks.sort_by_key(|mark| mark.epoch);
        marks
    }

    pub(crate) fn last(&self) -> Option<Mark> {
        self.all().pop()
    }

    /// Notes that an epoch begins; durable when it returns.
    pub(crate) async fn enter(&mut self, mark: &Mark) {
        let mut store = self.store.take().expect("taken only while it is written");
        store.put(U64::new(mark.epoch), mark.encode());
        store.retain(|key, _| u64::from(key) + KEPT > mark.epoch);
        self.store = Some(store.sync().await.expect("the store of epochs is written"));
    }
}

/// The height that the ledger had reached for certain, noted now and then in the engine's own store: a ledger below it is not the one that
/// the engine has handed its blocks to.
pub(crate) struct Reached<E: Storage + Clock + Metrics> {
    store: Option<Metadata<E, U64, Vec<u8>>>,
}

impl<E: Storage + Clock + Metrics> Reached<E> {
    pub(crate) async fn open(context: E, partition: &str) -> Self {
        let config = Config {
            partition: format!("{partition}-reached"),
            codec_config: ((..=8).into(), ()),
        };
        let store = Metadata::init(context, config).await;
        Self {
            store: Some(store.expect("the store of the height reached opens")),
        }
    }

    pub(crate) fn height(&self) -> u64 {
        let store = self.store.as_ref().expect("taken only while it is written");
        let bytes = store
            .get(&U64::new(0))
            .and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Notes a height whose block is durable.
    pub(crate) async fn note(&mut self, height: u64) {
        if height == self.height() {
            return;
        }
        let mut store = self.store.take().expect("taken only while it is written");
        store.put(U64::new(0), height.to_be_bytes().to_vec());
        let store = store.sync().await;
        self.store = Some(store.expect("the store of the height reached is written"));
    }
}

#[cfg(test)]
mod tests {
    use commonware_cryptography::{Hasher as _, Sha256};

    use super::*;

    #[test]
    fn hostile_finalizations_are_refused_or_read() {
        let boundary = Mark {
            epoch: 3,
            committee: 2,
            start: MarkStart::Boundary(Sha256::hash(&[b"the last block"])),
        };
        // A round, a parent, a payload, a bitmap of four signers, three signatures: about what a finalization is made of.
        let like = [vec![2, 9, 8], vec![7; 32], vec![4, 0b1110, 3], vec![5; 192]].concat();
        crate::hostile::assail(&[boundary.encode(), like], |bytes| {
            drop(read_finalization(bytes));
            drop(Mark::decode(3, bytes));
        });
        let kept = Mark::decode(3, &boundary.encode()).unwrap();
        assert_eq!((kept.epoch, kept.committee), (3, 2));
    }
}
