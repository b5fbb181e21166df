//! Cosignatures, and how many of them a verifier asks for.

use crate::merkle::checkpoint::{
    KEY_TYPE_COSIGNATURE, NoteError, NoteSignature, VerifierKey, cosignature_message,
};
use crate::suite::{PublicKey, SigningKey, Suite};

/// The most witnesses in one policy, as many as a receipt has lines for.
pub const WITNESS_KEYS_MAX: usize = 64;

/// Why a witness's key or a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The text is no verifier key.
    #[error("{text:?} is no witness key")]
    Key {
        /// The text given.
        text: String,
        /// What is wrong with it.
        #[source]
        source: NoteError,
    },
    /// The key signs something else than cosignatures.
    #[error(
        "the key of {name:?} is of type {found:#04x}; a witness has one of type 0x04 (Ed25519 cosignatures)"
    )]
    KeyType {
        /// The witness.
        name: String,
        /// The type found.
        found: u8,
    },
    /// The 32 bytes are no point of the curve, or one for which anybody can sign.
    #[error("the key of {name:?} is no usable Ed25519 key")]
    KeyPoint {
        /// The witness.
        name: String,
    },
    /// Two witnesses of the policy have one key.
    #[error("{first:?} and {second:?} have the same key; a witness counts once")]
    KeyTwice {
        /// The first witness.
        first: String,
        /// The second.
        second: String,
    },
    /// A policy has no witness, or too many.
    #[error("a policy names 1 to {WITNESS_KEYS_MAX} witnesses, not {found}")]
    Count {
        /// How many were given.
        found: usize,
    },
    /// More witnesses are asked for than there are, or none.
    #[error("{min} of {of} witnesses is no policy: ask for 1 to {of}")]
    Min {
        /// How many must have cosigned.
        min: usize,
        /// How many there are.
        of: usize,
    },
}

/// The key of one witness: a C2SP verifier key `name+id+base64` of type 0x04.
#[derive(Debug, Clone)]
pub struct WitnessKey {
    verifier: VerifierKey,
    key: PublicKey,
}

impl WitnessKey {
    /// Reads a verifier key.
    ///
    /// # Errors
    /// [`PolicyError::Key`], [`PolicyError::KeyType`] or [`PolicyError::KeyPoint`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let verifier = VerifierKey::parse(text).map_err(|source| PolicyError::Key {
            text: text.chars().take(200).collect(),
            source,
        })?;
        if verifier.key_type != KEY_TYPE_COSIGNATURE {
            return Err(PolicyError::KeyType {
                name: verifier.name,
                found: verifier.key_type,
            });
        }
        match ed25519_key(&verifier.public_key) {
            Some(key) => Ok(Self { verifier, key }),
            None => Err(PolicyError::KeyPoint {
                name: verifier.name,
            }),
        }
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.verifier.name
    }

    /// The text form.
    pub fn format(&self) -> String {
        self.verifier.format()
    }

    /// The time, in seconds since the Unix epoch, at which this witness cosigned the checkpoint; `None` when the line is
    /// another key's, of another type, or does not verify.
    pub fn check(&self, checkpoint: &str, line: &NoteSignature) -> Option<u64> {
        if line.name != self.verifier.name || line.key_id != self.verifier.key_id() {
            return None;
        }
        let (time, signature) = line.cosignature()?;
        // C2SP: the time is never left out and fits 63 bits.
        if time == 0 || time > i64::MAX as u64 {
            return None;
        }
        let message = cosignature_message(time, checkpoint).ok()?;
        self.key.verify(ALG_ED25519, &message, &signature).ok()?;
        Some(time)
    }
}

impl PartialEq for WitnessKey {
    fn eq(&self, other: &Self) -> bool {
        self.verifier == other.verifier
    }
}

impl Eq for WitnessKey {}

const ALG_ED25519: i64 = -19;

