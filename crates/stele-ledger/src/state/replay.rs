//! Opening: the last checkpoint, then the frames of the value log after it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::checkpoint::{CheckpointReader, Manifest};
use super::files;
use super::location::{Location, Position};
use super::log::Segment;
use super::record::{FRAME_HEADER, FrameHeader, FrameKind, Record, SEGMENT_HEADER};
use super::tree::{Batch, Input, SHARDS, Tree};
use super::{Dropped, StateError};

/// Frames are applied together until they hold this many changes: one great batch hashes each inner node once.
const BATCH_CHANGES: usize = 1 << 18;
/// And until their bodies have this many bytes.
const BATCH_BYTES: usize = 256 << 20;

/// A state as it stands on disk.
pub(super) struct Replayed {
    pub(super) tree: Tree,
    pub(super) segments: BTreeMap<u32, Arc<Segment>>,
    /// Log bytes that leaves point to, by segment.
    pub(super) live: BTreeMap<u32, u64>,
    pub(super) blocks: u64,
    pub(super) changes: u64,
    pub(super) dropped: Option<Dropped>,
    /// The log bytes read after the checkpoint.
    pub(super) log_bytes: u64,
}

/// Loads what the manifest names and applies the intact frames after it, at most up to the height `height_max`.
pub(super) fn replay(
    dir: &Path,
    manifest: &Manifest,
    height_max: Option<u64>,
) -> Result<Replayed, StateError> {
    let segments = open_segments(dir, manifest)?;
    let (tree, positions, live) = load_checkpoint(dir, manifest, &segments)?;
    let mut replay = Replay {
        dir,
        manifest,
        height_max,
        positions,
        settled: false,
        pending: Vec::new(),
        pending_changes: 0,
        pending_bytes: 0,
        pending_height: tree.next_height,
        state: Replayed {
            tree,
            segments,
            live,
            blocks: 0,
            changes: 0,
            dropped: None,
            log_bytes: 0,
        },
    };
    replay.run()?;
    Ok(replay.state)
}

/// Opens the segments that the manifest lists and those that were begun after it, and removes what a crash left over.
fn open_segments(
    dir: &Path,
    manifest: &Manifest,
) -> Result<BTreeMap<u32, Arc<Segment>>, StateError> {
    let mut segments = BTreeMap::new();
    for name in files::names(dir)? {
        let current = name == files::checkpoint_name(manifest.checkpoint);
        if files::is_checkpoint(&name) && !current {
            files::remove(&dir.join(&name))?;
        }
        let Some(number) = files::segment_number(&name) else {
            continue;
        };
        if number <= manifest.end.segment && !manifest.segments.contains(&number) {
            files::remove(&dir.join(&name))?;
        } else {
            segments.insert(number, Arc::new(Segment::open(dir, number)?));
        }
    }
    for number in &manifest.segments {
        let Some(segment) = segments.get(number) else {
            let path = dir.join(files::segment_name(*number));
            return Err(files::corrupt(
                &path,
                0,
                "the segment that the manifest names is missing",
            ));
        };
        segment
            .check_header()
            .map_err(|reason| segment.corrupt(0, reason))?;
    }
    let end = &segments.get(&manifest.end.segment).ok_or_else(|| {
        files::corrupt(
            &dir.join(files::MANIFEST),
            0,
            "the manifest does not list its last segment",
        )
    })?;
    let length = end.length()?;
    if length < u64::from(manifest.end.offset) {
        return Err(end.corrupt(length, "the segment is shorter than the manifest says"));
    }
    Ok(segments)
}

type Loaded = (Tree, Vec<Position>, BTreeMap<u32, u64>);

