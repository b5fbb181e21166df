//! Where a record stands in the value log, in 8 bytes.

/// A record's segment (20 bits), offset (32 bits) and length (12 bits).
///
/// Lengths below 2 KiB are exact; longer ones are rounded up to the next KiB, so that a read may fetch a few bytes too
/// many and the live bytes of a segment are counted a little high. The record itself holds its exact lengths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Location(u64);

/// The first segment number that a location cannot hold.
pub(super) const SEGMENTS_MAX: u32 = 1 << 20;

/// The longest record that a location can describe.
pub(super) const RECORD_BYTES_MAX: usize = EXACT + (EXACT - 2) * COARSE;

const EXACT: usize = 2048;
const COARSE: usize = 1024;

impl Location {
    /// No record: a deletion.
    pub(super) const NONE: Location = Location(u64::MAX);

    pub(super) fn new(segment: u32, offset: u32, length: usize) -> Self {
        assert!(
            segment < SEGMENTS_MAX,
            "the writer refuses to open more segments"
        );
        assert!(
            length <= RECORD_BYTES_MAX,
            "the writer refuses longer records"
        );
        let code = if length < EXACT {
            length
        } else {
            EXACT + (length - EXACT).div_ceil(COARSE)
        };
        Self(u64::from(segment) << 44 | u64::from(offset) << 12 | code as u64)
    }

    pub(super) fn segment(self) -> u32 {
        (self.0 >> 44) as u32
    }

    pub(super) fn offset(self) -> u32 {
        (self.0 >> 12) as u32
    }

    /// The record's length, or for 2 KiB and more up to 1,023 bytes above it.
    pub(super) fn length(self) -> usize {
        let code = (self.0 & 0xfff) as usize;
        if code < EXACT {
            code
        } else {
            EXACT + (code - EXACT) * COARSE
        }
    }

    pub(super) fn to_bits(self) -> u64 {
        self.0
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// A position in the value log: the order in which its frames were written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Position {
    pub(super) segment: u32,
    pub(super) offset: u32,
}

impl Position {
    pub(super) fn to_bits(self) -> u64 {
        u64::from(self.segment) << 32 | u64::from(self.offset)
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self {
            segment: (bits >> 32) as u32,
            offset: bits as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_exact_when_short_and_never_below_when_long() {
        for length in (0..4100).chain([100_000, 1_114_406, RECORD_BYTES_MAX]) {
            let location = Location::new(SEGMENTS_MAX - 1, u32::MAX, length);
            assert_eq!(
                (location.segment(), location.offset()),
                (SEGMENTS_MAX - 1, u32::MAX)
            );
            if length < EXACT {
                assert_eq!(location.length(), length);
            } else {
                assert!((length..length + COARSE).contains(&location.length()));
            }
        }
        assert_ne!(
            Location::new(SEGMENTS_MAX - 1, u32::MAX, RECORD_BYTES_MAX),
            Location::NONE
        );
    }
}
