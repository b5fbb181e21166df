//! What the checkpoints of a log are checked with: an Ed25519 signature, or a block certificate.

use super::log_origin;
use super::policy::{ed25519_key, raw_ed25519};
use crate::block::Certificate;
use crate::merkle::checkpoint::{
    Checkpoint, KEY_TYPE_ED25519, Note, NoteError, NoteSignature, VerifierKey, note_message,
};
use crate::suite::{PublicKey, SigningKey};

/// Signature type of a line that carries a block certificate: C2SP leaves 0xff to types without a number of their own,
/// and `CERTIFICATE_TYPE` follows it.
pub const KEY_TYPE_CERTIFICATE: u8 = 0xff;
/// The identifier behind the type byte, before the network key.
const CERTIFICATE_TYPE: &[u8] = b"stele/certificate/v1";

/// Why a log's key cannot be used, or a checkpoint is not the log's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogKeyError {
    /// The text is no verifier key.
    #[error("this is no key of a log")]
    Key(#[source] NoteError),
    /// The key is of a type that is not checked here, or no key of its suite.
    #[error(
        "the key of {name:?} is of type {found:#04x}; a log's is an Ed25519 key (0x01) or a network's (0xff)"
    )]
    KeyType {
        /// The key's name.
        name: String,
        /// The type found.
        found: u8,
    },
    /// None of the lines is by the key.
    #[error("the note has no signature by {name:?}")]
    Missing {
        /// The key's name.
        name: String,
    },
    /// A line claims to be by the key, and is not.
    #[error("the signature by {name:?} is wrong: {reason}")]
    Wrong {
        /// The key's name.
        name: String,
        /// What does not fit.
        reason: &'static str,
    },
}

/// A key under which a log's checkpoints verify.
#[derive(Debug, Clone)]
pub struct LogKey {
    verifier: VerifierKey,
    key: PublicKey,
}

impl LogKey {
    /// Reads a verifier key: of type 0x01 (Ed25519), or of type 0xff with a network's COSE_Key.
    ///
    /// # Errors
    /// [`LogKeyError::Key`] or [`LogKeyError::KeyType`].
    pub fn parse(text: &str) -> Result<Self, LogKeyError> {
        let verifier = VerifierKey::parse(text).map_err(LogKeyError::Key)?;
        let key = match verifier.key_type {
            KEY_TYPE_ED25519 => ed25519_key(&verifier.public_key),
            KEY_TYPE_CERTIFICATE => verifier
                .public_key
                .strip_prefix(CERTIFICATE_TYPE)
                .and_then(|key| PublicKey::from_cose_key(key).ok()),
            _ => None,
        };
        match key {
            Some(key) => Ok(Self { verifier, key }),
            None => Err(LogKeyError::KeyType {
                found: verifier.key_type,
                name: verifier.name,
            }),
        }
    }

    /// The key that checks Ed25519 lines by `key` under the name `origin`; `None` when `key` is of another suite.
    pub fn of_ed25519(origin: &str, key: &PublicKey) -> Option<Self> {
        let verifier = VerifierKey {
            name: origin.to_owned(),
            key_type: KEY_TYPE_ED25519,
            public_key: raw_ed25519(key)?.to_vec(),
        };
        Some(Self {
            verifier,
            key: key.clone(),
        })
    }

    /// The key that checks certificate lines of the network with this key.
    pub fn of_certificates(origin: &str, network_key: &PublicKey) -> Self {
        let verifier = VerifierKey {
            name: origin.to_owned(),
            key_type: KEY_TYPE_CERTIFICATE,
            public_key: [CERTIFICATE_TYPE, &network_key.to_cose_key()].concat(),
        };
        Self {
            verifier,
            key: network_key.clone(),
        }
    }

    /// The key's name; the log's origin by custom.
    pub fn name(&self) -> &str {
        &self.verifier.name
    }

    /// Whether it checks certificate lines, so that only what a network certified passes.
    pub fn is_of_certificates(&self) -> bool {
        self.verifier.key_type == KEY_TYPE_CERTIFICATE
    }

