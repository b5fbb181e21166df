//! IETF Token Status List: a signed list as JWT or CWT.

use serde_json::{Map, Value, json};

use super::deflate::{Wrapping, byte_at, compress, inflate};
use super::rules::*;
use super::{BitOrder, Status, StatusBits, Width};
use crate::jose::{self, Jws, PublicKey, Signer};
use crate::json::{JsonLimits, from_base64url, to_base64url};
use crate::refusal::Refusal;
use crate::sd_jwt::StatusReference;

/// The media type of a list as JWT, without `application/`.
pub(super) const TYPE_JWT: &str = "statuslist+jwt";

/// A list as it is published: compressed. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenStatusList {
    /// The address that credentials name (`sub`).
    pub uri: String,
    /// When the list was made (`iat`).
    pub issued_at: u64,
    /// Until when it may be used (`exp`).
    pub expires_at: Option<u64>,
    /// How long a copy may be kept before it is fetched again, in seconds (`ttl`).
    pub ttl_seconds: Option<u64>,
    pub(super) width: Width,
    pub(super) compressed: Vec<u8>,
}

/// What a verifier expects of a list.
#[derive(Debug, Clone, Copy)]
pub struct ListExpectation<'a> {
    /// The address from the credential.
    pub uri: &'a str,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// How far two clocks may differ, in seconds.
    pub skew_seconds: u64,
}

impl TokenStatusList {
    /// Compresses a list for publication.
    ///
    /// # Panics
    /// If the entries are in the order of the W3C list: the caller's own mistake.
    pub fn new(
        uri: &str,
        issued_at: u64,
        expires_at: Option<u64>,
        ttl_seconds: Option<u64>,
        entries: &StatusBits,
    ) -> Self {
        assert_eq!(entries.order(), BitOrder::LowFirst, "a list of the IETF");
        Self {
            uri: uri.to_owned(),
            issued_at,
            expires_at,
            ttl_seconds,
            width: entries.width(),
            compressed: compress(entries.as_bytes(), Wrapping::Zlib),
        }
    }

    /// The claim `status_list` in JSON (section 4.2).
    pub fn to_json(&self) -> Value {
        json!({"bits": self.width.bits(), "lst": to_base64url(&self.compressed)})
    }

