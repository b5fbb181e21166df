//! `index.dat`: where each final block stands. Derived from the segments, deleted and rebuilt at will.
//!
//! The first row is that of the first block held: block 0, or the one behind the log's base.
//!
//! A header of 24 bytes (magic `STELEIDX`, version u16, two zero bytes, CRC-32 of magic, version and id, the
//! salt of the first segment as the log's id), then 16 bytes for each block: offset in its segment (u32),
//! CRC-32 of height, offset and first index, log index of its first entry (u64). Big-endian.
//!
//! Rows are written after their blocks were synced and are never synced themselves: after a power cut any of
//! them may be missing, but one that is there with a right checksum proves that its block was durable.

use std::path::Path;

use super::file::LogFile;
use super::frame::{u32_at, u64_at};
use super::{LogError, io_error};

pub(super) const INDEX_FILE: &str = "index.dat";
const HEADER_BYTES: u64 = 24;
const ROW_BYTES: usize = 16;
const MAGIC: [u8; 8] = *b"STELEIDX";
const VERSION: u16 = 1;

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Offset of its frame in its segment.
    pub offset: u32,
    /// Log index of its first entry.
    pub first_index: u64,
}

#[derive(Debug)]
pub(super) struct Index {
    file: LogFile,
    /// Height of the first block listed.
    first: u64,
}

/// What an index file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loaded {
    /// One above the last of the rows that are, from the first on, right in themselves and acceptable to the caller.
    pub rows: u64,
    /// One above the last block that was durable once, judging by the last row with a right checksum.
    pub claimed: u64,
}

impl Index {
    /// Opens or creates the index of the log `id` whose first block has the height `first`, and checks each row, also by
    /// `accept(height, row)`.
    pub fn load(
        dir: &Path,
        id: u64,
        first: u64,
        mut accept: impl FnMut(u64, Row) -> bool,
    ) -> Result<(Self, Loaded), LogError> {
        let path = dir.join(INDEX_FILE);
        let file = LogFile::open_or_create(path.clone()).map_err(io_error("open", &path))?;
        let index = Self { file, first };
        let mut header = [0u8; HEADER_BYTES as usize];
        index
            .file
            .read_up_to_at(&mut header, 0)
            .map_err(io_error("read", &path))?;
        if header != encode_header(id) {
            index.file.set_len(0).map_err(io_error("truncate", &path))?;
            // Rows are worth nothing without it, but a full disk must not keep the log from opening.
            let _ = index.file.write_all_at(&encode_header(id), 0);
            let none = Loaded {
                rows: first,
                claimed: first,
            };
            return Ok((index, none));
        }
        let loaded = index.check_rows(&mut accept)?;
        Ok((index, loaded))
    }

    /// One above the last block that an index file lists, whichever log it belongs to.
    pub fn claimed_by_any(dir: &Path, first: u64) -> u64 {
        let Ok(file) = LogFile::open(dir.join(INDEX_FILE)) else {
            return first;
        };
        Self { file, first }
            .check_rows(&mut |_, _| true)
            .map_or(first, |loaded| loaded.claimed)
    }

    fn check_rows(&self, accept: &mut impl FnMut(u64, Row) -> bool) -> Result<Loaded, LogError> {
        let mut buffer = vec![0u8; 4096 * ROW_BYTES];
        let mut loaded = Loaded {
            rows: self.first,
            claimed: self.first,
        };
        let mut height = self.first;
        loop {
            let offset = self.offset(height);
            let filled = self
                .file
                .read_up_to_at(&mut buffer, offset)
                .map_err(io_error("read", self.file.path()))?;
            for bytes in buffer[..filled].chunks_exact(ROW_BYTES) {
                if let Some(row) = decode_row(bytes, height) {
                    loaded.claimed = height + 1;
                    if loaded.rows == height && accept(height, row) {
                        loaded.rows += 1;
                    }
                }
                height += 1;
            }
            if filled < buffer.len() {
                return Ok(loaded);
            }
        }
    }

    fn offset(&self, height: u64) -> u64 {
        HEADER_BYTES + (height - self.first) * ROW_BYTES as u64
    }

    /// Forgets all rows from this height on.
    pub fn cut(&self, height: u64) -> Result<(), LogError> {
        let len = self.offset(height);
        if self
            .file
            .len()
            .map_err(io_error("read", self.file.path()))?
            > len
        {
            self.file
                .set_len(len)
                .map_err(io_error("truncate", self.file.path()))?;
        }
        Ok(())
    }

    /// Writes the rows of blocks that are durable. Failing leaves the index behind, no more.
    pub fn write(&self, first_height: u64, rows: &[Row]) -> std::io::Result<()> {
        let mut bytes = Vec::with_capacity(rows.len() * ROW_BYTES);
        for (height, row) in (first_height..).zip(rows) {
            bytes.extend_from_slice(&row.offset.to_be_bytes());
            bytes.extend_from_slice(&crc(height, *row).to_be_bytes());
            bytes.extend_from_slice(&row.first_index.to_be_bytes());
        }
        self.file.write_all_at(&bytes, self.offset(first_height))
    }

    /// A row that was written.
    pub fn row(&self, height: u64) -> Result<Row, LogError> {
        let mut bytes = [0u8; ROW_BYTES];
        let offset = self.offset(height);
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(io_error("read", self.file.path()))?;
        decode_row(&bytes, height).ok_or_else(|| LogError::Damaged {
            file: self.file.path().to_owned(),
            offset,
            height: stele_core::id::Height::new(height),
            reason: "the checksum of the index row is wrong; the next start rebuilds it".to_owned(),
        })
    }
}

fn decode_row(bytes: &[u8], height: u64) -> Option<Row> {
    let row = Row {
        offset: u32_at(bytes, 0),
        first_index: u64_at(bytes, 8),
    };
    (u32_at(bytes, 4) == crc(height, row)).then_some(row)
}

fn crc(height: u64, row: Row) -> u32 {
    let mut bytes = [0u8; 20];
    bytes[..8].copy_from_slice(&height.to_be_bytes());
    bytes[8..12].copy_from_slice(&row.offset.to_be_bytes());
    bytes[12..].copy_from_slice(&row.first_index.to_be_bytes());
    crc32fast::hash(&bytes)
}

fn encode_header(id: u64) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0u8; HEADER_BYTES as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_be_bytes());
    header[16..].copy_from_slice(&id.to_be_bytes());
    let crc = crc32fast::hash(&header);
    header[12..16].copy_from_slice(&crc.to_be_bytes());
    header
}
