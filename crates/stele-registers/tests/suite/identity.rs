//! Every command and every rule of `identity`.

use serde_json::json;
use stele_core::id::{Hash, Height, TimeMs};
use stele_core::suite::{SigningKey, Suite};
use stele_registers::identity::{
    PartyKind, accreditation, accreditation_at, document, document_at, is_accredited, key_record,
};

use crate::world::{World, cose, did, key, kid, party};

fn kid_hex(key: &SigningKey) -> String {
    kid(key).to_string()
}

#[test]
fn parties_and_keys() {
    let mut world = World::new();
    let (a, b) = (key(10), key(11));
    let body = |kind: &str, name: Option<&str>, keys: &[&SigningKey]| json!({"kind": kind, "name": name, "keys": keys.iter().map(|k| cose(k)).collect::<Vec<_>>()});
    let register = "identity/party.register";
    world.no(
        &a,
        &[],
        register,
        body("organisation", None, &[&b]),
        "identity.unknown-key",
    );
    world.no(
        &a,
        &[],
        register,
        body("device", None, &[&a]),
        "identity.party.device-needs-owner",
    );
    world.no(
        &a,
        &[],
        register,
        body("person", Some("A. Person"), &[&a]),
        "identity.party.person-name",
    );
    world.no(
        &a,
        &[],
        register,
        body("organisation", None, &[&a, &b]),
        "identity.key.no-possession",
    );
    world.no(
        &a,
        &[&key(12)],
        register,
        body("organisation", None, &[&a, &b]),
        "identity.unknown-key",
    );
    world.no(
        &a,
        &[&key(1)],
        register,
        body("organisation", None, &[&a, &key(1)]),
        "identity.key.exists",
    );
    let mut bad = body("organisation", None, &[&a]);
    bad["keys"].as_array_mut().unwrap().push(json!("a1"));
    world.no(&a, &[], register, bad, "identity.key.malformed");
    let network = SigningKey::from_seed(Suite::Bls12381, &[12; 32]).unwrap();
    world.no(
        &a,
        &[],
        register,
        body("organisation", None, &[&a, &network]),
        "identity.key.network-suite",
    );
    // A point of order 4, and the same in a hybrid key: ZIP-215 would accept anyone's signature under it.
    let mut weak =
        json!("a3010120062158200000000000000000000000000000000000000000000000000000000000000000");
    let mut with_weak = body("organisation", None, &[&a]);
    with_weak["keys"].as_array_mut().unwrap().push(weak.take());
    world.no(&a, &[], register, with_weak, "identity.key.small-order");
    world.ok(
        &a,
        &[&b],
        register,
        body("organisation", Some("Mill (fictional)"), &[&a, &b]),
    );
    let born = world.height;
    world.no(
        &a,
        &[],
        register,
        body("organisation", None, &[&a]),
        "identity.party.exists",
    );
    let mill = party(&a);
    let read = |world: &World| document(world.view("identity"), &mill).unwrap().unwrap();
    assert_eq!(
        (read(&world).kind, read(&world).keys),
        (PartyKind::Organisation, vec![kid(&a), kid(&b)])
    );

    // Either key speaks for the party; suites mix.
    let c = SigningKey::from_seed(Suite::Es256, &[12; 32]).unwrap();
    let add = |k: &SigningKey| json!({"key": cose(k), "purpose": "signing hall"});
    world.no(
        &b,
        &[],
        "identity/key.add",
        add(&c),
        "identity.key.no-possession",
    );
    world.no(
        &b,
        &[],
        "identity/key.add",
        json!({"key": "a1"}),
        "identity.key.malformed",
    );
    world.no(
        &b,
        &[&key(1)],
        "identity/key.add",
        add(&key(1)),
        "identity.key.exists",
    );
    world.ok(&b, &[&c], "identity/key.add", add(&c));
    assert_eq!(
        key_record(world.view("identity"), &kid(&c))
            .unwrap()
            .unwrap()
            .purpose
            .as_deref(),
        Some("signing hall")
    );

    let rotate =
        |old: &SigningKey, new: &SigningKey| json!({"old": kid_hex(old), "new_key": cose(new)});
    let d = key(13);
    world.no(
        &c,
        &[&d],
        "identity/key.rotate",
        rotate(&key(1), &d),
        "identity.key.not-yours",
    );
    world.no(
        &c,
        &[],
        "identity/key.rotate",
        rotate(&a, &d),
        "identity.key.no-possession",
    );
    world.ok(&c, &[&d], "identity/key.rotate", rotate(&a, &d));
    let rotated = world.height;
    world.no(
        &a,
        &[],
        "identity/party.rename",
        json!({"name": "x"}),
        "identity.key-revoked",
    );
    world.no(
        &c,
        &[&a],
        "identity/key.add",
        add(&a),
        "identity.key-revoked",
    );

    let revoke = |k: &SigningKey| json!({"kid": kid_hex(k), "reason": "lost"});
    world.no(
        &c,
        &[],
        "identity/key.revoke",
        revoke(&a),
        "identity.key.not-yours",
    );
    world.ok(&c, &[], "identity/key.revoke", revoke(&b));
    world.ok(&c, &[], "identity/key.revoke", revoke(&c));
    world.no(
        &d,
        &[],
        "identity/key.revoke",
        revoke(&d),
        "identity.key.last",
    );
    world.ok(
        &d,
        &[],
        "identity/party.rename",
        json!({"name": "New mill (fictional)"}),
    );

    // Sixteen keys at most.
    let more: Vec<_> = (100..116).map(key).collect();
    let adds: Vec<_> = more.iter().map(|k| ("key.add", add(k))).collect();
    let cosigners: Vec<_> = more.iter().collect();
    assert_eq!(
        world.many(&d, &cosigners, "identity", &adds).unwrap_err(),
        (15, "identity.key.too-many".to_owned())
    );

    // The past stays known.
    let at = |height| document_at(&world.state, &mill, Height::new(height)).unwrap();
    assert_eq!(at(born - 1), None);
    assert_eq!(at(born).unwrap().keys, vec![kid(&a), kid(&b)]);
    assert_eq!(at(rotated).unwrap().keys, vec![kid(&d), kid(&b), kid(&c)]);
    assert_eq!(
        at(rotated - 1).unwrap().keys,
        vec![kid(&a), kid(&b), kid(&c)]
    );
    assert_eq!(
        at(world.height + 9).unwrap().name.as_deref(),
        Some("New mill (fictional)")
    );

    world.ok(
        &d,
        &[],
        "identity/party.deactivate",
        json!({"reason": "merged"}),
    );
    world.no(
        &d,
        &[],
        "identity/party.rename",
        json!({"name": "x"}),
        "identity.key-revoked",
    );
    assert!(!read(&world).active);
    let refused = world
        .many(&key(1), &[], "identity", &[("party.deactivate", json!({}))])
        .unwrap_err();
    assert_eq!(refused.1, "identity.party.is-steward");

    // What a party may do ends with it, within one entry too.
    let e = world.register(14);
    let steps = [
        ("party.deactivate", json!({})),
        ("party.rename", json!({"name": "x"})),
    ];
    let refused = world.many(&e, &[], "identity", &steps).unwrap_err();
    assert_eq!(refused, (1, "identity.party.unknown".to_owned()));
    world.ok(
        &e,
        &[],
        "identity/party.rename",
        json!({"name": "still there"}),
    );

    // A person stays nameless.
    let person = key(15);
    world.ok(&person, &[], register, body("person", None, &[&person]));
    world.no(
        &person,
        &[],
        "identity/party.rename",
        json!({"name": "x"}),
        "identity.party.person-name",
    );
}

