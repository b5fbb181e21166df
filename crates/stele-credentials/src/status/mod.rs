//! Status of credentials: valid, revoked, suspended, read from published lists that tell nobody who asked.
//!
//! A list is a string of small numbers, one for each credential, compressed and signed. It is served as a static file and
//! cached by anyone, so the issuer does not learn which credential is shown where. Large populations are split into
//! shards ([`Layout`]); a verifier downloads one shard and reads one place in it without inflating the rest.
//!
//! - [`StatusBits`]: the numbers. [`TokenStatusList`]: IETF Token Status List, as JWT and CWT.
//! - [`bitstring`]: W3C Bitstring Status List.

mod bits;
pub mod bitstring;
mod cwt;
mod deflate;
mod layout;
mod token_list;

pub use bits::{BitOrder, StatusBits, Width};
pub use cwt::{CwtClaims, verify_cwt};
pub use deflate::LIST_BYTES_MAX;
pub use layout::Layout;
pub use token_list::{ListExpectation, TokenStatusList};

use crate::refusal::Refusal;

/// What a status number means (Token Status List section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: valid.
    Valid,
    /// 1: revoked for good.
    Invalid,
    /// 2: suspended for now.
    Suspended,
    /// What the issuer defines: 3, and from 11 on; the numbers between are reserved.
    Other(u8),
}

impl Status {
    /// The meaning of a number.
    pub const fn from_value(value: u8) -> Self {
        match value {
            0 => Self::Valid,
            1 => Self::Invalid,
            2 => Self::Suspended,
            other => Self::Other(other),
        }
    }

    /// The number.
    pub const fn value(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Suspended => 2,
            Self::Other(other) => other,
        }
    }

    /// Refuses everything but a valid credential.
    ///
    /// # Errors
    /// `status.revoked`, `status.suspended`, `status.other`.
    pub fn require_valid(self) -> Result<(), Refusal> {
        match self {
            Self::Valid => Ok(()),
            Self::Invalid => Err(rules::REVOKED.refuse()),
            Self::Suspended => Err(rules::SUSPENDED.refuse()),
            Self::Other(value) => Err(rules::OTHER.because(value)),
        }
    }
}

/// Rules of status lists.
pub mod rules {
    crate::refusal::refusal_table! {
        REVOKED: "status.revoked", refuses_all_but_valid_credentials,
            "The issuer has revoked the credential.", "Ask the holder to contact the issuer.";
        SUSPENDED: "status.suspended", refuses_all_but_valid_credentials,
            "The issuer has suspended the credential for now.", "Ask the holder to contact the issuer, or try again later.";
        OTHER: "status.other", refuses_all_but_valid_credentials,
            "The issuer gave the credential a status that has no general meaning.", "Ask the issuer what the status in the detail means.";
        LIST_MALFORMED: "status.list-malformed", refuses_malformed_lists,
            "The list of statuses is not well formed.", "Fetch the list again; if that does not help, tell the issuer.";
        LIST_TOO_LARGE: "status.list-too-large", refuses_lists_that_inflate_without_end,
            "The list of statuses is larger than this program accepts.", "Tell the issuer to split the list into shards.";
        LIST_OF_ANOTHER: "status.list-of-another", refuses_the_list_of_another_address,
            "The list of statuses is not the one that the credential names.", "Fetch the list from the address in the credential.";
        LIST_EXPIRED: "status.list-expired", refuses_an_old_list,
            "The list of statuses is out of date.", "Fetch the list again; without a fresh one the status is not known.";
        INDEX: "status.index-out-of-range", refuses_a_place_beyond_the_list,
            "The credential's place is not in the list of statuses.", "Ask the issuer; the credential or the list is wrong.";
        BITS: "status.bits", refuses_other_widths,
            "The list of statuses has entries of a size that does not exist.", "Tell the issuer; entries have 1, 2, 4 or 8 bits.";
        PURPOSE: "status.purpose", refuses_a_list_of_another_purpose,
            "The list of statuses is kept for another purpose than the credential says.", "Ask the issuer; the credential or the list is wrong.";
    }
}

#[cfg(test)]
mod tests {
    use super::rules::*;
    use super::*;

    #[test]
    fn refuses_all_but_valid_credentials() {
        for (value, rule) in [(1, REVOKED), (2, SUSPENDED), (3, OTHER), (255, OTHER)] {
            let status = Status::from_value(value);
            assert_eq!(
                (status.require_valid().unwrap_err().rule(), status.value()),
                (rule, value)
            );
        }
        assert!(Status::from_value(0).require_valid().is_ok());
    }
}
