//! A sealed segment in the archive: every part that is read is compared with the seal first.
//!
//! Beside `entries-<height>.seg`, which holds the bytes that the hot segment had, stands `entries-<height>.seal`. Big-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | magic `STELESEA` |
//! | 8..10 | format version, 1 |
//! | 10..16 | zero |
//! | 16..24 | salt of the segment |
//! | 24..32 | height of its first block |
//! | 32..40 | number of blocks |
//! | 40..48 | log index, and place in the Merkle tree, of its first entry |
//! | 48..56 | number of entries |
//! | 56..64 | length of the segment in bytes |
//! | 64..96 | hash of the seal before; zero in the first |
//! | 96..100 | length of a part, 262,144 |
//! | 100..104 | number of parts |
//! | 104..128 | zero |
//! | 128.. | SHA-256 of each part |
//!
//! A seal's hash is the SHA-256 of the whole file. The log's catalogue names it, so a seal cannot be exchanged unnoticed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use stele_core::id::sha256;

use super::frame::{u32_at, u64_at};
use super::segment::file_name;

/// What is read, hashed and compared in one go.
pub(super) const PART_BYTES: usize = 256 << 10;
const MAGIC: [u8; 8] = *b"STELESEA";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 128;

/// What a seal says of its segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    pub salt: u64,
    pub first_height: u64,
    pub blocks: u64,
    pub first_index: u64,
    pub entries: u64,
    pub bytes: u64,
    pub previous: [u8; 32],
    pub parts: Vec<[u8; 32]>,
}

impl Seal {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES + 32 * self.parts.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&[0; 6]);
        for number in [
            self.salt,
            self.first_height,
            self.blocks,
            self.first_index,
            self.entries,
            self.bytes,
        ] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&(PART_BYTES as u32).to_be_bytes());
        out.extend_from_slice(&(self.parts.len() as u32).to_be_bytes());
        out.extend_from_slice(&[0; 24]);
        out.extend_from_slice(self.parts.as_flattened());
        out
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, parts) = bytes.split_at_checked(HEAD_BYTES)?;
        let (parts, rest) = parts.as_chunks::<32>();
        let seal = Self {
            salt: u64_at(head, 16),
            first_height: u64_at(head, 24),
            blocks: u64_at(head, 32),
            first_index: u64_at(head, 40),
            entries: u64_at(head, 48),
            bytes: u64_at(head, 56),
            previous: head[64..96].try_into().expect("32 bytes"),
            parts: parts.to_vec(),
        };
        let whole = rest.is_empty()
            && u32_at(head, 96) as usize == PART_BYTES
            && seal.bytes.div_ceil(PART_BYTES as u64) == parts.len() as u64
            && seal.encode() == bytes;
        whole.then_some(seal)
    }
}

/// Why an archived segment could not be read. Carried inside an [`io::Error`], so that it is told from a failure of the hot disk.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ArchiveFault(String);

fn fault(reason: impl Into<String>) -> io::Error {
    io::Error::other(ArchiveFault(reason.into()))
}

/// A sealed segment. It is opened when it is first read, and again after a fault: whoever puts a missing file back need not
/// restart anything.
#[derive(Debug)]
pub(super) struct SealedFile {
    path: PathBuf,
    bytes: u64,
    seal_hash: [u8; 32],
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    parts: Vec<[u8; 32]>,
    /// The part that was read last.
    part: Option<usize>,
    buffer: Vec<u8>,
}

pub(super) fn segment_path(dir: &Path, first_height: u64) -> PathBuf {
    dir.join(file_name(first_height))
}

pub(super) fn seal_path(segment: &Path) -> PathBuf {
    segment.with_extension("seal")
}

impl SealedFile {
    pub fn new(dir: &Path, first_height: u64, bytes: u64, seal_hash: [u8; 32]) -> Self {
        Self {
            path: segment_path(dir, first_height),
            bytes,
            seal_hash,
            open: Mutex::new(None),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As the seal says.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Reads until the buffer is full or the segment ends.
    pub fn read_up_to_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut open = self.open.lock();
        let read = self.read(&mut open, buffer, offset);
        if read.is_err() {
            *open = None;
        }
        read
    }

    /// Reads every part.
    pub fn verify(&self) -> io::Result<()> {
        let mut byte = [0];
        for offset in (0..self.bytes).step_by(PART_BYTES) {
            self.read_up_to_at(&mut byte, offset)?;
        }
        Ok(())
    }

    fn read(
        &self,
        open: &mut Option<Open>,
        mut buffer: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        if open.is_none() {
            *open = Some(self.open()?);
        }
        let open = open.as_mut().expect("opened above");
        let (mut at, mut filled) = (offset, 0);
        while !buffer.is_empty() && at < self.bytes {
            let part = (at / PART_BYTES as u64) as usize;
            open.load(part, self.bytes)?;
            let start = (at % PART_BYTES as u64) as usize;
            let count = buffer.len().min(open.buffer.len() - start);
            let (now, later) = buffer.split_at_mut(count);
            now.copy_from_slice(&open.buffer[start..start + count]);
            buffer = later;
            at += count as u64;
            filled += count;
        }
        Ok(filled)
    }

    fn open(&self) -> io::Result<Open> {
        let seal = seal_path(&self.path);
        let bytes =
            fs::read(&seal).map_err(|error| fault(format!("its seal cannot be read: {error}")))?;
        if sha256(&[&bytes]) != self.seal_hash {
            return Err(fault(
                "its seal is not the one that the log's catalogue names",
            ));
        }
        let seal = Seal::decode(&bytes).ok_or_else(|| fault("its seal cannot be understood"))?;
        let file = File::open(&self.path)
            .map_err(|error| fault(format!("it cannot be opened: {error}")))?;
        let len = file.metadata()?.len();
        if len != self.bytes {
            let expected = self.bytes;
            return Err(fault(format!(
                "it has {len} bytes where its seal says {expected}"
            )));
        }
        Ok(Open {
            file,
            parts: seal.parts,
            part: None,
            buffer: Vec::new(),
        })
    }
}

impl Open {
    fn load(&mut self, part: usize, bytes: u64) -> io::Result<()> {
        if self.part == Some(part) {
            return Ok(());
        }
        self.part = None;
        let start = part as u64 * PART_BYTES as u64;
        self.buffer
            .resize((bytes - start).min(PART_BYTES as u64) as usize, 0);
        self.file
            .read_exact_at(&mut self.buffer, start)
            .map_err(|error| fault(format!("it cannot be read at byte {start}: {error}")))?;
        if sha256(&[&self.buffer]) != self.parts[part] {
            return Err(fault(format!(
                "the part at byte {start} is not the one that was sealed"
            )));
        }
        self.part = Some(part);
        Ok(())
    }
}
