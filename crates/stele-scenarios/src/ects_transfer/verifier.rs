//! The verifier: anybody with the files and the network's key. It believes neither university and converts every grade itself.

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use stele_core::id::{Hash, PartyId, sha256};
use stele_core::receipt::NetworkDescriptor;
use stele_core::suite;
use stele_credentials::education::commitment;
use stele_credentials::education::ects::{
    LearningAgreement, RecognisedCourse, TranscriptOfRecords, recognise,
};
use stele_credentials::education::model::{Course, Institution};
use stele_credentials::integrity::json::{jcs, parse};
use stele_credentials::integrity::keys::{controller_document, controller_of};
use stele_credentials::integrity::{Expectation, Limits, ProofKey, verify_credential};
use stele_credentials::jose::PublicKey;
use stele_credentials::trust::{IssuanceProof, Issued, rules};

use super::file::{Attested, Certified, TransferFile};
use super::papers::{
    AGREEMENT_KIND, Agreed, DECISION_TYPE, Decision, PublishedTable, TABLE_KIND, TENTHS,
    TRANSCRIPT_TYPE, agreed_tenths,
};
use super::state::{Document, document_key};
use crate::kit::{Refused, one_claim};

/// What the verifier wants, apart from the rules that hold for all transfers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    /// Under whose accreditation a university of each side has to stand.
    pub sending_scope: &'static str,
    pub receiving_scope: &'static str,
    /// Now, in seconds since 1970.
    pub now: u64,
}

/// What the verifier knows now.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The agreement that was in force.
    pub agreement: LearningAgreement,
    pub transcript: TranscriptOfRecords,
    /// What the verifier's own conversion gives; the decision says the same.
    pub recognised: Vec<RecognisedCourse>,
    /// Passed without being agreed.
    pub additional: Vec<String>,
    /// When transcript and decision were committed to, in milliseconds since 1970.
    pub certified_ms: u64,
    pub decided_ms: u64,
    /// When the agreement and the tables were known to be in force, in milliseconds since 1970.
    pub as_of_ms: u64,
}

macro_rules! own_rules {
    ($($name:ident: $code:literal, $sentence:literal;)*) => {
        $(fn $name() -> Refused { Refused::new($code, $sentence) })*
    };
}

own_rules! {
    unreadable: "ects.unreadable", "The paper is not what it should be: a part is missing or in the wrong form.";
    not_attested: "ects.not-attested", "This paper does not stand in the register: nobody signed it, or it was changed afterwards.";
    signer_missing: "ects.signer-missing", "Somebody who has to sign this paper has not signed it.";
    replaced: "ects.replaced", "The paper was replaced by a later one.";
    receipt_too_old: "ects.receipt-too-old", "The receipt is older than the decision and cannot say what was in force then.";
    credits: "ects.credits", "The credits are not exactly 30 ECTS.";
    other_student: "ects.other-student", "The papers belong to different students or different stays.";
    other_university: "ects.other-university", "The paper is from another university than the one that was agreed on.";
    other_source: "ects.other-source", "The decision rests on other papers than those that were shown.";
    agreement_too_late: "ects.agreement-too-late", "The agreement was signed only after the grades were known.";
    table_not_agreed: "ects.table-not-agreed", "The table of grades is not the one that the agreement names.";
    table_too_late: "ects.table-too-late", "The table of grades was published only after the grades were known.";
    decision_differs: "ects.decision-differs", "The decision does not follow from the agreement, the transcript and the published tables.";
}

/// The value of a paper and the paper itself.
fn read<T: DeserializeOwned>(text: &str) -> Result<(Json, T), Refused> {
    let value = parse(text.as_bytes(), &Limits::default())?;
    let paper = T::deserialize(&value).map_err(|_| unreadable())?;
    Ok((value, paper))
}

/// A paper that stands in the register.
struct Standing<T> {
    paper: T,
    commitment: [u8; 32],
    document: Document,
    height: u64,
    time_ms: u64,
}

fn standing<T: DeserializeOwned>(
    attested: &Attested,
    kind: &str,
    network: &NetworkDescriptor,
) -> Result<Standing<T>, Refused> {
    let (value, paper) = read(&attested.paper)?;
    let commitment = commitment(&attested.salt, &value)?;
    let key = document_key(&commitment);
    let claim = match one_claim(&attested.receipt, "credential", &key, network) {
        // The receipt is good and speaks of another document: so the paper was changed, or never signed.
        Err(refused) if refused.code == "paper.receipt-of-another" => return Err(not_attested()),
        other => other?,
    };
    let value = claim.value.as_deref().ok_or_else(not_attested)?;
    let document = Document::decode(value).map_err(|_| unreadable())?;
    if document.kind != kind {
        return Err(not_attested());
    }
    Ok(Standing {
        paper,
        commitment,
        document,
        height: claim.height.get(),
        time_ms: claim.time.get(),
    })
}

