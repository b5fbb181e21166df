//! bbs-2023 (W3C vc-di-bbs 1.0): show some statements of a signed credential, and leave no trace between two showings.
//!
//! The issuer signs each statement as a message of one BBS signature (the **base proof**, for the holder alone). The
//! holder derives for each verifier a proof of knowledge of that signature over the statements shown; neither
//! verifiers nor the issuer can tell whether two such proofs come from one credential, beyond what the shown
//! statements say. Blank nodes get labels by an HMAC, so that their order says nothing about what is hidden.
//!
//! Only the baseline feature is spoken: proofs with a holder's secret or a pseudonym are refused by name.
//!
//! The curve arithmetic is zkryptium's, which draws the blinding scalars of a derived proof by itself; everything else is
//! passed in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use stele_core::cbor::{Decoder, Encoder};
use stele_core::id::sha256;
use zkryptium::bbsplus::keys::{BBSplusPublicKey, BBSplusSecretKey};
use zkryptium::schemes::algorithms::BbsBls12381Sha256;
use zkryptium::schemes::generics::{PoKSignature, Signature};

use crate::json::{from_base64url, to_base64url};
use crate::refusal::Refusal;

use super::canonical::{canonicalise, relabel};
use super::json::Limits;
use super::jsonld::{self, select};
use super::keys::{BBS_PUBLIC_BYTES, ProofKey};
use super::proof::{Proof, ProofOptions, Suite};
use super::rdf::{Labels, Quad};
use super::rules::{
    BASE_PROOF, KEY_MALFORMED, POINTER_INVALID, PROOF_MALFORMED, SIGNATURE_BAD, SUITE_UNKNOWN,
};
use super::suites::{add_proof, options_hash, secured_document};

/// First bytes of a base proof's value (vc-di-bbs section 3.3.1).
const BASE_HEADER: [u8; 3] = [0xd9, 0x5d, 0x02];
/// First bytes of a derived proof's value (section 3.3.6).
const DERIVED_HEADER: [u8; 3] = [0xd9, 0x5d, 0x03];
/// Bytes of a BBS signature.
const SIGNATURE_BYTES: usize = 80;
/// Bytes of a BBS proof that hides nothing; each hidden message adds a scalar.
const PROOF_BYTES_MIN: usize = 3 * 48 + 4 * 32;
/// Statements of one credential, at most: verifying derives a generator for each.
const MESSAGES_MAX: usize = 4_096;
/// Characters of a proof's value, at most.
const VALUE_CHARACTERS_MAX: usize = 400_000;
/// Bytes of a verifier's presentation header, at most.
pub const PRESENTATION_HEADER_BYTES_MAX: usize = 1_024;

/// The secret key of an issuer.
#[derive(Clone)]
pub struct BbsSecretKey(BBSplusSecretKey);

impl std::fmt::Debug for BbsSecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BbsSecretKey(redacted)")
    }
}

impl BbsSecretKey {
    /// Derives a key from at least 32 secret random bytes (BBS section 3.4.1).
    ///
    /// # Errors
    /// `integrity.key-malformed`.
    pub fn from_seed(seed: &[u8]) -> Result<Self, Refusal> {
        let pair = zkryptium::keys::pair::KeyPair::<BbsBls12381Sha256>::generate(seed, None, None)
            .map_err(|error| KEY_MALFORMED.because(error))?;
        Ok(Self(pair.private_key().clone()))
    }

    /// Reads the 32 bytes of the scalar.
    ///
    /// # Errors
    /// `integrity.key-malformed`.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Refusal> {
        BBSplusSecretKey::from_bytes(bytes)
            .map(Self)
            .map_err(|error| KEY_MALFORMED.because(error))
    }

    /// The public half.
    pub fn public(&self) -> ProofKey {
        ProofKey::Bbs(Box::new(self.0.public_key().to_bytes()))
    }
}

/// A document's statements under labels that only the key's owner can make, and which of them each group holds.
struct Statements {
    quads: Vec<Quad>,
    labels: Labels,
    lines: Vec<String>,
}

