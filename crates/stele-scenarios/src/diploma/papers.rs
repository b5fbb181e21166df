//! The diplomas: what they say, and who holds them.

use std::time::Instant;

use serde_json::{Map, Value as Json, json};
use stele_core::suite::SigningKey;
use stele_credentials::Refusal;
use stele_credentials::did::jwk;
use stele_credentials::jose::Signer as _;
use stele_credentials::sd_jwt::{Frame, Issuance};

use super::offices::Offices;
use super::status::{FIRST_NUMBER, Lists};
use super::{Measured, figures};
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::random::{self, System};

/// Diplomas of this year.
pub(super) const GRADUATES: usize = 200;
/// The kind of credential.
pub(super) const VCT: &str = "https://letters.example/vct/diploma";
/// The claims that a graduate may keep back: all.
pub(super) const FIELDS: [&str; 10] = [
    "given_name",
    "family_name",
    "birthdate",
    "degree",
    "field",
    "eqf_level",
    "ects",
    "grade",
    "graduated",
    "thesis",
];

const GIVEN: [&str; 8] = [
    "Ada", "Bela", "Cleo", "Dano", "Edda", "Faro", "Gesa", "Hugo",
];
const SUBJECTS: [&str; 5] = [
    "Comparative Literature",
    "Latin",
    "Linguistics",
    "History of Printing",
    "Translation",
];
const GRADES: [&str; 4] = ["excellent", "very good", "good", "satisfactory"];

/// A graduate with a key that nobody else knows of, and what they keep.
pub(super) struct Wallet {
    pub number: u64,
    pub name: String,
    pub key: SigningKey,
    /// The SD-JWT with all disclosures.
    pub credential: String,
    pub salt: [u8; 32],
    /// The proof of issuance; empty until the faculty handed it over.
    pub proof: Vec<u8>,
}

impl Wallet {
    /// What the issuer signed and the holder cannot change.
    pub fn signed(&self) -> &str {
        signed_part(&self.credential)
    }
}

/// The JWT of a credential or presentation, without disclosures and key binding.
pub(super) fn signed_part(text: &str) -> &str {
    text.split('~').next().unwrap_or_default()
}

/// Numbers that follow from a run's seed (SplitMix64).
pub(super) struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

fn claims(numbers: &mut Numbers, number: u64) -> Map<String, Json> {
    let subject = SUBJECTS[numbers.below(SUBJECTS.len())];
    let master = numbers.below(3) == 0;
    let claims = json!({
        "given_name": format!("Fictional {}", GIVEN[numbers.below(GIVEN.len())]),
        "family_name": format!("Example-{number}"),
        "birthdate": format!("{}-{:02}-{:02}", 1998 + numbers.below(7), 1 + numbers.below(12), 1 + numbers.below(28)),
        "degree": if master { "Master of Arts" } else { "Bachelor of Arts" },
        "field": subject,
        "eqf_level": if master { 7 } else { 6 },
        "ects": if master { 120 } else { 180 },
        "grade": GRADES[numbers.below(GRADES.len())],
        "graduated": "2026-09-30",
        "thesis": format!("On {subject} in the fictional town of Example-{number}"),
    });
    match claims {
        Json::Object(claims) => claims,
        _ => Map::new(),
    }
}

/// Signs a diploma of the faculty, with whatever issue date.
pub(super) fn sign(
    offices: &Offices,
    lists: &Lists,
    holder: &SigningKey,
    number: u64,
    issued_at: u64,
    claims: Map<String, Json>,
) -> Result<String, Refusal> {
    let issuer = offices.faculty.party.id().did();
    let holder = holder.public_key();
    let status = lists.reference(number);
    let issuance = Issuance {
        vct: VCT,
        issuer: Some(&issuer),
        key_id: None,
        issued_at,
        not_before: None,
        expires_at: None,
        holder: Some(&holder),
        status: Some(&status),
    };
    issuance.issue(
        claims,
        &Frame::of_names(&FIELDS),
        offices.issuing.party.key(),
        &mut System,
    )
}

/// A forged diploma for whoever holds the stolen key.
pub(super) fn forge(
    offices: &Offices,
    lists: &Lists,
    number: u64,
    issued_at: u64,
) -> Result<(SigningKey, String), Refusal> {
    let holder = random::phone_key();
    let mut claims = claims(&mut Numbers(number), number);
    claims.insert("family_name".to_owned(), "Forger".into());
    let text = sign(offices, lists, &holder, number, issued_at, claims)?;
    Ok((holder, text))
}

pub(super) fn issue(
    run: &mut Run<'_>,
    offices: &Offices,
    lists: &Lists,
    measured: &mut Measured,
) -> Result<Vec<Wallet>, ScenarioError> {
    run.step("issue-diplomas", |run| {
        run.describe_input(format!("{GRADUATES} fictional graduates, generated"));
        let mut numbers = Numbers(run.seed());
        let mut wallets = Vec::with_capacity(GRADUATES);
        for place in 0..GRADUATES {
            if place % 50 == 0 {
                run.at(place, GRADUATES);
            }
            let number = FIRST_NUMBER + place as u64;
            let claims = claims(&mut numbers, number);
            let name = format!("{} {}", claims["given_name"].as_str().unwrap_or_default(), claims["family_name"].as_str().unwrap_or_default());
            let key = random::phone_key();
            let begin = Instant::now();
            let credential = sign(offices, lists, &key, number, figures::now_s(), claims);
            measured.issuing += begin.elapsed();
            let credential = credential.map_err(|refusal| ScenarioError::broken("a diploma", refusal.to_string()))?;
            wallets.push(Wallet { number, name, key, credential, salt: random::bytes(), proof: Vec::new() });
        }
        measured.issued = wallets.len();
        measured.credentials = wallets.iter().map(|wallet| wallet.credential.len()).collect();
        let rows = wallets.iter().take(3).map(|wallet| {
            let did = jwk::did_of(&wallet.key.public_key()).to_string();
            vec![wallet.number.to_string().into(), wallet.name.as_str().into(), Cell::Code(format!("{}\u{2026}", &did[..48.min(did.len())]))]
        });
        run.show(Block::Table {
            caption: "The first three of them; each graduate has a key for this diploma alone, which no ledger sees".to_owned(),
            head: vec!["Number", "Graduate", "Key"],
            rows: rows.collect(),
        });
        if let Some(first) = wallets.first() {
            run.keep("first-diploma.sd-jwt", first.credential.as_bytes())?;
            let key = offices.issuing.party.key().public_key().to_jwk();
            run.keep("issuer.jwk.json", key.to_string().as_bytes())?;
        }
        let detail = format!("{GRADUATES} diplomas with ten fields each, all of which a graduate may keep back, bound to {GRADUATES} did:jwk.");
        Ok((wallets, detail))
    })
}
