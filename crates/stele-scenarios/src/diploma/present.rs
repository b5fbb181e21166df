//! Showing two fields, and what does not pass for it.

use std::time::Instant;

use stele_core::suite::{SigningKey, Suite};
use stele_credentials::sd_jwt::{Binding, ClaimPath, Held};

use super::papers::{FIELDS, Wallet};
use super::shown::{ASKED, AUDIENCE, Question, Shown, answer};
use super::status::Lists;
use super::verifier::{Accepted, Refused, judge};
use super::{Measured, Scene, figures};
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::random;

/// The graduate of the story.
pub(super) fn graduate(scene: &Scene) -> Result<&Wallet, ScenarioError> {
    scene
        .wallets
        .first()
        .ok_or_else(|| ScenarioError::broken("a graduate", "none"))
}

/// The judgement of what a wallet answers to a fresh question.
pub(super) fn ask(
    run: &Run<'_>,
    scene: &Scene,
    lists: &Lists,
    wallet: &Wallet,
) -> Result<Result<Accepted, Refused>, ScenarioError> {
    let question = Question::fresh();
    let shown = answer(scene, lists, wallet, &question)?;
    Ok(judge(&shown, &question, run.client().network()))
}

/// What was accepted; a refusal is an error.
pub(super) fn accepted(
    what: &str,
    verdict: Result<Accepted, Refused>,
) -> Result<Accepted, ScenarioError> {
    verdict.map_err(|refused| {
        ScenarioError::broken(
            format!("{what} to be accepted"),
            format!("{}: {}", refused.code, refused.sentence),
        )
    })
}

/// The row of a refusal by the expected rule; anything else is an error.
pub(super) fn refused<T>(
    what: &str,
    code: &str,
    verdict: Result<T, Refused>,
) -> Result<Vec<Cell>, ScenarioError> {
    match verdict {
        Err(refused) if refused.code == code => Ok(vec![
            what.into(),
            Cell::Code(refused.code),
            Cell::Bad(refused.sentence),
        ]),
        Err(refused) => Err(ScenarioError::broken(
            format!("{what} to be refused by {code}"),
            refused.code,
        )),
        Ok(_) => Err(ScenarioError::broken(
            format!("{what} to be refused by {code}"),
            "it was accepted",
        )),
    }
}

/// Shows refusals on the page.
pub(super) fn show_refusals(run: &mut Run<'_>, caption: &str, rows: Vec<Vec<Cell>>) {
    run.show(Block::Table {
        caption: caption.to_owned(),
        head: vec!["What was tried", "Code", "What the clerk reads"],
        rows,
    });
}

pub(super) fn two_fields(
    run: &mut Run<'_>,
    scene: &Scene,
    lists: &Lists,
) -> Result<(), ScenarioError> {
    run.step("present-two-fields", |run| {
        let wallet = graduate(scene)?;
        let question = Question::fresh();
        let shown = answer(scene, lists, wallet, &question)?;
        run.keep("presentation.sd-jwt", shown.presentation.as_bytes())?;
        let asked = serde_json::json!({"nonce": question.nonce, "audience": question.audience});
        run.keep("question.json", asked.to_string().as_bytes())?;
        let found = accepted("the diploma", judge(&shown, &question, run.client().network()))?;
        for field in FIELDS {
            let expected = ASKED.contains(&field);
            run.check(found.claims.contains_key(field) == expected, "exactly the two chosen fields to be shown", || field.to_owned())?;
        }
        run.check(found.issued.issuer == scene.offices.faculty.party.id(), "the faculty as issuer", || found.issued.issuer.did())?;
        run.check(found.issued.issuance.chain.len() == 3, "a chain of three accreditations", || found.issued.issuance.chain.len().to_string())?;
        run.check(found.issued.issuance.time.get() == scene.batch.time_ms, "the time of the block that took the batch", || found.issued.issuance.time.get().to_string())?;
        let mut rows: Vec<Vec<Cell>> = ASKED
            .iter()
            .map(|name| vec![format!("Shown: {name}").into(), found.claims[*name].as_str().unwrap_or_default().into()])
            .collect();
        rows.push(vec!["Issued by".into(), Cell::Code(found.issued.issuer.did())]);
        rows.push(vec!["Accredited by".into(), Cell::Good(format!("a chain of {} links, within {}", found.issued.issuance.chain.len(), found.issued.issuance.scope.as_deref().unwrap_or("everything")))]);
        rows.push(vec!["Committed to at".into(), figures::when(found.issued.issuance.time.get()).into()]);
        rows.push(vec!["Not revoked as of".into(), Cell::Good(figures::when(found.status_as_of_ms))]);
        run.show(Block::Table {
            caption: "What the employer knows, offline".to_owned(),
            head: vec!["What", "Found"],
            rows,
        });
        let detail = format!(
            "{} showed 2 of {} fields to {AUDIENCE}: signature, holder\u{2019}s key, issuance, scope and status hold; issuer and node were not asked.",
            wallet.name,
            FIELDS.len()
        );
        Ok(((), detail))
    })
}

