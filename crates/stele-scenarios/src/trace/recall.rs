//! A recall: who may order it, who holds what it names, and its end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::{Value as Json, json};
use stele_core::id::{Hash, PartyId};
use stele_epcis::canonical::lot_hash;

use super::journey::unreadable;
use super::parties::{Parties, prove};
use super::plan::{Plan, RECALLED, item, serial};
use super::state::{self, Item, Lot, Recall};
use super::{Measured, epcis};
use crate::frame::{Bar, Block, Cell, Run, ScenarioError};

const RECALL_ID: &str = "recall-1";
const REASON: &str = "Peroxide value above the limit in a retained sample (fictional).";

fn order(plan: &Plan) -> Json {
    let lot = &plan.lots[RECALLED];
    json!({"recall_id": RECALL_ID, "lot": hex::encode(lot_hash(&lot.uri)), "reason": REASON, "severity": "serious"})
}

/// An outsider orders a recall: refused, and the refusal is on record.
pub(super) fn refuse(
    run: &mut Run<'_>,
    parties: &Parties,
    plan: &Plan,
) -> Result<(), ScenarioError> {
    run.step("refuse-unaccredited-recall", |run| {
        let outsider = &parties.outsider;
        let done = run.submit_any(outsider, &[], "trace", &[("recall.issue", order(plan))])?;
        let code = done.refused.clone().unwrap_or_else(|| "applied".to_owned());
        run.check(code == "trace.recall.not-allowed", "a recall by an outsider to be refused", || code.clone())?;
        prove(run, &done, &format!("{} tried to recall lot B and was refused by {code}", outsider.name))?;
        let key = state::recall_key(&outsider.id, RECALL_ID);
        let (receipt, value) =
            run.client().verified_state("trace", &key).map_err(ScenarioError::client("reading a recall"))?;
        run.check(value.is_none(), "no trace of the refused recall in the state", || "there is one".to_owned())?;
        run.evidence("No such recall stands in the state", &receipt)?;
        Ok(((), format!("{} is not accredited: the entry is on record as refused by {code}, and no recall came of it.", outsider.name)))
    })
}

pub(super) fn issue(
    run: &mut Run<'_>,
    parties: &Parties,
    plan: &Plan,
) -> Result<(), ScenarioError> {
    run.step("issue-recall", |run| {
        let authority = &parties.authority;
        let done = run.submit(authority, "trace", &[("recall.issue", order(plan))])?;
        let claim = format!(
            "{} recalled lot {}",
            authority.name, plan.lots[RECALLED].name
        );
        prove(run, &done, &claim)?;
        let key = state::lot_key(&Hash::from_bytes(lot_hash(&plan.lots[RECALLED].uri)));
        let (receipt, value) = run
            .client()
            .verified_state("trace", &key)
            .map_err(ScenarioError::client("reading a lot"))?;
        let lot = Lot::decode(&value.unwrap_or_default()).map_err(unreadable)?;
        let expected = state::recall_key(&authority.id, RECALL_ID);
        let named = lot
            .recall
            .map(|recall| [b"recall/".as_slice(), recall.as_bytes()].concat());
        run.check(
            named.as_ref() == Some(&expected),
            "the lot to name its recall",
            || format!("{:?}", lot.recall),
        )?;
        run.check(
            lot.maker == parties.mill.id,
            "the mill as the lot\u{2019}s maker",
            || lot.maker.did(),
        )?;
        run.evidence(
            "The recall stands at the lot, for everyone who looks it up",
            &receipt,
        )?;
        Ok(((), format!("{claim}, in block {}: {REASON}", done.height)))
    })
}

