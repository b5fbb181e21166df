//! The credentials of an application as a DCQL query (OpenID for Verifiable Presentations 1.0, section 6).
//!
//! Once-only: what an authority has already stated is presented, not typed and uploaded again. The query names the claims
//! that the definition asks for and no others, so a wallet can disclose exactly these.

use serde_json::{Map, Value as Json, json};

use crate::application::holds;
use crate::definition::Definition;
use crate::file::{Accepted, CredentialFormat, CredentialNeed};

/// The id of the `number`-th way to satisfy a need, in the query and in the response. Section 6.1 allows letters, digits,
/// hyphens and underscores.
pub fn query_id(need: &CredentialNeed, number: usize) -> String {
    if need.accepts.len() == 1 {
        need.code.clone()
    } else {
        format!("{}_{}", need.code, number + 1)
    }
}

/// The code of the need that an id of the query belongs to.
pub fn need_of<'a>(definition: &'a Definition, id: &str) -> Option<&'a CredentialNeed> {
    definition
        .file()
        .credentials
        .iter()
        .find(|need| (0..need.accepts.len()).any(|number| query_id(need, number) == id))
}

/// The query for the credentials that an application with these answers needs; `None` when it needs none.
///
/// Answers are those of the form, by code; conditions of the definition are judged by them.
pub fn dcql(definition: &Definition, answers: &Map<String, Json>) -> Option<Json> {
    let needs = definition.file().credentials.iter();
    let needs: Vec<_> = needs
        .filter(|need| holds(need.when.as_ref(), answers))
        .collect();
    if needs.is_empty() {
        return None;
    }
    let credentials: Vec<_> = needs
        .iter()
        .flat_map(|need| {
            let ways = need.accepts.iter().enumerate();
            ways.map(|(number, accepted)| credential_query(need, number, accepted))
        })
        .collect();
    let sets: Vec<_> = needs
        .iter()
        .map(|need| {
            let options = (0..need.accepts.len()).map(|number| [query_id(need, number)]);
            json!({"options": options.collect::<Vec<_>>(), "required": true})
        })
        .collect();
    Some(json!({"credentials": credentials, "credential_sets": sets}))
}

fn credential_query(need: &CredentialNeed, number: usize, accepted: &Accepted) -> Json {
    // Appendix B: each format names its types in its own way.
    let meta = match accepted.format {
        CredentialFormat::SdJwtVc => json!({"vct_values": accepted.types}),
        CredentialFormat::Mdoc => json!({"doctype_value": accepted.types.first()}),
        CredentialFormat::LdpVc => json!({"type_values": [accepted.types]}),
    };
    let claims = 0..need.claims.len();
    let claims = claims.map(|claim| json!({"path": claim_path(need, accepted, claim)}));
    json!({
        "id": query_id(need, number),
        "format": accepted.format,
        "meta": meta,
        "claims": claims.collect::<Vec<_>>(),
    })
}

/// Where a claim lies in a credential of this kind.
fn claim_path<'a>(need: &'a CredentialNeed, accepted: &'a Accepted, claim: usize) -> Vec<&'a str> {
    let path = need.claims[claim].iter().map(String::as_str);
    match accepted.format {
        CredentialFormat::SdJwtVc => path.collect(),
        // Section 7.2: an mdoc's claim is a namespace and an element.
        CredentialFormat::Mdoc => {
            let element = accepted.elements.get(claim).map(String::as_str);
            accepted
                .namespace
                .as_deref()
                .into_iter()
                .chain(element)
                .collect()
        }
        CredentialFormat::LdpVc => std::iter::once("credentialSubject").chain(path).collect(),
    }
}

/// What a verified credential discloses, in the shape that the definition asks for, with the code of the need: whatever
/// the format, the claims lie at the need's own paths, and nothing else is taken over.
///
/// `id` is that of the query; `presented` the credential's content as the verifier of its format gives it. `None` for an
/// id that the definition does not have.
pub fn disclosed(definition: &Definition, id: &str, presented: &Json) -> Option<(String, Json)> {
    let need = need_of(definition, id)?;
    let mut numbers = 0..need.accepts.len();
    let accepted = &need.accepts[numbers.find(|number| query_id(need, *number) == id)?];
    let mut claims = Json::Object(Map::new());
    for (claim, target) in need.claims.iter().enumerate() {
        let path = claim_path(need, accepted, claim);
        let mut parts = path.iter();
        let found = parts.try_fold(presented, |value, part| value.as_object()?.get(*part));
        if let Some(value) = found {
            insert(&mut claims, target, value);
        }
    }
    Some((need.code.clone(), claims))
}

fn insert(claims: &mut Json, path: &[String], value: &Json) {
    let Some((first, rest)) = path.split_first() else {
        claims.clone_from(value);
        return;
    };
    if let Json::Object(map) = claims {
        let inner = map.entry(first).or_insert_with(|| Json::Object(Map::new()));
        insert(inner, rest, value);
    }
}
