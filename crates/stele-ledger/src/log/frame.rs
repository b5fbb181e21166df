//! The encoding of one block in a segment.
//!
//! All numbers are big-endian. A frame is a head of 64 bytes and a body:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | magic `STBK` |
//! | 4..6 | format version, 1 |
//! | 6..8 | zero |
//! | 8..16 | height |
//! | 16..24 | log index of the first entry |
//! | 24..32 | blocks known to be durable when this frame was written |
//! | 32..36 | length of the block header |
//! | 36..40 | number of entries |
//! | 40..44 | length of the body |
//! | 44..48 | CRC-32 of block header and table |
//! | 48..60 | zero |
//! | 60..64 | CRC-32 of the segment's salt and bytes 0..60 |
//!
//! Body: the block header; a table with one row of 12 bytes for each entry (end of the item within the items,
//! length of its entry part, CRC-32 of the item); then the items, each an entry followed by its record.

use stele_core::id::{Height, LogIndex};

pub(super) const FRAME_HEAD_BYTES: usize = 64;
pub(super) const FRAME_MAGIC: [u8; 4] = *b"STBK";
const FRAME_VERSION: u16 = 1;
const ROW_BYTES: usize = 12;

/// How large a block may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// Largest body: block header, entries, records and 12 bytes for each entry.
    pub body_bytes_max: u32,
    /// Largest number of entries.
    pub entries_max: u32,
}

impl Default for FrameLimits {
    /// 512 MiB and 1,048,576 entries.
    fn default() -> Self {
        Self {
            body_bytes_max: 512 << 20,
            entries_max: 1 << 20,
        }
    }
}

/// Why bytes are not a block frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The bytes end before the frame does.
    #[error("the frame ends after {found} of {expected} bytes")]
    Incomplete {
        /// Bytes there are.
        found: u64,
        /// Bytes called for.
        expected: u64,
    },
    /// There is no frame here.
    #[error("no frame starts here")]
    Magic,
    /// The head is not what was written.
    #[error("the checksum of the frame head is wrong")]
    HeadChecksum,
    /// A frame of another format version, with a right checksum.
    #[error("the frame has format version {found}")]
    Version {
        /// Version found.
        found: u16,
    },
    /// A number is above its limit.
    #[error("{what} is {found}, at most {max} is allowed")]
    Limit {
        /// Which number.
        what: &'static str,
        /// The number found.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// The lengths within the frame contradict each other.
    #[error("the lengths in the frame contradict each other")]
    Lengths,
    /// The block header or the table is not what was written.
    #[error("the checksum of the block header is wrong")]
    HeaderChecksum,
    /// An entry or its record is not what was written.
    #[error("the checksum of entry {position} is wrong")]
    EntryChecksum {
        /// Place of the entry in its block.
        position: u32,
    },
}

/// The fixed part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub height: u64,
    pub first_index: u64,
    pub durable_blocks: u64,
    pub header_bytes: u32,
    pub entries: u32,
    pub body_bytes: u32,
    header_crc: u32,
}

impl FrameHead {
    pub fn decode(bytes: &[u8], salt: u64, limits: &FrameLimits) -> Result<Self, FrameError> {
        let Some(bytes) = bytes.first_chunk::<FRAME_HEAD_BYTES>() else {
            let expected = FRAME_HEAD_BYTES as u64;
            return Err(FrameError::Incomplete {
                found: bytes.len() as u64,
                expected,
            });
        };
        if bytes[..4] != FRAME_MAGIC {
            return Err(FrameError::Magic);
        }
        if crc_of_head(&bytes[..60], salt) != u32_at(bytes, 60) {
            return Err(FrameError::HeadChecksum);
        }
        let version = u16::from_be_bytes([bytes[4], bytes[5]]);
        if version != FRAME_VERSION {
            return Err(FrameError::Version { found: version });
        }
        let head = Self {
            height: u64_at(bytes, 8),
            first_index: u64_at(bytes, 16),
            durable_blocks: u64_at(bytes, 24),
            header_bytes: u32_at(bytes, 32),
            entries: u32_at(bytes, 36),
            body_bytes: u32_at(bytes, 40),
            header_crc: u32_at(bytes, 44),
        };
        check_limits(head.entries as usize, u64::from(head.body_bytes), limits)?;
        let fixed = u64::from(head.header_bytes) + u64::from(head.entries) * ROW_BYTES as u64;
        let unused_zero = bytes[6..8] == [0; 2] && bytes[48..60] == [0; 12];
        let next_index = head.first_index.checked_add(u64::from(head.entries));
        if fixed > u64::from(head.body_bytes) || !unused_zero || next_index.is_none() {
            return Err(FrameError::Lengths);
        }
        Ok(head)
    }