impl<T> Standing<T> {
    fn require_signers(&self, dids: &[&str]) -> Result<(), Refused> {
        for did in dids {
            let party = PartyId::from_did(did).map_err(|_| unreadable())?;
            if !self.document.signers.contains(&party) {
                return Err(signer_missing());
            }
        }
        Ok(())
    }

    /// Whether it was in force when the decision was made.
    fn require_in_force(&self, decided: &Issued) -> Result<(), Refused> {
        if self.document.replaced_by.is_some() {
            return Err(replaced());
        }
        if self.height < decided.issuance.height.get() {
            return Err(receipt_too_old());
        }
        Ok(())
    }
}

/// A paper that an accredited university committed to: its value, the paper, who and when.
fn committed<T: DeserializeOwned>(
    certified: &Certified,
    kind: &str,
    scope: &str,
    network: &NetworkDescriptor,
) -> Result<(Json, T, Issued), Refused> {
    let (value, paper) = read(&certified.paper)?;
    let key = suite::PublicKey::from_cose_key(&certified.key)
        .map_err(|error| rules::PROOF_MALFORMED.because(error))?;
    let proof = IssuanceProof::decode(&certified.proof)?;
    let issued = proof.verify(jcs(&value)?.as_bytes(), &key, network)?;
    issued.require(&issued.issuer.did(), kind)?;
    issued.require_scope(scope)?;
    Ok((value, paper, issued))
}

/// Checks the transcript's signature and commitment, the decision's commitment, the agreements with all their signers, the tables, that
/// both were there before the grades, and converts every grade anew, in this order.
///
/// # Errors
/// The first rule that something breaks.
pub(super) fn judge(
    file: &TransferFile,
    question: &Question,
    network: &NetworkDescriptor,
) -> Result<Known, Refused> {
    check_signature(&file.transcript, question)?;
    let (credential, _, certified) = committed::<Json>(
        &file.transcript,
        TRANSCRIPT_TYPE,
        question.receiving_scope,
        network,
    )?;
    let (_, decision, decided) = committed::<Decision>(
        &file.decision,
        DECISION_TYPE,
        question.sending_scope,
        network,
    )?;

    let agreement = judge_agreements(&file.agreements, &decided, network)?;
    let [sending, receiving] = &file.tables;
    let agreed = &agreement.paper.agreement;
    let sending = judge_table(sending, &agreed.sending, [&certified, &decided], network)?;
    let receiving = judge_table(
        receiving,
        &agreed.receiving,
        [&certified, &decided],
        network,
    )?;

    let named = &agreement.paper;
    for (name, table) in [
        (&named.sending_table, &sending),
        (&named.receiving_table, &receiving),
    ] {
        if *name != Hash::from_bytes(table.commitment).to_string() {
            return Err(table_not_agreed());
        }
    }

    let transcript = read_transcript(&credential, &agreed.id, receiving.paper.table)?;
    let named = [
        (transcript.issuer.id.as_str(), &certified, &agreed.receiving),
        (&decision.decision.issuer.id, &decided, &agreed.sending),
    ];
    for (issuer, issued, university) in named {
        if issuer != university.id || issued.issuer.did() != university.id {
            return Err(other_university());
        }
    }
    if transcript.student != agreed.student || decision.decision.student != agreed.student {
        return Err(other_student());
    }
    // Signed afterwards, an agreement could leave out what went badly.
    if agreement.document.height >= certified.issuance.height.get() {
        return Err(agreement_too_late());
    }
    let sources = [
        (&decision.agreement, agreement.commitment),
        (&decision.sending_table, sending.commitment),
        (&decision.receiving_table, receiving.commitment),
        (
            &decision.transcript,
            sha256(&[jcs(&credential)?.as_bytes()]),
        ),
    ];
    for (written, found) in sources {
        if *written != Hash::from_bytes(found).to_string() {
            return Err(other_source());
        }
    }

    let expected = recognise(
        agreed,
        &transcript,
        sending.paper.table,
        sending.paper.convention,
        &decision.decision.decided,
    )?;
    if expected != decision.decision {
        return Err(decision_differs());
    }
    let each = expected.recognised.iter();
    let tenths: u64 = each.map(|course| u64::from(course.tenths)).sum();
    if tenths != TENTHS {
        return Err(credits());
    }
    Ok(Known {
        certified_ms: certified.issuance.time.get(),
        decided_ms: decided.issuance.time.get(),
        as_of_ms: agreement
            .time_ms
            .min(sending.time_ms)
            .min(receiving.time_ms),
        agreement: agreement.paper.agreement,
        transcript,
        recognised: expected.recognised,
        additional: expected.additional,
    })
}

