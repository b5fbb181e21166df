//! Checkpoint files and the manifest: the index of every leaf, shard by shard, and what it counts on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::StateError;
use super::files::{self, corrupt, io_error};
use super::location::{Location, Position};
use super::record::{u32_at, u64_at};
use super::shard::{Item, LeafView, Shard};
use super::tree::SHARDS;

const CHECKPOINT_MAGIC: &[u8; 8] = b"STELECKP";
const MANIFEST_MAGIC: &[u8; 8] = b"STELEMAN";
const VERSION: u32 = 1;
const HEADER: usize = 32;
const LEAF: usize = 72;
const MANIFEST_FIXED: usize = 88;

/// What a state starts from when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The number of the checkpoint file; 0 when there is none yet.
    pub(super) checkpoint: u64,
    /// The length of that file.
    pub(super) checkpoint_bytes: u64,
    /// The earliest position that a shard of the checkpoint stands at.
    pub(super) start: Position,
    /// Up to here the value log was fsynced; every shard of the checkpoint stands at or before it.
    pub(super) end: Position,
    /// Height at `end`, plus one.
    pub(super) next_height: u64,
    /// State root at `end`.
    pub(super) root: [u8; 32],
    /// The segments up to `end` that exist.
    pub(super) segments: Vec<u32>,
}

impl Manifest {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MANIFEST_FIXED + 4 * self.segments.len() + 4);
        bytes.extend_from_slice(MANIFEST_MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        for number in [
            self.checkpoint,
            self.checkpoint_bytes,
            self.start.to_bits(),
            self.end.to_bits(),
            self.next_height,
        ] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.root);
        for number in &self.segments {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() < MANIFEST_FIXED + 4 || bytes[..8] != *MANIFEST_MAGIC {
            return Err("this is no manifest");
        }
        let body = bytes.len() - 4;
        if u32_at(bytes, body) != crc32fast::hash(&bytes[..body]) {
            return Err("the checksum of the manifest is wrong");
        }
        if u32_at(bytes, 8) != VERSION {
            return Err("the manifest has another format version");
        }
        if body != MANIFEST_FIXED + 4 * u32_at(bytes, 12) as usize {
            return Err("the manifest has another length than it says");
        }
        let mut root = [0; 32];
        root.copy_from_slice(&bytes[56..88]);
        Ok(Self {
            checkpoint: u64_at(bytes, 16),
            checkpoint_bytes: u64_at(bytes, 24),
            start: Position::from_bits(u64_at(bytes, 32)),
            end: Position::from_bits(u64_at(bytes, 40)),
            next_height: u64_at(bytes, 48),
            root,
            segments: (MANIFEST_FIXED..body)
                .step_by(4)
                .map(|at| u32_at(bytes, at))
                .collect(),
        })
    }

    /// Replaces the manifest durably.
    pub(super) fn store(&self, dir: &Path) -> Result<(), StateError> {
        files::replace(dir, files::MANIFEST, &self.encode())
    }

    pub(super) fn load(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(files::MANIFEST);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StateError::NoManifest {
                    dir: dir.to_path_buf(),
                });
            }
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        Self::decode(&bytes).map_err(|reason| corrupt(&path, 0, reason))
    }
}

/// Writes a checkpoint file, one shard after the other.
pub(super) struct CheckpointWriter {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    next_shard: u32,
}

impl CheckpointWriter {
    pub(super) fn create(dir: &Path, number: u64) -> Result<Self, StateError> {
        let path = dir.join(files::checkpoint_name(number));
        let file = BufWriter::with_capacity(1 << 20, files::create(&path)?);
        let mut writer = Self {
            path,
            file,
            bytes: 0,
            next_shard: 0,
        };
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(CHECKPOINT_MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[16..24].copy_from_slice(&number.to_le_bytes());
        seal(&mut header);
        writer.append(&header)?;
        Ok(writer)
    }

    /// Appends the next shard's leaves, encoded by [`encode_leaf`], as of `position`.
    pub(super) fn shard(&mut self, leaves: &[u8], position: Position) -> Result<(), StateError> {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&self.next_shard.to_le_bytes());
        header[4..8].copy_from_slice(&((leaves.len() / LEAF) as u32).to_le_bytes());
        header[8..16].copy_from_slice(&position.to_bits().to_le_bytes());
        header[16..20].copy_from_slice(&crc32fast::hash(leaves).to_le_bytes());
        seal(&mut header);
        self.next_shard += 1;
        self.append(&header)?;
        self.append(leaves)
    }

