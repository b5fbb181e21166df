//! The file of a transfer: all that a verifier needs, and how each part of it comes about.

use serde::Serialize;
use serde_json::Value as Json;
use stele_client::Final;
use stele_core::cbor::BodyBuilder;
use stele_core::id::{Hash, sha256};
use stele_core::suite::SigningKey;
use stele_credentials::Refusal;
use stele_credentials::education::ects::{
    GradeTable, LearningAgreement, TranscriptOfRecords, recognise,
};
use stele_credentials::education::model::DiplomaSupplement;
use stele_credentials::education::{commitment, elm};
use stele_credentials::integrity::json::jcs;
use stele_credentials::integrity::{Limits, ProofOptions, Suite, suites};
use stele_credentials::trust::{Batch, IssuanceProof, commitment as issuance_commitment};

use super::chain::{Chain, Command, attest};
use super::papers::{self, Agreed, DECISION_TYPE, Decision, PublishedTable, TRANSCRIPT_TYPE};
use super::parties::University;
use super::state::document_key;
use crate::frame::{Run, ScenarioError};
use crate::kit::{Office, now_s, random, receipt_of_state};

/// A paper that parties signed on the chain by its salted commitment.
#[derive(Debug, Clone)]
pub(super) struct Attested {
    /// Canonical JSON (RFC 8785).
    pub paper: String,
    pub salt: [u8; 16],
    /// A receipt of `document/<commitment>`.
    pub receipt: Vec<u8>,
}

/// A paper that an accredited university committed to.
#[derive(Debug, Clone)]
pub(super) struct Certified {
    /// JSON.
    pub paper: String,
    /// The university's key, a COSE_Key; the proof names it by its id.
    pub key: Vec<u8>,
    /// The proof of issuance.
    pub proof: Vec<u8>,
}

/// Everything that the student carries. None of it has to be fetched.
#[derive(Debug, Clone)]
pub(super) struct TransferFile {
    /// The learning agreement and its changes, oldest first.
    pub agreements: Vec<Attested>,
    /// The tables of the sending and of the receiving university.
    pub tables: [Attested; 2],
    pub transcript: Certified,
    pub decision: Certified,
}

impl TransferFile {
    /// All that travels, in bytes.
    pub fn bytes(&self) -> usize {
        let attested = self.agreements.iter().chain(&self.tables);
        let attested = attested.map(|part| part.paper.len() + part.salt.len() + part.receipt.len());
        let certified = [&self.transcript, &self.decision];
        let certified = certified.map(|part| part.paper.len() + part.key.len() + part.proof.len());
        attested.sum::<usize>() + certified.iter().sum::<usize>()
    }
}

impl TransferFile {
    /// How many parts it has: papers, salts, receipts, keys and proofs.
    pub fn parts(&self) -> usize {
        3 * (self.agreements.len() + self.tables.len()) + 6
    }

    /// Changes the bytes of one part.
    pub fn change(&mut self, part: usize, change: impl FnOnce(&mut [u8])) {
        let attested = self.agreements.iter_mut().chain(&mut self.tables);
        let mut attested: Vec<&mut Attested> = attested.collect();
        if let Some(paper) = attested.get_mut(part / 3) {
            match part % 3 {
                0 => change_text(&mut paper.paper, change),
                1 => change(&mut paper.salt),
                _ => change(&mut paper.receipt),
            }
            return;
        }
        let part = part - 3 * attested.len();
        let paper = match part / 3 {
            0 => &mut self.transcript,
            _ => &mut self.decision,
        };
        match part % 3 {
            0 => change_text(&mut paper.paper, change),
            1 => change(&mut paper.key),
            _ => change(&mut paper.proof),
        }
    }
}

fn change_text(text: &mut String, change: impl FnOnce(&mut [u8])) {
    let mut bytes = std::mem::take(text).into_bytes();
    change(&mut bytes);
    *text = String::from_utf8_lossy(&bytes).into_owned();
}

/// What a rule of the platform refused although it should not.
pub(super) fn failed(refusal: Refusal) -> ScenarioError {
    ScenarioError::broken("a paper to be made", refusal.to_string())
}

fn value(paper: &impl Serialize) -> Result<Json, ScenarioError> {
    serde_json::to_value(paper).map_err(|error| ScenarioError::broken("a paper", error.to_string()))
}

impl Attested {
    /// A paper with a fresh salt, without a receipt yet.
    pub fn new(paper: &impl Serialize) -> Result<Self, ScenarioError> {
        Ok(Self {
            paper: jcs(&value(paper)?).map_err(failed)?,
            salt: random::bytes(),
            receipt: Vec::new(),
        })
    }

    /// What the chain gets of it.
    pub fn commitment(&self) -> Result<[u8; 32], ScenarioError> {
        let value: Json = serde_json::from_str(&self.paper)
            .map_err(|error| ScenarioError::broken("a paper", error.to_string()))?;
        commitment(&self.salt, &value).map_err(failed)
    }

    /// The command that signs it.
    pub fn command(&self, kind: &str, replaces: Option<&Self>) -> Result<Command, ScenarioError> {
        let old = replaces.map(Self::commitment).transpose()?;
        Ok(attest(kind, &self.commitment()?, old.as_ref()))
    }

