//! Verifies whole documents: shape, time, purpose, signature, and who stands behind it.

use serde_json::Value;

use crate::refusal::Refusal;
use crate::sd_jwt::rules::{EXPIRED, NOT_YET_VALID};

use super::json::Limits;
use super::keys::{ProofKey, controller_of, key_for};
use super::proof::{Expectation, Proof, Purpose, Suite};
use super::rules::{CHALLENGE_WRONG, CONTROLLER_UNKNOWN, CREDENTIAL_STRUCTURE, ISSUER_MISMATCH};
use super::structure::{self, Shape};
use super::time::UnixSeconds;
use super::{bbs, suites};

/// Gives the controller document of an identifier, already fetched and judged fit for the time in question.
pub type Controllers<'a> = &'a dyn Fn(&str) -> Option<Value>;

/// What a verified credential says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCredential {
    /// Who issued it: named in it, and the controller of the key.
    pub issuer: String,
    /// The suites of its proofs.
    pub suites: Vec<Suite>,
    /// When the first proof says it was made.
    pub created: Option<UnixSeconds>,
    /// Valid from.
    pub valid_from: Option<UnixSeconds>,
    /// Valid until.
    pub valid_until: Option<UnixSeconds>,
}

/// What a verified presentation says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedPresentation {
    /// Who presented: the controller of the key.
    pub holder: String,
    /// The credentials in it that have proofs of their own, in order.
    pub credentials: Vec<VerifiedCredential>,
}

/// Verifies a credential: its shape (also of data model 1.1), its time, and each of its proofs.
///
/// A derived proof of bbs-2023 is bound to `expected.challenge` through its presentation header: where a challenge is
/// expected, the header must be its bytes.
///
/// # Errors
/// `credential.expired`, `credential.not-yet-valid`, `credential.structure`, `integrity.issuer-mismatch` and those of
/// [`verify_proof`].
pub fn verify_credential(
    document: &Value,
    controllers: Controllers<'_>,
    expected: &Expectation<'_>,
    limits: &Limits,
) -> Result<VerifiedCredential, Refusal> {
    let shape = Shape {
        issuer_required: true,
        version_1: true,
    };
    super::json::check(document, limits)?;
    structure::check_credential(document, shape, limits)?;
    let (valid_from, valid_until) = structure::validity(document)?;
    if valid_until.is_some_and(|until| until < expected.now) {
        return Err(EXPIRED.refuse());
    }
    if valid_from.is_some_and(|from| from > expected.now.saturating_add(expected.skew_seconds)) {
        return Err(NOT_YET_VALID.refuse());
    }
    let issuer = structure::issuer_of(document)
        .ok_or_else(|| CREDENTIAL_STRUCTURE.because("it names no issuer"))?;
    let proofs = Proof::read_all(document, limits)?;
    // A credential's proof is for everyone: domain and challenge belong to presentations and to derived proofs.
    let open = Expectation {
        domain: None,
        challenge: None,
        ..*expected
    };
    for proof in &proofs {
        check_binding(proof, issuer)?;
        let header = verify_proof(
            document,
            proof,
            Purpose::Assertion,
            controllers,
            &open,
            limits,
        )?;
        if let (Some(header), Some(challenge)) = (header, expected.challenge)
            && header != challenge.as_bytes()
        {
            return Err(CHALLENGE_WRONG.refuse());
        }
    }
    Ok(VerifiedCredential {
        issuer: issuer.to_owned(),
        suites: proofs.iter().map(|proof| proof.suite).collect(),
        created: proofs[0].created()?,
        valid_from,
        valid_until,
    })
}

/// Checks that a proof's key belongs to the issuer that the document names. The signature is another question.
///
/// # Errors
/// `integrity.issuer-mismatch`.
pub fn check_binding(proof: &Proof, issuer: &str) -> Result<(), Refusal> {
    let signer = controller_of(&proof.verification_method);
    if signer == issuer {
        Ok(())
    } else {
        Err(ISSUER_MISMATCH.because(format_args!("{issuer} is named, {signer} signed")))
    }
}

/// Verifies one proof: purpose and time, the key in its controller's document, and the signature. For bbs-2023, gives
/// the presentation header.
///
/// # Errors
/// Those of [`Proof::check`], [`key_for`], [`suites::verify`] and [`bbs::verify`].
pub fn verify_proof(
    document: &Value,
    proof: &Proof,
    purpose: Purpose,
    controllers: Controllers<'_>,
    expected: &Expectation<'_>,
    limits: &Limits,
) -> Result<Option<Vec<u8>>, Refusal> {
    proof.check(purpose, expected)?;
    let key = find_key(&proof.verification_method, purpose, controllers)?;
    if proof.suite == Suite::Bbs2023 {
        bbs::verify(document, proof, &key, limits).map(Some)
    } else {
        suites::verify(document, proof, &key, limits).map(|()| None)
    }
}

fn find_key(
    method: &str,
    purpose: Purpose,
    controllers: Controllers<'_>,
) -> Result<ProofKey, Refusal> {
    let controller = controller_of(method);
    let document = controllers(controller);
    let document = document.ok_or_else(|| CONTROLLER_UNKNOWN.because(controller))?;
    key_for(&document, method, purpose)
}

/// Verifies a presentation: shape, the holder's proof with domain and challenge, and each credential in it.
///
/// # Errors
/// Those of [`structure::check_presentation`], [`structure::check_self_asserted`], [`verify_proof`] and
/// [`verify_credential`]; `integrity.issuer-mismatch` if another than the named holder signed.
pub fn verify_presentation(
    document: &Value,
    controllers: Controllers<'_>,
    expected: &Expectation<'_>,
    limits: &Limits,
) -> Result<VerifiedPresentation, Refusal> {
    super::json::check(document, limits)?;
    structure::check_presentation(document, limits)?;
    structure::check_self_asserted(document)?;
    let proofs = Proof::read_all(document, limits)?;
    let holder = controller_of(&proofs[0].verification_method).to_owned();
    let named = document.get("holder").map(|holder| {
        let id = holder.get("id").unwrap_or(holder);
        id.as_str().unwrap_or_default()
    });
    for proof in &proofs {
        check_binding(proof, named.unwrap_or(&holder))?;
        verify_proof(
            document,
            proof,
            Purpose::Authentication,
            controllers,
            expected,
            limits,
        )?;
    }
    let inner = match document.get("verifiableCredential") {
        None => &[][..],
        Some(Value::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
    };
    let signed = inner
        .iter()
        .filter(|credential| credential.get("proof").is_some());
    let credentials = signed
        .map(|credential| verify_credential(credential, controllers, expected, limits))
        .collect::<Result<_, _>>()?;
    Ok(VerifiedPresentation {
        holder,
        credentials,
    })
}