    /// Length of the whole frame.
    pub fn frame_bytes(&self) -> u64 {
        FRAME_HEAD_BYTES as u64 + u64::from(self.body_bytes)
    }

    /// Log index after the last entry.
    pub fn next_index(&self) -> u64 {
        self.first_index + u64::from(self.entries)
    }

    /// Start of the table within the body.
    fn table_start(&self) -> usize {
        self.header_bytes as usize
    }

    /// Start of the items within the body.
    fn items_start(&self) -> usize {
        self.table_start() + self.entries as usize * ROW_BYTES
    }

    /// Where in the frame the rows needed to find an entry stand: the row before it, if any, and its own.
    pub fn rows_range(&self, position: u32) -> (u64, usize) {
        let first = position.saturating_sub(1) as usize;
        let rows = position as usize + 1 - first;
        let start = FRAME_HEAD_BYTES + self.table_start() + first * ROW_BYTES;
        (start as u64, rows * ROW_BYTES)
    }

    /// Where in the frame an item stands, from the rows of [`Self::rows_range`].
    pub fn item(&self, position: u32, rows: &[u8]) -> Result<Item, FrameError> {
        let start = if position == 0 { 0 } else { u32_at(rows, 0) };
        let own = &rows[rows.len() - ROW_BYTES..];
        let (end, entry_bytes, crc) = (u32_at(own, 0), u32_at(own, 4), u32_at(own, 8));
        let items = self.body_bytes as usize - self.items_start();
        if start > end || end as usize > items || entry_bytes > end - start {
            return Err(FrameError::Lengths);
        }
        let offset = (FRAME_HEAD_BYTES + self.items_start()) as u64 + u64::from(start);
        Ok(Item {
            offset,
            bytes: end - start,
            entry_bytes,
            crc,
        })
    }

    pub fn check_header(&self, header_and_table: &[u8]) -> Result<(), FrameError> {
        if crc32fast::hash(header_and_table) == self.header_crc {
            Ok(())
        } else {
            Err(FrameError::HeaderChecksum)
        }
    }

    /// Length of block header and table, the part that one checksum covers.
    pub fn header_and_table_bytes(&self) -> usize {
        self.items_start()
    }
}

/// Place and checksum of an entry with its record.
pub(super) struct Item {
    /// From the start of the frame.
    pub offset: u64,
    pub bytes: u32,
    pub entry_bytes: u32,
    pub crc: u32,
}

/// One block as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockFrame {
    head: FrameHead,
    body: Vec<u8>,
}

impl BlockFrame {
    /// Checks the body against its head and every checksum.
    pub(super) fn decode_body(head: FrameHead, body: Vec<u8>) -> Result<Self, FrameError> {
        if body.len() != head.body_bytes as usize {
            let (found, expected) = (body.len() as u64, u64::from(head.body_bytes));
            return Err(FrameError::Incomplete { found, expected });
        }
        head.check_header(&body[..head.items_start()])?;
        let (table, items) =
            body[head.table_start()..].split_at(head.items_start() - head.table_start());
        let mut start = 0;
        for (position, row) in table.chunks_exact(ROW_BYTES).enumerate() {
            let (end, entry_bytes) = (u32_at(row, 0) as usize, u32_at(row, 4) as usize);
            let item = items.get(start..end).ok_or(FrameError::Lengths)?;
            if entry_bytes > item.len() {
                return Err(FrameError::Lengths);
            }
            if crc32fast::hash(item) != u32_at(row, 8) {
                return Err(FrameError::EntryChecksum {
                    position: position as u32,
                });
            }
            start = end;
        }
        if start != items.len() {
            return Err(FrameError::Lengths);
        }
        Ok(Self { head, body })
    }