    /// Signs the list as JWT (section 5.1).
    ///
    /// # Errors
    /// The signer's.
    pub fn to_jwt(&self, key_id: Option<&str>, signer: &dyn Signer) -> Result<String, Refusal> {
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), self.uri.as_str().into());
        claims.insert("iat".to_owned(), self.issued_at.into());
        if let Some(time) = self.expires_at {
            claims.insert("exp".to_owned(), time.into());
        }
        if let Some(seconds) = self.ttl_seconds {
            claims.insert("ttl".to_owned(), seconds.into());
        }
        claims.insert("status_list".to_owned(), self.to_json());
        jose::sign_json(TYPE_JWT, key_id, &Value::Object(claims), signer)
    }

    /// Verifies a list fetched as JWT, its kind, its address and its times.
    ///
    /// # Errors
    /// Those of [`Jws`], `status.list-malformed`, `status.bits`, `status.list-of-another`, `status.list-expired`.
    pub fn verify_jwt(
        text: &str,
        key: &PublicKey,
        expectation: &ListExpectation<'_>,
    ) -> Result<Self, Refusal> {
        let jws = Jws::parse(text)?;
        jws.check_type(&[TYPE_JWT])?;
        jws.verify(key)?;
        let limits = JsonLimits {
            bytes_max: jose::TEXT_BYTES_MAX,
            depth_max: 8,
        };
        Self::from_claims(&jws.claims(limits)?)?.checked(expectation)
    }

    fn from_claims(claims: &Map<String, Value>) -> Result<Self, Refusal> {
        let missing =
            |name: &str| LIST_MALFORMED.because(format_args!("{name} is missing or wrong"));
        let number = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| missing(name)),
        };
        let list = claims
            .get("status_list")
            .ok_or_else(|| missing("status_list"))?;
        let (width, compressed) = Self::list_from_json(list)?;
        Ok(Self {
            uri: claims
                .get("sub")
                .and_then(Value::as_str)
                .ok_or_else(|| missing("sub"))?
                .to_owned(),
            issued_at: number("iat")?.ok_or_else(|| missing("iat"))?,
            expires_at: number("exp")?,
            ttl_seconds: number("ttl")?,
            width,
            compressed,
        })
    }

    fn list_from_json(list: &Value) -> Result<(Width, Vec<u8>), Refusal> {
        let missing =
            |name: &str| LIST_MALFORMED.because(format_args!("{name} is missing or wrong"));
        let bits = list
            .get("bits")
            .and_then(Value::as_u64)
            .ok_or_else(|| missing("bits"))?;
        let compressed = list
            .get("lst")
            .and_then(Value::as_str)
            .ok_or_else(|| missing("lst"))?;
        Ok((Width::from_bits(bits)?, from_base64url(compressed)?))
    }

    pub(super) fn checked(self, expectation: &ListExpectation<'_>) -> Result<Self, Refusal> {
        if self.uri != expectation.uri {
            return Err(LIST_OF_ANOTHER.because(&self.uri));
        }
        let ListExpectation {
            now, skew_seconds, ..
        } = *expectation;
        let expired = self
            .expires_at
            .is_some_and(|time| now >= time.saturating_add(skew_seconds));
        if expired || self.issued_at > now.saturating_add(skew_seconds) {
            return Err(LIST_EXPIRED.because(format_args!(
                "iat {}, exp {:?}, now {now}",
                self.issued_at, self.expires_at
            )));
        }
        Ok(self)
    }

    /// The status at `index`, inflating no further than there.
    ///
    /// # Errors
    /// `status.index-out-of-range`, `status.list-malformed`, `status.list-too-large`.
    pub fn status(&self, index: u64) -> Result<Status, Refusal> {
        let byte = byte_at(&self.compressed, self.width.byte_of(index), Wrapping::Zlib)?;
        let byte = byte.ok_or_else(|| INDEX.because(index))?;
        Ok(Status::from_value(self.width.entry(
            byte,
            index,
            BitOrder::LowFirst,
        )))
    }

    /// The status of the credential that carries this reference.
    ///
    /// # Errors
    /// `status.list-of-another`, and as [`TokenStatusList::status`].
    pub fn status_of(&self, reference: &StatusReference) -> Result<Status, Refusal> {
        if reference.uri != self.uri {
            return Err(LIST_OF_ANOTHER.because(&self.uri));
        }
        self.status(reference.index)
    }

    /// All entries, for a verifier that reads many.
    ///
    /// # Errors
    /// `status.list-malformed`, `status.list-too-large`.
    pub fn entries(&self) -> Result<StatusBits, Refusal> {
        let bytes = inflate(&self.compressed, Wrapping::Zlib)?;
        Ok(StatusBits::from_bytes(
            self.width,
            BitOrder::LowFirst,
            bytes,
        ))
    }

    /// The compressed list's size in bytes.
    pub const fn compressed_len(&self) -> usize {
        self.compressed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::rules::{SIGNATURE, TYPE};
    use crate::refusal::Rule;
    use crate::status::verify_cwt;
    use proptest::prelude::*;
    use stele_core::suite::{SigningKey, Suite};

    const URI: &str = "https://university.example/status/0";
    const NOW: u64 = 1_790_000_000;
    const EXPECTED: ListExpectation<'static> = ListExpectation {
        uri: URI,
        now: NOW,
        skew_seconds: 60,
    };

    fn key() -> SigningKey {
        SigningKey::from_seed(Suite::Ed25519, &[1; 32]).unwrap()
    }

    fn list() -> TokenStatusList {
        let mut entries = StatusBits::new(Width::Two, BitOrder::LowFirst, 1000);
        entries.set(7, 1).unwrap();
        entries.set(999, 2).unwrap();
        TokenStatusList::new(URI, NOW, Some(NOW + 100), Some(43200), &entries)
    }

    fn refused_jwt(claims: Value) -> &'static Rule {
        let text = jose::sign_json(TYPE_JWT, None, &claims, &key()).unwrap();
        TokenStatusList::verify_jwt(&text, &key().public_key(), &EXPECTED)
            .unwrap_err()
            .rule()
    }

    #[test]
    fn a_list_is_read_as_it_was_published() {
        for suite in [Suite::Ed25519, Suite::Es256] {
            let key = SigningKey::from_seed(suite, &[1; 32]).unwrap();
            let jwt = list().to_jwt(Some("k"), &key).unwrap();
            let cwt = list().to_cwt(Some(b"k"), &key).unwrap();
            for read in [
                TokenStatusList::verify_jwt(&jwt, &key.public_key(), &EXPECTED).unwrap(),
                TokenStatusList::verify_cwt(&cwt, &key.public_key(), &EXPECTED).unwrap(),
            ] {
                assert_eq!(read, list());
                assert_eq!(read.status(6).unwrap(), Status::Valid);
                assert_eq!(read.status(7).unwrap(), Status::Invalid);
                let reference = StatusReference {
                    uri: URI.to_owned(),
                    index: 999,
                };
                assert_eq!(read.status_of(&reference).unwrap(), Status::Suspended);
                assert_eq!(read.status(1000).unwrap_err().rule(), INDEX);
                assert_eq!(read.status(u64::MAX).unwrap_err().rule(), LIST_TOO_LARGE);
            }
        }
    }

    #[test]
    fn refuses_the_list_of_another_address() {
        let jwt = list().to_jwt(None, &key()).unwrap();
        let other = ListExpectation {
            uri: "https://other.example",
            ..EXPECTED
        };
        let refusal = TokenStatusList::verify_jwt(&jwt, &key().public_key(), &other).unwrap_err();
        assert_eq!(refusal.rule(), LIST_OF_ANOTHER);
        let elsewhere = StatusReference {
            uri: "https://other.example".to_owned(),
            index: 7,
        };
        assert_eq!(
            list().status_of(&elsewhere).unwrap_err().rule(),
            LIST_OF_ANOTHER
        );
    }

    #[test]
    fn refuses_an_old_list() {
        let jwt = list().to_jwt(None, &key()).unwrap();
        for (now, good) in [
            (NOW - 61, false),
            (NOW - 60, true),
            (NOW + 159, true),
            (NOW + 160, false),
        ] {
            let verdict = TokenStatusList::verify_jwt(
                &jwt,
                &key().public_key(),
                &ListExpectation { now, ..EXPECTED },
            );
            assert_eq!(
                verdict.map_err(|refusal| refusal.rule()).err(),
                (!good).then_some(LIST_EXPIRED)
            );
        }
    }

    #[test]
    fn refuses_malformed_lists() {
        let good =
            json!({"sub": URI, "iat": NOW, "status_list": {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}});
        for (pointer, value) in [
            ("/sub", json!(1)),
            ("/iat", json!("x")),
            ("/status_list", json!([])),
            ("/status_list/lst", json!(1)),
            ("/status_list/bits", json!("1")),
        ] {
            let mut claims = good.clone();
            *claims.pointer_mut(pointer).unwrap() = value;
            assert_eq!(refused_jwt(claims), LIST_MALFORMED, "{pointer}");
        }
        let mut claims = good.clone();
        claims["status_list"]["bits"] = 3.into();
        assert_eq!(refused_jwt(claims), BITS);
        let mut claims = good;
        claims["status_list"]["lst"] = "AAAA".into();
        let text = jose::sign_json(TYPE_JWT, None, &claims, &key()).unwrap();
        let list = TokenStatusList::verify_jwt(&text, &key().public_key(), &EXPECTED).unwrap();
        assert_eq!(list.status(0).unwrap_err().rule(), LIST_MALFORMED);
        assert_eq!(list.entries().unwrap_err().rule(), LIST_MALFORMED);
    }

    #[test]
    fn refuses_other_signers_and_types() {
        let other = SigningKey::from_seed(Suite::Ed25519, &[2; 32]).unwrap();
        let (jwt, cwt) = (
            list().to_jwt(None, &other).unwrap(),
            list().to_cwt(None, &other).unwrap(),
        );
        let key = key();
        assert_eq!(
            TokenStatusList::verify_jwt(&jwt, &key.public_key(), &EXPECTED)
                .unwrap_err()
                .rule(),
            SIGNATURE
        );
        assert_eq!(
            TokenStatusList::verify_cwt(&cwt, &key.public_key(), &EXPECTED)
                .unwrap_err()
                .rule(),
            SIGNATURE
        );
        let text = jose::sign_json("JWT", None, &json!({}), &key).unwrap();
        assert_eq!(
            TokenStatusList::verify_jwt(&text, &key.public_key(), &EXPECTED)
                .unwrap_err()
                .rule(),
            TYPE
        );
    }

    fn example(name: &str) -> String {
        let folder = std::env::var("STELE_DATA")
            .expect("STELE_DATA names the folder of published vectors; ./test sets it");
        let file = std::path::Path::new(&folder)
            .join("interop/credentials/status-list/examples")
            .join(name);
        std::fs::read_to_string(file).unwrap()
    }

    fn issuer_key() -> PublicKey {
        PublicKey::from_jwk(&serde_json::from_str(&example("../issuer_public_jwk.json")).unwrap())
            .unwrap()
    }

    /// The bytes that an example shows and the list that it encodes, from its JSON and its CBOR form.
    fn encodings(name: &str) -> (Option<Vec<u8>>, [StatusBits; 2]) {
        let text = example(&format!("status_list_encoding{name}_json.md"));
        let shown = text
            .lines()
            .find_map(|line| line.strip_prefix("byte_array = ["));
        let shown = shown.map(|line| {
            let bytes = line.trim_end_matches([']', ' ']).split(", ");
            bytes
                .map(|byte| u8::from_str_radix(byte.trim_start_matches("0x"), 16).unwrap())
                .collect()
        });
        // The long texts are broken inside of strings.
        let text: String = text[text.find('{').unwrap()..].split_whitespace().collect();
        let (width, compressed) =
            TokenStatusList::list_from_json(&serde_json::from_str(&text).unwrap()).unwrap();
        let json = StatusBits::from_bytes(
            width,
            BitOrder::LowFirst,
            inflate(&compressed, Wrapping::Zlib).unwrap(),
        );
        let text = example(&format!("status_list_encoding{name}_cbor.md"));
        let text: String = text[text.find("\na2").map_or(0, |at| at + 1)..]
            .split_whitespace()
            .collect();
        let cbor = TokenStatusList::list_from_cbor(&unhex(&text)).unwrap();
        let cbor = StatusBits::from_bytes(
            cbor.0,
            BitOrder::LowFirst,
            inflate(&cbor.1, Wrapping::Zlib).unwrap(),
        );
        (shown, [json, cbor])
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn the_short_published_encodings() {
        for (name, bytes, entries) in [
            (
                "",
                vec![0xb9, 0xa3],
                vec![1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1],
            ),
            (
                "2",
                vec![0xc9, 0x44, 0xf9],
                vec![1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3],
            ),
        ] {
            let (shown, read) = encodings(name);
            assert_eq!(shown.unwrap(), bytes);
            for list in read {
                assert_eq!(list.as_bytes(), bytes);
                let found: Vec<u8> = (0..list.entries())
                    .map(|index| list.get(index).unwrap())
                    .collect();
                assert_eq!(found, entries);
            }
        }
    }

    /// The test vectors of the draft's appendix: 2^20 entries, all zero but these.
    #[test]
    fn the_long_published_encodings() {
        let one = [
            0, 1993, 25460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534,
            1_000_345,
        ];
        let two = [1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3];
        let four = [
            0, 1993, 35460, 459_495, 595_669, 754_353, 845_645, 923_232, 924_445, 934_534,
            1_004_534, 1_000_345, 1_030_203, 1_030_204, 1_030_205,
        ];
        type Entries = Vec<(u64, u8)>;
        let expected: [(&str, u8, Entries); 3] = [
            ("1_long", 1, one.iter().map(|index| (*index, 1)).collect()),
            ("2_long", 2, one.into_iter().zip(two).collect()),
            ("4", 4, four.into_iter().zip(1..).collect()),
        ];
        for (name, bits, entries) in expected {
            let (_, read) = encodings(name);
            for list in read {
                assert_eq!(
                    (list.width().bits(), list.entries()),
                    (bits, 1 << 20),
                    "{name}"
                );
                let mut found: Vec<(u64, u8)> = (0..list.entries())
                    .map(|index| (index, list.get(index).unwrap()))
                    .filter(|(_, value)| *value > 0)
                    .collect();
                let mut entries = entries.clone();
                entries.sort();
                found.sort();
                assert_eq!(found, entries, "{name}");
            }
        }
        let (_, [json, cbor]) = encodings("8");
        assert_eq!(json, cbor);
        let mut values: Vec<u8> = json
            .as_bytes()
            .iter()
            .copied()
            .filter(|value| *value > 0)
            .collect();
        values.sort();
        assert_eq!(values, (1..=255).collect::<Vec<u8>>());
    }

    #[test]
    fn the_published_tokens() {
        let expected = ListExpectation {
            uri: "https://example.com/statuslists/1",
            now: 1_700_000_000,
            skew_seconds: 0,
        };
        let jwt: String = example("status_list_jwt_raw.md")
            .split_whitespace()
            .collect();
        let cwt: String = example("status_list_cwt.md").split_whitespace().collect();
        let cwt = unhex(&cwt);
        for list in [
            TokenStatusList::verify_jwt(&jwt, &issuer_key(), &expected).unwrap(),
            TokenStatusList::verify_cwt(&cwt, &issuer_key(), &expected).unwrap(),
        ] {
            assert_eq!(list.entries().unwrap().as_bytes(), [0xb9, 0xa3]);
            assert_eq!(
                (list.issued_at, list.expires_at, list.ttl_seconds),
                (1_686_920_170, Some(2_291_720_170), Some(43200))
            );
        }
        let late = ListExpectation {
            now: 2_291_720_170,
            ..expected
        };
        assert_eq!(
            TokenStatusList::verify_jwt(&jwt, &issuer_key(), &late)
                .unwrap_err()
                .rule(),
            LIST_EXPIRED
        );
        let mut altered = cwt;
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(
            TokenStatusList::verify_cwt(&altered, &issuer_key(), &expected)
                .unwrap_err()
                .rule(),
            SIGNATURE
        );
        let token: String = example("referenced_token_cwt.md")
            .split_whitespace()
            .collect();
        let claims = verify_cwt(&unhex(&token), None, &issuer_key()).unwrap();
        let reference = StatusReference {
            uri: "https://example.com/statuslists/1".to_owned(),
            index: 0,
        };
        assert_eq!(claims.status_reference().unwrap(), Some(reference));
    }

    proptest! {
        #[test]
        fn altered_tokens_are_refused_without_panic(at in any::<usize>(), bit in 0u8..8, random in proptest::collection::vec(any::<u8>(), 0..100)) {
            let key = key();
            let mut cwt = list().to_cwt(Some(b"k"), &key).unwrap();
            let position = at % cwt.len();
            cwt[position] ^= 1 << bit;
            // The kid in the unprotected header is the only part that no signature covers.
            if let Ok(read) = TokenStatusList::verify_cwt(&cwt, &key.public_key(), &EXPECTED) {
                prop_assert_eq!(read, list());
            }
            prop_assert!(TokenStatusList::verify_cwt(&random, &key.public_key(), &EXPECTED).is_err());
            let mut jwt = list().to_jwt(None, &key).unwrap().into_bytes();
            let position = at % jwt.len();
            jwt[position] ^= 1 << bit;
            if let Ok(jwt) = String::from_utf8(jwt) {
                prop_assert!(TokenStatusList::verify_jwt(&jwt, &key.public_key(), &EXPECTED).is_err());
            }
        }
    }
}
