//! The archive: segments that have left the hot folder, sealed, and still read through the log.
//!
//! A closed segment moves in steps, each durable before the next: its bytes are copied into the archive's folder, its seal is written
//! beside them, the log's catalogue names both, and only then the hot file goes. A crash leaves the hot file, or the archived one that
//! the catalogue names, or both; opening finishes or undoes the move. What the catalogue does not name is no part of the log.
//!
//! `archive.dat`, the catalogue, replaced by renaming. Big-endian: magic `STELEARC`, version u16 (1), six zero bytes, length of the
//! folder's path u32, number of segments u32, the path (relative to the log's folder, or absolute), then for each segment 80 bytes:
//! salt, first height, blocks, first log index, entries, bytes (u64 each), hash of the seal; CRC-32 of all before.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stele_core::id::{Height, sha256};

use super::file::{is_no_space, sync_folder};
use super::frame::{u32_at, u64_at};
use super::open::Start;
use super::reader::{LogReader, Shared};
use super::sealed::{PART_BYTES, Seal, SealedFile, seal_path, segment_path};
use super::segment::{Depth, SEGMENT_HEADER_BYTES, ScanEnd, Segment, file_name};
use super::{LogError, io_error};

pub(super) const CATALOGUE_FILE: &str = "archive.dat";
/// The archive's folder, inside the log's, unless another one is asked for.
const FOLDER: &str = "archive";
const MAGIC: [u8; 8] = *b"STELEARC";
const VERSION: u16 = 1;
const FIXED_BYTES: usize = 24;
const ROW_BYTES: usize = 80;

/// The segments in the archive, oldest first, without gaps.
#[derive(Debug)]
pub(super) struct Catalogue {
    /// As it is written down.
    folder: PathBuf,
    /// Where that is.
    pub dir: PathBuf,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub salt: u64,
    pub first_height: u64,
    pub blocks: u64,
    pub first_index: u64,
    pub entries: u64,
    pub bytes: u64,
    pub seal_hash: [u8; 32],
}

impl Row {
    fn of(seal: &Seal, seal_hash: [u8; 32]) -> Self {
        Self {
            salt: seal.salt,
            first_height: seal.first_height,
            blocks: seal.blocks,
            first_index: seal.first_index,
            entries: seal.entries,
            bytes: seal.bytes,
            seal_hash,
        }
    }

    /// Where the next segment begins.
    fn end(&self) -> Start {
        Start {
            height: self.first_height + self.blocks,
            index: self.first_index + self.entries,
        }
    }
}

/// What lies in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveStatus {
    /// Its folder.
    pub dir: PathBuf,
    /// Segments in it.
    pub segments: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes of the segments, without their seals.
    pub bytes: u64,
}