/// Every bottle of the lot by the proven list, and the proven holder of each.
pub(super) fn find_holders(
    run: &mut Run<'_>,
    parties: &Parties,
    plan: &Plan,
    measured: &mut Measured,
) -> Result<(), ScenarioError> {
    run.step("find-holders", |run| {
        let begin = Instant::now();
        let lot = &plan.lots[RECALLED];
        let items = items_of(run, &lot_hash(&lot.uri))?;
        let mut holders = Vec::new();
        let reading = || ScenarioError::client("reading a holder");
        // The hashes say nothing to a stranger; the mill knows its bottles by theirs.
        let names: BTreeMap<Hash, &String> = lot.bottles().map(|epc| (item(epc), epc)).collect();
        for (done, hash) in items.iter().enumerate() {
            run.at(done, items.len());
            let (receipt, value) = run
                .client()
                .verified_state("trace", &state::item_key(hash))
                .map_err(reading())?;
            let head = Item::decode(&value.unwrap_or_default()).map_err(unreadable)?;
            let epc = names.get(hash).ok_or_else(|| {
                ScenarioError::broken("a bottle of the mill in its lot", format!("{hash:?}"))
            })?;
            let (Some(holder), Some(since)) = (head.holder, head.since) else {
                return Err(ScenarioError::broken(
                    "a holder of each bottle",
                    (*epc).clone(),
                ));
            };
            let claim = format!(
                "Bottle {} of recalled lot {} is held by {} since block {since}",
                serial(epc),
                lot.name,
                parties.name(&holder)
            );
            let (_, file) = run.evidence(claim, &receipt)?;
            holders.push(((*epc).clone(), holder, file));
        }
        measured.holders = begin.elapsed();
        let sold = sold(run, &holders, &parties.shop.id)?;
        let expected: BTreeSet<&String> = plan
            .sold
            .iter()
            .filter(|epc| lot.bottles().any(|other| other == *epc))
            .collect();
        run.check(
            sold.iter().collect::<BTreeSet<_>>() == expected,
            "the till\u{2019}s events to tell the sold bottles",
            || format!("{sold:?}"),
        )?;
        let parts = show(run, parties, lot.name, &holders, &sold);
        check_places(run, parties, plan, &holders)?;
        Ok((
            (),
            format!(
                "All {} bottles of lot {} have a proven holder: {parts}.",
                holders.len(),
                lot.name
            ),
        ))
    })
}

/// The lot's proven list of items.
fn items_of(run: &mut Run<'_>, lot: &[u8; 32]) -> Result<Vec<Hash>, ScenarioError> {
    let reading = || ScenarioError::client("reading a lot");
    let key = state::lot_key(&Hash::from_bytes(*lot));
    let (_, value) = run
        .client()
        .verified_state("trace", &key)
        .map_err(reading())?;
    let head = Lot::decode(&value.unwrap_or_default()).map_err(unreadable)?;
    let mut items = Vec::new();
    for number in 0..head.items.div_ceil(state::PAGE_ITEMS) {
        let (receipt, value) = run
            .client()
            .verified_state("trace", &state::page_key(&key, number))
            .map_err(reading())?;
        let page = state::decode_page(&value.unwrap_or_default()).map_err(unreadable)?;
        run.evidence(
            format!(
                "Page {number} of the list of the recalled lot, with {} bottles",
                page.len()
            ),
            &receipt,
        )?;
        items.extend(page);
    }
    run.check(
        items.len() as u64 == head.items,
        "as many items as the lot says",
        || items.len().to_string(),
    )?;
    Ok(items)
}

/// Which of the shop's bottles went over the till, by EPCIS query.
fn sold(
    run: &Run<'_>,
    holders: &[(String, PartyId, String)],
    shop: &PartyId,
) -> Result<Vec<String>, ScenarioError> {
    let with_shop: Vec<&str> = holders
        .iter()
        .filter(|(_, holder, _)| holder == shop)
        .map(|(epc, _, _)| epc.as_str())
        .collect();
    let query = format!(
        "EQ_bizStep=retail_selling&MATCH_anyEPC={}",
        epcis::encode(&with_shop.join("|"))
    );
    let mut sold = Vec::new();
    for event in epcis::events(run.client(), &query)? {
        let list = event["epcList"].as_array().cloned().unwrap_or_default();
        sold.extend(
            list.iter()
                .filter_map(Json::as_str)
                .filter(|epc| with_shop.contains(epc))
                .map(str::to_owned),
        );
    }
    Ok(sold)
}

