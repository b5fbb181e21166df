//! The citizen's phone: credentials of two registries, presented once instead of uploaded again, and an application.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Map, Value as Json, json};
use stele_client::Final;
use stele_core::cbor::BodyBuilder;
use stele_core::id::Hash;
use stele_core::suite::SigningKey;
use stele_credentials::jose::Signer as _;
use stele_credentials::sd_jwt::{ClaimPath, Frame};
use stele_services::application::fees;
use stele_services::query::{disclosed, need_of};
use stele_services::{Application, Definition, GapKind, Language, commitment, dcql, gaps, prefill};

use super::Story;
use super::commands::{Case, body, case_reference};
use super::offices::{PERSONS, Town, VEHICLES};
use super::services::Services;
use super::state::{CaseState, case_key};
use super::story::opening_of;
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{
    Certificate, Issuer, Office, Paper, PaperRule, Question, StatusLists, accepted, attempt,
    judge_paper, now_s, outcome, prove, random, receipt_of_state, when,
};

const PERSON_VCT: &str = "urn:eudi:pid:de:1";
const VEHICLE_VCT: &str = "https://vehicles.example/vct/registration";
/// The town's own name in a question.
const AUDIENCE: &str = "https://services.musterstadt.example";
/// Two to this many places in a shard of a status list.
const SHARD_BITS: u8 = 12;

/// What is known of the citizen of the story, and must not be on the chain.
pub(super) const PERSONAL: [&str; 7] = [
    "Fictional-Muster",
    "Mara-Example",
    "1990-04-17",
    "Beispielweg 7",
    "01234-Musterstadt",
    "XX-MU 4711",
    "the car is used by a neighbour",
];

/// Who issues the citizen's credentials.
pub(super) struct Registries {
    pub persons: Issuer,
    pub vehicles: Issuer,
}

pub(super) fn registries(town: &Town) -> Registries {
    let issuer = |office: &Office, vct, scope, list| {
        let lists = StatusLists::new(list, SHARD_BITS, 1 << SHARD_BITS);
        Issuer::new(office.clone(), vct, scope, lists, 1000)
    };
    Registries {
        persons: issuer(
            &town.persons,
            PERSON_VCT,
            PERSONS,
            "https://persons.example/status",
        ),
        vehicles: issuer(
            &town.vehicles,
            VEHICLE_VCT,
            VEHICLES,
            "https://vehicles.example/status",
        ),
    }
}

/// A credential with the key that it is bound to, which nothing else uses.
pub(super) struct HeldPaper {
    key: SigningKey,
    certificate: Certificate,
}

/// What the phone keeps.
pub(super) struct Wallet {
    person: HeldPaper,
    vehicle: HeldPaper,
    /// The papers of the application with their salts; the chain has commitments.
    pub papers: Vec<(String, Vec<u8>, [u8; 32])>,
}

fn object(claims: Json) -> Map<String, Json> {
    match claims {
        Json::Object(claims) => claims,
        _ => Map::new(),
    }
}

/// Frames that let the citizen keep back each claim alone.
fn frame(paths: &[&[&str]]) -> Result<Frame, ScenarioError> {
    let paths: Result<Vec<_>, _> = paths
        .iter()
        .map(|path| ClaimPath::from_json(&json!(path)))
        .collect();
    paths
        .map(|paths| Frame::new(&paths))
        .map_err(|refusal| ScenarioError::broken("a frame", refusal.to_string()))
}

