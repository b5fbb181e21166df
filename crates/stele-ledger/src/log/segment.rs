//! A segment file: a header of 64 bytes, then block frames back to back.
//!
//! Header, big-endian: magic `STELELOG`, format version (u16, 1), six zero bytes, salt (u64), first height
//! (u64), first log index (u64), twenty zero bytes, CRC-32 of the 60 bytes before.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;

use stele_core::id::Height;

use super::archive::Row as ArchiveRow;
use super::file::{LogFile, is_no_space, sync_folder};
use super::frame::{
    BlockFrame, FRAME_HEAD_BYTES, FRAME_MAGIC, FrameError, FrameHead, FrameLimits, u32_at, u64_at,
};
use super::index::Row;
use super::sealed::{ArchiveFault, SealedFile};
use super::{LogError, io_error};

pub(super) const SEGMENT_HEADER_BYTES: u64 = 64;
const SEGMENT_MAGIC: [u8; 8] = *b"STELELOG";
const SEGMENT_VERSION: u16 = 1;

/// An open segment. Shared by the writer and all readers.
#[derive(Debug)]
pub(super) struct Segment {
    pub file: LogFile,
    pub salt: u64,
    pub first_height: u64,
    pub first_index: u64,
}

/// What [`Segment::open`] found.
pub(super) enum Opened {
    Segment(Segment),
    /// The process died while it created the file: no frame can have followed.
    Unfinished,
}

/// Where a scan stopped.
pub(super) struct ScanEnd {
    /// End of the last good frame.
    pub offset: u64,
    /// Height of the block that would stand there.
    pub height: u64,
    /// Log index that would stand there.
    pub index: u64,
    /// What stands there instead of a frame; `None` at the end of the file.
    pub problem: Option<Problem>,
}

/// Why a scan stopped before the end of the file.
#[derive(Debug)]
pub(super) enum Problem {
    Frame(FrameError),
    /// A frame with right checksums that belongs elsewhere.
    Misplaced {
        height: u64,
        first_index: u64,
    },
}

impl Problem {
    /// Whether an interrupted write can leave this behind. A head with a right checksum was written as a
    /// whole, so what it says about itself cannot come from tearing.
    pub fn may_be_torn(&self) -> bool {
        matches!(
            self,
            Self::Frame(
                FrameError::Incomplete { .. }
                    | FrameError::Magic
                    | FrameError::HeadChecksum
                    | FrameError::HeaderChecksum
                    | FrameError::EntryChecksum { .. }
            )
        )
    }

    pub fn reason(&self) -> String {
        match self {
            Self::Frame(error) => error.to_string(),
            Self::Misplaced {
                height,
                first_index,
            } => {
                format!("block {height} with first entry {first_index} stands here")
            }
        }
    }
}

/// How closely a scan looks at each frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Heads,
    Full,
}

pub(super) fn file_name(first_height: u64) -> String {
    format!("entries-{first_height:016x}.seg")
}

/// The first height that a file name states, if it is a segment's name.
pub(super) fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("entries-")?.strip_suffix(".seg")?;
    let height = u64::from_str_radix(digits, 16).ok()?;
    (file_name(height) == name).then_some(height)
}

impl Segment {
    /// Creates a segment and makes it durable, so that frames never stand in a file without a name.
    pub fn create(dir: &Path, first_height: u64, first_index: u64) -> Result<Self, LogError> {
        let path = dir.join(file_name(first_height));
        // Random, and unknown to those who submit entries; see `crc_of_head`.
        let salt = RandomState::new().build_hasher().finish();
        let created = LogFile::create(path.clone()).and_then(|file| {
            let header = encode_header(salt, first_height, first_index);
            let written = file.write_all_at(&header, 0).and_then(|()| file.sync_all());
            written.and_then(|()| sync_folder(dir)).map(|()| file)
        });
        match created {
            Ok(file) => Ok(Self {
                file,
                salt,
                first_height,
                first_index,
            }),
            Err(source) => {
                // The leftover would be cut away on the next opening too.
                let removed = std::fs::remove_file(&path);
                if is_no_space(&source) && removed.is_ok() {
                    return Err(LogError::NoSpace { path, source });
                }
                Err(LogError::Io {
                    action: "create",
                    path,
                    source,
                })
            }
        }
    }

