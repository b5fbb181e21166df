//! Deciding together, changing the committee, and evidence: networks of several validators.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use stele_core::id::sha256;
use stele_core::suite::SigningKey;
use stele_registers::governance::proposals::encode_action;
use stele_registers::governance::{
    ChangeStatus, ProposalStatus, change, committee, committee_numbered, dealing, member, proposal,
    proposal_count,
};
use stele_registers::json_to_body;

use crate::world::{World, did, hex, key, node, node_key, party};

/// A command for a proposal, in JSON.
fn action(world: &World, command: &str, body: Json) -> String {
    let fields = world
        .registry
        .command("governance", command)
        .unwrap()
        .fields;
    hex(&encode_action(
        command,
        &json_to_body(fields, &body).unwrap(),
    ))
}

/// Opens a proposal of one command by founder 1.
fn propose(world: &mut World, command: &str, body: Json) -> u64 {
    let action = action(world, command, body);
    let body = json!({"title": "A fictional proposal", "actions": [action]});
    world.ok(&key(1), &[], "governance/proposal.open", body);
    proposal_count(&world.state).unwrap()
}

fn vote(number: u64, approve: bool) -> Json {
    json!({"number": number, "approve": approve})
}

/// Proposes by founder 1 and lets 2 and 3 agree: a quorum of four.
fn decide(world: &mut World, command: &str, body: Json) {
    let number = propose(world, command, body);
    for n in [2, 3] {
        world.ok(&key(n), &[], "governance/proposal.vote", vote(number, true));
    }
    let decided = proposal(&world.state, number).unwrap().unwrap();
    assert_eq!(decided.status, ProposalStatus::Accepted);
}

fn validator(n: u8) -> Json {
    json!({
        "party": did(&key(n)),
        "node-key": hex(&node_key(n)),
        "address": format!("validator-{n}.example:7100"),
    })
}

fn deal(round: u64, n: u8) -> Json {
    json!({"round": round, "node-key": hex(&node_key(n)), "log": hex(&[n; 10])})
}

fn confirm(round: u64, n: u8, sharing: Option<&[u8]>) -> Json {
    match sharing {
        Some(bytes) => {
            json!({"round": round, "node-key": hex(&node_key(n)), "sharing": hex(bytes)})
        }
        None => json!({"round": round, "node-key": hex(&node_key(n))}),
    }
}

fn numbers(world: &World) -> Vec<[u8; 32]> {
    let committee = committee(&world.state).unwrap().unwrap();
    committee
        .validators
        .into_iter()
        .map(|validator| validator.node_key)
        .collect()
}

fn keys_of(numbers: &[u8]) -> Vec<[u8; 32]> {
    let mut keys: Vec<_> = numbers.iter().map(|n| node_key(*n)).collect();
    keys.sort_unstable();
    keys
}

fn join_member(world: &mut World, n: u8) {
    world.register(n);
    let body = json!({"party": did(&key(n)), "name": "Harbour (fictional)"});
    decide(world, "member.add", body);
}

