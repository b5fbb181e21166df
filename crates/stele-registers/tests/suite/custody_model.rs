//! Custody against a plain model: random entries of one to three commands by four parties over five items.

use proptest::prelude::*;
use serde_json::json;
use stele_core::suite::SigningKey;
use stele_registers::trace;

use crate::world::{World, did, item, party};

#[derive(Debug, Clone)]
enum Step {
    Claim,
    Offer { to: usize },
    Accept { from: usize },
    Withdraw,
    Transfer { to: usize },
}

/// Holder, maker and offer of each item; parties by number.
type Model = [(Option<usize>, Option<usize>); 5];

fn step() -> impl Strategy<Value = (Step, Vec<u8>)> {
    let step = prop_oneof![
        Just(Step::Claim),
        (0..4usize).prop_map(|to| Step::Offer { to }),
        (0..4usize).prop_map(|from| Step::Accept { from }),
        Just(Step::Withdraw),
        (0..4usize).prop_map(|to| Step::Transfer { to }),
    ];
    (
        step,
        proptest::sample::subsequence(vec![0u8, 1, 2, 3, 4], 1..=2),
    )
}

/// Signer, cosigner, and steps with the items they name.
type Entry = (usize, Option<usize>, Vec<(Step, Vec<u8>)>);

fn entry() -> impl Strategy<Value = Entry> {
    (
        0..4usize,
        proptest::option::of(0..4usize),
        proptest::collection::vec(step(), 1..=3),
    )
}

/// The same rules, over numbers.
fn judge(
    model: &mut Model,
    signer: usize,
    cosigner: Option<usize>,
    step: &Step,
    items: &[u8],
) -> bool {
    match step {
        Step::Offer { to } if *to == signer => return false,
        Step::Transfer { to } if *to == signer || cosigner != Some(*to) => return false,
        _ => {}
    }
    items.iter().all(|item| {
        let (holder, offer) = &mut model[usize::from(*item)];
        let mine = *holder == Some(signer);
        let allowed = match step {
            Step::Claim => holder.is_none(),
            Step::Offer { .. } => mine && offer.is_none(),
            Step::Accept { from } => *holder == Some(*from) && *offer == Some(signer),
            Step::Withdraw => mine && offer.is_some(),
            Step::Transfer { to } => mine && offer.is_none_or(|offer| offer == *to),
        };
        if allowed {
            (*holder, *offer) = match step {
                Step::Claim | Step::Accept { .. } => (Some(signer), None),
                Step::Offer { to } => (*holder, Some(*to)),
                Step::Withdraw => (*holder, None),
                Step::Transfer { to } => (Some(*to), None),
            };
        }
        allowed
    })
}

fn command(parties: &[SigningKey], step: &Step, items: &[u8]) -> (&'static str, serde_json::Value) {
    let items: Vec<_> = items.iter().map(|n| item(*n).to_string()).collect();
    match step {
        Step::Claim => ("custody.claim", json!({"items": items})),
        Step::Offer { to } => (
            "custody.offer",
            json!({"items": items, "to": did(&parties[*to])}),
        ),
        Step::Accept { from } => (
            "custody.accept",
            json!({"items": items, "from": did(&parties[*from])}),
        ),
        Step::Withdraw => ("custody.withdraw", json!({"items": items})),
        Step::Transfer { to } => (
            "custody.transfer",
            json!({"items": items, "to": did(&parties[*to])}),
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn register_and_model_agree(entries in proptest::collection::vec(entry(), 1..60)) {
        let mut world = World::new();
        let parties: Vec<_> = (10..14).map(|n| world.register(n)).collect();
        let mut model: Model = Default::default();
        for (signer, cosigner, steps) in entries {
            let cosigner = cosigner.filter(|cosigner| *cosigner != signer);
            let mut next = model;
            let refused = steps.iter().position(|(step, items)| !judge(&mut next, signer, cosigner, step, items));
            let commands: Vec<_> = steps.iter().map(|(step, items)| command(&parties, step, items)).collect();
            let cosigners: Vec<_> = cosigner.iter().map(|cosigner| &parties[*cosigner]).collect();
            let outcome = world.many(&parties[signer], &cosigners, "trace", &commands);
            prop_assert_eq!(outcome.as_ref().err().map(|(index, _)| *index as usize), refused, "{:?}: {:?}", steps, outcome);
            if refused.is_none() {
                model = next;
            }
            for (number, (holder, offer)) in model.iter().enumerate() {
                let head = trace::item(world.view("trace"), &item(number as u8)).unwrap().unwrap_or_default();
                prop_assert_eq!(head.holder, holder.map(|n| party(&parties[n])));
                prop_assert_eq!(head.offered, offer.map(|n| party(&parties[n])));
            }
        }
    }
}
