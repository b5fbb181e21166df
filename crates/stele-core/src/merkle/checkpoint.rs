//! Checkpoints and signed notes, the text formats in which transparency logs sign their trees.
//!
//! Sources: C2SP signed-note, C2SP tlog-checkpoint and C2SP tlog-cosignature. Texts only: signing and the
//! verification of signatures stay with the caller, who passes [`note_message`] to its key.
//!
//! ```text
//! example.org/log            origin
//! 15                         tree size, decimal
//! RXX5…=                     root, base64
//!                            optional extension lines, then a blank line
//! — example.org/log Az3g…    signatures: key name, base64(key id ‖ signature)
//! ```

use sha2::{Digest, Sha256};

use super::{Hash, base64_decode, base64_encode};

/// Signature type of an Ed25519 note signature: the signature covers the note text.
pub const KEY_TYPE_ED25519: u8 = 0x01;
/// Signature type of a witness's timestamped Ed25519 cosignature (C2SP tlog-cosignature, `cosignature/v1`).
pub const KEY_TYPE_COSIGNATURE: u8 = 0x04;

const SIGNATURE_PREFIX: &str = "— ";

/// Why a note, checkpoint or verifier key was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The note is longer than the limit.
    #[error("the note has {found} bytes, at most {max} are allowed")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The note has more signature lines than the limit.
    #[error("the note has more than {max} signatures")]
    TooManySignatures {
        /// Signature lines allowed.
        max: usize,
    },
    /// Control characters other than the newline are not allowed.
    #[error("the note holds a control character at byte {at}")]
    ControlCharacter {
        /// Offset in bytes.
        at: usize,
    },
    /// The text does not end with a newline, or no blank line and signature line follow it.
    #[error("the note lacks its {missing}")]
    Incomplete {
        /// What is missing.
        missing: &'static str,
    },
    /// A signature line is not `— name base64`.
    #[error("signature line {line} of the note is malformed")]
    SignatureLine {
        /// Number of the line among the signature lines, from 1.
        line: usize,
    },
    /// A key name is empty or holds white space or `+`.
    #[error("{name:?} is not a key name")]
    KeyName {
        /// The name found.
        name: String,
    },
    /// A verifier key is not `name+keyid+base64`, or its key id does not belong to its key.
    #[error("the verifier key is malformed: {reason}")]
    VerifierKey {
        /// What is wrong.
        reason: &'static str,
    },
    /// The checkpoint's first three lines, or an extension line, are malformed.
    #[error("the checkpoint's {line} is malformed")]
    Checkpoint {
        /// Which line.
        line: &'static str,
    },
}

/// How large a note may be when it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteLimits {
    /// Largest note, in bytes with its signatures.
    pub bytes_max: usize,
    /// Largest number of signature lines.
    pub signatures_max: usize,
}

impl Default for NoteLimits {
    /// 64 KiB and 100 signatures, above any checkpoint in use.
    fn default() -> Self {
        Self {
            bytes_max: 64 * 1024,
            signatures_max: 100,
        }
    }
}

/// One signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// First four bytes of the key's hash ([`key_id`]).
    pub key_id: [u8; 4],
    /// The signature, in the form that the key's type has. Never empty.
    pub signature: Vec<u8>,
}

impl NoteSignature {
    /// Reads a line without its newline.
    ///
    /// # Errors
    /// [`NoteError::SignatureLine`] with line 1.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        parse_signature(line).ok_or(NoteError::SignatureLine { line: 1 })
    }

    /// The line without its newline.
    ///
    /// # Errors
    /// [`NoteError::KeyName`].
    pub fn line(&self) -> Result<String, NoteError> {
        check_key_name(&self.name)?;
        let mut bytes = self.key_id.to_vec();
        bytes.extend_from_slice(&self.signature);
        Ok(format!(
            "{SIGNATURE_PREFIX}{} {}",
            self.name,
            base64_encode(&bytes)
        ))
    }

    /// Splits a `cosignature/v1` signature into its time (seconds since the Unix epoch) and its Ed25519
    /// signature; `None` when it has not 8 + 64 bytes.
    pub fn cosignature(&self) -> Option<(u64, [u8; 64])> {
        let (time, signature) = self.signature.split_first_chunk::<8>()?;
        Some((u64::from_be_bytes(*time), signature.try_into().ok()?))
    }
}

