//! JWS in the compact form (RFC 7515 section 3.1): read first, verify then, never the other way round.

use serde_json::{Map, Value};
use stele_core::suite::{self, BatchItem};

use super::rules::*;
use super::{PublicKey, Signer};
use crate::json::{self, JsonLimits, from_base64url, push_base64url};
use crate::refusal::Refusal;

/// The longest compact JWS that is read, in bytes.
pub const TEXT_BYTES_MAX: usize = 4 << 20;
/// Headers hold names and at most a certificate chain.
const HEADER_LIMITS: JsonLimits = JsonLimits {
    bytes_max: 64 << 10,
    depth_max: 8,
};

/// A compact JWS, decoded but NOT verified.
#[derive(Debug, Clone)]
pub struct Jws<'a> {
    header: Map<String, Value>,
    payload: Vec<u8>,
    signed: &'a str,
    signature: [u8; 64],
}

impl<'a> Jws<'a> {
    /// Decodes the three parts and refuses what no key could make good.
    ///
    /// # Errors
    /// `jose.malformed`, `jose.alg-none`, `jose.alg-unsupported`, `jose.crit-unknown`, those of [`json::parse`] for the
    /// header, and `encoding.base64url`.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(json::rules::JSON_TOO_LARGE.because(format_args!("{} bytes", text.len())));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JWS_MALFORMED.refuse())?;
        let (header, payload) = signed.split_once('.').ok_or(JWS_MALFORMED.refuse())?;
        if payload.contains('.') {
            return Err(JWS_MALFORMED.because("more than three parts"));
        }
        let header = json::parse_object(&from_base64url(header)?, HEADER_LIMITS)?;
        check_header(&header)?;
        let signature = from_base64url(signature)?;
        let signature = signature
            .try_into()
            .map_err(|_| JWS_MALFORMED.because("the signature has not 64 bytes"))?;
        Ok(Self {
            header,
            payload: from_base64url(payload)?,
            signed,
            signature,
        })
    }

    /// The protected header.
    pub const fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// A member of the header that is a text.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }

    /// The payload's bytes. Trust them only after a verification.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as a JSON object.
    ///
    /// # Errors
    /// Those of [`json::parse_object`].
    pub fn claims(&self, limits: JsonLimits) -> Result<Map<String, Value>, Refusal> {
        json::parse_object(&self.payload, limits)
    }

    /// Checks that the header's `typ` is one of these. RFC 7515 section 4.1.9 lets a sender leave out `application/`.
    ///
    /// # Errors
    /// `jose.type`.
    pub fn check_type(&self, allowed: &[&str]) -> Result<(), Refusal> {
        let typ = self.header_text("typ").unwrap_or_default();
        let short = typ.strip_prefix("application/").unwrap_or(typ);
        if allowed.iter().any(|name| short.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        Err(TYPE.because(format_args!("typ is {typ:?}, not {}", allowed.join(" or "))))
    }

    /// Verifies the signature.
    ///
    /// # Errors
    /// `jose.key-algorithm`, `jose.signature`.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Refusal> {
        self.check_algorithm(key)?;
        key.verify(self.signed.as_bytes(), &self.signature)
    }

    fn check_algorithm(&self, key: &PublicKey) -> Result<(), Refusal> {
        match self.header_text("alg") {
            Some(alg) if key.accepts(alg) => Ok(()),
            alg => Err(KEY_ALG.because(alg.unwrap_or_default())),
        }
    }
}

