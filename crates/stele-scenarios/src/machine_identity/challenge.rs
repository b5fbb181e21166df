//! A challenge answered, and what does not pass for an answer.

use std::time::Instant;

use stele_core::suite::{SigningKey, Suite};
use stele_credentials::jose::Signer as _;
use stele_credentials::sd_jwt::Frame;

use super::papers::{self, MAKE_FIELDS, MAKE_VCT, answer, good};
use super::parties::MAKERS;
use super::roll::{self, Roll};
use super::sale::AUDIENCE;
use super::verifier::{Answer, MAKE_ASKED, TITLE_ASKED, judge, make_fields, title_fields};
use super::{Measured, Scene};
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{
    Office, Question, accepted, attempt, commit_body, outcome, prove, random, refused,
    show_refusals, when,
};

pub(super) fn answer_one(run: &mut Run<'_>, scene: &Scene) -> Result<(), ScenarioError> {
    run.step("answer-challenge", |run| {
        let (station, parties) = (scene.station(), &scene.parties);
        let question = Question::fresh(AUDIENCE);
        let mut shown = answer(run, scene, station, &question)?;
        shown.make.key_receipt = Some(scene.maker.key_receipt(run)?.0);
        let known = accepted("the station\u{2019}s answer", judge(&shown, &question, run.client().network()))?;
        run.check(known.station == station.office.party.id(), "the station that was asked", || known.station.did())?;
        run.check(known.maker == parties.maker.party.id(), "the maker", || known.maker.did())?;
        let (owner, title) = known.owner.as_ref().ok_or_else(|| ScenarioError::broken("an owner", "none"))?;
        run.check(*owner == parties.operator.party.id(), "the operator as owner", || owner.did())?;
        for field in MAKE_FIELDS {
            let expected = MAKE_ASKED.contains(&field);
            run.check(known.make.claims.contains_key(field) == expected, "exactly the chosen fields to be shown", || field.to_owned())?;
        }
        run.check(!title.claims.contains_key("site"), "the site to be kept back", || "it was shown".to_owned())?;
        let chain = &known.make.issued.issuance.chain;
        run.check(chain.len() == 2, "a chain of two accreditations", || chain.len().to_string())?;

        run.keep("make-shown.sd-jwt", shown.make.presentation.as_bytes())?;
        if let Some(title) = &shown.title {
            run.keep("title-shown.sd-jwt", title.presentation.as_bytes())?;
        }
        run.keep("question.json", serde_json::json!({"nonce": question.nonce, "audience": question.audience}).to_string().as_bytes())?;
        run.evidence("The roll in which the station stands", &shown.place.roll_receipt)?;
        run.evidence("The station\u{2019}s place in the roll", &shown.place.member_receipt)?;
        run.evidence("The station\u{2019}s keys and owner", &shown.document)?;
        run.show(Block::Table {
            caption: "What the verifier knows, offline".to_owned(),
            head: vec!["What", "Found"],
            rows: vec![
                vec!["Station".into(), Cell::Code(known.station.did())],
                good("Model and serial number", format!("{}, {}", known.model, known.serial)),
                vec!["Made by".into(), Cell::Code(known.maker.did())],
                good("Maker accredited", format!("a chain of {} links, within {}, at {}", chain.len(), known.make.issued.issuance.scope.as_deref().unwrap_or("everything"), when(known.make.issued.issuance.time.get()))),
                good("Enrolled by its maker", when(known.enrolled_ms)),
                good("Maker\u{2019}s key not reported as of", known.make.key_as_of_ms.map_or("nobody asked".to_owned(), when)),
                vec!["Owned by".into(), Cell::Code(owner.did())],
                good("Title since", when(title.issued.issuance.time.get())),
                good("Neither paper revoked as of", when(known.make.status_as_of_ms.min(title.status_as_of_ms))),
                good("Key and owner as of", when(known.document_as_of_ms)),
            ],
        });
        let detail = format!(
            "{} answered {AUDIENCE} with {} of {} fields of its certificate and {} of its title; maker, register and node were not asked.",
            station.serial,
            MAKE_ASKED.len(),
            MAKE_FIELDS.len(),
            TITLE_ASKED.len()
        );
        Ok(((), detail))
    })
}