/// A text and the signatures under it. Parsing verifies none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text, with its final newline: exactly the bytes that are signed.
    pub text: String,
    /// The signature lines in order, those of unknown keys too.
    pub signatures: Vec<NoteSignature>,
}

impl Note {
    /// Parses a note.
    ///
    /// # Errors
    /// Any [`NoteError`] except those of checkpoints and verifier keys.
    pub fn parse(note: &str, limits: &NoteLimits) -> Result<Self, NoteError> {
        if note.len() > limits.bytes_max {
            return Err(NoteError::TooLong {
                found: note.len(),
                max: limits.bytes_max,
            });
        }
        check_characters(note)?;
        let blank = note.rfind("\n\n").ok_or(NoteError::Incomplete {
            missing: "blank line",
        })?;
        let text = &note[..=blank];
        let lines = note[blank + 2..]
            .strip_suffix('\n')
            .ok_or(NoteError::Incomplete {
                missing: "signature lines",
            })?;
        let mut signatures = Vec::new();
        for (at, line) in lines.split('\n').enumerate() {
            if at == limits.signatures_max {
                return Err(NoteError::TooManySignatures {
                    max: limits.signatures_max,
                });
            }
            signatures
                .push(parse_signature(line).ok_or(NoteError::SignatureLine { line: at + 1 })?);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The note as text.
    ///
    /// # Errors
    /// [`NoteError::KeyName`], [`NoteError::ControlCharacter`], or [`NoteError::Incomplete`] when the text has
    /// no final newline or there is no signature.
    pub fn format(&self) -> Result<String, NoteError> {
        note_message(&self.text)?;
        if self.signatures.is_empty() {
            return Err(NoteError::Incomplete {
                missing: "signature lines",
            });
        }
        let mut note = format!("{}\n", self.text);
        for signature in &self.signatures {
            note.push_str(&signature.line()?);
            note.push('\n');
        }
        Ok(note)
    }

    /// The signatures that claim to be by this key. Several keys may share an id: a signature that does not
    /// verify is then another key's.
    pub fn signatures_by<'a>(
        &'a self,
        key: &'a VerifierKey,
    ) -> impl Iterator<Item = &'a NoteSignature> {
        self.signatures
            .iter()
            .filter(|signature| signature.name == key.name && signature.key_id == key.key_id())
    }
}

/// The bytes that an Ed25519 note signature (type 0x01) covers: the text with its final newline.
///
/// # Errors
/// [`NoteError::ControlCharacter`], or [`NoteError::Incomplete`] when the text has no final newline.
pub fn note_message(text: &str) -> Result<&[u8], NoteError> {
    check_characters(text)?;
    if !text.ends_with('\n') {
        return Err(NoteError::Incomplete {
            missing: "final newline of the text",
        });
    }
    Ok(text.as_bytes())
}

/// The bytes that a witness's `cosignature/v1` (type 0x04) covers, at `time` seconds since the Unix epoch.
///
/// # Errors
/// As [`note_message`].
pub fn cosignature_message(time: u64, text: &str) -> Result<Vec<u8>, NoteError> {
    let mut message = format!("cosignature/v1\ntime {time}\n").into_bytes();
    message.extend_from_slice(note_message(text)?);
    Ok(message)
}

/// Key id of a note key: the first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).
pub fn key_id(name: &str, key_type: u8, public_key: &[u8]) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', key_type])
        .chain_update(public_key)
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// A public key of a note signer, in text `name+<key id in hex>+base64(type ‖ public key)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    /// Name of the key.
    pub name: String,
    /// Type of its signatures, for instance [`KEY_TYPE_ED25519`].
    pub key_type: u8,
    /// The public key; 32 bytes for the two Ed25519 types.
    pub public_key: Vec<u8>,
}

