//! Reading final blocks and entries, from any thread, while the writer appends.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use stele_core::id::{Height, LogIndex};

use super::LogError;
use super::archive::Catalogue;
use super::base::LogBase;
use super::frame::{BlockFrame, FRAME_HEAD_BYTES, FrameError, FrameHead, FrameLimits};
use super::index::{Index, Row};
use super::open::{Start, segment_of};
use super::segment::{Depth, SEGMENT_HEADER_BYTES, Segment};

/// What the writer shares with the readers.
pub(super) struct Shared {
    pub dir: PathBuf,
    pub limits: FrameLimits,
    pub base: Option<LogBase>,
    /// Held while a segment moves.
    pub archive: Mutex<Catalogue>,
    pub index: Index,
    pub state: RwLock<State>,
}

pub(super) struct State {
    pub segments: Vec<Arc<Segment>>,
    /// Rows in the index file; the rows behind them are in `tail`.
    pub rows_written: u64,
    pub tail: Vec<Row>,
    /// One above the height of the newest final block.
    pub blocks: u64,
    /// One above the index of the newest final entry.
    pub entries: u64,
}

impl Shared {
    /// Makes synced blocks visible and writes their rows. Rows that cannot be written now (a full disk) stay in
    /// memory and are tried again with the next block.
    pub fn publish(&self, rows: &mut Vec<Row>, entries: u64) {
        let mut state = self.state.write();
        state.blocks += rows.len() as u64;
        state.entries = entries;
        state.tail.append(rows);
        if self.index.write(state.rows_written, &state.tail).is_ok() {
            state.rows_written = state.blocks;
            state.tail.clear();
        }
    }
}

/// One entry with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Height of its block.
    pub height: Height,
    /// Place in its block, from 0.
    pub position: u32,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Its record, the Merkle leaf data.
    pub record: Vec<u8>,
}

/// What [`LogReader::verify_all`] went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Blocks verified.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes of their frames.
    pub bytes: u64,
}

/// Reads final blocks. Cheap to clone; holds no lock while it reads from disk.
#[derive(Clone)]
pub struct LogReader {
    pub(super) shared: Arc<Shared>,
}