    pub fn open(dir: &Path, first_height: u64) -> Result<Opened, LogError> {
        let path = dir.join(file_name(first_height));
        let file = LogFile::open(path.clone()).map_err(io_error("open", &path))?;
        let len = file.len().map_err(io_error("read", &path))?;
        let mut header = [0u8; SEGMENT_HEADER_BYTES as usize];
        file.read_up_to_at(&mut header, 0)
            .map_err(io_error("read", &path))?;
        let damaged = |reason: &str| LogError::Damaged {
            file: path.clone(),
            offset: 0,
            height: Height::new(first_height),
            reason: reason.to_owned(),
        };
        if header[..8] != SEGMENT_MAGIC || crc32fast::hash(&header[..60]) != u32_at(&header, 60) {
            // Frames are written only after the header was synced.
            return if len <= SEGMENT_HEADER_BYTES {
                Ok(Opened::Unfinished)
            } else {
                Err(damaged("the segment header is wrong"))
            };
        }
        let version = u16::from_be_bytes([header[8], header[9]]);
        if version != SEGMENT_VERSION {
            let known = SEGMENT_VERSION;
            return Err(LogError::UnsupportedVersion {
                file: path,
                found: version,
                known,
            });
        }
        if u64_at(&header, 24) != first_height {
            return Err(damaged(
                "the segment header states another height than the file name",
            ));
        }
        let (salt, first_index) = (u64_at(&header, 16), u64_at(&header, 32));
        Ok(Opened::Segment(Self {
            file,
            salt,
            first_height,
            first_index,
        }))
    }

    /// A segment in the archive. Nothing is read yet.
    pub fn sealed(dir: &Path, row: &ArchiveRow) -> Self {
        let file = SealedFile::new(dir, row.first_height, row.bytes, row.seal_hash);
        Self {
            file: LogFile::sealed(file),
            salt: row.salt,
            first_height: row.first_height,
            first_index: row.first_index,
        }
    }

    /// The error of a read that failed.
    fn read_error(&self, source: io::Error) -> LogError {
        let fault = source.get_ref();
        if let Some(fault) = fault.and_then(|fault| fault.downcast_ref::<ArchiveFault>()) {
            return LogError::Archived {
                segment: self.file.path().to_owned(),
                first_height: Height::new(self.first_height),
                reason: fault.to_string(),
            };
        }
        io_error("read", self.file.path())(source)
    }

    pub fn damaged(&self, offset: u64, height: u64, reason: impl Into<String>) -> LogError {
        LogError::Damaged {
            file: self.file.path().to_owned(),
            offset,
            height: Height::new(height),
            reason: reason.into(),
        }
    }

    pub fn len(&self) -> Result<u64, LogError> {
        self.file.len().map_err(io_error("read", self.file.path()))
    }

    /// The frame head at `offset`, which must be that of this block.
    pub fn head(
        &self,
        offset: u64,
        height: u64,
        first_index: u64,
        limits: &FrameLimits,
    ) -> Result<FrameHead, LogError> {
        match self.head_or_problem(offset, height, first_index, limits)? {
            Ok(head) => Ok(head),
            Err(problem) => Err(self.problem_error(offset, height, &problem)),
        }
    }

    /// Reads and checks a whole frame.
    pub fn block(&self, offset: u64, head: FrameHead) -> Result<BlockFrame, LogError> {
        let mut body = vec![0; head.body_bytes as usize];
        self.read_exact(&mut body, offset + FRAME_HEAD_BYTES as u64, head.height)?;
        BlockFrame::decode_body(head, body)
            .map_err(|error| self.damaged(offset, head.height, error.to_string()))
    }

    /// Reads bytes that a synced frame has.
    pub fn read_exact(&self, buffer: &mut [u8], offset: u64, height: u64) -> Result<(), LogError> {
        self.file.read_exact_at(buffer, offset).map_err(|source| {
            if source.kind() == io::ErrorKind::UnexpectedEof {
                return self.damaged(offset, height, "the file ends within the block");
            }
            self.read_error(source)
        })
    }

