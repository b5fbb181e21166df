//! One-time codes with which people register their first passkey.
//!
//! The office hands a code over when it has seen who the person is: on paper, by letter, at the counter. Only its hash is
//! kept, so that who reads the store can enrol nobody. With 80 random bits, guessing is hopeless at any speed of a
//! network, and 2^60 hashes are left for who has a store with a million open codes.

use core::fmt;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::answer::encode;
use crate::refusal::{BUSY, CODE_EXPIRED, Refusal, UNKNOWN_CODE};

/// The alphabet of Crockford's base 32: no I, L, O and U, which are misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The domain of the hash, so that no other hash of the same text is a key here.
const DOMAIN: &[u8] = b"stele/passkeys/enrolment-code/v1";

/// A code for a person. Shown once; it is not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode([u8; Self::BYTES]);

impl EnrolmentCode {
    /// The random bytes of a code.
    pub const BYTES: usize = 10;

    /// The characters of a code, without dashes.
    const CHARACTERS: usize = Self::BYTES * 8 / 5;

    /// The code as people read it: four groups of four characters.
    pub fn text(&self) -> String {
        let mut bits = self
            .0
            .iter()
            .fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
        let mut characters = [0u8; Self::CHARACTERS];
        for character in characters.iter_mut().rev() {
            *character = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
        let groups: Vec<String> = characters
            .chunks(4)
            .map(|group| String::from_utf8_lossy(group).into_owned())
            .collect();
        groups.join("-")
    }

    /// Reads a code as people type it: in either case, with or without dashes and spaces, O for 0 and I or L for 1.
    fn parse(text: &str) -> Option<Self> {
        let mut bits = 0u128;
        let mut count = 0;
        for character in text.chars() {
            let character = match character.to_ascii_uppercase() {
                '-' | ' ' => continue,
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let value = ALPHABET
                .iter()
                .position(|one| char::from(*one) == character)?;
            count += 1;
            if count > Self::CHARACTERS {
                return None;
            }
            bits = bits << 5 | value as u128;
        }
        if count != Self::CHARACTERS {
            return None;
        }
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(&bits.to_be_bytes()[16 - Self::BYTES..]);
        Some(Self(bytes))
    }

    fn hash(&self) -> CodeHash {
        encode(
            &Sha256::new()
                .chain_update(DOMAIN)
                .chain_update(self.0)
                .finalize(),
        )
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(..)")
    }
}

/// The hash of a code, base64url.
pub(crate) type CodeHash = String;

/// For whom a code is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invitation {
    pub(crate) subject: String,
    pub(crate) display_name: String,
    expires_at: u64,
}

/// The open codes, by hash. It serialises to JSON. Times are seconds since 1970.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentCodes {
    invitations: BTreeMap<CodeHash, Invitation>,
}

impl EnrolmentCodes {
    /// No codes.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are, expired ones included that were not swept yet.
    pub fn len(&self) -> usize {
        self.invitations.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.invitations.is_empty()
    }

    /// Takes back the code of a person. Says whether there was one.
    pub(crate) fn withdraw(&mut self, subject: &str) -> bool {
        let before = self.len();
        self.invitations
            .retain(|_, invitation| invitation.subject != subject);
        self.len() < before
    }

    /// Opens a code, in place of an earlier one of the same person.
    pub(crate) fn open(
        &mut self,
        subject: &str,
        display_name: &str,
        random: [u8; EnrolmentCode::BYTES],
        expires_at: u64,
        codes_max: usize,
        now: u64,
    ) -> Result<EnrolmentCode, Refusal> {
        let code = EnrolmentCode(random);
        // Expired ones stay while there is room, so that their people are told so.
        let full = self.len() >= codes_max;
        self.invitations.retain(|_, invitation| {
            invitation.subject != subject && !(full && invitation.expires_at <= now)
        });
        if self.len() >= codes_max {
            return Err(BUSY.because("too many open codes"));
        }
        let invitation = Invitation {
            subject: subject.to_owned(),
            display_name: display_name.to_owned(),
            expires_at,
        };
        let before = self.invitations.insert(code.hash(), invitation);
        assert!(before.is_none(), "random bytes come once");
        Ok(code)
    }

    /// The hash of a code that somebody typed.
    pub(crate) fn hash_of(code: &str) -> Result<CodeHash, Refusal> {
        let code = EnrolmentCode::parse(code).ok_or_else(|| UNKNOWN_CODE.refuse())?;
        Ok(code.hash())
    }

