//! W3C Bitstring Status List 1.0: the list inside a verifiable credential, signed by Data Integrity.
//!
//! This module makes and reads `credentialSubject` and `credentialStatus`; who verifies the credential around the list
//! does it before.

use serde_json::{Value, json};

use super::deflate::{Wrapping, byte_at, compress};
use super::rules::*;
use super::{BitOrder, StatusBits, Width};
use crate::json::{from_base64url, to_base64url};
use crate::refusal::Refusal;

/// The least entries of a list, for the crowd's sake (section 3.2).
pub const ENTRIES_MIN: u64 = 131_072;

/// What a list says about credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Revoked for good.
    Revocation,
    /// Suspended for now.
    Suspension,
    /// What the entry's messages say.
    Message,
}

impl Purpose {
    /// The name in `statusPurpose`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Suspension => "suspension",
            Self::Message => "message",
        }
    }
}

/// An entry of `credentialStatus`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The address of the list's credential.
    pub list: String,
    /// The place in the list.
    pub index: u64,
    /// What the list says.
    pub purpose: String,
    /// The bits of an entry.
    pub width: Width,
}

impl Entry {
    /// The JSON of the entry.
    pub fn to_json(&self) -> Value {
        let mut entry = json!({
            "id": format!("{}#{}", self.list, self.index),
            "type": "BitstringStatusListEntry",
            "statusPurpose": self.purpose,
            "statusListIndex": self.index.to_string(),
            "statusListCredential": self.list,
        });
        if self.width != Width::One {
            entry["statusSize"] = self.width.bits().into();
        }
        entry
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// `status.list-malformed`, `status.bits`.
    pub fn from_json(entry: &Value) -> Result<Self, Refusal> {
        let text = |name: &str| {
            let text = entry.get(name).and_then(Value::as_str);
            text.ok_or_else(|| LIST_MALFORMED.because(format_args!("{name} is missing")))
        };
        if text("type")? != "BitstringStatusListEntry" {
            return Err(LIST_MALFORMED.because("no BitstringStatusListEntry"));
        }
        let index = text("statusListIndex")?;
        let digits = index.bytes().all(|byte| byte.is_ascii_digit());
        let index = index.parse().ok().filter(|_| digits);
        let width = match entry.get("statusSize") {
            None => Width::One,
            Some(size) => Width::from_bits(size.as_u64().unwrap_or_default())?,
        };
        Ok(Self {
            list: text("statusListCredential")?.to_owned(),
            index: index.ok_or_else(|| LIST_MALFORMED.because("statusListIndex is no number"))?,
            purpose: text("statusPurpose")?.to_owned(),
            width,
        })
    }
}

/// The list's credential without proof (section 2.2). Entries stand highest bits first.
///
/// # Errors
/// `status.list-malformed` for fewer than [`ENTRIES_MIN`] entries.
pub fn credential(
    address: &str,
    issuer: &str,
    valid_from: &str,
    purpose: Purpose,
    entries: &StatusBits,
) -> Result<Value, Refusal> {
    if entries.entries() < ENTRIES_MIN {
        return Err(LIST_MALFORMED.because(format_args!(
            "{} entries, at least {ENTRIES_MIN}",
            entries.entries()
        )));
    }
    Ok(json!({
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": address,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer,
        "validFrom": valid_from,
        "credentialSubject": {
            "id": format!("{address}#list"),
            "type": "BitstringStatusList",
            "statusPurpose": purpose.name(),
            "encodedList": encode(entries.as_bytes()),
        },
    }))
}

/// GZIP in multibase base64url (section 3.2): `u` and the text.
pub fn encode(bytes: &[u8]) -> String {
    format!("u{}", to_base64url(compress(bytes, Wrapping::Gzip)))
}

/// Reads the entry's value in a list's credential, whose proof was verified.
///
/// # Errors
/// `status.list-of-another` if the credential is another than the entry names, `status.purpose`, `status.list-malformed`,
/// `status.index-out-of-range`, `status.list-too-large`.
pub fn read(credential: &Value, entry: &Entry) -> Result<u8, Refusal> {
    let id = credential.get("id").and_then(Value::as_str);
    if id != Some(entry.list.as_str()) {
        return Err(LIST_OF_ANOTHER.because(id.unwrap_or_default()));
    }
    let subject = credential.get("credentialSubject").unwrap_or(&Value::Null);
    if subject.get("type").and_then(Value::as_str) != Some("BitstringStatusList") {
        return Err(LIST_MALFORMED.because("no BitstringStatusList"));
    }
    let purposes = subject.get("statusPurpose");
    let is_for_purpose = match purposes {
        Some(Value::String(purpose)) => *purpose == entry.purpose,
        Some(Value::Array(purposes)) => purposes
            .iter()
            .any(|purpose| purpose.as_str() == Some(&entry.purpose)),
        _ => false,
    };
    if !is_for_purpose {
        return Err(PURPOSE.because(purposes.unwrap_or_default()));
    }
    let list = subject.get("encodedList").and_then(Value::as_str);
    let list = list.and_then(|list| list.strip_prefix('u'));
    let list =
        list.ok_or_else(|| LIST_MALFORMED.because("encodedList is no base64url in multibase"))?;
    let compressed = from_base64url(list.trim_end_matches('='))?;
    let byte = byte_at(
        &compressed,
        entry.width.byte_of(entry.index),
        Wrapping::Gzip,
    )?;
    let byte = byte.ok_or_else(|| INDEX.because(entry.index))?;
    // The least length counts entries; one that is shorter hides nobody (section 3.2, step 7).
    let last_of_least = entry.width.byte_of(ENTRIES_MIN - 1);
    if byte_at(&compressed, last_of_least, Wrapping::Gzip)?.is_none() {
        return Err(LIST_MALFORMED.because(format_args!("fewer than {ENTRIES_MIN} entries")));
    }
    Ok(entry.width.entry(byte, entry.index, BitOrder::HighFirst))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ADDRESS: &str = "https://university.example/status/3";

    fn entry(index: u64) -> Entry {
        Entry {
            list: ADDRESS.to_owned(),
            index,
            purpose: "revocation".to_owned(),
            width: Width::One,
        }
    }

    fn list(revoked: &[u64]) -> Value {
        let mut bits = StatusBits::new(Width::One, BitOrder::HighFirst, ENTRIES_MIN as usize);
        for index in revoked {
            bits.set(*index, 1).unwrap();
        }
        credential(
            ADDRESS,
            "https://university.example",
            "2026-01-01T00:00:00Z",
            Purpose::Revocation,
            &bits,
        )
        .unwrap()
    }

    #[test]
    fn reads_what_was_published() {
        let list = list(&[0, 94_567, ENTRIES_MIN - 1]);
        for (index, expected) in [
            (0, 1),
            (1, 0),
            (94_567, 1),
            (94_568, 0),
            (ENTRIES_MIN - 1, 1),
        ] {
            assert_eq!(
                read(&list, &Entry::from_json(&entry(index).to_json()).unwrap()).unwrap(),
                expected
            );
        }
        assert_eq!(read(&list, &entry(ENTRIES_MIN)).unwrap_err().rule(), INDEX);
    }

    #[test]
    fn index_0_is_the_leftmost_bit() {
        let mut bits = StatusBits::new(Width::One, BitOrder::HighFirst, 8);
        bits.set(0, 1).unwrap();
        assert_eq!(bits.as_bytes(), [0x80]);
    }

    #[test]
    fn refuses_a_list_of_another_purpose() {
        let mut other = entry(0);
        other.purpose = "suspension".to_owned();
        assert_eq!(read(&list(&[]), &other).unwrap_err().rule(), PURPOSE);
        let mut both = list(&[]);
        both["credentialSubject"]["statusPurpose"] = json!(["revocation", "suspension"]);
        assert_eq!(read(&both, &other).unwrap(), 0);
    }

    #[test]
    fn refuses_short_and_broken_lists() {
        let short = StatusBits::new(Width::One, BitOrder::HighFirst, 1000);
        let refusal = credential(ADDRESS, "x", "x", Purpose::Revocation, &short).unwrap_err();
        assert_eq!(refusal.rule(), LIST_MALFORMED);
        for encoded in [
            json!(encode(short.as_bytes())),
            json!("u"),
            json!("H4sI"),
            json!(1),
        ] {
            let mut list = list(&[]);
            list["credentialSubject"]["encodedList"] = encoded;
            let rule = read(&list, &entry(0)).unwrap_err().rule();
            assert!(rule == LIST_MALFORMED || rule == INDEX);
        }
        let mut other = list(&[]);
        other["id"] = "https://other.example".into();
        assert_eq!(read(&other, &entry(0)).unwrap_err().rule(), LIST_OF_ANOTHER);
        for (name, value) in [
            ("statusListIndex", json!("+1")),
            ("statusListIndex", json!(1)),
            ("type", json!("x")),
            ("statusPurpose", json!(null)),
        ] {
            let mut bad = entry(1).to_json();
            bad[name] = value;
            assert_eq!(Entry::from_json(&bad).unwrap_err().rule(), LIST_MALFORMED);
        }
    }

    proptest! {
        #[test]
        fn random_lists_never_panic(text in "u?[A-Za-z0-9_=-]{0,60}", index in any::<u64>()) {
            let mut list = list(&[]);
            list["credentialSubject"]["encodedList"] = text.into();
            let _ = read(&list, &entry(index));
        }
    }
}
