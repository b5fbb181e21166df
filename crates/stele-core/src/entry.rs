//! Entries: signed commands for a register (docs/format.md section 3).

use core::ops::Range;

use crate::cbor::{self, DecodeError, Decoder, Encoder, ErrorKind};
use crate::id::{EntryId, Hash, KeyId, NetworkId, RegisterName, TimeMs, sha256};
use crate::suite::SigningKey;

/// The largest entry, in bytes.
pub const ENTRY_BYTES_MAX: usize = 1 << 20;
/// The most commands in one entry.
pub const COMMANDS_MAX: usize = 4096;
/// The longest validity window, in milliseconds: one hour.
pub const WINDOW_MS_MAX: u64 = 3_600_000;
/// The most countersignatures on one entry.
pub const COUNTERSIGNATURES_MAX: usize = 16;
/// The longest signature of any suite, in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 4096;

/// COSE header label of an entry's own parameters (private use, RFC 9052 section 11.1).
/// It also separates domains: nothing else that a party signs carries it.
const LABEL_ENTRY: i64 = -65537;
/// COSE Countersignature version 2 (RFC 9338).
const LABEL_COUNTERSIGNATURE: i64 = 11;

/// Why bytes are not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// More than [`ENTRY_BYTES_MAX`].
    #[error("the entry has {0} bytes; the limit is {ENTRY_BYTES_MAX}")]
    TooLarge(usize),
    /// Not a COSE_Sign1 of the right shape.
    #[error("the entry is not a well-formed COSE_Sign1: {0}")]
    Malformed(DecodeError),
    /// The same value in another encoding.
    #[error("the entry is not in deterministic CBOR: {0}")]
    NotCanonical(DecodeError),
    /// `not-after` is not above `not-before`, or further than an hour.
    #[error("the validity window must be longer than nothing and at most {WINDOW_MS_MAX} ms")]
    BadWindow,
    /// A command's name is not `name` or `other-register/name`.
    #[error("the command name `{0}` is neither a name nor another register's name with one slash")]
    BadCommand(String),
    /// One key signs twice.
    #[error("the key {0} signs the entry more than once")]
    BadCountersignature(KeyId),
}

impl EntryError {
    /// The rule's name, as clients and vectors know it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "entry.too-large",
            Self::Malformed(_) => "entry.malformed",
            Self::NotCanonical(_) => "entry.not-canonical",
            Self::BadWindow => "entry.bad-window",
            Self::BadCommand(_) => "entry.bad-command",
            Self::BadCountersignature(_) => "entry.bad-countersignature",
        }
    }
}

impl From<DecodeError> for EntryError {
    fn from(error: DecodeError) -> Self {
        if error.kind.is_canonicality() {
            Self::NotCanonical(error)
        } else {
            Self::Malformed(error)
        }
    }
}

/// The protected header of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryHeader {
    /// COSE algorithm of the signature.
    pub alg: i64,
    /// The signer's key.
    pub kid: KeyId,
    /// The network that the entry is for; no other admits it.
    pub network: NetworkId,
    /// The register of unqualified commands.
    pub register: RegisterName,
    /// First millisecond of the validity window.
    pub not_before: TimeMs,
    /// Last millisecond of the validity window.
    pub not_after: TimeMs,
    /// Tells apart entries that are otherwise alike; 8 to 16 bytes.
    pub nonce: Vec<u8>,
}

/// One command, borrowed from its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// The register it goes to.
    pub register: &'a str,
    /// Its name within that register.
    pub name: &'a str,
    /// Its body: the encoding of a map with text keys.
    pub body: &'a [u8],
}

#[derive(Debug, Clone)]
struct Countersignature {
    alg: i64,
    kid: KeyId,
    protected: Range<usize>,
    signature: Range<usize>,
}

/// A signature to check: key, algorithm, the bytes it covers and the signature itself.
#[derive(Debug, Clone)]
pub struct SignatureToCheck<'a> {
    /// The key's id.
    pub kid: KeyId,
    /// COSE algorithm.
    pub alg: i64,
    /// The covered bytes.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: &'a [u8],
}

