//! A string of small numbers.

use super::rules::*;
use crate::refusal::Refusal;

/// How many bits an entry has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Valid or not.
    One,
    /// Four statuses.
    Two,
    /// 16 statuses.
    Four,
    /// 256 statuses.
    Eight,
}

impl Width {
    /// The width of so many bits.
    ///
    /// # Errors
    /// `status.bits` unless it is 1, 2, 4 or 8.
    pub fn from_bits(bits: u64) -> Result<Self, Refusal> {
        match bits {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            4 => Ok(Self::Four),
            8 => Ok(Self::Eight),
            other => Err(BITS.because(other)),
        }
    }

    /// The number of bits.
    pub const fn bits(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    const fn per_byte(self) -> u64 {
        8 / self.bits() as u64
    }

    const fn mask(self) -> u8 {
        0xff >> (8 - self.bits())
    }

    /// The byte of an entry.
    pub(super) const fn byte_of(self, index: u64) -> u64 {
        index / self.per_byte()
    }

    const fn shift(self, index: u64, order: BitOrder) -> u8 {
        let place = (index % self.per_byte()) as u8 * self.bits();
        match order {
            BitOrder::LowFirst => place,
            BitOrder::HighFirst => 8 - self.bits() - place,
        }
    }

    /// The entry in its byte.
    pub(super) const fn entry(self, byte: u8, index: u64, order: BitOrder) -> u8 {
        (byte >> self.shift(index, order)) & self.mask()
    }
}

/// Where in a byte the first entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BitOrder {
    /// In the lowest bits: IETF Token Status List section 4.1.
    LowFirst,
    /// In the highest bits: W3C Bitstring Status List section 3.2, where index 0 is leftmost.
    HighFirst,
}

/// The entries of a list, as its publisher keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusBits {
    width: Width,
    order: BitOrder,
    bytes: Vec<u8>,
}

impl StatusBits {
    /// A list of at least so many entries, all valid (0). The last byte is filled up.
    pub fn new(width: Width, order: BitOrder, entries: usize) -> Self {
        let bytes = entries.div_ceil(width.per_byte() as usize);
        Self {
            width,
            order,
            bytes: vec![0; bytes],
        }
    }

    /// The list with these bytes.
    pub const fn from_bytes(width: Width, order: BitOrder, bytes: Vec<u8>) -> Self {
        Self {
            width,
            order,
            bytes,
        }
    }

    /// The width of an entry.
    pub const fn width(&self) -> Width {
        self.width
    }

    /// Where in a byte the first entry stands.
    pub const fn order(&self) -> BitOrder {
        self.order
    }

    /// The bytes, as they are compressed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of entries.
    pub const fn entries(&self) -> u64 {
        self.bytes.len() as u64 * self.width.per_byte()
    }

    /// The entry at `index`.
    ///
    /// # Errors
    /// `status.index-out-of-range`.
    pub fn get(&self, index: u64) -> Result<u8, Refusal> {
        let byte = usize::try_from(self.width.byte_of(index))
            .ok()
            .and_then(|at| self.bytes.get(at));
        let byte = byte.ok_or_else(|| INDEX.because(index))?;
        Ok(self.width.entry(*byte, index, self.order))
    }

    /// Sets the entry at `index`.
    ///
    /// # Errors
    /// `status.index-out-of-range`; `status.bits` if the value does not fit.
    pub fn set(&mut self, index: u64, value: u8) -> Result<(), Refusal> {
        if value & !self.width.mask() != 0 {
            return Err(BITS.because(format_args!("{value} in {} bits", self.width.bits())));
        }
        let shift = self.width.shift(index, self.order);
        let at = usize::try_from(self.width.byte_of(index)).ok();
        let byte = at
            .and_then(|at| self.bytes.get_mut(at))
            .ok_or_else(|| INDEX.because(index))?;
        *byte = (*byte & !(self.width.mask() << shift)) | (value << shift);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDTHS: [Width; 4] = [Width::One, Width::Two, Width::Four, Width::Eight];

    #[test]
    fn refuses_other_widths() {
        for bits in [0, 3, 5, 16, u64::MAX] {
            assert_eq!(Width::from_bits(bits).unwrap_err().rule(), BITS);
        }
        let mut list = StatusBits::new(Width::Two, BitOrder::LowFirst, 4);
        assert_eq!(list.set(0, 4).unwrap_err().rule(), BITS);
    }

    #[test]
    fn refuses_a_place_beyond_the_list() {
        let mut list = StatusBits::new(Width::Four, BitOrder::LowFirst, 3);
        assert_eq!(list.entries(), 4);
        assert!(list.set(3, 15).is_ok());
        for index in [4, u64::MAX] {
            assert_eq!(list.get(index).unwrap_err().rule(), INDEX);
            assert_eq!(list.set(index, 0).unwrap_err().rule(), INDEX);
        }
    }

    proptest! {
        #[test]
        fn keeps_what_was_set(width in 0usize..4, high in any::<bool>(), sets in proptest::collection::vec((0u64..100, any::<u8>()), 0..200)) {
            let width = WIDTHS[width];
            let order = if high { BitOrder::HighFirst } else { BitOrder::LowFirst };
            let mut list = StatusBits::new(width, order, 100);
            let mut model = [0; 100];
            for (index, value) in sets {
                let value = value & width.mask();
                list.set(index, value).unwrap();
                model[index as usize] = value;
            }
            for (index, value) in model.iter().enumerate() {
                prop_assert_eq!(list.get(index as u64).unwrap(), *value);
            }
        }
    }
}