fn stewards_decide_together(world: &mut World) {
    let five = world.register(5);
    let add = json!({"party": did(&five), "name": "Harbour (fictional)"});
    let alone = "governance.needs-proposal";
    world.no(&key(1), &[], "governance/member.add", add.clone(), alone);
    world.no(
        &key(1),
        &[],
        "governance/validator.add",
        validator(5),
        alone,
    );
    let remove = json!({"node-key": hex(&node_key(4))});
    world.no(&key(1), &[], "governance/validator.remove", remove, alone);
    world.no(
        &key(1),
        &[],
        "governance/committee.refresh",
        json!({}),
        alone,
    );

    // Refused when it is opened.
    let good = action(world, "member.add", add.clone());
    let open = |world: &mut World, signer: &SigningKey, actions: Vec<String>, more: Json, code| {
        let mut body = json!({"title": "x", "actions": actions});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        world.no(signer, &[], "governance/proposal.open", body, code);
    };
    open(
        world,
        &five,
        vec![good.clone()],
        json!({}),
        "governance.not-steward",
    );
    let own = hex(&encode_action("validator.leave", &[0xa0]));
    for bad in [
        own,
        "00".to_owned(),
        hex(&encode_action("no.such", &[0xa0])),
    ] {
        open(
            world,
            &key(1),
            vec![bad],
            json!({}),
            "governance.proposal.bad-action",
        );
    }
    let long = json!({"open-ms": 367u64 * 86_400_000});
    open(
        world,
        &key(1),
        vec![good.clone()],
        long,
        "governance.proposal.bad-time",
    );

    // Three of four agree.
    let number = propose(world, "member.add", add.clone());
    world.no(
        &five,
        &[],
        "governance/proposal.vote",
        vote(number, true),
        "governance.not-steward",
    );
    world.no(
        &key(2),
        &[],
        "governance/proposal.vote",
        vote(99, true),
        "governance.proposal.unknown",
    );
    world.ok(
        &key(2),
        &[],
        "governance/proposal.vote",
        vote(number, false),
    );
    world.ok(&key(3), &[], "governance/proposal.vote", vote(number, true));
    assert_eq!(
        member(world.view("governance"), &party(&five)).unwrap(),
        None
    );
    // A later vote replaces the earlier one.
    let events = world.ok(&key(2), &[], "governance/proposal.vote", vote(number, true));
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "governance/proposal.voted",
            "governance/proposal.closed",
            "governance/member.added"
        ]
    );
    assert!(
        member(world.view("governance"), &party(&five))
            .unwrap()
            .is_some()
    );
    world.no(
        &key(4),
        &[],
        "governance/proposal.vote",
        vote(number, true),
        "governance.proposal.over",
    );

    // Two against it and it can no longer pass.
    let number = propose(world, "member.suspend", json!({"party": did(&five)}));
    for n in [2, 3] {
        world.ok(
            &key(n),
            &[],
            "governance/proposal.vote",
            vote(number, false),
        );
    }
    let decided = proposal(&world.state, number).unwrap().unwrap();
    assert_eq!(decided.status, ProposalStatus::Rejected);

    // Its proposer takes it back; its time runs out.
    let number = propose(world, "member.suspend", json!({"party": did(&five)}));
    let withdraw = json!({"number": number});
    world.no(
        &key(2),
        &[],
        "governance/proposal.withdraw",
        withdraw.clone(),
        "governance.proposal.not-yours",
    );
    world.ok(&key(1), &[], "governance/proposal.withdraw", withdraw);
    let body = json!({"title": "x", "actions": [good], "open-ms": 1});
    world.ok(&key(1), &[], "governance/proposal.open", body);
    let number = proposal_count(&world.state).unwrap();
    world.no(
        &key(2),
        &[],
        "governance/proposal.vote",
        vote(number, true),
        "governance.proposal.over",
    );

    // What is refused when it is executed leaves the proposal open, and names the rule.
    let number = propose(world, "member.add", add);
    world.ok(&key(2), &[], "governance/proposal.vote", vote(number, true));
    world.no(
        &key(3),
        &[],
        "governance/proposal.vote",
        vote(number, true),
        "governance.member.exists",
    );
    let unknown = hex(&encode_action("member.add", &[0xa1, 0x61, b'x', 0x01]));
    let body = json!({"title": "x", "actions": [unknown]});
    world.ok(&key(1), &[], "governance/proposal.open", body);
    let number = proposal_count(&world.state).unwrap();
    world.ok(&key(2), &[], "governance/proposal.vote", vote(number, true));
    world.no(
        &key(3),
        &[],
        "governance/proposal.vote",
        vote(number, true),
        "governance.proposal.bad-action",
    );
}

