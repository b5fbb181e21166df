//! DID documents as W3C JSON: built here, or read from foreign bytes.

use serde_json::{Map, Value, json};

use super::Did;
use super::key::{from_multibase, to_multibase};
use super::rules::*;
use crate::jose::PublicKey;
use crate::json::{self, JsonLimits};
use crate::refusal::Refusal;

/// The most verification methods or services that a document may have.
const ITEMS_MAX: usize = 256;
const LIMITS: JsonLimits = JsonLimits {
    bytes_max: 256 << 10,
    depth_max: 16,
};
const CONTEXT_DID: &str = "https://www.w3.org/ns/did/v1";
const CONTEXT_MULTIKEY: &str = "https://w3id.org/security/multikey/v1";
const CONTEXT_JWK: &str = "https://w3id.org/security/jwk/v1";

/// What a key may do for its subject (W3C DID 1.0 section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relationship {
    /// Prove to be the subject, as in a presentation.
    Authentication,
    /// Assert something, as in a credential.
    AssertionMethod,
    /// Receive encrypted messages.
    KeyAgreement,
    /// Use a capability.
    CapabilityInvocation,
    /// Pass a capability on.
    CapabilityDelegation,
}

impl Relationship {
    /// All of them, in the order in which documents are written.
    pub const ALL: [Self; 5] = [
        Self::Authentication,
        Self::AssertionMethod,
        Self::KeyAgreement,
        Self::CapabilityInvocation,
        Self::CapabilityDelegation,
    ];

    /// The member's name in a document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::AssertionMethod => "assertionMethod",
            Self::KeyAgreement => "keyAgreement",
            Self::CapabilityInvocation => "capabilityInvocation",
            Self::CapabilityDelegation => "capabilityDelegation",
        }
    }
}

/// How a key is written in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// `Multikey` with `publicKeyMultibase`.
    Multikey,
    /// `JsonWebKey` with `publicKeyJwk`.
    JsonWebKey,
}

/// A key in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationMethod {
    /// The DID URL that signatures name.
    pub id: String,
    /// Who controls it; mostly the subject.
    pub controller: String,
    /// The key; `None` in a foreign document where it is of a kind unknown here.
    pub key: Option<PublicKey>,
    /// How it is written.
    pub form: KeyForm,
}

/// A way to reach the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// A URI, mostly a fragment of the DID.
    pub id: String,
    /// The kind of service.
    pub kind: String,
    /// A URL, or what the kind defines.
    pub endpoint: Value,
}

/// A DID document. Build one with [`DidDocument::new`] and the `with_` functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DidDocument {
    /// The subject.
    pub id: Did,
    /// Who may change the document, if not the subject.
    pub controllers: Vec<String>,
    /// Other identifiers of the subject.
    pub also_known_as: Vec<String>,
    /// The keys.
    pub methods: Vec<VerificationMethod>,
    /// Which key, by its id, may do what.
    pub relationships: Vec<(Relationship, String)>,
    /// Ways to reach the subject.
    pub services: Vec<Service>,
}

impl DidDocument {
    /// An empty document.
    pub const fn new(id: Did) -> Self {
        Self {
            id,
            controllers: Vec::new(),
            also_known_as: Vec::new(),
            methods: Vec::new(),
            relationships: Vec::new(),
            services: Vec::new(),
        }
    }

    /// Adds a key under `#fragment` and what it may do.
    #[must_use]
    pub fn with_key(
        mut self,
        fragment: &str,
        key: PublicKey,
        form: KeyForm,
        relationships: &[Relationship],
    ) -> Self {
        let id = self.id.with_fragment(fragment);
        for relationship in relationships {
            self.relationships.push((*relationship, id.clone()));
        }
        self.methods.push(VerificationMethod {
            id,
            controller: self.id.to_string(),
            key: Some(key),
            form,
        });
        self
    }

    /// Adds a service under `#fragment`.
    #[must_use]
    pub fn with_service(mut self, fragment: &str, kind: &str, endpoint: Value) -> Self {
        self.services.push(Service {
            id: self.id.with_fragment(fragment),
            kind: kind.to_owned(),
            endpoint,
        });
        self
    }

    /// The key that a signature names, if the document lists it for this purpose. `kid` is the DID URL, or its fragment
    /// with `#`, or empty for the only key of that purpose.
    ///
    /// # Errors
    /// `did.key-not-listed`; `jose.key-unsupported` for a key of a kind unknown here.
    pub fn key_for(&self, relationship: Relationship, kid: &str) -> Result<&PublicKey, Refusal> {
        let not_listed =
            || KEY_NOT_LISTED.because(format_args!("{kid:?} for {}", relationship.name()));
        let mut listed = self
            .relationships
            .iter()
            .filter(|(found, _)| *found == relationship)
            .map(|(_, id)| id.as_str());
        let id = if kid.is_empty() {
            let only = listed.next().ok_or_else(not_listed)?;
            if listed.next().is_some() {
                return Err(not_listed());
            }
            only
        } else {
            listed
                .find(|id| self.same(id, kid))
                .ok_or_else(not_listed)?
        };
        let method = self.methods.iter().find(|method| method.id == id);
        let method = method.ok_or_else(not_listed)?;
        method
            .key
            .as_ref()
            .ok_or_else(|| crate::jose::rules::KEY_UNSUPPORTED.because(&method.id))
    }

