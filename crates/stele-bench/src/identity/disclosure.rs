//! Unlinkable disclosure: bbs-2023 over a credential of ten claims, beside the BBS library alone at the same number of messages.
//!
//! What ours adds is JSON-LD, canonicalisation and the labels of nodes; the pairings are the library's in both.

use std::time::Instant;

use serde_json::{Map, Value, json};
use stele_credentials::Refusal;
use stele_credentials::integrity::bbs::{self, BbsSecretKey};
use stele_credentials::integrity::{Limits, Proof, ProofOptions, suites};
use zkryptium::bbsplus::keys::{BBSplusPublicKey, BBSplusSecretKey};
use zkryptium::keys::pair::KeyPair;
use zkryptium::schemes::algorithms::BbsBls12381Sha256;
use zkryptium::schemes::generics::{PoKSignature, Signature};

use crate::ledger::BenchError;
use crate::report::{Better, Figure};

const CLAIMS: usize = 10;
/// How many claims are shown.
const SHOWN: usize = 2;
const HEADER: &[u8] = b"a verifier's one-time question";
const CREATED: i64 = 1_790_000_000;

fn failed(refusal: Refusal) -> BenchError {
    BenchError::Workload(format!("{}: {}", refusal.code(), refusal.sentence()))
}

fn library(error: zkryptium::errors::Error) -> BenchError {
    BenchError::Workload(format!("zkryptium: {error}"))
}

/// The median of `rounds` calls of both, taken in turn, so that a disturbance meets both alike; in milliseconds.
fn medians(
    rounds: usize,
    mut ours: impl FnMut() -> Result<(), BenchError>,
    mut theirs: impl FnMut() -> Result<(), BenchError>,
) -> Result<(f64, f64), BenchError> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        let started = Instant::now();
        ours()?;
        times[0].push(started.elapsed().as_secs_f64() * 1000.0);
        let started = Instant::now();
        theirs()?;
        times[1].push(started.elapsed().as_secs_f64() * 1000.0);
    }
    let [ours, theirs] = times.map(|mut times| {
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    });
    Ok((ours, theirs))
}

pub(super) fn measure(
    rounds: usize,
    tell: &mut dyn FnMut(&str, u64, u64),
) -> Result<Vec<Figure>, BenchError> {
    tell("disclosing with BBS", 0, rounds as u64);
    let limits = Limits::default();
    let secret = BbsSecretKey::from_seed(&[7; 32]).map_err(failed)?;
    let key = secret.public();
    let document = credential(&key.did());
    let options = ProofOptions::assertion(key.did_url(), CREATED);
    let mandatory = ["/issuer".to_owned()];
    let signed = bbs::sign_base(&document, &options, &secret, &mandatory, &[9; 32], &limits)
        .map_err(failed)?;
    let selective: Vec<String> = (0..SHOWN)
        .map(|number| format!("/credentialSubject/claim_{number}"))
        .collect();
    let derived = bbs::derive(&signed, &selective, HEADER, &limits).map_err(failed)?;
    let proof = Proof::read(&derived["proof"]).map_err(failed)?;

    // The library alone: as many messages as are signed one by one, as many of them shown. What the issuer made mandatory is hashed.
    let count = |document: &Value| -> Result<usize, BenchError> {
        let mut bare = document.clone();
        bare.as_object_mut().map(|members| members.remove("proof"));
        Ok(suites::canonical(&bare, &limits)
            .map_err(failed)?
            .lines
            .len())
    };
    let bare = bbs::derive(&signed, &[], HEADER, &limits).map_err(failed)?;
    let mandatory = count(&bare)?;
    let (all, shown) = (count(&signed)? - mandatory, count(&derived)? - mandatory);
    let messages: Vec<Vec<u8>> = (0..all)
        .map(|number| format!("Fictional statement {number}").into_bytes())
        .collect();
    let indexes: Vec<usize> = (0..shown).collect();
    let pair = KeyPair::<BbsBls12381Sha256>::generate(&[7; 32], None, None).map_err(library)?;
    let (public, private): (&BBSplusPublicKey, &BBSplusSecretKey) =
        (pair.public_key(), pair.private_key());
    let signature =
        Signature::<BbsBls12381Sha256>::sign(Some(&messages), private, public, Some(HEADER))
            .map_err(library)?
            .to_bytes();
    let prove = || {
        PoKSignature::<BbsBls12381Sha256>::proof_gen(
            public,
            &signature,
            Some(HEADER),
            Some(HEADER),
            Some(&messages),
            Some(&indexes),
        )
        .map_err(library)
    };
    let proven = prove()?;
    let disclosed = &messages[..shown];

    let (derive, derive_alone) = medians(
        rounds,
        || {
            let shown = bbs::derive(&signed, &selective, HEADER, &limits).map_err(failed)?;
            std::hint::black_box(shown);
            Ok(())
        },
        || prove().map(|proof| drop(std::hint::black_box(proof))),
    )?;
    let (verify, verify_alone) = medians(
        rounds,
        || {
            let header = bbs::verify(&derived, &proof, &key, &limits).map_err(failed)?;
            std::hint::black_box(header);
            Ok(())
        },
        || {
            proven
                .proof_verify(
                    public,
                    Some(disclosed),
                    Some(&indexes),
                    Some(HEADER),
                    Some(HEADER),
                )
                .map_err(library)
        },
    )?;
    let figure = |id, ours: f64, alone: f64, what: &str| {
        let note = format!(
            "{what}: {CLAIMS} claims are {all} messages beside what is always shown, {shown} of them disclosed; zkryptium alone with as many messages: {alone:.2} ms; goal: at most 10 % above"
        );
        Figure::new(id, ours, "ms", Better::Lower, note).goal(alone * 1.1)
    };
    Ok(vec![
        figure("bbs-derive", derive, derive_alone, "derive with bbs-2023"),
        figure("bbs-verify", verify, verify_alone, "verify with bbs-2023"),
    ])
}

fn credential(issuer: &str) -> Value {
    let mut subject: Map<String, Value> = (0..CLAIMS)
        .map(|number| {
            (
                format!("claim_{number}"),
                format!("Fictional value {number}").into(),
            )
        })
        .collect();
    subject.insert("id".to_owned(), "did:example:fictional-holder".into());
    json!({
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            "https://www.w3.org/ns/credentials/examples/v2",
        ],
        "type": ["VerifiableCredential"],
        "issuer": issuer,
        "validFrom": "2026-09-01T00:00:00Z",
        "credentialSubject": subject,
    })
}