/// A well-formed entry. Its signatures are not checked by decoding.
#[derive(Debug, Clone)]
pub struct Entry {
    bytes: Vec<u8>,
    header: EntryHeader,
    protected: Range<usize>,
    payload: Range<usize>,
    signature: Range<usize>,
    countersignatures: Vec<Countersignature>,
    command_count: usize,
    id: EntryId,
}

impl Entry {
    /// Reads an entry.
    ///
    /// # Errors
    /// [`EntryError`]; the order is size, shape and encoding, header, window, commands.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge(bytes.len()));
        }
        cbor::check(&bytes)?;
        let mut decoder = Decoder::new(&bytes);
        decoder.tag(18, "the tag of a COSE_Sign1 (18)")?;
        decoder.array_of(4, "an array of four")?;
        let protected = byte_string(&mut decoder, ENTRY_BYTES_MAX)?;
        let countersignatures = countersignatures(&mut decoder, &bytes)?;
        let payload = byte_string(&mut decoder, ENTRY_BYTES_MAX)?;
        let signature = byte_string(&mut decoder, SIGNATURE_BYTES_MAX)?;
        decoder.finish()?;

        let header = read_header(&bytes[protected.clone()])?;
        let command_count = count_commands(&bytes[payload.clone()])?;
        let window = header.not_after.get().checked_sub(header.not_before.get());
        if !window.is_some_and(|window| (1..=WINDOW_MS_MAX).contains(&window)) {
            return Err(EntryError::BadWindow);
        }
        if bytes[payload.clone()].contains(&b'/') {
            check_command_names(&bytes[payload.clone()], header.register.as_str())?;
        }
        let mut kids: Vec<&KeyId> = countersignatures.iter().map(|c| &c.kid).collect();
        kids.push(&header.kid);
        kids.sort_unstable();
        if let Some(pair) = kids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(EntryError::BadCountersignature(*pair[0]));
        }

        let structure = sig_structure_heads(&bytes[protected.clone()], payload.len());
        let id = EntryId::from_bytes(sha256(&[&structure, &bytes[payload.clone()]]));
        Ok(Self {
            header,
            protected,
            payload,
            signature,
            countersignatures,
            command_count,
            id,
            bytes,
        })
    }

    /// The entry's encoding.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the encoding back.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The protected header.
    pub fn header(&self) -> &EntryHeader {
        &self.header
    }

    /// The hash of the `Sig_structure`.
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// The hash of the whole entry, signatures included.
    pub fn envelope_hash(&self) -> Hash {
        Hash::from_bytes(sha256(&[&self.bytes]))
    }

    /// The bytes that the signer signs: `["Signature1", protected, h'', payload]` (RFC 9052 section 4.4).
    pub fn sig_structure(&self) -> Vec<u8> {
        let mut structure =
            sig_structure_heads(&self.bytes[self.protected.clone()], self.payload.len());
        structure.extend_from_slice(&self.bytes[self.payload.clone()]);
        structure
    }

    /// The signer's signature and what it covers.
    pub fn signature(&self) -> SignatureToCheck<'_> {
        SignatureToCheck {
            kid: self.header.kid,
            alg: self.header.alg,
            message: self.sig_structure(),
            signature: &self.bytes[self.signature.clone()],
        }
    }

    /// The countersignatures and what they cover (RFC 9338 section 3.3).
    pub fn countersignatures(&self) -> impl Iterator<Item = SignatureToCheck<'_>> {
        self.countersignatures
            .iter()
            .map(|counter| SignatureToCheck {
                kid: counter.kid,
                alg: counter.alg,
                message: countersign_structure(
                    &self.bytes[self.protected.clone()],
                    &self.bytes[counter.protected.clone()],
                    &self.bytes[self.payload.clone()],
                    &self.bytes[self.signature.clone()],
                ),
                signature: &self.bytes[counter.signature.clone()],
            })
    }

    /// The keys that countersigned, in the entry's order.
    pub fn cosigner_kids(&self) -> impl Iterator<Item = &KeyId> {
        self.countersignatures.iter().map(|counter| &counter.kid)
    }

    /// How many commands it holds.
    pub fn command_count(&self) -> usize {
        self.command_count
    }

    /// The commands in order.
    pub fn commands(&self) -> impl Iterator<Item = Command<'_>> {
        let mut decoder = Decoder::new(&self.bytes[self.payload.clone()]);
        decoder.array(COMMANDS_MAX).expect("checked by decode");
        let own_register = self.header.register.as_str();
        (0..self.command_count).map(move |_| {
            let (full_name, body) = read_command(&mut decoder).expect("checked by decode");
            let (register, name) = full_name
                .split_once('/')
                .unwrap_or((own_register, full_name));
            Command {
                register,
                name,
                body,
            }
        })
    }
}

