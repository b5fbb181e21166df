//! Properties over every suite: batch equals single, keys round-trip, and garbage is refused quietly.

use std::convert::Infallible;
use std::sync::LazyLock;

use proptest::prelude::*;
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};
use stele_core::suite::{BatchItem, PublicKey, SigningKey, Suite, SuiteError, verify_batch};

/// SHA-256 in counter mode: randomness that a failing test repeats.
struct TestRng {
    seed: u8,
    counter: u64,
}

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.try_next_u64()? as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            self.counter += 1;
            let block =
                Sha256::new_with_prefix([self.seed]).chain_update(self.counter.to_le_bytes());
            chunk.copy_from_slice(&block.finalize()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

#[derive(Debug, Clone)]
struct Signed {
    key: PublicKey,
    alg: i64,
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// Good signatures: mostly Ed25519 by a few keys, and some of every suite.
static POOL: LazyLock<Vec<Signed>> = LazyLock::new(|| {
    let mut pool = Vec::new();
    let mut rng = TestRng {
        seed: 1,
        counter: 0,
    };
    for suite in Suite::ALL {
        let (keys, each) = if *suite == Suite::Ed25519 {
            (7, 5)
        } else {
            (2, 2)
        };
        for _ in 0..keys {
            let key = SigningKey::generate(*suite, &mut rng);
            for number in 0..each {
                let message = vec![number; usize::from(number) * 50];
                let signature = key.sign_with_rng(&message, &mut rng);
                let key = key.public().clone();
                pool.push(Signed {
                    key,
                    alg: suite.algorithm(),
                    message,
                    signature,
                });
            }
        }
    }
    pool
});

#[derive(Debug, Clone)]
enum Fault {
    None,
    FlipSignatureBit(prop::sample::Index, u8),
    AppendToMessage(u8),
    Cut(prop::sample::Index),
    Lengthen,
    Algorithm(i64),
    OtherKey(prop::sample::Index),
    OtherSignature(prop::sample::Index),
    SmallOrder(u8),
}

fn fault() -> impl Strategy<Value = Fault> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        12 => Just(Fault::None),
        2 => (index(), 0..8_u8).prop_map(|(at, bit)| Fault::FlipSignatureBit(at, bit)),
        1 => any::<u8>().prop_map(Fault::AppendToMessage),
        1 => index().prop_map(Fault::Cut),
        1 => Just(Fault::Lengthen),
        1 => prop::sample::select(vec![-8, -19, -7, -49, -65600, -65601, 0, i64::MIN]).prop_map(Fault::Algorithm),
        1 => index().prop_map(Fault::OtherKey),
        1 => index().prop_map(Fault::OtherSignature),
        1 => (0..2_u8).prop_map(Fault::SmallOrder),
    ]
}

fn apply(signed: &Signed, fault: &Fault) -> Signed {
    let mut signed = signed.clone();
    match fault {
        Fault::None => {}
        Fault::FlipSignatureBit(at, bit) => {
            let at = at.index(signed.signature.len());
            signed.signature[at] ^= 1 << bit;
        }
        Fault::AppendToMessage(byte) => signed.message.push(*byte),
        Fault::Cut(at) => signed.signature.truncate(at.index(signed.signature.len())),
        Fault::Lengthen => signed.signature.push(0),
        Fault::Algorithm(alg) => signed.alg = *alg,
        Fault::OtherKey(at) => signed.key = at.get(&POOL).key.clone(),
        Fault::OtherSignature(at) => signed.signature = at.get(&POOL).signature.clone(),
        Fault::SmallOrder(s) => {
            // The identity as key and R: good for s = 0 and any message, bad for s = 1.
            let mut cose_key = hex::decode("a301012006215820").unwrap();
            cose_key.extend_from_slice(&[1]);
            cose_key.extend_from_slice(&[0; 31]);
            signed.key = PublicKey::from_cose_key(&cose_key).unwrap();
            signed.alg = Suite::Ed25519.algorithm();
            signed.signature = vec![0; 64];
            (signed.signature[0], signed.signature[32]) = (1, *s);
        }
    }
    signed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn batch_equals_single(
        picks in prop::collection::vec((any::<prop::sample::Index>(), fault()), 0..80)
    ) {
        let set: Vec<_> = picks.iter().map(|(at, fault)| apply(at.get(&POOL), fault)).collect();
        let items: Vec<_> = set
            .iter()
            .map(|signed| BatchItem {
                key: &signed.key,
                alg: signed.alg,
                message: &signed.message,
                signature: &signed.signature,
            })
            .collect();
        let single: Vec<_> =
            items.iter().map(|item| item.key.verify(item.alg, item.message, item.signature)).collect();
        for ((_, fault), verdict) in picks.iter().zip(&single) {
            match fault {
                Fault::None | Fault::SmallOrder(0) => prop_assert_eq!(verdict, &Ok(())),
                Fault::AppendToMessage(_) | Fault::FlipSignatureBit(..) | Fault::SmallOrder(_) => {
                    let bad = matches!(verdict, Err(SuiteError::BadSignature { .. }));
                    prop_assert!(bad, "{:?}", verdict);
                }
                Fault::Cut(_) | Fault::Lengthen => {
                    let wrong_length = matches!(verdict, Err(SuiteError::SignatureLength { .. }));
                    prop_assert!(wrong_length, "{:?}", verdict);
                }
                Fault::Algorithm(_) | Fault::OtherKey(_) | Fault::OtherSignature(_) => {}
            }
        }
        prop_assert_eq!(verify_batch(&items), single);
    }

    #[test]
    fn an_altered_cose_key_is_refused_or_another_key(
        at in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), flip in 1..=255_u8
    ) {
        let key = &at.get(&POOL).key;
        let mut encoded = key.to_cose_key();
        prop_assert_eq!(&PublicKey::from_cose_key(&encoded), &Ok(key.clone()));
        let byte = byte.index(encoded.len());
        encoded[byte] ^= flip;
        if let Ok(other) = PublicKey::from_cose_key(&encoded) {
            prop_assert_eq!(other.to_cose_key(), encoded.clone());
            prop_assert_ne!(other.kid(), key.kid());
        }
        let cut = PublicKey::from_cose_key(&encoded[..byte]);
        prop_assert_eq!(cut, Err(SuiteError::UnknownKey));
        encoded.push(flip);
        prop_assert_eq!(PublicKey::from_cose_key(&encoded), Err(SuiteError::UnknownKey));
    }

    #[test]
    fn garbage_is_refused(
        garbage in prop::collection::vec(any::<u8>(), 0..4000), alg in any::<i64>(), at in any::<prop::sample::Index>()
    ) {
        prop_assert_eq!(PublicKey::from_cose_key(&garbage), Err(SuiteError::UnknownKey));
        let key = &at.get(&POOL).key;
        prop_assert!(key.verify(alg, &garbage, &garbage).is_err());
        prop_assert!(key.verify(key.suite().algorithm(), b"", &garbage).is_err());
        // Garbage of the right length goes past the length check.
        let mut sized = garbage.clone();
        sized.resize(key.suite().signature_len(), 0x2a);
        prop_assert!(key.verify(key.suite().algorithm(), b"", &sized).is_err());
    }

    #[test]
    fn seeds_of_any_length_do_not_panic(seed in prop::collection::vec(any::<u8>(), 0..100)) {
        for suite in Suite::ALL {
            match SigningKey::from_seed(*suite, &seed) {
                Ok(key) => prop_assert_eq!(&key.to_secret_bytes()[..], &seed[..]),
                Err(error) => {
                    let expected = if seed.len() == suite.secret_len() {
                        SuiteError::InvalidSecret { suite: *suite }
                    } else {
                        let (expected, found) = (suite.secret_len(), seed.len());
                        SuiteError::SecretLength { suite: *suite, expected, found }
                    };
                    prop_assert_eq!(error, expected);
                }
            }
        }
    }
}

