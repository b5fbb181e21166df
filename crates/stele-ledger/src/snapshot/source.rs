//! [`SnapshotSource`]: a snapshot file, served chunk by chunk.
//!
//! The file: the chunks one behind the other, the manifest, and a tail of 24 bytes: length of the manifest (u64, big-endian), format
//! version (u16, 1), six zero bytes, magic `STELESNP`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::SnapshotError;
use super::body::Chunks;
use super::manifest::{CHUNK_BYTES, MANIFEST_BYTES_MAX, SnapshotManifest};
use crate::ledger::LedgerError;

const TAIL_BYTES: usize = 24;
const MAGIC: [u8; 8] = *b"STELESNP";
const VERSION: u16 = 1;

/// A snapshot file. Any number of threads may read from it.
#[derive(Debug)]
pub struct SnapshotSource {
    path: PathBuf,
    file: File,
    manifest: SnapshotManifest,
    manifest_bytes: Vec<u8>,
}

/// The end of a file behind its chunks and its manifest.
pub(super) fn encode_tail(manifest_bytes: usize) -> [u8; TAIL_BYTES] {
    let mut tail = [0; TAIL_BYTES];
    tail[..8].copy_from_slice(&(manifest_bytes as u64).to_be_bytes());
    tail[8..10].copy_from_slice(&VERSION.to_be_bytes());
    tail[16..].copy_from_slice(&MAGIC);
    tail
}

pub(super) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> SnapshotError {
    let path = path.to_owned();
    move |source| {
        SnapshotError::Ledger(LedgerError::Io {
            action,
            path,
            source,
        })
    }
}

impl SnapshotSource {
    /// Opens a snapshot file. The chunks are checked as they are read.
    ///
    /// # Errors
    /// [`SnapshotError::NotASnapshot`], [`SnapshotError::Refused`] for a manifest that cannot be read, or the operating system's
    /// refusal.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        let len = file.metadata().map_err(io_error("read", path))?.len();
        let not = |reason| SnapshotError::NotASnapshot {
            path: path.to_owned(),
            reason,
        };
        let behind = len
            .checked_sub(TAIL_BYTES as u64)
            .ok_or_else(|| not("it is too short"))?;
        let mut tail = [0; TAIL_BYTES];
        file.read_exact_at(&mut tail, behind)
            .map_err(io_error("read", path))?;
        let (head, rest) = tail.split_at(8);
        let bytes = u64::from_be_bytes(head.try_into().expect("8 bytes"));
        if rest != &encode_tail(0)[8..] {
            return Err(not("it does not end as a snapshot does"));
        }
        let Some(start) = behind.checked_sub(bytes) else {
            return Err(not("it is shorter than it says"));
        };
        if bytes > MANIFEST_BYTES_MAX as u64 {
            return Err(not("its manifest is too long"));
        }
        let mut manifest_bytes = vec![0; bytes as usize];
        file.read_exact_at(&mut manifest_bytes, start)
            .map_err(io_error("read", path))?;
        let manifest = SnapshotManifest::decode(&manifest_bytes)?;
        if manifest.bytes() != start {
            return Err(not("it has more or fewer chunks than its manifest names"));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            manifest,
            manifest_bytes,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the snapshot is of.
    pub fn manifest(&self) -> &SnapshotManifest {
        &self.manifest
    }

    /// The manifest as it is sent: at most [`MANIFEST_BYTES_MAX`] bytes.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// A chunk, checked, so that a damaged file is never served: at most [`CHUNK_BYTES`] bytes.
    ///
    /// # Errors
    /// [`SnapshotError::NoSuchChunk`], [`SnapshotError::Chunk`], or the operating system's refusal.
    pub fn chunk(&self, index: u32) -> Result<Vec<u8>, SnapshotError> {
        let chunks = self.manifest.chunk_count();
        let len = self.manifest.chunk_len(index);
        let len = len.ok_or(SnapshotError::NoSuchChunk { index, chunks })?;
        let mut bytes = vec![0; len];
        self.file
            .read_exact_at(&mut bytes, u64::from(index) * CHUNK_BYTES as u64)
            .map_err(io_error("read", &self.path))?;
        self.manifest.check_chunk(index, &bytes)?;
        Ok(bytes)
    }
}

impl Chunks for SnapshotSource {
    fn chunk(&self, index: u32) -> Result<Vec<u8>, SnapshotError> {
        Self::chunk(self, index)
    }
}
