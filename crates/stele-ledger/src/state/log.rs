//! The value log: append-only segments, read by position, so that values cost page cache and no memory of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use stele_core::state_proof::{leaf_hash, value_hash};

use super::files::{self, corrupt, io_error};
use super::location::{Location, Position, SEGMENTS_MAX};
use super::record::{
    FRAME_HEADER, FrameHeader, FrameKind, Record, SEGMENT_HEADER, check_segment_header,
    encode_record, encode_segment_header, record_length,
};
use super::shard::LeafView;
use super::{Change, StateError};

/// The greatest setting of `segment_bytes`. A frame starts below it and its records' offsets fit 32 bits.
pub(super) const SEGMENT_BYTES_MAX: u64 = 1 << 31;
/// The greatest length of a frame.
pub(super) const FRAME_BYTES_MAX: u64 = (1 << 31) - 1;

/// One file of the value log.
pub(super) struct Segment {
    pub(super) number: u32,
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl Segment {
    fn create(dir: &Path, number: u32) -> Result<Self, StateError> {
        let path = dir.join(files::segment_name(number));
        let file = files::create(&path)?;
        file.write_all_at(&encode_segment_header(number), 0)
            .map_err(files::grow_error("write", &path))?;
        Ok(Self { number, path, file })
    }

    pub(super) fn open(dir: &Path, number: u32) -> Result<Self, StateError> {
        let path = dir.join(files::segment_name(number));
        let file = files::open(&path)?;
        Ok(Self { number, path, file })
    }

    pub(super) fn length(&self) -> Result<u64, StateError> {
        files::length(&self.file, &self.path)
    }

    pub(super) fn check_header(&self) -> Result<(), &'static str> {
        let mut header = [0; SEGMENT_HEADER];
        match files::read_at(&self.file, &self.path, &mut header, 0) {
            Ok(SEGMENT_HEADER) => check_segment_header(&header, self.number),
            Ok(_) => Err("the segment header is cut short"),
            Err(_) => Err("the segment header cannot be read"),
        }
    }

    pub(super) fn corrupt(&self, offset: u64, reason: &'static str) -> StateError {
        corrupt(&self.path, offset, reason)
    }

    /// Reads the bytes of the record at `location`.
    pub(super) fn read(&self, location: Location) -> Result<Vec<u8>, StateError> {
        let mut bytes = vec![0; location.length()];
        let offset = u64::from(location.offset());
        let count = files::read_at(&self.file, &self.path, &mut bytes, offset)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Reads the value of a leaf and checks it against the leaf's hash. Returns it with its SHA-256.
    pub(super) fn read_value(&self, leaf: &LeafView) -> Result<(Vec<u8>, [u8; 32]), StateError> {
        let mut bytes = self.read(leaf.location)?;
        let (range, hash) = {
            let record = self.check(leaf, &bytes)?;
            let value = record.value.unwrap_or_default();
            (
                record.length - value.len()..record.length,
                value_hash(value),
            )
        };
        bytes.truncate(range.end);
        bytes.drain(..range.start);
        Ok((bytes, hash))
    }

    /// Decodes the record of a leaf and checks it against the leaf.
    pub(super) fn check<'a>(
        &self,
        leaf: &LeafView,
        bytes: &'a [u8],
    ) -> Result<Record<'a>, StateError> {
        let fault = |reason| self.corrupt(u64::from(leaf.location.offset()), reason);
        let record = Record::decode(bytes).map_err(fault)?;
        if *record.path != leaf.path {
            return Err(fault("the record is of another path than the index says"));
        }
        let Some(value) = record.value else {
            return Err(fault(
                "the record is a deletion where the index says a value",
            ));
        };
        if leaf_hash(&leaf.path, &value_hash(value)) != leaf.leaf_hash {
            return Err(fault(
                "the value does not have the hash that the tree holds",
            ));
        }
        Ok(record)
    }
}

/// The segments that exist.
pub(super) struct Segments {
    map: RwLock<BTreeMap<u32, Arc<Segment>>>,
}

impl Segments {
    pub(super) fn new(map: BTreeMap<u32, Arc<Segment>>) -> Self {
        Self {
            map: RwLock::new(map),
        }
    }

    /// The segment that a location of the tree points into. Ask while the tree is locked, so that no compaction can
    /// remove it in between.
    pub(super) fn get(&self, number: u32) -> Arc<Segment> {
        let map = self.map.read();
        Arc::clone(
            map.get(&number)
                .expect("the tree points into existing segments only"),
        )
    }

    pub(super) fn all(&self) -> Vec<Arc<Segment>> {
        self.map.read().values().map(Arc::clone).collect()
    }

    fn insert(&self, segment: Arc<Segment>) {
        self.map.write().insert(segment.number, segment);
    }

