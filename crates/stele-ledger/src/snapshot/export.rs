//! Making a snapshot while blocks go on.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use stele_core::id::{Height, sha256};

use super::SnapshotError;
use super::body::{encode_block, encode_key};
use super::manifest::{CHUNK_BYTES, MANIFEST_BYTES_MAX, SnapshotBase, SnapshotManifest};
use super::source::{SnapshotSource, encode_tail, io_error};
use crate::ledger::{Ledger, LedgerError};
use crate::state::StatePin;

/// How long an executed block may take to become final.
const FINAL_WITHIN: Duration = Duration::from_secs(10);

impl Ledger {
    /// Writes a snapshot of the newest state into a file that does not exist yet. Blocks go on meanwhile; they wait for some
    /// milliseconds at a time while the leaves of the state are copied.
    ///
    /// With [`Threads::Caller`](crate::ledger::Threads::Caller) it must be called while no executed block waits for its certificate.
    ///
    /// # Errors
    /// [`SnapshotError::NotFinal`] if the state of the moment does not become final, [`SnapshotError::Occupied`],
    /// [`SnapshotError::TooLarge`], or what log and state report. Nothing is left behind.
    pub fn export_snapshot(&self, path: &Path) -> Result<SnapshotSource, SnapshotError> {
        if path.exists() {
            return Err(SnapshotError::Occupied {
                dir: path.to_owned(),
                what: "something",
            });
        }
        let mut scratch = path.as_os_str().to_owned();
        scratch.push(".making");
        let scratch = PathBuf::from(scratch);
        // The rest of an export that was cut short.
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch).map_err(io_error("create", &scratch))?;
        let made = self.export_into(&scratch, path);
        let _ = fs::remove_dir_all(&scratch);
        made?;
        SnapshotSource::open(path)
    }

    fn export_into(&self, scratch: &Path, path: &Path) -> Result<(), SnapshotError> {
        let pin = self.pin_state(scratch)?;
        let height = pin
            .height()
            .expect("block 0 is in the state of an open ledger");
        let height = Height::new(height);
        self.wait_final(height)?;
        let certificate = self.certificate(height)?;
        if *certificate.header.state_root.as_bytes() != pin.root() {
            let what = "state root";
            return Err(LedgerError::Diverged { height, what }.into());
        }
        let first = self.replayable_from(&certificate)?;
        let base = match first.get().checked_sub(1) {
            None => None,
            Some(base) => {
                let certificate = self.certificate(Height::new(base))?;
                let edge = self.tree().edge_at(certificate.header.tree_size.get())?;
                Some(SnapshotBase { certificate, edge })
            }
        };
        let file = scratch.join("snapshot");
        let mut body = BodyWriter::create(&file)?;
        self.write_state(&pin, &mut body)?;
        let state_bytes = body.bytes;
        self.write_blocks(first, height, &mut body)?;
        let manifest = SnapshotManifest {
            genesis: self.genesis().clone(),
            certificate,
            base,
            keys: pin.keys(),
            state_bytes,
            block_bytes: body.bytes - state_bytes,
            chunks: Vec::new(),
        };
        body.finish(manifest)?;
        fs::rename(&file, path).map_err(io_error("rename", &file))?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io_error("sync", folder))
    }

    /// The state may be a few blocks ahead of the log.
    fn wait_final(&self, height: Height) -> Result<(), SnapshotError> {
        let deadline = Instant::now() + FINAL_WITHIN;
        while self.head().height() < height {
            if !self.moves_by_itself() || Instant::now() >= deadline {
                return Err(SnapshotError::NotFinal(height));
            }
            self.wait_above(self.head().height(), Duration::from_millis(100));
        }
        Ok(())
    }

    fn write_state(&self, pin: &StatePin, body: &mut BodyWriter) -> Result<(), SnapshotError> {
        let mut record = Vec::new();
        pin.visit(|pair| {
            record.clear();
            encode_key(&pair, &mut record);
            body.write(&record)
        })
    }

    fn write_blocks(
        &self,
        first: Height,
        last: Height,
        body: &mut BodyWriter,
    ) -> Result<(), SnapshotError> {
        let mut bytes = Vec::new();
        for block in self.log().blocks(first) {
            let block = block?;
            let height = block.height();
            let items: Vec<_> = block.items().collect();
            bytes.clear();
            encode_block(&self.log().header(height)?, items.into_iter(), &mut bytes);
            body.write(&bytes)?;
            if height == last {
                break;
            }
        }
        Ok(())
    }
}

/// Cuts the body into chunks.
struct BodyWriter {
    path: PathBuf,
    file: File,
    chunk: Vec<u8>,
    hashes: Vec<[u8; 32]>,
    bytes: u64,
}

impl BodyWriter {
    fn create(path: &Path) -> Result<Self, SnapshotError> {
        Ok(Self {
            path: path.to_owned(),
            file: File::create(path).map_err(io_error("create", path))?,
            chunk: Vec::with_capacity(CHUNK_BYTES),
            hashes: Vec::new(),
            bytes: 0,
        })
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), SnapshotError> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let count = bytes.len().min(CHUNK_BYTES - self.chunk.len());
            let (fits, rest) = bytes.split_at(count);
            self.chunk.extend_from_slice(fits);
            bytes = rest;
            if self.chunk.len() == CHUNK_BYTES {
                self.close_chunk()?;
            }
        }
        Ok(())
    }

    fn close_chunk(&mut self) -> Result<(), SnapshotError> {
        let expected = (self.hashes.len() + 1) * 32;
        if expected > MANIFEST_BYTES_MAX {
            return Err(SnapshotError::TooLarge(expected));
        }
        self.hashes.push(sha256(&[&self.chunk]));
        self.file
            .write_all(&self.chunk)
            .map_err(io_error("write", &self.path))?;
        self.chunk.clear();
        Ok(())
    }

    fn finish(mut self, mut manifest: SnapshotManifest) -> Result<(), SnapshotError> {
        if !self.chunk.is_empty() {
            self.close_chunk()?;
        }
        manifest.chunks = self.hashes;
        let manifest = manifest.encode();
        if manifest.len() > MANIFEST_BYTES_MAX {
            return Err(SnapshotError::TooLarge(manifest.len()));
        }
        let written = self
            .file
            .write_all(&manifest)
            .and_then(|()| self.file.write_all(&encode_tail(manifest.len())))
            .and_then(|()| self.file.sync_all());
        written.map_err(io_error("write", &self.path))
    }
}
