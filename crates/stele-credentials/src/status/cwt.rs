//! CBOR Web Tokens (RFC 8392) in COSE_Sign1 (RFC 9052), as far as status lists need them.
//!
//! The core's CBOR reads one encoding of each value; foreign tokens order their claims as they like, so they are read
//! with a general decoder here.

use ciborium::Value;

use super::deflate::{Wrapping, inflate};
use super::rules::*;
use super::{ListExpectation, TokenStatusList, Width};
use crate::jose::rules::{ALG_UNSUPPORTED, CRIT_UNKNOWN, KEY_ALG, TYPE};
use crate::jose::{PublicKey, Signer};
use crate::refusal::Refusal;
use crate::sd_jwt::StatusReference;

const TYPE_CWT: &str = "application/statuslist+cwt";
/// COSE_Sign1's tag (RFC 9052 section 2).
const TAG_SIGN1: u64 = 18;
/// The longest token, in bytes.
const BYTES_MAX: usize = 4 << 20;
const DEPTH_MAX: usize = 16;

// Labels of headers (RFC 9052 section 3.1, RFC 9596) and claims (RFC 8392, Token Status List section 14.3).
const ALG: i64 = 1;
const CRIT: i64 = 2;
const KID: i64 = 4;
const TYP: i64 = 16;
const SUB: i64 = 2;
const EXP: i64 = 4;
const IAT: i64 = 6;
const TTL: i64 = 65534;
const STATUS_LIST: i64 = 65533;
const STATUS: i64 = 65535;

/// The claims of a verified CWT.
#[derive(Debug, Clone, PartialEq)]
pub struct CwtClaims(Vec<(Value, Value)>);

impl CwtClaims {
    fn get(&self, label: i64) -> Result<Option<&Value>, Refusal> {
        get(&self.0, &Value::from(label))
    }

    fn number(&self, label: i64) -> Result<Option<u64>, Refusal> {
        match self.get(label)? {
            None => Ok(None),
            Some(value) => {
                let number = value
                    .as_integer()
                    .and_then(|number| u64::try_from(number).ok());
                number
                    .map(Some)
                    .ok_or_else(|| malformed(format_args!("claim {label}")))
            }
        }
    }

    /// The claim `status` of a credential: where its status is published.
    ///
    /// # Errors
    /// `status.list-malformed`.
    pub fn status_reference(&self) -> Result<Option<StatusReference>, Refusal> {
        let Some(status) = self.get(STATUS)? else {
            return Ok(None);
        };
        let status = status.as_map().ok_or_else(|| malformed("status"))?;
        let Some(list) = get(status, &Value::from("status_list"))? else {
            return Ok(None);
        };
        let list = list.as_map().ok_or_else(|| malformed("status_list"))?;
        let index = get(list, &Value::from("idx"))?.and_then(Value::as_integer);
        let index = index.and_then(|index| u64::try_from(index).ok());
        let uri = get(list, &Value::from("uri"))?.and_then(Value::as_text);
        match (uri, index) {
            (Some(uri), Some(index)) => Ok(Some(StatusReference {
                uri: uri.to_owned(),
                index,
            })),
            _ => Err(malformed("status_list")),
        }
    }
}

/// Verifies a CWT in COSE_Sign1, tagged or not, and its `typ` if one is expected.
///
/// # Errors
/// `status.list-malformed` for bad CBOR, `jose.alg-unsupported`, `jose.crit-unknown`, `jose.key-algorithm`, `jose.type`,
/// `jose.signature`.
pub fn verify_cwt(bytes: &[u8], typ: Option<&str>, key: &PublicKey) -> Result<CwtClaims, Refusal> {
    let token = match decode(bytes)? {
        Value::Tag(TAG_SIGN1, inner) => *inner,
        other => other,
    };
    let parts = token.into_array().map_err(|_| malformed("no COSE_Sign1"))?;
    let [
        Value::Bytes(protected),
        Value::Map(unprotected),
        Value::Bytes(payload),
        Value::Bytes(signature),
    ] = &parts[..]
    else {
        return Err(malformed("no COSE_Sign1"));
    };
    let header = decode(protected)?
        .into_map()
        .map_err(|_| malformed("the header is no map"))?;
    if get(&header, &Value::from(CRIT))?.is_some()
        || get(unprotected, &Value::from(CRIT))?.is_some()
    {
        return Err(CRIT_UNKNOWN.refuse());
    }
    let alg = get(&header, &Value::from(ALG))?.and_then(Value::as_integer);
    let alg = alg
        .and_then(|alg| i64::try_from(alg).ok())
        .ok_or_else(|| malformed("no alg"))?;
    match (alg, key.algorithm()) {
        // ES256; EdDSA and Ed25519 (RFC 9864).
        (-7 | -9, "ES256") | (-8 | -19, "EdDSA") => {}
        (-7 | -8 | -9 | -19, _) => return Err(KEY_ALG.because(alg)),
        _ => return Err(ALG_UNSUPPORTED.because(alg)),
    }
    if let Some(expected) = typ {
        let found = get(&header, &Value::from(TYP))?.and_then(Value::as_text);
        if found != Some(expected) {
            return Err(TYPE.because(found.unwrap_or_default()));
        }
    }
    key.verify(&signed_bytes(protected, payload), signature)?;
    let claims = decode(payload)?
        .into_map()
        .map_err(|_| malformed("the claims are no map"))?;
    Ok(CwtClaims(claims))
}