    /// The text form.
    pub fn format(&self) -> String {
        self.verifier.format()
    }

    /// Checks that the note is a checkpoint and signed by this key, and returns the checkpoint.
    ///
    /// # Errors
    /// [`LogKeyError::Missing`] or [`LogKeyError::Wrong`]; one wrong line by the key spoils the note, as C2SP demands.
    pub fn open(&self, note: &Note) -> Result<Checkpoint, LogKeyError> {
        let wrong = |reason| LogKeyError::Wrong {
            name: self.verifier.name.clone(),
            reason,
        };
        let checkpoint =
            Checkpoint::parse(&note.text).map_err(|_| wrong("the text is no checkpoint"))?;
        let mut lines = note.signatures_by(&self.verifier).peekable();
        if lines.peek().is_none() {
            return Err(LogKeyError::Missing {
                name: self.verifier.name.clone(),
            });
        }
        for line in lines {
            self.check(&checkpoint, &note.text, line).map_err(wrong)?;
        }
        Ok(checkpoint)
    }

    /// The lines of a note that claim to be by this key.
    pub fn lines<'a>(&'a self, note: &'a Note) -> impl Iterator<Item = &'a NoteSignature> {
        note.signatures_by(&self.verifier)
    }

    fn check(
        &self,
        checkpoint: &Checkpoint,
        text: &str,
        line: &NoteSignature,
    ) -> Result<(), &'static str> {
        if self.verifier.key_type == KEY_TYPE_ED25519 {
            let message = note_message(text).map_err(|_| "the text is none of a note")?;
            let alg = self.key.suite().algorithm();
            return self
                .key
                .verify(alg, message, &line.signature)
                .map_err(|_| "it does not hold over the text");
        }
        let certificate =
            Certificate::decode(&line.signature).map_err(|_| "it is no block certificate")?;
        let header = &certificate.header;
        // A certificate signs no text: all that the text says must stand in it.
        if log_origin(&header.network) != checkpoint.origin {
            return Err("the certificate is of another network");
        }
        if header.tree_size.get() != checkpoint.size
            || *certificate.log_root.as_bytes() != checkpoint.root
        {
            return Err("the certificate is of another tree");
        }
        if !checkpoint.extensions.is_empty() {
            return Err("no certificate covers extension lines");
        }
        if header.kid != self.key.kid() || certificate.verify(&self.key).is_err() {
            return Err("the network did not sign the certificate");
        }
        Ok(())
    }
}

/// The signature line of an Ed25519 key over a note's text.
///
/// # Errors
/// [`NoteError`]: the text is none of a note, or the name none of a key.
///
/// # Panics
/// When the key is not of suite Ed25519.
pub fn note_line(name: &str, key: &SigningKey, text: &str) -> Result<NoteSignature, NoteError> {
    let verifier = LogKey::of_ed25519(name, key.public()).expect("the key is of suite Ed25519");
    let line = NoteSignature {
        key_id: verifier.verifier.key_id(),
        name: verifier.verifier.name,
        signature: key.sign(note_message(text)?),
    };
    line.line().map(|_| line)
}

