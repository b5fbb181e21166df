//! Ed25519: the vectors of RFC 8032, and the edge cases of ZIP-215, which single and batch
//! verification must judge alike and as another implementation (ed25519-zebra) does.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};
use stele_core::suite::{BatchItem, PublicKey, SigningKey, Suite, SuiteError, verify_batch};

const ALG: i64 = -19;
const BAD: Result<(), SuiteError> = Err(SuiteError::BadSignature {
    suite: Suite::Ed25519,
});

fn public_key(encoded: &[u8; 32]) -> Result<PublicKey, SuiteError> {
    let mut cose_key = hex::decode("a3010120062158 20".replace(' ', "")).unwrap();
    cose_key.extend_from_slice(encoded);
    PublicKey::from_cose_key(&cose_key)
}

/// One signature with the key and message it is for.
#[derive(Debug, Clone)]
struct Case {
    key: [u8; 32],
    message: Vec<u8>,
    signature: [u8; 64],
}

impl Case {
    fn new(key: [u8; 32], message: &[u8], r: [u8; 32], s: [u8; 32]) -> Self {
        let signature = [r, s].concat().try_into().unwrap();
        Self {
            key,
            message: message.to_vec(),
            signature,
        }
    }

    fn single(&self) -> Result<(), SuiteError> {
        public_key(&self.key)
            .unwrap()
            .verify(ALG, &self.message, &self.signature)
    }

    fn zebra(&self) -> bool {
        let key = ed25519_zebra::VerificationKey::try_from(self.key).unwrap();
        key.verify(&self.signature.into(), &self.message).is_ok()
    }
}

/// The batch verdicts of `cases`.
fn batch(cases: &[Case]) -> Vec<Result<(), SuiteError>> {
    let keys: Vec<_> = cases
        .iter()
        .map(|case| public_key(&case.key).unwrap())
        .collect();
    let items: Vec<_> = cases
        .iter()
        .zip(&keys)
        .map(|(case, key)| BatchItem {
            key,
            alg: ALG,
            message: &case.message,
            signature: &case.signature,
        })
        .collect();
    verify_batch(&items)
}

fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(key)
        .chain_update(message);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

fn good(number: u64) -> Case {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&(number % 40).to_le_bytes());
    let key = SigningKey::from_seed(Suite::Ed25519, &seed).unwrap();
    let message = number.to_le_bytes().repeat(number as usize % 5);
    let cose_key = key.public().to_cose_key();
    Case {
        key: cose_key[8..].try_into().unwrap(),
        signature: key.sign(&message).try_into().unwrap(),
        message,
    }
}

/// p + y in little endian for y below 19, which is below 2^255: the non-canonical field elements.
fn non_canonical_field_elements() -> Vec<[u8; 32]> {
    (0..19)
        .map(|y| {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (0xed + y, 0x7f);
            bytes
        })
        .collect()
}

/// Every encoding of every point whose order divides 8: 8 canonical and 6 others.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let mut candidates: Vec<_> = EIGHT_TORSION
        .iter()
        .map(|point| point.compress().to_bytes())
        .collect();
    candidates.extend(non_canonical_field_elements());
    let with_other_sign: Vec<_> = candidates
        .iter()
        .map(|bytes| {
            let mut bytes = *bytes;
            bytes[31] ^= 0x80;
            bytes
        })
        .collect();
    candidates.extend(with_other_sign);
    candidates.retain(|bytes| {
        CompressedEdwardsY(*bytes)
            .decompress()
            .is_some_and(|point| point.is_small_order())
    });
    candidates.sort();
    candidates.dedup();
    candidates
}

#[test]
fn rfc8032_section_7_1_vectors_sign_and_verify() {
    let abc = hex::encode(Sha512::digest(b"abc"));
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            &abc,
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ];
    for (seed, message, expected) in vectors {
        let key = SigningKey::from_seed(Suite::Ed25519, &hex::decode(seed).unwrap()).unwrap();
        let message = hex::decode(message).unwrap();
        let signature = key.sign(&message);
        assert_eq!(hex::encode(&signature), expected);
        // Both algorithm numbers of Ed25519 are good, and no other is.
        assert_eq!(key.public().verify(-19, &message, &signature), Ok(()));
        assert_eq!(key.public().verify(-8, &message, &signature), Ok(()));
        assert_eq!(
            key.public().verify(-7, &message, &signature),
            Err(SuiteError::AlgorithmMismatch {
                suite: Suite::Ed25519,
                alg: -7
            })
        );
        assert_eq!(
            key.public().verify(-20, &message, &signature),
            Err(SuiteError::UnknownAlgorithm { alg: -20 })
        );
    }
}

#[test]
fn zip215_accepts_all_196_small_order_cases_alone_and_in_batches() {
    let encodings = small_order_encodings();
    assert_eq!(encodings.len(), 14);
    let cases: Vec<_> = encodings
        .iter()
        .flat_map(|key| {
            encodings
                .iter()
                .map(|r| Case::new(*key, b"Zcash", *r, [0; 32]))
        })
        .collect();
    assert_eq!(cases.len(), 196);
    for case in &cases {
        assert_eq!(case.single(), Ok(()), "{case:02x?}");
        assert!(case.zebra(), "{case:02x?}");
        assert_eq!(batch(std::slice::from_ref(case)), [Ok(())]);
    }
    assert_eq!(batch(&cases), vec![Ok(()); 196]);

    // The same among good signatures, and with one bad one beside them.
    let mut mixed = cases;
    mixed.extend((0..60).map(good));
    assert_eq!(batch(&mixed), vec![Ok(()); 256]);
    mixed[100].signature[32] = 1; // s = 1 is right for no small-order R and A
    let verdicts = batch(&mixed);
    assert_eq!(verdicts[100], BAD);
    assert_eq!(
        verdicts.iter().filter(|verdict| verdict.is_ok()).count(),
        255
    );
}

