//! Sold: one entry that both sides sign, a title from the register, and the end of the title before.

use serde_json::json;
use stele_core::cbor::{BodyBuilder, Decoder};
use stele_core::id::PartyId;
use stele_credentials::trust::commitment;

use super::Scene;
use super::papers::{answer, title_one};
use super::parties::TITLES;
use super::roll::Station;
use super::state::{PartyDocument, earlier, party_key};
use super::verifier::judge;
use crate::frame::{Run, ScenarioError};
use crate::kit::{
    Certificate, Office, Question, accepted, attempt, now_ms, outcome, random, receipt_of_state,
    refused, show_refusals, submit, when,
};

/// Who asks the stations: a partner whose customers charge there.
pub(super) const AUDIENCE: &str = "https://roaming.example";

fn transfer(station: &Station, buyer: &Office) -> (&'static str, Vec<u8>) {
    let body = BodyBuilder::new()
        .bytes("device", station.office.party.id().as_bytes())
        .bytes("to", buyer.party.id().as_bytes());
    ("device.transfer", body.build())
}

/// Hands stations over: transfers and the bill of sale in one entry, signed by the seller and countersigned by the buyer. All of it
/// applies or none. Keeps the bill as `bill.json`, with its salt beside it.
fn sell(
    run: &mut Run<'_>,
    stations: &[Station],
    seller: &Office,
    buyer: &Office,
    bill: &str,
) -> Result<(), ScenarioError> {
    let serials: Vec<&str> = stations.iter().map(|one| one.serial.as_str()).collect();
    let paper = json!({
        "paper": "bill of sale", "seller": seller.did(), "buyer": buyer.did(), "stations": serials,
        "signed": when(now_ms()),
    })
    .to_string();
    // Paper and salt stay with the two sides; together they open the commitment.
    let salt = random::bytes();
    run.keep(&format!("{bill}.json"), paper.as_bytes())?;
    run.keep(&format!("{bill}.salt"), hex::encode(salt).as_bytes())?;
    let commitment = commitment(&salt, paper.as_bytes());
    let mut commands: Vec<_> = stations.iter().map(|one| transfer(one, buyer)).collect();
    let attest = BodyBuilder::new()
        .text("kind", "charging.bill-of-sale")
        .bytes("commitment", &commitment);
    commands.push(("credential/document.attest", attest.build()));
    let claim = format!(
        "{} handed {} stations over to {}, and both signed the bill of sale",
        seller.name,
        stations.len(),
        buyer.name
    );
    submit(
        run,
        seller,
        &[buyer.party.key()],
        "identity",
        &commands,
        &claim,
    )?;
    let key = [b"document/".as_slice(), &commitment].concat();
    let (receipt, value) = receipt_of_state(run, "credential", &key)?;
    let signers = signers(value.as_deref().unwrap_or_default());
    let both = [seller.party.id(), buyer.party.id()];
    run.check(
        signers.as_deref() == Some(&both[..]),
        "seller and buyer as signers",
        || format!("{signers:?}"),
    )?;
    run.evidence(
        format!(
            "The bill of sale between {} and {} stands with both signatures",
            seller.name, buyer.name
        ),
        &receipt,
    )?;
    Ok(())
}

/// Who signed a document, from `[entry, height, kind, signers, replaces, replaced-by]` (docs/registers/credential.md).
fn signers(value: &[u8]) -> Option<Vec<PartyId>> {
    let mut decoder = Decoder::new(value);
    decoder.array_of(6, "a document of six parts").ok()?;
    for _ in 0..3 {
        decoder.skip().ok()?;
    }
    let count = decoder.array(16).ok()?;
    let mut ids = (0..count).map(|_| decoder.bytes32().map(PartyId::from_bytes));
    ids.by_ref().collect::<Result<_, _>>().ok()
}

pub(super) fn first(run: &mut Run<'_>, scene: &mut Scene) -> Result<(), ScenarioError> {
    run.step("sell-to-operator", |run| {
        let (maker, operator) = (scene.parties.maker.clone(), scene.parties.operator.clone());
        let alone = attempt(run, &maker, &[], "identity", &[transfer(scene.station(), &operator)])?;
        let row = refused("The maker hands a station over without the buyer", "identity.device.no-countersignature", outcome(&alone))?;
        show_refusals(run, "Before the sale", vec![row]);
        sell(run, &scene.stations, &maker, &operator, "bill-of-sale-1")?;
        for station in &mut scene.stations {
            station.title = Some(title_one(&mut scene.register, station, &operator)?);
        }
        let authority = scene.parties.authority.name.clone();
        let count = scene.stations.len();
        let mut titles: Vec<&mut Certificate> = scene.stations.iter_mut().filter_map(|station| station.title.as_mut()).collect();
        scene.register.commit(run, &mut titles, &format!("{authority} committed to {count} titles in {TITLES}"))?;
        scene.register.lists.publish(run, &scene.register.signing, &format!("{authority} published the status of all titles"))?;
        if let Some(title) = &scene.station().title {
            run.keep("title.sd-jwt", title.text.as_bytes())?;
        }
        let detail = format!("{count} stations went to {} with one entry that both signed; each carries a title from the authority\u{2019}s register.", operator.name);
        Ok(((), detail))
    })
}

