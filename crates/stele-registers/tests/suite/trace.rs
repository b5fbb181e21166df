//! Every command and every rule of `trace`.

use serde_json::json;
use stele_core::id::Hash;
use stele_core::suite::SigningKey;
use stele_registers::trace::{
    self, LineKind, event_ref, item, item_line, lot_hash, lot_key, page, recall_key, recall_ref,
};

use crate::world::{World, did, item as item_hash, key, party};

fn items(numbers: &[u8]) -> serde_json::Value {
    numbers.iter().map(|n| item_hash(*n).to_string()).collect()
}

#[test]
fn events() {
    let mut world = World::new();
    let maker = world.register(10);
    let other = world.register(11);
    let record = json!({
        "event_id": "urn:uuid:1", "commitment": "01".repeat(32), "type": "ObjectEvent",
        "items": items(&[1, 2]), "time": 1_699_999_999_000_u64,
    });
    world.ok(&maker, &[], "trace/event.record", record.clone());
    world.no(
        &maker,
        &[],
        "trace/event.record",
        record.clone(),
        "trace.event.exists",
    );
    world.ok(&other, &[], "trace/event.record", record);
    let view = world.view("trace");
    let head = item(view, &item_hash(1)).unwrap().unwrap();
    assert_eq!(
        (head.lines, head.holder),
        (2, None),
        "two parties saw it, nobody holds it"
    );
    let line = item_line(view, &item_hash(1), 1).unwrap().unwrap();
    let reference = event_ref(&party(&other), "urn:uuid:1");
    assert_eq!(
        (line.kind, line.by, line.other),
        (LineKind::Event, party(&other), Some(reference))
    );
    assert_eq!(trace::event(view, &reference).unwrap().unwrap().items, 2);

    let correct = json!({
        "event_id": "urn:uuid:1", "commitment": "02".repeat(32), "reason": "did_not_occur",
        "declared": 1_700_000_000_000_u64, "corrective_event_ids": ["urn:uuid:2"],
    });
    world.no(
        &key(1),
        &[],
        "trace/event.correct",
        correct.clone(),
        "trace.event.unknown",
    );
    world.ok(&maker, &[], "trace/event.correct", correct.clone());
    world.no(
        &maker,
        &[],
        "trace/event.correct",
        correct,
        "trace.event.corrected",
    );
    let read = trace::event(
        world.view("trace"),
        &event_ref(&party(&maker), "urn:uuid:1"),
    );
    assert_eq!(
        read.unwrap()
            .unwrap()
            .correction
            .unwrap()
            .corrective_event_ids,
        ["urn:uuid:2"]
    );
    let read = trace::event(world.view("trace"), &reference)
        .unwrap()
        .unwrap();
    assert_eq!(read.correction, None, "the other party's event stands");
}

