//! Chains of accreditations against a plain model.

use proptest::prelude::*;
use serde_json::json;
use stele_core::cbor::Body;
use stele_core::id::{Hash, TimeMs};
use stele_registers::identity;

use crate::world::{World, did, key, party};

const ACTIONS: [&str; 3] = ["a/x", "a/y", "a/*"];
const PARTIES: usize = 5;

#[derive(Debug, Clone)]
enum Step {
    /// `parent` counts the grants made so far, wrapping; `None` lets the register choose.
    Grant {
        issuer: usize,
        subject: usize,
        action: usize,
        lasts: Option<u64>,
        delegable: bool,
        parent: Option<usize>,
    },
    Revoke {
        by: usize,
        which: usize,
    },
    Wait,
}

/// A grant in the model; party 0 is the steward.
#[derive(Debug, Clone)]
struct Grant {
    issuer: usize,
    subject: usize,
    action: usize,
    until: Option<u64>,
    delegable: bool,
    parent: Option<usize>,
    revoked: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let lasts = proptest::option::of(1..40_000u64);
    let parent = proptest::option::of(0..100usize);
    let grant = (
        0..PARTIES,
        0..PARTIES,
        0..3usize,
        lasts,
        proptest::bool::weighted(0.7),
        parent,
    );
    prop_oneof![
        6 => grant.prop_map(|(issuer, subject, action, lasts, delegable, parent)| {
            Step::Grant { issuer, subject, action, lasts, delegable, parent }
        }),
        1 => (0..PARTIES, 0..100usize).prop_map(|(by, which)| Step::Revoke { by, which }),
        1 => Just(Step::Wait),
    ]
}

fn covers(held: usize, asked: usize) -> bool {
    held == asked || ACTIONS[held] == "a/*"
}

fn depth(grants: &[Grant], index: usize) -> usize {
    1 + grants[index]
        .parent
        .map_or(0, |parent| depth(grants, parent))
}

fn valid(grants: &[Grant], index: usize, now: u64) -> bool {
    let grant = &grants[index];
    !grant.revoked
        && grant.until.is_none_or(|until| now <= until)
        && grant.parent.is_none_or(|parent| valid(grants, parent, now))
}

fn may_issue(grants: &[Grant], parent: usize, issuer: usize, action: usize, now: u64) -> bool {
    let held = &grants[parent];
    held.subject == issuer
        && held.delegable
        && covers(held.action, action)
        && valid(grants, parent, now)
}

/// Whether the end and the length of the chain allow a grant under `parent`.
fn fits(grants: &[Grant], parent: Option<usize>, until: Option<u64>) -> bool {
    let latest = parent.and_then(|parent| grants[parent].until);
    let long = parent.map_or(0, |parent| depth(grants, parent)) >= 8;
    !long && !matches!((until, latest), (Some(until), Some(latest)) if until > latest)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn register_and_model_agree(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        let mut parties = vec![key(1)];
        parties.extend((10..14).map(|n| world.register(n)));
        let mut grants: Vec<Grant> = Vec::new();
        let mut ids: Vec<Hash> = Vec::new();
        for step in steps {
            // The block's time when the entry is executed.
            let now = world.time + 1000;
            match step {
                Step::Wait => world.time += 10_000,
                Step::Revoke { by, which } => {
                    let Some(which) = which.checked_rem(grants.len()) else { continue };
                    let allowed = (by == 0 || grants[which].issuer == by) && !grants[which].revoked;
                    let body = json!({"id": ids[which].to_string()});
                    let outcome = world.many(&parties[by], &[], "identity", &[("accreditation.revoke", body)]);
                    prop_assert_eq!(outcome.is_ok(), allowed);
                    grants[which].revoked |= allowed;
                }
                Step::Grant { issuer, subject, action, lasts, delegable, parent } => {
                    let named = parent.and_then(|parent| parent.checked_rem(grants.len()));
                    let until = lasts.map(|lasts| now + lasts);
                    let body = json!({
                        "subject": did(&parties[subject]), "action": ACTIONS[action], "until": until,
                        "delegable": delegable, "parent": named.map(|parent| ids[parent].to_string()),
                    });
                    let outcome = world.many(&parties[issuer], &[], "identity", &[("accreditation.grant", body)]);
                    let candidates: Vec<_> = (0..grants.len())
                        .filter(|parent| may_issue(&grants, *parent, issuer, action, now))
                        .collect();
                    match (named, &outcome) {
                        (Some(parent), _) => {
                            let allowed = candidates.contains(&parent) && fits(&grants, Some(parent), until);
                            prop_assert_eq!(outcome.is_ok(), allowed, "{:?}", outcome);
                        }
                        (None, _) if issuer == 0 => prop_assert!(outcome.is_ok(), "{:?}", outcome),
                        (None, Ok(_)) => {}
                        // The register tries the first that fits the action; end and length are judged under that one.
                        (None, Err(_)) => {
                            let sure = !candidates.is_empty() && candidates.iter().all(|parent| fits(&grants, Some(*parent), until));
                            prop_assert!(!sure, "{:?} though {:?}", outcome, candidates);
                        }
                    }
                    if let Ok(events) = outcome {
                        let id = Hash::from_bytes(Body::decode(&events[0].body).unwrap().bytes32("id").unwrap());
                        let read = identity::accreditation(world.view("identity"), &id).unwrap().unwrap();
                        let parent = read.parent.map(|parent| ids.iter().position(|id| *id == parent).unwrap());
                        prop_assert_eq!(parent.is_none(), issuer == 0 && named.is_none());
                        if let Some(parent) = parent {
                            prop_assert!(candidates.contains(&parent) && fits(&grants, Some(parent), until));
                        }
                        let until = until.or(parent.and_then(|parent| grants[parent].until));
                        prop_assert_eq!(read.until.map(TimeMs::get), until);
                        grants.push(Grant { issuer, subject, action, until, delegable, parent, revoked: false });
                        ids.push(id);
                    }
                }
            }
            let now = world.time;
            for (number, who) in parties.iter().enumerate() {
                for (action, name) in ACTIONS.iter().enumerate() {
                    let found = identity::is_accredited(world.view("identity"), &party(who), name, None, TimeMs::new(now)).unwrap();
                    let expected = (0..grants.len()).any(|index| {
                        grants[index].subject == number && covers(grants[index].action, action) && valid(&grants, index, now)
                    });
                    prop_assert_eq!(found.is_some(), expected, "{} {}", number, name);
                }
            }
        }
    }
}
