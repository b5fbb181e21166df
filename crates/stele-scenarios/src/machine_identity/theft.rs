//! The maker's key in wrong hands: what a thief can do with it, and for how long.

use stele_core::cbor::BodyBuilder;
use stele_credentials::jose::Signer as _;
use stele_credentials::sd_jwt::Frame;

use super::Scene;
use super::papers::{MAKE_FIELDS, MAKE_VCT, answer, document, make_claims, place};
use super::parties::MAKERS;
use super::roll::{self, Roll};
use super::sale::AUDIENCE;
use super::verifier::{Answer, judge, make_fields};
use crate::frame::{Run, ScenarioError};
use crate::kit::{
    Certificate, KeyReport, Office, Question, accepted, attempt, commit_body, now_s, outcome,
    prove, random, refused, sent, show_refusals, submit, when,
};

/// How much earlier than today the forger writes, in seconds: half a year.
const BACKDATED_S: u64 = 180 * 86_400;

/// A forged station with papers that the thief made for it before anybody noticed.
pub(super) struct Forgery {
    office: Office,
    roll: Roll,
    make: Certificate,
}

impl Forgery {
    /// What the forged station hands over: no title, since the register did not lose its key.
    fn answer(
        &self,
        run: &Run<'_>,
        scene: &Scene,
        question: &Question,
    ) -> Result<Answer, ScenarioError> {
        let key = self.office.party.key();
        let mut make = scene
            .maker
            .shown(&self.make, key, &make_fields(), question)?;
        make.key_receipt = Some(scene.maker.key_receipt(run)?.0);
        Ok(Answer {
            make,
            title: None,
            place: place(run, &self.roll, 0)?,
            document: document(run, &self.office)?,
        })
    }
}

/// The thief enrols and certifies a station of its own. As long as nobody reported the key, it passes: that is what reports are for.
pub(super) fn steal(run: &mut Run<'_>, scene: &mut Scene) -> Result<Forgery, ScenarioError> {
    run.step("steal-maker-key", |run| {
        let serial = scene.station().serial.clone();
        let (key, salt) = (random::key(), random::bytes());
        let record = roll::record(&key, &salt, &serial);
        let office = Office::with_first_key(run, "A forged station", key);
        let thief = scene.maker.signing.clone();
        let (roll, _) = Roll::enrol(run, &thief, vec![record], "Whoever has the maker\u{2019}s key enrolled one more station")?;
        let body = roll.member_body(0, Some(office.party.key()))?;
        submit(run, &office, &[], "identity", &[("member.claim", body)], "The forged station claimed its place in the thief\u{2019}s roll")?;
        let claims = make_claims(&serial, &salt, "4.1.0");
        let mut make = scene.maker.issue(&office.party.key().public_key(), claims, &Frame::of_names(&MAKE_FIELDS), now_s() - BACKDATED_S)?;
        scene.maker.commit(run, &mut [&mut make], "Whoever has the maker\u{2019}s key committed to one more certificate")?;
        let forgery = Forgery { office, roll, make };
        let question = Question::fresh(AUDIENCE);
        let shown = forgery.answer(run, scene, &question)?;
        accepted("the forged station, while nobody knows", judge(&shown, &question, run.client().network()))?;
        let detail = format!("A thief enrols and certifies a second {serial}, dated half a year back. While nobody has reported the key it passes as made by the maker; a title it does not get.");
        Ok((forgery, detail))
    })
}

pub(super) fn report(run: &mut Run<'_>, scene: &Scene, since_ms: u64) -> Result<(), ScenarioError> {
    run.step("report-maker-key", |run| {
        let (before, value) = scene.maker.key_receipt(run)?;
        run.check(value.is_none(), "no report yet", || "one".to_owned())?;
        run.evidence("Nobody has reported the maker\u{2019}s key", &before)?;
        let kid = scene.maker.signing.party.key().public().kid();
        let body = BodyBuilder::new()
            .bytes("kid", kid.as_bytes())
            .uint("since", since_ms)
            .text("reason", "stolen from a production line");
        let authority = &scene.parties.authority;
        let claim = format!("{} reported the maker\u{2019}s key as stolen", authority.name);
        submit(run, authority, &[], "credential", &[("key.compromised", body.build())], &claim)?;
        let (after, value) = scene.maker.key_receipt(run)?;
        let report = KeyReport::decode(value.as_deref().unwrap_or_default());
        let report = report.map_err(|error| ScenarioError::broken("a report as docs/registers/credential.md describes it", error.to_string()))?;
        let fits = report.since_ms == since_ms && report.by == authority.party.id();
        run.check(fits, "the report of the authority", || format!("{report:?}"))?;
        run.evidence("The maker\u{2019}s key is doubtful from a stated time on", &after)?;
        let question = Question::fresh(AUDIENCE);
        for station in &scene.stations[..2] {
            let mut shown = answer(run, scene, station, &question)?;
            shown.make.key_receipt = Some(after.clone());
            let known = accepted("a station from before the theft", judge(&shown, &question, run.client().network()))?;
            let committed = known.make.issued.issuance.time.get();
            run.check(committed < since_ms, "a certificate from before the theft", || committed.to_string())?;
        }
        let detail = format!("The key is doubtful from {} on. What was committed before, the renewed certificate too, stays valid.", when(since_ms));
        Ok(((), detail))
    })
}

pub(super) fn refuse(
    run: &mut Run<'_>,
    scene: &Scene,
    forgery: &Forgery,
) -> Result<(), ScenarioError> {
    run.step("refuse-stolen-key", |run| {
        let network = run.client().network().clone();
        let question = Question::fresh(AUDIENCE);
        let forged = forgery.answer(run, scene, &question)?;
        let genuine = answer(run, scene, scene.station(), &question)?;
        let mut rows = vec![refused("The forged station", "trust.key-compromised", judge(&forged, &question, &network))?];
        let mut borrowed = forged.clone();
        borrowed.make.proof = genuine.make.proof.clone();
        rows.push(refused("The same with the proof of the genuine one", "trust.not-committed", judge(&borrowed, &question, &network))?);
        let mut bare = forged;
        bare.make.proof = Vec::new();
        rows.push(refused("The same without any proof", "trust.proof-malformed", judge(&bare, &question, &network))?);

        let thief = &scene.maker.signing;
        let kid = thief.party.key().public().kid();
        let body = commit_body(&random::bytes(), 1, MAKE_VCT, &kid, MAKERS);
        let done = attempt(run, thief, &[], "credential", &[("issuance.commit", body)])?;
        rows.push(refused("The thief commits to more", "credential.issuance.compromised-key", outcome(&done))?);
        prove(run, &done, "The thief\u{2019}s next commitment is on record as refused")?;

        let maker = &scene.parties.maker;
        let body = BodyBuilder::new().bytes("kid", kid.as_bytes()).text("reason", "stolen");
        submit(run, maker, &[], "identity", &[("key.revoke", body.build())], "The maker ended the stolen key")?;
        let record = roll::record(&random::key(), &random::bytes(), "FSW-2026-99998");
        let body = BodyBuilder::new().text("kind", "device").bytes("records", &record);
        let verdict = sent(attempt(run, thief, &[], "identity", &[("roll.enrol", body.build())]))?;
        rows.push(refused("The thief enrols more", "identity.key-revoked", verdict)?);
        accepted("the genuine station under the ended key", judge(&genuine, &question, &network))?;
        let count = rows.len();
        show_refusals(run, "What the thief has of it", rows);
        let detail = format!("{count} attempts with the stolen key were refused; the genuine station answers as before, though the key that certified it has ended.");
        Ok(((), detail))
    })
}
