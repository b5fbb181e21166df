//! The fictional town, its offices, and who may do what.

use serde_json::json;
use stele_core::cbor::BodyBuilder;

use super::Story;
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{Office, submit};

/// The country's part of the network; the town lies in it.
pub(super) const STATE: &str = "DE/XX";
pub(super) const TOWN: &str = "DE/XX/Musterstadt";
/// Within which scopes the two registries issue credentials.
pub(super) const PERSONS: &str = "DE/XX/persons";
pub(super) const VEHICLES: &str = "DE/XX/vehicles";

/// Everybody with keys of their own, outside the node.
#[derive(Debug, Clone)]
pub(super) struct Town {
    pub ministry: Office,
    /// The authority whose services they are.
    pub town: Office,
    pub citizens_office: Office,
    pub traffic_office: Office,
    pub trade_office: Office,
    /// Decides appeals.
    pub board: Office,
    pub persons: Office,
    pub vehicles: Office,
    /// An office of another town.
    pub elsewhere: Office,
}

pub(super) fn register(run: &mut Run<'_>, story: &mut Story) -> Result<Town, ScenarioError> {
    run.step("register-offices", |run| {
        run.describe_input("The service files that ship with Stele; a fictional town and fictional citizens, generated");
        let mut rows = Vec::new();
        let mut join = |run: &mut Run<'_>, name: &str| {
            let office = Office::new(run, name);
            let body = BodyBuilder::new()
                .text("kind", "authority")
                .text("name", name)
                .bytes_list("keys", &[office.party.key().public().to_cose_key()]);
            let did = office.did();
            let claim = format!("{name} registered itself as {did}");
            let (done, file) = submit(run, &office, &[], "identity", &[("party.register", body.build())], &claim)?;
            story.entries.push(done.entry_id);
            rows.push(vec![name.into(), Cell::Code(did), Cell::Link("receipt".to_owned(), file)]);
            Ok::<_, ScenarioError>(office)
        };
        let town = Town {
            ministry: join(run, "Fictional Ministry of the Interior, XX")?,
            town: join(run, "Fictional Town of Musterstadt")?,
            citizens_office: join(run, "Fictional Citizens\u{2019} Office, Musterstadt")?,
            traffic_office: join(run, "Fictional Road Traffic Office, Musterstadt")?,
            trade_office: join(run, "Fictional Trade Office, Musterstadt")?,
            board: join(run, "Fictional Board of Appeal, XX")?,
            persons: join(run, "Fictional Registry of Persons, XX")?,
            vehicles: join(run, "Fictional Vehicle Registry, XX")?,
            elsewhere: join(run, "Fictional Citizens\u{2019} Office, Elsewhere")?,
        };
        let count = rows.len();
        run.show(Block::Table { caption: "The offices, all fictional".to_owned(), head: vec!["Name", "DID", "Proof"], rows });
        Ok((town, format!("{count} authorities and offices, each with a key of its own outside the node.")))
    })
}

pub(super) fn accredit(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
) -> Result<(), ScenarioError> {
    run.step("accredit-offices", |run| {
        let operator = run.operator()?;
        let mut rows = Vec::new();
        let mut row = |who: &str, whom: &str, action: &str, scope: &str, file: String| {
            rows.push(vec![who.into(), whom.into(), Cell::Code(action.to_owned()), Cell::Code(scope.to_owned()), Cell::Link("receipt".to_owned(), file)]);
        };
        for action in ["service/*", "credential/issue"] {
            let ministry = &town.ministry;
            let body = json!({"subject": ministry.did(), "action": action, "scope": STATE, "delegable": true});
            let done = run.submit(&operator, "identity", &[("accreditation.grant", body)])?;
            story.entries.push(done.entry);
            let receipt = run.client().receipt(&done.entry).map_err(ScenarioError::client("reading a receipt"))?;
            let (_, file) = run.evidence(format!("The network\u{2019}s steward accredited {} for {action} in {STATE}", ministry.name), &receipt)?;
            row("The network\u{2019}s steward", &ministry.name, action, STATE, file);
        }
        let grants = [
            (&town.ministry, &town.town, "service/*", TOWN, true),
            (&town.ministry, &town.board, "service/appeal", STATE, false),
            (&town.ministry, &town.persons, "credential/issue", PERSONS, false),
            (&town.ministry, &town.vehicles, "credential/issue", VEHICLES, false),
            (&town.town, &town.citizens_office, "service/decide", TOWN, false),
            (&town.town, &town.traffic_office, "service/decide", "DE/XX/Musterstadt/parking-permit", false),
            (&town.town, &town.trade_office, "service/decide", "DE/XX/Musterstadt/business-registration", false),
        ];
        for (from, to, action, scope, delegable) in grants {
            let mut body = BodyBuilder::new().bytes("subject", to.party.id().as_bytes()).text("action", action).text("scope", scope);
            if delegable {
                body = body.bool("delegable", true);
            }
            let claim = format!("{} accredited {} for {action} in {scope}", from.name, to.name);
            let (done, file) = submit(run, from, &[], "identity", &[("accreditation.grant", body.build())], &claim)?;
            story.entries.push(done.entry_id);
            row(&from.name, &to.name, action, scope, file);
        }
        let count = rows.len();
        run.show(Block::Table { caption: "Who accredited whom".to_owned(), head: vec!["Who", "Whom", "Action", "Scope", "Proof"], rows });
        Ok(((), format!("{count} accreditations: the town publishes, its offices decide each in their own services, the board decides appeals.")))
    })
}