impl Statements {
    fn new(document: &Value, hmac_key: &[u8; 32], limits: &Limits) -> Result<Self, Refusal> {
        let quads = jsonld::to_rdf(document, limits)?;
        let canonical = canonicalise(&quads, limits.canonical_steps_max)?.labels;
        let labels = shuffled(&canonical, hmac_key);
        let relabelled = relabel(&quads, labels);
        if relabelled.lines.len() > MESSAGES_MAX {
            return Err(super::rules::TOO_LARGE
                .because(format_args!("more than {MESSAGES_MAX} statements")));
        }
        Ok(Self {
            lines: relabelled.lines,
            labels: relabelled.labels,
            quads,
        })
    }

    /// The positions of the lines that pointers select.
    fn selected(&self, pointers: &[String]) -> BTreeSet<usize> {
        select::statements(&self.quads, pointers)
            .filter_map(|index| {
                let line = self.quads[index].labelled(&self.labels);
                self.lines.binary_search(&line).ok()
            })
            .collect()
    }

    /// The lines of a group and the others, each with its position.
    fn split(&self, group: &BTreeSet<usize>) -> (Vec<usize>, Vec<usize>) {
        (0..self.lines.len()).partition(|index| group.contains(index))
    }

    fn messages(&self, indexes: &[usize]) -> Vec<Vec<u8>> {
        indexes
            .iter()
            .map(|index| self.lines[*index].clone().into_bytes())
            .collect()
    }

    fn hash(&self, indexes: &[usize]) -> [u8; 32] {
        let parts: Vec<&[u8]> = indexes
            .iter()
            .map(|index| self.lines[*index].as_bytes())
            .collect();
        sha256(&parts)
    }
}

/// Labels `b0`, `b1`, ... in the order of the HMACs of the canonical labels (section 3.2.1).
fn shuffled(canonical: &Labels, hmac_key: &[u8; 32]) -> Labels {
    let mut by_hash: Vec<(String, u32)> = canonical
        .iter()
        .map(|(node, label)| {
            let mut mac =
                Hmac::<Sha256>::new_from_slice(hmac_key).expect("HMAC takes keys of any length");
            mac.update(label.as_bytes());
            // Compared as base64url text, which orders otherwise than the bytes do.
            (to_base64url(mac.finalize().into_bytes()), *node)
        })
        .collect();
    by_hash.sort_unstable();
    let numbered = by_hash.into_iter().enumerate();
    numbered
        .map(|(index, (_, node))| (node, format!("b{index}")))
        .collect()
}

/// Signs a credential: a base proof, whose holder must show the values at `mandatory` each time.
///
/// `hmac_key` is fresh and random for each credential. Other proofs on the document stay.
///
/// # Errors
/// `integrity.pointer-invalid`, those of [`jsonld::to_rdf`], and `integrity.too-large`.
pub fn sign_base(
    document: &Value,
    options: &ProofOptions,
    key: &BbsSecretKey,
    mandatory: &[String],
    hmac_key: &[u8; 32],
    limits: &Limits,
) -> Result<Value, Refusal> {
    let mut bare = document.clone();
    let map = bare.as_object_mut();
    let map = map.ok_or_else(|| PROOF_MALFORMED.because("only an object can be signed"))?;
    let before = map.shift_remove("proof");
    select::document(&bare, mandatory)?;
    let mut proof = options.to_map(Suite::Bbs2023);
    let statements = Statements::new(&bare, hmac_key, limits)?;
    let (shown, hidden) = statements.split(&statements.selected(mandatory));
    let header = [
        options_hash(&bare, &proof, limits)?,
        statements.hash(&shown),
    ]
    .concat();
    let public = key.0.public_key();
    let messages = statements.messages(&hidden);
    let signature =
        Signature::<BbsBls12381Sha256>::sign(Some(&messages), &key.0, &public, Some(&header))
            .map_err(|error| KEY_MALFORMED.because(error))?;
    let value = BaseValue {
        signature: signature.to_bytes(),
        header,
        public: public.to_bytes(),
        hmac_key: *hmac_key,
        mandatory: mandatory.to_vec(),
    };
    proof.insert("proofValue".to_owned(), value.encode().into());
    add_proof(&mut bare, before, proof);
    Ok(bare)
}

/// What a base proof's value holds.
struct BaseValue {
    signature: [u8; SIGNATURE_BYTES],
    header: Vec<u8>,
    public: [u8; BBS_PUBLIC_BYTES],
    hmac_key: [u8; 32],
    mandatory: Vec<String>,
}