pub(super) fn fill(
    run: &mut Run<'_>,
    story: &mut Story,
    registries: &mut Registries,
) -> Result<Wallet, ScenarioError> {
    run.step("fill-wallet", |run| {
        let person = object(json!({
            "given_name": PERSONAL[1], "family_name": PERSONAL[0], "birthdate": PERSONAL[2], "nationalities": ["XX"],
            "address": {"street_address": PERSONAL[3], "postal_code": PERSONAL[4], "locality": "Musterstadt", "country": "XX"},
        }));
        let vehicle = object(json!({"registration_number": PERSONAL[5], "category": "M1", "make": "Fictional Motors", "first_registered": "2021-03-01"}));
        let person_frame = frame(&[
            &["given_name"], &["family_name"], &["birthdate"], &["nationalities"],
            &["address", "street_address"], &["address", "postal_code"], &["address", "locality"], &["address", "country"],
        ])?;
        let vehicle_frame = frame(&[&["registration_number"], &["category"], &["make"], &["first_registered"]])?;
        let mut held = Vec::new();
        for (issuer, claims, frame, what) in [
            (&mut registries.persons, person, person_frame, "a personal identification"),
            (&mut registries.vehicles, vehicle, vehicle_frame, "a vehicle registration certificate"),
        ] {
            let key = random::phone_key();
            let mut certificate = issuer.issue(&key.public_key(), claims, &frame, now_s())?;
            let office = issuer.signing.name.clone();
            let done = issuer.commit(run, &mut [&mut certificate], &format!("{office} committed to {what}"))?;
            story.entries.push(done.entry_id);
            let done = issuer.lists.publish(run, &issuer.signing, &format!("{office} published the status of its credentials"))?;
            story.entries.push(done.entry_id);
            held.push(HeldPaper { key, certificate });
        }
        let (Some(vehicle), Some(person)) = (held.pop(), held.pop()) else {
            return Err(ScenarioError::broken("two credentials", "fewer"));
        };
        let wallet = Wallet { person, vehicle, papers: Vec::new() };
        Ok((wallet, "Two registries issued a personal identification and a vehicle registration, bound to two keys of the phone and committed to by salted hashes.".to_owned()))
    })
}

/// What the wallet shows for one entry of the query, if it holds such a credential: exactly the claims that are asked for.
fn present(
    registries: &Registries,
    wallet: &Wallet,
    asked: &Json,
    question: &Question,
) -> Result<Option<Paper>, ScenarioError> {
    let wants = |vct: &str| {
        let types = asked["meta"]["vct_values"].as_array();
        asked["format"] == "dc+sd-jwt"
            && types.is_some_and(|types| types.iter().any(|one| one == vct))
    };
    let (issuer, held) = if wants(PERSON_VCT) {
        (&registries.persons, &wallet.person)
    } else if wants(VEHICLE_VCT) {
        (&registries.vehicles, &wallet.vehicle)
    } else {
        return Ok(None);
    };
    let fields = paths(asked)?;
    let paper = issuer.shown(&held.certificate, &held.key, &fields, question)?;
    Ok(Some(paper))
}

/// The paths of claims that an entry of the query names.
fn paths(asked: &Json) -> Result<Vec<ClaimPath>, ScenarioError> {
    let claims = asked["claims"].as_array().into_iter().flatten();
    claims
        .map(|claim| ClaimPath::from_json(&claim["path"]))
        .collect::<Result<_, _>>()
        .map_err(|refusal| ScenarioError::broken("a path in the query", refusal.to_string()))
}

/// The office's check of one presented credential, offline. Returns the need that it serves and its claims in the definition's shape.
fn receive(
    run: &Run<'_>,
    definition: &Definition,
    asked: &Json,
    paper: &Paper,
    question: &Question,
) -> Result<(String, Json), ScenarioError> {
    let id = asked["id"].as_str().unwrap_or_default();
    let need = need_of(definition, id).map_or("", |need| need.code.as_str());
    let (vct, scope) = match need {
        "identity" => (PERSON_VCT, PERSONS),
        _ => (VEHICLE_VCT, VEHICLES),
    };
    let required = paths(asked)?;
    let rule = PaperRule {
        vcts: &[vct],
        scope,
        required: &required,
        audience: question.audience,
        nonce: &question.nonce,
        now: question.now,
    };
    let found = accepted(need, judge_paper(paper, &rule, run.client().network()))?;
    disclosed(definition, id, &Json::Object(found.claims))
        .ok_or_else(|| ScenarioError::broken("a claim that the service asks for", id))
}

/// Opens a case: the applicant introduces itself with a key that is made for this case, and applies, in one entry.
pub(super) fn open_with(
    run: &mut Run<'_>,
    story: &mut Story,
    applicant: &Office,
    command: &Json,
) -> Result<Final, ScenarioError> {
    let register = BodyBuilder::new()
        .text("kind", "person")
        .bytes_list("keys", &[applicant.party.key().public().to_cose_key()]);
    let commands = [
        ("party.register", register.build()),
        ("service/case.open", body(command)),
    ];
    let done = attempt(run, applicant, &[], "identity", &commands)?;
    story.entries.push(done.entry_id);
    Ok(done)
}