/// The Ed25519 key of these 32 bytes, unless anybody could sign for it.
pub(super) fn ed25519_key(bytes: &[u8]) -> Option<PublicKey> {
    // The COSE_Key of docs/format.md section 2: {1: 1, -1: 6, -2: x}.
    let mut cose = vec![0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20];
    cose.extend_from_slice(bytes);
    let key = PublicKey::from_cose_key(&cose).ok()?;
    (!key.is_small_order()).then_some(key)
}

/// The 32 bytes of an Ed25519 key.
pub(super) fn raw_ed25519(key: &PublicKey) -> Option<[u8; 32]> {
    if key.suite() != Suite::Ed25519 {
        return None;
    }
    key.to_cose_key().last_chunk().copied()
}

/// A witness of a policy that cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Its name.
    pub name: String,
    /// When it said so, in seconds since the Unix epoch; the latest time where it said so more than once.
    pub time: u64,
}

/// So many of these witnesses must have cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessPolicy {
    keys: Vec<WitnessKey>,
    min: usize,
}

impl WitnessPolicy {
    /// A policy "`min` of these".
    ///
    /// # Errors
    /// [`PolicyError::Count`], [`PolicyError::Min`] or [`PolicyError::KeyTwice`].
    pub fn new(keys: Vec<WitnessKey>, min: usize) -> Result<Self, PolicyError> {
        let found = keys.len();
        if !(1..=WITNESS_KEYS_MAX).contains(&found) {
            return Err(PolicyError::Count { found });
        }
        if !(1..=found).contains(&min) {
            return Err(PolicyError::Min { min, of: found });
        }
        for (at, key) in keys.iter().enumerate() {
            let same = |other: &&WitnessKey| other.verifier.public_key == key.verifier.public_key;
            if let Some(first) = keys[..at].iter().find(same) {
                return Err(PolicyError::KeyTwice {
                    first: first.name().to_owned(),
                    second: key.name().to_owned(),
                });
            }
        }
        Ok(Self { keys, min })
    }

    /// How many must have cosigned.
    pub fn min(&self) -> usize {
        self.min
    }

    /// The witnesses.
    pub fn keys(&self) -> &[WitnessKey] {
        &self.keys
    }

    /// Who of the policy cosigned the checkpoint, in the policy's order. Lines that are malformed, by others, of another
    /// type or wrong are passed over: they count for nothing and spoil nothing.
    pub fn cosigners<'a>(
        &self,
        checkpoint: &str,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Cosigned> {
        let lines: Vec<_> = lines
            .into_iter()
            .filter_map(|line| NoteSignature::parse(line).ok())
            .collect();
        let cosigned = |key: &WitnessKey| {
            let times = lines.iter().filter_map(|line| key.check(checkpoint, line));
            times.max().map(|time| Cosigned {
                name: key.name().to_owned(),
                time,
            })
        };
        self.keys.iter().filter_map(cosigned).collect()
    }
}

