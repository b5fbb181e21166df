//! The manifest: what a snapshot is of, and the hash of each chunk.

use stele_core::block::Certificate;
use stele_core::cbor::{self, DecodeError, Decoder, Encoder, Kind};
use stele_core::entry::WINDOW_MS_MAX;
use stele_core::genesis::{GENESIS_BYTES_MAX, Genesis};
use stele_core::id::{Height, NetworkId, sha256};

use super::{Part, SnapshotError};
use crate::log::TreeEdge;

/// Length of every chunk but the last.
pub const CHUNK_BYTES: usize = 1 << 20;
/// The longest manifest that is written or read: some hundred thousand chunks.
pub const MANIFEST_BYTES_MAX: usize = (4 << 20) - (64 << 10);

const VERSION: i64 = 1;
const CERTIFICATE_BYTES_MAX: usize = 16 << 10;
const EDGE_BYTES_MAX: usize = 8 * 255 * 32;

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotManifest {
    /// The network's genesis.
    pub genesis: Genesis,
    /// The certificate of the block whose state the snapshot holds.
    pub certificate: Certificate,
    /// The block before the first that the snapshot holds; `None` if it holds all from block 0 on.
    pub base: Option<SnapshotBase>,
    /// Keys in the state.
    pub keys: u64,
    /// Bytes of the state's records, which come first.
    pub state_bytes: u64,
    /// Bytes of the blocks behind them.
    pub block_bytes: u64,
    /// SHA-256 of each chunk.
    pub chunks: Vec<[u8; 32]>,
}

/// What a snapshot says of the time before the blocks that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotBase {
    /// The certificate of the last block that is not held.
    pub certificate: Certificate,
    /// The right edge of the log's Merkle tree after it.
    pub edge: TreeEdge,
}

impl SnapshotManifest {
    /// The height of the block whose state it holds.
    pub fn height(&self) -> Height {
        self.certificate.header.height
    }

    /// Height of the first block held.
    pub fn first_block(&self) -> Height {
        match &self.base {
            None => Height::new(0),
            Some(base) => base.certificate.header.height.next(),
        }
    }

    /// Bytes of all chunks together.
    pub fn bytes(&self) -> u64 {
        self.state_bytes.saturating_add(self.block_bytes)
    }

    /// How many chunks there are.
    pub fn chunk_count(&self) -> u32 {
        self.chunks.len() as u32
    }

    /// Length of a chunk; `None` if there is no such chunk.
    pub fn chunk_len(&self, index: u32) -> Option<usize> {
        let start = u64::from(index) * CHUNK_BYTES as u64;
        let rest = self.bytes().checked_sub(start).filter(|rest| *rest > 0)?;
        Some(rest.min(CHUNK_BYTES as u64) as usize)
    }

    /// Checks the bytes of a chunk.
    ///
    /// # Errors
    /// [`SnapshotError::NoSuchChunk`] or [`SnapshotError::Chunk`].
    pub fn check_chunk(&self, index: u32, bytes: &[u8]) -> Result<(), SnapshotError> {
        let Some(len) = self.chunk_len(index) else {
            let chunks = self.chunk_count();
            return Err(SnapshotError::NoSuchChunk { index, chunks });
        };
        if bytes.len() == len && sha256(&[bytes]) == self.chunks[index as usize] {
            Ok(())
        } else {
            Err(SnapshotError::Chunk { index })
        }
    }

