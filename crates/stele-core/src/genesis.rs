//! The document that a network starts with (docs/format.md section 8).

use crate::cbor::{self, DecodeError, Decoder, Encoder, ErrorKind};
use crate::id::{NetworkId, RegisterName, TimeMs};
use crate::suite::PublicKey;

/// The largest genesis, in bytes.
pub const GENESIS_BYTES_MAX: usize = 1 << 20;
/// The most validators of a committee.
pub const VALIDATORS_MAX: usize = 100;
/// The largest public polynomial, in bytes.
pub const SHARING_BYTES_MAX: usize = 16 << 10;
/// The longest epoch, in blocks of the engine.
pub const EPOCH_BLOCKS_MAX: u64 = 1_000_000;
const COSE_KEY_BYTES_MAX: usize = 4096;

/// A founding member.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The organisation's name, 1 to 128 bytes.
    pub name: String,
    /// Its first key, one that a party may sign with; its party id follows from it.
    pub key: PublicKey,
}

/// A founding validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// Which founding member runs it.
    pub member: usize,
    /// The Ed25519 key of its node: for links and votes.
    pub node_key: [u8; 32],
    /// Where it listens, as `host:port`, 1 to 255 bytes.
    pub address: String,
}

/// The committee that a network of several validators starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committee {
    /// How many blocks of the engine make an epoch, at least 2; between epochs the committee may change.
    pub epoch_blocks: u64,
    /// The public polynomial of the shares of the network key, as the founding ceremony wrote it.
    pub sharing: Vec<u8>,
    /// The validators, ascending by node key.
    pub validators: Vec<Validator>,
}

/// What a network starts with. Its hash is the network's id.
#[derive(Debug, Clone, PartialEq)]
pub struct Genesis {
    /// The network's name, 1 to 64 bytes.
    pub name: String,
    /// When it was founded; block 0 has this time.
    pub time: TimeMs,
    /// The key under which every certificate verifies.
    pub network_key: PublicKey,
    /// The founding members.
    pub members: Vec<Member>,
    /// The registers and their versions at the start.
    pub registers: Vec<(RegisterName, u64)>,
    /// The committee; `None` in a network of one validator, which holds the network key alone.
    pub committee: Option<Committee>,
}

impl Genesis {
    /// The deterministic encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        match self.committee {
            None => out.array(6).uint(1),
            Some(_) => out.array(7).uint(2),
        };
        out.text(&self.name)
            .uint(self.time.get())
            .raw(&self.network_key.to_cose_key());
        out.array(self.members.len());
        for member in &self.members {
            out.array(2)
                .text(&member.name)
                .raw(&member.key.to_cose_key());
        }
        out.array(self.registers.len());
        for (name, version) in &self.registers {
            out.array(2).text(name.as_str()).uint(*version);
        }
        if let Some(committee) = &self.committee {
            out.array(3)
                .uint(committee.epoch_blocks)
                .bytes(&committee.sharing)
                .array(committee.validators.len());
            for validator in &committee.validators {
                out.array(3)
                    .uint(validator.member as u64)
                    .bytes(&validator.node_key)
                    .text(&validator.address);
            }
        }
        out.into_vec()
    }

    /// Reads a genesis.
    ///
    /// # Errors
    /// Any [`DecodeError`]; a key that is no valid COSE_Key is `Expected`.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > GENESIS_BYTES_MAX {
            return Err(DecodeError {
                offset: 0,
                kind: ErrorKind::TooLong(GENESIS_BYTES_MAX),
            });
        }
        cbor::check(bytes)?;
        let mut decoder = Decoder::new(bytes);
        let parts = decoder.array(7)?;
        let offset = decoder.position();
        let with_committee = match (parts, decoder.uint()?) {
            (6, 1) => false,
            (7, 2) => true,
            _ => {
                let kind = ErrorKind::Expected("a genesis of version 1 or 2");
                return Err(DecodeError { offset, kind });
            }
        };
        let name = read_name(&mut decoder, 64)?;
        let time = TimeMs::new(decoder.uint()?);
        let network_key = read_key(&mut decoder)?;
        let mut members = Vec::new();
        for _ in 0..decoder.array(64)? {
            decoder.array_of(2, "a member of two parts")?;
            let name = read_name(&mut decoder, 128)?;
            let offset = decoder.position();
            let key = read_key(&mut decoder)?;
            if !key.is_for_parties() {
                return Err(DecodeError {
                    offset,
                    kind: ErrorKind::Expected("a key that a party may sign with"),
                });
            }
            members.push(Member { name, key });
        }
        let mut registers = Vec::new();
        for _ in 0..decoder.array(64)? {
            decoder.array_of(2, "a register of two parts")?;
            let offset = decoder.position();
            let name = RegisterName::new(decoder.text(32)?).map_err(|_| DecodeError {
                offset,
                kind: ErrorKind::Expected("a register name"),
            })?;
            registers.push((name, decoder.uint()?));
        }
        let committee = if with_committee {
            Some(read_committee(&mut decoder, members.len())?)
        } else {
            None
        };
        decoder.finish()?;
        // A committee signs with shares of its key, and one validator has nobody to share a key with.
        if network_key.suite().is_for_parties() == committee.is_some() {
            return Err(DecodeError {
                offset: 0,
                kind: ErrorKind::Expected("a network key that fits the committee"),
            });
        }
        if members.is_empty() || registers.is_empty() {
            return Err(DecodeError {
                offset: 0,
                kind: ErrorKind::Expected("a member and a register at least"),
            });
        }
        Ok(Self {
            name,
            time,
            network_key,
            members,
            registers,
            committee,
        })
    }

    /// The network's id.
    pub fn network_id(&self) -> NetworkId {
        NetworkId::of_genesis(&self.encode())
    }
}