#[test]
fn custody_lots_and_recalls() {
    let mut world = World::new();
    let maker = world.register(10);
    let carrier = world.register(11);
    let shop = world.register(12);
    let to = |numbers: &[u8], to: &SigningKey| json!({"items": items(numbers), "to": did(to)});
    let from =
        |numbers: &[u8], from: &SigningKey| json!({"items": items(numbers), "from": did(from)});
    let only = |numbers: &[u8]| json!({"items": items(numbers)});

    world.no(
        &maker,
        &[],
        "trace/custody.offer",
        to(&[1], &carrier),
        "trace.custody.not-holder",
    );
    world.ok(&maker, &[], "trace/custody.claim", only(&[1, 2, 3]));
    world.no(
        &carrier,
        &[],
        "trace/custody.claim",
        only(&[4, 1]),
        "trace.custody.claimed",
    );
    assert_eq!(
        item(world.view("trace"), &item_hash(4)).unwrap(),
        None,
        "the claim of 4 fell with that of 1"
    );
    world.no(
        &maker,
        &[],
        "trace/custody.offer",
        to(&[1], &maker),
        "trace.custody.self",
    );
    world.no(
        &maker,
        &[],
        "trace/custody.offer",
        to(&[1], &key(99)),
        "trace.custody.no-receiver",
    );
    world.ok(&maker, &[], "trace/custody.offer", to(&[1, 2], &carrier));
    world.no(
        &maker,
        &[],
        "trace/custody.offer",
        to(&[1], &shop),
        "trace.custody.offered",
    );
    world.no(
        &shop,
        &[],
        "trace/custody.accept",
        from(&[1], &maker),
        "trace.custody.not-offered",
    );
    world.no(
        &carrier,
        &[],
        "trace/custody.withdraw",
        only(&[1]),
        "trace.custody.not-holder",
    );
    world.ok(&maker, &[], "trace/custody.withdraw", only(&[2]));
    world.no(
        &maker,
        &[],
        "trace/custody.withdraw",
        only(&[2]),
        "trace.custody.not-offered",
    );
    world.no(
        &carrier,
        &[],
        "trace/custody.accept",
        from(&[1, 2], &maker),
        "trace.custody.not-offered",
    );
    world.ok(&carrier, &[], "trace/custody.accept", from(&[1], &maker));
    let moved = world.height;
    world.no(
        &maker,
        &[&shop],
        "trace/custody.transfer",
        to(&[1], &shop),
        "trace.custody.not-holder",
    );
    world.no(
        &carrier,
        &[],
        "trace/custody.transfer",
        to(&[1], &shop),
        "trace.custody.not-countersigned",
    );
    world.no(
        &carrier,
        &[],
        "trace/custody.transfer",
        to(&[1], &carrier),
        "trace.custody.self",
    );
    world.ok(&carrier, &[], "trace/custody.offer", to(&[1], &maker));
    world.no(
        &carrier,
        &[&shop],
        "trace/custody.transfer",
        to(&[1], &shop),
        "trace.custody.offered",
    );
    world.ok(&carrier, &[], "trace/custody.withdraw", only(&[1]));
    world.ok(
        &carrier,
        &[&shop],
        "trace/custody.transfer",
        to(&[1], &shop),
    );

    // Where has it been?
    let view = world.view("trace");
    let head = item(view, &item_hash(1)).unwrap().unwrap();
    assert_eq!(
        (head.holder, head.maker, head.lines),
        (Some(party(&shop)), Some(party(&maker)), 3)
    );
    let line = item_line(view, &item_hash(1), 1).unwrap().unwrap();
    assert_eq!(
        (line.kind, line.by, line.height.get()),
        (LineKind::HandOver, party(&maker), moved)
    );
    assert_eq!(
        line.other,
        Some(Hash::from_bytes(*party(&carrier).as_bytes()))
    );

    // Lots.
    let lot = lot_hash("urn:epc:class:lgtin:0000000.000000.A");
    let assign = |numbers: &[u8]| json!({"lot": lot.to_string(), "items": items(numbers)});
    world.no(
        &shop,
        &[],
        "trace/lot.assign",
        assign(&[1]),
        "trace.lot.not-maker",
    );
    world.ok(&maker, &[], "trace/lot.assign", assign(&[1, 2]));
    world.no(
        &maker,
        &[],
        "trace/lot.assign",
        assign(&[2]),
        "trace.lot.assigned",
    );
    world.no(
        &shop,
        &[],
        "trace/lot.assign",
        assign(&[9]),
        "trace.lot.not-maker",
    );
    world.ok(&maker, &[], "trace/lot.assign", assign(&[3]));
    let read = trace::lot(world.view("trace"), &lot).unwrap().unwrap();
    assert_eq!((read.maker, read.items), (party(&maker), 3));
    let page = page(world.view("trace"), &lot_key(&lot), 0).unwrap();
    assert_eq!(page, [item_hash(1), item_hash(2), item_hash(3)]);

    // Recalls.
    let recall = |id: &str, lot: Option<Hash>, numbers: &[u8]| {
        json!({
            "recall_id": id, "reason": "glass in the jar", "severity": "serious",
            "lot": lot.map(|lot| lot.to_string()), "items": items(numbers),
        })
    };
    let issue = "trace/recall.issue";
    world.no(
        &maker,
        &[],
        issue,
        recall("r1", None, &[]),
        "trace.recall.target",
    );
    world.no(
        &maker,
        &[],
        issue,
        recall("r1", Some(lot), &[1]),
        "trace.recall.target",
    );
    world.no(
        &maker,
        &[],
        issue,
        recall("r1", Some(lot_hash("none")), &[]),
        "trace.lot.unknown",
    );
    world.no(
        &shop,
        &[],
        issue,
        recall("r1", Some(lot), &[]),
        "trace.recall.not-allowed",
    );
    world.no(
        &shop,
        &[],
        issue,
        recall("r1", None, &[1]),
        "trace.recall.not-allowed",
    );
    world.ok(&maker, &[], issue, recall("r1", Some(lot), &[]));
    world.no(
        &maker,
        &[],
        issue,
        recall("r1", None, &[1]),
        "trace.recall.exists",
    );
    let grant = json!({"subject": did(&shop), "action": "trace/recall.issue"});
    world.ok(&key(1), &[], "identity/accreditation.grant", grant);
    world.ok(&shop, &[], issue, recall("r1", Some(lot), &[]));
    world.ok(&shop, &[], issue, recall("r2", None, &[1, 3]));

    let view = world.view("trace");
    let second = recall_ref(&party(&shop), "r1");
    assert_eq!(
        trace::lot(view, &lot).unwrap().unwrap().recall,
        Some(second)
    );
    let read = trace::recall(view, &second).unwrap().unwrap();
    assert_eq!(
        (read.lot, read.previous),
        (Some(lot), Some(recall_ref(&party(&maker), "r1")))
    );
    let by_items = recall_ref(&party(&shop), "r2");
    assert_eq!(
        item(view, &item_hash(3)).unwrap().unwrap().recall,
        Some(by_items)
    );
    let listed = trace::page(view, &recall_key(&by_items), 0).unwrap();
    assert_eq!(listed, [item_hash(1), item_hash(3)]);

    let close = json!({"recall_id": "r2", "outcome": "all jars are back"});
    world.no(
        &maker,
        &[],
        "trace/recall.close",
        close.clone(),
        "trace.recall.unknown",
    );
    world.ok(&shop, &[], "trace/recall.close", close.clone());
    world.no(
        &shop,
        &[],
        "trace/recall.close",
        close,
        "trace.recall.closed",
    );
    let closed = trace::recall(world.view("trace"), &by_items)
        .unwrap()
        .unwrap()
        .closed;
    assert_eq!(closed.map(|height| height.get()), Some(world.height - 1));

    // The events of the test above complete the list of rules.
    for code in [
        "trace.event.exists",
        "trace.event.unknown",
        "trace.event.corrected",
    ] {
        world.seen.insert(code.to_owned());
    }
    world.assert_every_rule_refused("trace");
}

#[test]
fn a_lot_fills_its_pages_in_order() {
    let mut world = World::new();
    let maker = world.register(10);
    let names: Vec<_> = (0..700)
        .map(|n| trace::item_hash(&format!("item {n}")))
        .collect();
    let list = |names: &[Hash]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    world.ok(
        &maker,
        &[],
        "trace/custody.claim",
        json!({"items": list(&names)}),
    );
    let lot = lot_hash("lot");
    let mut rest = &names[..];
    for count in [100, 156, 1, 443] {
        let (now, later) = rest.split_at(count);
        let body = json!({"lot": lot.to_string(), "items": list(now)});
        world.ok(&maker, &[], "trace/lot.assign", body);
        rest = later;
    }
    let view = world.view("trace");
    let pages: Vec<_> = (0..4)
        .map(|n| page(view, &lot_key(&lot), n).unwrap())
        .collect();
    assert_eq!(
        pages.iter().map(Vec::len).collect::<Vec<_>>(),
        [256, 256, 188, 0]
    );
    assert_eq!(pages.concat(), names);
}
