//! The bytes of the value log: segment headers, frames, and the records in them. Docs: design note 0003.
//!
//! All integers are little-endian. Decoding never panics: a fault is a sentence for [`super::StateError::Corrupt`].

use super::Change;

/// The length of a segment's header.
pub(super) const SEGMENT_HEADER: usize = 32;
/// The length of a frame's header.
pub(super) const FRAME_HEADER: usize = 64;
/// The length of a record without its register, key and value.
pub(super) const RECORD_HEADER: usize = 40;

const SEGMENT_MAGIC: &[u8; 8] = b"STELEVAL";
const FRAME_MAGIC: &[u8; 4] = b"SFRM";
const VERSION: u32 = 1;
const DELETED: u8 = 1;

/// What a frame is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FrameKind {
    /// The changes of one block.
    Block,
    /// Records moved by compaction: nothing but their locations changes.
    Moved,
}

/// The header of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FrameHeader {
    pub(super) kind: FrameKind,
    /// The block's height plus one; for moved records, that of the last block before.
    pub(super) next_height: u64,
    pub(super) body_length: u32,
    pub(super) count: u32,
    /// The state root before the frame.
    pub(super) root_before: [u8; 32],
    pub(super) body_crc: u32,
}

impl FrameHeader {
    pub(super) fn encode(&self) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        bytes[..4].copy_from_slice(FRAME_MAGIC);
        bytes[4] = match self.kind {
            FrameKind::Block => 1,
            FrameKind::Moved => 2,
        };
        bytes[8..16].copy_from_slice(&self.next_height.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.body_length.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.count.to_le_bytes());
        bytes[24..56].copy_from_slice(&self.root_before);
        bytes[56..60].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; FRAME_HEADER]) -> Result<Self, &'static str> {
        if bytes[..4] != *FRAME_MAGIC {
            return Err("no frame starts here");
        }
        if u32_at(bytes, 60) != crc32fast::hash(&bytes[..60]) {
            return Err("the checksum of a frame header is wrong");
        }
        let kind = match bytes[4..8] {
            [1, 0, 0, 0] => FrameKind::Block,
            [2, 0, 0, 0] => FrameKind::Moved,
            _ => return Err("a frame is of an unknown kind"),
        };
        let mut root_before = [0; 32];
        root_before.copy_from_slice(&bytes[24..56]);
        Ok(Self {
            kind,
            next_height: u64_at(bytes, 8),
            body_length: u32_at(bytes, 16),
            count: u32_at(bytes, 20),
            root_before,
            body_crc: u32_at(bytes, 56),
        })
    }
}

/// The header of the segment with the number `segment`.
pub(super) fn encode_segment_header(segment: u32) -> [u8; SEGMENT_HEADER] {
    let mut bytes = [0; SEGMENT_HEADER];
    bytes[..8].copy_from_slice(SEGMENT_MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&segment.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..28]);
    bytes[28..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Checks a segment's header.
pub(super) fn check_segment_header(
    bytes: &[u8; SEGMENT_HEADER],
    segment: u32,
) -> Result<(), &'static str> {
    if *bytes == encode_segment_header(segment) {
        Ok(())
    } else if bytes[..8] != *SEGMENT_MAGIC {
        Err("the segment's magic number is missing")
    } else if u32_at(bytes, 28) != crc32fast::hash(&bytes[..28]) {
        Err("the checksum of the segment header is wrong")
    } else if u32_at(bytes, 8) != VERSION {
        Err("the segment has another format version")
    } else {
        Err("the segment has another number than its name")
    }
}

/// A record inside a frame's body or a read buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record<'a> {
    pub(super) path: &'a [u8; 32],
    pub(super) register: &'a str,
    pub(super) key: &'a [u8],
    /// `None` deletes.
    pub(super) value: Option<&'a [u8]>,
    /// The length of the whole record.
    pub(super) length: usize,
}

impl<'a> Record<'a> {
    /// Decodes the record at the start of `bytes`, which may go on after it.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let Some((header, rest)) = bytes.split_first_chunk::<RECORD_HEADER>() else {
            return Err("a record header is cut short");
        };
        let register_length = usize::from(header[1]);
        let key_length = usize::from(u16::from_le_bytes([header[2], header[3]]));
        let value_length = u32_at(header, 4) as usize;
        let length = RECORD_HEADER + register_length + key_length + value_length;
        if bytes.len() < length {
            return Err("a record is cut short");
        }
        let (register, rest) = rest.split_at(register_length);
        let Ok(register) = std::str::from_utf8(register) else {
            return Err("a record's register is not UTF-8");
        };
        let (key, rest) = rest.split_at(key_length);
        let value = match header[0] {
            0 => Some(&rest[..value_length]),
            DELETED if value_length == 0 => None,
            _ => return Err("a record has unknown flags"),
        };
        let path = bytes[8..]
            .first_chunk::<32>()
            .expect("the header holds 32 bytes of path");
        Ok(Self {
            path,
            register,
            key,
            value,
            length,
        })
    }
}

/// The length of a change's record.
pub(super) fn record_length(change: &Change<'_>) -> usize {
    RECORD_HEADER + change.register.len() + change.key.len() + change.value.map_or(0, <[u8]>::len)
}

/// Appends a change's record. The caller has checked the lengths.
pub(super) fn encode_record(change: &Change<'_>, out: &mut Vec<u8>) {
    let value = change.value.unwrap_or_default();
    let mut header = [0u8; RECORD_HEADER];
    header[0] = if change.value.is_none() { DELETED } else { 0 };
    header[1] = change.register.len() as u8;
    header[2..4].copy_from_slice(&(change.key.len() as u16).to_le_bytes());
    header[4..8].copy_from_slice(&(value.len() as u32).to_le_bytes());
    header[8..].copy_from_slice(&change.path);
    out.extend_from_slice(&header);
    out.extend_from_slice(change.register.as_bytes());
    out.extend_from_slice(change.key);
    out.extend_from_slice(value);
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("eight bytes"))
}