/// The signature inside the transcript, under the key that the proof of issuance has to name.
fn check_signature(transcript: &Certified, question: &Question) -> Result<(), Refused> {
    let key = suite::PublicKey::from_cose_key(&transcript.key)
        .map_err(|error| rules::PROOF_MALFORMED.because(error))?;
    let method = format!("#{}", key.kid());
    let key = ProofKey::Signature(PublicKey::from_core(&key)?);
    let controllers = |controller: &str| {
        let method = format!("{controller}{method}");
        Some(controller_document(
            controller_of(controller),
            &method,
            &key,
        ))
    };
    let limits = Limits::default();
    let credential = parse(transcript.paper.as_bytes(), &limits)?;
    let now = i64::try_from(question.now).unwrap_or(i64::MAX);
    verify_credential(&credential, &controllers, &Expectation::at(now), &limits)?;
    Ok(())
}

/// The last of the agreements, each of which all three signed, and which replaces the one before it.
fn judge_agreements(
    agreements: &[Attested],
    decided: &Issued,
    network: &NetworkDescriptor,
) -> Result<Standing<Agreed>, Refused> {
    let mut last: Option<Standing<Agreed>> = None;
    for attested in agreements {
        let next: Standing<Agreed> = standing(attested, AGREEMENT_KIND, network)?;
        let paper = &next.paper.agreement;
        next.require_signers(&[&paper.student, &paper.sending.id, &paper.receiving.id])?;
        if agreed_tenths(paper) != TENTHS {
            return Err(credits());
        }
        let before = last.as_ref().map(|before| before.commitment);
        if next.document.replaces != before {
            return Err(other_source());
        }
        let same = |before: &Standing<Agreed>| {
            let before = &before.paper.agreement;
            (
                &before.id,
                &before.student,
                &before.sending,
                &before.receiving,
            ) == (&paper.id, &paper.student, &paper.sending, &paper.receiving)
        };
        if !last.as_ref().is_none_or(same) {
            return Err(other_student());
        }
        last = Some(next);
    }
    let last = last.ok_or_else(unreadable)?;
    last.require_in_force(decided)?;
    Ok(last)
}

/// A table that its university published before the transcript was committed to, and that was in force at the decision.
fn judge_table(
    attested: &Attested,
    university: &Institution,
    [certified, decided]: [&Issued; 2],
    network: &NetworkDescriptor,
) -> Result<Standing<PublishedTable>, Refused> {
    let table: Standing<PublishedTable> = standing(attested, TABLE_KIND, network)?;
    if table.paper.publisher != university.id {
        return Err(other_university());
    }
    table.require_signers(&[&university.id])?;
    if table.document.height >= certified.issuance.height.get() {
        return Err(table_too_late());
    }
    table.require_in_force(decided)?;
    Ok(table)
}

/// The transcript as it stands in the credential of the European Learning Model.
fn read_transcript(
    credential: &Json,
    agreement: &str,
    table: stele_credentials::education::ects::GradeTable,
) -> Result<TranscriptOfRecords, Refused> {
    let text = |value: &Json, at: &str| {
        let found = value.pointer(at).and_then(Json::as_str);
        found.map(str::to_owned).ok_or_else(unreadable)
    };
    let issuer = &credential["issuer"];
    let country = text(issuer, "/eIDASIdentifier/spatial/id")?;
    let parts = credential.pointer("/credentialSubject/hasClaim/hasPart");
    let mut courses = Vec::new();
    for part in parts.and_then(Json::as_array).ok_or_else(unreadable)? {
        let credits = text(part, "/specifiedBy/creditPoint/point")?;
        courses.push(Course {
            title: text(part, "/title/en")?,
            tenths: tenths(&credits).ok_or_else(unreadable)?,
            grade: text(part, "/provenBy/grade/noteLiteral/en")?,
        });
    }
    Ok(TranscriptOfRecords {
        agreement: agreement.to_owned(),
        student: text(credential, "/credentialSubject/id")?,
        issuer: Institution {
            id: text(issuer, "/id")?,
            name: text(issuer, "/legalName/en")?,
            legal_id: text(issuer, "/eIDASIdentifier/notation")?,
            country: country.rsplit('/').next().unwrap_or_default().to_owned(),
        },
        issued: text(credential, "/issued")?,
        courses,
        table,
    })
}

/// Credits as they are written, in tenths: `7.5` is 75.
fn tenths(credits: &str) -> Option<u32> {
    let (whole, tenth) = credits.split_once('.').unwrap_or((credits, "0"));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(tenth) || tenth.len() != 1 {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    whole.checked_mul(10)?.checked_add(tenth.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_read_in_tenths() {
        for (written, read) in [("30", 300), ("7.5", 75), ("0.5", 5)] {
            assert_eq!(tenths(written), Some(read));
        }
        for bad in ["", ".", "7.55", "7,5", "-1", "+1", "1.", "4294967295", "x"] {
            assert_eq!(tenths(bad), None, "{bad}");
        }
    }
}