impl BaseValue {
    fn encode(&self) -> String {
        let mut cbor = Encoder::new();
        cbor.array(5)
            .bytes(&self.signature)
            .bytes(&self.header)
            .bytes(&self.public)
            .bytes(&self.hmac_key)
            .array(self.mandatory.len());
        for pointer in &self.mandatory {
            cbor.text(pointer);
        }
        multibase(&BASE_HEADER, cbor)
    }

    fn decode(text: &str) -> Result<Self, Refusal> {
        let bytes = value_bytes(text, BASE_HEADER, "base")?;
        let mut cbor = Decoder::new(&bytes);
        let read = |cbor: &mut Decoder<'_>| {
            cbor.array_of(5, "a base proof")?;
            let signature = cbor.bytes(SIGNATURE_BYTES)?.to_vec();
            let header = cbor.bytes(64)?.to_vec();
            let public = cbor.bytes(BBS_PUBLIC_BYTES)?.to_vec();
            let hmac_key = cbor.bytes32()?;
            let count = cbor.array(select::POINTERS_MAX)?;
            let mandatory = (0..count)
                .map(|_| cbor.text(4_096).map(str::to_owned))
                .collect::<Result<Vec<_>, _>>()?;
            cbor.finish()?;
            Ok::<_, stele_core::cbor::DecodeError>((signature, header, public, hmac_key, mandatory))
        };
        let read = read(&mut cbor).map_err(|error| PROOF_MALFORMED.because(error))?;
        let length = |_| PROOF_MALFORMED.because("a part of the base proof has the wrong length");
        Ok(Self {
            signature: read.0.try_into().map_err(length)?,
            header: read.1,
            public: read.2.try_into().map_err(length)?,
            hmac_key: read.3,
            mandatory: read.4,
        })
    }
}

/// What a derived proof's value holds.
struct DerivedValue {
    proof: Vec<u8>,
    /// From the verifier's canonical label to the issuer's: `c14nN` to `bM`.
    labels: BTreeMap<u64, u64>,
    mandatory: Vec<usize>,
    selective: Vec<usize>,
    presentation_header: Vec<u8>,
}

impl DerivedValue {
    fn encode(&self) -> String {
        let mut cbor = Encoder::new();
        cbor.array(5).bytes(&self.proof).map(self.labels.len());
        for (canonical, shuffled) in &self.labels {
            cbor.uint(*canonical).uint(*shuffled);
        }
        for indexes in [&self.mandatory, &self.selective] {
            cbor.array(indexes.len());
            for index in indexes {
                cbor.uint(*index as u64);
            }
        }
        cbor.bytes(&self.presentation_header);
        multibase(&DERIVED_HEADER, cbor)
    }

    fn decode(text: &str) -> Result<Self, Refusal> {
        let bytes = value_bytes(text, DERIVED_HEADER, "derived")?;
        let mut cbor = Decoder::new(&bytes);
        let read = |cbor: &mut Decoder<'_>| {
            cbor.array_of(5, "a derived proof")?;
            let proof = cbor.bytes(PROOF_BYTES_MIN + 32 * MESSAGES_MAX)?.to_vec();
            // Writers differ in the order of the map; a key twice is refused below.
            let count = cbor.map(MESSAGES_MAX)?;
            let pairs = (0..count)
                .map(|_| Ok((cbor.uint()?, cbor.uint()?)))
                .collect::<Result<Vec<_>, stele_core::cbor::DecodeError>>()?;
            let mut indexes = || {
                let count = cbor.array(MESSAGES_MAX)?;
                (0..count)
                    .map(|_| cbor.uint())
                    .collect::<Result<Vec<_>, _>>()
            };
            let (mandatory, selective) = (indexes()?, indexes()?);
            let header = cbor.bytes(PRESENTATION_HEADER_BYTES_MAX)?.to_vec();
            cbor.finish()?;
            Ok::<_, stele_core::cbor::DecodeError>((proof, pairs, mandatory, selective, header))
        };
        let (proof, pairs, mandatory, selective, presentation_header) =
            read(&mut cbor).map_err(|error| PROOF_MALFORMED.because(error))?;
        let labels: BTreeMap<u64, u64> = pairs.iter().copied().collect();
        let targets: BTreeSet<u64> = labels.values().copied().collect();
        if labels.len() != pairs.len() || targets.len() != pairs.len() {
            return Err(PROOF_MALFORMED.because("two labels are one"));
        }
        if has_point_at_infinity(&proof) {
            return Err(SIGNATURE_BAD.because("a point at infinity"));
        }
        if proof.len() < PROOF_BYTES_MIN || !(proof.len() - PROOF_BYTES_MIN).is_multiple_of(32) {
            return Err(PROOF_MALFORMED.because("the proof has the wrong length"));
        }
        Ok(Self {
            proof,
            labels,
            mandatory: ascending(&mandatory)?,
            selective: ascending(&selective)?,
            presentation_header,
        })
    }
}

