//! DID documents of what the ledger holds.

use serde_json::{Map, Value, json};
use stele_core::calendar::format_date_time;
use stele_core::id::{KeyId, TimeMs};
use stele_core::suite::PublicKey as CoseKey;
use stele_credentials::did::{Did, DidDocument, DocumentMetadata, KeyForm, Relationship};
use stele_credentials::jose::PublicKey;
use stele_registers::identity::{KeyRecord, PartyDocument};

/// What a party's keys are for.
const PARTY: &[Relationship] = &[
    Relationship::Authentication,
    Relationship::AssertionMethod,
    Relationship::CapabilityInvocation,
];

/// A time as DID resolution writes it: an XML date-time in UTC without fractions.
pub(crate) fn date_time(time: TimeMs) -> String {
    let text = format_date_time(i64::try_from(time.get()).unwrap_or(i64::MAX));
    format!("{}Z", text.split('.').next().expect("a first part"))
}

/// The document of a party under the name `did`. Keys of suites that no DID verifier knows (ML-DSA, SM2) are left out; the ledger's
/// own receipts show them.
pub(crate) fn of_party(
    did: Did,
    party: &PartyDocument,
    keys: &[(KeyId, KeyRecord)],
) -> DidDocument {
    let mut document = DidDocument::new(did);
    if let Some(owner) = &party.owner {
        document.controllers.push(owner.did());
    }
    for (kid, record) in keys {
        if let Some(key) = verification_key(&record.cose_key) {
            document = document.with_key(&kid.to_string(), key, KeyForm::JsonWebKey, PARTY);
        }
    }
    document
}

/// The document of a member with the key in its record; its roll's issuer controls it.
pub(crate) fn of_record(did: Did, key: &CoseKey, controller: String) -> DidDocument {
    let mut document = DidDocument::new(did);
    document.controllers.push(controller);
    match verification_key(&key.to_cose_key()) {
        Some(found) => document.with_key(&key.kid().to_string(), found, KeyForm::JsonWebKey, PARTY),
        None => document,
    }
}

fn verification_key(cose_key: &[u8]) -> Option<PublicKey> {
    let key = CoseKey::from_cose_key(cose_key).ok()?;
    PublicKey::from_core(&key).ok()
}

/// What the method adds to a document's metadata.
pub(crate) struct Facts {
    pub kind: &'static str,
    pub name: Option<String>,
    pub created: TimeMs,
    pub updated: TimeMs,
    pub next_update: Option<TimeMs>,
    pub version: u64,
    pub deactivated: bool,
}

pub(crate) fn metadata(facts: &Facts) -> DocumentMetadata {
    let mut more = Map::new();
    let mut own = Map::new();
    own.insert("kind".to_owned(), facts.kind.into());
    if let Some(name) = &facts.name {
        // The party's own words, which a document must not carry as if somebody had checked them.
        own.insert("nameClaimed".to_owned(), json!(name));
    }
    more.insert("stele".to_owned(), Value::Object(own));
    DocumentMetadata {
        created: Some(date_time(facts.created)),
        updated: Some(date_time(facts.updated)),
        deactivated: facts.deactivated,
        version_id: Some(facts.version.to_string()),
        next_version_id: (facts.next_update.map(|_| (facts.version + 1).to_string())),
        next_update: facts.next_update.map(date_time),
        more,
    }
}