#[test]
fn a_key_revoked_earlier_in_the_block_does_not_sign() {
    let mut world = World::new();
    let (a, b) = (key(10), key(11));
    world.ok(
        &a,
        &[&b],
        "identity/party.register",
        json!({"kind": "service", "keys": [cose(&a), cose(&b)]}),
    );
    let first = world.entry(
        &a,
        &[],
        "identity",
        &[("key.revoke", json!({"kid": kid_hex(&b)}))],
    );
    let signed = world.entry(
        &b,
        &[],
        "trace",
        &[("custody.claim", json!({"items": ["11".repeat(32)]}))],
    );
    let transfer = json!({"items": ["11".repeat(32)], "to": did(&a)});
    let countersigned = world.entry(&key(1), &[&b], "trace", &[("custody.transfer", transfer)]);
    for entry in [&first, &signed, &countersigned] {
        world.admit(entry).unwrap();
    }
    let outcomes = world.block(&[first, signed, countersigned]).unwrap();
    assert!(outcomes[0].is_ok());
    for outcome in &outcomes[1..] {
        assert_eq!(outcome.as_ref().unwrap_err().1.code, "identity.key-revoked");
    }
    // And the same inception twice in one block registers once.
    let c = key(12);
    let body = json!({"kind": "service", "keys": [cose(&c)]});
    let twice: Vec<_> = (0..2)
        .map(|_| world.entry(&c, &[], "identity", &[("party.register", body.clone())]))
        .collect();
    let outcomes = world.block(&twice).unwrap();
    assert!(outcomes[0].is_ok());
    assert_eq!(
        outcomes[1].as_ref().unwrap_err().1.code,
        "identity.party.exists"
    );
}