fn ascending(indexes: &[u64]) -> Result<Vec<usize>, Refusal> {
    if !indexes.is_sorted_by(|a, b| a < b) {
        return Err(PROOF_MALFORMED.because("indexes are not in order"));
    }
    let narrow = indexes.iter().map(|index| usize::try_from(*index));
    narrow
        .collect::<Result<_, _>>()
        .map_err(|_| PROOF_MALFORMED.because("an index is too large"))
}

fn multibase(header: &[u8; 3], cbor: Encoder) -> String {
    format!(
        "u{}",
        to_base64url([header.as_slice(), cbor.as_slice()].concat())
    )
}

fn value_bytes(text: &str, header: [u8; 3], kind: &str) -> Result<Vec<u8>, Refusal> {
    let digits = text
        .strip_prefix('u')
        .filter(|digits| digits.len() <= VALUE_CHARACTERS_MAX)
        .ok_or_else(|| PROOF_MALFORMED.because("the value is not in base64url"))?;
    let bytes = from_base64url(digits)?;
    match bytes.split_first_chunk::<3>() {
        Some((found, rest)) if *found == header => Ok(rest.to_vec()),
        Some((found, _)) if *found == BASE_HEADER => Err(BASE_PROOF.refuse()),
        Some(([0xd9, 0x5d, feature @ 0x02..=0x09], _)) => Err(SUITE_UNKNOWN.because(format_args!(
            "bbs-2023 with feature {feature}, not a {kind} proof"
        ))),
        _ => Err(PROOF_MALFORMED.because(format_args!("not a {kind} proof"))),
    }
}

/// The one bbs-2023 proof of a document.
fn only_proof(document: &Value, limits: &Limits) -> Result<Proof, Refusal> {
    let proofs = Proof::read_all(document, limits)?;
    let mut found = proofs
        .into_iter()
        .filter(|proof| proof.suite == Suite::Bbs2023);
    match (found.next(), found.next()) {
        (Some(proof), None) => Ok(proof),
        _ => Err(PROOF_MALFORMED.because("there is not one proof of bbs-2023")),
    }
}

/// Whether a compressed point is the point at infinity: the flag of its first byte (BBS section 4.2.4).
fn is_infinity(point: &[u8]) -> bool {
    point.first().is_some_and(|first| first & 0x40 != 0)
}

/// Whether one of the three points of a proof is the point at infinity.
///
/// BBS section 4.2.4.5 demands that reading a proof fails then, and zkryptium 0.8 does not look: with `Abar` and `Bbar` at
/// infinity the pairing holds for every key, and anyone could make a proof of any statements.
fn has_point_at_infinity(proof: &[u8]) -> bool {
    proof.chunks(48).take(3).any(is_infinity)
}

/// Keys that were decoded lately, the latest last.
static DECODED: Mutex<Vec<([u8; BBS_PUBLIC_BYTES], BBSplusPublicKey)>> = Mutex::new(Vec::new());
/// How many of them are kept: a verifier meets the same issuers again and again.
const DECODED_MAX: usize = 32;

/// Decodes a key. The point's root and its subgroup cost a tenth of a whole proof, so keys that were found good are remembered.
fn public_key(bytes: &[u8; BBS_PUBLIC_BYTES]) -> Result<BBSplusPublicKey, Refusal> {
    let mut decoded = DECODED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, key)) = decoded.iter().find(|(known, _)| known == bytes) {
        return Ok(key.clone());
    }
    drop(decoded);
    if is_infinity(bytes) {
        return Err(KEY_MALFORMED.because("the point at infinity"));
    }
    let key = BBSplusPublicKey::from_bytes(bytes).map_err(|error| KEY_MALFORMED.because(error))?;
    decoded = DECODED.lock().unwrap_or_else(PoisonError::into_inner);
    if decoded.len() >= DECODED_MAX {
        decoded.remove(0);
    }
    decoded.push((*bytes, key.clone()));
    Ok(key)
}

