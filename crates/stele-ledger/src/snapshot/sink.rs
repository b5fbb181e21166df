//! [`SnapshotSink`]: chunks come in, in any order, over as many runs as it takes; then a ledger is made of them.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use stele_core::id::NetworkId;

use super::body::Chunks;
use super::build::build;
use super::manifest::{CHUNK_BYTES, SnapshotManifest};
use super::source::{SnapshotSource, io_error};
use super::{Progress, SnapshotError};
use crate::ledger::{Ledger, LedgerError};
use crate::log::{EntryLog, LogOptions};

/// The folder that marks a restore, inside the ledger's.
const INCOMING: &str = "incoming";
const MANIFEST: &str = "manifest.cbor";
const BODY: &str = "body";

/// Collects a snapshot in the folder of a ledger to be.
#[derive(Debug)]
pub struct SnapshotSink {
    dir: PathBuf,
    manifest: SnapshotManifest,
    path: PathBuf,
    body: File,
    have: Vec<bool>,
}

/// Whether a restore was begun in this folder and is not finished.
pub(crate) fn is_begun(dir: &Path) -> bool {
    !Ledger::exists(dir) && dir.join(INCOMING).exists()
}

/// Removes what a restore that was cut short after its last step has left.
pub(crate) fn clear_leftovers(dir: &Path) -> Result<(), LedgerError> {
    let incoming = dir.join(INCOMING);
    match fs::remove_dir_all(&incoming) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(LedgerError::Io {
            action: "remove",
            path: incoming,
            source,
        }),
        _ => Ok(()),
    }
}

/// Makes a ledger of a snapshot file. What an earlier attempt left is thrown away and made again.
///
/// # Errors
/// [`SnapshotError`]; there is no ledger in the folder then, and another attempt may follow.
pub fn restore(
    dir: &Path,
    network: NetworkId,
    source: &SnapshotSource,
    progress: Progress<'_>,
) -> Result<(), SnapshotError> {
    source.manifest().verify(network)?;
    begin(dir, source.manifest_bytes())?;
    build(dir, source.manifest(), source, progress)?;
    Ok(clear_leftovers(dir)?)
}

/// Where a snapshot is restored for a ledger that is in its folder already: [`adopt`] puts it there.
pub fn staging(dir: &Path) -> PathBuf {
    beside(dir, "next")
}

fn beside(dir: &Path, ending: &str) -> PathBuf {
    let mut path = dir.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    PathBuf::from(path)
}

/// Puts a ledger that was restored in [`staging`] in the place of the one in `dir`, which holds nothing but block 0 or is missing.
/// Returns whether it did. Neither may be open. A crash in between is made up for by the next call, so a node calls this before it
/// opens its ledger.
///
/// # Errors
/// [`SnapshotError::Occupied`] if the ledger in `dir` holds more than block 0, or the operating system's refusal.
pub fn adopt(dir: &Path) -> Result<bool, SnapshotError> {
    let (next, old) = (staging(dir), beside(dir, "old"));
    if !Ledger::exists(&next) || is_begun(&next) {
        if Ledger::exists(dir) {
            remove_folder(&old)?;
        }
        return Ok(false);
    }
    if dir.exists() {
        if Ledger::exists(dir) && !holds_block_zero_alone(dir)? {
            return Err(SnapshotError::Occupied {
                dir: dir.to_owned(),
                what: "a ledger of more than block 0",
            });
        }
        remove_folder(&old)?;
        fs::rename(dir, &old).map_err(io_error("rename", dir))?;
    }
    let parent = next
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    fs::rename(&next, dir)
        .and_then(|()| File::open(parent)?.sync_all())
        .map_err(io_error("rename", &next))?;
    remove_folder(&old)?;
    Ok(true)
}

/// Whether a ledger, which must not be open, has nothing to lose.
///
/// # Errors
/// What its log reports.
pub fn holds_block_zero_alone(dir: &Path) -> Result<bool, SnapshotError> {
    let log = EntryLog::open(&dir.join("log"), LogOptions::default())?;
    Ok(log.reader().blocks_count() <= 1)
}

impl SnapshotSink {
    /// The manifest of a snapshot that was begun in this folder, so that the rest of the same one can be asked for.
    pub fn unfinished(dir: &Path) -> Option<Vec<u8>> {
        is_begun(dir)
            .then(|| fs::read(dir.join(INCOMING).join(MANIFEST)).ok())
            .flatten()
    }

