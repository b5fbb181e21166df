//! The JSON-LD contexts that Stele knows, kept in the binary. Nothing is ever fetched.
//!
//! A context decides what the words of a signed document mean. One that is loaded over the network makes the meaning of an
//! old signature depend on a server of today, tells that server who verifies what, and where it is missing the checks pass
//! over an almost empty graph. So each context stands here with its source and its hash, and a document that names
//! another one is refused (`integrity.context-unknown`). Sources and licences: `bundled/README.md`.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

/// A context document in the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BundledContext {
    /// The name that documents use.
    pub url: &'static str,
    /// The document as published.
    pub text: &'static str,
    /// SHA-256 of the text, in hexadecimal.
    pub sha256: &'static str,
}

/// W3C VC Data Model 2.0.
pub const CREDENTIALS_V2: &str = "https://www.w3.org/ns/credentials/v2";
/// W3C VC Data Model 1.1, which the European Learning Model 3 builds on.
pub const CREDENTIALS_V1: &str = "https://www.w3.org/2018/credentials/v1";
/// W3C Data Integrity 1.0, for documents on another base than [`CREDENTIALS_V2`].
pub const DATA_INTEGRITY_V2: &str = "https://w3id.org/security/data-integrity/v2";
/// European Learning Model 3, application profile of the European Digital Credentials.
pub const ELM_EDC_AP: &str = "http://data.europa.eu/snb/model/context/edc-ap";
/// Open Badges 3.0.3.
pub const OPEN_BADGES_V3: &str = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json";

/// Open Badges 3.0, the types of schemas, revocation lists and refresh services.
pub const OPEN_BADGES_EXTENSIONS: &str = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json";

/// Every context that is known.
pub const BUNDLED: &[BundledContext] = &[
    BundledContext {
        url: CREDENTIALS_V2,
        text: include_str!("bundled/credentials-v2.jsonld"),
        sha256: "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734",
    },
    BundledContext {
        url: CREDENTIALS_V1,
        text: include_str!("bundled/credentials-v1.jsonld"),
        sha256: "ab4ddd9a531758807a79a5b450510d61ae8d147eab966cc9a200c07095b0cdcc",
    },
    BundledContext {
        url: "https://www.w3.org/ns/credentials/examples/v2",
        text: include_str!("bundled/credentials-examples-v2.jsonld"),
        sha256: "57393fbc69d6efb9b9b5dc9cb6b9880b0944360abfe2eaf459c9e58cf2279d7c",
    },
    BundledContext {
        url: DATA_INTEGRITY_V2,
        text: include_str!("bundled/data-integrity-v2.jsonld"),
        sha256: "67f21e6e33a6c14e5ccfd2fc7865f7474fb71a04af7e94136cb399dfac8ae8f4",
    },
    BundledContext {
        url: "https://w3id.org/security/multikey/v1",
        text: include_str!("bundled/multikey-v1.jsonld"),
        sha256: "ba2c182de2d92f7e47184bcca8fcf0beaee6d3986c527bf664c195bbc7c58597",
    },
    BundledContext {
        url: "https://w3id.org/security/suites/ed25519-2020/v1",
        text: include_str!("bundled/ed25519-2020-v1.jsonld"),
        sha256: "b9e1ab971fd8bf2c7553e0c4a9438e0b9450afde1ea1ca5b2492368b9f549588",
    },
    BundledContext {
        url: "https://w3id.org/citizenship/v4rc1",
        text: include_str!("bundled/citizenship-v4rc1.jsonld"),
        sha256: "5038c7383afd7ab2158f1b997913a8f60978a0abcf96e0b0d08e29f146d2db1e",
    },
    BundledContext {
        url: ELM_EDC_AP,
        text: include_str!("bundled/elm-edc-ap.jsonld"),
        sha256: "528f8a0e86dbbec7db2216c61806e6311feedac77a51d1a38b0a1d49e4c337fb",
    },
    BundledContext {
        url: OPEN_BADGES_V3,
        text: include_str!("bundled/open-badges-3.0.3.jsonld"),
        sha256: "ca836d808e9a9fb27124d2b83df15e31a4b63c910cab870bf48dc35cc70185f2",
    },
    BundledContext {
        url: OPEN_BADGES_EXTENSIONS,
        text: include_str!("bundled/open-badges-extensions.jsonld"),
        sha256: "7c24eea3ee3398f7449f53270721e5e384e48d3c8c29516cf1e2f0e383024084",
    },
];

static PARSED: LazyLock<HashMap<&'static str, Value>> = LazyLock::new(|| {
    let parse = |context: &BundledContext| {
        let document: Value =
            serde_json::from_str(context.text).expect("a bundled context is JSON");
        (context.url, document["@context"].clone())
    };
    BUNDLED.iter().map(parse).collect()
});

/// The value of `@context` in the document named `url`, if it is bundled. The name must match to the letter.
pub fn bundled(url: &str) -> Option<&'static Value> {
    PARSED.get(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_context_is_the_published_one() {
        for context in BUNDLED {
            let hash = stele_core::id::sha256(&[context.text.as_bytes()]);
            let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, context.sha256, "{}", context.url);
            assert!(bundled(context.url).unwrap().is_object());
        }
        assert!(bundled("https://www.w3.org/ns/credentials/v2/").is_none());
    }
}
