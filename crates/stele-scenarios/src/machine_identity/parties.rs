//! Who takes part, and who accredited whom.

use serde_json::json;
use stele_core::cbor::BodyBuilder;
use stele_core::suite::SigningKey;

use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{Office, random, submit};

/// In which scope makers certify what they make.
pub(super) const MAKERS: &str = "XX/charging/makers";
/// In which scope titles are issued.
pub(super) const TITLES: &str = "XX/charging/titles";
const CHARGING: &str = "XX/charging";
const ACTION: &str = "credential/issue";

/// Everybody with keys of their own, outside the node.
#[derive(Debug, Clone)]
pub(super) struct Parties {
    /// Supervises charging, and keeps the register of titles.
    pub authority: Office,
    pub maker: Office,
    /// The maker, signing with the key that it signs certificates with.
    pub certifying: Office,
    pub operator: Office,
    pub second: Office,
    /// Copies stations; nobody accredited it.
    pub copyist: Office,
}

pub(super) fn register(run: &mut Run<'_>) -> Result<Parties, ScenarioError> {
    run.step("register-parties", |run| {
        run.describe_input("Fictional parties and stations, generated");
        let mut rows = Vec::new();
        let mut join = |run: &mut Run<'_>, kind: &str, name: &str, more: &[&SigningKey]| {
            let office = Office::new(run, name);
            let keys: Vec<_> = std::iter::once(office.party.key())
                .chain(more.iter().copied())
                .map(|key| key.public().to_cose_key())
                .collect();
            let body = BodyBuilder::new().text("kind", kind).text("name", name).bytes_list("keys", &keys);
            let did = office.did();
            let claim = format!("{name} registered itself as {did}");
            let command = [("party.register", body.build())];
            let (_, file) = submit(run, &office, more, "identity", &command, &claim)?;
            rows.push(vec![name.into(), kind.into(), Cell::Code(did), Cell::Link("receipt".to_owned(), file)]);
            Ok::<_, ScenarioError>(office)
        };
        let key = random::key();
        let authority = join(run, "authority", "Fictional Authority for Charging, Examplia", &[])?;
        let maker = join(run, "organisation", "Fictional Station Works", &[&key])?;
        let operator = join(run, "organisation", "Fictional Volt Operators", &[])?;
        let second = join(run, "organisation", "Fictional Ampere Operators", &[])?;
        let copyist = join(run, "organisation", "Fictional Copy Works", &[])?;
        let certifying = maker.signing_with(run, key);
        run.show(Block::Table {
            caption: "The parties, all fictional; anybody may register".to_owned(),
            head: vec!["Name", "Kind", "DID", "Proof"],
            rows,
        });
        let detail = "An authority, a maker with a second key for certificates, two operators, and a copyist whom nobody accredited.";
        let parties = Parties { authority, maker, certifying, operator, second, copyist };
        Ok((parties, detail.to_owned()))
    })
}

pub(super) fn accredit(run: &mut Run<'_>, parties: &Parties) -> Result<(), ScenarioError> {
    run.step("accredit-maker", |run| {
        let (authority, maker) = (&parties.authority, &parties.maker);
        let operator = run.operator()?;
        let body = json!({"subject": authority.did(), "action": ACTION, "scope": CHARGING, "delegable": true});
        let done = run.submit(&operator, "identity", &[("accreditation.grant", body)])?;
        let claim = format!("The network\u{2019}s steward accredited {} for {ACTION} in {CHARGING}", authority.name);
        let receipt = run.client().receipt(&done.entry).map_err(ScenarioError::client("reading a receipt"))?;
        let (_, steward) = run.evidence(&claim, &receipt)?;
        let body = BodyBuilder::new()
            .bytes("subject", maker.party.id().as_bytes())
            .text("action", ACTION)
            .text("scope", MAKERS);
        let claim = format!("{} accredited {} for {ACTION} in {MAKERS}", authority.name, maker.name);
        let command = [("accreditation.grant", body.build())];
        let (_, file) = submit(run, authority, &[], "identity", &command, &claim)?;
        let row = |from: &str, to: &Office, scope: &str, file: String| {
            vec![from.into(), to.name.as_str().into(), Cell::Code(scope.to_owned()), Cell::Link("receipt".to_owned(), file)]
        };
        run.show(Block::Table {
            caption: format!("Who accredited whom for {ACTION}"),
            head: vec!["Who", "Whom", "Scope", "Proof"],
            rows: vec![
                row("The network\u{2019}s steward", authority, CHARGING, steward),
                row(&authority.name, maker, MAKERS, file),
            ],
        });
        let detail = format!("The maker may certify in {MAKERS} and pass nothing on; titles in {TITLES} come from the authority\u{2019}s own register.");
        Ok(((), detail))
    })
}
