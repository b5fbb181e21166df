//! Public keys as JWK (RFC 7517, RFC 8037), and their thumbprints (RFC 7638).

use core::fmt;

use p256::elliptic_curve::sec1::ToSec1Point as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use stele_core::suite;

use super::rules::*;
use crate::json::{from_base64url, to_base64url};
use crate::refusal::Refusal;

/// A public key of Ed25519 or P-256, ready to verify.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    core: suite::PublicKey,
    material: Material,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Material {
    Ed25519([u8; 32]),
    /// x and y.
    P256([u8; 64]),
}

impl PublicKey {
    /// The Ed25519 key with these 32 bytes.
    ///
    /// # Errors
    /// `jose.key-malformed` if they are no point, `jose.key-weak` for a point of small order.
    pub fn from_ed25519(bytes: &[u8]) -> Result<Self, Refusal> {
        let bytes: [u8; 32] = bytes
            .try_into()
            .map_err(|_| KEY_MALFORMED.because("an Ed25519 key has 32 bytes"))?;
        let core =
            suite::PublicKey::from_ed25519(&bytes).map_err(|error| KEY_MALFORMED.because(error))?;
        if core.is_small_order() {
            return Err(KEY_WEAK.refuse());
        }
        Ok(Self {
            core,
            material: Material::Ed25519(bytes),
        })
    }

    /// The P-256 key with these coordinates, 32 bytes each.
    ///
    /// # Errors
    /// `jose.key-malformed` if they are no point of the curve.
    pub fn from_p256(x: &[u8], y: &[u8]) -> Result<Self, Refusal> {
        let mut material = [0; 64];
        if x.len() != 32 || y.len() != 32 {
            return Err(KEY_MALFORMED.because("a coordinate of P-256 has 32 bytes"));
        }
        material[..32].copy_from_slice(x);
        material[32..].copy_from_slice(y);
        // The one encoding of the key as COSE_Key (docs/format.md section 2).
        let mut cose = Vec::with_capacity(75);
        cose.extend_from_slice(&[0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20]);
        cose.extend_from_slice(x);
        cose.extend_from_slice(&[0x22, 0x58, 0x20]);
        cose.extend_from_slice(y);
        let core =
            suite::PublicKey::from_cose_key(&cose).map_err(|error| KEY_MALFORMED.because(error))?;
        Ok(Self {
            core,
            material: Material::P256(material),
        })
    }