pub(super) fn apply(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
    services: &Services,
    registries: &Registries,
    wallet: &mut Wallet,
) -> Result<Case, ScenarioError> {
    run.step("apply-once-only", |run| {
        let definition = &services.parking;
        // The car belongs to somebody else, who has to agree: the one thing for which there is no credential.
        let answers = object(json!({"zone": "a", "duration": "year", "keeper": "other"}));
        let query = dcql(definition, &answers).ok_or_else(|| ScenarioError::broken("a query", "none"))?;
        run.keep("query.json", query.to_string().as_bytes())?;
        let question = Question::fresh(AUDIENCE);
        let mut credentials = BTreeMap::new();
        let (mut shown, mut rows) = (Vec::new(), Vec::new());
        for asked in query["credentials"].as_array().into_iter().flatten() {
            let Some(paper) = present(registries, wallet, asked, &question)? else {
                continue;
            };
            let begin = Instant::now();
            let (need, claims) = receive(run, definition, asked, &paper, &question)?;
            story.checking.push(begin.elapsed());
            rows.push(vec![need.as_str().into(), Cell::Good(claims.to_string())]);
            shown.push((format!("shown-{need}.sd-jwt"), paper.presentation.into_bytes()));
            credentials.insert(need, claims);
        }
        run.check(credentials.len() == 2, "both credentials to be presented", || credentials.len().to_string())?;
        let filled = prefill(definition, &credentials);
        run.check(filled.len() == 2, "street and number plate to be filled in by credentials", || format!("{filled:?}"))?;
        let mut application = Application { credentials, answers, ..Application::default() };
        let missing = gaps(definition, &application);
        let one = missing.len() == 1 && missing[0].kind == GapKind::Missing && missing[0].code == "keeper-consent";
        run.check(one, "the keeper\u{2019}s consent alone to be missing", || format!("{missing:?}"))?;
        application.answers.extend(filled);
        run.show(Block::Table { caption: "What the office received of the citizen\u{2019}s credentials; it stays with the office".to_owned(), head: vec!["Credential", "Claims"], rows });

        let paper = json!({"answers": application.answers, "fees": fees(definition, &application.answers)}).to_string();
        shown.insert(0, ("application.json".to_owned(), paper.into_bytes()));
        let mut commitments = Vec::new();
        for (name, bytes) in shown {
            let salt = random::bytes();
            commitments.push(commitment(&salt, &bytes));
            wallet.papers.push((name, bytes, salt));
        }
        let asked = json!({"nonce": question.nonce, "audience": question.audience});
        run.keep("question.json", asked.to_string().as_bytes())?;
        for (name, issuer) in [("persons", &registries.persons), ("vehicles", &registries.vehicles)] {
            let key = issuer.signing.party.key().public_key().to_jwk();
            run.keep(&format!("{name}.jwk.json"), key.to_string().as_bytes())?;
        }
        let applicant = Office::new(run, "The citizen");
        let case_id = random::bytes();
        let command = opening_of(definition, &town.town, Some(&town.citizens_office), &case_id, &commitments);
        let done = open_with(run, story, &applicant, &command)?;
        accepted("the application", outcome(&done))?;
        prove(run, &done, "The citizen\u{2019}s application was received, with commitments in place of papers")?;
        let case = Case { reference: case_reference(&applicant.party.id(), &case_id), applicant, entries: vec![done.entry_id] };
        keep_papers(run, wallet, &commitments)?;

        let (receipt, value) = receipt_of_state(run, "service", &case_key(&case.reference))?;
        let state = CaseState::decode(value.as_deref().unwrap_or_default()).map_err(|error| ScenarioError::broken("a case as docs/registers/service.md describes it", error.to_string()))?;
        let fits = state.opened_ms == done.time_ms && state.office == town.citizens_office.party.id() && state.status == "open";
        run.check(fits, "an open case with the time of its block", || format!("{state:?}"))?;
        run.evidence("The case is open, with the time of receipt and the office that handles it", &receipt)?;
        let detail = format!(
            "Two credentials and three answers, no upload: two fields were filled in by themselves. Received in block {} at {}. The phone warned: {}",
            done.height,
            when(done.time_ms),
            missing[0].sentence(Language::En)
        );
        Ok((case, detail))
    })
}

/// Keeps the application and what opens its commitments, as the phone does.
fn keep_papers(
    run: &mut Run<'_>,
    wallet: &Wallet,
    commitments: &[Hash],
) -> Result<(), ScenarioError> {
    let mut list = Vec::new();
    for ((name, bytes, salt), commitment) in wallet.papers.iter().zip(commitments) {
        run.keep(name, bytes)?;
        list.push(
            json!({"paper": name, "salt": hex::encode(salt), "commitment": commitment.to_string()}),
        );
    }
    run.keep("papers.json", Json::from(list).to_string().as_bytes())
}
