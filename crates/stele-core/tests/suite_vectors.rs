//! ES256, ML-DSA-65, the hybrid, SM2 and key thumbprints against published or independent answers.

use serde_json::Value;
use sha2::{Digest, Sha256};
use stele_core::suite::{PublicKey, SigningKey, Suite, SuiteError};

const BAD_ES256: Result<(), SuiteError> = Err(SuiteError::BadSignature {
    suite: Suite::Es256,
});
const BAD_ML_DSA: Result<(), SuiteError> = Err(SuiteError::BadSignature {
    suite: Suite::MlDsa65,
});

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).unwrap()
}

fn field(value: &Value, name: &str) -> Vec<u8> {
    unhex(
        value[name]
            .as_str()
            .unwrap_or_else(|| panic!("no text at {name}")),
    )
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn p256_key(x_and_y: &str) -> Result<PublicKey, SuiteError> {
    let (x, y) = x_and_y.split_at(64);
    PublicKey::from_cose_key(&unhex(&format!("a4010220012158 20{x}225820{y}")))
}

/// a + b modulo 2^256, big endian.
fn add(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut sum: Vec<_> = (a.iter().rev().zip(b.iter().rev()))
        .map(|(a, b)| {
            let sum = u16::from(*a) + u16::from(*b) + carry;
            carry = sum >> 8;
            sum as u8
        })
        .collect();
    sum.reverse();
    sum
}

/// -a modulo 2^256, big endian.
fn negate(a: &[u8]) -> Vec<u8> {
    let inverted: Vec<_> = a.iter().map(|byte| !byte).collect();
    let mut one = vec![0; a.len()];
    one[a.len() - 1] = 1;
    add(&inverted, &one)
}

const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const P256_SECRET: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
const P256_PUBLIC: &str = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                           7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";

#[test]
fn es256_gives_the_answers_of_rfc6979_appendix_a_2_5() {
    let key = SigningKey::from_seed(Suite::Es256, &unhex(P256_SECRET)).unwrap();
    assert_eq!(*key.public(), p256_key(P256_PUBLIC).unwrap());
    let answers = [
        (
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716
             f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            "test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367
             019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ),
    ];
    for (message, signature) in answers {
        assert_eq!(key.sign(message.as_bytes()), unhex(signature));
        assert_eq!(
            key.public()
                .verify(-7, message.as_bytes(), &unhex(signature)),
            Ok(())
        );
    }
}

#[test]
fn es256_accepts_either_s_and_refuses_numbers_out_of_range() {
    let key = SigningKey::from_seed(Suite::Es256, &unhex(P256_SECRET)).unwrap();
    let order = unhex(P256_ORDER);
    let signature = key.sign(b"sample");
    let (r, s) = signature.split_at(32);
    let other_s = add(&order, &negate(s));
    let verify = |r: &[u8], s: &[u8]| key.public().verify(-7, b"sample", &[r, s].concat());
    assert_eq!(verify(r, s), Ok(()));
    assert_eq!(verify(r, &other_s), Ok(()));

    let zero = [0; 32];
    let ones = [0xff; 32];
    for bad in [
        &zero[..],
        &order,
        &ones,
        &add(&order, &[&zero[..31], &[1]].concat()),
    ] {
        assert_eq!(verify(bad, s), BAD_ES256);
        assert_eq!(verify(r, bad), BAD_ES256);
        assert_eq!(verify(bad, bad), BAD_ES256);
    }
    assert_eq!(verify(s, r), BAD_ES256);
    let expected = |found| {
        Err(SuiteError::SignatureLength {
            suite: Suite::Es256,
            expected: 64,
            found,
        })
    };
    assert_eq!(key.public().verify(-7, b"sample", r), expected(32));
    assert_eq!(
        key.public()
            .verify(-7, b"sample", &[&signature[..], &[0]].concat()),
        expected(65)
    );
}

/// The x of the nonce point lies between n and p, so r is x - n (a kind of case that Project Wycheproof
/// has too). The key was solved for from the nonce point of x = p - 3, r and s = 3, with plain integers.
#[test]
fn es256_reduces_the_x_coordinate_by_the_group_order() {
    let key = p256_key(
        "34adfa2738993f45e4a5035ac0e9ba7dd9e908603fe6afb067f2247c91da7144\
         74c226497f507e9024ef56921f742fb53a9c25b1b61fea16061b6b433ce94c34",
    )
    .unwrap();
    let s = unhex("0000000000000000000000000000000000000000000000000000000000000003");
    let reduced = unhex("000000000000000000000000000000004319055358e8617b0c46353d039cdaab");
    let unreduced = unhex("ffffffff00000001000000000000000000000000fffffffffffffffffffffffc");
    assert_eq!(
        key.verify(-7, b"123400", &[reduced, s.clone()].concat()),
        Ok(())
    );
    assert_eq!(
        key.verify(-7, b"123400", &[unreduced, s].concat()),
        BAD_ES256
    );
}

#[test]
fn es256_refuses_keys_that_are_no_points() {
    let invalid = Err(SuiteError::InvalidKey {
        suite: Suite::Es256,
    });
    assert_eq!(p256_key(&"0".repeat(128)), invalid);
    assert_eq!(p256_key(&"f".repeat(128)), invalid);
    let off_curve = P256_PUBLIC.replace("4462299", "4462298");
    assert_eq!(p256_key(&off_curve), invalid);
    // x + p for the point with x = 5 is below 2^256 and is another encoding of the same point.
    let x = "0000000000000000000000000000000000000000000000000000000000000005";
    let x_plus_p = "ffffffff00000001000000000000000000000001000000000000000000000004";
    let y = "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc";
    assert!(p256_key(&format!("{x}{y}")).is_ok());
    assert_eq!(p256_key(&format!("{x_plus_p}{y}")), invalid);
}

#[test]
fn scalars_out_of_range_are_no_secrets() {
    for seed in [&[0; 32][..], &[0xff; 32], &unhex(P256_ORDER)] {
        assert_eq!(
            SigningKey::from_seed(Suite::Es256, seed).err(),
            Some(SuiteError::InvalidSecret {
                suite: Suite::Es256
            })
        );
    }
}

#[test]
fn ml_dsa_gives_the_answers_of_an_independent_implementation() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/suite_ml_dsa.json")).unwrap();
    let known = vectors["deterministic"].as_array().unwrap();
    assert_eq!(known.len(), 4);
    for answer in known {
        let key = SigningKey::from_seed(Suite::MlDsa65, &field(answer, "seed")).unwrap();
        let cose_key = key.public().to_cose_key();
        assert_eq!(
            sha256(&cose_key[cose_key.len() - 1952..]),
            field(answer, "public_key_sha256")
        );
        let message = field(answer, "message");
        let signature = key.sign(&message);
        assert_eq!(sha256(&signature), field(answer, "signature_sha256"));
        assert_eq!(key.public().verify(-49, &message, &signature), Ok(()));
        assert_eq!(key.public().verify(-49, b"another", &signature), BAD_ML_DSA);
    }

    let other = &vectors["from_elsewhere"];
    let cose_key = [unhex("a3010703383020 5907a0"), field(other, "public_key")].concat();
    let key = PublicKey::from_cose_key(&cose_key).unwrap();
    let message = field(other, "message");
    let signature = field(other, "hedged_signature");
    assert_eq!(key.verify(-49, &message, &signature), Ok(()));
    assert_eq!(
        key.verify(-49, &message, &field(other, "signature_with_context_x")),
        BAD_ML_DSA
    );

    // The hint is the one part of the encoding with several forms: FIPS 204 algorithm 21 refuses all but one.
    let hint = signature.len() - 61;
    assert_eq!(
        signature[signature.len() - 7],
        0,
        "the vector leaves room in its hint"
    );
    for (at, value) in [
        (signature.len() - 7, 1),
        (signature.len() - 1, 56),
        (hint, 0xff),
    ] {
        let mut altered = signature.clone();
        altered[at] = value;
        assert_eq!(key.verify(-49, &message, &altered), BAD_ML_DSA, "byte {at}");
    }
}