/// A witness's cosignature of a checkpoint at `time` seconds since the Unix epoch, as a signature line.
///
/// # Errors
/// [`NoteError`]: the text is none of a note, or the name none of a key.
///
/// # Panics
/// When the key is not of suite Ed25519.
pub fn cosign(
    name: &str,
    key: &SigningKey,
    checkpoint: &str,
    time: u64,
) -> Result<NoteSignature, NoteError> {
    let public_key = raw_ed25519(key.public()).expect("a witness's key is of suite Ed25519");
    let verifier = VerifierKey {
        name: name.to_owned(),
        key_type: KEY_TYPE_COSIGNATURE,
        public_key: public_key.to_vec(),
    };
    let mut signature = time.to_be_bytes().to_vec();
    signature.extend(key.sign(&cosignature_message(time, checkpoint)?));
    let line = NoteSignature {
        key_id: verifier.key_id(),
        name: verifier.name,
        signature,
    };
    line.line().map(|_| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "stele/log\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";

    fn witness(seed: u8) -> (SigningKey, WitnessKey) {
        let key = SigningKey::from_seed(Suite::Ed25519, &[seed; 32]).unwrap();
        let verifier = VerifierKey {
            name: format!("witness.example/{seed}"),
            key_type: KEY_TYPE_COSIGNATURE,
            public_key: raw_ed25519(key.public()).unwrap().to_vec(),
        };
        let parsed = WitnessKey::parse(&verifier.format()).unwrap();
        assert_eq!(parsed.format(), verifier.format());
        (key, parsed)
    }

    fn line(seed: u8, time: u64) -> String {
        let (key, witness) = witness(seed);
        let line = cosign(witness.name(), &key, TEXT, time).unwrap();
        line.line().unwrap()
    }

    #[test]
    fn each_witness_counts_once_and_with_its_latest_time() {
        let keys = vec![witness(1).1, witness(2).1, witness(3).1];
        let policy = WitnessPolicy::new(keys, 2).unwrap();
        let lines = [line(2, 50), line(1, 40), line(2, 60), line(9, 70)];
        let found = policy.cosigners(TEXT, lines.iter().map(String::as_str));
        let found: Vec<_> = found.iter().map(|by| (by.name.as_str(), by.time)).collect();
        assert_eq!(
            found,
            [("witness.example/1", 40), ("witness.example/2", 60)]
        );
    }

    #[test]
    fn another_text_another_time_and_damage_count_for_nothing() {
        let policy = WitnessPolicy::new(vec![witness(1).1], 1).unwrap();
        let good = line(1, 40);
        assert_eq!(policy.cosigners(TEXT, [good.as_str()]).len(), 1);
        let other = TEXT.replace("\n3\n", "\n4\n");
        assert_eq!(policy.cosigners(&other, [good.as_str()]), []);
        for bad in [
            String::new(),
            good[..good.len() - 4].to_owned(),
            format!("{good}\n"),
            good.replacen('—', "-", 1),
            good.replacen("/1", "/2", 1),
            line(1, 0),
            line(1, 1 << 63),
        ] {
            assert_eq!(policy.cosigners(TEXT, [bad.as_str()]), [], "{bad}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let (one, two) = (witness(1).1, witness(2).1);
        let new = WitnessPolicy::new;
        assert!(matches!(
            new(vec![], 1),
            Err(PolicyError::Count { found: 0 })
        ));
        assert!(matches!(
            new(vec![one.clone()], 2),
            Err(PolicyError::Min { min: 2, of: 1 })
        ));
        assert!(matches!(
            new(vec![one.clone(), two], 0),
            Err(PolicyError::Min { min: 0, of: 2 })
        ));
        // The same key under another name is the same witness.
        let again = VerifierKey {
            name: "elsewhere.example".into(),
            ..one.verifier.clone()
        };
        let again = WitnessKey::parse(&again.format()).unwrap();
        assert!(matches!(
            new(vec![one, again], 1),
            Err(PolicyError::KeyTwice { .. })
        ));
    }

    #[test]
    fn what_is_no_witness_key_is_refused() {
        let of = |key_type, public_key: [u8; 32]| {
            let key = VerifierKey {
                name: "w".into(),
                key_type,
                public_key: public_key.to_vec(),
            };
            WitnessKey::parse(&key.format())
        };
        let good = raw_ed25519(witness(1).0.public()).unwrap();
        assert!(of(4, good).is_ok());
        assert!(matches!(
            of(1, good),
            Err(PolicyError::KeyType { found: 1, .. })
        ));
        // The identity has order 1; the second is no point at all.
        let identity = [[1].as_slice(), &[0; 31]].concat().try_into().unwrap();
        let no_point = [[2].as_slice(), &[0; 31]].concat().try_into().unwrap();
        for bytes in [identity, no_point] {
            assert!(matches!(of(4, bytes), Err(PolicyError::KeyPoint { .. })));
        }
        assert!(matches!(
            WitnessKey::parse("w+00000000+BAAA"),
            Err(PolicyError::Key { .. })
        ));
    }
}
