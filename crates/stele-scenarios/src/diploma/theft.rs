//! The faculty's key in wrong hands: what a thief can do with it, and for how long.

use stele_core::suite::SigningKey;
use stele_credentials::Refusal;
use stele_credentials::trust::{Batch, IssuanceProof, commitment};

use super::Scene;
use super::commitment::commit_body;
use super::incidents::{key_receipt, outcome};
use super::offices::{SCOPE, attempt, prove, submit};
use super::papers;
use super::present::{accepted, graduate, present, refused, show_refusals};
use super::shown::{Question, Shown, answer, asked};
use super::status::Lists;
use super::verifier::judge;
use crate::frame::{Run, ScenarioError};
use crate::kit::random;

/// How much earlier than today the forger writes, in seconds: a year.
const BACKDATED_S: u64 = 365 * 86_400;

/// A forged diploma that the thief committed to before anybody noticed.
pub(super) struct Forgery {
    holder: SigningKey,
    text: String,
    proof: Vec<u8>,
}

fn failed(refusal: Refusal) -> ScenarioError {
    ScenarioError::broken("a forgery to test", refusal.to_string())
}

impl Forgery {
    fn shown(&self, honest: &Shown, question: &Question) -> Result<Shown, ScenarioError> {
        Ok(Shown {
            presentation: present(&self.text, &self.holder, &asked(), question)?,
            proof: self.proof.clone(),
            ..honest.clone()
        })
    }
}

/// The thief forges a diploma with an early date and commits to it. As long as nobody reported the key, it passes: that is what
/// reports are for.
pub(super) fn steal(
    run: &mut Run<'_>,
    scene: &Scene,
    lists: &Lists,
) -> Result<Forgery, ScenarioError> {
    run.step("steal-key", |run| {
        let offices = &scene.offices;
        let wallet = graduate(scene)?;
        let question = Question::fresh();
        let (holder, text) = papers::forge(offices, lists, wallet.number, question.now - BACKDATED_S).map_err(failed)?;
        let salt = random::bytes();
        let mut tree = Batch::new();
        tree.push(&commitment(&salt, papers::signed_part(&text).as_bytes()));
        let kid = offices.issuing.party.key().public().kid();
        let command = ("issuance.commit", commit_body(&tree.root(), 1, &kid, SCOPE));
        submit(run, &offices.issuing, &[], "credential", command, "Whoever has the faculty\u{2019}s key committed to one more diploma")?;
        let [key, _] = IssuanceProof::state_keys(&offices.faculty.party.id(), &tree.root(), &kid);
        let (receipt, _) = run
            .client()
            .verified_state("credential", &key)
            .map_err(ScenarioError::client("reading the receipt of the forged batch"))?;
        let proof = IssuanceProof { salt, index: 0, path: Vec::new(), receipt }.encode();
        let forgery = Forgery { holder, text, proof };
        let shown = forgery.shown(&answer(scene, lists, wallet, &question)?, &question)?;
        let shown = Shown { key_receipt: Some(key_receipt(run, scene)?.0), ..shown };
        accepted("the forgery, while nobody knows", judge(&shown, &question, run.client().network()))?;
        let detail = "A thief signs a diploma dated a year back and commits to it under the faculty\u{2019}s name. While nobody has reported the key it passes.";
        Ok((forgery, detail.to_owned()))
    })
}

pub(super) fn refuse_forgeries(
    run: &mut Run<'_>,
    scene: &Scene,
    lists: &Lists,
    forgery: &Forgery,
) -> Result<(), ScenarioError> {
    run.step("refuse-forgeries", |run| {
        let offices = &scene.offices;
        let network = run.client().network().clone();
        let question = Question::fresh();
        let honest = answer(scene, lists, graduate(scene)?, &question)?;
        let forged = Shown { key_receipt: Some(key_receipt(run, scene)?.0), ..forgery.shown(&honest, &question)? };
        let mut rows = Vec::new();
        let mut expect = |what: &str, code: &str, shown: &Shown| {
            rows.push(refused(what, code, judge(shown, &question, &network))?);
            Ok::<_, ScenarioError>(())
        };
        expect("The forgery that was committed to after the theft", "trust.key-compromised", &forged)?;
        // The forgery is well signed and says that it is a year old: only the commitment tells it from a diploma.
        let borrowed = Shown { proof: honest.proof.clone(), ..forged.clone() };
        expect("The same, dated a year back, with the proof of a real diploma", "trust.not-committed", &borrowed)?;
        let bare = Shown { proof: Vec::new(), ..forged };
        expect("The same without any proof", "trust.proof-malformed", &bare)?;
        let kid = offices.issuing.party.key().public().kid();
        let command = ("issuance.commit", commit_body(&random::bytes(), 1, &kid, SCOPE));
        let done = attempt(run, &offices.issuing, &[], "credential", command)?;
        rows.push(refused("The thief commits to more", "credential.issuance.compromised-key", outcome(&done))?);
        prove(run, &done, "The thief\u{2019}s next commitment is on record as refused")?;
        let count = rows.len();
        show_refusals(run, "What the thief has of it", rows);
        let detail = format!(
            "{count} attempts with the stolen key were refused: a date inside a diploma counts for nothing, the time of the commitment does."
        );
        Ok(((), detail))
    })
}
