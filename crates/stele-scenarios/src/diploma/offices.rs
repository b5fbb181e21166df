//! Who takes part, and who accredited whom.

use std::time::Instant;

use serde_json::json;
use stele_client::{Final, Party};
use stele_core::cbor::BodyBuilder;
use stele_core::suite::SigningKey;

use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::random;

/// What the faculty may issue: one path in the ministry's tree.
pub(super) const SCOPE: &str = "XX/universities/letters";
/// What a verifier asks for.
pub(super) const SCOPE_ASKED: &str = "XX/universities";
const ACTION: &str = "credential/issue";

/// An organisation that keeps its own keys, outside the node.
#[derive(Debug, Clone)]
pub(super) struct Office {
    pub name: &'static str,
    pub party: Party,
}

/// Everybody.
#[derive(Debug, Clone)]
pub(super) struct Offices {
    pub ministry: Office,
    pub university: Office,
    pub faculty: Office,
    /// The faculty, signing with the key that it signs diplomas with.
    pub issuing: Office,
    /// Nobody accredited it.
    pub academy: Office,
}

/// Signs commands with an office's key and waits until they are final, applied or refused.
pub(super) fn attempt(
    run: &mut Run<'_>,
    office: &Office,
    cosigners: &[&SigningKey],
    register: &str,
    command: (&str, Vec<u8>),
) -> Result<Final, ScenarioError> {
    let doing = format!("submitting {} for {}", command.0, office.name);
    let entry = office
        .party
        .sign_with_cosigners(register, &[command], cosigners)
        .map_err(|error| ScenarioError::client(doing.as_str())(error.into()))?;
    let begin = Instant::now();
    let done = run
        .client()
        .submit(&entry)
        .map_err(ScenarioError::client(doing))?;
    run.finality().add(begin.elapsed());
    Ok(done)
}

/// As [`attempt`], with its receipt as the proof of `claim`; a refusal is an error. Returns the receipt's file too.
pub(super) fn submit(
    run: &mut Run<'_>,
    office: &Office,
    cosigners: &[&SigningKey],
    register: &str,
    command: (&str, Vec<u8>),
    claim: &str,
) -> Result<(Final, String), ScenarioError> {
    let name = command.0.to_owned();
    let done = attempt(run, office, cosigners, register, command)?;
    if !done.outcome.applied {
        return Err(ScenarioError::broken(
            format!("{name} by {} to be applied", office.name),
            format!(
                "refused by {}",
                done.outcome.code.as_deref().unwrap_or("an unnamed rule")
            ),
        ));
    }
    let file = prove(run, &done, claim)?;
    Ok((done, file))
}

/// The receipt of a final entry, verified and kept as the proof of `claim`. Returns its file.
pub(super) fn prove(run: &mut Run<'_>, done: &Final, claim: &str) -> Result<String, ScenarioError> {
    let receipt = run
        .client()
        .receipt(&done.entry_id)
        .map_err(ScenarioError::client("reading a receipt"))?;
    let (verified, file) = run.evidence(claim, &receipt)?;
    let proven = verified.entry.as_ref().map(|entry| entry.record.entry_id);
    run.check(
        proven == Some(done.entry_id),
        "a receipt of the entry that was submitted",
        || format!("a receipt of {proven:?}"),
    )?;
    Ok(file)
}

pub(super) fn register(run: &mut Run<'_>) -> Result<Offices, ScenarioError> {
    run.step("register-offices", |run| {
        let mut rows = Vec::new();
        let mut join = |run: &mut Run<'_>, kind: &str, name: &'static str, more: &[&SigningKey]| {
            let office = Office { name, party: Party::new(run.client().clone(), random::key()) };
            let keys: Vec<_> = std::iter::once(office.party.key())
                .chain(more.iter().copied())
                .map(|key| key.public().to_cose_key())
                .collect();
            let body = BodyBuilder::new().text("kind", kind).text("name", name).bytes_list("keys", &keys);
            let did = office.party.id().did();
            let claim = format!("{name} registered itself as {did}");
            let (_, file) = submit(run, &office, more, "identity", ("party.register", body.build()), &claim)?;
            let keys = match more.len() {
                0 => "one",
                _ => "one for itself, one for diplomas",
            };
            rows.push(vec![name.into(), keys.into(), Cell::Code(did), Cell::Link("receipt".to_owned(), file)]);
            Ok::<_, ScenarioError>(office)
        };
        let issuing = random::key();
        let ministry = join(run, "authority", "Fictional Ministry of Learning, Examplia", &[])?;
        let university = join(run, "organisation", "Fictional University of Examplia", &[])?;
        let faculty = join(run, "organisation", "Fictional Faculty of Letters", &[&issuing])?;
        let academy = join(run, "organisation", "Fictional Academy of Quick Degrees", &[])?;
        let issuing = Office {
            name: faculty.name,
            party: Party::with_key(run.client().clone(), faculty.party.id(), issuing),
        };
        run.show(Block::Table {
            caption: "The offices, all fictional".to_owned(),
            head: vec!["Name", "Keys", "DID", "Proof"],
            rows,
        });
        let detail = "A ministry, a university, a faculty and an academy that nobody accredited, each with keys of its own.";
        let offices = Offices { ministry, university, faculty, issuing, academy };
        Ok((offices, detail.to_owned()))
    })
}

pub(super) fn accredit(run: &mut Run<'_>, offices: &Offices) -> Result<(), ScenarioError> {
    run.step("accredit-chain", |run| {
        let operator = run.operator()?;
        let ministry = &offices.ministry;
        let body = json!({"subject": ministry.party.id().did(), "action": ACTION, "scope": "XX", "delegable": true});
        let done = run.submit(&operator, "identity", &[("accreditation.grant", body)])?;
        let claim = format!("The network\u{2019}s steward accredited {} for {ACTION} in XX", ministry.name);
        let receipt = run.client().receipt(&done.entry).map_err(ScenarioError::client("reading a receipt"))?;
        let (_, file) = run.evidence(&claim, &receipt)?;
        let mut rows = vec![vec!["The network\u{2019}s steward".into(), ministry.name.into(), Cell::Code("XX".to_owned()), Cell::Link("receipt".to_owned(), file)]];
        for (from, to, scope, delegable) in [
            (ministry, &offices.university, SCOPE_ASKED, true),
            (&offices.university, &offices.faculty, SCOPE, false),
        ] {
            let mut body = BodyBuilder::new()
                .bytes("subject", to.party.id().as_bytes())
                .text("action", ACTION)
                .text("scope", scope);
            if delegable {
                body = body.bool("delegable", true);
            }
            let claim = format!("{} accredited {} for {ACTION} in {scope}", from.name, to.name);
            let (_, file) = submit(run, from, &[], "identity", ("accreditation.grant", body.build()), &claim)?;
            rows.push(vec![from.name.into(), to.name.into(), Cell::Code(scope.to_owned()), Cell::Link("receipt".to_owned(), file)]);
        }
        run.show(Block::Table {
            caption: format!("Who accredited whom for {ACTION}"),
            head: vec!["Who", "Whom", "Scope", "Proof"],
            rows,
        });
        Ok(((), format!("Steward, ministry, university, faculty: three links; the faculty may issue in {SCOPE} and pass nothing on.")))
    })
}