#[test]
fn the_other_encodings_of_a_cose_key_are_refused() {
    let key = SigningKey::from_seed(Suite::Ed25519, &[1; 32]).unwrap();
    let good = key.public().to_cose_key();
    let x = hex::encode(&good[8..]);
    let others = [
        format!("a301012006215900 20{x}"),  // a longer length head
        format!("a3180101200621 5820{x}"),  // a longer integer head
        format!("a320060101215820{x}"),     // other order of the members
        format!("bf0101200621 5820{x}ff"),  // indefinite length
        format!("a4010103322006215820{x}"), // with alg, which no thumbprint covers
        format!("a301012005215820{x}"),     // another curve
        format!("d83da301012006215820{x}"), // tagged
    ];
    for other in others {
        let encoded = hex::decode(other.replace(' ', "")).unwrap();
        assert_eq!(
            PublicKey::from_cose_key(&encoded),
            Err(SuiteError::UnknownKey),
            "{other}"
        );
    }
}

#[test]
fn secrets_round_trip_and_are_not_printed() {
    let mut rng = TestRng {
        seed: 2,
        counter: 0,
    };
    for suite in Suite::ALL {
        let key = SigningKey::generate(*suite, &mut rng);
        let secret = key.to_secret_bytes();
        assert_eq!(secret.len(), suite.secret_len());
        let again = SigningKey::from_secret_bytes(*suite, &secret).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(again.sign(b"m"), key.sign(b"m"));
        assert_eq!(format!("{key:?}"), format!("SigningKey({suite}, redacted)"));
        assert_ne!(
            SigningKey::generate(*suite, &mut rng).public(),
            key.public()
        );
    }
}

#[test]
fn hedged_signatures_differ_and_verify() {
    let mut rng = TestRng {
        seed: 3,
        counter: 0,
    };
    for suite in Suite::ALL {
        let key = SigningKey::generate(*suite, &mut rng);
        let signatures = [
            key.sign_with_rng(b"m", &mut rng),
            key.sign_with_rng(b"m", &mut rng),
            key.sign(b"m"),
        ];
        for signature in &signatures {
            assert_eq!(
                key.public().verify(suite.algorithm(), b"m", signature),
                Ok(())
            );
        }
        let all_differ = signatures[0] != signatures[1] && signatures[1] != signatures[2];
        let hedged = !matches!(suite, Suite::Ed25519 | Suite::Bls12381);
        assert_eq!(all_differ, hedged, "{suite}");
    }
}

#[test]
fn suites_are_told_apart_by_name_and_number() {
    for suite in Suite::ALL {
        assert_eq!(Suite::from_name(suite.name()), Some(*suite));
        for other in Suite::ALL {
            assert_eq!(suite.accepts(other.algorithm()), suite == other);
        }
    }
    assert_eq!(Suite::from_name("ed25519"), None);
}