    fn same(&self, id: &str, kid: &str) -> bool {
        id == kid
            || (kid.starts_with('#')
                && id
                    .strip_prefix(self.id.as_str())
                    .is_some_and(|end| end == kid))
    }

    /// The document as JSON.
    pub fn to_json(&self) -> Value {
        let mut context = vec![json!(CONTEXT_DID)];
        for (form, uri) in [
            (KeyForm::Multikey, CONTEXT_MULTIKEY),
            (KeyForm::JsonWebKey, CONTEXT_JWK),
        ] {
            if self.methods.iter().any(|method| method.form == form) {
                context.push(json!(uri));
            }
        }
        let mut document = Map::new();
        document.insert("@context".to_owned(), context.into());
        document.insert("id".to_owned(), self.id.as_str().into());
        let mut add = |name: &str, items: Vec<Value>| {
            if !items.is_empty() {
                document.insert(name.to_owned(), items.into());
            }
        };
        add(
            "controller",
            self.controllers.iter().map(|item| json!(item)).collect(),
        );
        add(
            "alsoKnownAs",
            self.also_known_as.iter().map(|item| json!(item)).collect(),
        );
        add(
            "verificationMethod",
            self.methods
                .iter()
                .map(VerificationMethod::to_json)
                .collect(),
        );
        for relationship in Relationship::ALL {
            let listed = self
                .relationships
                .iter()
                .filter(|(found, _)| *found == relationship);
            add(
                relationship.name(),
                listed.map(|(_, id)| json!(id)).collect(),
            );
        }
        let services = self.services.iter();
        add(
            "service",
            services
                .map(|service| json!({"id": service.id, "type": service.kind, "serviceEndpoint": service.endpoint}))
                .collect(),
        );
        Value::Object(document)
    }

    /// Reads the fetched bytes of a document.
    ///
    /// # Errors
    /// Those of [`json::parse`], and `did.document-malformed`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        Self::from_json(&json::parse(bytes, LIMITS)?)
    }

    /// Reads a document.
    ///
    /// # Errors
    /// `did.document-malformed`.
    pub fn from_json(value: &Value) -> Result<Self, Refusal> {
        let object = value.as_object().ok_or_else(|| malformed("no object"))?;
        let id = Did::parse(text(object, "id")?).map_err(malformed)?;
        let mut document = Self::new(id);
        document.controllers = texts(object.get("controller"))?;
        document.also_known_as = texts(object.get("alsoKnownAs"))?;
        for item in items(object, "verificationMethod")? {
            let method = document.read_method(item)?;
            document.add_method(method)?;
        }
        for relationship in Relationship::ALL {
            for item in items(object, relationship.name())? {
                let id = match item {
                    Value::String(id) => document.absolute(id),
                    embedded => {
                        let method = document.read_method(embedded)?;
                        let id = method.id.clone();
                        document.add_method(method)?;
                        id
                    }
                };
                document.relationships.push((relationship, id));
            }
        }
        for item in items(object, "service")? {
            let item = item
                .as_object()
                .ok_or_else(|| malformed("a service is no object"))?;
            document.services.push(Service {
                id: document.absolute(text(item, "id")?),
                kind: texts(item.get("type"))?.join(" "),
                endpoint: item.get("serviceEndpoint").cloned().unwrap_or_default(),
            });
        }
        Ok(document)
    }

    fn absolute(&self, id: &str) -> String {
        if id.starts_with('#') {
            format!("{}{id}", self.id)
        } else {
            id.to_owned()
        }
    }

    fn add_method(&mut self, method: VerificationMethod) -> Result<(), Refusal> {
        // Two keys under one name would let a signature be judged by either.
        if self.methods.iter().any(|found| found.id == method.id) {
            return Err(malformed(format_args!("{} stands twice", method.id)));
        }
        self.methods.push(method);
        Ok(())
    }

    fn read_method(&self, item: &Value) -> Result<VerificationMethod, Refusal> {
        let object = item
            .as_object()
            .ok_or_else(|| malformed("a key is no object"))?;
        let jwk = object.get("publicKeyJwk");
        let multibase = object.get("publicKeyMultibase").and_then(Value::as_str);
        let (key, form) = match (jwk, multibase) {
            (Some(_), Some(_)) => return Err(malformed("a key in two forms")),
            (Some(jwk), None) => (PublicKey::from_jwk(jwk), KeyForm::JsonWebKey),
            (None, Some(text)) => (from_multibase(text), KeyForm::Multikey),
            (None, None) => (
                Err(crate::jose::rules::KEY_UNSUPPORTED.refuse()),
                KeyForm::Multikey,
            ),
        };
        let key = match key {
            Ok(key) => Some(key),
            Err(refusal) if refusal.rule() == crate::jose::rules::KEY_UNSUPPORTED => None,
            Err(refusal) => return Err(malformed(refusal.code())),
        };
        Ok(VerificationMethod {
            id: self.absolute(text(object, "id")?),
            controller: text(object, "controller")?.to_owned(),
            key,
            form,
        })
    }
}