#[test]
fn recovery_and_devices() {
    let mut world = World::new();
    let owner = world.register(10);
    let guardians: Vec<_> = (11..14).map(|n| world.register(n)).collect();
    let stranger = world.register(14);
    let set = |threshold: u64, guardians: &[&SigningKey], delay_ms: u64| {
        let guardians: Vec<_> = guardians.iter().map(|g| did(g)).collect();
        json!({"threshold": threshold, "guardians": guardians, "delay_ms": delay_ms})
    };
    let three: Vec<&SigningKey> = guardians.iter().collect();
    let command = "identity/guardians.set";
    world.no(
        &owner,
        &[],
        command,
        set(0, &three, 0),
        "identity.guardians.bad-threshold",
    );
    world.no(
        &owner,
        &[],
        command,
        set(4, &three, 0),
        "identity.guardians.bad-threshold",
    );
    world.no(
        &owner,
        &[],
        command,
        set(1, &[], 0),
        "identity.guardians.bad-threshold",
    );
    world.no(
        &owner,
        &[],
        command,
        set(1, &[&owner], 0),
        "identity.guardians.bad-guardian",
    );
    world.no(
        &owner,
        &[],
        command,
        set(1, &[three[0], three[0]], 0),
        "identity.guardians.bad-guardian",
    );
    world.no(
        &owner,
        &[],
        command,
        set(1, &[&key(99)], 0),
        "identity.guardians.bad-guardian",
    );
    world.no(
        &owner,
        &[],
        command,
        set(2, &three, 7_776_000_001),
        "identity.guardians.delay-too-long",
    );
    world.ok(&owner, &[], command, set(2, &three, 0));

    let new = key(20);
    let open = |k: &SigningKey| json!({"party": did(&owner), "new_key": cose(k)});
    let approve = |k: &SigningKey| json!({"party": did(&owner), "recovery": kid_hex(k)});
    world.no(
        &stranger,
        &[&new],
        "identity/recovery.open",
        open(&new),
        "identity.recovery.not-guardian",
    );
    world.no(
        three[0],
        &[],
        "identity/recovery.open",
        open(&new),
        "identity.key.no-possession",
    );
    world.no(
        three[0],
        &[&stranger],
        "identity/recovery.open",
        open(&stranger),
        "identity.key.exists",
    );
    world.no(
        three[0],
        &[],
        "identity/recovery.approve",
        approve(&new),
        "identity.recovery.unknown",
    );
    world.ok(three[0], &[&new], "identity/recovery.open", open(&new));
    world.no(
        three[0],
        &[&new],
        "identity/recovery.open",
        open(&new),
        "identity.recovery.exists",
    );
    world.no(
        three[0],
        &[],
        "identity/recovery.approve",
        approve(&new),
        "identity.recovery.approved",
    );
    world.no(
        three[0],
        &[],
        "identity/recovery.finish",
        approve(&new),
        "identity.recovery.not-ripe",
    );
    // The party still has its key and cancels.
    world.ok(&owner, &[], "identity/recovery.cancel", json!({}));
    world.no(
        three[1],
        &[],
        "identity/recovery.approve",
        approve(&new),
        "identity.recovery.unknown",
    );
    // Lost for good: two of three agree.
    world.ok(three[0], &[&new], "identity/recovery.open", open(&new));
    world.ok(three[1], &[], "identity/recovery.approve", approve(&new));
    world.no(
        &owner,
        &[],
        "identity/recovery.cancel",
        json!({}),
        "identity.key-revoked",
    );
    let read = document(world.view("identity"), &party(&owner))
        .unwrap()
        .unwrap();
    assert_eq!(read.keys, vec![kid(&new)]);
    world.no(
        three[2],
        &[],
        "identity/recovery.approve",
        approve(&new),
        "identity.recovery.unknown",
    );

    // With a delay the approved recovery waits.
    world.ok(&new, &[], command, set(1, &three, 10_000));
    let newer = key(21);
    world.ok(three[2], &[&newer], "identity/recovery.open", open(&newer));
    world.no(
        three[2],
        &[],
        "identity/recovery.finish",
        approve(&newer),
        "identity.recovery.not-ripe",
    );
    world.ok(
        &new,
        &[],
        "identity/party.rename",
        json!({"name": "still in charge"}),
    );
    world.time += 10_000;
    world.no(
        &stranger,
        &[],
        "identity/recovery.finish",
        approve(&newer),
        "identity.recovery.not-guardian",
    );
    world.ok(three[2], &[], "identity/recovery.finish", approve(&newer));
    world.no(
        &new,
        &[],
        "identity/recovery.cancel",
        json!({}),
        "identity.key-revoked",
    );

    let (device, owner) = (key(30), newer);
    let home = party(&key(10));
    let register = |k: &SigningKey| json!({"key": cose(k), "model": "Meter 7", "serial_commitment": "ab".repeat(32)});
    world.no(
        &owner,
        &[],
        "identity/device.register",
        register(&device),
        "identity.key.no-possession",
    );
    world.ok(
        &owner,
        &[&device],
        "identity/device.register",
        register(&device),
    );
    let read = document(world.view("identity"), &party(&device))
        .unwrap()
        .unwrap();
    assert_eq!(
        (read.kind, read.owner, read.model.as_deref()),
        (PartyKind::Device, Some(home), Some("Meter 7"))
    );
    world.no(
        &owner,
        &[&device],
        "identity/device.register",
        register(&device),
        "identity.key.exists",
    );
    // The device signs for itself.
    world.ok(
        &device,
        &[],
        "trace/event.record",
        json!({"event_id": "urn:e:1", "commitment": "01".repeat(32), "type": "ObjectEvent"}),
    );
    let registered = world.height;
    let transfer = |to: &SigningKey| json!({"device": did(&device), "to": did(to)});
    world.no(
        &stranger,
        &[],
        "identity/device.transfer",
        transfer(&stranger),
        "identity.device.not-owner",
    );
    world.no(
        &owner,
        &[],
        "identity/device.transfer",
        json!({"device": did(&stranger), "to": did(&stranger)}),
        "identity.device.unknown",
    );
    world.no(
        &owner,
        &[],
        "identity/device.transfer",
        transfer(&stranger),
        "identity.device.no-countersignature",
    );
    world.ok(
        &owner,
        &[&stranger],
        "identity/device.transfer",
        transfer(&stranger),
    );
    let before = document_at(&world.state, &party(&device), Height::new(registered))
        .unwrap()
        .unwrap();
    assert_eq!(before.owner, Some(home));
    world.no(
        &owner,
        &[],
        "identity/device.retire",
        json!({"device": did(&device)}),
        "identity.device.not-owner",
    );
    world.ok(
        &stranger,
        &[],
        "identity/device.retire",
        json!({"device": did(&device)}),
    );
    world.no(
        &stranger,
        &[],
        "identity/device.retire",
        json!({"device": did(&device)}),
        "identity.device.unknown",
    );
    world.no(
        &device,
        &[],
        "identity/party.deactivate",
        json!({}),
        "identity.key-revoked",
    );
}

