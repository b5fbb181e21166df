//! Shares of the network key: partial signatures, and the signature of the network made of a quorum of them.

use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;

use bytes::Bytes;
use commonware_codec::{Copying, Decode as _, DecodeExt as _, Encode as _};
use commonware_cryptography::bls12381::dkg::feldman_desmedt::Output;
use commonware_cryptography::bls12381::primitives::group::{self, G1};
use commonware_cryptography::bls12381::primitives::ops::{self, threshold};
use commonware_cryptography::bls12381::primitives::sharing::ModeVersion;
use commonware_cryptography::bls12381::primitives::variant::{MinSig, PartialSignature, Variant};
use commonware_cryptography::ed25519;
use commonware_parallel::Sequential;
use commonware_utils::{N3f1, NZU32, Participant};
use stele_core::cbor::Encoder;
use stele_core::genesis::{SHARING_BYTES_MAX, VALIDATORS_MAX};
use stele_core::suite::{PublicKey, Suite};

use super::{KeyError, file, node_key};

/// Signatures in G1, keys in G2 (docs/format.md section 2).
pub(crate) type KeyVariant = MinSig;
/// The public result of a ceremony.
pub(crate) type Transcript = Output<KeyVariant, ed25519::PublicKey>;

/// The length of a partial signature.
pub const PARTIAL_BYTES: usize = 48;
const PARTICIPANTS_MAX: NonZeroU32 = NZU32!(VALIDATORS_MAX as u32);

/// Why bytes are no sharing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharingError {
    /// Longer than any.
    #[error("a sharing has at most {SHARING_BYTES_MAX} bytes")]
    TooLong,
    /// Not of the right form.
    #[error("the sharing could not be read: {0}")]
    Malformed(String),
}

/// The public side of the shares: who holds one, and with which point its partial signatures verify.
#[derive(Clone, PartialEq, Eq)]
pub struct Sharing {
    output: Transcript,
}

impl Sharing {
    pub(crate) fn new(output: Transcript) -> Self {
        Self { output }
    }

    pub(crate) fn transcript(&self) -> &Transcript {
        &self.output
    }

    /// The bytes that a genesis and `governance` keep.
    pub fn encode(&self) -> Vec<u8> {
        self.output.encode().to_vec()
    }

    /// Reads what [`Sharing::encode`] wrote.
    ///
    /// # Errors
    /// [`SharingError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SharingError> {
        if bytes.len() > SHARING_BYTES_MAX {
            return Err(SharingError::TooLong);
        }
        let config = (PARTICIPANTS_MAX, ModeVersion::v0());
        let output = Transcript::decode_cfg(Copying(bytes), &config)
            .map_err(|error| SharingError::Malformed(error.to_string()))?;
        if output.public().total().get() as usize != output.players().len() {
            let reason = "it names another number of holders than it has shares".to_owned();
            return Err(SharingError::Malformed(reason));
        }
        Ok(Self { output })
    }

    /// The network key: 96 bytes, a compressed point of G2.
    pub fn network_key(&self) -> Vec<u8> {
        self.output.public().public().encode().to_vec()
    }

    /// The network key.
    ///
    /// # Panics
    /// Never: the engine's point is one of the suite.
    pub fn public_key(&self) -> PublicKey {
        // {1: 7, 3: alg, -1: key}: docs/format.md section 2.
        let mut out = Encoder::new();
        out.map(3)
            .int(1)
            .uint(7)
            .int(3)
            .int(Suite::Bls12381.algorithm());
        out.int(-1).bytes(&self.network_key());
        PublicKey::from_cose_key(&out.into_vec()).expect("a point of G2 is a key of the suite")
    }

    /// How many shares make a signature: n - floor((n - 1) / 3).
    pub fn quorum(&self) -> usize {
        self.output.quorum::<N3f1>() as usize
    }

    /// The node keys of the holders, in the order of their indices.
    pub fn holders(&self) -> Vec<[u8; 32]> {
        self.output.players().iter().map(node_key).collect()
    }
}

impl fmt::Debug for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Sharing({} of {})",
            self.quorum(),
            self.output.players().len()
        )
    }
}

/// A secret share of the network key. Never printed.
#[derive(Clone)]
pub struct Share {
    inner: group::Share,
}

impl Share {
    /// The holder's index.
    pub fn index(&self) -> usize {
        self.inner.index.get() as usize
    }

    pub(crate) fn new(inner: group::Share) -> Self {
        Self { inner }
    }

    pub(crate) fn inner(&self) -> &group::Share {
        &self.inner
    }

    /// Reads what [`Share::save`] wrote.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let bytes = file::read(path)?;
        let inner = group::Share::decode(Bytes::from(bytes)).map_err(|_| KeyError::Damaged {
            path: path.to_owned(),
            expected: "a share of a network key",
        })?;
        Ok(Self { inner })
    }

    /// Writes the share to a file that only its owner reads.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        file::write(path, &self.inner.encode())
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({}, redacted)", self.inner.index.get())
    }
}

/// Signs with a share. The message is signed as it is, so that a combined signature is a plain BLS signature.
pub(crate) fn sign_partial(share: &Share, message: &[u8]) -> [u8; PARTIAL_BYTES] {
    let signature = ops::sign::<KeyVariant>(&share.inner.private, KeyVariant::MESSAGE, message);
    <[u8; PARTIAL_BYTES]>::try_from(&signature.encode()[..]).expect("a point of G1 has 48 bytes")
}

fn read_partial(index: usize, bytes: &[u8]) -> Option<PartialSignature<KeyVariant>> {
    Some(PartialSignature {
        index: Participant::new(u32::try_from(index).ok()?),
        value: G1::decode(Copying(bytes)).ok()?,
    })
}

/// Combines partial signatures by the indices of their signers; `None` if they are too few, or no points. The result is the
/// network's signature if all partials are good; that is for the caller to verify.
pub(crate) fn recover(
    sharing: &Sharing,
    partials: &[(usize, [u8; PARTIAL_BYTES])],
) -> Option<[u8; PARTIAL_BYTES]> {
    let partials: Option<Vec<_>> = partials
        .iter()
        .map(|(index, bytes)| read_partial(*index, bytes))
        .collect();
    let signature =
        threshold::recover::<KeyVariant, _>(sharing.output.public(), &partials?, &Sequential);
    <[u8; PARTIAL_BYTES]>::try_from(&signature.ok()?.encode()[..]).ok()
}

/// Which of the partial signatures do not verify. Costs a pairing for each; asked only when a combined signature is not good.
pub(crate) fn bad_partials(
    sharing: &Sharing,
    message: &[u8],
    partials: &[(usize, [u8; PARTIAL_BYTES])],
) -> Vec<usize> {
    let is_good = |index: usize, bytes: &[u8]| {
        let partial = read_partial(index, bytes)?;
        let public = sharing.output.public().partial_public(partial.index).ok()?;
        ops::verify::<KeyVariant>(&public, KeyVariant::MESSAGE, message, &partial.value).ok()
    };
    let bad = partials
        .iter()
        .filter(|(index, bytes)| is_good(*index, bytes).is_none());
    bad.map(|(index, _)| *index).collect()
}
