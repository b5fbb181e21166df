//! [`StatePin`]: the state as it was after one block, kept readable while blocks go on; and [`State::load`], which fills a state
//! from what such a pin showed.
//!
//! A pin copies the leaves shard by shard, as a checkpoint does, each at a position of its own. The frames from there to the last
//! position bring all shards to the same block when they are read. The values are read from the segments, which stay open: what
//! compaction deletes meanwhile remains readable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::{CheckpointReader, CheckpointWriter};
use super::files;
use super::location::{Location, Position};
use super::log::Segment;
use super::record::{FRAME_HEADER, FrameHeader, FrameKind, Record, SEGMENT_HEADER};
use super::shard::Shard;
use super::store::State;
use super::tree::{SHARDS, root_of_shards};
use super::{Change, KeyValue, StateError};

/// The number of the checkpoint file in a pin's own folder.
const COPY: u64 = 1;

/// The state after one block.
pub(crate) struct StatePin {
    dir: PathBuf,
    copy: CheckpointReader,
    segments: BTreeMap<u32, Arc<Segment>>,
    /// The least position of a shard, and the one that all are brought to.
    start: Position,
    end: Position,
    height: Option<u64>,
    root: [u8; 32],
    keys: u64,
}

impl State {
    /// Pins the state as it is now. The copy of the leaves (72 bytes a key) goes into `scratch`, a folder that exists.
    ///
    /// Blocks wait while a shard is copied, for some milliseconds at ten million keys; a checkpoint waits for the whole copy.
    ///
    /// # Errors
    /// The operating system's refusal.
    pub(crate) fn pin(&self, scratch: &Path) -> Result<StatePin, StateError> {
        // No segment is removed while this is held.
        let _maintenance = self.maintenance.lock();
        let start = self.tree.read().applied;
        let mut file = CheckpointWriter::create(scratch, COPY)?;
        self.copy_shards(&mut file)?;
        let bytes = file.finish()?;
        let (end, height, root, keys) = {
            let tree = self.tree.read();
            (
                tree.applied,
                tree.height(),
                tree.root(),
                tree.leaf_count() as u64,
            )
        };
        let segments = self.segments.all().into_iter();
        Ok(StatePin {
            dir: scratch.to_owned(),
            copy: CheckpointReader::open(scratch, COPY, bytes)?,
            segments: segments.map(|segment| (segment.number, segment)).collect(),
            start,
            end,
            height,
            root,
            keys,
        })
    }

    /// Adds keys to a state that has no block yet and returns the root. [`State::finish_load`] comes behind the last of them; a state
    /// that was not finished is worth nothing.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub(crate) fn load(&self, changes: &[Change<'_>]) -> Result<[u8; 32], StateError> {
        self.append(FrameKind::Moved, 0, changes)
    }

    /// Makes what was loaded the state after block `height`, durably.
    ///
    /// # Errors
    /// As [`State::checkpoint`].
    pub(crate) fn finish_load(&self, height: u64) -> Result<(), StateError> {
        self.tree.write().next_height = height + 1;
        self.checkpoint()
    }
}

impl StatePin {
    /// The last block in it, `None` before the first.
    pub(crate) fn height(&self) -> Option<u64> {
        self.height
    }

    /// The state root after that block.
    pub(crate) fn root(&self) -> [u8; 32] {
        self.root
    }