pub(super) fn refuse_misuse(
    run: &mut Run<'_>,
    scene: &Scene,
    lists: &Lists,
) -> Result<(), ScenarioError> {
    run.step("refuse-misuse", |run| {
        let wallet = graduate(scene)?;
        let network = run.client().network().clone();
        let question = Question::fresh();
        let shown = answer(scene, lists, wallet, &question)?;
        accepted(
            "the untouched presentation",
            judge(&shown, &question, &network),
        )?;
        let mut rows = Vec::new();
        let mut expect = |what: &str, code: &str, shown: &Shown, question: &Question| {
            rows.push(refused(what, code, judge(shown, question, &network))?);
            Ok::<_, ScenarioError>(())
        };
        let elsewhere = Question {
            audience: "https://landlord.example",
            ..question.clone()
        };
        expect(
            "Passed on to a landlord",
            "credential.audience",
            &shown,
            &elsewhere,
        )?;
        let later = Question {
            nonce: Question::fresh().nonce,
            ..question.clone()
        };
        expect("Shown a second time", "credential.nonce", &shown, &later)?;
        let thief = present_with(wallet, &random::phone_key(), &question)?;
        expect(
            "Shown by who found the file",
            "credential.holder-key-wrong",
            &Shown {
                presentation: thief,
                ..shown.clone()
            },
            &question,
        )?;
        let cut = without_a_field(&shown.presentation);
        expect(
            "A field taken away on the way",
            "credential.presentation-altered",
            &Shown {
                presentation: cut,
                ..shown.clone()
            },
            &question,
        )?;
        let other = scene
            .wallets
            .last()
            .ok_or_else(|| ScenarioError::broken("a graduate", "none"))?;
        expect(
            "With the proof of another diploma",
            "trust.not-committed",
            &Shown {
                proof: other.proof.clone(),
                ..shown.clone()
            },
            &question,
        )?;
        let hospital = Question {
            scope: "XX/hospitals",
            ..question.clone()
        };
        expect(
            "For work that asks for another field",
            "trust.outside-scope",
            &shown,
            &hospital,
        )?;
        let mut elsewhere = shown.clone();
        elsewhere.status = lists.proof(other.number);
        expect(
            "With the status of another shard",
            "diploma.status-not-published",
            &elsewhere,
            &question,
        )?;
        let mut foreign = network.clone();
        foreign.key = SigningKey::from_seed(Suite::Ed25519, &[7; 32])
            .map_err(|error| ScenarioError::broken("a key", error.to_string()))?
            .public()
            .clone();
        rows.push(refused(
            "Under another network\u{2019}s key",
            "trust.receipt",
            judge(&shown, &question, &foreign),
        )?);
        let count = rows.len();
        show_refusals(run, "A good diploma, wrongly used", rows);
        Ok((
            (),
            format!("{count} wrong uses of one good diploma were refused, each by its own rule."),
        ))
    })
}

/// A presentation that another key signs.
pub(super) fn present_with(
    wallet: &Wallet,
    key: &SigningKey,
    question: &Question,
) -> Result<String, ScenarioError> {
    present(&wallet.credential, key, &question.required, question)
}

/// A presentation of any credential.
pub(super) fn present(
    credential: &str,
    key: &SigningKey,
    fields: &[ClaimPath],
    question: &Question,
) -> Result<String, ScenarioError> {
    let failed = |refusal: stele_credentials::Refusal| {
        ScenarioError::broken("a presentation", refusal.to_string())
    };
    let binding = Binding {
        audience: question.audience,
        nonce: &question.nonce,
        issued_at: question.now,
    };
    Held::parse(credential)
        .map_err(failed)?
        .present(fields, Some((binding, key)))
        .map_err(failed)
}

/// The same without its last disclosure.
fn without_a_field(presentation: &str) -> String {
    let mut parts: Vec<&str> = presentation.split('~').collect();
    if parts.len() > 2 {
        parts.remove(parts.len() - 2);
    }
    parts.join("~")
}

pub(super) fn verify_all(
    run: &mut Run<'_>,
    scene: &Scene,
    lists: &Lists,
    measured: &mut Measured,
) -> Result<(), ScenarioError> {
    run.step("verify-all", |run| {
        let network = run.client().network().clone();
        let question = Question::fresh();
        let all: Vec<Shown> = scene.wallets.iter().map(|wallet| answer(scene, lists, wallet, &question)).collect::<Result<_, _>>()?;
        for (place, shown) in all.iter().enumerate() {
            if place % 50 == 0 {
                run.at(place, all.len());
            }
            let begin = Instant::now();
            let verdict = judge(shown, &question, &network);
            measured.verifying += begin.elapsed();
            accepted("each diploma", verdict)?;
        }
        measured.verified = all.len();
        Ok(((), format!("All {} diplomas verify, each with its holder\u{2019}s signature, its own path and its own place in the status list.", all.len())))
    })
}