/// Verifies many; verdict i is that of [`Jws::verify`] on item i. Ed25519 signatures share one equation, which pays from
/// about 16 items on. One thread: give each core a slice.
pub fn verify_batch(items: &[(&Jws<'_>, &PublicKey)]) -> Vec<Result<(), Refusal>> {
    let batch: Vec<BatchItem<'_>> = items
        .iter()
        .map(|(jws, key)| BatchItem {
            key: key.core(),
            alg: key.core().suite().algorithm(),
            message: jws.signed.as_bytes(),
            signature: &jws.signature,
        })
        .collect();
    items
        .iter()
        .zip(suite::verify_batch(&batch))
        .map(|((jws, key), verdict)| {
            jws.check_algorithm(key)?;
            verdict.map_err(|_| SIGNATURE.refuse())
        })
        .collect()
}

/// Signs `payload` under a header with these members; `alg` is added.
///
/// # Errors
/// The signer's.
pub fn sign(
    header: &Map<String, Value>,
    payload: &[u8],
    signer: &dyn Signer,
) -> Result<String, Refusal> {
    let mut text = String::with_capacity(200 + payload.len() / 3 * 4);
    let mut whole = Map::with_capacity(header.len() + 1);
    whole.insert("alg".to_owned(), signer.algorithm().into());
    for (name, value) in header {
        if name != "alg" {
            whole.insert(name.clone(), value.clone());
        }
    }
    push_base64url(Value::Object(whole).to_string(), &mut text);
    text.push('.');
    push_base64url(payload, &mut text);
    let signature = signer.sign(text.as_bytes())?;
    text.push('.');
    push_base64url(signature, &mut text);
    Ok(text)
}

/// Signs JSON claims under a header with this `typ` and, if given, this `kid`.
///
/// # Errors
/// The signer's.
pub fn sign_json(
    typ: &str,
    kid: Option<&str>,
    claims: &Value,
    signer: &dyn Signer,
) -> Result<String, Refusal> {
    let mut header = Map::new();
    header.insert("typ".to_owned(), typ.into());
    if let Some(kid) = kid {
        header.insert("kid".to_owned(), kid.into());
    }
    sign(&header, claims.to_string().as_bytes(), signer)
}

fn check_header(header: &Map<String, Value>) -> Result<(), Refusal> {
    let alg = header
        .get("alg")
        .and_then(Value::as_str)
        .ok_or_else(|| JWS_MALFORMED.because("the header has no alg"))?;
    if alg.eq_ignore_ascii_case("none") {
        return Err(ALG_NONE.refuse());
    }
    if !matches!(alg, "EdDSA" | "Ed25519" | "ES256") {
        return Err(ALG_UNSUPPORTED.because(alg));
    }
    // No extension is understood here, so each critical one is unknown (RFC 7515 section 4.1.11).
    if let Some(crit) = header.get("crit") {
        return Err(CRIT_UNKNOWN.because(crit));
    }
    // RFC 7797's unencoded payload must be critical; without that it is an attack on naive readers.
    if header.contains_key("b64") {
        return Err(CRIT_UNKNOWN.because("b64"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::to_base64url;
    use crate::refusal::Rule;
    use proptest::prelude::*;
    use serde_json::json;
    use stele_core::suite::{SigningKey, Suite};

    fn key(suite: Suite, seed: u8) -> SigningKey {
        SigningKey::from_seed(suite, &[seed; 32]).unwrap()
    }

    fn token(header: Value) -> String {
        format!(
            "{}.{}.{}",
            to_base64url(header.to_string()),
            to_base64url("{}"),
            to_base64url([0; 64])
        )
    }

    fn refusal(text: &str) -> &'static Rule {
        Jws::parse(text).unwrap_err().rule()
    }

    /// RFC 8037 appendix A.4.
    #[test]
    fn verifies_the_jws_of_rfc_8037() {
        let text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let jws = Jws::parse(text).unwrap();
        jws.verify(&PublicKey::from_jwk(&jwk).unwrap()).unwrap();
        assert_eq!(jws.payload(), b"Example of Ed25519 signing");
    }

    #[test]
    fn signs_and_verifies_with_both_algorithms() {
        for suite in [Suite::Ed25519, Suite::Es256] {
            let signer = key(suite, 1);
            let text = sign_json("a+jwt", Some("k"), &json!({"x": 1}), &signer).unwrap();
            let jws = Jws::parse(&text).unwrap();
            jws.verify(&signer.public_key()).unwrap();
            jws.check_type(&["a+jwt"]).unwrap();
            assert_eq!(jws.header_text("kid"), Some("k"));
            assert_eq!(jws.claims(JsonLimits::default()).unwrap()["x"], 1);
        }
    }

    #[test]
    fn refuses_what_is_no_jws() {
        for text in ["", "a", "a.b", "e30.e30.e30.e30"] {
            assert_eq!(refusal(text), JWS_MALFORMED, "{text}");
        }
        assert_eq!(refusal(&token(json!({"typ": "JWT"}))), JWS_MALFORMED);
        let short = token(json!({"alg": "EdDSA"}));
        assert_eq!(refusal(&short[..short.len() - 4]), JWS_MALFORMED);
    }

    #[test]
    fn refuses_alg_none() {
        for alg in ["none", "None", "NONE"] {
            assert_eq!(refusal(&token(json!({"alg": alg}))), ALG_NONE);
        }
    }

    #[test]
    fn refuses_other_algorithms() {
        for alg in ["HS256", "RS256", "ES384", "eddsa", ""] {
            assert_eq!(refusal(&token(json!({"alg": alg}))), ALG_UNSUPPORTED);
        }
    }

    #[test]
    fn refuses_critical_headers() {
        assert_eq!(
            refusal(&token(json!({"alg": "EdDSA", "crit": ["exp"], "exp": 1}))),
            CRIT_UNKNOWN
        );
        assert_eq!(
            refusal(&token(json!({"alg": "EdDSA", "crit": []}))),
            CRIT_UNKNOWN
        );
        assert_eq!(
            refusal(&token(json!({"alg": "EdDSA", "b64": false}))),
            CRIT_UNKNOWN
        );
    }

    #[test]
    fn refuses_bad_signatures() {
        for suite in [Suite::Ed25519, Suite::Es256] {
            let text = sign_json("JWT", None, &json!({"x": 1}), &key(suite, 1)).unwrap();
            let (other, own) = (key(suite, 2).public_key(), key(suite, 1).public_key());
            assert_eq!(
                Jws::parse(&text)
                    .unwrap()
                    .verify(&other)
                    .unwrap_err()
                    .rule(),
                SIGNATURE
            );
            let altered = sign_json("JWT", None, &json!({"x": 2}), &key(suite, 1)).unwrap();
            let (_, signature) = text.rsplit_once('.').unwrap();
            let (signed, _) = altered.rsplit_once('.').unwrap();
            let mixed = format!("{signed}.{signature}");
            assert_eq!(
                Jws::parse(&mixed).unwrap().verify(&own).unwrap_err().rule(),
                SIGNATURE
            );
        }
    }

    #[test]
    fn refuses_an_algorithm_of_another_key() {
        let text = sign_json("JWT", None, &json!({}), &key(Suite::Ed25519, 1)).unwrap();
        let other = key(Suite::Es256, 1).public_key();
        assert_eq!(
            Jws::parse(&text)
                .unwrap()
                .verify(&other)
                .unwrap_err()
                .rule(),
            KEY_ALG
        );
    }

    #[test]
    fn refuses_another_type() {
        let text = sign_json(
            "application/dc+sd-jwt",
            None,
            &json!({}),
            &key(Suite::Ed25519, 1),
        )
        .unwrap();
        let jws = Jws::parse(&text).unwrap();
        jws.check_type(&["kb+jwt", "dc+sd-jwt"]).unwrap();
        assert_eq!(jws.check_type(&["kb+jwt"]).unwrap_err().rule(), TYPE);
    }

    #[test]
    fn a_batch_gives_the_single_verdicts() {
        let texts: Vec<String> = (0..40)
            .map(|i| {
                let suite = if i % 3 == 0 {
                    Suite::Es256
                } else {
                    Suite::Ed25519
                };
                let mut text = sign_json("JWT", None, &json!({"i": i}), &key(suite, 1)).unwrap();
                if i % 7 == 0 {
                    let end = text.len() - 20;
                    let other = if &text[end..=end] == "A" { "B" } else { "A" };
                    text.replace_range(end..=end, other);
                }
                text
            })
            .collect();
        let keys = [
            key(Suite::Ed25519, 1).public_key(),
            key(Suite::Es256, 1).public_key(),
        ];
        let parsed: Vec<Jws<'_>> = texts.iter().map(|text| Jws::parse(text).unwrap()).collect();
        let items: Vec<_> = parsed
            .iter()
            .enumerate()
            .map(|(i, jws)| (jws, &keys[usize::from(i % 5 == 0)]))
            .collect();
        let singles: Vec<_> = items.iter().map(|(jws, key)| jws.verify(key)).collect();
        assert_eq!(verify_batch(&items), singles);
        assert!(singles.iter().any(Result::is_ok) && singles.iter().any(Result::is_err));
    }

    proptest! {
        #[test]
        fn random_text_never_panics(text in "[A-Za-z0-9._~-]{0,120}") {
            let _ = Jws::parse(&text);
        }

        #[test]
        fn an_altered_token_never_verifies(position in 0usize..1000, letter in "[A-Za-z0-9._-]") {
            let signer = key(Suite::Ed25519, 1);
            let text = sign_json("JWT", None, &json!({"name": "Fictional Person"}), &signer).unwrap();
            let position = position % text.len();
            let mut altered = text.clone();
            altered.replace_range(position..=position, &letter);
            prop_assume!(altered != text);
            if let Ok(jws) = Jws::parse(&altered) {
                prop_assert!(jws.verify(&signer.public_key()).is_err());
            }
        }
    }
}