    /// For whom a code is.
    pub(crate) fn get(&self, hash: &CodeHash, now: u64) -> Result<&Invitation, Refusal> {
        let invitation = self
            .invitations
            .get(hash)
            .ok_or_else(|| UNKNOWN_CODE.refuse())?;
        if invitation.expires_at <= now {
            return Err(CODE_EXPIRED.refuse());
        }
        Ok(invitation)
    }

    /// Spends a code.
    pub(crate) fn spend(&mut self, hash: &CodeHash, now: u64) -> Result<(), Refusal> {
        self.get(hash, now)?;
        self.invitations.remove(hash);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_790_000_000;

    fn opened(codes: &mut EnrolmentCodes, subject: &str, random: u8) -> Result<String, Refusal> {
        codes
            .open(subject, "Fictional", [random; 10], NOW + 60, 2, NOW)
            .map(|code| code.text())
    }

    #[test]
    fn a_code_reads_as_crockford_wrote_it() {
        // 10 bytes 00 44 32 14 C7 42 54 B6 35 CF count the alphabet up: 0 1 2 ... F.
        let bytes = [0x00, 0x44, 0x32, 0x14, 0xC7, 0x42, 0x54, 0xB6, 0x35, 0xCF];
        let code = EnrolmentCode(bytes);
        assert_eq!(code.text(), "0123-4567-89AB-CDEF");
        for typed in [
            "0123456789ABCDEF",
            "o123-4567-89ab-cdef",
            " 0 1 2 3 4567 89AB CDEF ",
            "OI23-4567-89AB-CDEF",
            "0L23-4567-89AB-CDEF",
        ] {
            assert_eq!(EnrolmentCode::parse(typed), Some(code.clone()), "{typed}");
        }
        for typed in [
            "",
            "0123-4567-89AB-CDE",
            "0123-4567-89AB-CDEF0",
            "U123-4567-89AB-CDEF",
            "ß123-4567-89AB-CDEF",
        ] {
            assert_eq!(EnrolmentCode::parse(typed), None, "{typed}");
        }
        assert_eq!(format!("{code:?}"), "EnrolmentCode(..)");
    }

    #[test]
    fn a_person_has_one_code_and_the_number_is_bounded() {
        let mut codes = EnrolmentCodes::new();
        let first = opened(&mut codes, "ada", 1).unwrap();
        let second = opened(&mut codes, "ada", 2).unwrap();
        let found = |codes: &EnrolmentCodes, text: &str, now| {
            let hash = EnrolmentCodes::hash_of(text).unwrap();
            codes
                .get(&hash, now)
                .map(|one| one.subject.clone())
                .map_err(|refused| refused.code())
        };
        assert_eq!(found(&codes, &first, NOW), Err(UNKNOWN_CODE.code));
        assert_eq!(found(&codes, &second, NOW), Ok("ada".to_owned()));
        opened(&mut codes, "ben", 3).unwrap();
        assert_eq!(opened(&mut codes, "cleo", 4).unwrap_err().code(), BUSY.code);
        // Nothing was lost by the refusal, and expired ones give way.
        assert_eq!(found(&codes, &second, NOW + 59), Ok("ada".to_owned()));
        assert_eq!(found(&codes, &second, NOW + 60), Err(CODE_EXPIRED.code));
        codes
            .open("cleo", "Fictional", [4; 10], NOW + 120, 2, NOW + 60)
            .unwrap();
        assert_eq!(codes.len(), 1);
        assert!(codes.withdraw("cleo") && !codes.withdraw("cleo") && codes.is_empty());
    }

    #[test]
    fn codes_are_kept_as_hashes_only() {
        let mut codes = EnrolmentCodes::new();
        let text = opened(&mut codes, "ada", 7).unwrap();
        let written = serde_json::to_string(&codes).unwrap();
        assert!(!written.contains(&text) && !written.contains(&text.replace('-', "")));
        let read: EnrolmentCodes = serde_json::from_str(&written).unwrap();
        let hash = EnrolmentCodes::hash_of(&text).unwrap();
        assert_eq!(read.get(&hash, NOW).unwrap().subject, "ada");
    }

    proptest! {
        #[test]
        fn a_code_survives_its_text(bytes: [u8; 10]) {
            let code = EnrolmentCode(bytes);
            prop_assert_eq!(EnrolmentCode::parse(&code.text()), Some(code));
        }

        #[test]
        fn any_text_is_a_code_or_not(text in ".{0,40}") {
            if let Some(code) = EnrolmentCode::parse(&text) {
                prop_assert_eq!(EnrolmentCode::parse(&code.text()), Some(code));
            }
        }
    }
}