#[test]
fn cofactored_equation_accepts_torsion_in_key_and_nonce() {
    let (secret, nonce) = (
        Scalar::from(0x1234_5678_9abc_u64),
        Scalar::from(0xfedc_ba98_u64),
    );
    let mut cases = Vec::new();
    let mut refused_without_cofactor = 0;
    for key_torsion in EIGHT_TORSION {
        for nonce_torsion in EIGHT_TORSION {
            let key_point = ED25519_BASEPOINT_POINT * secret + key_torsion;
            let key = key_point.compress().to_bytes();
            let r_point = ED25519_BASEPOINT_POINT * nonce + nonce_torsion;
            let r = r_point.compress().to_bytes();
            let k = challenge(&r, &key, b"torsion");
            let s = nonce + k * secret;
            let plain: EdwardsPoint = ED25519_BASEPOINT_POINT * s - key_point * k - r_point;
            refused_without_cofactor += usize::from(plain != EIGHT_TORSION[0]);
            cases.push(Case::new(key, b"torsion", r, s.to_bytes()));
        }
    }
    // The cases are worth something only if a verifier without the cofactor refuses most of them.
    assert!(refused_without_cofactor > 40, "{refused_without_cofactor}");
    assert!(
        cases
            .iter()
            .all(|case| case.single() == Ok(()) && case.zebra())
    );
    assert_eq!(batch(&cases), vec![Ok(()); 64]);
}

#[test]
fn refuses_s_at_or_above_the_group_order() {
    // L = 2^252 + 27742317777372353535851937790883648493
    let order: [u8; 32] =
        hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
            .unwrap()
            .try_into()
            .unwrap();
    let mut cases = Vec::new();
    for number in 0..20 {
        // s + L satisfies the equation as well as s does; only the range check refuses it.
        let mut case = good(number);
        let mut carry = 0;
        for (byte, add) in case.signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert_eq!(carry, 0);
        cases.push(case);
    }
    // R and A of small order would let any s that is a multiple of L through.
    let identity = EIGHT_TORSION[0].compress().to_bytes();
    cases.push(Case::new(identity, b"", identity, order));
    cases.push(Case::new(identity, b"", identity, [0xff; 32]));
    for case in &cases {
        assert_eq!(case.single(), BAD);
        assert!(!case.zebra());
    }
    assert_eq!(batch(&cases), vec![BAD; 22]);
}

#[test]
fn refuses_encodings_that_are_no_points() {
    let no_points: Vec<_> = (0..=255_u8)
        .map(|number| {
            [&[number], [0x31; 31].as_slice()]
                .concat()
                .try_into()
                .unwrap()
        })
        .chain(non_canonical_field_elements())
        .filter(|bytes| CompressedEdwardsY(*bytes).decompress().is_none())
        .collect();
    assert!(no_points.len() > 100);
    let mut cases = Vec::new();
    for bytes in no_points {
        assert_eq!(
            public_key(&bytes),
            Err(SuiteError::InvalidKey {
                suite: Suite::Ed25519
            })
        );
        let mut case = good(3);
        case.signature[..32].copy_from_slice(&bytes);
        assert_eq!(case.single(), BAD);
        cases.push(case);
    }
    assert!(batch(&cases).iter().all(|verdict| *verdict == BAD));
}

#[test]
fn batch_finds_every_culprit_at_every_place() {
    // Sizes around the limits of the halving, with one, some and only bad signatures.
    for size in [1, 2, 5, 6, 7, 11, 12, 13, 64, 100] {
        let cases: Vec<_> = (0..size).map(good).collect();
        assert!(batch(&cases).iter().all(Result::is_ok));
        for step in [1, 2, 3, 7, 50] {
            for offset in [0, size / 2, size - 1] {
                let mut cases = cases.clone();
                let bad = |at: u64| at >= offset && (at - offset).is_multiple_of(step);
                for at in (0..size).filter(|at| bad(*at)) {
                    cases[at as usize].message.push(at as u8);
                }
                let expected: Vec<_> = (0..size)
                    .map(|at| if bad(at) { BAD } else { Ok(()) })
                    .collect();
                assert_eq!(
                    batch(&cases),
                    expected,
                    "size {size} step {step} offset {offset}"
                );
            }
        }
    }
}

#[test]
fn errors_that_cancel_out_do_not_pass_the_batch() {
    // Two signatures by one key whose s are off by +1 and -1: their plain sum is right.
    let one = Scalar::ONE;
    let mut cases: Vec<_> = (0..16).map(good).collect();
    for (at, error) in [(4, one), (5, -one)] {
        let bytes: [u8; 32] = cases[at].signature[32..].try_into().unwrap();
        let s = Scalar::from_canonical_bytes(bytes).unwrap() + error;
        cases[at].signature[32..].copy_from_slice(s.as_bytes());
    }
    let verdicts = batch(&cases);
    for (at, verdict) in verdicts.iter().enumerate() {
        assert_eq!(verdict.is_ok(), at != 4 && at != 5, "item {at}");
    }
}
