//! Who takes part, and who accredited whom.

use serde_json::json;
use stele_core::cbor::BodyBuilder;
use stele_credentials::education::model::Institution;

use super::Scene;
use super::chain::Chain;
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::Office;

const ACTION: &str = "credential/issue";

/// A university with its place in its country.
#[derive(Debug, Clone)]
pub(super) struct University {
    pub office: Office,
    /// Where its ministry accredited it: one path in the ministry's tree.
    pub scope: &'static str,
    legal_id: &'static str,
    /// The European Learning Model wants a country of the EU's table; the universities are fictional all the same.
    country: &'static str,
}

impl University {
    /// As papers name it.
    pub fn institution(&self) -> Institution {
        Institution {
            id: self.office.did(),
            name: self.office.name.clone(),
            legal_id: self.legal_id.to_owned(),
            country: self.country.to_owned(),
        }
    }
}

/// Everybody but the students. All keep their keys themselves, outside the node.
pub(super) struct Parties {
    /// The ministries of the two countries, home first.
    ministries: [Office; 2],
    /// The home university: it recognises.
    pub sending: University,
    /// The university of the stay: it certifies.
    pub receiving: University,
    /// Sells recognitions; nobody accredited it.
    pub bureau: Office,
}

fn join(
    run: &mut Run<'_>,
    chain: &mut Chain,
    kind: &str,
    name: &str,
    rows: &mut Vec<Vec<Cell>>,
) -> Result<Office, ScenarioError> {
    let office = Office::new(run, name);
    let body = registration(&office, kind).text("name", name).build();
    let did = office.did();
    let claim = format!("{name} registered itself as {did}");
    let command = ("identity", "party.register", body);
    let (_, file) = chain.prove(run, &office, &[], command, &claim)?;
    rows.push(vec![
        name.into(),
        kind.into(),
        Cell::Code(did),
        Cell::Link("receipt".to_owned(), file),
    ]);
    Ok(office)
}

fn registration(office: &Office, kind: &str) -> BodyBuilder {
    let key = office.party.key().public().to_cose_key();
    BodyBuilder::new()
        .text("kind", kind)
        .bytes_list("keys", &[key])
}

/// Registers a student under an identifier for one stay alone, without a name.
pub(super) fn pairwise(run: &mut Run<'_>, chain: &mut Chain) -> Result<Office, ScenarioError> {
    let student = Office::new(run, "a student");
    let body = registration(&student, "person").build();
    chain.apply(run, &student, &[], ("identity", "party.register", body))?;
    Ok(student)
}

pub(super) fn register(run: &mut Run<'_>, chain: &mut Chain) -> Result<Parties, ScenarioError> {
    run.step("register-parties", |run| {
        let mut rows = Vec::new();
        let mut join = |run: &mut Run<'_>, kind: &str, name: &str| join(run, chain, kind, name, &mut rows);
        let home = join(run, "authority", "Fictional Ministry of Learning, Examplia")?;
        let away = join(run, "authority", "Fictional Ministry of Learning, Samplia")?;
        let sending = University {
            office: join(run, "organisation", "Fictional University of Exampleville")?,
            scope: "XA/universities",
            legal_id: "DE-FICTIONAL-0001",
            country: "DEU",
        };
        let receiving = University {
            office: join(run, "organisation", "Fictional University of Sampleton")?,
            scope: "XB/universities",
            legal_id: "IT-FICTIONAL-0002",
            country: "ITA",
        };
        let bureau = join(run, "organisation", "Fictional Bureau of Quick Recognition")?;
        run.show(Block::Table {
            caption: "The offices, all fictional; anybody may register".to_owned(),
            head: vec!["Name", "Kind", "DID", "Proof"],
            rows,
        });
        let detail = "Two ministries, a university in each country, and a bureau whom nobody accredited; each keeps its keys itself.";
        let parties = Parties { ministries: [home, away], sending, receiving, bureau };
        Ok((parties, detail.to_owned()))
    })
}

pub(super) fn accredit(run: &mut Run<'_>, scene: &mut Scene) -> Result<(), ScenarioError> {
    run.step("accredit-universities", |run| {
        let Scene { parties, chain, .. } = scene;
        let operator = run.operator()?;
        let mut rows = Vec::new();
        for (ministry, university) in parties.ministries.iter().zip([&parties.sending, &parties.receiving]) {
            let country = university.scope.split('/').next().unwrap_or_default();
            let body = json!({"subject": ministry.did(), "action": ACTION, "scope": country, "delegable": true});
            let done = run.submit(&operator, "identity", &[("accreditation.grant", body)])?;
            let claim = format!("The network\u{2019}s steward accredited {} for {ACTION} in {country}", ministry.name);
            let receipt = run.client().receipt(&done.entry).map_err(ScenarioError::client("reading a receipt"))?;
            let (_, file) = run.evidence(&claim, &receipt)?;
            rows.push(vec!["The network\u{2019}s steward".into(), ministry.name.as_str().into(), Cell::Code(country.to_owned()), Cell::Link("receipt".to_owned(), file)]);
            let (office, scope) = (&university.office, university.scope);
            let body = BodyBuilder::new()
                .bytes("subject", office.party.id().as_bytes())
                .text("action", ACTION)
                .text("scope", scope);
            let claim = format!("{} accredited {} for {ACTION} in {scope}", ministry.name, office.name);
            let (_, file) = chain.prove(run, ministry, &[], ("identity", "accreditation.grant", body.build()), &claim)?;
            rows.push(vec![ministry.name.as_str().into(), office.name.as_str().into(), Cell::Code(scope.to_owned()), Cell::Link("receipt".to_owned(), file)]);
        }
        run.show(Block::Table {
            caption: format!("Who accredited whom for {ACTION}"),
            head: vec!["Who", "Whom", "Scope", "Proof"],
            rows,
        });
        Ok(((), "Each university is accredited by the ministry of its own country: to certify, to recognise, and to pass nothing on.".to_owned()))
    })
}