/// Reads a byte string and returns where its content lies in the decoded bytes.
fn byte_string(decoder: &mut Decoder<'_>, max: usize) -> Result<Range<usize>, DecodeError> {
    let content = decoder.bytes(max)?.len();
    Ok(decoder.position() - content..decoder.position())
}

fn countersignatures(
    decoder: &mut Decoder<'_>,
    bytes: &[u8],
) -> Result<Vec<Countersignature>, EntryError> {
    if decoder.map(1)? == 0 {
        return Ok(Vec::new());
    }
    decoder.exactly(
        LABEL_COUNTERSIGNATURE,
        "countersignatures (11) and nothing else",
    )?;
    let count = decoder.array(COUNTERSIGNATURES_MAX)?;
    if count == 0 {
        let kind = ErrorKind::Expected("a countersignature at least");
        return Err(DecodeError { offset: 0, kind }.into());
    }
    let mut found = Vec::with_capacity(count);
    for _ in 0..count {
        decoder.array_of(3, "a countersignature of three parts")?;
        let protected = byte_string(decoder, 64)?;
        decoder.map(0)?;
        let signature = byte_string(decoder, SIGNATURE_BYTES_MAX)?;
        let (alg, kid) = signer_header(&bytes[protected.clone()])?;
        found.push(Countersignature {
            alg,
            kid,
            protected,
            signature,
        });
    }
    Ok(found)
}

fn signer_header(protected: &[u8]) -> Result<(i64, KeyId), DecodeError> {
    cbor::check(protected)?;
    let mut decoder = Decoder::new(protected);
    if decoder.map(2)? != 2 {
        return Err(expected(0, "alg and kid"));
    }
    decoder.exactly(1, "alg (1)")?;
    let alg = decoder.int()?;
    decoder.exactly(4, "kid (4)")?;
    let kid = KeyId::from_bytes(decoder.bytes32()?);
    decoder.finish()?;
    Ok((alg, kid))
}

fn expected(offset: usize, what: &'static str) -> DecodeError {
    DecodeError {
        offset,
        kind: ErrorKind::Expected(what),
    }
}

fn read_header(protected: &[u8]) -> Result<EntryHeader, DecodeError> {
    cbor::check(protected)?;
    let mut decoder = Decoder::new(protected);
    if decoder.map(3)? != 3 {
        return Err(expected(0, "alg, kid and the entry's parameters"));
    }
    decoder.exactly(1, "alg (1)")?;
    let alg = decoder.int()?;
    decoder.exactly(4, "kid (4)")?;
    let kid = KeyId::from_bytes(decoder.bytes32()?);
    decoder.exactly(LABEL_ENTRY, "the entry's parameters (-65537)")?;
    decoder.array_of(5, "five entry parameters")?;
    let network = NetworkId::from_bytes(decoder.bytes32()?);
    let at = decoder.position();
    let register = RegisterName::new(decoder.text(crate::id::REGISTER_NAME_BYTES_MAX)?)
        .map_err(|_| expected(at, "a register name"))?;
    let not_before = TimeMs::new(decoder.uint()?);
    let not_after = TimeMs::new(decoder.uint()?);
    let at = decoder.position();
    let nonce = decoder.bytes(16)?.to_vec();
    if nonce.len() < 8 {
        return Err(expected(at, "a nonce of 8 to 16 bytes"));
    }
    decoder.finish()?;
    Ok(EntryHeader {
        alg,
        kid,
        network,
        register,
        not_before,
        not_after,
        nonce,
    })
}