    /// Walks the frames from `offset` up to the end of the file or block `height_end`, and reports each.
    pub fn scan(
        &self,
        from: ScanEnd,
        height_end: u64,
        depth: Depth,
        limits: &FrameLimits,
        mut found: impl FnMut(&FrameHead, Row) -> Result<(), LogError>,
    ) -> Result<ScanEnd, LogError> {
        let len = self.len()?;
        let mut at = ScanEnd {
            problem: None,
            ..from
        };
        let mut body = Vec::new();
        while at.offset < len && at.height < height_end {
            let head = match self.head_or_problem(at.offset, at.height, at.index, limits)? {
                Ok(head) => head,
                Err(problem) => {
                    return Ok(ScanEnd {
                        problem: Some(problem),
                        ..at
                    });
                }
            };
            if at.offset + head.frame_bytes() > len {
                let (found, expected) = (len - at.offset, head.frame_bytes());
                let problem = Problem::Frame(FrameError::Incomplete { found, expected });
                return Ok(ScanEnd {
                    problem: Some(problem),
                    ..at
                });
            }
            if depth == Depth::Full {
                body.resize(head.body_bytes as usize, 0);
                self.read_exact(&mut body, at.offset + FRAME_HEAD_BYTES as u64, at.height)?;
                match BlockFrame::decode_body(head, std::mem::take(&mut body)) {
                    // The buffer goes round, so that a scan allocates once.
                    Ok(block) => body = block.into_body(),
                    Err(error) => {
                        return Ok(ScanEnd {
                            problem: Some(Problem::Frame(error)),
                            ..at
                        });
                    }
                }
            }
            found(
                &head,
                Row {
                    offset: at.offset as u32,
                    first_index: head.first_index,
                },
            )?;
            at.offset += head.frame_bytes();
            at.height += 1;
            at.index = head.next_index();
        }
        Ok(at)
    }

    /// Looks behind a broken frame for a later one that was written when the broken one was durable already.
    /// Returns its offset: the break is damage then, not the end of a log whose last write was interrupted.
    pub fn find_proof_of_sync(
        &self,
        from: u64,
        height: u64,
        limits: &FrameLimits,
    ) -> Result<Option<u64>, LogError> {
        const CHUNK: usize = 1 << 20;
        let read = io_error("read", self.file.path());
        let mut buffer = vec![0u8; CHUNK + FRAME_HEAD_BYTES];
        let mut offset = from;
        loop {
            // Chunks overlap by a head, so that none is cut in two.
            let filled = match self.file.read_up_to_at(&mut buffer, offset) {
                Ok(filled) => filled,
                Err(error) => return Err(read(error)),
            };
            let starts = filled.saturating_sub(FRAME_HEAD_BYTES - 1).min(CHUNK);
            for at in 0..starts {
                if buffer[at] != FRAME_MAGIC[0] || buffer[at..at + 4] != FRAME_MAGIC {
                    continue;
                }
                let head = FrameHead::decode(&buffer[at..filled], self.salt, limits);
                if head.is_ok_and(|head| head.height > height && head.durable_blocks > height) {
                    return Ok(Some(offset + at as u64));
                }
            }
            if filled < buffer.len() {
                return Ok(None);
            }
            offset += CHUNK as u64;
        }
    }

    pub fn problem_error(&self, offset: u64, height: u64, problem: &Problem) -> LogError {
        if let Problem::Frame(FrameError::Version { found }) = problem {
            let file = self.file.path().to_owned();
            return LogError::UnsupportedVersion {
                file,
                found: *found,
                known: SEGMENT_VERSION,
            };
        }
        self.damaged(offset, height, problem.reason())
    }

    fn head_or_problem(
        &self,
        offset: u64,
        height: u64,
        first_index: u64,
        limits: &FrameLimits,
    ) -> Result<Result<FrameHead, Problem>, LogError> {
        let mut bytes = [0u8; FRAME_HEAD_BYTES];
        let filled = self
            .file
            .read_up_to_at(&mut bytes, offset)
            .map_err(|source| self.read_error(source))?;
        Ok(
            match FrameHead::decode(&bytes[..filled], self.salt, limits) {
                Ok(head) if head.height == height && head.first_index == first_index => Ok(head),
                Ok(head) => Err(Problem::Misplaced {
                    height: head.height,
                    first_index: head.first_index,
                }),
                Err(error) => Err(Problem::Frame(error)),
            },
        )
    }
}

fn encode_header(salt: u64, first_height: u64, first_index: u64) -> [u8; 64] {
    let mut header = [0u8; SEGMENT_HEADER_BYTES as usize];
    header[..8].copy_from_slice(&SEGMENT_MAGIC);
    header[8..10].copy_from_slice(&SEGMENT_VERSION.to_be_bytes());
    header[16..24].copy_from_slice(&salt.to_be_bytes());
    header[24..32].copy_from_slice(&first_height.to_be_bytes());
    header[32..40].copy_from_slice(&first_index.to_be_bytes());
    let crc = crc32fast::hash(&header[..60]);
    header[60..].copy_from_slice(&crc.to_be_bytes());
    header
}