pub(super) fn again(run: &mut Run<'_>, scene: &mut Scene) -> Result<(), ScenarioError> {
    run.step("sell-again", |run| {
        let (operator, second) = (scene.parties.operator.clone(), scene.parties.second.clone());
        let network = run.client().network().clone();
        let ask = || Question::fresh(AUDIENCE);
        let earlier_title = scene.station().title.clone();
        let question = ask();
        let before = answer(run, scene, scene.station(), &question)?;

        sell(run, &scene.stations[..1], &operator, &second, "bill-of-sale-2")?;
        if let Some(title) = &earlier_title {
            scene.register.lists.revoke(title.number)?;
        }
        let mut title = title_one(&mut scene.register, &scene.stations[0], &second)?;
        let authority = scene.parties.authority.name.clone();
        scene.register.commit(run, &mut [&mut title], &format!("{authority} committed to the title of the second owner"))?;
        scene.register.lists.publish(run, &scene.register.signing, &format!("{authority} published the list in which the first title is revoked"))?;
        let sold = &mut scene.stations[0];
        sold.title = Some(title);

        let mut rows = Vec::new();
        let now = ask();
        let known = accepted("the station of its second owner", judge(&answer(run, scene, scene.station(), &now)?, &now, &network))?;
        let owner = known.owner.as_ref().map(|(owner, _)| *owner);
        run.check(owner == Some(second.party.id()), "the second owner", || format!("{owner:?}"))?;

        // The first title, with the list of today and with that of before.
        let today = answer(run, scene, scene.station(), &now)?;
        let old_title = earlier_title.as_ref().map(|title| scene.register.shown(title, scene.station().key(), &super::verifier::title_fields(), &now));
        let mut with_old = today.clone();
        with_old.title = old_title.transpose()?;
        rows.push(refused("The first owner\u{2019}s title, with today\u{2019}s list", "status.revoked", judge(&with_old, &now, &network))?);
        if let (Some(shown), Some(kept)) = (&mut with_old.title, &before.title) {
            shown.status = kept.status.clone();
        }
        rows.push(refused("The same with the list from before the sale", "machine.other-owner", judge(&with_old, &now, &network))?);
        let known = accepted("what held before the sale", judge(&before, &question, &network))?;
        let as_of = known.document_as_of_ms;

        let copyist = scene.parties.copyist.clone();
        let done = attempt(run, &operator, &[copyist.party.key()], "identity", &[transfer(scene.station(), &copyist)])?;
        rows.push(refused("The first owner sells it once more", "identity.device.not-owner", outcome(&done))?);
        crate::kit::prove(run, &done, "The first owner\u{2019}s second sale is on record as refused")?;
        show_refusals(run, "After the second sale", rows);

        let (from, until) = earlier_owner(run, scene.station(), &operator)?;
        let detail = format!(
            "{} belongs to {}; that {} owned it in blocks {from} to {} stays proven, and its old answer says: as of {}.",
            scene.station().serial,
            second.name,
            operator.name,
            until.saturating_sub(1),
            when(as_of)
        );
        Ok(((), detail))
    })
}

/// The version of the station's document before the present one: that `owner` owned it, from which block on and until which.
fn earlier_owner(
    run: &mut Run<'_>,
    station: &Station,
    owner: &Office,
) -> Result<(u64, u64), ScenarioError> {
    let key = party_key(&station.office.party.id());
    let unreadable = |error: stele_core::cbor::BodyError| {
        ScenarioError::broken(
            "a party as docs/registers/identity.md describes it",
            error.to_string(),
        )
    };
    let (_, present) = receipt_of_state(run, "identity", &key)?;
    let present = PartyDocument::decode(present.as_deref().unwrap_or_default());
    let number = present.map_err(unreadable)?.number - 1;
    let (receipt, past) = receipt_of_state(run, "identity", &earlier(&key, number))?;
    let past = PartyDocument::decode(past.as_deref().unwrap_or_default()).map_err(unreadable)?;
    run.check(
        past.owner == Some(owner.party.id()),
        "the first owner in the version before",
        || format!("{past:?}"),
    )?;
    run.evidence(
        format!("{} owned the station before the second sale", owner.name),
        &receipt,
    )?;
    match past.held {
        (from, Some(until)) => Ok((from, until)),
        held => Err(ScenarioError::broken(
            "a version that has ended",
            format!("{held:?}"),
        )),
    }
}