    /// Fetches a receipt of how it stands now.
    pub fn refresh(&mut self, run: &Run<'_>) -> Result<(), ScenarioError> {
        let key = document_key(&self.commitment()?);
        self.receipt = receipt_of_state(run, "credential", &key)?.0;
        Ok(())
    }
}

/// The command that commits to one paper, the salt, and the root.
pub(super) fn commit_one(
    key: &SigningKey,
    kind: &str,
    scope: &str,
    signed: &[u8],
) -> (Command, [u8; 32], [u8; 32]) {
    let salt = random::bytes();
    let mut tree = Batch::new();
    tree.push(&issuance_commitment(&salt, signed));
    let root = tree.root();
    let body = BodyBuilder::new()
        .bytes("root", &root)
        .uint("count", 1)
        .text("type", kind)
        .bytes("issuing_kid", key.public().kid().as_bytes())
        .text("scope", scope);
    let command = ("credential", "issuance.commit", body.build());
    (command, salt, root)
}

/// A university commits to a paper, whose proof the student gets.
fn certify(
    run: &mut Run<'_>,
    chain: &mut Chain,
    university: &University,
    kind: &str,
    paper: &Json,
) -> Result<(Certified, Final), ScenarioError> {
    let paper = jcs(paper).map_err(failed)?;
    let (office, scope) = (&university.office, university.scope);
    let key = office.party.key();
    let (command, salt, root) = commit_one(key, kind, scope, paper.as_bytes());
    let done = chain.apply(run, office, &[], command)?;
    let [state_key, _] = IssuanceProof::state_keys(&office.party.id(), &root, &key.public().kid());
    let (receipt, _) = receipt_of_state(run, "credential", &state_key)?;
    let proof = IssuanceProof {
        salt,
        index: 0,
        path: Vec::new(),
        receipt,
    };
    let certified = Certified {
        paper,
        key: key.public().to_cose_key(),
        proof: proof.encode(),
    };
    Ok((certified, done))
}

/// Student and both universities sign an agreement, or a change of one.
pub(super) fn agree(
    run: &mut Run<'_>,
    chain: &mut Chain,
    [sending, receiving, student]: [&Office; 3],
    agreed: &Agreed,
    replaces: Option<&Attested>,
) -> Result<(Attested, Final), ScenarioError> {
    let attested = Attested::new(agreed)?;
    let command = attested.command(papers::AGREEMENT_KIND, replaces)?;
    let cosigners = [student.party.key(), receiving.party.key()];
    let done = chain.apply(run, sending, &cosigners, command)?;
    Ok((attested, done))
}

/// Signs a transcript as a credential of the European Learning Model and commits to it.
pub(super) fn certify_transcript(
    run: &mut Run<'_>,
    chain: &mut Chain,
    university: &University,
    transcript: &DiplomaSupplement,
) -> Result<(Certified, Json, Final), ScenarioError> {
    let key = university.office.party.key();
    let method = format!("{}#{}", university.office.did(), key.public().kid());
    let now = i64::try_from(now_s()).unwrap_or(i64::MAX);
    let signed = suites::sign(
        &elm::credential(transcript),
        Suite::EddsaRdfc2022,
        &ProofOptions::assertion(method, now),
        key,
        &Limits::default(),
    )
    .map_err(failed)?;
    let (certified, done) = certify(run, chain, university, TRANSCRIPT_TYPE, &signed)?;
    Ok((certified, signed, done))
}

/// What a decision rests on.
pub(super) struct Sources<'a> {
    pub agreement: (&'a LearningAgreement, &'a Attested),
    pub transcript: (&'a DiplomaSupplement, &'a Certified),
    pub sending: (&'a PublishedTable, &'a Attested),
    pub receiving: (&'a PublishedTable, &'a Attested),
}

impl Sources<'_> {
    /// The decision that follows from them.
    pub fn decide(&self) -> Result<Decision, ScenarioError> {
        let agreement = self.agreement.0;
        let table = self.sending.0;
        let transcript = records(agreement, self.transcript.0, &self.receiving.0.table);
        let decided = papers::now();
        let decision = recognise(
            agreement,
            &transcript,
            table.table.clone(),
            table.convention,
            &decided,
        )
        .map_err(failed)?;
        let hex = |attested: &Attested| Ok(Hash::from_bytes(attested.commitment()?).to_string());
        let transcript = sha256(&[self.transcript.1.paper.as_bytes()]);
        Ok(Decision {
            agreement: hex(self.agreement.1)?,
            sending_table: hex(self.sending.1)?,
            receiving_table: hex(self.receiving.1)?,
            transcript: Hash::from_bytes(transcript).to_string(),
            decision,
        })
    }
}

fn records(
    agreement: &LearningAgreement,
    transcript: &DiplomaSupplement,
    table: &GradeTable,
) -> TranscriptOfRecords {
    TranscriptOfRecords {
        agreement: agreement.id.clone(),
        student: transcript.student.id.clone(),
        issuer: transcript.issuer.clone(),
        issued: transcript.issued.clone(),
        courses: transcript.courses.clone(),
        table: table.clone(),
    }
}

/// A university commits to a decision, whatever it says.
pub(super) fn certify_decision(
    run: &mut Run<'_>,
    chain: &mut Chain,
    university: &University,
    decision: &Decision,
) -> Result<(Certified, Final), ScenarioError> {
    certify(run, chain, university, DECISION_TYPE, &value(decision)?)
}