fn read_committee(decoder: &mut Decoder<'_>, members: usize) -> Result<Committee, DecodeError> {
    let wrong = |offset, what| DecodeError {
        offset,
        kind: ErrorKind::Expected(what),
    };
    decoder.array_of(3, "a committee of three parts")?;
    let offset = decoder.position();
    let epoch_blocks = decoder.uint()?;
    if !(2..=EPOCH_BLOCKS_MAX).contains(&epoch_blocks) {
        return Err(wrong(offset, "an epoch of 2 to 1,000,000 blocks"));
    }
    let sharing = decoder.bytes(SHARING_BYTES_MAX)?.to_vec();
    let mut validators: Vec<Validator> = Vec::new();
    let count = decoder.array(VALIDATORS_MAX)?;
    if count == 0 {
        return Err(wrong(offset, "a validator at least"));
    }
    for _ in 0..count {
        decoder.array_of(3, "a validator of three parts")?;
        let offset = decoder.position();
        let member = usize::try_from(decoder.uint()?)
            .ok()
            .filter(|member| *member < members)
            .ok_or_else(|| wrong(offset, "the number of a member"))?;
        let offset = decoder.position();
        let node_key = decoder.bytes32()?;
        if validators
            .last()
            .is_some_and(|last| last.node_key >= node_key)
        {
            return Err(wrong(offset, "node keys that ascend"));
        }
        validators.push(Validator {
            member,
            node_key,
            address: read_name(decoder, 255)?,
        });
    }
    Ok(Committee {
        epoch_blocks,
        sharing,
        validators,
    })
}

fn read_name(decoder: &mut Decoder<'_>, max: usize) -> Result<String, DecodeError> {
    let offset = decoder.position();
    match decoder.text(max)? {
        "" => Err(DecodeError {
            offset,
            kind: ErrorKind::Expected("a name that is not empty"),
        }),
        name => Ok(name.to_owned()),
    }
}

fn read_key(decoder: &mut Decoder<'_>) -> Result<PublicKey, DecodeError> {
    let offset = decoder.position();
    let raw = decoder.skip()?;
    if raw.len() > COSE_KEY_BYTES_MAX {
        return Err(DecodeError {
            offset,
            kind: ErrorKind::TooLong(COSE_KEY_BYTES_MAX),
        });
    }
    PublicKey::from_cose_key(raw).map_err(|_| DecodeError {
        offset,
        kind: ErrorKind::Expected("a COSE_Key of a known suite"),
    })
}
