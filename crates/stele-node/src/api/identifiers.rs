//! W3C DID Resolution over HTTP (section 7.1 of the specification): did:stele with history and proofs, did:key, did:jwk, and did:web
//! where the operator lets the node fetch documents.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use stele_core::calendar::parse_date_time;
use stele_core::id::TimeMs;
use stele_core::merkle;
use stele_credentials::did::{
    Did, DocumentMetadata, Resolution, ResolutionOptions, Resolver as _, SelfContained, rules,
};
use stele_resolver::{Found, ResolveError, SteleDid, height_at};
use utoipa::IntoParams;

use crate::app::{App, SharedApp};
use crate::problem::{Answer, Problem};

/// How a DID is to be resolved.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolveQuery {
    /// The document as it was at this time (RFC 3339).
    version_time: Option<String>,
    /// The document's version of this number; only for parties.
    version_id: Option<String>,
    /// Whether the metadata carry a proof of the present document: a receipt, and for members of rolls their record and path.
    #[serde(default)]
    proof: bool,
}

/// Resolves a DID. `Accept: application/did` gives the document alone.
#[utoipa::path(get, path = "/1.0/identifiers/{did}", tag = "identifiers",
    params(("did" = String, Path, description = "did:stele, did:key or did:jwk; did:web where the operator lets the node fetch"), ResolveQuery),
    responses((status = 200, body = Object, content_type = "application/did-resolution", description = "The document and about it"),
        (status = 410, body = Object, content_type = "application/did-resolution", description = "The DID was given up"),
        (status = "4XX", content((Object = "application/did-resolution"), (Problem = "application/problem+json")), description = "No document: didResolutionMetadata says why; a problem document for a parameter that is wrong"),
        (status = "5XX", content((Object = "application/did-resolution"), (Problem = "application/problem+json")), description = "A method that is not known here, or the node cannot do it now")))]
pub async fn resolve(
    State(app): State<SharedApp>,
    Path(did): Path<String>,
    query: Result<Query<ResolveQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Answer<Response> {
    let Query(query) = query.map_err(|_| {
        Problem::bad_parameter("query", "versionTime, versionId or proof, each once")
    })?;
    let time = query.version_time.as_deref().map(|text| {
        let ms = parse_date_time(text).and_then(|ms| u64::try_from(ms).ok());
        ms.map(TimeMs::new)
            .ok_or_else(|| Problem::bad_parameter("versionTime", "a time as in RFC 3339"))
    });
    let time = time.transpose()?;
    let id = query.version_id.as_deref().map(|text| {
        let number = text.parse().ok();
        number.ok_or_else(|| Problem::bad_parameter("versionId", "a number from 1"))
    });
    let asked = Asked {
        time,
        version: id.transpose()?,
        proof: query.proof,
    };
    let work = tokio::task::spawn_blocking(move || asked.resolve(&app, &did));
    let resolution = work.await.map_err(|error| Problem::internal(&error))??;
    Ok(answer(&resolution, wants_document_alone(&headers)))
}

fn wants_document_alone(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| {
        let mut kinds = accept
            .split(',')
            .filter_map(|item| item.split(';').next())
            .map(str::trim);
        kinds.any(|kind| {
            [
                "application/did",
                "application/did+json",
                "application/did+ld+json",
            ]
            .contains(&kind)
        })
    })
}

fn answer(resolution: &Resolution, document_alone: bool) -> Response {
    let status = StatusCode::from_u16(resolution.http_status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match (&resolution.document, document_alone) {
        (Ok(document), true) => (
            status,
            [(header::CONTENT_TYPE, "application/did")],
            document.to_json().to_string(),
        )
            .into_response(),
        _ => (
            status,
            [(header::CONTENT_TYPE, "application/did-resolution")],
            resolution.to_json().to_string(),
        )
            .into_response(),
    }
}

struct Asked {
    time: Option<TimeMs>,
    version: Option<u64>,
    proof: bool,
}

impl Asked {
    fn resolve(&self, app: &App, did: &str) -> Answer<Resolution> {
        let did = match Did::parse(did) {
            Ok(did) => did,
            Err(refusal) => return Ok(Resolution::of(Err(refusal))),
        };
        if let ("web", Some(documents)) = (did.method(), &app.web_documents) {
            return Ok(Resolution::of(documents.fetch(&did)));
        }
        if did.method() != "stele" {
            return Ok(SelfContained.resolve(&did, &ResolutionOptions::default()));
        }
        let name = match SteleDid::parse(&did) {
            Ok(name) => name,
            Err(refusal) => return Ok(Resolution::of(Err(refusal))),
        };
        let found = self
            .find(app, &did, &name)
            .map_err(|error| unable(&error))?;
        let Some(mut found) = found else {
            return Ok(Resolution::of(Err(rules::DID_NOT_FOUND.because(&did))));
        };
        if self.proof {
            let proof = prove(app, &name).map_err(|error| unable(&error))?;
            add_proof(&mut found.metadata, proof);
        }
        Ok(Resolution {
            document: Ok(found.document),
            metadata: found.metadata,
        })
    }

    fn find(&self, app: &App, did: &Did, name: &SteleDid) -> Result<Option<Found>, ResolveError> {
        let height = match (self.time, self.version) {
            (Some(time), _) => height_at(&app.ledger, time)?,
            (None, Some(version)) => match name {
                SteleDid::Party(party) => app.resolver.version_height(party, version)?,
                SteleDid::Member(..) => None,
            },
            (None, None) => return app.resolver.resolve(did, name, None),
        };
        match height {
            Some(height) => app.resolver.resolve(did, name, Some(height)),
            None => Ok(None),
        }
    }
}

fn prove(app: &App, name: &SteleDid) -> Result<Value, ResolveError> {
    let mut proven = app.resolver.prove(name)?;
    proven.receipt.witnesses = app.witnesses.lines_of(&proven.receipt.certificate);
    let mut proof = json!({
        "receipt": merkle::base64_encode(&proven.receipt.encode()),
        "height": proven.receipt.certificate.header.height.get(),
    });
    if let Some(member) = proven.member {
        let path: Vec<_> = member.path.iter().map(hex::encode).collect();
        proof["record"] = hex::encode(member.record).into();
        proof["path"] = path.into();
    }
    Ok(proof)
}

fn add_proof(metadata: &mut DocumentMetadata, proof: Value) {
    let own = metadata.more.entry("stele").or_insert_with(|| json!({}));
    own["proof"] = proof;
}

fn unable(error: &ResolveError) -> Problem {
    match error {
        ResolveError::RollMissing(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "node.roll-missing",
            format!("{error}."),
            "Ask a node whose log reaches further back.",
        ),
        other => Problem::internal(other),
    }
}