    /// The P-256 key in the SEC 1 encoding, compressed (33 bytes) or not (65 bytes).
    ///
    /// # Errors
    /// `jose.key-malformed`.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, Refusal> {
        let key = p256::PublicKey::from_sec1_bytes(bytes)
            .map_err(|_| KEY_MALFORMED.because("no point of P-256"))?;
        let point = key.to_sec1_point(false);
        Self::from_p256(&point.as_bytes()[1..33], &point.as_bytes()[33..])
    }

    /// A key of the core, if it is of Ed25519 or P-256.
    ///
    /// # Errors
    /// `jose.key-unsupported` for another suite, `jose.key-weak` for a point of small order.
    pub fn from_core(core: &suite::PublicKey) -> Result<Self, Refusal> {
        let cose = core.to_cose_key();
        match core.suite() {
            suite::Suite::Ed25519 => Self::from_ed25519(&cose[8..]),
            suite::Suite::Es256 => Self::from_p256(&cose[8..40], &cose[43..]),
            other => Err(KEY_UNSUPPORTED.because(other)),
        }
    }

    /// The key as the core knows it.
    pub const fn to_core(&self) -> &suite::PublicKey {
        &self.core
    }

    /// Reads a JWK. Members that do not say what the key is are ignored.
    ///
    /// # Errors
    /// `jose.key-private` if it has a member `d`, `jose.key-unsupported`, `jose.key-malformed`, `jose.key-weak`.
    pub fn from_jwk(jwk: &Value) -> Result<Self, Refusal> {
        let jwk = jwk
            .as_object()
            .ok_or_else(|| KEY_MALFORMED.because("a JWK is an object"))?;
        if jwk.contains_key("d") {
            return Err(KEY_PRIVATE.refuse());
        }
        let text = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or_default();
        let bytes = |name: &str| {
            let bytes = from_base64url(text(name));
            bytes.map_err(|_| KEY_MALFORMED.because(format_args!("{name} is not base64url")))
        };
        let key = match (text("kty"), text("crv")) {
            ("OKP", "Ed25519") => Self::from_ed25519(&bytes("x")?)?,
            ("EC", "P-256") => Self::from_p256(&bytes("x")?, &bytes("y")?)?,
            (kty, crv) => return Err(KEY_UNSUPPORTED.because(format_args!("{kty} {crv}"))),
        };
        match jwk.get("alg").map(|alg| alg.as_str().unwrap_or_default()) {
            Some(alg) if !key.accepts(alg) && !alg.starts_with("ECDH-ES") => {
                Err(KEY_MALFORMED.because(format_args!("alg {alg} is not the key's")))
            }
            _ => Ok(key),
        }
    }

    /// Writes the JWK: only the members that are the key.
    pub fn to_jwk(&self) -> Value {
        match &self.material {
            Material::Ed25519(x) => json!({"kty": "OKP", "crv": "Ed25519", "x": to_base64url(x)}),
            Material::P256(xy) => json!({
                "kty": "EC",
                "crv": "P-256",
                "x": to_base64url(&xy[..32]),
                "y": to_base64url(&xy[32..]),
            }),
        }
    }

    /// The JWK as an object, for a `cnf` or a key set.
    pub fn to_jwk_object(&self) -> Map<String, Value> {
        match self.to_jwk() {
            Value::Object(object) => object,
            _ => Map::new(),
        }
    }

    /// The JWK thumbprint with SHA-256 (RFC 7638), 32 bytes.
    pub fn thumbprint(&self) -> [u8; 32] {
        // The required members in the order of their names, without white space.
        let text = match &self.material {
            Material::Ed25519(x) => {
                format!(
                    r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
                    to_base64url(x)
                )
            }
            Material::P256(xy) => format!(
                r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
                to_base64url(&xy[..32]),
                to_base64url(&xy[32..])
            ),
        };
        Sha256::digest(text.as_bytes()).into()
    }

    /// The 32 bytes of an Ed25519 key.
    pub const fn as_ed25519(&self) -> Option<&[u8; 32]> {
        match &self.material {
            Material::Ed25519(bytes) => Some(bytes),
            Material::P256(_) => None,
        }
    }

    /// The compressed SEC 1 encoding of a P-256 key, 33 bytes.
    pub fn to_compressed_p256(&self) -> Option<[u8; 33]> {
        let Material::P256(xy) = &self.material else {
            return None;
        };
        let mut bytes = [0; 33];
        bytes[0] = 2 + (xy[63] & 1);
        bytes[1..].copy_from_slice(&xy[..32]);
        Some(bytes)
    }

    /// The uncompressed SEC 1 encoding of a P-256 key, 65 bytes.
    pub fn to_uncompressed_p256(&self) -> Option<[u8; 65]> {
        let Material::P256(xy) = &self.material else {
            return None;
        };
        let mut bytes = [4; 65];
        bytes[1..].copy_from_slice(xy);
        Some(bytes)
    }

    /// The JOSE name of the key's algorithm: `EdDSA` or `ES256`.
    pub const fn algorithm(&self) -> &'static str {
        match &self.material {
            Material::Ed25519(_) => "EdDSA",
            Material::P256(_) => "ES256",
        }
    }

    /// Whether a JOSE `alg` is the key's: `EdDSA` (RFC 8037) and `Ed25519` (RFC 9864) for Ed25519, `ES256` for P-256.
    pub fn accepts(&self, alg: &str) -> bool {
        match &self.material {
            Material::Ed25519(_) => matches!(alg, "EdDSA" | "Ed25519"),
            Material::P256(_) => alg == "ES256",
        }
    }

    /// The key as the core knows it.
    pub const fn core(&self) -> &suite::PublicKey {
        &self.core
    }

    /// Verifies a signature over `message` by the key's one algorithm.
    ///
    /// # Errors
    /// `jose.signature`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        self.core
            .verify(self.core.suite().algorithm(), message, signature)
            .map_err(|_| SIGNATURE.refuse())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PublicKey({}, {})",
            self.algorithm(),
            to_base64url(self.thumbprint())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Rule;

    fn refusal(jwk: Value) -> &'static Rule {
        PublicKey::from_jwk(&jwk).unwrap_err().rule()
    }

    /// RFC 8037 appendix A.2 and A.3.
    #[test]
    fn the_thumbprint_of_rfc_8037() {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let key = PublicKey::from_jwk(&jwk).unwrap();
        assert_eq!(
            to_base64url(key.thumbprint()),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
        assert_eq!(key.to_jwk(), jwk);
    }

    #[test]
    fn p256_keys_round_trip() {
        let secret = suite::SigningKey::from_seed(suite::Suite::Es256, &[7; 32]).unwrap();
        let key = PublicKey::from_core(secret.public()).unwrap();
        assert_eq!(PublicKey::from_jwk(&key.to_jwk()).unwrap(), key);
        assert_eq!(
            PublicKey::from_sec1(&key.to_compressed_p256().unwrap()).unwrap(),
            key
        );
        assert_eq!(
            PublicKey::from_sec1(&key.to_uncompressed_p256().unwrap()).unwrap(),
            key
        );
        assert_eq!(key.as_ed25519(), None);
    }

    #[test]
    fn refuses_bad_keys() {
        for jwk in [
            json!("key"),
            json!({"kty": "OKP", "crv": "Ed25519"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "alg": "ES256"}),
            json!({"kty": "EC", "crv": "P-256", "x": to_base64url([1; 32]), "y": to_base64url([1; 32])}),
        ] {
            assert_eq!(refusal(jwk), KEY_MALFORMED);
        }
    }

    #[test]
    fn refuses_keys_of_other_kinds() {
        assert_eq!(
            refusal(json!({"kty": "RSA", "n": "AQ", "e": "AQAB"})),
            KEY_UNSUPPORTED
        );
        assert_eq!(
            refusal(json!({"kty": "EC", "crv": "secp256k1", "x": "AQ", "y": "AQ"})),
            KEY_UNSUPPORTED
        );
        assert_eq!(
            refusal(json!({"kty": "OKP", "crv": "X25519", "x": "AQ"})),
            KEY_UNSUPPORTED
        );
        assert_eq!(refusal(json!({})), KEY_UNSUPPORTED);
    }

    #[test]
    fn refuses_private_keys() {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "AA"});
        assert_eq!(refusal(jwk), KEY_PRIVATE);
    }

    #[test]
    fn refuses_weak_keys() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(
            PublicKey::from_ed25519(&identity).unwrap_err().rule(),
            KEY_WEAK
        );
    }
}