impl VerifierKey {
    /// Parses the text form. Keys of any type are taken; those of Ed25519 types must have 32 bytes.
    ///
    /// # Errors
    /// [`NoteError::VerifierKey`] or [`NoteError::KeyName`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let refuse = |reason| NoteError::VerifierKey { reason };
        let (name, rest) = text.split_once('+').ok_or(refuse("there is no key id"))?;
        let (id, key) = rest.split_once('+').ok_or(refuse("there is no key"))?;
        check_key_name(name)?;
        let key = base64_decode(key).ok_or(refuse("the key is not base64"))?;
        let (key_type, public_key) = key.split_first().ok_or(refuse("the key is empty"))?;
        if matches!(*key_type, KEY_TYPE_ED25519 | KEY_TYPE_COSIGNATURE) && public_key.len() != 32 {
            return Err(refuse("an Ed25519 key has 32 bytes"));
        }
        let key = Self {
            name: name.to_owned(),
            key_type: *key_type,
            public_key: public_key.to_vec(),
        };
        if hex::encode(key.key_id()) != id {
            return Err(refuse("the key id does not belong to the key"));
        }
        Ok(key)
    }

    /// The text form.
    pub fn format(&self) -> String {
        let mut key = vec![self.key_type];
        key.extend_from_slice(&self.public_key);
        format!(
            "{}+{}+{}",
            self.name,
            hex::encode(self.key_id()),
            base64_encode(&key)
        )
    }

    /// The key's id in signature lines.
    pub fn key_id(&self) -> [u8; 4] {
        key_id(&self.name, self.key_type, &self.public_key)
    }
}

/// What a checkpoint says about a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's unique name.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree of that size.
    pub root: Hash,
    /// Extension lines, none of them empty. Their meaning belongs to the log.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// The note text, with its final newline.
    ///
    /// # Errors
    /// [`NoteError::Checkpoint`] when the origin or an extension line is empty or holds a control character.
    pub fn text(&self) -> Result<String, NoteError> {
        check_line(&self.origin, "origin")?;
        let mut text = format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            base64_encode(&self.root)
        );
        for extension in &self.extensions {
            check_line(extension, "extension line")?;
            text.push_str(extension);
            text.push('\n');
        }
        Ok(text)
    }

    /// Parses a note's text.
    ///
    /// # Errors
    /// [`NoteError::Checkpoint`] or [`NoteError::Incomplete`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let body = text.strip_suffix('\n').ok_or(NoteError::Incomplete {
            missing: "final newline of the text",
        })?;
        let mut lines = body.split('\n');
        let mut next = |line| {
            let found = lines.next().ok_or(NoteError::Checkpoint { line })?;
            check_line(found, line).map(|()| found)
        };
        let origin = next("origin")?.to_owned();
        let size =
            parse_size(next("tree size")?).ok_or(NoteError::Checkpoint { line: "tree size" })?;
        let root = base64_decode(next("root")?)
            .and_then(|root| Hash::try_from(root).ok())
            .ok_or(NoteError::Checkpoint { line: "root" })?;
        let mut extensions = Vec::new();
        for extension in lines {
            check_line(extension, "extension line")?;
            extensions.push(extension.to_owned());
        }
        Ok(Self {
            origin,
            size,
            root,
            extensions,
        })
    }
}

/// Decimal digits without sign or leading zeros.
pub(crate) fn parse_size(digits: &str) -> Option<u64> {
    let canonical = digits == "0"
        || (!digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()));
    if canonical { digits.parse().ok() } else { None }
}

fn parse_signature(line: &str) -> Option<NoteSignature> {
    let (name, bytes) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
    check_key_name(name).ok()?;
    let bytes = base64_decode(bytes)?;
    let (key_id, signature) = bytes.split_first_chunk::<4>()?;
    if signature.is_empty() {
        return None;
    }
    Some(NoteSignature {
        name: name.to_owned(),
        key_id: *key_id,
        signature: signature.to_vec(),
    })
}

