//! After the stay: the transcript of records, whole and as a QR code.

use stele_core::suite;
use stele_credentials::education::compact::{self, QR_BYTES_MAX};
use stele_credentials::education::ects::LearningAgreement;
use stele_credentials::integrity::json::jcs;
use stele_credentials::jose::Signer as _;
use stele_credentials::trust::IssuanceProof;

use super::agreement::tenths;
use super::file::{certify_transcript, failed};
use super::{Scene, Stay, Story, Transcript, papers};
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::prove;

/// The receiving university certifies that the student passed these courses, and one more.
pub(super) fn make(
    run: &mut Run<'_>,
    scene: &mut Scene,
    stay: &Stay,
    passed: &LearningAgreement,
) -> Result<(Transcript, stele_client::Final), ScenarioError> {
    let table = scene.table(1).0.table.clone();
    let Scene {
        parties,
        chain,
        numbers,
        ..
    } = scene;
    let plain = papers::transcript(passed, stay.person.clone(), &table, numbers);
    let (certified, signed, done) = certify_transcript(run, chain, &parties.receiving, &plain)?;
    let transcript = Transcript {
        plain,
        signed,
        certified,
    };
    Ok((transcript, done))
}

pub(super) fn certify(
    run: &mut Run<'_>,
    scene: &mut Scene,
    stay: &Stay,
) -> Result<Transcript, ScenarioError> {
    run.step("certify-transcript", |run| {
        let (transcript, done) = make(run, scene, stay, &stay.agreed().0)?;
        let receiving = &scene.parties.receiving.office;
        prove(run, &done, &format!("{} committed to the transcript", receiving.name))?;
        run.keep("transcript.json", transcript.certified.paper.as_bytes())?;
        run.keep("transcript.proof", &transcript.certified.proof)?;
        let key = receiving.party.key().public_key().to_jwk();
        run.keep("receiving.jwk.json", key.to_string().as_bytes())?;
        scene.measured.transcript = transcript.certified.paper.len();
        let plain = &transcript.plain;
        let rows = plain.courses.iter().map(|course| {
            vec![course.title.as_str().into(), tenths(course.tenths.into()).into(), course.grade.as_str().into()]
        });
        run.show(Block::Table {
            caption: format!("Transcript of records of {} {}", plain.student.given, plain.student.family),
            head: vec!["Course", "ECTS", "Grade"],
            rows: rows.collect(),
        });
        let detail = format!(
            "{} ECTS passed, one course more than agreed; a credential of the European Learning Model with a Data Integrity proof (eddsa-rdfc-2022).",
            tenths(plain.tenths())
        );
        Ok((transcript, detail))
    })
}

pub(super) fn pack(
    run: &mut Run<'_>,
    scene: &mut Scene,
    story: &Story,
) -> Result<(), ScenarioError> {
    run.step("pack-transcript", |run| {
        let Transcript { plain, signed, certified } = &story.transcript;
        let code = compact::pack(plain, signed, &certified.proof).map_err(failed)?;
        let bare = compact::pack(plain, signed, &[]).map_err(failed)?;
        run.keep("transcript.code", &code)?;

        // Who scans it gets the very document back, and the proof of issuance with it.
        let scanned = compact::unpack(&code).map_err(failed)?;
        let (found, given) = (jcs(&scanned.credential).map_err(failed)?, &certified.paper);
        run.check(found == *given, "the transcript out of its code, to the byte", || found.clone())?;
        let key = suite::PublicKey::from_cose_key(&certified.key).map_err(|error| ScenarioError::broken("a key", error.to_string()))?;
        let proof = IssuanceProof::decode(&scanned.receipt).map_err(failed)?;
        let issued = proof.verify(found.as_bytes(), &key, run.client().network()).map_err(failed)?;
        let receiving = scene.parties.receiving.office.party.id();
        run.check(issued.issuer == receiving, "the receiving university as issuer", || issued.issuer.did())?;
        (scene.measured.code, scene.measured.bare_code) = (code.len(), bare.len());
        let row = |what: &str, bytes: usize| vec![what.into(), bytes.to_string().into(), Cell::Text(bytes.div_ceil(QR_BYTES_MAX).to_string())];
        run.show(Block::Table {
            caption: "The transcript in a QR code".to_owned(),
            head: vec!["Form", "Bytes", "QR codes of 2,953 bytes"],
            rows: vec![
                row("JSON with its signature", certified.paper.len()),
                row("Short form", bare.len()),
                row("Short form with the proof of issuance", code.len()),
            ],
        });
        let detail = format!(
            "{} bytes of JSON and {} bytes of proof become {} bytes; the document comes out as it went in, and its signature holds.",
            certified.paper.len(), certified.proof.len(), code.len()
        );
        Ok(((), detail))
    })
}
