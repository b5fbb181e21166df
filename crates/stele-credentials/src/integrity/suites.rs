//! The suites of one signature: eddsa-jcs-2022, eddsa-rdfc-2022 (W3C vc-di-eddsa 1.0) and ecdsa-rdfc-2019 (vc-di-ecdsa 1.0).
//!
//! Each signs `SHA-256(canonical proof options) || SHA-256(canonical document)`; the suites differ in the canonical form and
//! the key.

use serde_json::{Map, Value};
use stele_core::id::sha256;

use crate::jose::{PublicKey, Signer};
use crate::refusal::Refusal;

use super::canonical::{Canonical, canonicalise};
use super::json::{self, Limits};
use super::jsonld;
use super::keys::ProofKey;
use super::proof::{Proof, ProofOptions, Suite};
use super::rules::{CONTEXT_SWAP, KEY_MALFORMED, PROOF_MALFORMED, SIGNATURE_BAD};

/// A multibase signature of 64 bytes has at most 89 characters.
const SIGNATURE_CHARACTERS_MAX: usize = 100;

/// Signs a document, which may have proofs already: the new one stands beside them (a proof set).
///
/// # Errors
/// Those of [`jsonld::to_rdf`] for the suites over RDF; `integrity.key-malformed` for a signer of another kind of key and
/// for bbs-2023, which [`super::bbs`] signs.
pub fn sign(
    document: &Value,
    suite: Suite,
    options: &ProofOptions,
    signer: &dyn Signer,
    limits: &Limits,
) -> Result<Value, Refusal> {
    check_key(suite, &signer.public_key())?;
    let mut bare = document.clone();
    let map = bare
        .as_object_mut()
        .ok_or_else(|| PROOF_MALFORMED.because("only an object can be signed"))?;
    let before = map.shift_remove("proof");
    let mut proof = options.to_map(suite);
    if let (Suite::EddsaJcs2022, Some(context)) = (suite, bare.get("@context")) {
        proof.insert("@context".to_owned(), context.clone());
    }
    let data = hash_data(suite, &bare, &proof, limits)?;
    let signature = signer.sign(&data)?;
    let value = format!("z{}", bs58::encode(signature).into_string());
    proof.insert("proofValue".to_owned(), value.into());
    add_proof(&mut bare, before, proof);
    Ok(bare)
}

/// Puts a proof into a document beside those it had.
pub(super) fn add_proof(document: &mut Value, before: Option<Value>, proof: Map<String, Value>) {
    let proof = Value::Object(proof);
    document["proof"] = match before {
        None => proof,
        Some(Value::Array(mut proofs)) => {
            proofs.push(proof);
            Value::Array(proofs)
        }
        Some(one) => Value::Array(vec![one, proof]),
    };
}

/// Verifies one proof of a document under a key, and nothing else: whose key it is, is another question.
///
/// # Errors
/// `integrity.signature-bad`, `integrity.key-malformed`, `integrity.proof-malformed`, and those of [`jsonld::to_rdf`].
pub fn verify(
    document: &Value,
    proof: &Proof,
    key: &ProofKey,
    limits: &Limits,
) -> Result<(), Refusal> {
    let ProofKey::Signature(key) = key else {
        return Err(KEY_MALFORMED.because("a BBS key"));
    };
    check_key(proof.suite, key)?;
    let digits = proof
        .value
        .strip_prefix('z')
        .filter(|digits| digits.len() <= SIGNATURE_CHARACTERS_MAX)
        .ok_or_else(|| PROOF_MALFORMED.because("the value is not in base 58"))?;
    let signature = bs58::decode(digits).into_vec();
    let signature = signature.map_err(|error| PROOF_MALFORMED.because(error))?;
    let secured = secured_document(document, proof)?;
    let data = hash_data(proof.suite, &secured, &proof.options, limits)?;
    key.verify(&data, &signature)
        .map_err(|_| SIGNATURE_BAD.because(proof.suite.name()))
}

fn check_key(suite: Suite, key: &PublicKey) -> Result<(), Refusal> {
    let wanted = match suite {
        Suite::EddsaJcs2022 | Suite::EddsaRdfc2022 => "EdDSA",
        Suite::EcdsaRdfc2019 => "ES256",
        Suite::Bbs2023 => "BBS",
    };
    if key.algorithm() == wanted {
        Ok(())
    } else {
        Err(KEY_MALFORMED.because(format_args!("{} needs a key of {wanted}", suite.name())))
    }
}

/// The document as the proof's maker saw it: without proofs, but with those that this one builds on
/// (Data Integrity 1.0 section 4.5, `previousProof`).
pub(super) fn secured_document(document: &Value, proof: &Proof) -> Result<Value, Refusal> {
    let mut bare = document.clone();
    let Some(map) = bare.as_object_mut() else {
        return Err(PROOF_MALFORMED.because("the document is not an object"));
    };
    let proofs = map.shift_remove("proof");
    let Some(previous) = proof.options.get("previousProof") else {
        return Ok(bare);
    };
    let wanted: Vec<&Value> = match previous {
        Value::Array(ids) => ids.iter().collect(),
        id => vec![id],
    };
    let all = match proofs {
        Some(Value::Array(all)) => all,
        other => other.into_iter().collect(),
    };
    let mut chosen = Vec::new();
    for id in wanted {
        let found = all
            .iter()
            .find(|p| id.is_string() && p.get("id") == Some(id));
        chosen.push(
            found
                .cloned()
                .ok_or_else(|| PROOF_MALFORMED.because(format_args!("there is no proof {id}")))?,
        );
    }
    bare["proof"] = Value::Array(chosen);
    Ok(bare)
}

/// What is signed.
fn hash_data(
    suite: Suite,
    document: &Value,
    options: &Map<String, Value>,
    limits: &Limits,
) -> Result<Vec<u8>, Refusal> {
    let (options, document) = if suite == Suite::EddsaJcs2022 {
        json::check(document, limits)?;
        // The options state the context that was signed; the document may not have another one (section 3.3.2, step 4).
        let stated = options.get("@context");
        if stated.is_some() && stated != document.get("@context") {
            return Err(CONTEXT_SWAP.because("the proof was made under other contexts"));
        }
        let options = json::jcs(&Value::Object(options.clone()))?;
        let document = json::jcs(document)?;
        (
            sha256(&[options.as_bytes()]),
            sha256(&[document.as_bytes()]),
        )
    } else {
        let document_hash = canonical(document, limits)?.hash();
        (options_hash(document, options, limits)?, document_hash)
    };
    Ok([options, document].concat())
}

/// SHA-256 of the canonical proof options, read in the document's contexts.
pub(super) fn options_hash(
    document: &Value,
    options: &Map<String, Value>,
    limits: &Limits,
) -> Result<[u8; 32], Refusal> {
    let mut config = options.clone();
    if let Some(context) = document.get("@context") {
        config.insert("@context".to_owned(), context.clone());
    }
    Ok(canonical(&Value::Object(config), limits)?.hash())
}

/// The canonical RDF of a document.
///
/// # Errors
/// Those of [`jsonld::to_rdf`] and [`canonicalise`].
pub fn canonical(document: &Value, limits: &Limits) -> Result<Canonical, Refusal> {
    let quads = jsonld::to_rdf(document, limits)?;
    canonicalise(&quads, limits.canonical_steps_max)
}
