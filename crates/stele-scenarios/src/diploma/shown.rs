//! What a graduate shows, and what a verifier asks.

use stele_credentials::sd_jwt::{Binding, ClaimPath, Held};

use super::offices::SCOPE_ASKED;
use super::papers::Wallet;
use super::status::Lists;
use super::{Scene, figures};
use crate::frame::ScenarioError;

/// The verifier, an employer.
pub(super) const AUDIENCE: &str = "https://employer.example";
/// The two fields that it asks for.
pub(super) const ASKED: [&str; 2] = ["degree", "field"];

/// A shard of the status list, its path, and the receipt of the list's root.
#[derive(Debug, Clone)]
pub(super) struct StatusProof {
    pub shard: String,
    pub path: Vec<[u8; 32]>,
    pub receipt: Vec<u8>,
}

/// Everything that the holder hands over. None of it has to be fetched.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// The issuer's JWT, the chosen disclosures, and the holder's signature over nonce and audience.
    pub presentation: String,
    /// The key that signed it, a COSE_Key; the proof of issuance names it by its id.
    pub issuer_key: Vec<u8>,
    /// The proof of issuance.
    pub proof: Vec<u8>,
    pub status: StatusProof,
    /// A receipt about reports of the issuer's key, if the holder has one.
    pub key_receipt: Option<Vec<u8>>,
}

/// What the verifier asks.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub nonce: String,
    pub audience: &'static str,
    pub required: Vec<ClaimPath>,
    pub scope: &'static str,
    /// Now, in seconds since 1970.
    pub now: u64,
}

impl Question {
    /// The employer's question with a fresh nonce.
    pub fn fresh() -> Self {
        Self {
            nonce: hex::encode(crate::kit::random::bytes::<16>()),
            audience: AUDIENCE,
            required: asked(),
            scope: SCOPE_ASKED,
            now: figures::now_s(),
        }
    }
}

pub(super) fn asked() -> Vec<ClaimPath> {
    ASKED.iter().map(|name| ClaimPath::name(name)).collect()
}

/// The answer of a graduate to a question.
pub(super) fn answer(
    scene: &Scene,
    lists: &Lists,
    wallet: &Wallet,
    question: &Question,
) -> Result<Shown, ScenarioError> {
    let refused = |refusal: stele_credentials::Refusal| {
        ScenarioError::broken("a presentation", refusal.to_string())
    };
    let binding = Binding {
        audience: question.audience,
        nonce: &question.nonce,
        issued_at: question.now,
    };
    let held = Held::parse(&wallet.credential).map_err(refused)?;
    let presentation = held
        .present(&question.required, Some((binding, &wallet.key)))
        .map_err(refused)?;
    Ok(Shown {
        presentation,
        issuer_key: scene.offices.issuing.party.key().public().to_cose_key(),
        proof: wallet.proof.clone(),
        status: lists.proof(wallet.number),
        key_receipt: None,
    })
}
