//! Verifying a credential: its signature, its dates, and the proof that an accredited issuer committed to it.

use std::path::Path;

use serde_json::{Value as Json, json};
use stele_client::Client;
use stele_core::calendar::format_date_time;
use stele_credentials::Refusal;
use stele_credentials::did::{
    Did, DidDocument, Relationship, ResolutionOptions, Resolver as _, SelfContained,
};
use stele_credentials::jose::PublicKey;
use stele_credentials::sd_jwt::{Expectation, Parsed, Verified, verify};
use stele_credentials::trust::{IssuanceProof, Issued, KeyReport, PROOF_BYTES_MAX};

use super::{read_input, refused};
use crate::failure::{Exit, Failure, Outcome};
use crate::home::{locate, trusted_network};
use crate::printer::{Printer, Tone, clean};

/// The largest credential, in bytes.
const CREDENTIAL_BYTES_MAX: usize = 1 << 20;
const KEY_BYTES_MAX: usize = 64 << 10;

/// What is given.
pub struct Given<'a> {
    pub file: &'a Path,
    pub proof: Option<&'a Path>,
    pub network: Option<&'a Path>,
    pub issuer_key: Option<&'a Path>,
    pub url: Option<&'a str>,
    pub home: Option<&'a Path>,
}

/// Judges a credential.
///
/// # Errors
/// Unusable input. A credential that does not hold is an answer: exit code 1.
pub fn run(given: &Given<'_>, printer: &Printer) -> Outcome {
    let bytes = read_input(given.file, CREDENTIAL_BYTES_MAX)?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Failure::unusable("the credential is no text").because(&error))?;
    let text = text.trim();
    let proof = match given.proof {
        None => None,
        Some(file) => {
            let home = locate(given.home);
            let network = trusted_network(given.network, given.url, &home, printer)?;
            Some((read_input(file, PROOF_BYTES_MAX + 1)?, network))
        }
    };
    let parsed = match Parsed::parse(text) {
        Ok(parsed) => parsed,
        Err(refusal) => return no(&refusal, printer),
    };
    let key = match issuer_key(&parsed, given)? {
        Ok(key) => key,
        Err(refusal) => return no(&refusal, printer),
    };
    let judged = || -> Result<(Verified, Option<Issued>), Refusal> {
        let now = stele_ledger::ledger::system_time().get() / 1000;
        let verified = verify(text, &key, &Expectation::at(now))?;
        let Some((bytes, network)) = &proof else {
            return Ok((verified, None));
        };
        let signed = text.split('~').next().unwrap_or_default();
        let issued =
            IssuanceProof::decode(bytes)?.verify(signed.as_bytes(), key.to_core(), network)?;
        issued.require(
            verified.issuer.as_deref().unwrap_or_default(),
            verified.vct.as_deref().unwrap_or_default(),
        )?;
        Ok((verified, Some(issued)))
    };
    match judged() {
        Ok((verified, issued)) => yes(&verified, issued.as_ref(), printer),
        Err(refusal) => no(&refusal, printer),
    }
}

/// The issuer's key: given, in the DID itself, or in the document that a node has. A commitment to the key's id decides whether the
/// node told the truth.
fn issuer_key(
    parsed: &Parsed<'_>,
    given: &Given<'_>,
) -> Result<Result<PublicKey, Refusal>, Failure> {
    if let Some(file) = given.issuer_key {
        let bytes = read_input(file, KEY_BYTES_MAX)?;
        let jwk: Json = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::unusable("the key is no JSON").because(&error))?;
        return Ok(PublicKey::from_jwk(&jwk));
    }
    let issuer = parsed.issuer().unwrap_or_default();
    let did = match Did::parse(issuer) {
        Ok(did) => did,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let document = if did.method() == "stele" {
        let Some(url) = given.url else {
            return Err(Failure::unusable("the issuer's key is not known here")
                .hint("name a node with --url, or give the key with --issuer-key FILE"));
        };
        let answer = Client::connect(url)?.get_json(&format!("/1.0/identifiers/{did}"))?;
        DidDocument::from_json(&answer["didDocument"])
    } else {
        SelfContained
            .resolve(&did, &ResolutionOptions::default())
            .document
    };
    let kid = parsed.key_id().unwrap_or_default();
    Ok(document.and_then(|document| {
        document
            .key_for(Relationship::AssertionMethod, kid)
            .cloned()
    }))
}

fn yes(verified: &Verified, issued: Option<&Issued>, printer: &Printer) -> Outcome {
    if printer.is_json() {
        let mut answer = json!({
            "valid": true,
            "issuer": verified.issuer,
            "vct": verified.vct,
            "claims": verified.claims,
            "status": verified.status.as_ref().map(stele_credentials::sd_jwt::StatusReference::to_json),
        });
        if let Some(issued) = issued {
            answer["issuance"] = json!({
                "issuer": issued.issuer.did(),
                "time_ms": issued.issuance.time.get(),
                "scope": issued.issuance.scope,
                "key_report": key_report(&issued.key_report),
            });
        }
        printer.json(&answer)?;
        return Ok(Exit::Done);
    }
    printer.data(printer.word(Tone::Good, "VALID"))?;
    let line = |name: &str, text: &str| printer.data(format_args!("{name:<9} {}", clean(text)));
    line("type", verified.vct.as_deref().unwrap_or("-"))?;
    line("issuer", verified.issuer.as_deref().unwrap_or("-"))?;
    for (name, value) in &verified.claims {
        line("says", &format!("{name}: {value}"))?;
    }
    match issued {
        None => line("issuance", "not proven: no proof of issuance was given")?,
        Some(issued) => {
            let time =
                format_date_time(i64::try_from(issued.issuance.time.get()).unwrap_or(i64::MAX));
            let scope = issued.issuance.scope.as_deref().unwrap_or("no scope");
            line(
                "issuance",
                &format!("committed to at {time}, accredited within {scope}"),
            )?;
            line("key", &key_report(&issued.key_report))?;
        }
    }
    if let Some(status) = &verified.status {
        line(
            "status",
            &format!("not looked up; place {} of {}", status.index, status.uri),
        )?;
    }
    Ok(Exit::Done)
}

fn key_report(report: &KeyReport) -> String {
    match report {
        KeyReport::NotAsked => "the proof does not say whether the key was reported".to_owned(),
        KeyReport::NoneAsOf(height, _) => format!("not reported as of block {height}"),
        KeyReport::LaterThanIssuance(_) => {
            "reported later; what was committed to before stays valid".to_owned()
        }
    }
}

fn no(refusal: &Refusal, printer: &Printer) -> Outcome {
    if !printer.is_json() {
        return Err(refused(refusal));
    }
    let mut answer = refusal.to_json();
    answer["valid"] = false.into();
    printer.json(&answer)?;
    Ok(Exit::No)
}