/// The same answer with both papers signed by another key.
fn signed_by(
    scene: &Scene,
    honest: &Answer,
    key: &SigningKey,
    question: &Question,
) -> Result<Answer, ScenarioError> {
    let station = scene.station();
    let mut forged = honest.clone();
    if let (Some(make), Some(title)) = (&station.make, &station.title) {
        forged.make = scene.maker.shown(make, key, &make_fields(), question)?;
        forged.title = Some(
            scene
                .register
                .shown(title, key, &title_fields(), question)?,
        );
    }
    Ok(forged)
}

/// What a station would show if its maker had written another serial number into its certificate, by mistake or for a favour.
fn mistaken(
    run: &mut Run<'_>,
    scene: &mut Scene,
    question: &Question,
) -> Result<Answer, ScenarioError> {
    let (station, other) = (&scene.stations[0], &scene.stations[1]);
    let claims = papers::make_claims(&other.serial, &station.salt, "4.1.0");
    let (holder, frame) = (station.key().public_key(), Frame::of_names(&MAKE_FIELDS));
    let mut certificate = scene.maker.issue(&holder, claims, &frame, question.now)?;
    let claim = "The maker committed to a certificate with a serial number that is not the station\u{2019}s";
    scene.maker.commit(run, &mut [&mut certificate], claim)?;
    let key = scene.station().key();
    let make = scene
        .maker
        .shown(&certificate, key, &make_fields(), question)?;
    let honest = answer(run, scene, scene.station(), question)?;
    Ok(Answer {
        make,
        title: None,
        ..honest
    })
}

pub(super) fn refuse_forgeries(run: &mut Run<'_>, scene: &mut Scene) -> Result<(), ScenarioError> {
    run.step("refuse-forgeries", |run| {
        let question = Question::fresh(AUDIENCE);
        let mistaken = mistaken(run, scene, &question)?;
        let scene = &*scene;
        let (station, other) = (scene.station(), &scene.stations[1]);
        let network = run.client().network().clone();
        let honest = answer(run, scene, station, &question)?;
        accepted("the untouched answer", judge(&honest, &question, &network))?;
        let neighbour = answer(run, scene, other, &question)?;
        accepted("the neighbour\u{2019}s answer", judge(&neighbour, &question, &network))?;
        let mut rows = Vec::new();
        let mut expect = |what: &str, code: &str, answer: &Answer, question: &Question| {
            rows.push(refused(what, code, judge(answer, question, &network))?);
            Ok::<_, ScenarioError>(())
        };
        let copied = signed_by(scene, &honest, &random::key(), &question)?;
        expect("A copy with the station\u{2019}s papers and a key of its own", "credential.holder-key-wrong", &copied, &question)?;
        expect("A recorded answer, played again", "credential.nonce", &honest, &Question { nonce: Question::fresh(AUDIENCE).nonce, ..question.clone() })?;
        expect("An answer meant for another verifier", "credential.audience", &honest, &Question { audience: "https://grid.example", ..question.clone() })?;
        let mixed = Answer { title: neighbour.title.clone(), ..honest.clone() };
        expect("Two stations that answer as one", "machine.other-device", &mixed, &question)?;
        let mut bare = honest.clone();
        if let Some(make) = &station.make {
            bare.make = scene.maker.shown(make, station.key(), &make_fields()[..2], &question)?;
        }
        expect("Without its serial number", "credential.claim-missing", &bare, &question)?;
        expect("With a certificate of another serial number", "machine.other-serial", &mistaken, &question)?;
        let mut unlisted = honest.clone();
        if let Some(make) = scene.stations.last().and_then(|last| last.make.as_ref()) {
            // The fleet begins in one shard of the list and ends in the next.
            unlisted.make.status = scene.maker.lists.proof(make.number);
        }
        expect("With the status of other certificates", "paper.status-not-published", &unlisted, &question)?;
        let mut moved = honest.clone();
        moved.place.index += 1;
        expect("With another place in the roll", "machine.not-enrolled", &moved, &question)?;
        let elsewhere = Answer { document: neighbour.document.clone(), ..honest.clone() };
        expect("With the document of another station", "paper.receipt-of-another", &elsewhere, &question)?;
        let mut foreign = network.clone();
        foreign.key = SigningKey::from_seed(Suite::Ed25519, &[7; 32])
            .map_err(|error| ScenarioError::broken("a key", error.to_string()))?
            .public()
            .clone();
        rows.push(refused("Under another network\u{2019}s key", "trust.receipt", judge(&honest, &question, &foreign))?);
        rows.push(other_maker(run, scene, &honest, &question)?);
        rows.extend(refused_by_the_register(run, scene)?);
        let count = rows.len();
        show_refusals(run, "Forged, copied and borrowed", rows);
        Ok(((), format!("{count} forgeries were refused, each by its own rule; three of them by the register, on record.")))
    })
}