impl Catalogue {
    /// Reads the catalogue of a log. `dir` is the archive's folder if another one than before is asked for.
    pub fn load(log: &Path, dir: Option<&Path>) -> Result<Self, LogError> {
        let path = log.join(CATALOGUE_FILE);
        let (folder, rows) = match fs::read(&path) {
            Ok(bytes) => decode(&bytes).ok_or_else(|| LogError::Damaged {
                file: path,
                offset: 0,
                height: Height::new(0),
                reason: "it is not the catalogue of an archive".to_owned(),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (PathBuf::from(FOLDER), Vec::new())
            }
            Err(error) => return Err(io_error("read", path)(error)),
        };
        let folder = dir.map_or(folder, Path::to_owned);
        Ok(Self {
            dir: log.join(&folder),
            folder,
            rows,
        })
    }

    fn store(&self, log: &Path) -> Result<(), LogError> {
        write_durably(&log.join(CATALOGUE_FILE), &self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let folder = self.folder.as_os_str().as_bytes();
        let mut out = Vec::with_capacity(FIXED_BYTES + folder.len() + ROW_BYTES * self.rows.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&(folder.len() as u32).to_be_bytes());
        out.extend_from_slice(&(self.rows.len() as u32).to_be_bytes());
        out.extend_from_slice(folder);
        for row in &self.rows {
            for number in [
                row.salt,
                row.first_height,
                row.blocks,
                row.first_index,
                row.entries,
                row.bytes,
            ] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            out.extend_from_slice(&row.seal_hash);
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    /// Where the hot segments begin.
    pub fn end(&self, start: Start) -> Start {
        self.rows.last().map_or(start, Row::end)
    }

    /// The archived segments, none of them opened yet.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.rows.iter().map(|row| Segment::sealed(&self.dir, row))
    }

    /// Makes a lost catalogue anew from the seals, if they lead from the log's start to the first hot segment.
    pub fn recover(&mut self, log: &Path, start: Start, first_hot: u64) -> Result<(), LogError> {
        if !self.rows.is_empty() || first_hot <= start.height {
            return Ok(());
        }
        let mut end = start;
        let mut previous = [0; 32];
        let mut rows = Vec::new();
        while end.height < first_hot {
            let path = seal_path(&segment_path(&self.dir, end.height));
            let Ok(bytes) = fs::read(&path) else {
                return Ok(());
            };
            let seal = Seal::decode(&bytes).filter(|seal| {
                let follows = (seal.first_height, seal.first_index) == (end.height, end.index);
                follows && seal.previous == previous && seal.blocks > 0
            });
            let Some(seal) = seal else {
                return Ok(());
            };
            previous = sha256(&[&bytes]);
            rows.push(Row::of(&seal, previous));
            end = rows.last().expect("pushed above").end();
        }
        if end.height == first_hot {
            self.rows = rows;
            self.store(log)?;
        }
        Ok(())
    }

    /// Ends moves that a crash cut short: of a segment that lies in both places the archived copy counts if it is whole, else the hot
    /// one. `hot` lists the first heights of the hot files.
    pub fn settle(&mut self, log: &Path, hot: &mut Vec<u64>) -> Result<(), LogError> {
        let mut undone = false;
        let mut at = self.rows.len();
        while let Some(row) = at.checked_sub(1).map(|at| self.rows[at].clone()) {
            if !hot.contains(&row.first_height) {
                break;
            }
            at -= 1;
            let sealed = SealedFile::new(&self.dir, row.first_height, row.bytes, row.seal_hash);
            if sealed.verify().is_ok() {
                let path = log.join(file_name(row.first_height));
                fs::remove_file(&path).map_err(io_error("remove", &path))?;
                hot.retain(|height| *height != row.first_height);
            } else {
                self.rows.truncate(at);
                undone = true;
            }
        }
        if undone {
            self.store(log)?;
        }
        sync_folder(log).map_err(io_error("sync", log))
    }
}

fn decode(bytes: &[u8]) -> Option<(PathBuf, Vec<Row>)> {
    let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    let (fixed, rest) = body.split_at_checked(FIXED_BYTES)?;
    let right = fixed[..8] == MAGIC
        && fixed[8..10] == VERSION.to_be_bytes()
        && crc32fast::hash(body) == u32_at(crc, 0);
    let (folder, rows) = rest.split_at_checked(u32_at(fixed, 16) as usize)?;
    let (rows, partial) = rows.as_chunks::<ROW_BYTES>();
    if !right || !partial.is_empty() || rows.len() != u32_at(fixed, 20) as usize {
        return None;
    }
    let row = |bytes: &[u8; ROW_BYTES]| Row {
        salt: u64_at(bytes, 0),
        first_height: u64_at(bytes, 8),
        blocks: u64_at(bytes, 16),
        first_index: u64_at(bytes, 24),
        entries: u64_at(bytes, 32),
        bytes: u64_at(bytes, 40),
        seal_hash: bytes[48..].try_into().expect("32 bytes"),
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    let follow = rows.windows(2).all(|pair| {
        let end = pair[0].end();
        (end.height, end.index) == (pair[1].first_height, pair[1].first_index)
    });
    let folder = PathBuf::from(OsStr::from_bytes(folder));
    follow.then_some((folder, rows))
}

impl LogReader {
    /// What lies in the archive.
    pub fn archive(&self) -> ArchiveStatus {
        let catalogue = self.shared.archive.lock();
        let sum = |field: fn(&Row) -> u64| catalogue.rows.iter().map(field).sum();
        ArchiveStatus {
            dir: catalogue.dir.clone(),
            segments: catalogue.rows.len() as u64,
            blocks: sum(|row| row.blocks),
            entries: sum(|row| row.entries),
            bytes: sum(|row| row.bytes),
        }
    }

    /// Height of the first block in the hot folder.
    pub fn first_hot_height(&self) -> Height {
        let catalogue = self.shared.archive.lock();
        Height::new(catalogue.end(self.start()).height)
    }

    /// Whether there is a whole segment of blocks below `height` to be archived.
    pub fn has_segment_below(&self, height: Height) -> bool {
        let archived = self.shared.archive.lock().rows.len();
        let state = self.shared.state.read();
        let next = state.segments.get(archived + 1);
        next.is_some_and(|next| next.first_height <= height.get())
    }

    /// Moves every closed segment whose blocks are all below `height` into the archive. Reads and the writer go on meanwhile. Returns
    /// how many segments were moved.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if a segment is not whole: it stays where it is. [`LogError::NoSpace`] or [`LogError::Io`] of the
    /// archive's disk; what was moved before stays moved.
    pub fn archive_below(&self, height: Height) -> Result<u64, LogError> {
        let mut moved = 0;
        let mut catalogue = self.shared.archive.lock();
        loop {
            let at = catalogue.rows.len();
            let (segment, next) = {
                let state = self.shared.state.read();
                match (state.segments.get(at), state.segments.get(at + 1)) {
                    (Some(segment), Some(next)) if next.first_height <= height.get() => {
                        (Arc::clone(segment), Arc::clone(next))
                    }
                    _ => return Ok(moved),
                }
            };
            archive(&self.shared, &mut catalogue, &segment, &next)?;
            moved += 1;
        }
    }
}

fn archive(
    shared: &Shared,
    catalogue: &mut Catalogue,
    segment: &Segment,
    next: &Segment,
) -> Result<(), LogError> {
    check_whole(shared, segment, next)?;
    fs::create_dir_all(&catalogue.dir).map_err(io_error("create", &catalogue.dir))?;
    let path = segment_path(&catalogue.dir, segment.first_height);
    check_ours(&catalogue.dir, &path, segment)?;
    let seal = Seal {
        salt: segment.salt,
        first_height: segment.first_height,
        blocks: next.first_height - segment.first_height,
        first_index: segment.first_index,
        entries: next.first_index - segment.first_index,
        bytes: segment.len()?,
        previous: catalogue.rows.last().map_or([0; 32], |row| row.seal_hash),
        parts: copy(segment, &path)?,
    };
    let bytes = seal.encode();
    write_durably(&seal_path(&path), &bytes)?;
    catalogue.rows.push(Row::of(&seal, sha256(&[&bytes])));
    if let Err(error) = catalogue.store(&shared.dir) {
        // Whether the new catalogue reached the disk is unknown; the hot file stays, so opening can decide either way.
        catalogue.rows.pop();
        return Err(error);
    }
    let row = catalogue.rows.last().expect("pushed above");
    let sealed = Arc::new(Segment::sealed(&catalogue.dir, row));
    shared.state.write().segments[catalogue.rows.len() - 1] = sealed;
    // Readers that are inside it hold it open.
    let hot = segment.file.path();
    fs::remove_file(hot).map_err(io_error("remove", hot))?;
    sync_folder(&shared.dir).map_err(io_error("sync", &shared.dir))
}

/// What an interrupted move left may be replaced, what another node put there may not.
fn check_ours(dir: &Path, path: &Path, segment: &Segment) -> Result<(), LogError> {
    let found = fs::read(seal_path(path)).ok();
    match found.and_then(|bytes| Seal::decode(&bytes)) {
        Some(seal) if seal.salt != segment.salt => Err(LogError::ArchiveTaken {
            dir: dir.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// What is sealed is what was written: a damaged segment would only be found when it is too late to restore it.
fn check_whole(shared: &Shared, segment: &Segment, next: &Segment) -> Result<(), LogError> {
    let start = ScanEnd {
        offset: SEGMENT_HEADER_BYTES,
        height: segment.first_height,
        index: segment.first_index,
        problem: None,
    };
    let end = segment.scan(
        start,
        next.first_height,
        Depth::Full,
        &shared.limits,
        |_, _| Ok(()),
    )?;
    if let Some(problem) = &end.problem {
        return Err(segment.problem_error(end.offset, end.height, problem));
    }
    let found = (end.height, end.index, end.offset);
    if found != (next.first_height, next.first_index, segment.len()?) {
        return Err(segment.damaged(end.offset, end.height, "the next segment does not follow"));
    }
    Ok(())
}

/// Copies a segment and returns the hashes of its parts.
fn copy(segment: &Segment, path: &Path) -> Result<Vec<[u8; 32]>, LogError> {
    let new = path.with_extension("new");
    let mut file = File::create(&new).map_err(archive_error("create", &new))?;
    let mut parts = Vec::new();
    let mut buffer = vec![0; PART_BYTES];
    let mut offset = 0;
    loop {
        let read = segment
            .file
            .read_up_to_at(&mut buffer, offset)
            .map_err(io_error("read", segment.file.path()))?;
        if read == 0 {
            break;
        }
        parts.push(sha256(&[&buffer[..read]]));
        file.write_all(&buffer[..read])
            .map_err(archive_error("write", &new))?;
        offset += read as u64;
    }
    file.sync_all()
        .and_then(|()| fs::rename(&new, path))
        .and_then(|()| sync_folder(path.parent().expect("a file in a folder")))
        .map_err(archive_error("write", path))?;
    Ok(parts)
}

fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let mut file = File::create(&new).map_err(archive_error("create", &new))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path))
        .and_then(|()| sync_folder(path.parent().expect("a file in a folder")))
        .map_err(archive_error("write", path))
}

fn archive_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |source| {
        if is_no_space(&source) {
            LogError::NoSpace { path, source }
        } else {
            io_error(action, path)(source)
        }
    }
}