#[test]
fn hybrid_needs_both_halves() {
    let suite = Suite::Ed25519MlDsa65;
    let alg = suite.algorithm();
    let bad = Err(SuiteError::BadSignature { suite });
    let key = SigningKey::from_seed(suite, &[5; 64]).unwrap();
    let good = key.sign(b"message");
    let other = key.sign(b"another message");
    let verify = |signature: &[u8]| key.public().verify(alg, b"message", signature);
    assert_eq!(verify(&good), Ok(()));

    for at in [0, 40, 64, 100, 2000, 3372] {
        let mut altered = good.clone();
        altered[at] ^= 1;
        assert_eq!(verify(&altered), bad, "byte {at}");
    }
    assert_eq!(verify(&[&other[..64], &good[64..]].concat()), bad);
    assert_eq!(verify(&[&good[..64], &other[64..]].concat()), bad);
    assert_eq!(verify(&[&[0; 64], &good[64..]].concat()), bad);
    assert_eq!(verify(&[&good[..64], &[0; 3309]].concat()), bad);
    for stripped in [&good[..64], &good[64..], &[]] {
        let found = stripped.len();
        assert_eq!(
            verify(stripped),
            Err(SuiteError::SignatureLength {
                suite,
                expected: 3373,
                found
            })
        );
    }

    // The halves are signatures of the plain suites, but not under the hybrid's key or number.
    let ed25519 = SigningKey::from_seed(Suite::Ed25519, &[5; 32]).unwrap();
    let ml_dsa = SigningKey::from_seed(Suite::MlDsa65, &[5; 32]).unwrap();
    assert_eq!(
        good,
        [ed25519.sign(b"message"), ml_dsa.sign(b"message")].concat()
    );
    assert_ne!(key.public().kid(), ed25519.public().kid());
    let mismatch = |alg| Err(SuiteError::AlgorithmMismatch { suite, alg });
    assert_eq!(
        key.public().verify(-19, b"message", &good[..64]),
        mismatch(-19)
    );
    assert_eq!(
        key.public().verify(-49, b"message", &good[64..]),
        mismatch(-49)
    );
    assert_eq!(
        ml_dsa.public().verify(alg, b"message", &good),
        Err(SuiteError::AlgorithmMismatch {
            suite: Suite::MlDsa65,
            alg
        })
    );

    let bad_half = [unhex("a30107033a0001003f20 5907c0"), vec![0x31; 1984]].concat();
    let mut parsed = PublicKey::from_cose_key(&bad_half).is_ok();
    for last in 0..=255 {
        let mut cose_key = bad_half.clone();
        cose_key[13] = last;
        parsed &= PublicKey::from_cose_key(&cose_key).is_ok();
    }
    assert!(!parsed, "an Ed25519 half that is no point is refused");
}

