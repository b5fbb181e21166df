//! Who takes part, and who may recall.

use serde_json::json;
use stele_core::id::PartyId;

use super::plan::Role;
use crate::frame::{Actor, Block, Cell, Run, ScenarioError, Submitted};

/// Everybody.
#[derive(Debug, Clone)]
pub(super) struct Parties {
    pub mill: Actor,
    pub carrier: Actor,
    pub shop: Actor,
    pub authority: Actor,
    pub outsider: Actor,
    /// The node’s operator: the network’s steward, and the one who keeps the events here.
    pub operator: Actor,
}

impl Parties {
    pub fn of(&self, role: Role) -> &Actor {
        match role {
            Role::Mill => &self.mill,
            Role::Carrier => &self.carrier,
            Role::Shop => &self.shop,
        }
    }

    /// The name of a party, or its DID if it is none of ours.
    pub fn name(&self, id: &PartyId) -> String {
        let all = [
            &self.mill,
            &self.carrier,
            &self.shop,
            &self.authority,
            &self.outsider,
            &self.operator,
        ];
        let found = all.iter().find(|actor| actor.id == *id);
        found.map_or_else(|| id.did(), |actor| actor.name.clone())
    }
}

/// The receipt of a final entry, verified and kept as the proof of `claim`. Returns its file.
pub(super) fn prove(
    run: &mut Run<'_>,
    done: &Submitted,
    claim: &str,
) -> Result<String, ScenarioError> {
    let receipt = run
        .client()
        .receipt(&done.entry)
        .map_err(ScenarioError::client("reading a receipt"))?;
    let (verified, file) = run.evidence(claim, &receipt)?;
    let proven = verified.entry.as_ref().map(|entry| entry.record.entry_id);
    run.check(
        proven == Some(done.entry),
        "a receipt of the entry that was submitted",
        || format!("a receipt of {proven:?}"),
    )?;
    Ok(file)
}

pub(super) fn register(run: &mut Run<'_>) -> Result<Parties, ScenarioError> {
    run.step("register-parties", |run| {
        let mut rows = Vec::new();
        let mut join = |run: &mut Run<'_>, kind: &str, name: &str| -> Result<Actor, ScenarioError> {
            let (actor, done) = run.register(kind, name)?;
            let file = prove(run, &done, &format!("{name} registered itself as {}", actor.id.did()))?;
            rows.push(vec![name.into(), kind.into(), Cell::Code(actor.id.did()), Cell::Link("receipt".to_owned(), file)]);
            Ok(actor)
        };
        let parties = Parties {
            mill: join(run, "organisation", Role::Mill.title())?,
            carrier: join(run, "organisation", Role::Carrier.title())?,
            shop: join(run, "organisation", Role::Shop.title())?,
            authority: join(run, "authority", "Fictional Food Authority Examplia")?,
            outsider: join(run, "organisation", "Fictional Association Busybody")?,
            operator: run.operator()?,
        };
        run.show(Block::Table {
            caption: "The parties, all fictional".to_owned(),
            head: vec!["Name", "Kind", "DID", "Proof"],
            rows,
        });
        let detail = "A mill, a carrier, a shop, a food authority and an outsider, each with a key of its own.";
        Ok((parties, detail.to_owned()))
    })
}

pub(super) fn accredit(run: &mut Run<'_>, parties: &Parties) -> Result<(), ScenarioError> {
    run.step("accredit-authority", |run| {
        let body = json!({"subject": parties.authority.id.did(), "action": "trace/recall.issue"});
        let done = run.submit(
            &parties.operator,
            "identity",
            &[("accreditation.grant", body)],
        )?;
        let claim = format!(
            "The network\u{2019}s steward allowed {} to issue recalls",
            parties.authority.name
        );
        prove(run, &done, &claim)?;
        Ok(((), format!("{claim}, in block {}.", done.height)))
    })
}
