//! JWE in the compact form (RFC 7516) with ECDH-ES on P-256 and AES-GCM: how wallets encrypt their answers.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use p256::SecretKey;
use p256::ecdh::diffie_hellman;
use rand_core::CryptoRng;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::PublicKey;
use super::rules::*;
use crate::json::{self, JsonLimits, from_base64url, to_base64url};
use crate::refusal::Refusal;

/// The longest JWE that is read, in bytes.
const TEXT_BYTES_MAX: usize = 2 << 20;
const HEADER_LIMITS: JsonLimits = JsonLimits {
    bytes_max: 8 << 10,
    depth_max: 4,
};
const IV_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// The encryption of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// AES-GCM with a key of 128 bits.
    A128Gcm,
    /// AES-GCM with a key of 256 bits.
    A256Gcm,
}

impl Encryption {
    /// The name in `enc`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
        }
    }

    /// The encryption of this name, if it is known here.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::A128Gcm, Self::A256Gcm]
            .into_iter()
            .find(|one| one.name() == name)
    }

    const fn key_bytes(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm => 32,
        }
    }
}

/// A secret key of P-256 that decrypts; made for one exchange mostly.
#[derive(Clone)]
pub struct DecryptionKey(SecretKey);

impl DecryptionKey {
    /// Makes a new key.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        loop {
            let mut bytes = Zeroizing::new([0; 32]);
            rng.fill_bytes(&mut *bytes);
            // One draw of 2^32 lies outside the group order.
            if let Ok(key) = SecretKey::from_slice(&*bytes) {
                return Self(key);
            }
        }
    }

    /// Reads the scalar of 32 bytes.
    ///
    /// # Errors
    /// `jose.key-malformed`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        SecretKey::from_slice(bytes)
            .map(Self)
            .map_err(|_| KEY_MALFORMED.because("no scalar of P-256"))
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_sec1(&self.0.public_key().to_sec1_bytes())
            .expect("a public key made from a secret is good")
    }

    /// Decrypts a compact JWE and returns its header and content.
    ///
    /// # Errors
    /// `jose.encrypted-malformed`, `jose.undecipherable`, `jose.crit-unknown`, and those of the key in `epk`.
    pub fn decrypt(&self, text: &str) -> Result<(Map<String, Value>, Vec<u8>), Refusal> {
        let malformed = |what: &str| JWE_MALFORMED.because(what);
        if text.len() > TEXT_BYTES_MAX {
            return Err(json::rules::JSON_TOO_LARGE.because(format_args!("{} bytes", text.len())));
        }
        let parts: Vec<&str> = text.split('.').take(6).collect();
        let [protected, encrypted_key, iv, content, tag] = parts[..] else {
            return Err(malformed("no five parts"));
        };
        let header = json::parse_object(&from_base64url(protected)?, HEADER_LIMITS)?;
        let name = |name: &str| header.get(name).and_then(Value::as_str).unwrap_or_default();
        if name("alg") != "ECDH-ES" || !encrypted_key.is_empty() {
            return Err(malformed("alg ECDH-ES without encrypted key is expected"));
        }
        if header.contains_key("crit") || header.contains_key("zip") {
            return Err(CRIT_UNKNOWN.because("crit or zip"));
        }
        let encryption = Encryption::from_name(name("enc"))
            .ok_or_else(|| malformed("enc is A128GCM or A256GCM"))?;
        let sender = PublicKey::from_jwk(header.get("epk").ok_or_else(|| malformed("no epk"))?)?;
        let (apu, apv) = (from_base64url(name("apu"))?, from_base64url(name("apv"))?);
        let key = agree(&self.0, &sender, encryption, &apu, &apv)?;
        let iv: [u8; IV_BYTES] = from_base64url(iv)?
            .try_into()
            .map_err(|_| malformed("an iv of another length"))?;
        let mut sealed = from_base64url(content)?;
        let tag = from_base64url(tag)?;
        if tag.len() != TAG_BYTES {
            return Err(malformed("a tag of another length"));
        }
        sealed.extend_from_slice(&tag);
        let payload = Payload {
            msg: &sealed,
            aad: protected.as_bytes(),
        };
        let opened = match encryption {
            Encryption::A128Gcm => cipher::<Aes128Gcm>(&key).decrypt(&iv.into(), payload),
            Encryption::A256Gcm => cipher::<Aes256Gcm>(&key).decrypt(&iv.into(), payload),
        };
        Ok((header, opened.map_err(|_| JWE_UNDECIPHERABLE.refuse())?))
    }
}