    /// Fsyncs the file and returns its length.
    pub(super) fn finish(mut self) -> Result<u64, StateError> {
        assert_eq!(
            self.next_shard as usize, SHARDS,
            "a checkpoint holds every shard"
        );
        self.file.flush().map_err(io_error("write", &self.path))?;
        files::sync(self.file.get_ref(), &self.path)?;
        Ok(self.bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        self.bytes += bytes.len() as u64;
        self.file
            .write_all(bytes)
            .map_err(io_error("write", &self.path))
    }
}

/// Appends a leaf: path, leaf hash, location.
pub(super) fn encode_leaf(leaf: &LeafView, out: &mut Vec<u8>) {
    out.extend_from_slice(&leaf.path);
    out.extend_from_slice(&leaf.leaf_hash);
    out.extend_from_slice(&leaf.location.to_bits().to_le_bytes());
}

/// A shard as a checkpoint holds it.
pub(super) struct LoadedShard {
    pub(super) shard: Shard,
    /// Frames before this position are contained.
    pub(super) position: Position,
    /// Log bytes of its leaves' records, by segment.
    pub(super) live: BTreeMap<u32, u64>,
}

/// A checkpoint file, opened for loading.
pub(super) struct CheckpointReader {
    path: PathBuf,
    file: File,
    sections: Vec<Section>,
}

struct Section {
    offset: u64,
    count: u32,
    position: Position,
    crc: u32,
}

impl CheckpointReader {
    pub(super) fn open(dir: &Path, number: u64, bytes: u64) -> Result<Self, StateError> {
        let path = dir.join(files::checkpoint_name(number));
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(corrupt(
                    &path,
                    0,
                    "the checkpoint that the manifest names is missing",
                ));
            }
            other => other.map_err(io_error("open", &path))?,
        };
        let found = files::length(&file, &path)?;
        if found != bytes {
            let reason = "the checkpoint has another length than the manifest says";
            return Err(corrupt(&path, found.min(bytes), reason));
        }
        let mut reader = Self {
            path,
            file,
            sections: Vec::with_capacity(SHARDS),
        };
        let header = reader.header(0)?;
        if header[..8] != *CHECKPOINT_MAGIC
            || u32_at(&header, 8) != VERSION
            || u64_at(&header, 16) != number
        {
            return Err(corrupt(
                &reader.path,
                0,
                "this is not the checkpoint of that number",
            ));
        }
        let mut offset = HEADER as u64;
        for shard in 0..SHARDS as u32 {
            let header = reader.header(offset)?;
            if u32_at(&header, 0) != shard {
                return Err(corrupt(&reader.path, offset, "a shard is out of order"));
            }
            let count = u32_at(&header, 4);
            reader.sections.push(Section {
                offset: offset + HEADER as u64,
                count,
                position: Position::from_bits(u64_at(&header, 8)),
                crc: u32_at(&header, 16),
            });
            offset += HEADER as u64 + u64::from(count) * LEAF as u64;
        }
        if offset == bytes {
            Ok(reader)
        } else {
            Err(corrupt(
                &reader.path,
                offset.min(bytes),
                "the checkpoint has surplus bytes",
            ))
        }
    }

    /// Loads a shard. `segments` gives each segment's length, to check that every record lies within one.
    pub(super) fn shard(
        &self,
        index: usize,
        segments: &BTreeMap<u32, u64>,
    ) -> Result<LoadedShard, StateError> {
        let (items, live) = self.items(index, segments)?;
        let mut shard = Shard::new();
        shard.update(&items);
        Ok(LoadedShard {
            shard,
            position: self.position(index),
            live,
        })
    }

    /// Frames before this position are contained in the shard.
    pub(super) fn position(&self, index: usize) -> Position {
        self.sections[index].position
    }

    /// The leaves of a shard, and the log bytes of their records by segment.
    pub(super) fn items(
        &self,
        index: usize,
        segments: &BTreeMap<u32, u64>,
    ) -> Result<(Vec<Item>, BTreeMap<u32, u64>), StateError> {
        let section = &self.sections[index];
        let mut bytes = vec![0; section.count as usize * LEAF];
        let fault = |at: usize, reason| corrupt(&self.path, section.offset + at as u64, reason);
        let read = files::read_at(&self.file, &self.path, &mut bytes, section.offset)?;
        if read < bytes.len() || crc32fast::hash(&bytes) != section.crc {
            return Err(fault(0, "the checksum of a shard is wrong"));
        }
        let mut items: Vec<Item> = Vec::with_capacity(section.count as usize);
        let mut live: BTreeMap<u32, u64> = BTreeMap::new();
        for (number, leaf) in bytes.chunks_exact(LEAF).enumerate() {
            let mut item = Item {
                path: [0; 32],
                leaf_hash: [0; 32],
                location: Location::from_bits(u64_at(leaf, 64)),
            };
            item.path.copy_from_slice(&leaf[..32]);
            item.leaf_hash.copy_from_slice(&leaf[32..64]);
            let ascends = items.last().is_none_or(|last| last.path < item.path);
            if usize::from(item.path[0]) != index || !ascends {
                return Err(fault(number * LEAF, "a path is out of order"));
            }
            let segment = item.location.segment();
            if segments
                .get(&segment)
                .is_none_or(|&end| u64::from(item.location.offset()) >= end)
            {
                return Err(fault(
                    number * LEAF,
                    "a leaf points outside of the value log",
                ));
            }
            *live.entry(segment).or_default() += item.location.length() as u64;
            items.push(item);
        }
        Ok((items, live))
    }

    fn header(&self, offset: u64) -> Result<[u8; HEADER], StateError> {
        let mut header = [0; HEADER];
        let read = files::read_at(&self.file, &self.path, &mut header, offset)?;
        if read == HEADER && u32_at(&header, 28) == crc32fast::hash(&header[..28]) {
            Ok(header)
        } else {
            Err(corrupt(
                &self.path,
                offset,
                "the checksum of a header is wrong",
            ))
        }
    }
}

fn seal(header: &mut [u8; HEADER]) {
    let crc = crc32fast::hash(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
}
