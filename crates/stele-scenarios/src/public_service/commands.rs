//! Signing and submitting what offices and citizens do.

use serde_json::{Value as Json, json};
use stele_client::Final;
use stele_core::cbor::BodyBuilder;
use stele_core::id::{EntryId, Hash, PartyId, sha256};
use stele_services::Definition;

use super::Story;
use crate::frame::{Run, ScenarioError};
use crate::kit::{Office, attempt, outcome, prove};

/// The fields that hold hashes, written in hexadecimal in JSON (docs/registers/service.md).
const HASHES: [&str; 8] = [
    "case",
    "case_id",
    "service",
    "document",
    "application",
    "documents",
    "reasons",
    "grounds",
];

/// A case, as its applicant keeps it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The applicant: a party that is made for this case alone.
    pub applicant: Office,
    /// Its reference on the chain.
    pub reference: Hash,
    /// The entries that made it, in their order.
    pub entries: Vec<EntryId>,
}

/// The reference of a case (docs/registers/service.md).
pub(super) fn case_reference(applicant: &PartyId, case_id: &[u8; 32]) -> Hash {
    let parts = [
        b"stele/service/case/v1".as_slice(),
        applicant.as_bytes(),
        case_id,
    ];
    Hash::from_bytes(sha256(&parts))
}

/// The reference of a service (docs/registers/service.md).
pub(super) fn service_reference(authority: &PartyId, definition: &Definition) -> Hash {
    let id = definition.file().id.as_bytes();
    let parts = [
        b"stele/service/service/v1".as_slice(),
        authority.as_bytes(),
        id,
    ];
    Hash::from_bytes(sha256(&parts))
}

fn hash(text: &str) -> [u8; 32] {
    let bytes = hex::decode(text).unwrap_or_default();
    bytes.first_chunk().copied().unwrap_or_default()
}

/// The body of a command of `service` from its JSON.
pub(super) fn body(command: &Json) -> Vec<u8> {
    let fields = command.as_object().into_iter().flatten();
    let body = fields.fold(BodyBuilder::new(), |body, (name, value)| {
        let is_hash = HASHES.contains(&name.as_str());
        match value {
            Json::Bool(flag) => body.bool(name, *flag),
            Json::Number(number) => body.uint(name, number.as_u64().unwrap_or_default()),
            Json::String(text) if is_hash => body.bytes(name, &hash(text)),
            Json::String(text) => match PartyId::from_did(text) {
                Ok(party) => body.bytes(name, party.as_bytes()),
                Err(_) => body.text(name, text),
            },
            Json::Array(items) => list(body, name, items, is_hash),
            Json::Null | Json::Object(_) => body,
        }
    });
    body.build()
}

fn list(body: BodyBuilder, name: &str, items: &[Json], is_hash: bool) -> BodyBuilder {
    let texts: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
    if is_hash {
        let hashes: Vec<_> = texts.iter().map(|text| hash(text)).collect();
        body.bytes_list(name, &hashes)
    } else if texts.len() == items.len() && !items.is_empty() {
        body.text_list(name, &texts)
    } else {
        body.with(name, |out| {
            out.array(items.len());
            for item in items {
                out.uint(item.as_u64().unwrap_or_default());
            }
        })
    }
}

/// Signs one command of `service` and waits until it is final, applied or refused.
pub(super) fn attempt_one(
    run: &mut Run<'_>,
    story: &mut Story,
    office: &Office,
    cosigners: &[&Office],
    name: &str,
    command: &Json,
) -> Result<Final, ScenarioError> {
    let keys: Vec<_> = cosigners.iter().map(|other| other.party.key()).collect();
    let done = attempt(run, office, &keys, "service", &[(name, body(command))])?;
    story.entries.push(done.entry_id);
    Ok(done)
}

/// As [`attempt_one`], with its receipt as the proof of `claim`; a refusal is an error.
pub(super) fn act(
    run: &mut Run<'_>,
    story: &mut Story,
    office: &Office,
    cosigners: &[&Office],
    name: &str,
    command: &Json,
    claim: &str,
) -> Result<(Final, String), ScenarioError> {
    let done = attempt_one(run, story, office, cosigners, name, command)?;
    if let Err(refused) = outcome(&done) {
        return Err(ScenarioError::broken(
            format!("{name} by {} to be applied", office.name),
            format!("{}: {}", refused.code, refused.sentence),
        ));
    }
    let file = prove(run, &done, claim)?;
    Ok((done, file))
}

impl Case {
    /// The command `more` about this case.
    pub fn about(&self, mut more: Json) -> Json {
        more["case"] = json!(self.reference.to_string());
        more
    }

    /// Does something in this case, proven by a receipt.
    #[allow(
        clippy::too_many_arguments,
        reason = "who does what, with whom, and what it proves"
    )]
    pub fn act(
        &mut self,
        run: &mut Run<'_>,
        story: &mut Story,
        office: &Office,
        cosigners: &[&Office],
        name: &str,
        more: Json,
        claim: &str,
    ) -> Result<Final, ScenarioError> {
        let command = self.about(more);
        let (done, _) = act(run, story, office, cosigners, name, &command, claim)?;
        self.entries.push(done.entry_id);
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use stele_core::cbor::Body;

    use super::*;

    #[test]
    fn a_body_has_the_kinds_of_the_register() {
        let party = PartyId::from_bytes([3; 32]);
        let bytes = body(&json!({
            "case": hex::encode([9; 32]), "to": party.did(), "items": ["a", "b"], "weekend": [6, 7],
            "free_days": [], "documents": [hex::encode([1; 32])], "deemed": true, "count": 3, "service_id": "x",
        }));
        let mut read = Body::decode(&bytes).unwrap();
        assert_eq!(read.bytes32("case").unwrap(), [9; 32]);
        assert_eq!(read.bytes32("to").unwrap(), [3; 32]);
        let items = read.list("items", 9, |item| item.text(9)).unwrap();
        assert_eq!(items, ["a", "b"]);
        let days = read.list("weekend", 9, |item| item.uint()).unwrap();
        assert_eq!(days, [6, 7]);
        let free = read.list("free_days", 9, |item| item.uint()).unwrap();
        assert_eq!(free, [0u64; 0]);
        let documents = read.list("documents", 9, |item| item.bytes32()).unwrap();
        assert_eq!(documents, [[1; 32]]);
        assert!(read.flag("deemed").unwrap());
        assert_eq!(read.uint("count").unwrap(), 3);
        assert_eq!(read.text("service_id", 9).unwrap(), "x");
        read.finish().unwrap();
    }
}
