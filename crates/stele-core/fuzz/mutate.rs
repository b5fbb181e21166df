//! Seeded mutations of known bytes, for the bounded runs of the fuzz bodies in ordinary tests.

/// Random numbers (SplitMix64).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Bytes that mean something in CBOR or are ends of number ranges.
const NOTABLE: [u8; 20] = [
    0x00, 0x01, 0x17, 0x18, 0x19, 0x1b, 0x20, 0x3b, 0x40, 0x58, 0x5f, 0x60, 0x80, 0x9f, 0xa0, 0xbf,
    0xd2, 0xf5, 0xf6, 0xff,
];

/// One to four changes of one of the seeds.
pub fn mutate(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[rng.below(seeds.len())].clone();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len());
        let end = (at + 1 + rng.below(40)).min(bytes.len());
        match rng.below(9) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << rng.below(8),
            2 if !bytes.is_empty() => bytes[at] = NOTABLE[rng.below(NOTABLE.len())],
            3 if !bytes.is_empty() => bytes[at] = bytes[at].wrapping_add(1),
            4 => bytes.insert(at, NOTABLE[rng.below(NOTABLE.len())]),
            5 if at < end => drop(bytes.drain(at..end)),
            6 if at < end => {
                let piece = bytes[at..end].to_vec();
                let to = rng.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            7 => bytes.truncate(at),
            _ => {
                let other = &seeds[rng.below(seeds.len())];
                let from = rng.below(other.len());
                let until = (from + rng.below(200)).min(other.len());
                let last = (at + rng.below(200)).min(bytes.len());
                bytes.splice(at..last, other[from..until].iter().copied());
            }
        }
    }
    bytes
}
