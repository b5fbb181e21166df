//! What founders say to each other. Every message names the plan that its sender holds, so that different plans are noticed first.

use stele_core::cbor::{DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::genesis::VALIDATORS_MAX;

use crate::keys::PARTIAL_BYTES;

/// The longest message of the key ceremony within a word: a dealing or a log among a hundred founders.
const CEREMONY_BYTES_MAX: usize = 80 << 10;
/// The longest text of [`Word::Stopped`].
pub(super) const TEXT_BYTES_MAX: usize = 400;
/// The longest message on a link.
pub(super) const MESSAGE_MAX: usize = CEREMONY_BYTES_MAX + 64;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// The sender is there.
    Here,
    /// A message of the key ceremony.
    Ceremony(Vec<u8>),
    /// The sender's share is on its disk, and this is its partial signature over block 0.
    Signed([u8; PARTIAL_BYTES]),
    /// The sender's network is on its disk: the partial signatures of all founders by index, and whether everyone is so far.
    Founded {
        partials: Vec<[u8; PARTIAL_BYTES]>,
        by_all: bool,
    },
    /// The sender gives up, and says why.
    Stopped(String),
}

impl Word {
    /// The message under a plan.
    pub(super) fn encode(&self, plan: &[u8; 32]) -> Vec<u8> {
        let mut out = Encoder::new();
        let parts = match self {
            Self::Here => 2,
            Self::Founded { .. } => 4,
            _ => 3,
        };
        out.array(parts).bytes(plan);
        match self {
            Self::Here => out.uint(0),
            Self::Ceremony(message) => out.uint(1).bytes(message),
            Self::Signed(partial) => out.uint(2).bytes(partial),
            Self::Founded { partials, by_all } => {
                out.uint(3).array(partials.len());
                for partial in partials {
                    out.bytes(partial);
                }
                out.bool(*by_all)
            }
            Self::Stopped(text) => out.uint(4).text(text),
        };
        out.into_vec()
    }

    /// Reads a message: the sender's plan, and the word.
    pub(super) fn decode(bytes: &[u8]) -> Result<([u8; 32], Self), DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let parts = decoder.array(4)?;
        let plan = decoder.bytes32()?;
        let offset = decoder.position();
        let word = match (parts, decoder.uint()?) {
            (2, 0) => Self::Here,
            (3, 1) => Self::Ceremony(decoder.bytes(CEREMONY_BYTES_MAX)?.to_vec()),
            (3, 2) => Self::Signed(signature(&mut decoder)?),
            (4, 3) => {
                let count = decoder.array(VALIDATORS_MAX)?;
                let partials: Result<_, _> = (0..count).map(|_| signature(&mut decoder)).collect();
                Self::Founded {
                    partials: partials?,
                    by_all: decoder.bool()?,
                }
            }
            (3, 4) => Self::Stopped(decoder.text(TEXT_BYTES_MAX)?.to_owned()),
            _ => {
                let kind = ErrorKind::Expected("a word of a founding");
                return Err(DecodeError { offset, kind });
            }
        };
        decoder.finish()?;
        Ok((plan, word))
    }
}

fn signature(decoder: &mut Decoder<'_>) -> Result<[u8; PARTIAL_BYTES], DecodeError> {
    let offset = decoder.position();
    let bytes = decoder.bytes(PARTIAL_BYTES)?;
    bytes.try_into().map_err(|_| DecodeError {
        offset,
        kind: ErrorKind::Expected("a signature of 48 bytes"),
    })
}

#[cfg(test)]
mod tests {
    use rand_core::Rng as _;

    use super::*;
    use crate::random::SeededRandom;

    fn words() -> Vec<Word> {
        vec![
            Word::Here,
            Word::Ceremony(vec![7; 300]),
            Word::Signed([1; PARTIAL_BYTES]),
            Word::Founded {
                partials: vec![[2; PARTIAL_BYTES], [3; PARTIAL_BYTES]],
                by_all: true,
            },
            Word::Stopped("Fictional reasons".to_owned()),
        ]
    }

    #[test]
    fn words_come_back_and_nothing_shorter_or_longer_does() {
        for word in words() {
            let bytes = word.encode(&[9; 32]);
            assert_eq!(Word::decode(&bytes).unwrap(), ([9; 32], word));
            for cut in 0..bytes.len() {
                assert!(Word::decode(&bytes[..cut]).is_err());
            }
            assert!(Word::decode(&[bytes, vec![0]].concat()).is_err());
        }
    }

    #[test]
    fn what_is_too_long_or_of_no_kind_is_refused() {
        let long = Word::Ceremony(vec![0; CEREMONY_BYTES_MAX + 1]).encode(&[0; 32]);
        assert!(Word::decode(&long).is_err());
        let wordy = Word::Stopped("x".repeat(TEXT_BYTES_MAX + 1)).encode(&[0; 32]);
        assert!(Word::decode(&wordy).is_err());
        let many = Word::Founded {
            partials: vec![[0; PARTIAL_BYTES]; VALIDATORS_MAX + 1],
            by_all: false,
        };
        assert!(Word::decode(&many.encode(&[0; 32])).is_err());
        let mut kind = Word::Here.encode(&[0; 32]);
        *kind.last_mut().unwrap() = 5;
        assert!(Word::decode(&kind).is_err());
    }

    #[test]
    fn noise_is_refused_and_never_panics() {
        let mut random = SeededRandom::new(1);
        for _ in 0..20_000 {
            let mut noise = vec![0; (random.next_u32() % 200) as usize];
            random.fill_bytes(&mut noise);
            assert!(Word::decode(&noise).is_err());
            let mut word = words()[(random.next_u32() % 5) as usize].encode(&[3; 32]);
            let at = random.next_u32() as usize % word.len();
            word[at] = random.next_u32() as u8;
            // Whatever is read is written in one way only.
            if let Ok((plan, read)) = Word::decode(&word) {
                assert_eq!(read.encode(&plan), word);
            }
        }
    }
}