fn load_checkpoint(
    dir: &Path,
    manifest: &Manifest,
    segments: &BTreeMap<u32, Arc<Segment>>,
) -> Result<Loaded, StateError> {
    if manifest.checkpoint == 0 {
        let tree = Tree::new(manifest.next_height, manifest.start);
        return Ok((tree, vec![manifest.start; SHARDS], BTreeMap::new()));
    }
    let mut lengths = BTreeMap::new();
    for segment in segments.values() {
        lengths.insert(segment.number, segment.length()?);
    }
    let reader = CheckpointReader::open(dir, manifest.checkpoint, manifest.checkpoint_bytes)?;
    let loaded: Vec<_> = (0..SHARDS)
        .into_par_iter()
        .map(|index| reader.shard(index, &lengths))
        .collect::<Result<_, _>>()?;
    let mut shards = Vec::with_capacity(SHARDS);
    let mut positions = Vec::with_capacity(SHARDS);
    let mut live = BTreeMap::new();
    for loaded in loaded {
        shards.push(loaded.shard);
        positions.push(loaded.position);
        add(&mut live, loaded.live);
    }
    // The height between start and end is known only at the end; replay sets it from the frames on the way.
    Ok((
        Tree::from_shards(shards, 0, manifest.start),
        positions,
        live,
    ))
}

struct Replay<'a> {
    dir: &'a Path,
    manifest: &'a Manifest,
    height_max: Option<u64>,
    /// Where each shard of the checkpoint stands: earlier frames are in it.
    positions: Vec<Position>,
    /// Whether the tree has reached the end that the manifest vouches for.
    settled: bool,
    pending: Vec<(Position, Vec<u8>)>,
    pending_changes: usize,
    pending_bytes: usize,
    pending_height: u64,
    state: Replayed,
}

