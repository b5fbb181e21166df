//! A station gets a new key, another is taken out of service, a third is lost before it was ever switched on.

use stele_core::cbor::BodyBuilder;

use super::Scene;
use super::papers::{answer, certify_one, title_one};
use super::roll::Station;
use super::sale::AUDIENCE;
use super::state::{Member, PartyDocument, member_key, party_key};
use super::verifier::judge;
use crate::frame::{Run, ScenarioError};
use crate::kit::{
    Question, accepted, attempt, outcome, prove, random, receipt_of_state, refused, sent,
    show_refusals, submit,
};

/// The body of `key.rotate`.
fn rotation(old: &stele_core::suite::SigningKey, new: &stele_core::suite::SigningKey) -> Vec<u8> {
    BodyBuilder::new()
        .bytes("old", old.public().kid().as_bytes())
        .bytes("new_key", &new.public().to_cose_key())
        .build()
}

pub(super) fn rotate(run: &mut Run<'_>, scene: &mut Scene) -> Result<(), ScenarioError> {
    run.step("rotate-key", |run| {
        let network = run.client().network().clone();
        let before = scene.station().office.clone();
        let key = random::key();
        let command = [("key.rotate", rotation(before.party.key(), &key))];
        submit(run, &before, &[&key], "identity", &command, "The station replaced its key with its new firmware; the old key ended")?;
        let question = Question::fresh(AUDIENCE);
        let stale = answer(run, scene, scene.station(), &question)?;
        let mut rows = vec![refused("The old key answers", "machine.key-replaced", judge(&stale, &question, &network))?];
        let command = [("key.rotate", rotation(before.party.key(), &random::key()))];
        let verdict = sent(attempt(run, &before, &[], "identity", &command))?;
        rows.push(refused("The old key signs an entry", "identity.key-revoked", verdict)?);

        // Maker and register see from the ledger whose key it is, and renew the papers for it.
        let party = party_key(&before.party.id());
        let (receipt, document) = receipt_of_state(run, "identity", &party)?;
        let document = PartyDocument::decode(document.as_deref().unwrap_or_default());
        let document = document.map_err(|error| ScenarioError::broken("a party", error.to_string()))?;
        run.check(document.keys == [*key.public().kid().as_bytes()], "the new key alone", || format!("{:?}", document.keys))?;
        run.evidence("The new key is the station\u{2019}s only one", &receipt)?;
        let renewed = before.signing_with(run, key);
        let owner = scene.parties.second.clone();
        let station = &mut scene.stations[0];
        station.office = renewed;
        for (lists, old) in [(&mut scene.maker.lists, &station.make), (&mut scene.register.lists, &station.title)] {
            if let Some(old) = old {
                lists.revoke(old.number)?;
            }
        }
        let mut make = certify_one(&mut scene.maker, station, "5.0.0")?;
        let mut title = title_one(&mut scene.register, station, &owner)?;
        let (maker, authority) = (scene.parties.maker.name.clone(), scene.parties.authority.name.clone());
        scene.maker.commit(run, &mut [&mut make], &format!("{maker} committed to a certificate for the new key"))?;
        scene.register.commit(run, &mut [&mut title], &format!("{authority} committed to a title for the new key"))?;
        scene.maker.lists.publish(run, &scene.maker.signing, &format!("{maker} revoked the certificate for the old key"))?;
        scene.register.lists.publish(run, &scene.register.signing, &format!("{authority} revoked the title for the old key"))?;
        let station = &mut scene.stations[0];
        (station.make, station.title) = (Some(make), Some(title));

        let question = Question::fresh(AUDIENCE);
        let known = accepted("the station with its new key", judge(&answer(run, scene, scene.station(), &question)?, &question, &network))?;
        run.check(known.station == before.party.id(), "the same station as before", || known.station.did())?;
        show_refusals(run, "After the new key", rows);
        let detail = format!("{} kept its DID, its place in the roll and its owner; both papers were renewed for the new key and the old ones revoked.", scene.station().serial);
        Ok(((), detail))
    })
}

/// The owner takes a station out of service; nobody else can.
pub(super) fn retire(run: &mut Run<'_>, scene: &Scene) -> Result<(), ScenarioError> {
    run.step("retire-station", |run| {
        let network = run.client().network().clone();
        let (maker, owner) = (&scene.parties.maker, &scene.parties.operator);
        let station = scene.stations.last().ok_or_else(|| ScenarioError::broken("a station", "none"))?;
        let question = Question::fresh(AUDIENCE);
        accepted("the station in service", judge(&answer(run, scene, station, &question)?, &question, &network))?;
        let body = BodyBuilder::new()
            .bytes("device", station.office.party.id().as_bytes())
            .text("reason", "worn out")
            .build();
        let done = attempt(run, maker, &[], "identity", &[("device.retire", body.clone())])?;
        let mut rows = vec![refused("The maker retires what it has sold", "identity.device.not-owner", outcome(&done))?];
        let claim = format!("{} took a station out of service", owner.name);
        submit(run, owner, &[], "identity", &[("device.retire", body)], &claim)?;
        rows.push(refused("The retired station answers", "machine.retired", judge(&answer(run, scene, station, &question)?, &question, &network))?);
        let command = [("key.rotate", rotation(station.key(), &random::key()))];
        let verdict = sent(attempt(run, &station.office, &[], "identity", &command))?;
        rows.push(refused("The retired station signs an entry", "identity.key-revoked", verdict)?);
        show_refusals(run, "Out of service", rows);
        let detail = format!("{} was taken out of service by its owner; its key ended with it, and its papers say nothing any more.", station.serial);
        Ok(((), detail))
    })
}

/// A station that never claimed its place is ended in the roll. Returns the time of that block, in milliseconds since 1970.
pub(super) fn end_lost(
    run: &mut Run<'_>,
    scene: &Scene,
    lost: &Station,
) -> Result<u64, ScenarioError> {
    run.step("end-lost-station", |run| {
        let maker = &scene.parties.maker;
        let body = scene.roll.member_body(lost.index, None)?;
        let claim = format!("{} ended a station that was lost before it claimed its place", maker.name);
        let (ended, _) = submit(run, maker, &[], "identity", &[("member.end", body)], &claim)?;
        let body = scene.roll.member_body(lost.index, Some(lost.key()))?;
        let done = attempt(run, &lost.office, &[], "identity", &[("member.claim", body)])?;
        let row = refused("Who found the lost station switches it on", "identity.member.ended", outcome(&done))?;
        prove(run, &done, "The lost station\u{2019}s claim is on record as refused")?;
        let (receipt, value) = receipt_of_state(run, "identity", &member_key(&scene.roll.id, lost.index))?;
        let member = Member::decode(value.as_deref().unwrap_or_default()).map_err(|error| ScenarioError::broken("a member", error.to_string()))?;
        run.check(member.ended && member.party.is_none(), "a member that has ended", || format!("{member:?}"))?;
        run.evidence("The lost station has ended in the roll", &receipt)?;
        show_refusals(run, "Lost from the warehouse", vec![row]);
        let detail = format!("{} has ended for ever at its place, with its genuine key; its neighbours in the roll are not touched.", lost.serial);
        Ok((ended.time_ms, detail))
    })
}
