//! Who holds what: claimed by the maker, handed over with both signatures.

use serde_json::{Value as Json, json};
use stele_core::id::Hash;

use super::parties::{Parties, prove};
use super::plan::{BOTTLES_PER_CASE, Plan, Role, item};
use super::{hexes, plan};
use crate::frame::{Actor, Block, Cell, Run, ScenarioError};

/// The mill claims every bottle, case and pallet and assigns the bottles to their lots.
pub(super) fn claim(
    run: &mut Run<'_>,
    parties: &Parties,
    plan: &Plan,
) -> Result<(), ScenarioError> {
    run.step("claim-items", |run| {
        let mut items = 0;
        for lot in &plan.lots {
            let bottles: Vec<Hash> = lot.bottles().map(|epc| item(epc)).collect();
            let mut claimed: Vec<Hash> = lot.cases.iter().map(|case| item(&case.epc)).collect();
            claimed.extend(&bottles);
            items += claimed.len();
            let lot_hash = hex::encode(stele_epcis::canonical::lot_hash(&lot.uri));
            let commands = [
                ("custody.claim", json!({"items": hexes(&claimed)})),
                ("lot.assign", json!({"lot": lot_hash, "items": hexes(&bottles)})),
            ];
            let done = run.submit(&parties.mill, "trace", &commands)?;
            let claim = format!(
                "The mill claimed the {} bottles and {} cases of lot {} as their maker",
                bottles.len(),
                lot.cases.len(),
                lot.name
            );
            prove(run, &done, &claim)?;
        }
        let pallets: Vec<Hash> = plan.pallets.iter().map(|pallet| item(&pallet.sscc)).collect();
        items += pallets.len();
        let done = run.submit(&parties.mill, "trace", &[("custody.claim", json!({"items": hexes(&pallets)}))])?;
        prove(run, &done, &format!("The mill claimed its {} pallets", pallets.len()))?;
        let detail = format!(
            "The mill is the maker and first holder of {items} items; the bottles belong to {} lots for ever.",
            plan.lots.len()
        );
        Ok(((), detail))
    })
}

/// All pallets go to the carrier, those delivered on to the shop. A pallet changes hands in one entry that both sides sign;
/// each of its cases by an offer and an acceptance, for sides that never meet.
pub(super) fn hand_over(
    run: &mut Run<'_>,
    parties: &Parties,
    plan: &Plan,
) -> Result<(), ScenarioError> {
    run.step("hand-over-custody", |run| {
        let legs = [(Role::Mill, Role::Carrier), (Role::Carrier, Role::Shop)];
        let total: usize = plan.pallets.iter().map(|pallet| 1 + usize::from(pallet.delivered)).sum();
        let (mut rows, mut moved, mut done) = (Vec::new(), 0, 0);
        for (from, to) in legs {
            let (giver, taker) = (parties.of(from), parties.of(to));
            for (number, pallet) in plan.pallets.iter().enumerate() {
                if to == Role::Shop && !pallet.delivered {
                    continue;
                }
                run.at(done, total);
                done += 1;
                let body = json!({"items": hexes(&[item(&pallet.sscc)]), "to": taker.id.did()});
                let entry = run.submit_together(giver, &[taker], "trace", &[("custody.transfer", body)])?;
                let claim = format!(
                    "Pallet {} went from the {} to the {}, signed by both in one entry",
                    number + 1,
                    from.key(),
                    to.key()
                );
                let file = prove(run, &entry, &claim)?;
                for case in &pallet.cases {
                    case_over(run, (giver, taker), &plan.case_items(*case))?;
                    moved += 1 + BOTTLES_PER_CASE;
                }
                moved += 1;
                rows.push(vec![
                    format!("Pallet {}", number + 1).into(),
                    from.title().into(),
                    to.title().into(),
                    Cell::Text(format!("{} cases", pallet.cases.len())),
                    Cell::Link("receipt".to_owned(), file),
                ]);
            }
        }
        run.show(Block::Table {
            caption: "Hand-overs".to_owned(),
            head: vec!["What", "From", "To", "With", "Proof"],
            rows,
        });
        cannot_take(run, parties, plan)?;
        let detail = format!(
            "{moved} changes of holder on {done} hand-overs of a pallet with its cases and bottles; none without both signatures."
        );
        Ok(((), detail))
    })
}

fn case_over(
    run: &mut Run<'_>,
    (giver, taker): (&Actor, &Actor),
    items: &[Hash],
) -> Result<(), ScenarioError> {
    let items: Json = hexes(items).into();
    let offer = json!({"items": items, "to": taker.id.did()});
    run.submit(giver, "trace", &[("custody.offer", offer)])?;
    let accept = json!({"items": items, "from": giver.id.did()});
    run.submit(taker, "trace", &[("custody.accept", accept)])?;
    Ok(())
}

/// The shop cannot take the pallet that is still on the road: the carrier has not offered it.
fn cannot_take(run: &mut Run<'_>, parties: &Parties, plan: &Plan) -> Result<(), ScenarioError> {
    let pallet = plan
        .pallets
        .iter()
        .find(|pallet| !pallet.delivered)
        .expect("a pallet is on the road");
    let body =
        json!({"items": hexes(&[plan::item(&pallet.sscc)]), "from": parties.carrier.id.did()});
    let done = run.submit_any(&parties.shop, &[], "trace", &[("custody.accept", body)])?;
    let code = done.refused.clone().unwrap_or_else(|| "applied".to_owned());
    run.check(
        code == "trace.custody.not-offered",
        "goods that were not offered to stay",
        || code.clone(),
    )?;
    prove(
        run,
        &done,
        "The shop could not take a pallet that the carrier had not offered",
    )?;
    Ok(())
}
