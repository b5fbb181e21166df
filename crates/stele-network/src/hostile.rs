//! Bytes of a hostile peer, for the tests of every decoder that takes some.

/// How many variants of good messages a decoder meets.
const VARIANTS: u64 = 20_000;

/// The numbers of a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// One variant: bits flipped, pieces cut out, doubled, or taken from another message, and lengths that no message has.
fn variant(good: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = good[dice.below(good.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(6) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            2 => bytes.truncate(at),
            3 => {
                let other = &good[dice.below(good.len())];
                let from = dice.below(other.len());
                bytes.splice(at..at, other[from..].iter().copied());
            }
            4 => {
                // The heads of the longest byte string, text and array of CBOR, and the longest varint.
                let heads: [&[u8]; 4] = [
                    &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                    &[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                    &[0x9a, 0xff, 0xff, 0xff, 0xff],
                    &[0xff, 0xff, 0xff, 0xff, 0x0f],
                ];
                bytes.splice(at..at, heads[dice.below(4)].iter().copied());
            }
            _ => {
                let to = at + dice.below(bytes.len() - at);
                bytes.drain(at..to);
            }
        }
    }
    bytes
}

/// Gives `read` the good messages and many variants of them. It may refuse; it must neither panic nor set aside memory for lengths that a
/// message only claims, which would end the test.
pub(crate) fn assail(good: &[Vec<u8>], mut read: impl FnMut(&[u8])) {
    for message in good {
        read(message);
    }
    for seed in 1..=VARIANTS {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let bytes = variant(good, &mut dice);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&bytes)));
        assert!(
            outcome.is_ok(),
            "seed {seed} made the decoder panic: {}",
            hex::encode(&bytes)
        );
    }
}
