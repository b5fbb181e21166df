//! Keys against a plain model: random registrations, additions, rotations and revocations over two dozen keys.

use proptest::prelude::*;
use serde_json::json;
use stele_core::id::{Height, PartyId};
use stele_registers::identity;

use crate::world::{World, cose, key, kid};

const KEYS: usize = 24;
type Model = [Status; KEYS];

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

/// Numbers to choose from, and whether to choose sensibly: most random rotations would fail at the first rule.
#[derive(Debug, Clone)]
struct Draw {
    kind: usize,
    signer: usize,
    old: usize,
    new: usize,
    cosigner: Option<usize>,
    sensible: [bool; 4],
}

fn draw() -> impl Strategy<Value = Draw> {
    let sensible = proptest::array::uniform4(proptest::bool::weighted(0.8));
    let cosigner = proptest::option::of(0..KEYS);
    (0..7usize, 0..KEYS, 0..KEYS, 0..KEYS, cosigner, sensible).prop_map(
        |(kind, signer, old, new, cosigner, sensible)| Draw {
            kind,
            signer,
            old,
            new,
            cosigner,
            sensible,
        },
    )
}

/// The signer, the cosigner and the step that a draw means as things stand.
fn choose(draw: &Draw, model: &Model) -> (usize, Option<usize>, Step) {
    let pick = |number: usize, sensible: bool, wanted: &dyn Fn(Status) -> bool| {
        let fitting: Vec<_> = (0..KEYS).filter(|n| wanted(model[*n])).collect();
        if sensible && !fitting.is_empty() {
            fitting[number % fitting.len()]
        } else {
            number
        }
    };
    let new = pick(draw.new, draw.sensible[0], &|status| {
        status == Status::Unused
    });
    if draw.kind == 0 {
        return (
            new,
            draw.cosigner.filter(|cosigner| *cosigner != new),
            Step::Register,
        );
    }
    let signer = pick(draw.signer, draw.sensible[1], &|status| {
        matches!(status, Status::Active(_))
    });
    let old = pick(draw.old, draw.sensible[2], &|status| {
        status == model[signer] && matches!(status, Status::Active(_))
    });
    let step = match draw.kind {
        1 | 2 => Step::Add { new },
        3 | 4 => Step::Rotate { old, new },
        _ => Step::Revoke { old },
    };
    let brings = draw.kind < 5 && draw.sensible[3];
    let cosigner = if brings { Some(new) } else { draw.cosigner };
    (
        signer,
        cosigner.filter(|cosigner| *cosigner != signer),
        step,
    )
}

/// The same rules, over numbers; a party is named by the number of its first key.
fn judge(model: &mut Model, signer: usize, cosigner: Option<usize>, step: &Step) -> bool {
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
    fn register_and_model_agree(draws in proptest::collection::vec(draw(), 1..80)) {
        let mut world = World::new();
        let keys: Vec<_> = (10..10 + KEYS as u8).map(key).collect();
        let mut model = [Status::Unused; KEYS];
        let mut past = Vec::new();
        for draw in draws {
            let (signer, cosigner, step) = choose(&draw, &model);
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
        for (n, status) in model.iter().enumerate() {
            let record = identity::key_record(world.view("identity"), &kid(&keys[n])).unwrap();
            let revoked = record.map(|record| record.revoked.is_some());
            let expected = match status {
                Status::Unused => None,
                Status::Active(_) => Some(false),
                Status::Revoked => Some(true),
            };
            prop_assert_eq!(revoked, expected, "key {}", n);
        }
        // Every past height still answers, for every party.
        for (n, (height, model)) in past.iter().enumerate() {
            let last = past.get(n + 1).map_or(*height + 3, |next| next.0 - 1);
            for height in [*height, last] {
                for first in 0..KEYS {
                    let party = PartyId::of_first_key(&kid(&keys[first]));
                    let document = identity::document_at(&world.state, &party, Height::new(height)).unwrap();
                    let mut found: Vec<_> = document.map(|document| document.keys).unwrap_or_default();
                    found.sort_unstable();
                    let active = (0..KEYS).filter(|n| model[*n] == Status::Active(first));
                    let mut expected: Vec<_> = active.map(|n| kid(&keys[n])).collect();
                    expected.sort_unstable();
                    prop_assert_eq!(found, expected, "party {} at {}", first, height);
                }
            }
        }
    }
}
