//! The bytes of the chunks, put together: the state's records, then the blocks. Big-endian.
//!
//! - A state record: length of the register (u8), of the key (u16), of the value (u32); register, key, value. In the ascending order
//!   of the keys' paths.
//! - A block: length of the certificate (u32), number of entries (u32), certificate; then for each entry the length of the item
//!   (u32), of the record (u32), item, record.

use super::manifest::SnapshotManifest;
use super::{Part, SnapshotError};
use crate::log::FrameLimits;
use crate::state::{KeyValue, REGISTER_BYTES_MAX, VALUE_BYTES_MAX};

const CERTIFICATE_BYTES_MAX: u32 = 16 << 10;

/// Where chunks come from.
pub(super) trait Chunks {
    /// The bytes of a chunk, checked against the manifest.
    fn chunk(&self, index: u32) -> Result<Vec<u8>, SnapshotError>;
}

pub(super) fn encode_key(pair: &KeyValue<'_>, out: &mut Vec<u8>) {
    out.push(pair.register.len() as u8);
    out.extend_from_slice(&(pair.key.len() as u16).to_be_bytes());
    out.extend_from_slice(&(pair.value.len() as u32).to_be_bytes());
    out.extend_from_slice(pair.register.as_bytes());
    out.extend_from_slice(pair.key);
    out.extend_from_slice(pair.value);
}

pub(super) fn encode_block<'a>(
    certificate: &[u8],
    items: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&(certificate.len() as u32).to_be_bytes());
    out.extend_from_slice(&(items.len() as u32).to_be_bytes());
    out.extend_from_slice(certificate);
    for (item, record) in items {
        out.extend_from_slice(&(item.len() as u32).to_be_bytes());
        out.extend_from_slice(&(record.len() as u32).to_be_bytes());
        out.extend_from_slice(item);
        out.extend_from_slice(record);
    }
}

/// A key of the state as the body holds it.
pub(super) struct OwnedKey {
    pub(super) register: String,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// A block as the body holds it, not checked yet.
pub(super) struct RawBlock {
    pub(super) certificate: Vec<u8>,
    pub(super) items: Vec<Vec<u8>>,
    pub(super) records: Vec<Vec<u8>>,
}

/// Reads the body from its chunks, in order, each once.
pub(super) struct BodyReader<'a> {
    chunks: &'a dyn Chunks,
    count: u32,
    next: u32,
    chunk: Vec<u8>,
    at: usize,
    /// Bytes handed out.
    pub(super) done: u64,
}

impl<'a> BodyReader<'a> {
    pub(super) fn new(manifest: &SnapshotManifest, chunks: &'a dyn Chunks) -> Self {
        Self {
            chunks,
            count: manifest.chunk_count(),
            next: 0,
            chunk: Vec::new(),
            at: 0,
            done: 0,
        }
    }

    pub(super) fn key(&mut self) -> Result<OwnedKey, SnapshotError> {
        let head: [u8; 7] = self.array(Part::State)?;
        let register = usize::from(head[0]);
        let key = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let value = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        if register > REGISTER_BYTES_MAX || value > VALUE_BYTES_MAX {
            let reason = "a key or value is longer than any can be";
            return Err(SnapshotError::refused(Part::State, reason));
        }
        let register = String::from_utf8(self.take(register, Part::State)?)
            .map_err(|_| SnapshotError::refused(Part::State, "a register's name is no text"))?;
        Ok(OwnedKey {
            register,
            key: self.take(key, Part::State)?,
            value: self.take(value, Part::State)?,
        })
    }

    pub(super) fn block(&mut self, limits: &FrameLimits) -> Result<RawBlock, SnapshotError> {
        let (certificate, count) = self.lengths()?;
        let mut left = u64::from(limits.body_bytes_max);
        let mut within = |bytes: u64| {
            left = left.checked_sub(bytes)?;
            Some(())
        };
        let too_large =
            || SnapshotError::refused(Part::Blocks, "a block is larger than any can be");
        if certificate > CERTIFICATE_BYTES_MAX || count > limits.entries_max {
            return Err(too_large());
        }
        within(u64::from(certificate)).ok_or_else(too_large)?;
        let mut block = RawBlock {
            certificate: self.take(certificate as usize, Part::Blocks)?,
            items: Vec::new(),
            records: Vec::new(),
        };
        for _ in 0..count {
            let (item, record) = self.lengths()?;
            within(u64::from(item) + u64::from(record) + 12).ok_or_else(too_large)?;
            block.items.push(self.take(item as usize, Part::Blocks)?);
            block
                .records
                .push(self.take(record as usize, Part::Blocks)?);
        }
        Ok(block)
    }

    fn lengths(&mut self) -> Result<(u32, u32), SnapshotError> {
        let [a, b, c, d, e, f, g, h]: [u8; 8] = self.array(Part::Blocks)?;
        let first = u32::from_be_bytes([a, b, c, d]);
        Ok((first, u32::from_be_bytes([e, f, g, h])))
    }

    fn array<const N: usize>(&mut self, part: Part) -> Result<[u8; N], SnapshotError> {
        let mut array = [0; N];
        self.fill(&mut array, part)?;
        Ok(array)
    }

    fn take(&mut self, len: usize, part: Part) -> Result<Vec<u8>, SnapshotError> {
        let mut bytes = vec![0; len];
        self.fill(&mut bytes, part)?;
        Ok(bytes)
    }

    fn fill(&mut self, mut out: &mut [u8], part: Part) -> Result<(), SnapshotError> {
        while !out.is_empty() {
            if self.at == self.chunk.len() {
                if self.next == self.count {
                    return Err(SnapshotError::refused(part, "it ends too early"));
                }
                self.chunk = self.chunks.chunk(self.next)?;
                self.next += 1;
                self.at = 0;
            }
            let count = out.len().min(self.chunk.len() - self.at);
            let (filled, rest) = out.split_at_mut(count);
            filled.copy_from_slice(&self.chunk[self.at..self.at + count]);
            self.at += count;
            self.done += count as u64;
            out = rest;
        }
        Ok(())
    }
}
