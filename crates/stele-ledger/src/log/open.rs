//! Opening a log: find the segments, trust the index as far as it is right, scan the rest, cut a torn tail.

use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stele_core::id::Height;

use super::archive::Catalogue;
use super::base::LogBase;
use super::file::sync_folder;
use super::index::{Index, Loaded, Row};
use super::segment::{Depth, Opened, SEGMENT_HEADER_BYTES, ScanEnd, Segment, parse_file_name};
use super::{LogError, LogOptions, io_error};

const LOCK_FILE: &str = "lock";
/// Index rows compared with their frames on each opening.
const SAMPLES: u64 = 64;
/// Rows gathered before they are written when the index is rebuilt.
const ROWS_BUFFERED: usize = 64 * 1024;

/// Where the first block of a log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub height: u64,
    pub index: u64,
}

impl Start {
    pub fn of(base: Option<&LogBase>) -> Self {
        match base {
            None => Self {
                height: 0,
                index: 0,
            },
            Some(base) => Self {
                height: base.height.get() + 1,
                index: base.first_index().get(),
            },
        }
    }

    /// Where a scan of the whole log begins.
    pub fn scan_end(self) -> ScanEnd {
        ScanEnd {
            offset: SEGMENT_HEADER_BYTES,
            height: self.height,
            index: self.index,
            problem: None,
        }
    }
}

/// What was done to the files when the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// One above the height of the newest final block.
    pub blocks: u64,
    /// Blocks that the index lacked and a scan found.
    pub blocks_scanned: u64,
    /// Bytes of a torn, never synced tail that were cut off.
    pub torn_bytes_cut: u64,
}

/// A log that was opened.
pub(super) struct OpenedLog {
    pub lock: File,
    pub base: Option<LogBase>,
    pub archive: Catalogue,
    pub segments: Vec<Arc<Segment>>,
    pub index: Index,
    /// Rows in the index file.
    pub rows_written: u64,
    /// Rows that follow them and could not be written.
    pub tail: Vec<Row>,
    pub blocks: u64,
    pub entries: u64,
    /// Where the next frame goes in the last segment.
    pub write_offset: u64,
    pub report: OpenReport,
}

pub(super) fn open(dir: &Path, options: &LogOptions) -> Result<OpenedLog, LogError> {
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    let lock = lock(dir)?;
    let base = LogBase::load(dir)?;
    let start = Start::of(base.as_ref());
    let mut archive = Catalogue::load(dir, options.archive_dir.as_deref())?;
    let hot = open_segments(dir, start, &mut archive)?;
    let hot_start = archive.end(start);
    let mut segments: Vec<_> = archive.segments().collect();
    let archived = segments.len();
    segments.extend(hot);
    if segments.len() == archived {
        let claimed = Index::claimed_by_any(dir, start.height);
        if claimed > hot_start.height || archived > 0 {
            let reason = format!("the file is missing, the index lists {claimed} blocks");
            let file = dir.join(super::segment::file_name(hot_start.height));
            return Err(LogError::Damaged {
                file,
                offset: 0,
                height: Height::new(hot_start.height),
                reason,
            });
        }
        segments.push(Segment::create(dir, start.height, start.index)?);
    }
    let (index, loaded) = load_index(dir, &segments, start)?;
    check_samples(&segments, &index, hot_start.height..loaded.rows, options)?;
    let scanned = scan(&segments, &index, start, loaded, options)?;

    let last = segments.last().expect("at least one segment");
    let len = last.len()?;
    if scanned.end.offset < len {
        last.file
            .set_len(scanned.end.offset)
            .map_err(io_error("truncate", last.file.path()))?;
    }
    // What the scan found may be in the page cache only, if a process died before it synced.
    last.file
        .sync_data()
        .map_err(io_error("sync", last.file.path()))?;

    Ok(OpenedLog {
        lock,
        base,
        archive,
        report: OpenReport {
            blocks: scanned.end.height,
            blocks_scanned: scanned.end.height - loaded.rows,
            torn_bytes_cut: len - scanned.end.offset,
        },
        segments: segments.into_iter().map(Arc::new).collect(),
        index,
        rows_written: scanned.rows_written,
        tail: scanned.tail,
        blocks: scanned.end.height,
        entries: scanned.end.index,
        write_offset: scanned.end.offset,
    })
}

/// Takes the lock that keeps other processes out for as long as the file is open.
pub(super) fn lock(dir: &Path) -> Result<File, LogError> {
    let path = dir.join(LOCK_FILE);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(LogError::Locked {
            dir: dir.to_owned(),
        }),
        Err(fs::TryLockError::Error(source)) => Err(LogError::Io {
            action: "lock",
            path,
            source,
        }),
    }
}

/// Opens all hot segments in order, and removes a last one that was never finished. Moves into the archive that were cut short are
/// ended first.
pub(super) fn open_segments(
    dir: &Path,
    start: Start,
    archive: &mut Catalogue,
) -> Result<Vec<Segment>, LogError> {
    let mut heights = vec![];
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let name = entry.map_err(io_error("list", dir))?.file_name();
        heights.extend(name.to_str().and_then(parse_file_name));
    }
    heights.sort_unstable();
    if let Some(first) = heights.first() {
        archive.recover(dir, start, *first)?;
    }
    archive.settle(dir, &mut heights)?;
    let start = archive.end(start);
    let mut segments: Vec<Segment> = Vec::with_capacity(heights.len());
    for (at, height) in heights.iter().enumerate() {
        match Segment::open(dir, *height)? {
            Opened::Segment(segment) => segments.push(segment),
            Opened::Unfinished if at + 1 == heights.len() => {
                let path: PathBuf = dir.join(super::segment::file_name(*height));
                fs::remove_file(&path).map_err(io_error("remove", &path))?;
                sync_folder(dir).map_err(io_error("sync", dir))?;
            }
            Opened::Unfinished => {
                let file = dir.join(super::segment::file_name(*height));
                let reason = "the segment header is missing".to_owned();
                return Err(LogError::Damaged {
                    file,
                    offset: 0,
                    height: Height::new(*height),
                    reason,
                });
            }
        }
    }
    if let Some(first) = segments.first()
        && (first.first_height, first.first_index) != (start.height, start.index)
    {
        return Err(first.damaged(0, start.height, "the segments before this one are missing"));
    }
    Ok(segments)
}

