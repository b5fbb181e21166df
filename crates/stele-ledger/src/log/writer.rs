//! The one writer of a log.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use stele_core::id::{Height, LogIndex};

use super::base::LogBase;
use super::file::is_no_space;
use super::frame::{FramePlace, encode};
use super::index::Row;
use super::open::{OpenReport, OpenedLog, open};
use super::reader::{LogReader, Shared, State};
use super::segment::{SEGMENT_HEADER_BYTES, Segment};
use super::{LogError, LogOptions, io_error};

/// An open log. Dropping it without [`EntryLog::sync`] leaves the blocks since the last sync to chance.
pub struct EntryLog {
    shared: Arc<Shared>,
    options: LogOptions,
    segment: Arc<Segment>,
    /// Where the next frame goes.
    offset: u64,
    /// Up to where disk blocks are reserved in the segment.
    reserved_to: u64,
    /// One above the height of the newest final block.
    blocks_durable: u64,
    /// Blocks appended since the last sync.
    pending: Vec<Row>,
    /// Log index of the next entry.
    next_index: u64,
    frame: Vec<u8>,
    poisoned: bool,
    report: OpenReport,
    /// Held for its lock.
    _lock: File,
}

impl EntryLog {
    /// Opens the log in a folder, or creates it. A tail that an interrupted write left behind is cut off.
    ///
    /// # Errors
    /// [`LogError::Locked`], [`LogError::Damaged`], [`LogError::UnsupportedVersion`], [`LogError::NoSpace`]
    /// or [`LogError::Io`].
    pub fn open(dir: &Path, options: LogOptions) -> Result<Self, LogError> {
        let OpenedLog {
            lock,
            base,
            archive,
            segments,
            index,
            rows_written,
            tail,
            blocks,
            entries,
            write_offset,
            report,
        } = open(dir, &options)?;
        let segment = Arc::clone(segments.last().expect("at least one segment"));
        let state = State {
            segments,
            rows_written,
            tail,
            blocks,
            entries,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                dir: dir.to_owned(),
                limits: options.limits,
                base,
                archive: Mutex::new(archive),
                index,
                state: RwLock::new(state),
            }),
            options,
            segment,
            offset: write_offset,
            reserved_to: write_offset,
            blocks_durable: blocks,
            pending: vec![],
            next_index: entries,
            frame: vec![],
            poisoned: false,
            report,
            _lock: lock,
        })
    }

    /// Begins a log in an empty folder behind a base block: nothing up to it is held.
    ///
    /// # Errors
    /// [`LogError::NotEmpty`], or as [`Self::open`].
    pub fn create_from_base(
        dir: &Path,
        base: &LogBase,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        if fs::read_dir(dir)
            .map_err(io_error("list", dir))?
            .next()
            .is_some()
        {
            return Err(LogError::NotEmpty {
                dir: dir.to_owned(),
            });
        }
        base.store(dir)?;
        Self::open(dir, options)
    }

    /// What opening found and did.
    pub fn report(&self) -> &OpenReport {
        &self.report
    }

    /// A reader of the final blocks, for any thread.
    pub fn reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.shared))
    }

    /// Height of the next block.
    pub fn next_height(&self) -> Height {
        Height::new(self.blocks_durable + self.pending.len() as u64)
    }

    /// Log index of the next entry.
    pub fn next_index(&self) -> LogIndex {
        LogIndex::new(self.next_index)
    }

    /// Whether a failed write or sync keeps the log from being written until it is opened again.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Writes a block behind the last one and returns the log index of its first entry. `header` is opaque to
    /// the log, `records[i]` is the Merkle leaf data of `entries[i]`. The block is final only after
    /// [`Self::sync`].
    ///
    /// # Errors
    /// [`LogError::HeightOutOfOrder`], [`LogError::CountMismatch`], [`LogError::TooLarge`] and
    /// [`LogError::NoSpace`] leave the log as it was; [`LogError::Io`] poisons it.
    pub fn append<E: AsRef<[u8]>, R: AsRef<[u8]>>(
        &mut self,
        height: Height,
        header: &[u8],
        entries: &[E],
        records: &[R],
    ) -> Result<LogIndex, LogError> {
        self.check_usable()?;
        if height != self.next_height() {
            return Err(LogError::HeightOutOfOrder {
                expected: self.next_height(),
                found: height,
            });
        }
        if entries.len() != records.len() {
            let (entries, records) = (entries.len(), records.len());
            return Err(LogError::CountMismatch { entries, records });
        }
        let first_index = self.next_index;
        self.encode(height, header, entries, records)?;
        let is_over =
            self.offset + self.frame.len() as u64 > u64::from(self.options.segment_bytes_max);
        if is_over && self.offset > SEGMENT_HEADER_BYTES {
            self.rotate()?;
            // The salt is the new segment's.
            self.encode(height, header, entries, records)?;
        }
        self.write_frame()?;
        let offset = u32::try_from(self.offset).expect("offsets in a segment fit 32 bits");
        self.pending.push(Row {
            offset,
            first_index,
        });
        self.offset += self.frame.len() as u64;
        self.next_index += entries.len() as u64;
        Ok(LogIndex::new(first_index))
    }

    /// Makes all appended blocks durable; they are final, and readers see them, when this returns.
    ///
    /// # Errors
    /// [`LogError::Io`], which poisons the log: whether the blocks reached the disk is unknown then.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.check_usable()?;
        if self.pending.is_empty() {
            return Ok(());
        }
        if let Err(source) = self.segment.file.sync_data() {
            self.poisoned = true;
            return Err(io_error("sync", self.segment.file.path())(source));
        }
        self.blocks_durable += self.pending.len() as u64;
        self.shared.publish(&mut self.pending, self.next_index);
        Ok(())
    }

    fn check_usable(&self) -> Result<(), LogError> {
        if self.poisoned {
            Err(LogError::Poisoned)
        } else {
            Ok(())
        }
    }

    fn encode<E: AsRef<[u8]>, R: AsRef<[u8]>>(
        &mut self,
        height: Height,
        header: &[u8],
        entries: &[E],
        records: &[R],
    ) -> Result<(), LogError> {
        let place = FramePlace {
            height: height.get(),
            first_index: self.next_index,
            durable_blocks: self.blocks_durable,
            salt: self.segment.salt,
        };
        encode(
            &mut self.frame,
            place,
            header,
            entries,
            records,
            &self.options.limits,
        )
        .map_err(LogError::TooLarge)
    }

    /// Starts a new segment. The old one is synced first, so that a torn tail is always in the last segment.
    fn rotate(&mut self) -> Result<(), LogError> {
        self.sync()?;
        let segment = match Segment::create(&self.shared.dir, self.blocks_durable, self.next_index)
        {
            Ok(segment) => Arc::new(segment),
            Err(error) => {
                self.poisoned = !matches!(error, LogError::NoSpace { .. });
                return Err(error);
            }
        };
        // Gives the space reserved ahead back; the segment is complete without that.
        let _ = self.segment.file.set_len(self.offset);
        self.shared
            .state
            .write()
            .segments
            .push(Arc::clone(&segment));
        self.segment = segment;
        self.offset = SEGMENT_HEADER_BYTES;
        self.reserved_to = SEGMENT_HEADER_BYTES;
        Ok(())
    }

    fn write_frame(&mut self) -> Result<(), LogError> {
        let file = &self.segment.file;
        let no_space = |source| LogError::NoSpace {
            path: file.path().to_owned(),
            source,
        };
        let end = self.offset + self.frame.len() as u64;
        if end > self.reserved_to {
            // Ahead if there is room for that, else just this frame: the last blocks of a full disk count too.
            let ahead = end + u64::from(self.options.reserve_bytes);
            match file.reserve(self.offset, ahead - self.offset) {
                Ok(()) => self.reserved_to = ahead,
                Err(error) if is_no_space(&error) => {
                    match file.reserve(self.offset, end - self.offset) {
                        Ok(()) => self.reserved_to = end,
                        Err(error) if is_no_space(&error) => return Err(no_space(error)),
                        Err(error) => {
                            self.poisoned = true;
                            return Err(io_error("reserve space in", file.path())(error));
                        }
                    }
                }
                Err(error) => {
                    self.poisoned = true;
                    return Err(io_error("reserve space in", file.path())(error));
                }
            }
        }
        let Err(error) = file.write_all_at(&self.frame, self.offset) else {
            return Ok(());
        };
        // Part of the frame may stand in the file: cut it, and with it the reserve.
        self.reserved_to = self.offset;
        let is_cut = file.set_len(self.offset).is_ok();
        if is_no_space(&error) && is_cut {
            return Err(no_space(error));
        }
        self.poisoned = true;
        Err(io_error("write", file.path())(error))
    }
}
