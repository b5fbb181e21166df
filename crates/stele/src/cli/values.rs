//! What an argument may hold.

use stele_core::id::PartyId;
use stele_core::suite::Suite;
use stele_core::witness::{LogKey, WitnessKey};
use stele_node::WitnessEndpoint;

/// What a party can be; the register `identity` has the same list, and a test compares them.
pub const PARTY_KINDS: [&str; 5] = ["organisation", "person", "device", "authority", "service"];

/// A key of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateKey(pub Vec<u8>);

pub fn state_key(text: &str) -> Result<StateKey, String> {
    let bytes = match text.strip_prefix("text:") {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            hex::decode(text).map_err(|_| "a key is hexadecimal, or `text:` and text".to_owned())?
        }
    };
    match bytes.len() {
        1..=255 => Ok(StateKey(bytes)),
        _ => Err("a key has 1 to 255 bytes".to_owned()),
    }
}

pub fn party(text: &str) -> Result<PartyId, String> {
    let id = PartyId::from_did(text).ok().or_else(|| text.parse().ok());
    id.ok_or_else(|| {
        "a party is `did:stele:` and 52 letters and digits, or 64 hexadecimal digits".to_owned()
    })
}

pub fn suite(text: &str) -> Result<Suite, String> {
    let found = Suite::ALL
        .iter()
        .copied()
        .find(|suite| suite.is_for_parties() && suite.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let names: Vec<_> = Suite::ALL
            .iter()
            .filter(|suite| suite.is_for_parties())
            .map(|suite| suite.name())
            .collect();
        format!("the suites are {}", names.join(", "))
    })
}

pub fn witness_key(text: &str) -> Result<WitnessKey, String> {
    WitnessKey::parse(text).map_err(|error| with_cause(&error))
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

pub fn witness_endpoint(text: &str) -> Result<WitnessEndpoint, String> {
    let (url, key) = text
        .split_once('=')
        .ok_or("a witness is its address, `=`, and its key")?;
    if !url.starts_with("http://") {
        return Err(
            "a witness's address begins with http://; one behind TLS is reached through a gateway of your own".to_owned(),
        );
    }
    Ok(WitnessEndpoint {
        url: http_url(url)?,
        key: witness_key(key)?,
    })
}

pub fn log_key(text: &str) -> Result<(String, LogKey), String> {
    let (origin, key) = text
        .split_once('=')
        .ok_or("a log is its origin, `=`, and its key")?;
    let key = LogKey::parse(key).map_err(|error| with_cause(&error))?;
    Ok((origin.to_owned(), key))
}

pub fn http_url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.trim_matches('/').is_empty() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err("an address begins with http:// or https://".to_owned()),
    }
}

pub fn network_name(text: &str) -> Result<String, String> {
    match text.len() {
        1..=64 => Ok(text.to_owned()),
        _ => Err("a network's name has 1 to 64 bytes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_kinds_of_parties_are_those_of_the_register() {
        assert_eq!(
            PARTY_KINDS.as_slice(),
            stele_registers::identity::PartyKind::NAMES
        );
    }

    #[test]
    fn keys_of_the_state_come_as_hex_or_text() {
        assert_eq!(state_key("6162"), Ok(StateKey(b"ab".to_vec())));
        assert_eq!(state_key("text:ab"), Ok(StateKey(b"ab".to_vec())));
        assert!(
            state_key("ab c").is_err() && state_key("").is_err() && state_key("text:").is_err()
        );
    }
}