    /// The number of keys.
    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }

    /// Visits every key in the order of the paths. All that was visited has the pin's root, unless this fails.
    ///
    /// # Errors
    /// [`StateError::Corrupt`] if the state is damaged, or what the visitor reports.
    pub(crate) fn visit<E: From<StateError>>(
        &self,
        mut visitor: impl FnMut(KeyValue<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut lengths = BTreeMap::new();
        for segment in self.segments.values() {
            lengths.insert(segment.number, segment.length()?);
        }
        let later = self.later_changes()?;
        let mut roots = Vec::with_capacity(SHARDS);
        for (index, later) in later.iter().enumerate() {
            let (mut items, _) = self.copy.items(index, &lengths)?;
            items.retain(|item| !later.contains_key(&item.path));
            let mut places: Vec<_> = items
                .iter()
                .map(|item| (item.path, item.location))
                .collect();
            let set = later
                .iter()
                .filter(|(_, location)| **location != Location::NONE);
            places.extend(set.map(|(path, location)| (*path, *location)));
            places.sort_unstable_by_key(|(path, _)| *path);
            let mut hashed = Vec::with_capacity(places.len());
            for (path, location) in &places {
                let segment = self.segment(location.segment())?;
                let bytes = segment.read(*location)?;
                let fault = |reason| segment.corrupt(u64::from(location.offset()), reason);
                let record = Record::decode(&bytes).map_err(fault)?;
                let Some(value) = record.value.filter(|_| record.path == path) else {
                    return Err(fault("the record is of another path than the index says").into());
                };
                hashed.push(super::shard::Item::of_value(path, value, *location));
                visitor(KeyValue {
                    path,
                    register: record.register,
                    key: record.key,
                    value,
                })?;
            }
            let mut shard = Shard::new();
            shard.update(&hashed);
            roots.push((hashed.len(), shard.root().hash));
        }
        if root_of_shards(&roots) == self.root {
            Ok(())
        } else {
            let reason = "the values do not have the root that the tree has";
            Err(files::corrupt(&self.dir, 0, reason).into())
        }
    }

    /// For each shard, what its keys changed to between its copy and the pin's block.
    fn later_changes(&self) -> Result<Vec<BTreeMap<[u8; 32], Location>>, StateError> {
        let positions: Vec<_> = (0..SHARDS).map(|index| self.copy.position(index)).collect();
        let mut later = vec![BTreeMap::new(); SHARDS];
        let mut at = self.start;
        while at < self.end {
            let segment = self.segment(at.segment)?;
            let offset = u64::from(at.offset);
            if offset >= segment.length()? {
                at = Position {
                    segment: at.segment + 1,
                    offset: SEGMENT_HEADER as u32,
                };
                continue;
            }
            let (header, body) = segment.frame(offset)?;
            let start = at.offset + FRAME_HEADER as u32;
            let mut rest = body.as_slice();
            while header.kind == FrameKind::Block && !rest.is_empty() {
                let place = start + (body.len() - rest.len()) as u32;
                let record = Record::decode(rest)
                    .map_err(|reason| segment.corrupt(u64::from(place), reason))?;
                rest = &rest[record.length..];
                let shard = usize::from(record.path[0]);
                if at >= positions[shard] {
                    let location = match record.value {
                        Some(_) => Location::new(at.segment, place, record.length),
                        None => Location::NONE,
                    };
                    later[shard].insert(*record.path, location);
                }
            }
            at.offset = start + body.len() as u32;
        }
        Ok(later)
    }

    fn segment(&self, number: u32) -> Result<&Segment, StateError> {
        match self.segments.get(&number) {
            Some(segment) => Ok(segment),
            None => Err(files::corrupt(
                &self.dir.join(files::segment_name(number)),
                0,
                "the segment that the index names is missing",
            )),
        }
    }
}

impl Segment {
    /// The frame at `offset`, which must stand there whole.
    pub(super) fn frame(&self, offset: u64) -> Result<(FrameHeader, Vec<u8>), StateError> {
        let mut header = [0; FRAME_HEADER];
        let read = files::read_at(&self.file, &self.path, &mut header, offset)?;
        if read < FRAME_HEADER {
            return Err(self.corrupt(offset, "a frame header is cut short"));
        }
        let header = FrameHeader::decode(&header).map_err(|reason| self.corrupt(offset, reason))?;
        let mut body = vec![0; header.body_length as usize];
        let start = offset + FRAME_HEADER as u64;
        let read = files::read_at(&self.file, &self.path, &mut body, start)?;
        if read < body.len() || crc32fast::hash(&body) != header.body_crc {
            return Err(self.corrupt(offset, "the checksum of a frame is wrong"));
        }
        Ok((header, body))
    }
}