/// Checks the form of all commands, in one pass over the payload.
fn count_commands(payload: &[u8]) -> Result<usize, DecodeError> {
    let mut decoder = Decoder::new(payload);
    let count = decoder.array(COMMANDS_MAX)?;
    if count == 0 {
        return Err(expected(0, "a command at least"));
    }
    for _ in 0..count {
        read_command(&mut decoder)?;
    }
    decoder.finish()?;
    Ok(count)
}

/// One command as written: its name, perhaps qualified, and its body.
fn read_command<'a>(decoder: &mut Decoder<'a>) -> Result<(&'a str, &'a [u8]), DecodeError> {
    decoder.array_of(2, "a command of name and body")?;
    let at = decoder.position();
    let name = decoder.text(64)?;
    if name.is_empty() {
        return Err(expected(at, "a name that is not empty"));
    }
    // The array and the pair around a body are two of the sixteen levels.
    Ok((name, decoder.text_map(cbor::DEPTH_MAX - 2)?))
}

fn check_command_names(payload: &[u8], own_register: &str) -> Result<(), EntryError> {
    let mut decoder = Decoder::new(payload);
    for _ in 0..decoder.array(COMMANDS_MAX)? {
        let (full_name, _) = read_command(&mut decoder)?;
        if let Some((register, name)) = full_name.split_once('/') {
            let well_named = RegisterName::new(register).is_ok()
                && register != own_register
                && !name.is_empty()
                && !name.contains('/');
            if !well_named {
                return Err(EntryError::BadCommand(full_name.to_owned()));
            }
        }
    }
    Ok(())
}

fn sig_structure_heads(protected: &[u8], payload_bytes: usize) -> Vec<u8> {
    let mut out = Encoder::with_capacity(protected.len() + payload_bytes + 32);
    out.array(4).text("Signature1").bytes(protected).bytes(b"");
    byte_string_head(&mut out, payload_bytes);
    out.into_vec()
}

fn byte_string_head(out: &mut Encoder, length: usize) {
    // The head of a byte string differs from the head of an unsigned integer by its major type only.
    let mut head = Encoder::new();
    head.uint(length as u64);
    let mut head = head.into_vec();
    head[0] |= 2 << 5;
    out.raw(&head);
}

/// `Sig_structure` of any COSE_Sign1 with empty external data.
pub(crate) fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut structure = sig_structure_heads(protected, payload.len());
    structure.extend_from_slice(payload);
    structure
}

fn countersign_structure(
    body_protected: &[u8],
    sign_protected: &[u8],
    payload: &[u8],
    signature: &[u8],
) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(6)
        .text("CounterSignatureV2")
        .bytes(body_protected)
        .bytes(sign_protected);
    out.bytes(b"").bytes(payload).array(1).bytes(signature);
    out.into_vec()
}

/// Builds and signs an entry.
#[derive(Debug, Clone)]
pub struct EntryBuilder {
    network: NetworkId,
    register: RegisterName,
    not_before: TimeMs,
    not_after: TimeMs,
    nonce: Vec<u8>,
    commands: Vec<(String, Vec<u8>)>,
}

impl EntryBuilder {
    /// Starts an entry. `nonce` has 8 to 16 bytes and should be random.
    pub fn new(
        network: NetworkId,
        register: RegisterName,
        not_before: TimeMs,
        not_after: TimeMs,
        nonce: &[u8],
    ) -> Self {
        Self {
            network,
            register,
            not_before,
            not_after,
            nonce: nonce.to_vec(),
            commands: Vec::new(),
        }
    }

    /// Adds a command of the entry's register, or of another one as `register/name`. `body` is an encoded map.
    pub fn command(mut self, name: &str, body: Vec<u8>) -> Self {
        self.commands.push((name.to_owned(), body));
        self
    }