fn check_key_name(name: &str) -> Result<(), NoteError> {
    let refused =
        |character: char| character.is_whitespace() || character == '+' || character < ' ';
    if name.is_empty() || name.contains(refused) {
        return Err(NoteError::KeyName {
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    match text.bytes().position(|byte| byte < b' ' && byte != b'\n') {
        Some(at) => Err(NoteError::ControlCharacter { at }),
        None => Ok(()),
    }
}

fn check_line(text: &str, line: &'static str) -> Result<(), NoteError> {
    if text.is_empty() || text.bytes().any(|byte| byte < b' ') {
        return Err(NoteError::Checkpoint { line });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Checkpoint {
        Checkpoint {
            origin: "example.org/log".into(),
            size: 3,
            root: [7; 32],
            extensions: vec!["more here".into()],
        }
    }

    #[test]
    fn checkpoint_round_trip() {
        let text = example().text().unwrap();
        assert_eq!(
            text,
            "example.org/log\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\nmore here\n"
        );
        assert_eq!(Checkpoint::parse(&text), Ok(example()));
        assert_eq!(note_message(&text), Ok(text.as_bytes()));
    }

    #[test]
    fn malformed_checkpoints_are_refused() {
        let root = base64_encode(&[7; 32]);
        for (text, line) in [
            (format!("\n3\n{root}\n"), "origin"),
            ("origin\n".to_owned(), "tree size"),
            (format!("origin\n03\n{root}\n"), "tree size"),
            (format!("origin\n+3\n{root}\n"), "tree size"),
            (
                format!("origin\n18446744073709551616\n{root}\n"),
                "tree size",
            ),
            ("origin\n3\n".to_owned(), "root"),
            ("origin\n3\nBwcH\n".to_owned(), "root"),
            (format!("origin\n3\n{root}\n\n"), "extension line"),
            (format!("origin\n3\n{root}\nfine\n\nx\n"), "extension line"),
        ] {
            assert_eq!(
                Checkpoint::parse(&text),
                Err(NoteError::Checkpoint { line }),
                "{text:?}"
            );
        }
        assert!(matches!(
            Checkpoint::parse(&format!("origin\n3\n{root}")),
            Err(NoteError::Incomplete { .. })
        ));
        assert!(
            Checkpoint {
                origin: "two\nlines".into(),
                ..example()
            }
            .text()
            .is_err()
        );
        assert!(
            Checkpoint {
                extensions: vec![String::new()],
                ..example()
            }
            .text()
            .is_err()
        );
    }

    #[test]
    fn note_round_trip_and_refusals() {
        let note = Note {
            text: example().text().unwrap(),
            signatures: vec![
                NoteSignature {
                    name: "example.org/log".into(),
                    key_id: [1, 2, 3, 4],
                    signature: vec![9; 64],
                },
                NoteSignature {
                    name: "witness".into(),
                    key_id: [5, 6, 7, 8],
                    signature: vec![8; 72],
                },
            ],
        };
        let text = note.format().unwrap();
        let limits = NoteLimits::default();
        assert_eq!(Note::parse(&text, &limits), Ok(note.clone()));
        assert_eq!(note.signatures[0].cosignature(), None);
        assert_eq!(
            note.signatures[1].cosignature(),
            Some((0x0808_0808_0808_0808, [8; 64]))
        );

        let one = NoteLimits {
            signatures_max: 1,
            ..limits
        };
        assert_eq!(
            Note::parse(&text, &one),
            Err(NoteError::TooManySignatures { max: 1 })
        );
        let short = NoteLimits {
            bytes_max: 10,
            ..limits
        };
        assert_eq!(
            Note::parse(&text, &short),
            Err(NoteError::TooLong {
                found: text.len(),
                max: 10
            })
        );
        assert!(Note::parse(&text.replace('—', "-"), &limits).is_err());
        assert!(Note::parse(text.trim_end(), &limits).is_err());
        assert_eq!(
            Note::parse("text\n\n— a AQIDBA==\n", &limits),
            Err(NoteError::SignatureLine { line: 1 })
        );
        assert_eq!(
            Note::parse("te\rxt\n\n— a AQIDBAU=\n", &limits),
            Err(NoteError::ControlCharacter { at: 2 })
        );
        assert!(
            Note {
                signatures: vec![],
                ..note.clone()
            }
            .format()
            .is_err()
        );
        assert!(
            Note {
                text: "no newline".into(),
                ..note
            }
            .format()
            .is_err()
        );
        assert!(
            NoteSignature {
                name: "a b".into(),
                key_id: [0; 4],
                signature: vec![1]
            }
            .line()
            .is_err()
        );
    }

    #[test]
    fn verifier_keys() {
        let key = VerifierKey {
            name: "example.org/log".into(),
            key_type: KEY_TYPE_ED25519,
            public_key: vec![3; 32],
        };
        let text = key.format();
        assert_eq!(VerifierKey::parse(&text), Ok(key));
        for bad in [
            "example.org/log",
            "example.org/log+00000000",
            &text.replace("example.org", "example.net"),
            &text.to_uppercase(),
            &text[..text.len() - 4],
            &text.replace("example.org", "example org"),
        ] {
            assert!(VerifierKey::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_formats_back(text in "(a|\n|— |[0-9A-Za-z+/=]{4}| ){0,40}") {
            if let Ok(note) = Note::parse(&text, &NoteLimits::default()) {
                prop_assert_eq!(note.format().unwrap(), text);
                if let Ok(checkpoint) = Checkpoint::parse(&note.text) {
                    prop_assert_eq!(checkpoint.text().unwrap(), note.text);
                }
            }
        }
    }
}