impl VerificationMethod {
    fn to_json(&self) -> Value {
        let mut method = json!({"id": self.id, "controller": self.controller});
        if let Some(key) = &self.key {
            match self.form {
                KeyForm::Multikey => {
                    method["type"] = "Multikey".into();
                    method["publicKeyMultibase"] = to_multibase(key).into();
                }
                KeyForm::JsonWebKey => {
                    method["type"] = "JsonWebKey".into();
                    method["publicKeyJwk"] = key.to_jwk();
                }
            }
        }
        method
    }
}

fn malformed(detail: impl core::fmt::Display) -> Refusal {
    DOCUMENT_MALFORMED.because(detail)
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    let text = object.get(name).and_then(Value::as_str);
    text.ok_or_else(|| malformed(format_args!("{name} is missing")))
}

fn items<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a [Value], Refusal> {
    match object.get(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) if items.len() <= ITEMS_MAX => Ok(items),
        Some(_) => Err(malformed(format_args!(
            "{name} is no list of at most {ITEMS_MAX}"
        ))),
    }
}

/// A text or a list of texts.
fn texts(value: Option<&Value>) -> Result<Vec<String>, Refusal> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(items)) if items.len() <= ITEMS_MAX => items
            .iter()
            .map(|item| {
                item.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| malformed("a text is expected"))
            })
            .collect(),
        Some(_) => Err(malformed("a text or a list of texts is expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Signer as _;
    use stele_core::suite::{SigningKey, Suite};

    fn key(suite: Suite) -> PublicKey {
        SigningKey::from_seed(suite, &[3; 32]).unwrap().public_key()
    }

    fn document() -> DidDocument {
        DidDocument::new(Did::parse("did:web:university.example").unwrap())
            .with_key(
                "a",
                key(Suite::Ed25519),
                KeyForm::Multikey,
                &[Relationship::AssertionMethod],
            )
            .with_key(
                "b",
                key(Suite::Es256),
                KeyForm::JsonWebKey,
                &[Relationship::Authentication, Relationship::KeyAgreement],
            )
            .with_service("s", "LinkedDomains", json!("https://university.example"))
    }

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let written = document();
        let read = DidDocument::parse(written.to_json().to_string().as_bytes()).unwrap();
        assert_eq!(read.to_json(), written.to_json());
        assert_eq!(read.methods, written.methods);
    }

    #[test]
    fn refuses_keys_that_the_document_does_not_list() {
        let document = document();
        let ed = Ok(&document.methods[0].key.clone().unwrap()).cloned();
        for kid in ["did:web:university.example#a", "#a", ""] {
            assert_eq!(
                document
                    .key_for(Relationship::AssertionMethod, kid)
                    .cloned(),
                ed
            );
        }
        for (relationship, kid) in [
            (Relationship::AssertionMethod, "#b"),
            (Relationship::AssertionMethod, "did:web:other.example#a"),
            (Relationship::CapabilityInvocation, ""),
            (Relationship::Authentication, "a"),
        ] {
            assert_eq!(
                document.key_for(relationship, kid).unwrap_err().rule(),
                KEY_NOT_LISTED
            );
        }
    }

    #[test]
    fn refuses_bad_documents() {
        let good = document().to_json();
        let mut bad = vec![json!([]), json!({}), json!({"id": "x"})];
        for (pointer, value) in [
            ("/verificationMethod", json!({})),
            ("/verificationMethod/0/id", json!(1)),
            ("/verificationMethod/0/publicKeyMultibase", json!("z0OIl")),
            ("/verificationMethod/1/id", json!("#a")),
            (
                "/verificationMethod/1/publicKeyJwk",
                json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}),
            ),
            ("/service/0", json!("x")),
            ("/authentication/0", json!(7)),
        ] {
            let mut document = good.clone();
            *document.pointer_mut(pointer).unwrap() = value;
            bad.push(document);
        }
        for document in bad {
            assert_eq!(
                DidDocument::from_json(&document).unwrap_err().rule(),
                DOCUMENT_MALFORMED,
                "{document}"
            );
        }
    }
}
