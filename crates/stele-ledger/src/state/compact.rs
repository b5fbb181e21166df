//! [`State::checkpoint`]: the durable index, and the space of garbage given back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::checkpoint::{CheckpointWriter, Manifest, encode_leaf};
use super::files;
use super::location::{Location, Position};
use super::log::Segment;
use super::record::{FRAME_HEADER, FrameKind, Record, SEGMENT_HEADER};
use super::store::State;
use super::tree::SHARDS;
use super::{Change, StateError};

/// How many bytes of records compaction moves while it keeps blocks waiting.
const MOVE_BYTES: usize = 1 << 20;

/// A checkpoint that is written and durable, but not yet the one that an opening starts from: [`State::commit_checkpoint`] makes
/// it that.
pub struct PreparedCheckpoint {
    next: Manifest,
    victims: Vec<Arc<Segment>>,
    frames_before: u64,
}

impl PreparedCheckpoint {
    /// The last block in it, `None` before the first.
    pub fn height(&self) -> Option<u64> {
        self.next.next_height.checked_sub(1)
    }
}

impl State {
    /// [`State::prepare_checkpoint`] and [`State::commit_checkpoint`] at once.
    ///
    /// The caller sees to it that the blocks applied until this returns are durable in the entry log, or passes
    /// [`super::StateOptions::height_max`] at the next opening.
    ///
    /// # Errors
    /// As both.
    pub fn checkpoint(&self) -> Result<(), StateError> {
        let prepared = self.prepare_checkpoint()?;
        self.commit_checkpoint(prepared)
    }

    /// Writes a checkpoint beside the last one, which stays the one that counts. Segments whose live share is below one half are
    /// emptied first. Blocks and reads go on meanwhile: each of the 256 subtrees is copied in one go, and its records are moved a
    /// megabyte at a time. One is prepared at a time.
    ///
    /// # Errors
    /// A refusal while the checkpoint file is written, and lack of space, leave the state as it was, with its last checkpoint. Any other
    /// error closes the state for writes.
    pub fn prepare_checkpoint(&self) -> Result<PreparedCheckpoint, StateError> {
        let manifest = self.maintenance.lock();
        self.check_usable()?;
        let victims = self.victims()?;
        for victim in &victims {
            self.empty(victim)?;
        }
        let start = self.tree.read().applied;
        let frames_before = self.frame_bytes.load(Ordering::Relaxed);
        let number = manifest.checkpoint + 1;
        let path = self.dir.join(files::checkpoint_name(number));
        let checkpoint_bytes = match self.write_shards(number) {
            Ok(bytes) => bytes,
            Err(error) => {
                // The state is whole without it; the first error is the one to report.
                let _ = files::remove(&path);
                return Err(error);
            }
        };
        let (end, next_height, root) = {
            let tree = self.tree.read();
            (tree.applied, tree.next_height, tree.root())
        };
        let unsynced = self.writer.lock().take_unsynced(&self.segments);
        let is_victim = |number: u32| victims.iter().any(|victim| victim.number == number);
        let next = Manifest {
            checkpoint: number,
            checkpoint_bytes,
            start,
            end,
            next_height,
            root,
            segments: self
                .segments
                .all()
                .iter()
                .map(|segment| segment.number)
                .filter(|number| *number <= end.segment && !is_victim(*number))
                .collect(),
        };
        let synced = unsynced
            .iter()
            .try_for_each(|segment| files::sync(&segment.file, &segment.path))
            .and_then(|()| files::sync_directory(&self.dir));
        self.poison(synced)?;
        Ok(PreparedCheckpoint {
            next,
            victims,
            frames_before,
        })
    }

    /// Makes a prepared checkpoint the one that the next opening starts from, and deletes segments that hold nothing but garbage.
    ///
    /// The caller sees to it that the block of its height is durable in the entry log: a state must not be ahead of it.
    ///
    /// # Errors
    /// Lack of space leaves the state as it was, with its last checkpoint. Any other error closes the state for writes.
    pub fn commit_checkpoint(&self, prepared: PreparedCheckpoint) -> Result<(), StateError> {
        let PreparedCheckpoint {
            next,
            victims,
            frames_before,
        } = prepared;
        let mut manifest = self.maintenance.lock();
        self.check_usable()?;
        assert_eq!(
            next.checkpoint,
            manifest.checkpoint + 1,
            "one checkpoint is prepared at a time"
        );
        let checkpoint_bytes = next.checkpoint_bytes;
        let stored = next.store(&self.dir);
        if matches!(&stored, Err(StateError::NoSpace { .. })) {
            // The old manifest stands as it was, and the checkpoint that it names.
            let _ = files::remove(&self.dir.join(files::checkpoint_name(next.checkpoint)));
        }
        self.poison_unless_refused(stored)?;
        let previous = std::mem::replace(&mut *manifest, next);
        self.frame_bytes.fetch_sub(frames_before, Ordering::Relaxed);
        self.checkpoint_bytes
            .store(checkpoint_bytes, Ordering::Relaxed);
        self.remove_victims(&victims)?;
        if previous.checkpoint != 0 {
            files::remove(&self.dir.join(files::checkpoint_name(previous.checkpoint)))?;
        }
        Ok(())
    }

