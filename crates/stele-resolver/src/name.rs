//! The names that the method did:stele gives.

use stele_core::id::{Hash, PartyId};
use stele_credentials::Refusal;
use stele_credentials::did::Did;
use stele_credentials::did::rules::DID_MALFORMED;
use stele_registers::identity::{RECORDS_MAX, RollId};

/// What a did:stele names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SteleDid {
    /// A party.
    Party(PartyId),
    /// A member of a roll, by its place from 0.
    Member(RollId, u64),
}

impl SteleDid {
    /// Reads a DID of this method.
    ///
    /// # Errors
    /// `did.malformed`: every name has one spelling.
    pub fn parse(did: &Did) -> Result<Self, Refusal> {
        let text = did.as_str();
        let malformed = || DID_MALFORMED.because(text);
        let party = |text: &str| PartyId::from_did(text).map_err(|_| malformed());
        match did.id().split_once(':') {
            None => party(text).map(Self::Party),
            Some((_, index)) => {
                let roll = party(&text[..text.len() - index.len() - 1])?;
                let place: u64 = index.parse().map_err(|_| malformed())?;
                if place >= RECORDS_MAX as u64 || place.to_string() != index {
                    return Err(malformed());
                }
                Ok(Self::Member(Hash::from_bytes(*roll.as_bytes()), place))
            }
        }
    }
}

/// The DID of a member: `did:stele:`, the lower-case base32 of the roll, a colon, and the place in decimal digits.
pub fn member_did(roll: &RollId, index: u64) -> String {
    format!("{}:{index}", PartyId::from_bytes(*roll.as_bytes()).did())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        let roll = Hash::from_bytes([7; 32]);
        let read = |text: &str| SteleDid::parse(&Did::parse(text).unwrap());
        for index in [0, 9, 10, 16_383] {
            assert_eq!(
                read(&member_did(&roll, index)),
                Ok(SteleDid::Member(roll, index))
            );
        }
        let party = PartyId::from_bytes([9; 32]);
        assert_eq!(read(&party.did()), Ok(SteleDid::Party(party)));
        let base = party.did();
        for bad in [":00", ":01", ":16384", ":-1", ":x", ":1:2"] {
            assert!(read(&format!("{base}{bad}")).is_err(), "{bad}");
        }
        assert!(read(&base[..base.len() - 1]).is_err());
    }
}
