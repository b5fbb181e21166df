//! Reading what a browser answers, before the library sees it: sizes, and what the library leaves open.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value as Cbor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential, WebauthnError};

use crate::refusal::{
    BAD_SIGNATURE, CHANGED, CLONED, MALFORMED, NOT_VERIFIED, REPLAYED, Refusal, UNKNOWN_CREDENTIAL,
    UNSUPPORTED, WRONG_ORIGIN, WRONG_SITE,
};

/// The longest answer, in bytes. An id has at most 1,023, an RSA key 270; browsers add the key in other forms and names
/// of transports.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// How deeply an attestation object may be nested. One without certificates has two levels.
const ATTESTATION_DEPTH_MAX: usize = 8;

/// Where the browser says that it signed (Web Authentication, section 5.8.1). The rest is compared by the library.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(default)]
    cross_origin: Option<bool>,
    #[serde(default)]
    top_origin: Option<String>,
}

/// The answer to a registration.
pub(crate) fn registration(answer: &[u8]) -> Result<RegisterPublicKeyCredential, Refusal> {
    let answer: RegisterPublicKeyCredential = read(answer)?;
    check_id(&answer.id, &answer.raw_id, &answer.type_)?;
    check_client_data(&answer.response.client_data_json)?;
    check_attestation(&answer.response.attestation_object)?;
    Ok(answer)
}

/// The answer to a sign-in.
pub(crate) fn authentication(answer: &[u8]) -> Result<PublicKeyCredential, Refusal> {
    let answer: PublicKeyCredential = read(answer)?;
    check_id(&answer.id, &answer.raw_id, &answer.type_)?;
    check_client_data(&answer.response.client_data_json)?;
    Ok(answer)
}

/// Bytes as base64url without padding, the form of ids in the browser's JSON.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Refusal> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(MALFORMED.because(format_args!(
            "{} bytes; at most {ANSWER_BYTES_MAX}",
            answer.len()
        )));
    }
    serde_json::from_slice(answer).map_err(|error| MALFORMED.because(error))
}

/// The id has two forms in one answer, which must not differ: everything here goes by one of them.
fn check_id(id: &str, raw_id: &[u8], kind: &str) -> Result<(), Refusal> {
    if kind != "public-key" {
        return Err(MALFORMED.because("the type is not public-key"));
    }
    if raw_id.is_empty() || encode(raw_id) != id {
        return Err(MALFORMED.because("id and rawId differ"));
    }
    Ok(())
}

/// Neither a registration nor a sign-in from a frame inside another site is accepted: the person would not see whose page
/// it is (Web Authentication, section 13.4.9). The library refuses it for registrations only.
fn check_client_data(client_data: &[u8]) -> Result<(), Refusal> {
    let client_data: ClientData =
        serde_json::from_slice(client_data).map_err(|error| MALFORMED.because(error))?;
    if client_data.cross_origin == Some(true) || client_data.top_origin.is_some() {
        return Err(WRONG_ORIGIN.because("in a frame of another site"));
    }
    Ok(())
}

/// Attestation was not asked for. What comes nevertheless may be empty or signed by the new key itself (section 5.1.3, step
/// 25), and carries no certificate: parsers of X.509 and of makers' formats never see what a stranger sends.
fn check_attestation(object: &[u8]) -> Result<(), Refusal> {
    let object: Cbor =
        ciborium::de::from_reader_with_recursion_limit(object, ATTESTATION_DEPTH_MAX)
            .map_err(|error| MALFORMED.because(error))?;
    let member = |object: &Cbor, name: &str| -> Option<Cbor> {
        let found = object
            .as_map()?
            .iter()
            .find(|(key, _)| key.as_text() == Some(name));
        found.map(|(_, value)| value.clone())
    };
    let format = member(&object, "fmt");
    let statement = member(&object, "attStmt").ok_or_else(|| MALFORMED.because("no attStmt"))?;
    match format.as_ref().and_then(Cbor::as_text) {
        Some("none") => Ok(()),
        Some("packed") if member(&statement, "x5c").is_none() => Ok(()),
        Some(format) => Err(UNSUPPORTED.because(format_args!("attestation {format}"))),
        None => Err(MALFORMED.because("no fmt")),
    }
}

/// The refusal for an error of the library.
pub(crate) fn refusal(error: &WebauthnError) -> Refusal {
    let rule = match error {
        WebauthnError::MismatchedChallenge => REPLAYED,
        WebauthnError::InvalidRPOrigin | WebauthnError::CredentialCrossOrigin => WRONG_ORIGIN,
        WebauthnError::InvalidRPIDHash => WRONG_SITE,
        WebauthnError::UserNotPresent | WebauthnError::UserNotVerified => NOT_VERIFIED,
        WebauthnError::CredentialPossibleCompromise => CLONED,
        WebauthnError::CredentialNotFound => UNKNOWN_CREDENTIAL,
        WebauthnError::AuthenticationFailure
        | WebauthnError::SignatureInvalid
        | WebauthnError::AttestationStatementSigInvalid => BAD_SIGNATURE,
        WebauthnError::CredentialAlteredAlgFromRequest
        | WebauthnError::AttestationNotSupported
        | WebauthnError::COSEKeyInvalidAlgorithm
        | WebauthnError::COSEKeyInvalidType
        | WebauthnError::COSEKeyEDUnsupported => UNSUPPORTED,
        WebauthnError::CredentialBackupEligibilityInconsistent
        | WebauthnError::CredentialMayNotBeHardwareBound => CHANGED,
        _ => MALFORMED,
    };
    rule.because(error)
}