impl core::fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("DecryptionKey(redacted)")
    }
}

/// Encrypts `content` for a key of P-256. `more` goes into the header: `kid`, `apu` and `apv` in base64url.
///
/// # Errors
/// `jose.key-unsupported` if the key is of another curve; `encoding.base64url`.
pub fn encrypt<R: CryptoRng + ?Sized>(
    content: &[u8],
    recipient: &PublicKey,
    encryption: Encryption,
    more: &[(&str, &str)],
    rng: &mut R,
) -> Result<String, Refusal> {
    let ephemeral = DecryptionKey::generate(rng);
    let mut header = Map::new();
    header.insert("alg".to_owned(), "ECDH-ES".into());
    header.insert("enc".to_owned(), encryption.name().into());
    header.insert("epk".to_owned(), ephemeral.public_key().to_jwk());
    for (name, value) in more {
        header.insert((*name).to_owned(), (*value).into());
    }
    let party = |wanted: &str| {
        let found = more.iter().find(|(name, _)| *name == wanted);
        from_base64url(found.map_or("", |(_, value)| value))
    };
    let key = agree(
        &ephemeral.0,
        recipient,
        encryption,
        &party("apu")?,
        &party("apv")?,
    )?;
    let protected = to_base64url(Value::Object(header).to_string());
    let mut iv = [0; IV_BYTES];
    rng.fill_bytes(&mut iv);
    let payload = Payload {
        msg: content,
        aad: protected.as_bytes(),
    };
    let sealed = match encryption {
        Encryption::A128Gcm => cipher::<Aes128Gcm>(&key).encrypt(&iv.into(), payload),
        Encryption::A256Gcm => cipher::<Aes256Gcm>(&key).encrypt(&iv.into(), payload),
    };
    // AES-GCM fails for contents of 64 GiB only.
    let sealed = sealed.map_err(|_| json::rules::JSON_TOO_LARGE.refuse())?;
    let (content, tag) = sealed.split_at(sealed.len() - TAG_BYTES);
    Ok(format!(
        "{protected}..{}.{}.{}",
        to_base64url(iv),
        to_base64url(content),
        to_base64url(tag)
    ))
}

fn cipher<C: aes_gcm::KeyInit>(key: &[u8]) -> C {
    C::new_from_slice(key).expect("the key has the length of its encryption")
}