    /// The bytes behind the head.
    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The block's height.
    pub fn height(&self) -> Height {
        Height::new(self.head.height)
    }

    /// Log index of the block's first entry (of the next block's, when it has none).
    pub fn first_index(&self) -> LogIndex {
        LogIndex::new(self.head.first_index)
    }

    /// The opaque block header.
    pub fn header(&self) -> &[u8] {
        &self.body[..self.head.table_start()]
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.head.entries as usize
    }

    /// Whether the block has no entries.
    pub fn is_empty(&self) -> bool {
        self.head.entries == 0
    }

    /// The entry at this place in the block, if there is one.
    pub fn entry(&self, position: usize) -> Option<&[u8]> {
        self.item(position).map(|(entry, _)| entry)
    }

    /// The record of the entry at this place, if there is one.
    pub fn record(&self, position: usize) -> Option<&[u8]> {
        self.item(position).map(|(_, record)| record)
    }

    /// Entries and their records in order.
    pub fn items(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        (0..self.len()).map(|position| {
            self.item(position)
                .expect("a position below the number of entries")
        })
    }

    fn item(&self, position: usize) -> Option<(&[u8], &[u8])> {
        if position >= self.len() {
            return None;
        }
        let row = |at: usize| &self.body[self.head.table_start() + at * ROW_BYTES..];
        let start = if position == 0 {
            0
        } else {
            u32_at(row(position - 1), 0) as usize
        };
        let (end, entry_bytes) = (u32_at(row(position), 0), u32_at(row(position), 4));
        let item = &self.body[self.head.items_start()..][start..end as usize];
        Some(item.split_at(entry_bytes as usize))
    }
}

/// What identifies a frame within its log.
#[derive(Clone, Copy, Debug)]
pub(super) struct FramePlace {
    pub height: u64,
    pub first_index: u64,
    pub durable_blocks: u64,
    pub salt: u64,
}

/// Replaces the buffer's content by the frame. The caller has checked that there is one record for each entry.
pub(super) fn encode<E: AsRef<[u8]>, R: AsRef<[u8]>>(
    buffer: &mut Vec<u8>,
    place: FramePlace,
    header: &[u8],
    entries: &[E],
    records: &[R],
    limits: &FrameLimits,
) -> Result<(), FrameError> {
    assert_eq!(entries.len(), records.len(), "one record for each entry");
    let entry_bytes: u64 = entries
        .iter()
        .map(|entry| entry.as_ref().len() as u64)
        .sum();
    let record_bytes: u64 = records
        .iter()
        .map(|record| record.as_ref().len() as u64)
        .sum();
    let table_bytes = entries.len() as u64 * ROW_BYTES as u64;
    let body_bytes = header.len() as u64 + table_bytes + entry_bytes + record_bytes;
    check_limits(entries.len(), body_bytes, limits)?;

    buffer.clear();
    buffer.reserve(FRAME_HEAD_BYTES + body_bytes as usize);
    buffer.resize(FRAME_HEAD_BYTES, 0);
    buffer.extend_from_slice(header);
    let table_start = buffer.len();
    buffer.resize(table_start + table_bytes as usize, 0);
    let items_start = buffer.len();
    for (position, (entry, record)) in entries.iter().zip(records).enumerate() {
        let start = buffer.len();
        buffer.extend_from_slice(entry.as_ref());
        buffer.extend_from_slice(record.as_ref());
        let crc = crc32fast::hash(&buffer[start..]);
        let end = (buffer.len() - items_start) as u32;
        let row = &mut buffer[table_start + position * ROW_BYTES..][..ROW_BYTES];
        row[..4].copy_from_slice(&end.to_be_bytes());
        row[4..8].copy_from_slice(&(entry.as_ref().len() as u32).to_be_bytes());
        row[8..].copy_from_slice(&crc.to_be_bytes());
    }

    let header_crc = crc32fast::hash(&buffer[FRAME_HEAD_BYTES..items_start]);
    let head = &mut buffer[..FRAME_HEAD_BYTES];
    head[..4].copy_from_slice(&FRAME_MAGIC);
    head[4..6].copy_from_slice(&FRAME_VERSION.to_be_bytes());
    head[8..16].copy_from_slice(&place.height.to_be_bytes());
    head[16..24].copy_from_slice(&place.first_index.to_be_bytes());
    head[24..32].copy_from_slice(&place.durable_blocks.to_be_bytes());
    head[32..36].copy_from_slice(&(header.len() as u32).to_be_bytes());
    head[36..40].copy_from_slice(&(entries.len() as u32).to_be_bytes());
    head[40..44].copy_from_slice(&(body_bytes as u32).to_be_bytes());
    head[44..48].copy_from_slice(&header_crc.to_be_bytes());
    let crc = crc_of_head(&head[..60], place.salt);
    head[60..].copy_from_slice(&crc.to_be_bytes());
    Ok(())
}