/// The line that carries a block's certificate under the block's checkpoint.
pub fn certificate_line(certificate: &Certificate, network_key: &PublicKey) -> NoteSignature {
    let origin = log_origin(&certificate.header.network);
    let verifier = LogKey::of_certificates(&origin, network_key).verifier;
    NoteSignature {
        key_id: verifier.key_id(),
        name: verifier.name,
        signature: certificate.encode(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockHeader;
    use crate::id::{BlockHash, Hash, Height, KeyId, LogIndex, NetworkId, TimeMs};
    use crate::merkle::checkpoint::NoteLimits;
    use crate::suite::Suite;

    fn certificate(suite: Suite) -> (PublicKey, Certificate) {
        let mut seed = vec![7; suite.secret_len()];
        seed[0] = 1;
        let key = SigningKey::from_seed(suite, &seed).unwrap();
        let header = BlockHeader {
            alg: 0,
            kid: KeyId::from_bytes([0; 32]),
            network: NetworkId::from_bytes([9; 32]),
            height: Height::new(3),
            time: TimeMs::new(4),
            previous: BlockHash::from_bytes([1; 32]),
            tree_size: LogIndex::new(5),
            state_root: Hash::from_bytes([2; 32]),
        };
        let signed = Certificate::sign(header, Hash::from_bytes([6; 32]), &key);
        (key.public().clone(), signed)
    }

    fn note(certificate: &Certificate, key: &PublicKey) -> Note {
        Note {
            text: certificate.checkpoint().text().unwrap(),
            signatures: vec![certificate_line(certificate, key)],
        }
    }

    #[test]
    fn a_certificate_line_is_checked_with_the_network_key_alone() {
        for suite in [Suite::Bls12381, Suite::Ed25519, Suite::Es256] {
            let (key, certificate) = certificate(suite);
            let origin = log_origin(&certificate.header.network);
            let text = LogKey::of_certificates(&origin, &key).format();
            let verifier = LogKey::parse(&text).unwrap();
            assert_eq!(
                (verifier.name(), verifier.format()),
                (origin.as_str(), text)
            );
            let note = note(&certificate, &key).format().unwrap();
            let note = Note::parse(&note, &NoteLimits::default()).unwrap();
            let checkpoint = verifier.open(&note).unwrap();
            assert_eq!(checkpoint, certificate.checkpoint());
        }
    }

    #[test]
    fn a_certificate_under_another_text_is_refused() {
        let (key, certificate) = certificate(Suite::Bls12381);
        let origin = log_origin(&certificate.header.network);
        let verifier = LogKey::of_certificates(&origin, &key);
        let good = note(&certificate, &key);
        let root = good.text.split('\n').nth(2).unwrap();
        let other_root = crate::merkle::base64_encode(&[8; 32]);
        for text in [
            good.text.replacen("stele/", "other/", 1),
            good.text.replacen("\n5\n", "\n6\n", 1),
            good.text.replacen(root, &other_root, 1),
            format!("{}more\n", good.text),
        ] {
            let note = Note {
                text,
                ..good.clone()
            };
            assert!(matches!(
                verifier.open(&note),
                Err(LogKeyError::Wrong { .. })
            ));
        }
        let mut forged = certificate.clone();
        forged.signature = vec![0; 48];
        assert!(matches!(
            verifier.open(&note(&forged, &key)),
            Err(LogKeyError::Wrong { .. })
        ));
        let mut unsigned = good.clone();
        unsigned.signatures[0].key_id = [0; 4];
        assert!(matches!(
            verifier.open(&unsigned),
            Err(LogKeyError::Missing { .. })
        ));
        // One wrong line spoils the note, whatever stands beside it.
        let mut both = good;
        both.signatures.extend(note(&forged, &key).signatures);
        assert!(matches!(
            verifier.open(&both),
            Err(LogKeyError::Wrong { .. })
        ));
    }

    #[test]
    fn an_ed25519_line_is_one_of_a_signed_note() {
        let key = SigningKey::from_seed(Suite::Ed25519, &[3; 32]).unwrap();
        let (_, certificate) = certificate(Suite::Bls12381);
        let text = certificate.checkpoint().text().unwrap();
        let origin = log_origin(&certificate.header.network);
        let note = Note {
            signatures: vec![note_line(&origin, &key, &text).unwrap()],
            text,
        };
        let verifier = LogKey::of_ed25519(&origin, key.public()).unwrap();
        let verifier = LogKey::parse(&verifier.format()).unwrap();
        assert_eq!(verifier.open(&note), Ok(certificate.checkpoint()));
        let other = SigningKey::from_seed(Suite::Ed25519, &[4; 32]).unwrap();
        let other = LogKey::of_ed25519(&origin, other.public()).unwrap();
        assert!(matches!(
            other.open(&note),
            Err(LogKeyError::Missing { .. })
        ));
        assert!(LogKey::of_ed25519(&origin, &certificate_key()).is_none());
    }

    fn certificate_key() -> PublicKey {
        certificate(Suite::Bls12381).0
    }
}
