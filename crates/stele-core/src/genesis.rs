//! The document that a network starts with (docs/format.md section 8).

use crate::cbor::{self, DecodeError, Decoder, Encoder, ErrorKind};
use crate::id::{NetworkId, RegisterName, TimeMs};
use crate::suite::PublicKey;

/// The largest genesis, in bytes.
pub const GENESIS_BYTES_MAX: usize = 1 << 20;
const COSE_KEY_BYTES_MAX: usize = 4096;

/// A founding member.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The organisation's name, 1 to 128 bytes.
    pub name: String,
    /// Its first key; its party id follows from it.
    pub key: PublicKey,
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
}

impl Genesis {
    /// The deterministic encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(6)
            .uint(1)
            .text(&self.name)
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
        decoder.array_of(6, "a genesis of six parts")?;
        decoder.exactly(1, "version 1")?;
        let name = read_name(&mut decoder, 64)?;
        let time = TimeMs::new(decoder.uint()?);
        let network_key = read_key(&mut decoder)?;
        let mut members = Vec::new();
        for _ in 0..decoder.array(64)? {
            decoder.array_of(2, "a member of two parts")?;
            members.push(Member {
                name: read_name(&mut decoder, 128)?,
                key: read_key(&mut decoder)?,
            });
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
        decoder.finish()?;
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
        })
    }

    /// The network's id.
    pub fn network_id(&self) -> NetworkId {
        NetworkId::of_genesis(&self.encode())
    }
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