/// The key that both sides agree on (RFC 7518 section 4.6.2).
fn agree(
    secret: &SecretKey,
    public: &PublicKey,
    encryption: Encryption,
    apu: &[u8],
    apv: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let public = public
        .to_uncompressed_p256()
        .ok_or_else(|| KEY_UNSUPPORTED.because("ECDH-ES needs P-256"))?;
    let public = p256::PublicKey::from_sec1_bytes(&public).map_err(|_| KEY_MALFORMED.refuse())?;
    let shared = diffie_hellman(secret.to_nonzero_scalar(), public.as_affine());
    let mut hash = Sha256::new_with_prefix(1_u32.to_be_bytes());
    hash.update(shared.raw_secret_bytes());
    for part in [encryption.name().as_bytes(), apu, apv] {
        hash.update((part.len() as u32).to_be_bytes());
        hash.update(part);
    }
    hash.update((encryption.key_bytes() as u32 * 8).to_be_bytes());
    let derived = Zeroizing::new(<[u8; 32]>::from(hash.finalize()));
    Ok(Zeroizing::new(derived[..encryption.key_bytes()].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRng;
    use proptest::prelude::*;
    use serde_json::json;

    fn key(seed: u8) -> DecryptionKey {
        DecryptionKey::from_bytes(&[seed; 32]).unwrap()
    }

    /// RFC 7518 appendix C.
    #[test]
    fn agrees_as_rfc_7518_says() {
        let alice = DecryptionKey::from_bytes(
            &from_base64url("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo").unwrap(),
        )
        .unwrap();
        let bob = json!({"kty": "EC", "crv": "P-256", "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"});
        let bob = PublicKey::from_jwk(&bob).unwrap();
        let derived = agree(&alice.0, &bob, Encryption::A128Gcm, b"Alice", b"Bob").unwrap();
        assert_eq!(to_base64url(&*derived), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn decrypts_what_was_encrypted_for_it() {
        for encryption in [Encryption::A128Gcm, Encryption::A256Gcm] {
            let more = [("kid", "k"), ("apu", "QWxpY2U"), ("apv", "Qm9i")];
            let text = encrypt(
                b"content",
                &key(1).public_key(),
                encryption,
                &more,
                &mut TestRng(1),
            )
            .unwrap();
            let (header, content) = key(1).decrypt(&text).unwrap();
            assert_eq!(
                (header["kid"].as_str(), &content[..]),
                (Some("k"), &b"content"[..])
            );
            assert_eq!(
                key(2).decrypt(&text).unwrap_err().rule(),
                JWE_UNDECIPHERABLE
            );
        }
    }

    #[test]
    fn refuses_what_cannot_be_decrypted() {
        let text = encrypt(
            b"content",
            &key(1).public_key(),
            Encryption::A256Gcm,
            &[],
            &mut TestRng(1),
        )
        .unwrap();
        for position in [10, text.len() - 30, text.len() - 10] {
            let mut altered = text.clone();
            let other = if &text[position..=position] == "A" {
                "B"
            } else {
                "A"
            };
            altered.replace_range(position..=position, other);
            assert!(key(1).decrypt(&altered).is_err(), "{position}");
        }
        assert_eq!(
            key(1)
                .decrypt(&text.replace("..", ".AA."))
                .unwrap_err()
                .rule(),
            JWE_MALFORMED
        );
    }

    #[test]
    fn refuses_what_is_no_jwe() {
        let with = |header: Value| {
            format!(
                "{}..{}.AA.{}",
                to_base64url(header.to_string()),
                to_base64url([0; 12]),
                to_base64url([0; 16])
            )
        };
        let epk = key(1).public_key().to_jwk();
        for header in [
            json!({"alg": "dir", "enc": "A128GCM", "epk": epk}),
            json!({"alg": "ECDH-ES", "enc": "A128CBC-HS256", "epk": epk}),
            json!({"alg": "ECDH-ES", "enc": "A128GCM"}),
        ] {
            assert_eq!(
                key(1).decrypt(&with(header)).unwrap_err().rule(),
                JWE_MALFORMED
            );
        }
        for text in ["", "a.b.c", "a.b.c.d.e.f"] {
            assert_eq!(key(1).decrypt(text).unwrap_err().rule(), JWE_MALFORMED);
        }
        let zip = json!({"alg": "ECDH-ES", "enc": "A128GCM", "epk": epk, "zip": "DEF"});
        assert_eq!(key(1).decrypt(&with(zip)).unwrap_err().rule(), CRIT_UNKNOWN);
    }

    proptest! {
        #[test]
        fn random_text_never_panics(parts in proptest::collection::vec("[A-Za-z0-9_-]{0,30}", 0..7)) {
            let _ = key(1).decrypt(&parts.join("."));
        }
    }
}
