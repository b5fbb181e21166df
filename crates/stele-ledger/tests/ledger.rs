//! The ledger with the real registers: submit, finality, receipts, refusals, reopening.

mod support;

use std::path::Path;

use stele_core::id::Height;
use stele_core::receipt::verify;
use stele_ledger::doctor;
use support::{World, record_event};

#[test]
fn an_entry_becomes_final_and_its_receipt_proves_it() {
    let world = World::new();
    let ledger = world.open();
    let mill = world.register(&ledger, 1, "Fictional Olive Mill");
    let entry = mill.entry(
        &world,
        "trace",
        vec![record_event("urn:example:event:1", [1; 32])],
    );
    let done = support::submit(&ledger, &entry).expect("ordered");
    assert!(done.refusal.is_none(), "{:?}", done.refusal);

    let receipt = ledger
        .entry_receipt(done.log_index, true)
        .expect("receipt")
        .encode();
    let verified = verify(&receipt, &ledger.descriptor()).expect("valid");
    let proven = verified.entry.expect("an entry claim");
    assert_eq!(proven.record.entry_id, entry.id());
    assert_eq!(proven.record.party, mill.party());
    assert_eq!(proven.record.rule, "trace@1");
    assert_eq!(proven.entry.expect("travels along").bytes(), entry.bytes());

    let small = ledger
        .entry_receipt(done.log_index, false)
        .expect("receipt")
        .encode();
    assert!(small.len() < 2048, "{} bytes", small.len());
    verify(&small, &ledger.descriptor()).expect("valid without the entry");

    let key = [b"key/".as_slice(), mill.key().public().kid().as_bytes()].concat();
    let state = ledger
        .state_receipt(&[("identity", &key), ("identity", b"nobody")])
        .expect("proof")
        .encode();
    let verified = verify(&state, &ledger.descriptor()).expect("valid");
    assert!(verified.state[0].value.is_some(), "the key is registered");
    assert!(verified.state[1].value.is_none(), "absence is proven");
}

#[test]
fn refusals_change_nothing() {
    let world = World::new();
    let ledger = world.open();
    let mill = world.register(&ledger, 1, "Fictional Olive Mill");
    let entry = mill.entry(
        &world,
        "trace",
        vec![record_event("urn:example:event:1", [1; 32])],
    );
    support::submit(&ledger, &entry).expect("ordered");
    let before = ledger.head();

    let refused = |bytes: Vec<u8>, code: &str| {
        let refusal = support::submit_bytes(&ledger, bytes).expect_err(code);
        assert_eq!(refusal.code, code, "{refusal}");
        assert!(
            !refusal.sentence.is_empty() && !refusal.hint.is_empty(),
            "{code} explains itself"
        );
        assert_eq!(ledger.head(), before, "{code} changed something");
    };
    refused(entry.bytes().to_vec(), "entry.replayed");
    refused(b"not an entry".to_vec(), "entry.malformed");
    refused(vec![0; 1 << 21], "entry.too-large");
    let mut tampered = mill
        .entry(
            &world,
            "trace",
            vec![record_event("urn:example:event:2", [2; 32])],
        )
        .into_bytes();
    *tampered.last_mut().expect("not empty") ^= 1;
    refused(tampered, "entry.bad-signature");
    let stranger = support::Signer::new(99);
    refused(
        stranger
            .entry(
                &world,
                "trace",
                vec![record_event("urn:example:event:3", [3; 32])],
            )
            .into_bytes(),
        "identity.unknown-key",
    );
    let late = mill.entry_at(
        &world,
        0,
        1,
        "trace",
        vec![record_event("urn:example:event:4", [4; 32])],
    );
    refused(late.into_bytes(), "entry.expired");
    let early = mill.entry_at(
        &world,
        1 << 50,
        (1 << 50) + 1,
        "trace",
        vec![record_event("urn:example:event:5", [5; 32])],
    );
    refused(early.into_bytes(), "entry.not-yet-valid");
    let elsewhere = World::new();
    refused(
        mill.entry(
            &elsewhere,
            "trace",
            vec![record_event("urn:example:event:6", [6; 32])],
        )
        .into_bytes(),
        "entry.other-network",
    );
}

#[test]
fn a_rule_that_refuses_is_recorded_with_its_reason() {
    let world = World::new();
    let ledger = world.open();
    let mill = world.register(&ledger, 1, "Fictional Olive Mill");
    let before = ledger.head().log_size();
    let entry = mill.entry(
        &world,
        "trace",
        vec![(
            "no.such-command",
            stele_core::cbor::BodyBuilder::new().build(),
        )],
    );
    let done = support::submit(&ledger, &entry).expect("ordered");
    let refusal = done.refusal.expect("refused");
    assert_eq!(refusal.code, "registers.unknown-command");
    assert_eq!(ledger.head().log_size(), before.next(), "nothing vanishes");
    let receipt = ledger
        .entry_receipt(done.log_index, true)
        .expect("receipt")
        .encode();
    let proven = verify(&receipt, &ledger.descriptor())
        .expect("valid")
        .entry
        .expect("claim");
    assert_eq!(
        proven.record.outcome,
        stele_core::block::Outcome::Refused {
            command_index: 0,
            code: refusal.code
        }
    );
}

#[test]
fn reopening_finds_everything_and_rebuilding_gives_the_same_state() {
    let world = World::new();
    let ledger = world.open();
    let mill = world.register(&ledger, 1, "Fictional Olive Mill");
    let entries: Vec<_> = (0..50u8)
        .map(|n| {
            mill.entry(
                &world,
                "trace",
                vec![record_event(&format!("urn:example:event:{n}"), [n; 32])],
            )
        })
        .collect();
    for entry in &entries {
        support::submit(&ledger, entry).expect("ordered");
    }
    let head = ledger.head();
    let receipt = ledger.entry_receipt(
        head.log_size()
            .get()
            .checked_sub(1)
            .map(stele_core::id::LogIndex::new)
            .expect("some"),
        true,
    );
    let receipt = receipt.expect("receipt").encode();
    drop(ledger);

    let ledger = world.open();
    assert_eq!(ledger.head(), head);
    assert_eq!(
        ledger.recovered().blocks_executed_again,
        0,
        "a clean close leaves a checkpoint"
    );
    let refusal = support::submit(&ledger, &entries[7]).expect_err("still in its window");
    assert_eq!(refusal.code, "entry.replayed");
    drop(ledger);

    let dir = world.dir();
    let report = doctor::check(dir, &mut |_, _, _| {}).expect("whole");
    assert_eq!(report.state_height, Some(head.height().get()));
    let executed = doctor::rebuild(dir, world.machine(), &mut |_, _, _| {}).expect("rebuilt");
    assert_eq!(executed, head.height().get() + 1);
    let ledger = world.open();
    assert_eq!(ledger.head(), head);
    verify(&receipt, &ledger.descriptor()).expect("an old receipt stays valid");
    assert_eq!(
        ledger
            .certificate(Height::new(0))
            .expect("block 0")
            .header
            .tree_size
            .get(),
        0
    );
}

#[test]
fn a_state_that_is_thrown_away_comes_back_from_the_log() {
    let world = World::new();
    let ledger = world.open();
    world.register(&ledger, 1, "Fictional Olive Mill");
    let head = ledger.head();
    drop(ledger);
    let remove =
        |name: &str| std::fs::remove_dir_all(Path::new(world.dir()).join(name)).expect(name);
    remove("state");
    remove("tree");
    let ledger = world.open();
    assert_eq!(ledger.head(), head);
    assert_eq!(
        ledger.recovered().blocks_executed_again,
        head.height().get() + 1
    );
}