    /// Begins to collect the snapshot of a manifest in `dir`, or goes on with it: chunks that are there and whole are kept. Another
    /// snapshot that was begun there is thrown away.
    ///
    /// # Errors
    /// What [`SnapshotManifest::decode`] and [`SnapshotManifest::verify`] refuse; [`SnapshotError::Occupied`]; or the operating
    /// system's refusal.
    pub fn begin(dir: &Path, network: NetworkId, manifest: &[u8]) -> Result<Self, SnapshotError> {
        let bytes = manifest;
        let manifest = SnapshotManifest::decode(bytes)?;
        manifest.verify(network)?;
        let incoming = begin(dir, bytes)?;
        let path = incoming.join(BODY);
        let body = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error("open", &path))?;
        let have = vec![false; manifest.chunks.len()];
        let mut sink = Self {
            dir: dir.to_owned(),
            manifest,
            path,
            body,
            have,
        };
        for index in 0..sink.manifest.chunk_count() {
            sink.have[index as usize] = sink.chunk(index).is_ok();
        }
        Ok(sink)
    }

    /// What the snapshot is of.
    pub fn manifest(&self) -> &SnapshotManifest {
        &self.manifest
    }

    /// The chunks that are not here, lowest first.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        let chunks = self.have.iter().zip(0..);
        chunks.filter(|(have, _)| !**have).map(|(_, index)| index)
    }

    /// Takes a chunk. One that is here already is taken again.
    ///
    /// # Errors
    /// [`SnapshotError::Chunk`] or [`SnapshotError::NoSuchChunk`] change nothing; or the operating system's refusal.
    pub fn put(&mut self, index: u32, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.manifest.check_chunk(index, bytes)?;
        self.body
            .write_all_at(bytes, u64::from(index) * CHUNK_BYTES as u64)
            .map_err(io_error("write", &self.path))?;
        self.have[index as usize] = true;
        Ok(())
    }

    /// Makes the ledger, checking everything against the certificates. It takes time; the ledger is opened afterwards like any other.
    ///
    /// # Errors
    /// [`SnapshotError::Incomplete`] while chunks are missing. [`SnapshotError::Refused`] if the snapshot is not what the network
    /// certified: the chunks are thrown away then, so that another can be begun.
    pub fn finish(self, progress: Progress<'_>) -> Result<(), SnapshotError> {
        if let Some(first) = self.missing().next() {
            let missing = self.missing().count();
            return Err(SnapshotError::Incomplete { missing, first });
        }
        let built = build(&self.dir, &self.manifest, &self, progress);
        if matches!(&built, Err(SnapshotError::Refused { .. })) {
            discard(&self.dir)?;
        }
        built?;
        Ok(clear_leftovers(&self.dir)?)
    }
}

impl Chunks for SnapshotSink {
    fn chunk(&self, index: u32) -> Result<Vec<u8>, SnapshotError> {
        let len = self.manifest.chunk_len(index);
        let mut bytes = vec![0; len.unwrap_or(0)];
        self.body
            .read_exact_at(&mut bytes, u64::from(index) * CHUNK_BYTES as u64)
            .map_err(io_error("read", &self.path))?;
        self.manifest.check_chunk(index, &bytes)?;
        Ok(bytes)
    }
}

/// Marks the folder, unless it holds what no restore has put there. Returns the mark's folder.
fn begin(dir: &Path, manifest: &[u8]) -> Result<PathBuf, SnapshotError> {
    let occupied = |what| SnapshotError::Occupied {
        dir: dir.to_owned(),
        what,
    };
    if Ledger::exists(dir) {
        return Err(occupied("a ledger"));
    }
    let incoming = dir.join(INCOMING);
    if incoming.exists() {
        if fs::read(incoming.join(MANIFEST)).is_ok_and(|found| found == manifest) {
            return Ok(incoming);
        }
        discard(dir)?;
    }
    if ["log", "state", "tree"]
        .iter()
        .any(|name| dir.join(name).exists())
    {
        return Err(occupied("parts of a ledger"));
    }
    // Under its name only once it is whole: a mark without a manifest would be one of nothing.
    let new = dir.join("incoming.new");
    let _ = fs::remove_dir_all(&new);
    fs::create_dir_all(&new).map_err(io_error("create", &new))?;
    let path = new.join(MANIFEST);
    let mut file = File::create(&path).map_err(io_error("create", &path))?;
    file.write_all(manifest)
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(&new)?.sync_all())
        .and_then(|()| fs::rename(&new, &incoming))
        .and_then(|()| File::open(dir)?.sync_all())
        .map_err(io_error("write", &path))?;
    Ok(incoming)
}

/// Throws away what a restore has put into the folder, its mark last.
fn discard(dir: &Path) -> Result<(), SnapshotError> {
    for name in ["log", "state", "tree", INCOMING] {
        remove_folder(&dir.join(name))?;
    }
    Ok(())
}

pub(super) fn remove_folder(path: &Path) -> Result<(), SnapshotError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}
