//! Identifier newtypes: every hash, height, index and time is a type of its own, so that they cannot be swapped.

use core::fmt;
use core::str::FromStr;

use sha2::{Digest, Sha256};

/// Hashes the concatenation of `parts` with SHA-256.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(
    clippy::enum_variant_names,
    reason = "each variant says what the text is not"
)]
pub enum IdError {
    /// The text is not 64 hexadecimal digits.
    #[error("expected 64 hexadecimal digits")]
    NotHex,
    /// The text is not `did:stele:` with 52 base32 characters in canonical form.
    #[error("expected did:stele: followed by 52 lower-case base32 characters")]
    NotDid,
    /// The text is not a register name (`[a-z][a-z0-9-]{0,31}`).
    #[error(
        "expected a register name: a lower-case letter, then up to 31 letters, digits or hyphens"
    )]
    NotRegisterName,
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps 32 bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError::NotHex)?;
                Ok(Self(bytes))
            }
        }
    };
}

hash_id! {
    /// Any SHA-256 hash that has no narrower type.
    Hash
}
hash_id! {
    /// A network: the hash of its genesis (docs/format.md section 2).
    NetworkId
}
hash_id! {
    /// A party: derived from the id of its first key (docs/format.md section 2).
    PartyId
}
hash_id! {
    /// A key: its COSE Key thumbprint with SHA-256 (RFC 9679).
    KeyId
}
hash_id! {
    /// An entry: the hash of its `Sig_structure`, the same under every signature of the same content.
    EntryId
}
hash_id! {
    /// A block: the hash of its certificate's `Sig_structure`.
    BlockHash
}

const DID_PREFIX: &str = "did:stele:";
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl PartyId {
    /// The party whose first key is `kid`.
    pub fn of_first_key(kid: &KeyId) -> Self {
        Self(sha256(&[b"stele/party/v1", kid.as_bytes()]))
    }

    /// The party's DID: `did:stele:` and the lower-case base32 of the id.
    pub fn did(&self) -> String {
        let mut text = String::with_capacity(DID_PREFIX.len() + 52);
        text.push_str(DID_PREFIX);
        let (mut buffer, mut bits) = (0u32, 0);
        for byte in self.0 {
            buffer = (buffer << 8) | u32::from(byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                text.push(char::from(BASE32[(buffer >> bits) as usize & 31]));
            }
        }
        text.push(char::from(BASE32[(buffer << (5 - bits)) as usize & 31]));
        text
    }

    /// Reads a DID.
    ///
    /// # Errors
    /// [`IdError::NotDid`] for any text that [`PartyId::did`] would not write.
    pub fn from_did(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix(DID_PREFIX).ok_or(IdError::NotDid)?;
        if digits.len() != 52 {
            return Err(IdError::NotDid);
        }
        let mut bytes = [0; 32];
        let (mut buffer, mut bits, mut at) = (0u32, 0, 0);
        for digit in digits.bytes() {
            let value = BASE32
                .iter()
                .position(|b| *b == digit)
                .ok_or(IdError::NotDid)?;
            buffer = (buffer << 5) | value as u32;
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes[at] = (buffer >> bits) as u8;
                at += 1;
            }
        }
        // 52 digits hold 260 bits: the last four must be zero, or one party had two names.
        if buffer & 0xf != 0 {
            return Err(IdError::NotDid);
        }
        Ok(Self(bytes))
    }
}

impl NetworkId {
    /// The network that starts with these genesis bytes.
    pub fn of_genesis(genesis: &[u8]) -> Self {
        Self(sha256(&[b"stele/genesis/v1", genesis]))
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a count.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The count.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The next one. Panics past `u64::MAX`, which no log reaches.
            pub const fn next(self) -> Self {
                Self(self.0.checked_add(1).expect("counter overflow"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// A block's place in the chain; block 0 holds the genesis.
    Height
}
counter! {
    /// An entry's place in the log, from 0, over all blocks.
    LogIndex
}
counter! {
    /// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
    TimeMs
}

/// The longest register name, in bytes.
pub const REGISTER_NAME_BYTES_MAX: usize = 32;

/// A register's name: `[a-z][a-z0-9-]{0,31}`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterName {
    bytes: [u8; REGISTER_NAME_BYTES_MAX],
    length: u8,
}

impl RegisterName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`IdError::NotRegisterName`].
    pub fn new(name: &str) -> Result<Self, IdError> {
        let raw = name.as_bytes();
        let well_formed = !raw.is_empty()
            && raw.len() <= REGISTER_NAME_BYTES_MAX
            && raw[0].is_ascii_lowercase()
            && raw
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        if !well_formed {
            return Err(IdError::NotRegisterName);
        }
        let mut bytes = [0; REGISTER_NAME_BYTES_MAX];
        bytes[..raw.len()].copy_from_slice(raw);
        Ok(Self {
            bytes,
            length: raw.len() as u8,
        })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("checked to be ASCII")
    }
}

impl fmt::Display for RegisterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RegisterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegisterName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn did_round_trips_and_has_one_spelling() {
        let party = PartyId::from_bytes(sha256(&[b"party"]));
        let did = party.did();
        assert_eq!(did.len(), 62);
        assert_eq!(PartyId::from_did(&did), Ok(party));
        assert_eq!(PartyId::from_did(&did.to_uppercase()), Err(IdError::NotDid));
        let mut other = did.clone();
        let last = other.pop().expect("not empty");
        let index = BASE32
            .iter()
            .position(|b| *b == last as u8)
            .expect("base32");
        other.push(char::from(BASE32[index | 1]));
        assert_ne!(other, did, "the last digit holds one bit only");
        assert_eq!(PartyId::from_did(&other), Err(IdError::NotDid));
        assert_eq!(PartyId::from_did(&did[..61]), Err(IdError::NotDid));
    }

    #[test]
    fn register_names() {
        for good in ["a", "trace", "city-2", &"a".repeat(32)] {
            assert_eq!(RegisterName::new(good).expect(good).as_str(), good);
        }
        for bad in ["", "Trace", "2city", "-a", "a_b", "ä", &"a".repeat(33)] {
            assert!(RegisterName::new(bad).is_err(), "{bad}");
        }
    }
}
