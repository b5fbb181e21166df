//! W3C DID Resolution: what a resolver answers, as HTTP shows it below `/1.0/identifiers/`.

use serde_json::{Map, Value, json};

use super::rules::*;
use super::{Did, DidDocument, jwk, key};
use crate::refusal::Refusal;

/// What the caller asks for (W3C DID Resolution section 4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolutionOptions {
    /// The document as it was at this time, an XML date-time in UTC.
    pub version_time: Option<String>,
    /// This version of the document.
    pub version_id: Option<String>,
}

/// Why there is no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolutionError {
    /// The text is no DID.
    InvalidDid,
    /// The method knows no such DID, or had none at the asked time.
    NotFound,
    /// The method is not known here.
    MethodNotSupported,
    /// The document is not what the method asks for.
    InvalidDidDocument,
    /// The resolver failed by itself.
    InternalError,
}

impl ResolutionError {
    /// The error's name in `didResolutionMetadata`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidDid => "invalidDid",
            Self::NotFound => "notFound",
            Self::MethodNotSupported => "methodNotSupported",
            Self::InvalidDidDocument => "invalidDidDocument",
            Self::InternalError => "internalError",
        }
    }

    /// The HTTP status of the binding (W3C DID Resolution section 7.1).
    pub const fn http_status(self) -> u16 {
        match self {
            Self::InvalidDid => 400,
            Self::NotFound => 404,
            Self::MethodNotSupported => 501,
            Self::InvalidDidDocument | Self::InternalError => 500,
        }
    }

    /// The error that a refusal amounts to.
    pub fn from_refusal(refusal: &Refusal) -> Self {
        let rule = refusal.rule();
        if rule == DID_METHOD || rule == crate::jose::rules::KEY_UNSUPPORTED {
            Self::MethodNotSupported
        } else if rule == DID_NOT_FOUND {
            Self::NotFound
        } else if rule == DOCUMENT_MALFORMED || rule == DOCUMENT_OF_ANOTHER {
            Self::InvalidDidDocument
        } else {
            Self::InvalidDid
        }
    }
}

/// About the document (W3C DID Resolution section 4.3). Times are XML date-times in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentMetadata {
    /// When the DID was created.
    pub created: Option<String>,
    /// When the shown version was made.
    pub updated: Option<String>,
    /// Whether the DID was given up.
    pub deactivated: bool,
    /// The shown version.
    pub version_id: Option<String>,
    /// The version after the shown one, if there is one.
    pub next_version_id: Option<String>,
    /// When the shown version was replaced.
    pub next_update: Option<String>,
    /// More members, such as a proof from the ledger.
    pub more: Map<String, Value>,
}

/// The result of a resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The document, or why there is none.
    pub document: Result<DidDocument, Refusal>,
    /// About the document.
    pub metadata: DocumentMetadata,
}

impl Resolution {
    /// A document without metadata, as of methods that keep no history.
    pub fn of(document: Result<DidDocument, Refusal>) -> Self {
        Self {
            document,
            metadata: DocumentMetadata::default(),
        }
    }

    /// The document, if it may be relied on.
    ///
    /// # Errors
    /// What kept the resolver from finding it; `did.deactivated`.
    pub fn active_document(&self) -> Result<&DidDocument, Refusal> {
        let document = self.document.as_ref().map_err(Clone::clone)?;
        if self.metadata.deactivated {
            return Err(DEACTIVATED.because(&document.id));
        }
        Ok(document)
    }

    /// The HTTP status: 200, 410 for a DID given up, or the error's.
    pub fn http_status(&self) -> u16 {
        match &self.document {
            Ok(_) if self.metadata.deactivated => 410,
            Ok(_) => 200,
            Err(refusal) => ResolutionError::from_refusal(refusal).http_status(),
        }
    }

