//! Block headers, certificates and the log's records (docs/format.md sections 4 and 5).

use crate::cbor::{self, DecodeError, Decoder, Encoder, ErrorKind};
use crate::entry::{SIGNATURE_BYTES_MAX, sig_structure};
use crate::id::{
    BlockHash, EntryId, Hash, Height, KeyId, LogIndex, NetworkId, PartyId, RegisterName, TimeMs,
    sha256,
};
use crate::merkle::checkpoint::Checkpoint;
use crate::suite::{PublicKey, SigningKey, SuiteError};
use crate::witness::log_origin;

/// COSE header label `vds`, the verifiable data structure (RFC 9942).
const LABEL_VDS: i64 = 395;
/// COSE header label `vdp`, the proofs over it (RFC 9942).
pub(crate) const LABEL_VDP: i64 = 396;
/// `RFC9162_SHA256` in the registry of verifiable data structures.
const VDS_RFC9162_SHA256: u64 = 1;
/// Private-use label of the block parameters.
const LABEL_BLOCK: i64 = -65538;
/// Private-use label of the record beside a proof.
pub(crate) const LABEL_RECORD: i64 = -65539;
/// Private-use label of the events beside a proof.
pub(crate) const LABEL_EVENTS: i64 = -65540;

/// The most events of one entry.
pub const EVENTS_MAX: usize = 16_384;

/// What the network said of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All commands applied.
    Applied {
        /// The hash of the encoded events.
        events_hash: [u8; 32],
    },
    /// A command was refused, so none applied.
    Refused {
        /// Which command, from 0.
        command_index: u64,
        /// The rule that refused it.
        code: String,
    },
}

/// One line of the log, the leaf data of its Merkle tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The entry.
    pub entry_id: EntryId,
    /// The hash of the whole entry, signatures included.
    pub envelope_hash: Hash,
    /// The signer's party.
    pub party: PartyId,
    /// The register in the entry's header.
    pub register: RegisterName,
    /// The register version that judged, as `trace@1`.
    pub rule: String,
    /// The block that ordered the entry.
    pub height: Height,
    /// That block's time.
    pub time: TimeMs,
    /// What became of it.
    pub outcome: Outcome,
}

impl Record {
    /// The deterministic encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(224);
        out.array(9)
            .uint(1)
            .bytes(self.entry_id.as_bytes())
            .bytes(self.envelope_hash.as_bytes());
        out.bytes(self.party.as_bytes())
            .text(self.register.as_str())
            .text(&self.rule);
        out.uint(self.height.get()).uint(self.time.get());
        match &self.outcome {
            Outcome::Applied { events_hash } => out.array(2).uint(0).bytes(events_hash),
            Outcome::Refused {
                command_index,
                code,
            } => out.array(3).uint(1).uint(*command_index).text(code),
        };
        out.into_vec()
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        cbor::check(bytes)?;
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(9, "a record of nine parts")?;
        let version = decoder.uint()?;
        let entry_id = EntryId::from_bytes(decoder.bytes32()?);
        let envelope_hash = Hash::from_bytes(decoder.bytes32()?);
        let party = PartyId::from_bytes(decoder.bytes32()?);
        let offset = decoder.position();
        let register = RegisterName::new(decoder.text(32)?).map_err(|_| DecodeError {
            offset,
            kind: ErrorKind::Expected("a register name"),
        })?;
        let rule = decoder.text(64)?.to_owned();
        let height = Height::new(decoder.uint()?);
        let time = TimeMs::new(decoder.uint()?);
        let offset = decoder.position();
        let parts = decoder.array(3)?;
        let outcome = match (parts, decoder.uint()?) {
            (2, 0) => Outcome::Applied {
                events_hash: decoder.bytes32()?,
            },
            (3, 1) => Outcome::Refused {
                command_index: decoder.uint()?,
                code: decoder.text(96)?.to_owned(),
            },
            _ => {
                return Err(DecodeError {
                    offset,
                    kind: ErrorKind::Expected("an outcome"),
                }
                .into());
            }
        };
        decoder.finish()?;
        if version != 1 {
            return Err(HeaderError::Version(version));
        }
        Ok(Self {
            entry_id,
            envelope_hash,
            party,
            register,
            rule,
            height,
            time,
            outcome,
        })
    }
}

/// Something that an applied command made happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's name, such as `custody.moved`.
    pub name: String,
    /// Its body: the encoding of a map with text keys.
    pub body: Vec<u8>,
}

/// Encodes the events of one entry.
pub fn encode_events(events: &[Event]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(events.len());
    for event in events {
        out.array(2).text(&event.name).raw(&event.body);
    }
    out.into_vec()
}

/// Reads the events of one entry.
///
/// # Errors
/// Any [`DecodeError`].
pub fn decode_events(bytes: &[u8]) -> Result<Vec<Event>, DecodeError> {
    cbor::check(bytes)?;
    let mut decoder = Decoder::new(bytes);
    let count = decoder.array(EVENTS_MAX)?;
    let mut events = Vec::new();
    for _ in 0..count {
        decoder.array_of(2, "an event of name and body")?;
        let name = decoder.text(64)?.to_owned();
        let mut fields = decoder.clone();
        for _ in 0..fields.map(usize::MAX)? {
            fields.text(usize::MAX)?;
            fields.skip()?;
        }
        events.push(Event {
            name,
            body: decoder.skip()?.to_vec(),
        });
    }
    decoder.finish()?;
    Ok(events)
}