    /// Forgets a prepared checkpoint. The last one counts on.
    pub fn discard_checkpoint(&self, prepared: &PreparedCheckpoint) {
        // What cannot be removed now goes at the next opening.
        let name = files::checkpoint_name(prepared.next.checkpoint);
        let _ = files::remove(&self.dir.join(name));
    }

    /// The closed segments of which less than half is live.
    fn victims(&self) -> Result<Vec<Arc<Segment>>, StateError> {
        let tail = self.writer.lock().position().segment;
        let live = self.live.lock().clone();
        let mut victims = Vec::new();
        for segment in self.segments.all() {
            let live = live.get(&segment.number).copied().unwrap_or(0);
            if segment.number < tail && live * 2 < segment.length()? {
                victims.push(segment);
            }
        }
        Ok(victims)
    }

    /// Moves all live records of a closed segment to the end of the log.
    fn empty(&self, victim: &Segment) -> Result<(), StateError> {
        let length = victim.length()?;
        let mut offset = SEGMENT_HEADER as u64;
        while offset < length {
            let (_, body) = victim.frame(offset)?;
            let start = offset + FRAME_HEADER as u64;
            self.move_records(victim, start as u32, &body)?;
            offset = start + body.len() as u64;
        }
        Ok(())
    }

    fn move_records(&self, victim: &Segment, start: u32, body: &[u8]) -> Result<(), StateError> {
        let mut rest = body;
        while !rest.is_empty() {
            let mut records = Vec::new();
            let mut bytes = 0;
            while !rest.is_empty() && bytes < MOVE_BYTES {
                let offset = start + (body.len() - rest.len()) as u32;
                let record = Record::decode(rest)
                    .map_err(|reason| victim.corrupt(u64::from(offset), reason))?;
                rest = &rest[record.length..];
                if record.value.is_some() {
                    bytes += record.length;
                    records.push((Location::new(victim.number, offset, record.length), record));
                }
            }
            self.move_live(&records)?;
        }
        Ok(())
    }

    /// Appends those of the records that the tree still points to, and points it to the copies.
    fn move_live(&self, records: &[(Location, Record<'_>)]) -> Result<(), StateError> {
        let mut writer = self.writer.lock();
        self.check_usable()?;
        let (live, next_height, root) = {
            let tree = self.tree.read();
            let is_live = |(location, record): &&(Location, Record<'_>)| {
                tree.get(record.path)
                    .is_some_and(|leaf| leaf.location == *location)
            };
            let live: Vec<_> = records.iter().filter(is_live).collect();
            (live, tree.next_height, tree.root())
        };
        if live.is_empty() {
            return Ok(());
        }
        let changes: Vec<Change<'_>> = live
            .iter()
            .map(|(_, record)| Change {
                path: *record.path,
                register: record.register,
                key: record.key,
                value: record.value,
            })
            .collect();
        let encoded = writer.encode(
            &self.segments,
            FrameKind::Moved,
            next_height,
            root,
            &changes,
        );
        let copies = self.poison_unless_refused(encoded)?;
        let written = self.poison_unless_refused(writer.write())?;
        self.frame_bytes.fetch_add(written, Ordering::Relaxed);
        let end: Position = writer.position();
        {
            let mut tree = self.tree.write();
            for ((old, record), new) in live.iter().zip(&copies) {
                let moved = tree.relocate(record.path, *old, *new);
                assert!(
                    moved,
                    "no block was applied since the record was found live"
                );
            }
            tree.applied = end;
        }
        let mut counts = self.live.lock();
        for ((old, _), new) in live.iter().zip(&copies) {
            let left = counts.entry(old.segment()).or_default();
            *left = left
                .checked_sub(old.length() as u64)
                .expect("the record was live");
            *counts.entry(new.segment()).or_default() += new.length() as u64;
        }
        Ok(())
    }

    fn write_shards(&self, number: u64) -> Result<u64, StateError> {
        let mut file = CheckpointWriter::create(&self.dir, number)?;
        self.copy_shards(&mut file)?;
        file.finish()
    }

    /// Copies all leaves, each shard under the read lock and with the position that it stands at.
    pub(super) fn copy_shards(&self, file: &mut CheckpointWriter) -> Result<(), StateError> {
        let mut leaves = Vec::new();
        for shard in 0..SHARDS {
            leaves.clear();
            let position = {
                let tree = self.tree.read();
                tree.shard(shard)
                    .visit(|leaf| encode_leaf(&leaf, &mut leaves));
                tree.applied
            };
            file.shard(&leaves, position)?;
        }
        Ok(())
    }

    fn remove_victims(&self, victims: &[Arc<Segment>]) -> Result<(), StateError> {
        for victim in victims {
            // Under the write lock: whoever found a record in it before holds the open file.
            let _tree = self.tree.write();
            self.segments.remove(victim.number);
            self.live.lock().remove(&victim.number);
            files::remove(&victim.path)?;
        }
        Ok(())
    }
}