impl TokenStatusList {
    /// Signs the list as CWT (section 5.2).
    ///
    /// # Errors
    /// The signer's.
    pub fn to_cwt(&self, key_id: Option<&[u8]>, signer: &dyn Signer) -> Result<Vec<u8>, Refusal> {
        let alg = if signer.algorithm() == "ES256" {
            -7
        } else {
            -8
        };
        let header = Value::Map(vec![
            (ALG.into(), alg.into()),
            (TYP.into(), TYPE_CWT.into()),
        ]);
        let mut claims = vec![(SUB.into(), self.uri.as_str().into())];
        if let Some(time) = self.expires_at {
            claims.push((EXP.into(), time.into()));
        }
        claims.push((IAT.into(), self.issued_at.into()));
        let list = vec![
            ("bits".into(), self.width.bits().into()),
            ("lst".into(), Value::Bytes(self.compressed.clone())),
        ];
        claims.push((STATUS_LIST.into(), Value::Map(list)));
        if let Some(seconds) = self.ttl_seconds {
            claims.push((TTL.into(), seconds.into()));
        }
        let (protected, payload) = (encode(&header), encode(&Value::Map(claims)));
        let signature = signer.sign(&signed_bytes(&protected, &payload))?;
        let unprotected = key_id.map(|kid| (KID.into(), Value::Bytes(kid.to_vec())));
        let token = Value::Array(vec![
            Value::Bytes(protected),
            Value::Map(unprotected.into_iter().collect()),
            Value::Bytes(payload),
            Value::Bytes(signature.to_vec()),
        ]);
        Ok(encode(&Value::Tag(TAG_SIGN1, Box::new(token))))
    }

    /// Verifies a list fetched as CWT, its kind, its address and its times.
    ///
    /// # Errors
    /// Those of [`verify_cwt`], `status.bits`, `status.list-of-another`, `status.list-expired`.
    pub fn verify_cwt(
        bytes: &[u8],
        key: &PublicKey,
        expectation: &ListExpectation<'_>,
    ) -> Result<Self, Refusal> {
        let claims = verify_cwt(bytes, Some(TYPE_CWT), key)?;
        let uri = claims
            .get(SUB)?
            .and_then(Value::as_text)
            .ok_or_else(|| malformed("no sub"))?;
        let list = claims
            .get(STATUS_LIST)?
            .ok_or_else(|| malformed("no status_list"))?;
        let (width, compressed) = read_list(list)?;
        let list = Self {
            uri: uri.to_owned(),
            issued_at: claims.number(IAT)?.ok_or_else(|| malformed("no iat"))?,
            expires_at: claims.number(EXP)?,
            ttl_seconds: claims.number(TTL)?,
            width,
            compressed,
        };
        list.checked(expectation)
    }

    /// Reads a bare list in CBOR (section 4.3).
    ///
    /// # Errors
    /// `status.list-malformed`, `status.bits`.
    pub fn list_from_cbor(bytes: &[u8]) -> Result<(Width, Vec<u8>), Refusal> {
        let (width, compressed) = read_list(&decode(bytes)?)?;
        inflate(&compressed, Wrapping::Zlib)?;
        Ok((width, compressed))
    }
}

fn read_list(list: &Value) -> Result<(Width, Vec<u8>), Refusal> {
    let list = list.as_map().ok_or_else(|| malformed("status_list"))?;
    let bits = get(list, &Value::from("bits"))?.and_then(Value::as_integer);
    let bits = bits
        .and_then(|bits| u64::try_from(bits).ok())
        .ok_or_else(|| malformed("bits"))?;
    let bytes = get(list, &Value::from("lst"))?
        .and_then(Value::as_bytes)
        .ok_or_else(|| malformed("lst"))?;
    Ok((Width::from_bits(bits)?, bytes.clone()))
}

/// The Sig_structure of COSE_Sign1 without external data (RFC 9052 section 4.4).
fn signed_bytes(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    encode(&Value::Array(vec![
        "Signature1".into(),
        Value::Bytes(protected.to_vec()),
        Value::Bytes(Vec::new()),
        Value::Bytes(payload.to_vec()),
    ]))
}

/// A member of a map; refused if it stands there twice.
fn get<'a>(map: &'a [(Value, Value)], label: &Value) -> Result<Option<&'a Value>, Refusal> {
    let mut found = map
        .iter()
        .filter(|(key, _)| key == label)
        .map(|(_, value)| value);
    let first = found.next();
    if found.next().is_some() {
        return Err(malformed("a label stands twice"));
    }
    Ok(first)
}

fn decode(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.len() > BYTES_MAX {
        return Err(LIST_TOO_LARGE.because(format_args!("{} bytes", bytes.len())));
    }
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEPTH_MAX);
    match value {
        Ok(value) if rest.is_empty() => Ok(value),
        Ok(_) => Err(malformed("bytes after the end")),
        Err(error) => Err(malformed(error)),
    }
}

fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("writing to memory does not fail");
    bytes
}

fn malformed(detail: impl core::fmt::Display) -> Refusal {
    LIST_MALFORMED.because(detail)
}