/// What a certificate says of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockHeader {
    /// COSE algorithm of the certificate's signature.
    pub alg: i64,
    /// The network key.
    pub kid: KeyId,
    /// The network.
    pub network: NetworkId,
    /// The block's place in the chain.
    pub height: Height,
    /// The block's time; never before that of the block before.
    pub time: TimeMs,
    /// The block before; 32 zero bytes in block 0.
    pub previous: BlockHash,
    /// Records in the log, this block's included.
    pub tree_size: LogIndex,
    /// The root of the state after this block.
    pub state_root: Hash,
}

impl BlockHeader {
    /// The protected header.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(192);
        out.map(4)
            .int(1)
            .int(self.alg)
            .int(4)
            .bytes(self.kid.as_bytes());
        out.int(LABEL_VDS).uint(VDS_RFC9162_SHA256);
        out.int(LABEL_BLOCK)
            .array(7)
            .uint(1)
            .bytes(self.network.as_bytes());
        out.uint(self.height.get())
            .uint(self.time.get())
            .bytes(self.previous.as_bytes());
        out.uint(self.tree_size.get())
            .bytes(self.state_root.as_bytes());
        out.into_vec()
    }

    /// Reads a protected header.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        cbor::check(bytes)?;
        let mut decoder = Decoder::new(bytes);
        if decoder.map(4)? != 4 {
            let kind = ErrorKind::Expected("alg, kid, vds and the block parameters");
            return Err(DecodeError { offset: 0, kind }.into());
        }
        decoder.exactly(1, "alg (1)")?;
        let alg = decoder.int()?;
        decoder.exactly(4, "kid (4)")?;
        let kid = KeyId::from_bytes(decoder.bytes32()?);
        decoder.exactly(LABEL_VDS, "vds (395)")?;
        decoder.exactly(VDS_RFC9162_SHA256 as i64, "RFC9162_SHA256 (1)")?;
        decoder.exactly(LABEL_BLOCK, "the block parameters (-65538)")?;
        decoder.array_of(7, "seven block parameters")?;
        let version = decoder.uint()?;
        let header = Self {
            alg,
            kid,
            network: NetworkId::from_bytes(decoder.bytes32()?),
            height: Height::new(decoder.uint()?),
            time: TimeMs::new(decoder.uint()?),
            previous: BlockHash::from_bytes(decoder.bytes32()?),
            tree_size: LogIndex::new(decoder.uint()?),
            state_root: Hash::from_bytes(decoder.bytes32()?),
        };
        decoder.finish()?;
        if version != 1 {
            Err(HeaderError::Version(version))
        } else {
            Ok(header)
        }
    }
}

/// Why a block header or a record was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Not of the right form.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Of another version.
    #[error("version {0} is not known")]
    Version(u64),
}

/// A block's certificate: header, log root and the network's signature over both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The header.
    pub header: BlockHeader,
    /// The root of the log's Merkle tree.
    pub log_root: Hash,
    /// The signature, in the suite of the network key.
    pub signature: Vec<u8>,
}

impl Certificate {
    /// Signs a block. The header's `alg` and `kid` are set to those of `key`.
    pub fn sign(header: BlockHeader, log_root: Hash, key: &SigningKey) -> Self {
        let mut certificate = Self::unsigned(header, log_root, key.public());
        certificate.signature = key.sign(&certificate.message());
        certificate
    }

    /// A block that nobody has signed yet. The header's `alg` and `kid` are set to those of `key`.
    pub fn unsigned(mut header: BlockHeader, log_root: Hash, key: &PublicKey) -> Self {
        header.alg = key.suite().algorithm();
        header.kid = key.kid();
        Self {
            header,
            log_root,
            signature: Vec::new(),
        }
    }

    /// What the network signs: the `Sig_structure` (RFC 9052 section 4.4).
    pub fn message(&self) -> Vec<u8> {
        sig_structure(&self.header.encode(), self.log_root.as_bytes())
    }

    /// The hash of the `Sig_structure`.
    pub fn block_hash(&self) -> BlockHash {
        BlockHash::from_bytes(sha256(&[&self.message()]))
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`SuiteError`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), SuiteError> {
        key.verify(self.header.alg, &self.message(), &self.signature)
    }

    /// What the certificate says of the log, as a checkpoint (C2SP tlog-checkpoint).
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: log_origin(&self.header.network),
            size: self.header.tree_size.get(),
            root: *self.log_root.as_bytes(),
            extensions: Vec::new(),
        }
    }

    /// The certificate as a COSE_Sign1 that carries the log root as its payload.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(&[0xa0], true)
    }

    pub(crate) fn encode_with(&self, unprotected: &[u8], carries_root: bool) -> Vec<u8> {
        let mut out = Encoder::new();
        out.tag(18)
            .array(4)
            .bytes(&self.header.encode())
            .raw(unprotected);
        if carries_root {
            out.bytes(self.log_root.as_bytes())
        } else {
            out.null()
        };
        out.bytes(&self.signature);
        out.into_vec()
    }

    /// Reads what [`Certificate::encode`] wrote.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        cbor::check(bytes)?;
        let mut decoder = Decoder::new(bytes);
        decoder.tag(18, "the tag of a COSE_Sign1 (18)")?;
        decoder.array_of(4, "an array of four")?;
        let header = BlockHeader::decode(decoder.bytes(512)?)?;
        decoder.map(0)?;
        let log_root = Hash::from_bytes(decoder.bytes32()?);
        let signature = decoder.bytes(SIGNATURE_BYTES_MAX)?.to_vec();
        decoder.finish()?;
        Ok(Self {
            header,
            log_root,
            signature,
        })
    }
}