    /// The DID resolution result as JSON, `application/did-resolution`.
    pub fn to_json(&self) -> Value {
        let (document, resolution) = match &self.document {
            Ok(document) => (
                document.to_json(),
                json!({"contentType": "application/did+json"}),
            ),
            Err(refusal) => (
                Value::Null,
                json!({
                    "error": ResolutionError::from_refusal(refusal).name(),
                    "message": refusal.sentence(),
                    "code": refusal.code(),
                }),
            ),
        };
        json!({
            "@context": "https://w3id.org/did-resolution/v1",
            "didDocument": document,
            "didResolutionMetadata": resolution,
            "didDocumentMetadata": self.metadata.to_json(),
        })
    }
}

impl DocumentMetadata {
    fn to_json(&self) -> Value {
        let mut members = Map::new();
        for (name, value) in [
            ("created", &self.created),
            ("updated", &self.updated),
            ("versionId", &self.version_id),
            ("nextVersionId", &self.next_version_id),
            ("nextUpdate", &self.next_update),
        ] {
            if let Some(value) = value {
                members.insert(name.to_owned(), value.as_str().into());
            }
        }
        if self.deactivated {
            members.insert("deactivated".to_owned(), true.into());
        }
        members.extend(self.more.clone());
        Value::Object(members)
    }
}

/// Finds documents. did:stele needs the ledger and did:web the network, so their resolvers live elsewhere.
pub trait Resolver {
    /// Finds the document of `did`.
    fn resolve(&self, did: &Did, options: &ResolutionOptions) -> Resolution;
}

/// Resolves the methods whose identifiers hold everything: did:key and did:jwk.
#[derive(Debug, Clone, Copy, Default)]
pub struct SelfContained;

impl Resolver for SelfContained {
    fn resolve(&self, did: &Did, _options: &ResolutionOptions) -> Resolution {
        Resolution::of(match did.method() {
            "key" => key::document(did),
            "jwk" => jwk::document(did),
            other => Err(DID_METHOD.because(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(did: &str) -> Resolution {
        SelfContained.resolve(&Did::parse(did).unwrap(), &ResolutionOptions::default())
    }

    #[test]
    fn resolves_what_the_identifier_holds() {
        let found = resolve("did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp");
        let shown = found.to_json();
        assert_eq!(found.http_status(), 200);
        assert_eq!(
            shown["didDocument"]["verificationMethod"][0]["type"],
            "Multikey"
        );
        assert_eq!(
            shown["didResolutionMetadata"]["contentType"],
            "application/did+json"
        );
        assert_eq!(shown["didDocumentMetadata"], json!({}));
    }

    #[test]
    fn refuses_other_methods() {
        let found = resolve("did:ion:abc");
        assert_eq!(found.document.clone().unwrap_err().rule(), DID_METHOD);
        assert_eq!(
            (
                found.http_status(),
                &found.to_json()["didResolutionMetadata"]["error"]
            ),
            (501, &json!("methodNotSupported"))
        );
        assert_eq!(
            key::key_of(&Did::parse("did:jwk:e30").unwrap())
                .unwrap_err()
                .rule(),
            DID_METHOD
        );
    }

    #[test]
    fn refuses_unknown_dids() {
        let found = Resolution::of(Err(DID_NOT_FOUND.refuse()));
        assert_eq!(
            (
                found.http_status(),
                &found.to_json()["didResolutionMetadata"]["error"]
            ),
            (404, &json!("notFound"))
        );
        assert_eq!(resolve("did:jwk:x").http_status(), 400);
    }

    #[test]
    fn refuses_deactivated_dids() {
        let mut found = resolve("did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp");
        assert!(found.active_document().is_ok());
        found.metadata.deactivated = true;
        found.metadata.updated = Some("2026-01-01T00:00:00Z".to_owned());
        assert_eq!(found.active_document().unwrap_err().rule(), DEACTIVATED);
        assert_eq!(found.http_status(), 410);
        assert_eq!(
            found.to_json()["didDocumentMetadata"],
            json!({"updated": "2026-01-01T00:00:00Z", "deactivated": true})
        );
    }
}