fn a_validator_joins(world: &mut World) {
    // Nobody who is no member, no key that binds nobody, nothing that is there already.
    for (body, code) in [
        (validator(6), "governance.member.unknown"),
        (
            json!({"party": did(&key(5)), "node-key": hex(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "address": "a:1"}),
            "governance.validator.bad-key",
        ),
        (
            json!({"party": did(&key(5)), "node-key": hex(&node_key(4)), "address": "a:1"}),
            "governance.validator.exists",
        ),
        (
            json!({"party": did(&key(5)), "node-key": hex(&node_key(5)), "address": "nowhere"}),
            "governance.validator.bad-address",
        ),
        (
            json!({"party": did(&key(5)), "node-key": hex(&node_key(5)), "address": "a:1", "dealing-ms": 0}),
            "governance.change.bad-time",
        ),
    ] {
        let number = propose(world, "validator.add", body);
        world.ok(&key(2), &[], "governance/proposal.vote", vote(number, true));
        world.no(
            &key(3),
            &[],
            "governance/proposal.vote",
            vote(number, true),
            code,
        );
    }
    world.no(
        &key(1),
        &[],
        "governance/committee.deal",
        deal(1, 1),
        "governance.change.none",
    );
    decide(world, "validator.add", validator(5));
    let pending = change(&world.state).unwrap().unwrap();
    assert_eq!(
        (pending.round, pending.from, pending.status),
        (1, 1, ChangeStatus::Pending)
    );
    let leave = json!({"node-key": hex(&node_key(4))});
    world.no(
        &key(4),
        &[],
        "governance/validator.leave",
        leave,
        "governance.change.pending",
    );

    world.ok(&key(1), &[], "governance/committee.deal", deal(1, 1));
    assert_eq!(
        dealing(&world.state, 1, &node_key(1)).unwrap(),
        Some(vec![1; 10])
    );
    world.no(
        &key(1),
        &[],
        "governance/committee.deal",
        deal(1, 1),
        "governance.dealing.exists",
    );
    world.no(
        &key(1),
        &[],
        "governance/committee.deal",
        deal(1, 2),
        "governance.validator.not-yours",
    );
    world.no(
        &key(5),
        &[],
        "governance/committee.deal",
        deal(1, 5),
        "governance.validator.unknown",
    );
    world.no(
        &key(2),
        &[],
        "governance/committee.deal",
        deal(2, 2),
        "governance.change.none",
    );
    for n in [2, 3] {
        world.ok(&key(n), &[], "governance/committee.deal", deal(1, n));
    }
    let early = confirm(1, 1, Some(b"new"));
    world.no(
        &key(1),
        &[],
        "governance/committee.confirm",
        early,
        "governance.dealing.incomplete",
    );
    // One dealer is silent; when the time is over, a quorum is enough.
    world.time += 60_000;
    world.no(
        &key(4),
        &[],
        "governance/committee.deal",
        deal(1, 4),
        "governance.dealing.late",
    );
    let stranger = confirm(1, 6, Some(b"new"));
    world.no(
        &key(1),
        &[],
        "governance/committee.confirm",
        stranger,
        "governance.validator.unknown",
    );
    let other = confirm(1, 2, Some(b"new"));
    world.no(
        &key(1),
        &[],
        "governance/committee.confirm",
        other,
        "governance.validator.not-yours",
    );
    // One is mistaken at first; four of the five next ones are needed, three of the four present ones.
    world.ok(
        &key(1),
        &[],
        "governance/committee.confirm",
        confirm(1, 1, Some(b"old")),
    );
    for n in [2, 3, 1] {
        world.ok(
            &key(n),
            &[],
            "governance/committee.confirm",
            confirm(1, n, Some(b"new")),
        );
        assert_eq!(committee(&world.state).unwrap().unwrap().number, 1);
    }
    let events = world.ok(
        &key(5),
        &[],
        "governance/committee.confirm",
        confirm(1, 5, Some(b"new")),
    );
    assert_eq!(events.last().unwrap().name, "governance/committee.changed");
    let in_force = world.height;
    // One that comes late says that it agrees; another result is none of this round.
    let late = "governance/committee.confirm";
    world.ok(&key(4), &[], late, confirm(1, 4, Some(b"new")));
    let other = confirm(1, 4, Some(b"other"));
    world.no(&key(4), &[], late, other, "governance.change.none");
    let now = committee(&world.state).unwrap().unwrap();
    assert_eq!((now.number, &now.sharing[..]), (2, &b"new"[..]));
    assert_eq!(now.since.get(), in_force);
    assert_eq!(numbers(world), keys_of(&[1, 2, 3, 4, 5]));
    assert_eq!(
        committee_numbered(&world.state, 1)
            .unwrap()
            .unwrap()
            .validators
            .len(),
        4
    );
    assert_eq!(
        change(&world.state).unwrap().unwrap().status,
        ChangeStatus::Done
    );
}

/// All validators of the present committee deal, and all who may confirm do.
fn carry_out(world: &mut World, round: u64, dealers: &[u8], next: &[u8], sharing: &[u8]) {
    for n in dealers {
        let owner = key(if *n > 10 { 1 } else { *n });
        world.ok(&owner, &[], "governance/committee.deal", deal(round, *n));
    }
    let all: BTreeSet<_> = dealers.iter().chain(next).collect();
    for n in all {
        if change(&world.state).unwrap().unwrap().status == ChangeStatus::Pending {
            let owner = key(if *n > 10 { 1 } else { *n });
            let body = confirm(round, *n, Some(sharing));
            world.ok(&owner, &[], "governance/committee.confirm", body);
        }
    }
    assert_eq!(numbers(world), keys_of(next));
}

fn validators_leave_and_change_their_keys(world: &mut World) {
    let leave = |n: u8| json!({"node-key": hex(&node_key(n))});
    world.no(
        &key(1),
        &[],
        "governance/validator.leave",
        leave(4),
        "governance.validator.not-yours",
    );
    world.no(
        &key(4),
        &[],
        "governance/validator.leave",
        leave(9),
        "governance.validator.unknown",
    );
    world.ok(&key(4), &[], "governance/validator.leave", leave(4));
    // Logs of the round before are gone from the state.
    assert_eq!(dealing(&world.state, 1, &node_key(1)).unwrap(), None);
    carry_out(world, 2, &[1, 2, 3, 4, 5], &[1, 2, 3, 5], b"third");

    let rotate = |old: u8, new: u8, address: &str| json!({"node-key": hex(&node_key(old)), "new-node-key": hex(&node_key(new)), "address": address});
    world.no(
        &key(2),
        &[],
        "governance/validator.rotate",
        rotate(1, 11, "a:1"),
        "governance.validator.not-yours",
    );
    world.no(
        &key(1),
        &[],
        "governance/validator.rotate",
        rotate(1, 2, "a:1"),
        "governance.validator.exists",
    );
    world.no(
        &key(1),
        &[],
        "governance/validator.rotate",
        rotate(1, 11, "a"),
        "governance.validator.bad-address",
    );
    world.ok(
        &key(1),
        &[],
        "governance/validator.rotate",
        rotate(1, 11, "new.example:7100"),
    );
    carry_out(world, 3, &[1, 2, 3, 5], &[11, 2, 3, 5], b"fourth");

    decide(world, "committee.refresh", json!({}));
    carry_out(world, 4, &[11, 2, 3, 5], &[11, 2, 3, 5], b"fifth");
}

fn a_round_fails_and_one_that_hangs_makes_room(world: &mut World) {
    decide(world, "committee.refresh", json!({"dealing-ms": 5_000}));
    world.time += 5_000;
    // Nobody has dealt: the round never becomes complete, and another may begin.
    decide(world, "committee.refresh", json!({}));
    for n in [2, 3, 5] {
        world.ok(&key(n), &[], "governance/committee.deal", deal(6, n));
    }
    world.time += 60_000;
    for n in [2, 3] {
        world.ok(
            &key(n),
            &[],
            "governance/committee.confirm",
            confirm(6, n, None),
        );
    }
    let events = world.ok(
        &key(5),
        &[],
        "governance/committee.confirm",
        confirm(6, 5, None),
    );
    assert_eq!(events.last().unwrap().name, "governance/committee.failed");
    assert_eq!(
        change(&world.state).unwrap().unwrap().status,
        ChangeStatus::Failed
    );
    assert_eq!(committee(&world.state).unwrap().unwrap().sharing, b"fifth");
}

fn suspended_members_validate_no_more(world: &mut World) {
    // Five is a member without the role steward; two is a steward: both lose their seats.
    decide(world, "member.suspend", json!({"party": did(&key(5))}));
    let pending = change(&world.state).unwrap().unwrap();
    assert_eq!(pending.validators.len(), 3);
    carry_out(world, 7, &[11, 2, 3, 5], &[11, 2, 3], b"sixth");
    // Without a proposal's vote of its own: 1, 3 and 4 are the quorum of four stewards.
    let number = propose(world, "member.suspend", json!({"party": did(&key(2))}));
    for n in [3, 4] {
        world.ok(&key(n), &[], "governance/proposal.vote", vote(number, true));
    }
    carry_out(world, 8, &[11, 2, 3], &[11, 3], b"seventh");
    // Its votes count no longer: of three stewards, all are needed.
    world.no(
        &key(2),
        &[],
        "governance/proposal.vote",
        vote(number, true),
        "governance.not-steward",
    );
}

fn signed(n: u8, world: &World, kind: &str, subject: &[u8]) -> (String, String) {
    let namespace = [
        b"stele-consensus/".as_slice(),
        world.network.as_bytes(),
        format!("_{}", kind.to_uppercase()).as_bytes(),
    ]
    .concat();
    let message = [&[namespace.len() as u8], &namespace[..], subject].concat();
    (hex(subject), hex(&node(n).sign(&message)))
}

fn evidence(world: &World, by: u8, first: (&str, &[u8]), second: (&str, &[u8])) -> Json {
    let (one, two) = (
        signed(by, world, first.0, first.1),
        signed(by, world, second.0, second.1),
    );
    json!({
        "committee": 1, "node-key": hex(&node_key(4)),
        "first-kind": first.0, "first-subject": one.0, "first-signature": one.1,
        "second-kind": second.0, "second-subject": two.0, "second-signature": two.1,
    })
}

/// Epoch 1, view 200, and what a proposal has besides.
fn subject(view: u8, rest: &[u8]) -> Vec<u8> {
    [&[1, 0x80 | view, 1], rest].concat()
}

fn evidence_accuses_who_signed(world: &mut World) {
    let report = "governance/evidence.report";
    let (one, other, round) = (
        subject(72, b"payload one"),
        subject(72, b"payload other"),
        subject(72, b""),
    );
    let later = subject(73, b"payload other");
    let no_conflict = "governance.evidence.no-conflict";
    for (first, second, code) in [
        (("notarize", &one), ("notarize", &one), no_conflict),
        (("notarize", &one), ("finalize", &other), no_conflict),
        (("notarize", &one), ("nullify", &round), no_conflict),
        (("notarize", &one), ("notarize", &later), no_conflict),
        (("nullify", &one), ("finalize", &other), no_conflict),
        (("notarize", &round), ("notarize", &other), no_conflict),
    ] {
        let body = evidence(world, 4, (first.0, first.1), (second.0, second.1));
        world.no(&key(3), &[], report, body, code);
    }
    let votes = (("notarize", &one[..]), ("notarize", &other[..]));
    let forged = evidence(world, 3, votes.0, votes.1);
    world.no(
        &key(3),
        &[],
        report,
        forged,
        "governance.evidence.bad-signature",
    );
    let mut elsewhere = evidence(world, 4, votes.0, votes.1);
    elsewhere["committee"] = json!(99);
    world.no(
        &key(3),
        &[],
        report,
        elsewhere,
        "governance.evidence.no-validator",
    );
    let good = evidence(world, 4, votes.0, votes.1);
    let events = world.ok(&key(3), &[], report, good.clone());
    assert_eq!(events[0].name, "governance/evidence.recorded");
    world.no(&key(3), &[], report, good, "governance.evidence.known");
    for (view, first, second) in [
        (74, ("finalize", &b"one"[..]), ("finalize", &b"two"[..])),
        (75, ("nullify", &b""[..]), ("finalize", &b"two"[..])),
        (76, ("finalize", &b"one"[..]), ("nullify", &b""[..])),
    ] {
        let (one, two) = (subject(view, first.1), subject(view, second.1));
        let body = evidence(world, 4, (first.0, &one), (second.0, &two));
        world.ok(&key(3), &[], report, body);
    }
}

/// Runs all of it in one world and gives the rules that refused something.
pub fn rules_that_refused() -> BTreeSet<String> {
    let mut world = World::with_committee(4);
    stewards_decide_together(&mut world);
    a_validator_joins(&mut world);
    validators_leave_and_change_their_keys(&mut world);
    a_round_fails_and_one_that_hangs_makes_room(&mut world);
    evidence_accuses_who_signed(&mut world);
    suspended_members_validate_no_more(&mut world);
    let mut seen = world.seen.clone();
    seen.extend(edges());
    seen
}

/// Rules at the edges: none left, too many, no committee at all.
fn edges() -> BTreeSet<String> {
    let mut world = World::with_committee(1);
    let leave = json!({"node-key": hex(&node_key(1))});
    world.no(
        &key(1),
        &[],
        "governance/validator.leave",
        leave,
        "governance.committee.empty",
    );
    let last = action(&world, "member.suspend", json!({"party": did(&key(1))}));
    let body = json!({"title": "x", "actions": [last]});
    world.no(
        &key(1),
        &[],
        "governance/proposal.open",
        body,
        "governance.role.last-steward",
    );

    let mut alone = World::new();
    let leave = json!({"node-key": hex(&node_key(1))});
    alone.no(
        &key(1),
        &[],
        "governance/validator.leave",
        leave,
        "governance.no-committee",
    );

    let mut full = World::with_committee(100);
    let five = json!({"party": did(&key(1)), "node-key": hex(&node_key(101)), "address": "a:1"});
    let number = propose(&mut full, "validator.add", five);
    for n in 2..67 {
        full.ok(&key(n), &[], "governance/proposal.vote", vote(number, true));
    }
    full.no(
        &key(67),
        &[],
        "governance/proposal.vote",
        vote(number, true),
        "governance.committee.full",
    );

    let mut crowd = World::with_members(199, 1);
    let number = propose(&mut crowd, "committee.refresh", json!({}));
    for n in 2..=128 {
        crowd.ok(&key(n), &[], "governance/proposal.vote", vote(number, true));
    }
    crowd.no(
        &key(129),
        &[],
        "governance/proposal.vote",
        vote(number, true),
        "governance.proposal.too-many-votes",
    );

    let mut seen = world.seen;
    seen.extend(crowd.seen);
    seen.extend(alone.seen);
    seen.extend(full.seen);
    seen
}

#[test]
fn every_rule_of_committees_holds() {
    let seen = rules_that_refused();
    assert!(seen.contains("governance.evidence.bad-signature"));
}

#[test]
fn a_joining_member_is_decided_on_and_the_hash_of_a_sharing_is_what_is_confirmed() {
    let mut world = World::with_committee(4);
    join_member(&mut world, 6);
    decide(&mut world, "validator.add", validator(6));
    for n in 1..=4 {
        world.ok(&key(n), &[], "governance/committee.deal", deal(1, n));
    }
    world.ok(
        &key(6),
        &[],
        "governance/committee.confirm",
        confirm(1, 6, Some(b"s")),
    );
    let confirmed = change(&world.state).unwrap().unwrap().confirmed;
    assert_eq!(confirmed, [(node_key(6), sha256(&[b"s"]))]);
}