/// Verifies a base proof, as its holder does on receiving it.
///
/// # Errors
/// `integrity.signature-bad`, `integrity.proof-malformed`, and those of [`jsonld::to_rdf`].
pub fn verify_base(document: &Value, key: &ProofKey, limits: &Limits) -> Result<(), Refusal> {
    let proof = only_proof(document, limits)?;
    let base = BaseValue::decode(&proof.value)?;
    let ProofKey::Bbs(public) = key else {
        return Err(KEY_MALFORMED.because("not a BBS key"));
    };
    let bad = || SIGNATURE_BAD.because("bbs-2023, base proof");
    if **public != base.public {
        return Err(bad());
    }
    let bare = secured_document(document, &proof)?;
    let statements = Statements::new(&bare, &base.hmac_key, limits)?;
    let (shown, hidden) = statements.split(&statements.selected(&base.mandatory));
    let header = [
        options_hash(&bare, &proof.options, limits)?,
        statements.hash(&shown),
    ]
    .concat();
    if header != base.header || is_infinity(&base.signature) {
        return Err(bad());
    }
    let signature =
        Signature::<BbsBls12381Sha256>::from_bytes(&base.signature).map_err(|_| bad())?;
    signature
        .verify(
            &public_key(public)?,
            Some(&statements.messages(&hidden)),
            Some(&header),
        )
        .map_err(|_| bad())
}

/// Derives what the holder shows: the values at `selective`, with those that the issuer made mandatory.
///
/// The proof is bound to `presentation_header`, which the verifier chooses afresh. Other proofs are left out, since they
/// would link the showings.
///
/// # Errors
/// `integrity.pointer-invalid` for a field that is not there or cannot be shown alone (a part of an ordered list or of
/// a text); `integrity.proof-malformed`; those of [`jsonld::to_rdf`].
pub fn derive(
    document: &Value,
    selective: &[String],
    presentation_header: &[u8],
    limits: &Limits,
) -> Result<Value, Refusal> {
    if presentation_header.len() > PRESENTATION_HEADER_BYTES_MAX {
        return Err(PROOF_MALFORMED.because("the presentation header is too long"));
    }
    let proof = only_proof(document, limits)?;
    let base = BaseValue::decode(&proof.value)?;
    let bare = secured_document(document, &proof)?;
    let pointers = [base.mandatory.as_slice(), selective].concat();
    let mut revealed = select::document(&bare, &pointers)?
        .ok_or_else(|| POINTER_INVALID.because("nothing is chosen"))?;
    let statements = Statements::new(&bare, &base.hmac_key, limits)?;
    let mandatory = statements.selected(&base.mandatory);
    let chosen = statements.selected(selective);
    let (_, hidden) = statements.split(&mandatory);
    let combined: Vec<usize> = mandatory.union(&chosen).copied().collect();
    let position = |list: &[usize], index: usize| list.binary_search(&index).ok();
    let disclosed: Vec<usize> = chosen
        .iter()
        .filter_map(|index| position(&hidden, *index))
        .collect();
    let value = DerivedValue {
        proof: PoKSignature::<BbsBls12381Sha256>::proof_gen(
            &public_key(&base.public)?,
            &base.signature,
            Some(&base.header),
            Some(presentation_header),
            Some(&statements.messages(&hidden)),
            Some(&disclosed),
        )
        .map_err(|error| PROOF_MALFORMED.because(error))?
        .to_bytes(),
        labels: label_map(&statements, &pointers, &revealed, limits)?,
        mandatory: mandatory
            .iter()
            .filter_map(|index| position(&combined, *index))
            .collect(),
        selective: disclosed,
        presentation_header: presentation_header.to_vec(),
    };
    let mut shown = proof.options;
    shown.insert("proofValue".to_owned(), value.encode().into());
    add_proof(&mut revealed, None, shown);
    Ok(revealed)
}