fn check_limits(entries: usize, body_bytes: u64, limits: &FrameLimits) -> Result<(), FrameError> {
    let (found, max) = (entries as u64, u64::from(limits.entries_max));
    if found > max {
        return Err(FrameError::Limit {
            what: "the number of entries",
            found,
            max,
        });
    }
    let max = u64::from(limits.body_bytes_max);
    if body_bytes > max {
        let what = "the length of the block";
        return Err(FrameError::Limit {
            what,
            found: body_bytes,
            max,
        });
    }
    Ok(())
}

/// The salt is random and never leaves the segment, so nobody can submit an entry whose bytes would be taken
/// for a frame when a torn tail is searched.
fn crc_of_head(head: &[u8], salt: u64) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&salt.to_be_bytes());
    crc.update(head);
    crc.finalize()
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: FramePlace = FramePlace {
        height: 7,
        first_index: 40,
        durable_blocks: 7,
        salt: 99,
    };

    fn decode(bytes: &[u8], limits: &FrameLimits) -> Result<BlockFrame, FrameError> {
        let head = FrameHead::decode(bytes, PLACE.salt, limits)?;
        BlockFrame::decode_body(head, bytes[FRAME_HEAD_BYTES..].to_vec())
    }

    fn example() -> Vec<u8> {
        let mut bytes = vec![];
        let (entries, records) = (["one", "", "three"], ["r1", "r2", ""]);
        encode(
            &mut bytes,
            PLACE,
            b"head",
            &entries,
            &records,
            &FrameLimits::default(),
        )
        .unwrap();
        bytes
    }

    #[test]
    fn round_trip() {
        let block = decode(&example(), &FrameLimits::default()).unwrap();
        assert_eq!(
            (block.height(), block.first_index()),
            (Height::new(7), LogIndex::new(40))
        );
        assert_eq!(
            (block.header(), block.len(), block.is_empty()),
            (&b"head"[..], 3, false)
        );
        let items: Vec<_> = block.items().collect();
        assert_eq!(
            items,
            [(&b"one"[..], &b"r1"[..]), (b"", b"r2"), (b"three", b"")]
        );
        assert_eq!(
            (block.entry(2), block.record(3)),
            (Some(&b"three"[..]), None)
        );
    }

    #[test]
    fn every_flip_and_every_truncation_is_refused() {
        let good = example();
        for at in 0..good.len() {
            assert!(
                decode(&good[..at], &FrameLimits::default()).is_err(),
                "cut at {at}"
            );
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(
                    decode(&bad, &FrameLimits::default()).is_err(),
                    "bit {bit} of byte {at}"
                );
            }
        }
        // Another segment's salt.
        let limits = FrameLimits::default();
        assert_eq!(
            FrameHead::decode(&good, 98, &limits),
            Err(FrameError::HeadChecksum)
        );
    }

    #[test]
    fn limits_hold_in_both_directions() {
        let limits = FrameLimits {
            body_bytes_max: 20,
            entries_max: 2,
        };
        assert!(matches!(
            decode(&example(), &limits),
            Err(FrameError::Limit { max: 2, .. })
        ));
        let mut bytes = vec![];
        let long = encode(&mut bytes, PLACE, &[0; 21], &[""; 0], &[""; 0], &limits);
        assert!(matches!(long, Err(FrameError::Limit { found: 21, .. })));
        let many = encode(&mut bytes, PLACE, b"", &[""; 3], &[""; 3], &limits);
        assert!(matches!(many, Err(FrameError::Limit { found: 3, .. })));
    }

    #[test]
    fn an_unknown_version_is_named() {
        let mut bytes = example();
        bytes[5] = 2;
        let crc = crc_of_head(&bytes[..60], PLACE.salt);
        bytes[60..64].copy_from_slice(&crc.to_be_bytes());
        let limits = FrameLimits::default();
        assert_eq!(
            decode(&bytes, &limits),
            Err(FrameError::Version { found: 2 })
        );
    }

    proptest! {
        #[test]
        fn any_block_round_trips(
            header in proptest::collection::vec(any::<u8>(), 0..50),
            items in proptest::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..20),
        ) {
            let (entries, records): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            let mut bytes = vec![];
            encode(&mut bytes, PLACE, &header, &entries, &records, &FrameLimits::default()).unwrap();
            let block = decode(&bytes, &FrameLimits::default()).unwrap();
            prop_assert_eq!(block.header(), &header[..]);
            for (position, item) in block.items().enumerate() {
                prop_assert_eq!(item, (&entries[position][..], &records[position][..]));
                let rows = block.head.rows_range(position as u32);
                let rows = &bytes[rows.0 as usize..][..rows.1];
                let item = block.head.item(position as u32, rows).unwrap();
                let whole = &bytes[item.offset as usize..][..item.bytes as usize];
                prop_assert_eq!(whole.split_at(item.entry_bytes as usize).0, &entries[position][..]);
                prop_assert_eq!(crc32fast::hash(whole), item.crc);
            }
        }

        /// Random bytes under right checksums: the decoder's own checks have to hold.
        #[test]
        fn no_bytes_make_the_decoder_panic(
            fields in proptest::array::uniform3(prop_oneof![0u32..40, any::<u32>()]),
            numbers in proptest::array::uniform3(any::<u64>()),
            body in proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..80),
            fix in any::<bool>(),
        ) {
            let mut bytes = example();
            bytes.truncate(FRAME_HEAD_BYTES);
            for (at, number) in [8, 16, 24].into_iter().zip(numbers) {
                bytes[at..at + 8].copy_from_slice(&number.to_be_bytes());
            }
            for (at, field) in [32, 36, 40].into_iter().zip(fields) {
                bytes[at..at + 4].copy_from_slice(&field.to_be_bytes());
            }
            if fix {
                bytes[40..44].copy_from_slice(&(body.len() as u32).to_be_bytes());
            }
            let covered = (fields[0] as usize).saturating_add(fields[1] as usize * ROW_BYTES);
            let crc = crc32fast::hash(&body[..covered.min(body.len())]);
            bytes[44..48].copy_from_slice(&crc.to_be_bytes());
            let crc = crc_of_head(&bytes[..60], PLACE.salt);
            bytes[60..64].copy_from_slice(&crc.to_be_bytes());
            bytes.extend_from_slice(&body);
            if let Ok(block) = decode(&bytes, &FrameLimits::default()) {
                prop_assert_eq!(block.items().count(), block.len());
            }
        }
    }
}
