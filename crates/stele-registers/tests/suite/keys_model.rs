//! Keys against a plain model: random registrations, additions, rotations and revocations over ten keys.

use proptest::prelude::*;
use serde_json::json;
use stele_core::id::{Height, PartyId};
use stele_registers::identity;

use crate::world::{World, cose, key, kid};

#[derive(Debug, Clone)]
enum Step {
    Register,
    Add { new: usize },
    Rotate { old: usize, new: usize },
    Revoke { old: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Unused,
    Active(usize),
    Revoked,
}

fn step() -> impl Strategy<Value = (usize, Option<usize>, Step)> {
    let step = prop_oneof![
        Just(Step::Register),
        (0..10usize).prop_map(|new| Step::Add { new }),
        (0..10usize, 0..10usize).prop_map(|(old, new)| Step::Rotate { old, new }),
        (0..10usize).prop_map(|old| Step::Revoke { old }),
    ];
    (0..10usize, proptest::option::of(0..10usize), step).prop_map(|(signer, cosigner, step)| {
        // Mostly the new key does countersign.
        let cosigner = match (&step, cosigner) {
            (Step::Add { new } | Step::Rotate { new, .. }, Some(_)) => Some(*new),
            (_, other) => other,
        };
        (
            signer,
            cosigner.filter(|cosigner| *cosigner != signer),
            step,
        )
    })
}

/// The same rules, over numbers; a party is named by the number of its first key.
fn judge(model: &mut [Status; 10], signer: usize, cosigner: Option<usize>, step: &Step) -> bool {
    let brought = match step {
        Step::Add { new } | Step::Rotate { new, .. } => Some(*new),
        _ => None,
    };
    if let Some(cosigner) = cosigner {
        let known = matches!(model[cosigner], Status::Active(_));
        let new = model[cosigner] == Status::Unused && brought == Some(cosigner);
        if !known && !new {
            return false;
        }
    }
    if let Step::Register = step {
        let allowed = model[signer] == Status::Unused;
        if allowed {
            model[signer] = Status::Active(signer);
        }
        return allowed;
    }
    let Status::Active(party) = model[signer] else {
        return false;
    };
    let count = model
        .iter()
        .filter(|status| **status == Status::Active(party))
        .count();
    let proven = brought.is_none_or(|new| model[new] == Status::Unused && cosigner == Some(new));
    let allowed = match step {
        Step::Register => unreachable!("above"),
        Step::Add { .. } => proven,
        Step::Rotate { old, .. } => proven && model[*old] == Status::Active(party),
        Step::Revoke { old } => model[*old] == Status::Active(party) && count > 1,
    };
    if allowed {
        match step {
            Step::Register => {}
            Step::Add { new } => model[*new] = Status::Active(party),
            Step::Rotate { old, new } => {
                model[*old] = Status::Revoked;
                model[*new] = Status::Active(party);
            }
            Step::Revoke { old } => model[*old] = Status::Revoked,
        }
    }
    allowed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn register_and_model_agree(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        let keys: Vec<_> = (10..20).map(key).collect();
        let mut model = [Status::Unused; 10];
        let mut past = Vec::new();
        for (signer, cosigner, step) in steps {
            let allowed = judge(&mut model, signer, cosigner, &step);
            let (name, body) = match &step {
                Step::Register => ("party.register", json!({"kind": "service", "keys": [cose(&keys[signer])]})),
                Step::Add { new } => ("key.add", json!({"key": cose(&keys[*new])})),
                Step::Rotate { old, new } => {
                    ("key.rotate", json!({"old": kid(&keys[*old]).to_string(), "new_key": cose(&keys[*new])}))
                }
                Step::Revoke { old } => ("key.revoke", json!({"kid": kid(&keys[*old]).to_string()})),
            };
            let cosigners: Vec<_> = cosigner.iter().map(|cosigner| &keys[*cosigner]).collect();
            let outcome = world.many(&keys[signer], &cosigners, "identity", &[(name, body)]);
            prop_assert_eq!(outcome.is_ok(), allowed, "{:?} by {} with {:?}: {:?}", step, signer, cosigner, outcome);
            if allowed {
                past.push((world.height, model));
            }
        }
        // Every past height still answers, for every party.
        for (n, (height, model)) in past.iter().enumerate() {
            let last = past.get(n + 1).map_or(*height + 3, |next| next.0 - 1);
            for height in [*height, last] {
                for first in 0..10 {
                    let party = PartyId::of_first_key(&kid(&keys[first]));
                    let document = identity::document_at(&world.state, &party, Height::new(height)).unwrap();
                    let mut found: Vec<_> = document.map(|document| document.keys).unwrap_or_default();
                    found.sort_unstable();
                    let active = (0..10).filter(|n| model[*n] == Status::Active(first));
                    let mut expected: Vec<_> = active.map(|n| kid(&keys[n])).collect();
                    expected.sort_unstable();
                    prop_assert_eq!(found, expected, "party {} at {}", first, height);
                }
            }
        }
    }
}
