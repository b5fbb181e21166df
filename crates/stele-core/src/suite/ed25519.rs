//! Ed25519 (RFC 8032), judged by ZIP-215, one by one and in batches.
//!
//! RFC 8032 leaves open whether the verification equation is multiplied by the cofactor, and which
//! encodings of R and A are good. Implementations differ, and single verification may differ from batch
//! verification, which would split a network. ZIP-215 closes both questions:
//! - A and R are any encodings that decompress, non-canonical ones and points of small order included;
//! - s is below the group order L;
//! - the equation is `[8][s]B = [8]R + [8][k]A`, with `k = SHA-512(R || A || message) mod L` over the bytes as given.
//!
//! # The batch
//! For every item let `E = R + [k]A - [s]B`; the signature is good when `[8]E = 0`. The batch draws a
//! 128-bit `z` for each item and checks `[8] sum([z]E) = 0` in one multiscalar multiplication. If all are
//! good, this always holds. If one is not, its `[8]E` is a non-zero element of a group of prime order,
//! and the sum is zero for at most one value of its `z` in 2^128.
//!
//! The core has no source of randomness, so the `z` are the output of SHA-512 over the whole batch (every
//! A, R, s and k, and through k every message). A forger can therefore compute them, but only after fixing
//! the batch, and each change of the batch draws all `z` anew: he needs about 2^128 tries, more than a
//! forgery against Ed25519 itself costs. Different batches with the same item draw different `z`, and give
//! the same verdict but for that chance.
//!
//! When a check fails, the batch is halved until the culprits are alone; the `z` stay, so a good left half
//! proves the right half bad without another check.

use std::collections::HashMap;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use ed25519_zebra::SigningKey;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

/// Below this many items a failed batch is verified one by one.
const BISECT_LEN_MIN: usize = 6;

/// A public key: the encoding as given, which enters the hash, and the point it stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Public {
    encoded: [u8; 32],
    point: EdwardsPoint,
}

/// A secret key, wiped when dropped.
pub(super) type Secret = Zeroizing<SigningKey>;

/// Reads 32 bytes of public key; `None` if they are no point of the curve.
pub(super) fn parse(material: &[u8]) -> Option<Public> {
    let encoded = material.try_into().ok()?;
    Some(Public {
        encoded,
        point: CompressedEdwardsY(encoded).decompress()?,
    })
}

/// Writes the public key as it was given.
pub(super) fn material(key: &Public) -> &[u8; 32] {
    &key.encoded
}

/// Whether the point has small order: then `[k]A` vanishes from the cofactored equation, and anyone can sign.
pub(super) fn is_small_order(key: &Public) -> bool {
    key.point.is_small_order()
}

/// Verifies one signature of 64 bytes.
pub(super) fn verify(key: &Public, message: &[u8], signature: &[u8]) -> bool {
    Claim::parse(key, message, signature).is_some_and(|claim| claim.verify())
}

/// Verifies many signatures of 64 bytes, given as (key, message, signature); verdict i is that of
/// [`verify`] on item i.
pub(super) fn verify_batch(items: &[(&Public, &[u8], &[u8])]) -> Vec<bool> {
    let mut verdicts = vec![false; items.len()];
    let mut claims = Vec::with_capacity(items.len());
    let mut positions = Vec::with_capacity(items.len());
    for (position, (key, message, signature)) in items.iter().enumerate() {
        if let Some(claim) = Claim::parse(key, message, signature) {
            claims.push(claim);
            positions.push(position);
        }
    }
    draw_coefficients(&mut claims);
    // One culprit is found by failed checks over twice the batch in sum. Beyond that it is cheaper to verify
    // one by one, and whoever sends many bad signatures must not make us halve for longer.
    let mut effort = 2 * claims.len();
    let mut good = vec![false; claims.len()];
    judge(&claims, &mut good, &mut effort, false);
    for (position, good) in positions.into_iter().zip(good) {
        verdicts[position] = good;
    }
    verdicts
}

/// Makes the key pair of a 32-byte seed.
pub(super) fn from_seed(seed: &[u8; 32]) -> Secret {
    Zeroizing::new(SigningKey::from_bytes(seed))
}

/// The public half.
pub(super) fn public(key: &Secret) -> Public {
    parse(key.verification_key().as_ref()).expect("a public key made from a secret decompresses")
}

