//! The one permitted COSE_Key encoding of each suite (docs/format.md section 2).
//!
//! Each encoding has a fixed shape, so the strictest decoder is also the simplest: compare the bytes
//! around the key material with the template. Anything else is refused, other encodings of the same
//! value included, and thus a key has exactly one thumbprint.

use super::{Suite, SuiteError};

/// Longest COSE_Key of any suite, in bytes.
pub(super) const COSE_KEY_LEN_MAX: usize = 13 + 1984;

/// The bytes of a COSE_Key before each of its byte strings, and the length of the string.
type Template = &'static [(&'static [u8], usize)];

/// `{1: 1, -1: 6, -2: x}`: key type OKP, curve Ed25519.
const ED25519: Template = &[(&[0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20], 32)];
/// `{1: 2, -1: 1, -2: x, -3: y}`: key type EC2, curve P-256.
const ES256: Template = &[
    (&[0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20], 32),
    (&[0x22, 0x58, 0x20], 32),
];
/// `{1: 7, 3: -49, -1: pub}`: key type AKP, algorithm ML-DSA-65.
const ML_DSA_65: Template = &[(
    &[0xa3, 0x01, 0x07, 0x03, 0x38, 0x30, 0x20, 0x59, 0x07, 0xa0],
    1952,
)];
/// `{1: 7, 3: -65600, -1: pub}`: key type AKP, the hybrid.
const ED25519_ML_DSA_65: Template = &[(
    &[
        0xa3, 0x01, 0x07, 0x03, 0x3a, 0x00, 0x01, 0x00, 0x3f, 0x20, 0x59, 0x07, 0xc0,
    ],
    1984,
)];
/// `{1: 7, 3: -65602, -1: pub}`: key type AKP, BLS12-381 with keys in G2.
const BLS12_381: Template = &[(
    &[
        0xa3, 0x01, 0x07, 0x03, 0x3a, 0x00, 0x01, 0x00, 0x41, 0x20, 0x58, 0x60,
    ],
    96,
)];
/// `{1: 2, -1: -65601, -2: x, -3: y}`: key type EC2, curve SM2.
#[cfg(feature = "sm")]
const SM2: Template = &[
    (
        &[
            0xa4, 0x01, 0x02, 0x20, 0x3a, 0x00, 0x01, 0x00, 0x40, 0x21, 0x58, 0x20,
        ],
        32,
    ),
    (&[0x22, 0x58, 0x20], 32),
];

const fn template(suite: Suite) -> Template {
    match suite {
        Suite::Ed25519 => ED25519,
        Suite::Es256 => ES256,
        Suite::MlDsa65 => ML_DSA_65,
        Suite::Ed25519MlDsa65 => ED25519_ML_DSA_65,
        Suite::Bls12381 => BLS12_381,
        #[cfg(feature = "sm")]
        Suite::Sm2 => SM2,
    }
}

/// Writes the COSE_Key around `material`, the concatenation of its byte strings.
pub(super) fn encode(suite: Suite, material: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(COSE_KEY_LEN_MAX.min(material.len() + 16));
    let mut rest = material;
    for (before, len) in template(suite) {
        let (string, after) = rest.split_at(*len);
        encoded.extend_from_slice(before);
        encoded.extend_from_slice(string);
        rest = after;
    }
    assert!(
        rest.is_empty(),
        "key material of {suite} is longer than its template"
    );
    encoded
}

/// Reads a COSE_Key: the suite, and the concatenation of its byte strings.
pub(super) fn decode(encoded: &[u8]) -> Result<(Suite, Vec<u8>), SuiteError> {
    Suite::ALL
        .iter()
        .find_map(|suite| {
            match_template(template(*suite), encoded).map(|material| (*suite, material))
        })
        .ok_or(SuiteError::UnknownKey)
}

fn match_template(template: Template, encoded: &[u8]) -> Option<Vec<u8>> {
    let mut material = Vec::new();
    let mut rest = encoded;
    for (before, len) in template {
        let (string, after) = rest.strip_prefix(*before)?.split_at_checked(*len)?;
        material.extend_from_slice(string);
        rest = after;
    }
    rest.is_empty().then_some(material)
}