#[test]
fn thumbprints_are_those_of_an_independent_encoder() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/suite_kid.json")).unwrap();
    let mut seen = Vec::new();
    for vector in vectors["keys"].as_array().unwrap() {
        let name = vector["suite"].as_str().unwrap();
        let Some(suite) = Suite::from_name(name) else {
            assert_eq!(name, "SM2");
            let refused = PublicKey::from_cose_key(&field(vector, "cose_key"));
            assert_eq!(refused, Err(SuiteError::UnknownKey));
            continue;
        };
        let key = PublicKey::from_cose_key(&field(vector, "cose_key")).unwrap();
        assert_eq!(key.suite(), suite);
        assert_eq!(key.to_cose_key(), field(vector, "cose_key"));
        assert_eq!(key.kid().as_bytes().to_vec(), field(vector, "kid"));
        seen.push(suite);
    }
    assert_eq!(seen, Suite::ALL);
}

/// The example of RFC 9679 section 6.
#[test]
fn thumbprint_of_rfc9679_example() {
    let key = p256_key(
        "65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d\
         1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c",
    )
    .unwrap();
    let expected = "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec";
    assert_eq!(key.kid().to_string(), expected);
}

/// The signature example of GB/T 32918.5 annex A: the recommended curve and the default signer id.
#[cfg(feature = "sm")]
#[test]
fn sm2_verifies_the_example_of_gb_t_32918_5() {
    let secret = unhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8");
    let key = SigningKey::from_seed(Suite::Sm2, &secret).unwrap();
    let cose_key = unhex(
        "a40102203a00010040215820 09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020
         225820 ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13",
    );
    assert_eq!(key.public().to_cose_key(), cose_key);
    let signature = unhex(
        "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3
         b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa",
    );
    let alg = Suite::Sm2.algorithm();
    let verify = |signature: &[u8]| key.public().verify(alg, b"message digest", signature);
    assert_eq!(verify(&signature), Ok(()));
    assert_eq!(verify(&key.sign(b"message digest")), Ok(()));
    let bad = Err(SuiteError::BadSignature { suite: Suite::Sm2 });
    let order = unhex("fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123");
    for number in [&[0; 32][..], &order, &[0xff; 32]] {
        assert_eq!(verify(&[number, &signature[32..]].concat()), bad);
        assert_eq!(verify(&[&signature[..32], number].concat()), bad);
    }
    // t = r + s must not be zero.
    let minus_r = add(&order, &negate(&signature[..32]));
    assert_eq!(verify(&[&signature[..32], &minus_r].concat()), bad);
    // For the scalar d = n - 1 there is no inverse of 1 + d, and nobody could sign with it.
    let last = add(&order, &[0xff; 32]);
    assert!(SigningKey::from_seed(Suite::Sm2, &last).is_err());
}