/// Signs deterministically (RFC 8032 section 5.1.6).
pub(super) fn sign(key: &Secret, message: &[u8]) -> [u8; 64] {
    key.sign(message).to_bytes()
}

/// A signature whose parts are well formed, reduced to the numbers of its equation.
struct Claim<'a> {
    key: &'a Public,
    encoded: &'a [u8],
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
    /// The item's coefficient in the batch equation, below 2^128.
    z: Scalar,
}

impl<'a> Claim<'a> {
    /// `None` unless s is below the group order and R decompresses.
    fn parse(key: &'a Public, message: &[u8], signature: &'a [u8]) -> Option<Self> {
        let (encoded_r, encoded_s) = signature.split_first_chunk::<32>()?;
        let encoded_s = encoded_s.try_into().ok()?;
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(encoded_s))?;
        let r = CompressedEdwardsY(*encoded_r).decompress()?;
        let hash = Sha512::new()
            .chain_update(encoded_r)
            .chain_update(key.encoded);
        let k = Scalar::from_bytes_mod_order_wide(&hash.chain_update(message).finalize().into());
        Some(Self {
            key,
            encoded: signature,
            r,
            s,
            k,
            z: Scalar::ZERO,
        })
    }

    fn verify(&self) -> bool {
        let expected_r =
            EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &-self.key.point, &self.s);
        (self.r - expected_r).mul_by_cofactor().is_identity()
    }
}

/// Draws the z of every claim from a hash over all of them.
fn draw_coefficients(claims: &mut [Claim<'_>]) {
    let mut transcript = Sha512::new_with_prefix(b"stele/ed25519-batch/v1");
    for claim in &*claims {
        // Every part has a fixed length, so the concatenation is unambiguous.
        transcript.update(claim.key.encoded);
        transcript.update(claim.encoded);
        transcript.update(claim.k.as_bytes());
    }
    let seed = transcript.finalize();
    for (counter, chunk) in claims.chunks_mut(4).enumerate() {
        let block = Sha512::new_with_prefix(seed).chain_update((counter as u64).to_le_bytes());
        for (claim, bytes) in chunk.iter_mut().zip(block.finalize().as_chunks::<16>().0) {
            claim.z = Scalar::from(u128::from_le_bytes(*bytes));
        }
    }
}

/// Writes the verdict of each claim. `known_bad` says that at least one of them is known to be bad.
fn judge(claims: &[Claim<'_>], good: &mut [bool], effort: &mut usize, known_bad: bool) {
    if claims.len() < BISECT_LEN_MIN || *effort == 0 {
        for (claim, good) in claims.iter().zip(good) {
            *good = claim.verify();
        }
        return;
    }
    if !known_bad {
        if all_good(claims) {
            good.fill(true);
            return;
        }
        *effort = effort.saturating_sub(claims.len());
    }
    let middle = claims.len() / 2;
    let (left, right) = claims.split_at(middle);
    let (good_left, good_right) = good.split_at_mut(middle);
    judge(left, good_left, effort, false);
    let left_is_good = good_left.iter().all(|good| *good);
    judge(right, good_right, effort, left_is_good);
}

/// Checks the batch equation. Claims by the same key share one term.
fn all_good(claims: &[Claim<'_>]) -> bool {
    let mut terms_by_key = HashMap::with_capacity(claims.len());
    let mut scalars = Vec::with_capacity(1 + 2 * claims.len());
    let mut points = Vec::with_capacity(1 + 2 * claims.len());
    let mut basepoint_scalar = Scalar::ZERO;
    for claim in claims {
        basepoint_scalar -= claim.z * claim.s;
        scalars.push(claim.z);
        points.push(claim.r);
        let term = *terms_by_key.entry(&claim.key.encoded).or_insert_with(|| {
            scalars.push(Scalar::ZERO);
            points.push(claim.key.point);
            scalars.len() - 1
        });
        scalars[term] += claim.z * claim.k;
    }
    scalars.push(basepoint_scalar);
    points.push(ED25519_BASEPOINT_POINT);
    EdwardsPoint::vartime_multiscalar_mul(&scalars, &points)
        .mul_by_cofactor()
        .is_identity()
}