    /// Its bytes. Nodes that make a snapshot of the same block write the same manifest.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(8).int(VERSION).bytes(&self.genesis.encode());
        out.bytes(&self.certificate.encode());
        match &self.base {
            None => out.null(),
            Some(base) => out
                .array(2)
                .bytes(&base.certificate.encode())
                .bytes(base.edge.hashes().as_flattened()),
        };
        out.uint(self.keys)
            .uint(self.state_bytes)
            .uint(self.block_bytes)
            .bytes(self.chunks.as_flattened());
        out.into_vec()
    }

    /// Reads what [`SnapshotManifest::encode`] wrote. Its form is judged, and nothing else: [`SnapshotManifest::verify`] comes next.
    ///
    /// # Errors
    /// [`SnapshotError::Refused`] with [`Part::Manifest`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let refused = |reason: String| SnapshotError::refused(Part::Manifest, reason);
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(refused(format!("it has {} bytes", bytes.len())));
        }
        let manifest = Self::read(bytes).map_err(refused)?;
        let expected = manifest.bytes().div_ceil(CHUNK_BYTES as u64);
        let sum = manifest.state_bytes.checked_add(manifest.block_bytes);
        if sum.is_none() || manifest.chunks.len() as u64 != expected {
            let found = manifest.chunks.len();
            return Err(refused(format!("it names {found} of {expected} chunks")));
        }
        Ok(manifest)
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let wrong = |error: DecodeError| error.to_string();
        cbor::check(bytes).map_err(wrong)?;
        let mut decoder = Decoder::new(bytes);
        let mut fields = || {
            decoder.array_of(8, "an array of eight")?;
            decoder.exactly(VERSION, "version 1")?;
            let genesis = decoder.bytes(GENESIS_BYTES_MAX)?;
            let certificate = decoder.bytes(CERTIFICATE_BYTES_MAX)?;
            let base = match decoder.peek()? {
                Kind::Array => {
                    decoder.array_of(2, "certificate and edge")?;
                    let certificate = decoder.bytes(CERTIFICATE_BYTES_MAX)?;
                    Some((certificate, decoder.bytes(EDGE_BYTES_MAX)?))
                }
                _ => {
                    decoder.null()?;
                    None
                }
            };
            let numbers = [decoder.uint()?, decoder.uint()?, decoder.uint()?];
            let chunks = decoder.bytes(MANIFEST_BYTES_MAX)?;
            decoder.finish()?;
            Ok((genesis, certificate, base, numbers, chunks))
        };
        let (genesis, certificate, base, numbers, chunks) = fields().map_err(wrong)?;
        let [keys, state_bytes, block_bytes] = numbers;
        let read = |bytes| Certificate::decode(bytes).map_err(|error| error.to_string());
        let base = match base {
            None => None,
            Some((certificate, edge)) => {
                let certificate = read(certificate)?;
                let size = certificate.header.tree_size.get();
                let edge = hashes(edge).and_then(|edge| TreeEdge::from_parts(size, edge));
                let edge = edge.ok_or("its edge is not that of a tree of this size")?;
                Some(SnapshotBase { certificate, edge })
            }
        };
        Ok(Self {
            genesis: Genesis::decode(genesis).map_err(|error| error.to_string())?,
            certificate: read(certificate)?,
            base,
            keys,
            state_bytes,
            block_bytes,
            chunks: hashes(chunks).ok_or("its chunk hashes have a wrong length")?,
        })
    }

    /// Hash of the encoding, by which nodes speak of the same snapshot.
    pub fn id(&self) -> [u8; 32] {
        sha256(&[&self.encode()])
    }

    /// Checks all that can be checked before a chunk is there: the network, both certificates, the edge, and that the blocks
    /// held reach back as far as an entry can be replayed.
    ///
    /// # Errors
    /// [`SnapshotError::WrongNetwork`] or [`SnapshotError::Refused`].
    pub fn verify(&self, network: NetworkId) -> Result<(), SnapshotError> {
        let found = self.genesis.network_id();
        if found != network {
            let expected = network;
            return Err(SnapshotError::WrongNetwork { expected, found });
        }
        self.verify_certificate(&self.certificate)?;
        let Some(base) = &self.base else {
            return Ok(());
        };
        self.verify_certificate(&base.certificate)?;
        let (first, last) = (&base.certificate.header, &self.certificate.header);
        let refused = |part, reason: &str| Err(SnapshotError::refused(part, reason));
        if first.height >= last.height {
            return refused(Part::Certificate, "its base is not before its block");
        }
        // Entries of the base block and before it have expired at the snapshot's block, so none of them can be replayed.
        if first.time.get().saturating_add(WINDOW_MS_MAX) >= last.time.get() {
            return refused(
                Part::Certificate,
                "its blocks do not reach back as far as an entry can be replayed",
            );
        }
        if base.edge.root() != *base.certificate.log_root.as_bytes() {
            return refused(
                Part::Frontier,
                "it does not have the log root that the base block certifies",
            );
        }
        Ok(())
    }

    fn verify_certificate(&self, certificate: &Certificate) -> Result<(), SnapshotError> {
        let refused = |reason| Err(SnapshotError::refused(Part::Certificate, reason));
        let (height, header) = (certificate.header.height, &certificate.header);
        if header.network != self.genesis.network_id() {
            return refused(format!("that of block {height} is of another network"));
        }
        if let Err(error) = certificate.verify(&self.genesis.network_key) {
            return refused(format!("that of block {height} does not verify: {error}"));
        }
        Ok(())
    }
}

fn hashes(bytes: &[u8]) -> Option<Vec<[u8; 32]>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| hashes.to_vec())
}