/// From the label that the verifier will compute for each blank node to the one that was signed.
fn label_map(
    statements: &Statements,
    pointers: &[String],
    revealed: &Value,
    limits: &Limits,
) -> Result<BTreeMap<u64, u64>, Refusal> {
    let shown: Vec<Quad> = select::statements(&statements.quads, pointers)
        .map(|index| statements.quads[index].clone())
        .collect();
    let canonical = canonicalise(&shown, limits.canonical_steps_max)?;
    let seen = canonicalise(
        &jsonld::to_rdf(revealed, limits)?,
        limits.canonical_steps_max,
    )?;
    if canonical.lines != seen.lines {
        return Err(POINTER_INVALID.because("a part of a list or of a text cannot be shown alone"));
    }
    let number = |label: &str, prefix: &str| label.strip_prefix(prefix)?.parse().ok();
    let pairs = canonical.labels.iter().map(|(node, label)| {
        let signed = statements.labels.get(node)?;
        Some((number(label, "c14n")?, number(signed, "b")?))
    });
    pairs
        .collect::<Option<_>>()
        .ok_or_else(|| PROOF_MALFORMED.because("a node has no label"))
}

/// Verifies a derived proof under a key, and nothing else. Gives the presentation header that it is bound to.
///
/// # Errors
/// `integrity.signature-bad`, `integrity.base-proof`, `integrity.proof-malformed`, and those of [`jsonld::to_rdf`].
pub fn verify(
    document: &Value,
    proof: &Proof,
    key: &ProofKey,
    limits: &Limits,
) -> Result<Vec<u8>, Refusal> {
    let ProofKey::Bbs(public) = key else {
        return Err(KEY_MALFORMED.because("not a BBS key"));
    };
    let value = DerivedValue::decode(&proof.value)?;
    let bare = secured_document(document, proof)?;
    let quads = jsonld::to_rdf(&bare, limits)?;
    let canonical = canonicalise(&quads, limits.canonical_steps_max)?;
    let signed = |label: &String| {
        let number = label.strip_prefix("c14n")?.parse().ok()?;
        value.labels.get(&number).map(|number| format!("b{number}"))
    };
    let labels = canonical
        .labels
        .iter()
        .map(|(node, label)| Some((*node, signed(label)?)));
    let labels: Option<Labels> = labels.collect();
    let labels = labels
        .filter(|labels| labels.len() == value.labels.len())
        .ok_or_else(|| PROOF_MALFORMED.because("the labels are not those of the document"))?;
    let lines = relabel(&quads, labels).lines;
    if value
        .mandatory
        .last()
        .is_some_and(|last| *last >= lines.len())
    {
        return Err(PROOF_MALFORMED.because("an index leads nowhere"));
    }
    let (shown, chosen): (Vec<usize>, Vec<usize>) =
        (0..lines.len()).partition(|index| value.mandatory.binary_search(index).is_ok());
    let undisclosed = (value.proof.len() - PROOF_BYTES_MIN) / 32;
    let total = undisclosed + chosen.len();
    let fits = value.selective.len() == chosen.len()
        && value.selective.last().is_none_or(|last| *last < total);
    if !fits {
        return Err(PROOF_MALFORMED.because("the indexes do not fit the statements"));
    }
    let shown: Vec<&[u8]> = shown.iter().map(|index| lines[*index].as_bytes()).collect();
    let header = [options_hash(&bare, &proof.options, limits)?, sha256(&shown)].concat();
    let messages: Vec<Vec<u8>> = chosen
        .iter()
        .map(|index| lines[*index].clone().into_bytes())
        .collect();
    let bad = || SIGNATURE_BAD.because("bbs-2023");
    PoKSignature::<BbsBls12381Sha256>::from_bytes(&value.proof)
        .map_err(|_| bad())?
        .proof_verify(
            &public_key(public)?,
            Some(&messages),
            Some(&value.selective),
            Some(&header),
            Some(&value.presentation_header),
        )
        .map_err(|_| bad())?;
    Ok(value.presentation_header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_at_infinity_are_seen() {
        let mut proof = vec![0x85; PROOF_BYTES_MIN];
        assert!(!has_point_at_infinity(&proof));
        for point in 0..3 {
            let before = std::mem::replace(&mut proof[48 * point], 0xc0);
            assert!(has_point_at_infinity(&proof));
            proof[48 * point] = before;
        }
        // Scalars after the points have no such flag.
        proof[144] = 0xc0;
        assert!(!has_point_at_infinity(&proof));
        assert!(public_key(&[0xc0; BBS_PUBLIC_BYTES]).is_err());
    }
}
