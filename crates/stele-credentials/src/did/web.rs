//! did:web: the document lies on a web server. This module says where, and judges what was fetched.

use super::rules::*;
use super::{Did, DidDocument};
use crate::refusal::Refusal;

/// The largest document to fetch, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 256 << 10;

/// The address of a did:web's document (W3C CCG did:web section 3.2): always https.
///
/// # Errors
/// `did.method-unsupported` for another method; `did.web-address` unless the identifier is a domain name with an optional
/// port and path parts of plain letters. An address that is a number, or a path that climbs, is refused: the node
/// fetches on behalf of strangers.
pub fn address(did: &Did) -> Result<String, Refusal> {
    if did.method() != "web" {
        return Err(DID_METHOD.because(did));
    }
    let bad = || DID_WEB_ADDRESS.because(did);
    let mut parts = did.id().split(':');
    let host = parts.next().ok_or_else(bad)?;
    let (name, port) = match host.split_once("%3A").or_else(|| host.split_once("%3a")) {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    if !is_domain(name) {
        return Err(bad());
    }
    let mut address = format!("https://{name}");
    if let Some(port) = port {
        let number = port.parse::<u16>().ok().filter(|number| *number != 0);
        if number.is_none_or(|number| number.to_string() != port) {
            return Err(bad());
        }
        address.push(':');
        address.push_str(port);
    }
    let mut has_path = false;
    for part in parts {
        let plain = part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if part.is_empty() || part.starts_with('.') || !plain {
            return Err(bad());
        }
        address.push('/');
        address.push_str(part);
        has_path = true;
    }
    address.push_str(if has_path {
        "/did.json"
    } else {
        "/.well-known/did.json"
    });
    Ok(address)
}

/// Reads the bytes fetched from [`address`].
///
/// # Errors
/// Those of [`DidDocument::parse`], and `did.document-of-another` if its `id` is not this DID.
pub fn document(did: &Did, fetched: &[u8]) -> Result<DidDocument, Refusal> {
    let document = DidDocument::parse(fetched)?;
    if document.id != *did {
        return Err(DOCUMENT_OF_ANOTHER.because(document.id));
    }
    Ok(document)
}

/// A name with a top-level domain of letters, so no address of numbers.
fn is_domain(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    let good = |label: &&str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = labels
        .last()
        .is_some_and(|top| top.bytes().any(|byte| byte.is_ascii_alphabetic()));
    name.len() <= 253 && labels.iter().all(good) && top
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn did(id: &str) -> Did {
        Did::parse(&format!("did:web:{id}")).unwrap()
    }

    /// The examples of the specification.
    #[test]
    fn addresses() {
        for (id, expected) in [
            (
                "w3c-ccg.github.io",
                "https://w3c-ccg.github.io/.well-known/did.json",
            ),
            (
                "w3c-ccg.github.io:user:alice",
                "https://w3c-ccg.github.io/user/alice/did.json",
            ),
            (
                "example.com%3A3000:user:alice",
                "https://example.com:3000/user/alice/did.json",
            ),
        ] {
            assert_eq!(address(&did(id)).unwrap(), expected);
        }
    }

    #[test]
    fn refuses_bad_web_addresses() {
        for id in [
            "127.0.0.1",
            "a..b",
            "-a.example",
            "a.example%3A0",
            "a.example%3A70000",
            "a.example%3A03",
            "a%2Fb.example",
            "a.example:..:b",
            "a.example:%2e%2e",
            "a.example::b",
            "a_b.example",
            "user%40a.example",
            "a.example:.well-known",
        ] {
            assert_eq!(
                address(&did(id)).unwrap_err().rule(),
                DID_WEB_ADDRESS,
                "{id}"
            );
        }
    }

    #[test]
    fn refuses_documents_of_others() {
        let document = json!({"id": "did:web:b.example"}).to_string();
        assert!(super::document(&did("b.example"), document.as_bytes()).is_ok());
        let refusal = super::document(&did("a.example"), document.as_bytes()).unwrap_err();
        assert_eq!(refusal.rule(), DOCUMENT_OF_ANOTHER);
    }
}