    pub(super) fn remove(&self, number: u32) {
        self.map.write().remove(&number);
    }
}

/// The end of the value log, where frames are appended.
pub(super) struct Writer {
    dir: PathBuf,
    segment_bytes: u64,
    segment: Arc<Segment>,
    end: u32,
    buffer: Vec<u8>,
    /// Segments with bytes that no fsync has covered.
    unsynced: BTreeSet<u32>,
}

impl Writer {
    /// Continues `segment` at `end`.
    pub(super) fn new(dir: &Path, segment_bytes: u64, segment: Arc<Segment>, end: u32) -> Self {
        let unsynced = BTreeSet::from([segment.number]);
        Self {
            dir: dir.to_path_buf(),
            segment_bytes: segment_bytes.clamp(1, SEGMENT_BYTES_MAX),
            segment,
            end,
            buffer: Vec::new(),
            unsynced,
        }
    }

    /// Starts the log of a new state.
    pub(super) fn create(dir: &Path, segment_bytes: u64) -> Result<Self, StateError> {
        let segment = Arc::new(Segment::create(dir, 0)?);
        Ok(Self::new(
            dir,
            segment_bytes,
            segment,
            SEGMENT_HEADER as u32,
        ))
    }

    pub(super) fn segment(&self) -> Arc<Segment> {
        Arc::clone(&self.segment)
    }

    pub(super) fn position(&self) -> Position {
        Position {
            segment: self.segment.number,
            offset: self.end,
        }
    }

    /// Encodes the next frame and returns where its records will stand. Opens a new segment when the current one is full.
    pub(super) fn encode(
        &mut self,
        segments: &Segments,
        kind: FrameKind,
        next_height: u64,
        root_before: [u8; 32],
        changes: &[Change<'_>],
    ) -> Result<Vec<Location>, StateError> {
        let length = FRAME_HEADER as u64
            + changes
                .iter()
                .map(|change| record_length(change) as u64)
                .sum::<u64>();
        if length > FRAME_BYTES_MAX {
            return Err(StateError::TooLarge {
                what: "the block's write set",
                found: length,
                limit: FRAME_BYTES_MAX,
            });
        }
        if u64::from(self.end) >= self.segment_bytes {
            self.roll(segments)?;
        }
        // A buffer that one great block has grown is not kept for ever.
        if self.buffer.capacity() > 64 << 20 {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        self.buffer.reserve(length as usize);
        self.buffer.extend_from_slice(&[0; FRAME_HEADER]);
        let mut locations = Vec::with_capacity(changes.len());
        for change in changes {
            let start = self.buffer.len();
            encode_record(change, &mut self.buffer);
            let offset = self.end + start as u32;
            locations.push(match change.value {
                Some(_) => Location::new(self.segment.number, offset, self.buffer.len() - start),
                None => Location::NONE,
            });
        }
        let header = FrameHeader {
            kind,
            next_height,
            body_length: (self.buffer.len() - FRAME_HEADER) as u32,
            count: changes.len() as u32,
            root_before,
            body_crc: crc32fast::hash(&self.buffer[FRAME_HEADER..]),
        };
        self.buffer[..FRAME_HEADER].copy_from_slice(&header.encode());
        Ok(locations)
    }

    /// Appends the encoded frame and returns its length. After [`StateError::NoSpace`] the file ends where it did; after any other
    /// error its end is unknown.
    pub(super) fn write(&mut self) -> Result<u64, StateError> {
        let segment = &self.segment;
        let end = u64::from(self.end);
        if let Err(error) = segment.file.write_all_at(&self.buffer, end) {
            // Part of the frame may stand in the file.
            let is_cut = segment.file.set_len(end).is_ok();
            return Err(if is_cut {
                files::grow_error("append to", &segment.path)(error)
            } else {
                io_error("append to", &segment.path)(error)
            });
        }
        self.end += self.buffer.len() as u32;
        self.unsynced.insert(segment.number);
        Ok(self.buffer.len() as u64)
    }

    /// The segments written since the last call. The caller fsyncs them.
    pub(super) fn take_unsynced(&mut self, segments: &Segments) -> Vec<Arc<Segment>> {
        let numbers = std::mem::take(&mut self.unsynced);
        segments
            .all()
            .into_iter()
            .filter(|segment| numbers.contains(&segment.number))
            .collect()
    }

    fn roll(&mut self, segments: &Segments) -> Result<(), StateError> {
        let number = self.segment.number + 1;
        if number >= SEGMENTS_MAX {
            return Err(StateError::Full { what: "segments" });
        }
        let segment = Arc::new(Segment::create(&self.dir, number)?);
        segments.insert(Arc::clone(&segment));
        self.segment = segment;
        self.end = SEGMENT_HEADER as u32;
        Ok(())
    }
}