/// Shows who holds what, and says it in words.
fn show(
    run: &mut Run<'_>,
    parties: &Parties,
    lot: &str,
    holders: &[(String, PartyId, String)],
    sold: &[String],
) -> String {
    let count = |test: &dyn Fn(&str, &PartyId) -> bool| {
        holders
            .iter()
            .filter(|(epc, holder, _)| test(epc, holder))
            .count() as u64
    };
    let went = |epc: &str| sold.iter().any(|other| other == epc);
    let bars = vec![
        Bar {
            label: "on the shop\u{2019}s shelf".to_owned(),
            count: count(&|epc, holder| *holder == parties.shop.id && !went(epc)),
        },
        Bar {
            label: "sold by the shop".to_owned(),
            count: count(&|epc, holder| *holder == parties.shop.id && went(epc)),
        },
        Bar {
            label: "with the carrier, on the road".to_owned(),
            count: count(&|_, holder| *holder == parties.carrier.id),
        },
        Bar {
            label: "with the mill".to_owned(),
            count: count(&|_, holder| *holder == parties.mill.id),
        },
    ];
    let words: Vec<String> = bars
        .iter()
        .map(|bar| format!("{} {}", bar.count, bar.label))
        .collect();
    run.show(Block::Shares {
        caption: format!("The bottles of lot {lot}"),
        bars,
    });
    let rows = [&parties.shop, &parties.carrier, &parties.mill]
        .into_iter()
        .map(|party| {
            let theirs: Vec<_> = holders
                .iter()
                .filter(|(_, holder, _)| *holder == party.id)
                .collect();
            let range = match (theirs.first(), theirs.last()) {
                (Some(first), Some(last)) => format!("{} to {}", serial(&first.0), serial(&last.0)),
                _ => "none".to_owned(),
            };
            let proofs = match (theirs.first(), theirs.last()) {
                (Some((_, _, first)), Some((_, _, last))) => format!(
                    "{} receipts, {} to {}",
                    theirs.len(),
                    number(first),
                    number(last)
                ),
                _ => String::new(),
            };
            vec![
                party.name.clone().into(),
                theirs.len().to_string().into(),
                Cell::Code(range),
                proofs.into(),
            ]
        });
    let rows = rows.collect();
    run.show(Block::Table {
        caption: "Whom the authority tells".to_owned(),
        head: vec!["Holder", "Bottles", "Serial numbers from", "Proof"],
        rows,
    });
    words.join(", ")
}

fn number(file: &str) -> &str {
    file.split('-').next().unwrap_or(file)
}

/// The proven holders are those of the plan: the shop for delivered pallets, the carrier for the others, else the mill.
fn check_places(
    run: &Run<'_>,
    parties: &Parties,
    plan: &Plan,
    holders: &[(String, PartyId, String)],
) -> Result<(), ScenarioError> {
    for (index, case) in plan.lots[RECALLED].cases.iter().enumerate() {
        let pallet = plan
            .pallets
            .iter()
            .find(|pallet| pallet.cases.contains(&(RECALLED, index)));
        let expected = match pallet {
            Some(pallet) if pallet.delivered => &parties.shop,
            Some(_) => &parties.carrier,
            None => &parties.mill,
        };
        for bottle in &case.bottles {
            let found = holders.iter().find(|(epc, _, _)| epc == bottle);
            let holds = found.is_some_and(|(_, holder, _)| *holder == expected.id);
            run.check(holds, &format!("{bottle} with {}", expected.name), || {
                format!("{found:?}")
            })?;
        }
    }
    Ok(())
}

pub(super) fn close(run: &mut Run<'_>, parties: &Parties) -> Result<(), ScenarioError> {
    run.step("close-recall", |run| {
        let authority = &parties.authority;
        let body = json!({"recall_id": RECALL_ID, "outcome": "All bottles accounted for: returned, destroyed, or their buyers told (fictional)."});
        let done = run.submit(authority, "trace", &[("recall.close", body)])?;
        prove(run, &done, &format!("{} closed the recall", authority.name))?;
        let key = state::recall_key(&authority.id, RECALL_ID);
        let (receipt, value) =
            run.client().verified_state("trace", &key).map_err(ScenarioError::client("reading a recall"))?;
        let recall = Recall::decode(&value.unwrap_or_default()).map_err(unreadable)?;
        run.check(recall.closed == Some(done.height), "the recall closed in the entry\u{2019}s block", || format!("{:?}", recall.closed))?;
        run.check(recall.issuer == authority.id && recall.lot.is_some(), "the authority\u{2019}s recall of a lot", || format!("{recall:?}"))?;
        run.evidence(format!("The recall is closed since block {}", done.height), &receipt)?;
        Ok(((), format!("{} closed the recall in block {}; its outcome stays on record.", authority.name, done.height)))
    })
}
