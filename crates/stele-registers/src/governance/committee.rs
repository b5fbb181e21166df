//! The committee: who decides in a network of several validators, and the public side of their shares of its key.

use stele_core::cbor::{DecodeError, Decoder, Encoder};
use stele_core::genesis::{Genesis, SHARING_BYTES_MAX, VALIDATORS_MAX};
use stele_core::id::{Height, PartyId};
use stele_core::machine::{Fault, StateReader};

use super::NAME;
use crate::context::{Namespace, View};
use crate::register::Stop;

/// The number of the committee in force.
pub(super) const COMMITTEE_KEY: &[u8] = b"committee";
/// How many blocks of the engine make an epoch.
pub(super) const EPOCH_KEY: &[u8] = b"epoch-blocks";

/// One validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// The member that runs it.
    pub party: PartyId,
    /// The Ed25519 key of its node.
    pub node_key: [u8; 32],
    /// Where it listens, as `host:port`.
    pub address: String,
}

/// A committee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committee {
    /// 1 for the founders, one more with each change.
    pub number: u64,
    /// The block from which on it is in force; the engine follows at its next epoch.
    pub since: Height,
    /// The public polynomial of the shares; opaque here.
    pub sharing: Vec<u8>,
    /// Ascending by node key.
    pub validators: Vec<Validator>,
}

impl Committee {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(3).uint(self.since.get()).bytes(&self.sharing);
        encode_validators(&mut out, &self.validators);
        out.into_vec()
    }

    fn decode(number: u64, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(3, "a committee of three parts")?;
        let since = Height::new(decoder.uint()?);
        let sharing = decoder.bytes(SHARING_BYTES_MAX)?.to_vec();
        let validators = decode_validators(&mut decoder)?;
        decoder.finish()?;
        Ok(Self {
            number,
            since,
            sharing,
            validators,
        })
    }
}

pub(super) fn encode_validators(out: &mut Encoder, validators: &[Validator]) {
    out.array(validators.len());
    for validator in validators {
        out.array(3)
            .bytes(validator.party.as_bytes())
            .bytes(&validator.node_key)
            .text(&validator.address);
    }
}

pub(super) fn decode_validators(decoder: &mut Decoder<'_>) -> Result<Vec<Validator>, DecodeError> {
    let mut validators = Vec::new();
    for _ in 0..decoder.array(VALIDATORS_MAX)? {
        decoder.array_of(3, "a validator of three parts")?;
        validators.push(Validator {
            party: PartyId::from_bytes(decoder.bytes32()?),
            node_key: decoder.bytes32()?,
            address: decoder.text(255)?.to_owned(),
        });
    }
    Ok(validators)
}

fn committee_key(number: u64) -> Vec<u8> {
    [b"committee/".as_slice(), &number.to_be_bytes()].concat()
}

fn read_uint(view: View<'_>, key: &[u8]) -> Result<Option<u64>, Fault> {
    let Some(bytes) = view.get(key)? else {
        return Ok(None);
    };
    let number = Decoder::new(&bytes).uint();
    number
        .map(Some)
        .map_err(|error: DecodeError| view.unreadable(key, error))
}

/// The committee in force; `None` in a network of one validator.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn committee(reader: &dyn StateReader) -> Result<Option<Committee>, Fault> {
    committee_in(View::new(reader, NAME))
}

/// The committee with this number, if there was one. Every committee is kept: old votes are judged by it.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn committee_numbered(
    reader: &dyn StateReader,
    number: u64,
) -> Result<Option<Committee>, Fault> {
    committee_numbered_in(View::new(reader, NAME), number)
}

/// The number of the committee in force; `None` in a network of one validator.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn committee_number(reader: &dyn StateReader) -> Result<Option<u64>, Fault> {
    read_uint(View::new(reader, NAME), COMMITTEE_KEY)
}

/// As [`committee`], through a view of `governance`.
pub(super) fn committee_in(view: View<'_>) -> Result<Option<Committee>, Fault> {
    match read_uint(view, COMMITTEE_KEY)? {
        Some(number) => committee_numbered_in(view, number),
        None => Ok(None),
    }
}

/// As [`committee_numbered`], through a view of `governance`.
pub(super) fn committee_numbered_in(
    view: View<'_>,
    number: u64,
) -> Result<Option<Committee>, Fault> {
    let key = committee_key(number);
    let Some(bytes) = view.get(&key)? else {
        return Ok(None);
    };
    let committee = Committee::decode(number, &bytes);
    committee
        .map(Some)
        .map_err(|error| view.unreadable(&key, error))
}

/// How many blocks of the engine make an epoch; `None` in a network of one validator.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn epoch_blocks(reader: &dyn StateReader) -> Result<Option<u64>, Fault> {
    read_uint(View::new(reader, NAME), EPOCH_KEY)
}

/// Puts a committee into force.
pub(super) fn put(state: &mut Namespace<'_, '_>, committee: &Committee) {
    state.put(&committee_key(committee.number), committee.encode());
    state.put(COMMITTEE_KEY, super::apply::encode_uint(committee.number));
}

/// Writes the founders' committee.
pub(super) fn genesis(genesis: &Genesis, state: &mut Namespace<'_, '_>) -> Result<(), Stop> {
    let Some(founding) = &genesis.committee else {
        return Ok(());
    };
    let validators = founding.validators.iter().map(|validator| Validator {
        party: PartyId::of_first_key(&genesis.members[validator.member].key.kid()),
        node_key: validator.node_key,
        address: validator.address.clone(),
    });
    let committee = Committee {
        number: 1,
        since: Height::new(0),
        sharing: founding.sharing.clone(),
        validators: validators.collect(),
    };
    put(state, &committee);
    state.put(EPOCH_KEY, super::apply::encode_uint(founding.epoch_blocks));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_committee_survives_its_encoding() {
        let committee = Committee {
            number: 7,
            since: Height::new(9),
            sharing: vec![1, 2, 3],
            validators: vec![Validator {
                party: PartyId::from_bytes([4; 32]),
                node_key: [5; 32],
                address: "validator.example:7100".to_owned(),
            }],
        };
        let bytes = committee.encode();
        assert_eq!(Committee::decode(7, &bytes), Ok(committee));
        for cut in 0..bytes.len() {
            assert!(Committee::decode(7, &bytes[..cut]).is_err());
        }
    }
}