impl Replay<'_> {
    fn run(&mut self) -> Result<(), StateError> {
        let mut position = self.manifest.start;
        let stop = loop {
            if !self.settled && position >= self.manifest.end {
                self.settle()?;
            }
            match self.frame(position)? {
                Step::Next(next) => position = next,
                Step::End => break None,
                Step::Stop(reason) => break Some(reason),
            }
        };
        self.flush(position)?;
        if !self.settled {
            let segment = &self.state.segments[&position.segment];
            let reason = stop.unwrap_or("the value log ends before the manifest's end");
            return Err(segment.corrupt(u64::from(position.offset), reason));
        }
        match stop {
            Some(reason) => self.cut(position, reason),
            None => Ok(()),
        }
    }

    /// Reads the frame at `position` and queues or applies it.
    fn frame(&mut self, position: Position) -> Result<Step, StateError> {
        let segment = Arc::clone(&self.state.segments[&position.segment]);
        let length = segment.length()?;
        let offset = u64::from(position.offset);
        if offset >= length {
            return self.next_segment(position);
        }
        let mut header = [0; FRAME_HEADER];
        if files::read_at(&segment.file, &segment.path, &mut header, offset)? < FRAME_HEADER {
            return Ok(Step::Stop("a frame header is cut short"));
        }
        let header = match FrameHeader::decode(&header) {
            Ok(header) => header,
            Err(reason) => return Ok(Step::Stop(reason)),
        };
        let end = offset + FRAME_HEADER as u64 + u64::from(header.body_length);
        if end > length {
            return Ok(Step::Stop("a frame is cut short"));
        }
        let mut body = vec![0; header.body_length as usize];
        files::read_at(
            &segment.file,
            &segment.path,
            &mut body,
            offset + FRAME_HEADER as u64,
        )?;
        if let Err(reason) = check_body(&header, &body) {
            return Ok(Step::Stop(reason));
        }
        if header.kind == FrameKind::Block {
            if self
                .height_max
                .is_some_and(|max| header.next_height > max.saturating_add(1))
            {
                return Ok(Step::Stop("the block is above the height asked for"));
            }
            if header.next_height <= self.pending_height {
                return Ok(Step::Stop("the heights of the blocks do not ascend"));
            }
            self.pending_height = header.next_height;
            self.state.blocks += 1;
            self.state.changes += u64::from(header.count);
        }
        if self.settled && self.pending.is_empty() && header.root_before != self.state.tree.root() {
            return Err(segment.corrupt(offset, "the frame follows another state root"));
        }
        self.state.log_bytes += end - offset;
        self.pending_changes += header.count as usize;
        self.pending_bytes += body.len();
        let records = Position {
            offset: position.offset + FRAME_HEADER as u32,
            ..position
        };
        self.pending.push((records, body));
        let next = Position {
            offset: end as u32,
            ..position
        };
        if self.pending_changes >= BATCH_CHANGES || self.pending_bytes >= BATCH_BYTES {
            self.flush(next)?;
        }
        Ok(Step::Next(next))
    }

    fn next_segment(&self, position: Position) -> Result<Step, StateError> {
        let number = position.segment + 1;
        Ok(match self.state.segments.get(&number) {
            None => Step::End,
            Some(segment) => match segment.check_header() {
                Ok(()) => Step::Next(Position {
                    segment: number,
                    offset: SEGMENT_HEADER as u32,
                }),
                Err(reason) => Step::Stop(reason),
            },
        })
    }

    /// Applies what is queued; the last frame ends at `end`.
    fn flush(&mut self, end: Position) -> Result<(), StateError> {
        let pending = std::mem::take(&mut self.pending);
        let mut inputs = Vec::with_capacity(self.pending_changes);
        for (start, body) in &pending {
            let mut rest = body.as_slice();
            while !rest.is_empty() {
                let record = Record::decode(rest).expect("check_body has decoded every record");
                let offset = start.offset + (body.len() - rest.len()) as u32;
                rest = &rest[record.length..];
                if *start < self.positions[usize::from(record.path[0])] {
                    continue;
                }
                let location = match record.value {
                    Some(_) => Location::new(start.segment, offset, record.length),
                    None => Location::NONE,
                };
                inputs.push(Input {
                    path: record.path,
                    value: record.value,
                    location,
                });
            }
        }
        if self.state.tree.could_overflow(inputs.len()) {
            return Err(StateError::Full { what: "keys" });
        }
        let batch = Batch::new(&inputs);
        add(&mut self.state.live, batch.live_bytes());
        let freed = self.state.tree.apply(&batch, end);
        subtract(&mut self.state.live, &freed);
        self.state.tree.next_height = self.pending_height;
        self.pending_changes = 0;
        self.pending_bytes = 0;
        Ok(())
    }

    /// The tree has reached the manifest's end: its root must be the one written there.
    fn settle(&mut self) -> Result<(), StateError> {
        self.flush(self.manifest.end)?;
        if self.state.tree.root() != self.manifest.root {
            let path = self
                .dir
                .join(files::checkpoint_name(self.manifest.checkpoint));
            return Err(files::corrupt(
                &path,
                0,
                "the checkpoint leads to another state root",
            ));
        }
        self.settled = true;
        self.pending_height = self.manifest.next_height;
        self.state.tree.next_height = self.manifest.next_height;
        self.state.blocks = 0;
        self.state.changes = 0;
        self.state.log_bytes = 0;
        Ok(())
    }

    /// Cuts the value log off at `position`.
    fn cut(&mut self, position: Position, reason: &'static str) -> Result<(), StateError> {
        let segment = Arc::clone(&self.state.segments[&position.segment]);
        let offset = u64::from(position.offset);
        let mut bytes = segment.length()? - offset;
        segment
            .file
            .set_len(offset)
            .map_err(files::io_error("truncate", &segment.path))?;
        for (_, later) in self.state.segments.split_off(&(position.segment + 1)) {
            bytes += later.length()?;
            files::remove(&later.path)?;
        }
        self.state.dropped = Some(Dropped {
            file: segment.path.clone(),
            offset,
            bytes,
            reason,
        });
        Ok(())
    }
}

enum Step {
    /// The frame is taken; the next one starts here.
    Next(Position),
    /// The log ends properly.
    End,
    /// The frame is not taken, for this reason.
    Stop(&'static str),
}

fn check_body(header: &FrameHeader, body: &[u8]) -> Result<(), &'static str> {
    if crc32fast::hash(body) != header.body_crc {
        return Err("the checksum of a frame is wrong");
    }
    let mut rest = body;
    let mut count = 0;
    while !rest.is_empty() {
        rest = &rest[Record::decode(rest)?.length..];
        count += 1;
    }
    if count == header.count {
        Ok(())
    } else {
        Err("a frame holds another number of records")
    }
}

/// Adds byte counts by segment.
pub(super) fn add(total: &mut BTreeMap<u32, u64>, bytes: BTreeMap<u32, u64>) {
    for (segment, bytes) in bytes {
        *total.entry(segment).or_default() += bytes;
    }
}

/// Subtracts byte counts by segment.
pub(super) fn subtract(total: &mut BTreeMap<u32, u64>, bytes: &BTreeMap<u32, u64>) {
    for (segment, bytes) in bytes {
        let live = total.entry(*segment).or_default();
        *live = live.checked_sub(*bytes).expect("garbage was live before");
    }
}