/// A copyist enrols a genuine station's public key in a roll of its own, which anybody can do.
fn other_maker(
    run: &mut Run<'_>,
    scene: &Scene,
    honest: &Answer,
    question: &Question,
) -> Result<Vec<Cell>, ScenarioError> {
    let (copyist, station) = (&scene.parties.copyist, scene.station());
    let record = roll::record(station.key(), &station.salt, &station.serial);
    let claim = "A copyist enrolled somebody else\u{2019}s station in a roll of its own";
    let (roll, _) = Roll::enrol(run, copyist, vec![record], claim)?;
    let mut forged = honest.clone();
    forged.place = papers::place(run, &roll, 0)?;
    let verdict = judge(&forged, question, run.client().network());
    refused(
        "With a roll into which a copyist wrote the station\u{2019}s key",
        "machine.other-maker",
        verdict,
    )
}

/// What the registers refuse of a copyist.
fn refused_by_the_register(
    run: &mut Run<'_>,
    scene: &Scene,
) -> Result<Vec<Vec<Cell>>, ScenarioError> {
    let (copyist, roll) = (&scene.parties.copyist, &scene.roll);
    let unclaimed = scene.stations.len() as u64 + scene.station().index;
    let mut rows = Vec::new();
    let forged = Office::with_first_key(run, "A forged station", random::key());
    let body = roll.member_body(unclaimed, Some(forged.party.key()))?;
    let done = attempt(run, &forged, &[], "identity", &[("member.claim", body)])?;
    let what = "A forged station claims a real one\u{2019}s place";
    rows.push(refused(what, "identity.member.other-key", outcome(&done))?);
    prove(run, &done, &format!("{what}: on record as refused"))?;

    let forged = Office::with_first_key(run, "Another forged station", random::key());
    let record = roll::record(forged.party.key(), &random::bytes(), "FSW-2026-99999");
    let (_, path) = roll.place(unclaimed)?;
    let body = roll.body_of(unclaimed, &record, &path, Some(forged.party.key()));
    let done = attempt(run, &forged, &[], "identity", &[("member.claim", body)])?;
    let what = "A forged station claims a place with a record of its own";
    rows.push(refused(
        what,
        "identity.member.not-enrolled",
        outcome(&done),
    )?);
    prove(run, &done, &format!("{what}: on record as refused"))?;

    let kid = copyist.party.key().public().kid();
    let body = commit_body(&random::bytes(), 1, MAKE_VCT, &kid, MAKERS);
    let done = attempt(
        run,
        copyist,
        &[],
        "credential",
        &[("issuance.commit", body)],
    )?;
    let what = "A copyist commits to certificates of its own";
    rows.push(refused(
        what,
        "credential.issuance.not-accredited",
        outcome(&done),
    )?);
    prove(run, &done, &format!("{what}: on record as refused"))?;
    Ok(rows)
}

pub(super) fn verify_fleet(
    run: &mut Run<'_>,
    scene: &Scene,
    measured: &mut Measured,
) -> Result<(), ScenarioError> {
    run.step("verify-fleet", |run| {
        let network = run.client().network().clone();
        let question = Question::fresh(AUDIENCE);
        let count = scene.stations.len();
        let mut seen = std::collections::BTreeSet::new();
        for (place, station) in scene.stations.iter().enumerate() {
            run.at(place, count);
            let shown = answer(run, scene, station, &question)?;
            let begin = Instant::now();
            let verdict = judge(&shown, &question, &network);
            measured.verifying.push(begin.elapsed());
            measured.answers.push(shown.bytes());
            seen.insert(accepted("each station", verdict)?.station);
        }
        run.check(seen.len() == count, "as many stations as answered", || seen.len().to_string())?;
        Ok(((), format!("All {count} stations verify, each with its own key, its own place in the roll and its own title.")))
    })
}