#[test]
fn accreditations() {
    let mut world = World::new();
    let steward = key(1);
    let ministry = world.register(10);
    let agency = world.register(11);
    let officer = world.register(12);
    let action = "trace/recall.issue";
    let grant = "identity/accreditation.grant";
    let ask = |world: &World, who: &SigningKey, scope: Option<&str>| {
        let at = TimeMs::new(world.time);
        is_accredited(world.view("identity"), &party(who), action, scope, at)
            .unwrap()
            .map(|chain| chain.len())
    };
    let id_of = |events: &[stele_core::block::Event]| {
        let mut body = stele_core::cbor::Body::decode(&events[0].body).unwrap();
        Hash::from_bytes(body.bytes32("id").unwrap())
    };
    world.no(
        &ministry,
        &[],
        grant,
        json!({"subject": did(&agency), "action": action}),
        "identity.accreditation.not-issuer",
    );
    world.no(
        &steward,
        &[],
        grant,
        json!({"subject": did(&agency), "action": "recall"}),
        "identity.accreditation.bad-action",
    );
    world.no(
        &steward,
        &[],
        grant,
        json!({"subject": did(&key(99)), "action": action}),
        "identity.party.unknown",
    );
    world.no(
        &steward,
        &[],
        grant,
        json!({"subject": did(&ministry), "action": action, "until": world.time}),
        "identity.accreditation.bad-until",
    );
    let end = world.time + 1_000_000;
    let root = world.ok(&steward, &[], grant, json!({"subject": did(&ministry), "action": "trace/*", "scope": "DE", "until": end, "delegable": true}));
    let root = id_of(&root);
    assert_eq!(
        ask(&world, &ministry, None),
        None,
        "a scoped accreditation does not cover everything"
    );
    assert_eq!(ask(&world, &ministry, Some("DE/BY")), Some(1));

    let body = |scope: Option<&str>, until: Option<u64>| json!({"subject": did(&agency), "action": action, "scope": scope, "until": until, "delegable": false});
    world.no(
        &ministry,
        &[],
        grant,
        body(None, None),
        "identity.accreditation.not-issuer",
    );
    world.no(
        &ministry,
        &[],
        grant,
        body(Some("FR"), None),
        "identity.accreditation.not-issuer",
    );
    world.no(
        &ministry,
        &[],
        grant,
        body(Some("DE/BY"), Some(end + 1)),
        "identity.accreditation.bad-until",
    );
    let child = world.ok(&ministry, &[], grant, body(Some("DE/BY"), None));
    let (child, granted) = (id_of(&child), world.height);
    let read = accreditation(world.view("identity"), &child)
        .unwrap()
        .unwrap();
    assert_eq!(
        (read.parent, read.depth, read.until),
        (Some(root), 2, Some(TimeMs::new(end)))
    );
    assert_eq!(ask(&world, &agency, Some("DE/BY/M")), Some(2));
    let onward = json!({"subject": did(&officer), "action": action, "scope": "DE/BY"});
    world.no(
        &agency,
        &[],
        grant,
        onward.clone(),
        "identity.accreditation.not-issuer",
    );
    let mut named = onward;
    named["parent"] = json!(child.to_string());
    world.no(
        &agency,
        &[],
        grant,
        named.clone(),
        "identity.accreditation.bad-parent",
    );
    named["parent"] = json!("00".repeat(32));
    world.no(
        &agency,
        &[],
        grant,
        named.clone(),
        "identity.accreditation.unknown",
    );
    named["parent"] = json!(root.to_string());
    world.no(
        &agency,
        &[],
        grant,
        named,
        "identity.accreditation.bad-parent",
    );

    // Revoking the parent ends the child at once, though the child carries no mark.
    let revoke = "identity/accreditation.revoke";
    world.no(
        &agency,
        &[],
        revoke,
        json!({"id": root.to_string()}),
        "identity.accreditation.not-revoker",
    );
    world.no(
        &steward,
        &[],
        revoke,
        json!({"id": "00".repeat(32)}),
        "identity.accreditation.unknown",
    );
    world.ok(
        &steward,
        &[],
        revoke,
        json!({"id": root.to_string(), "reason": "reform"}),
    );
    let revoked = world.height;
    world.no(
        &steward,
        &[],
        revoke,
        json!({"id": root.to_string()}),
        "identity.accreditation.revoked",
    );
    assert_eq!(ask(&world, &agency, Some("DE/BY")), None);
    assert_eq!(ask(&world, &ministry, Some("DE")), None);
    let at = |height| accreditation_at(&world.state, &root, Height::new(height)).unwrap();
    assert_eq!(at(granted - 9), None);
    assert!(at(revoked - 1).unwrap().revoked.is_none() && at(revoked).unwrap().revoked.is_some());

    // Time ends what nobody revokes, the last millisecond included.
    let until = world.time + 5_000;
    world.ok(
        &steward,
        &[],
        grant,
        json!({"subject": did(&officer), "action": action, "until": until}),
    );
    let chain_at = |at| {
        is_accredited(
            world.view("identity"),
            &party(&officer),
            action,
            None,
            TimeMs::new(at),
        )
        .unwrap()
    };
    assert!(chain_at(until).is_some() && chain_at(until + 1).is_none());

    // Eight links at most.
    let delegable =
        |to: &SigningKey| json!({"subject": did(to), "action": "a/b", "delegable": true});
    let chain: Vec<_> = (40..49).map(|n| world.register(n)).collect();
    world.ok(&steward, &[], grant, delegable(&chain[0]));
    for pair in chain.windows(2).take(7) {
        world.ok(&pair[0], &[], grant, delegable(&pair[1]));
    }
    world.no(
        &chain[7],
        &[],
        grant,
        delegable(&chain[8]),
        "identity.accreditation.chain-too-long",
    );
    let found = is_accredited(
        world.view("identity"),
        &party(&chain[7]),
        "a/b",
        None,
        TimeMs::new(world.time),
    );
    assert_eq!(found.unwrap().unwrap().len(), 8);

    // Sixty-four of one kind at most; those that time has ended make room.
    let soon = world.time + 10_000;
    let body = json!({"subject": did(&officer), "action": "a/c", "until": soon});
    let grants: Vec<_> = (0..65)
        .map(|_| ("accreditation.grant", body.clone()))
        .collect();
    let refused = world.many(&steward, &[], "identity", &grants).unwrap_err();
    assert_eq!(refused, (64, "identity.accreditation.too-many".to_owned()));
    world
        .many(&steward, &[], "identity", &grants[..64])
        .unwrap();
    world.time = soon;
    world.ok(
        &steward,
        &[],
        grant,
        json!({"subject": did(&officer), "action": "a/c"}),
    );
}

/// The tests above and those of `rolls` reach every rule; this one repeats none and only lists what they must name.
#[test]
fn every_rule_is_named_in_a_test() {
    let source = concat!(include_str!("identity.rs"), include_str!("rolls.rs"));
    let world = World::new();
    for rule in world.registry.latest("identity").unwrap().refusals() {
        assert!(
            source.contains(&format!("\"{}\"", rule.code)),
            "no test names {}",
            rule.code
        );
    }
}