    fn protected(&self, key: &SigningKey) -> Vec<u8> {
        let public = key.public();
        let mut out = Encoder::new();
        out.map(3)
            .int(1)
            .int(public.suite().algorithm())
            .int(4)
            .bytes(public.kid().as_bytes());
        out.int(LABEL_ENTRY)
            .array(5)
            .bytes(self.network.as_bytes())
            .text(self.register.as_str());
        out.uint(self.not_before.get())
            .uint(self.not_after.get())
            .bytes(&self.nonce);
        out.into_vec()
    }

    /// Signs with `key`.
    ///
    /// # Errors
    /// [`EntryError`] when what was built is not a valid entry.
    pub fn sign(self, key: &SigningKey) -> Result<Entry, EntryError> {
        self.sign_with_cosigners(key, &[])
    }

    /// Signs with `key` and countersigns with each of `cosigners`.
    ///
    /// # Errors
    /// [`EntryError`] when what was built is not a valid entry.
    pub fn sign_with_cosigners(
        self,
        key: &SigningKey,
        cosigners: &[&SigningKey],
    ) -> Result<Entry, EntryError> {
        let protected = self.protected(key);
        let mut payload = Encoder::new();
        payload.array(self.commands.len());
        for (name, body) in &self.commands {
            payload.array(2).text(name).raw(body);
        }
        let payload = payload.into_vec();
        let signature = key.sign(&sig_structure(&protected, &payload));

        let mut out =
            Encoder::with_capacity(protected.len() + payload.len() + signature.len() + 32);
        out.tag(18).array(4).bytes(&protected);
        if cosigners.is_empty() {
            out.map(0);
        } else {
            out.map(1)
                .int(LABEL_COUNTERSIGNATURE)
                .array(cosigners.len());
            for cosigner in cosigners {
                let public = cosigner.public();
                let mut sign_protected = Encoder::new();
                sign_protected
                    .map(2)
                    .int(1)
                    .int(public.suite().algorithm())
                    .int(4)
                    .bytes(public.kid().as_bytes());
                let sign_protected = sign_protected.into_vec();
                let message =
                    countersign_structure(&protected, &sign_protected, &payload, &signature);
                out.array(3)
                    .bytes(&sign_protected)
                    .map(0)
                    .bytes(&cosigner.sign(&message));
            }
        }
        out.bytes(&payload).bytes(&signature);
        Entry::decode(out.into_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::PublicKey;

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex.to_lowercase()).expect("hex")
    }

    /// Examples sign-pass-01 and sign-pass-03 of the COSE working group's collection (cose-wg/Examples, sign1-tests): the bytes
    /// to be signed, and signatures by their P-256 key "11".
    #[test]
    fn the_published_cose_examples_verify() {
        let x = "bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff";
        let y = "20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e";
        let key = bytes(&format!("a4010220012158 20{x}2258 20{y}").replace(' ', ""));
        let key = PublicKey::from_cose_key(&key).expect("the working group's key");
        let content = b"This is the content.";
        let examples = [
            (
                "",
                "846A5369676E617475726531404054546869732069732074686520636F6E74656E742E",
                "EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E11A02E5F0344BF2D4EE5C7FD75A68A9F5E0B3CC1F1FC1409C189566586FF9D610",
            ),
            (
                "a10126",
                "846A5369676E61747572653143A101264054546869732069732074686520636F6E74656E742E",
                "EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E19F43D6C6BA654472DA301B645B293C9BA939295B97C4BDB847782BFF384C5794",
            ),
        ];
        for (protected, to_be_signed, signature) in examples {
            let message = sig_structure(&bytes(protected), content);
            assert_eq!(message, bytes(to_be_signed));
            key.verify(-7, &message, &bytes(signature)).expect("valid");
            let other = sig_structure(&bytes(protected), b"This is other content");
            key.verify(-7, &other, &bytes(signature))
                .expect_err("the content was changed");
        }
    }
}