/// The segment that holds a block of this height, if the log has it.
pub(super) fn segment_of<S: AsRef<Segment>>(segments: &[S], height: u64) -> &S {
    let after = segments.partition_point(|segment| segment.as_ref().first_height <= height);
    &segments[after - 1]
}

impl AsRef<Self> for Segment {
    fn as_ref(&self) -> &Self {
        self
    }
}

fn load_index(dir: &Path, segments: &[Segment], start: Start) -> Result<(Index, Loaded), LogError> {
    let mut before = Row {
        offset: 0,
        first_index: 0,
    };
    let (mut next_segment, mut upcoming) = (0, start.height);
    Index::load(dir, segments[0].salt, start.height, |height, row| {
        let right = if next_segment < segments.len() && height == upcoming {
            let first_index = segments[next_segment].first_index;
            next_segment += 1;
            upcoming = segments
                .get(next_segment)
                .map_or(u64::MAX, |next| next.first_height);
            (u64::from(row.offset), row.first_index) == (SEGMENT_HEADER_BYTES, first_index)
        } else {
            row.offset > before.offset
        };
        let right = right && row.first_index >= before.first_index;
        before = row;
        right
    })
}

/// Compares some rows, always the last one, with the frames they point to.
fn check_samples(
    segments: &[Segment],
    index: &Index,
    heights: Range<u64>,
    options: &LogOptions,
) -> Result<(), LogError> {
    // Only in the hot folder: the archive may be away, and an opening must not need it.
    let step = heights
        .end
        .saturating_sub(heights.start)
        .div_ceil(SAMPLES)
        .max(1);
    for height in heights.rev().step_by(step as usize) {
        let row = index.row(height)?;
        let segment = segment_of(segments, height);
        segment.head(
            u64::from(row.offset),
            height,
            row.first_index,
            &options.limits,
        )?;
    }
    Ok(())
}

struct Scanned {
    end: ScanEnd,
    rows_written: u64,
    tail: Vec<Row>,
}

/// Finds the blocks behind those that the index lists.
fn scan(
    segments: &[Segment],
    index: &Index,
    start: Start,
    loaded: Loaded,
    options: &LogOptions,
) -> Result<Scanned, LogError> {
    let mut rows = RowSink {
        index,
        written: loaded.rows,
        tail: vec![],
    };
    index.cut(loaded.rows)?;
    let indexed = loaded.rows > start.height;
    let mut at = match loaded.rows.checked_sub(1).filter(|_| indexed) {
        None => start.scan_end(),
        Some(height) => {
            let row = index.row(height)?;
            let segment = segment_of(segments, height);
            let offset = u64::from(row.offset);
            let head = segment.head(offset, height, row.first_index, &options.limits)?;
            segment.block(offset, head)?;
            let offset = offset + head.frame_bytes();
            ScanEnd {
                offset,
                height: height + 1,
                index: head.next_index(),
                problem: None,
            }
        }
    };
    let current = at.height - u64::from(indexed);
    let first = segments.partition_point(|segment| segment.first_height <= current) - 1;
    for (position, segment) in segments.iter().enumerate().skip(first) {
        if position > first {
            at.offset = SEGMENT_HEADER_BYTES;
        }
        let is_last = position + 1 == segments.len();
        // Whether a frame was torn only its checksums tell; in older segments all frames were synced.
        let depth = if is_last { Depth::Full } else { Depth::Heads };
        at = segment.scan(at, u64::MAX, depth, &options.limits, |_, row| {
            rows.push(row)
        })?;
        if let Some(problem) = &at.problem {
            let torn = is_last
                && problem.may_be_torn()
                && at.height >= loaded.claimed
                && segment
                    .find_proof_of_sync(at.offset, at.height, &options.limits)?
                    .is_none();
            if !torn {
                return Err(segment.problem_error(at.offset, at.height, problem));
            }
        }
        if let Some(next) = segments.get(position + 1)
            && (at.height, at.index) != (next.first_height, next.first_index)
        {
            let reason = format!(
                "the file ends here, the next one starts with block {}",
                next.first_height
            );
            return Err(segment.damaged(at.offset, at.height, reason));
        }
    }
    if at.height < loaded.claimed {
        let last = segments.last().expect("at least one segment");
        let reason = format!(
            "the file ends here, the index lists {} durable blocks",
            loaded.claimed
        );
        return Err(last.damaged(at.offset, at.height, reason));
    }
    rows.flush();
    Ok(Scanned {
        end: at,
        rows_written: rows.written,
        tail: rows.tail,
    })
}

/// Writes rows to the index in large pieces, and keeps what cannot be written.
struct RowSink<'a> {
    index: &'a Index,
    written: u64,
    tail: Vec<Row>,
}

impl RowSink<'_> {
    fn push(&mut self, row: Row) -> Result<(), LogError> {
        self.tail.push(row);
        if self.tail.len().is_multiple_of(ROWS_BUFFERED) {
            self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) {
        if self.index.write(self.written, &self.tail).is_ok() {
            self.written += self.tail.len() as u64;
            self.tail.clear();
        }
    }
}