impl LogReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Number of final blocks, those before the log's base included: one above the newest height.
    pub fn blocks_count(&self) -> u64 {
        self.shared.state.read().blocks
    }

    /// Number of entries in them, those before the log's base included.
    pub fn entries_count(&self) -> u64 {
        self.shared.state.read().entries
    }

    /// Folder of the log.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// The block after which this log begins; `None` if it begins with block 0.
    pub fn base(&self) -> Option<&LogBase> {
        self.shared.base.as_ref()
    }

    /// Height of the first block held.
    pub fn first_height(&self) -> Height {
        Height::new(self.start().height)
    }

    pub(super) fn start(&self) -> Start {
        Start::of(self.base())
    }

    fn before_base(&self) -> LogError {
        let start = self.start();
        LogError::BeforeBase {
            base: Height::new(start.height.saturating_sub(1)),
            first_index: LogIndex::new(start.index),
        }
    }

    /// Random number of the log, by which derived files know that they belong to it.
    pub(super) fn id(&self) -> u64 {
        self.shared.state.read().segments[0].salt
    }

    /// A whole block, every checksum verified.
    ///
    /// # Errors
    /// [`LogError::NoSuchBlock`], [`LogError::BeforeBase`], [`LogError::Damaged`] or [`LogError::Io`].
    pub fn block(&self, height: Height) -> Result<BlockFrame, LogError> {
        let place = self.place(height.get())?;
        let head = place.head(&self.shared.limits)?;
        place.segment.block(place.offset(), head)
    }

    /// A block's opaque header, without reading its entries. That of the base block is held too.
    ///
    /// # Errors
    /// As [`Self::block`].
    pub fn header(&self, height: Height) -> Result<Vec<u8>, LogError> {
        if let Some(base) = self.base()
            && base.height == height
        {
            return Ok(base.header.clone());
        }
        let place = self.place(height.get())?;
        let head = place.head(&self.shared.limits)?;
        let mut bytes = vec![0; head.header_and_table_bytes()];
        place.read(&mut bytes, FRAME_HEAD_BYTES as u64)?;
        head.check_header(&bytes)
            .map_err(|error| place.damaged(&error))?;
        bytes.truncate(head.header_bytes as usize);
        Ok(bytes)
    }

    /// One entry and its record.
    ///
    /// # Errors
    /// [`LogError::NoSuchEntry`], [`LogError::BeforeBase`], [`LogError::Damaged`] or [`LogError::Io`].
    pub fn entry(&self, index: LogIndex) -> Result<LogEntry, LogError> {
        let (height, position) = self.position(index)?;
        let place = self.place(height.get())?;
        let head = place.head(&self.shared.limits)?;
        let (rows_offset, rows_bytes) = head.rows_range(position);
        let mut rows = vec![0; rows_bytes];
        place.read(&mut rows, rows_offset)?;
        let item = head
            .item(position, &rows)
            .map_err(|error| place.damaged(&error))?;
        let mut entry = vec![0; item.bytes as usize];
        place.read(&mut entry, item.offset)?;
        if crc32fast::hash(&entry) != item.crc {
            return Err(place.damaged(&FrameError::EntryChecksum { position }));
        }
        let record = entry.split_off(item.entry_bytes as usize);
        Ok(LogEntry {
            height,
            position,
            entry,
            record,
        })
    }

    /// Block and place in it of a log index.
    ///
    /// # Errors
    /// [`LogError::NoSuchEntry`], [`LogError::Damaged`] or [`LogError::Io`].
    pub fn position(&self, index: LogIndex) -> Result<(Height, u32), LogError> {
        let (blocks, entries) = {
            let state = self.shared.state.read();
            (state.blocks, state.entries)
        };
        if index.get() >= entries {
            return Err(LogError::NoSuchEntry { index, entries });
        }
        let start = self.start();
        if index.get() < start.index {
            return Err(self.before_base());
        }
        // The last block that starts at or before the entry: blocks without entries never hold it.
        let (mut low, mut high) = (start.height, blocks);
        let mut first_index = start.index;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let row = self.row(middle)?;
            if row.first_index <= index.get() {
                low = middle;
                first_index = row.first_index;
            } else {
                high = middle;
            }
        }
        let position =
            u32::try_from(index.get() - first_index).expect("entries of a block fit 32 bits");
        Ok((Height::new(low), position))
    }

    /// Log index of a block's first entry, or of the next block's if it has none.
    ///
    /// # Errors
    /// [`LogError::NoSuchBlock`], [`LogError::Damaged`] or [`LogError::Io`].
    pub fn first_index(&self, height: Height) -> Result<LogIndex, LogError> {
        Ok(LogIndex::new(self.place(height.get())?.row.first_index))
    }

    /// The final blocks from a height on, in order. Blocks that become final meanwhile are included.
    pub fn blocks(&self, from: Height) -> Blocks {
        Blocks {
            reader: self.clone(),
            next: from.get(),
        }
    }

    /// Reads everything and verifies each checksum, each place and each row of the index.
    /// `progress(blocks done, blocks in all)` is called after each block.
    ///
    /// # Errors
    /// The first [`LogError::Damaged`] or [`LogError::Io`].
    pub fn verify_all(&self, mut progress: impl FnMut(u64, u64)) -> Result<VerifyReport, LogError> {
        let (segments, blocks, entries) = {
            let state = self.shared.state.read();
            (state.segments.clone(), state.blocks, state.entries)
        };
        let mut report = VerifyReport::default();
        let mut at = self.start().scan_end();
        for segment in &segments {
            if (at.height, at.index) != (segment.first_height, segment.first_index) {
                return Err(segment.damaged(0, at.height, "the segment starts with another block"));
            }
            at.offset = SEGMENT_HEADER_BYTES;
            at = segment.scan(at, blocks, Depth::Full, &self.shared.limits, |head, row| {
                if self.row(head.height)? != row {
                    return Err(segment.damaged(
                        u64::from(row.offset),
                        head.height,
                        "the index places the block elsewhere; delete index.dat to rebuild it",
                    ));
                }
                report.blocks += 1;
                report.entries += u64::from(head.entries);
                report.bytes += head.frame_bytes();
                progress(report.blocks, blocks);
                Ok(())
            })?;
            if let Some(problem) = &at.problem {
                return Err(segment.problem_error(at.offset, at.height, problem));
            }
        }
        if (at.height, at.index) != (blocks, entries) {
            let last = segments.last().expect("at least one segment");
            return Err(last.damaged(at.offset, at.height, "the file ends before the last block"));
        }
        Ok(report)
    }

    fn row(&self, height: u64) -> Result<Row, LogError> {
        {
            let state = self.shared.state.read();
            if let Some(at) = height.checked_sub(state.rows_written) {
                return Ok(state.tail[at as usize]);
            }
        }
        self.shared.index.row(height)
    }

    fn place(&self, height: u64) -> Result<Place, LogError> {
        if height < self.start().height {
            return Err(self.before_base());
        }
        let segment = {
            let state = self.shared.state.read();
            if height >= state.blocks {
                let (height, blocks) = (Height::new(height), state.blocks);
                return Err(LogError::NoSuchBlock { height, blocks });
            }
            Arc::clone(segment_of(&state.segments, height))
        };
        Ok(Place {
            segment,
            height,
            row: self.row(height)?,
        })
    }
}

struct Place {
    segment: Arc<Segment>,
    height: u64,
    row: Row,
}

impl Place {
    fn offset(&self) -> u64 {
        u64::from(self.row.offset)
    }

    fn head(&self, limits: &FrameLimits) -> Result<FrameHead, LogError> {
        self.segment
            .head(self.offset(), self.height, self.row.first_index, limits)
    }

    fn read(&self, buffer: &mut [u8], offset_in_frame: u64) -> Result<(), LogError> {
        self.segment
            .read_exact(buffer, self.offset() + offset_in_frame, self.height)
    }

    fn damaged(&self, error: &FrameError) -> LogError {
        self.segment
            .damaged(self.offset(), self.height, error.to_string())
    }
}

/// Iterator of [`LogReader::blocks`]. Ends at the last final block; a later call goes on from there.
pub struct Blocks {
    reader: LogReader,
    next: u64,
}

impl Iterator for Blocks {
    type Item = Result<BlockFrame, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.reader.blocks_count() {
            return None;
        }
        let block = self.reader.block(Height::new(self.next));
        self.next += 1;
        Some(block)
    }
}
