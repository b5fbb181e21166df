//! Execution of entries: all or none, versions, views, and what the registry itself refuses.

use std::sync::Arc;

use serde_json::json;
use stele_core::cbor::{Body, BodyBuilder};
use stele_core::machine::{Halt, Overlay, StateMachine};
use stele_registers::{CommandSpec, Context, FieldSpec, FieldType, Register, Registry, Stop};

use crate::world::{Memory, World, cose, did, genesis_of, item, key, party};

/// A register that notes the version that judged.
struct Note(u32);

const WRITE: &[CommandSpec] = &[CommandSpec {
    name: "write",
    doc: "Writes the version to a key.",
    fields: &[FieldSpec::required(
        "key",
        FieldType::Text { max: 8 },
        "where",
    )],
}];

impl Register for Note {
    fn name(&self) -> &'static str {
        "note"
    }
    fn version(&self) -> u32 {
        self.0
    }
    fn commands(&self) -> &'static [CommandSpec] {
        WRITE
    }
    fn apply(
        &self,
        context: &mut Context<'_, '_>,
        _: &str,
        body: &mut Body<'_>,
    ) -> Result<(), Stop> {
        let key = body.text("key", 8)?;
        if key == "peek" {
            context.view("identity").get(b"x")?;
        }
        context.put(key.as_bytes(), vec![self.0 as u8]);
        Ok(())
    }
}

fn with_notes(versions: &[u32]) -> World {
    let mut registers = Registry::standard_registers();
    for version in versions {
        registers.push(Arc::new(Note(*version)));
    }
    let active = [
        ("governance", 1),
        ("identity", 1),
        ("trace", 1),
        ("note", 1),
    ];
    World::with(Registry::new(registers), &active)
}

#[test]
fn commands_of_an_entry_apply_all_or_none_across_registers() {
    let mut world = World::new();
    let new = key(10);
    let claim = json!({"items": [item(1).to_string()]});
    let steps = [
        (
            "party.register",
            json!({"kind": "service", "keys": [cose(&new)]}),
        ),
        ("trace/custody.claim", claim.clone()),
        ("trace/custody.claim", claim.clone()),
    ];
    let before = world.state.clone();
    let refused = world.many(&new, &[], "identity", &steps).unwrap_err();
    assert_eq!(refused, (2, "trace.custody.claimed".to_owned()));
    assert_eq!(world.state, before);
    let events = world.many(&new, &[], "identity", &steps[..2]).unwrap();
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(
        names,
        ["identity/party.registered", "trace/custody.claimed"]
    );
    let head = stele_registers::trace::item(world.view("trace"), &item(1))
        .unwrap()
        .unwrap();
    assert_eq!(head.holder, Some(party(&new)));
}

#[test]
fn the_registry_refuses_what_no_register_judges() {
    let mut world = World::new();
    let one = key(1);
    world.no(
        &one,
        &[],
        "city/warn",
        json!({}),
        "registers.unknown-register",
    );
    let steps = [
        ("party.rename", json!({"name": "x"})),
        ("city/warn", json!({})),
    ];
    let refused = world.many(&one, &[], "identity", &steps).unwrap_err();
    assert_eq!(refused, (1, "registers.unknown-register".to_owned()));
    world.no(
        &one,
        &[],
        "trace/custody.steal",
        json!({}),
        "registers.unknown-command",
    );
    let raw = |name: &str, body: BodyBuilder| vec![(name.to_owned(), body.build())];
    let bodies = [
        (raw("party.rename", BodyBuilder::new()), "`name` is missing"),
        (
            raw("party.rename", BodyBuilder::new().uint("name", 1)),
            "`name` is wrong",
        ),
        (
            raw(
                "party.rename",
                BodyBuilder::new().text("name", "x").uint("more", 1),
            ),
            "`more` is unknown",
        ),
    ];
    for (commands, sentence) in bodies {
        let entry = world.entry_raw(&one, &[], "identity", commands);
        let before = world.state.clone();
        let (_, refusal) = world.submit(&entry).unwrap_err();
        assert_eq!(refusal.code, "identity.party.rename.bad-body");
        assert!(refusal.sentence.contains(sentence), "{}", refusal.sentence);
        assert_eq!(world.state, before);
    }
    // 24 claims of 1000 items emit more than a receipt can carry.
    let claims: Vec<_> = (0..24)
        .map(|claim| {
            let name = |n| stele_registers::trace::item_hash(&format!("{claim} {n}")).to_string();
            (
                "custody.claim",
                json!({"items": (0..1000).map(name).collect::<Vec<_>>()}),
            )
        })
        .collect();
    let refused = world.many(&one, &[], "trace", &claims).unwrap_err();
    assert_eq!(refused, (23, "registers.too-many-events".to_owned()));
}

#[test]
fn the_rule_names_the_version_that_judged() {
    let mut world = with_notes(&[1, 2]);
    let one = key(1);
    let write = json!({"key": "k"});
    world.ok(&one, &[], "note/write", write.clone());
    let height = world.height + 3;
    let body = json!({"register": "note", "version": 2, "height": height});
    world.ok(&one, &[], "governance/register.activate", body);
    let mut versions = Vec::new();
    while world.height < height + 1 {
        world.ok(&one, &[], "note/write", write.clone());
        versions.push((
            world.height,
            world.view("note").get(b"k").unwrap().unwrap()[0],
        ));
    }
    assert_eq!(versions, [(height - 1, 1), (height, 2), (height + 1, 2)]);

    // The rule stands in what is recorded, also of a refusal and of a register that nobody has.
    for (register, rule) in [
        ("note", "note@2"),
        ("identity", "identity@1"),
        ("city", "city@0"),
    ] {
        let entry = world.entry(&one, &[], register, &[("no-such", json!({}))]);
        let block = stele_core::machine::BlockContext {
            network: world.network,
            height: stele_core::id::Height::new(world.height + 1),
            time: stele_core::id::TimeMs::new(world.time),
        };
        let mut overlay = Overlay::new(&world.state);
        let executed = world
            .registry
            .execute(&block, &entry, &mut overlay)
            .unwrap();
        assert_eq!(
            (executed.rule.as_str(), executed.party),
            (rule, party(&one))
        );
    }
}

#[test]
fn a_program_without_the_active_version_stops() {
    let mut world = with_notes(&[1]);
    let one = key(1);
    let body = json!({"register": "note", "version": 2, "height": world.height + 2});
    world.ok(&one, &[], "governance/register.activate", body);
    let entry = world.entry(&one, &[], "note", &[("write", json!({"key": "k"}))]);
    world.admit(&entry).unwrap();
    let fault = world.block(&[entry]).unwrap_err();
    assert!(
        fault.0.contains("note@2") && fault.0.contains("install"),
        "{fault}"
    );
    world.ok(
        &one,
        &[],
        "identity/party.rename",
        json!({"name": "others go on"}),
    );
}

#[test]
#[should_panic(expected = "without declaring it")]
fn a_view_that_was_not_declared_is_the_registers_own_fault() {
    with_notes(&[1]).ok(&key(1), &[], "note/write", json!({"key": "peek"}));
}

#[test]
fn a_genesis_names_known_registers_once() {
    let registry = Registry::standard();
    let good: &[(&str, u64)] = &[("governance", 1), ("identity", 1)];
    let bad: [&[(&str, u64)]; 4] = [
        &[("governance", 1)],
        &[("governance", 1), ("identity", 2)],
        &[("governance", 1), ("identity", 1), ("city", 1)],
        &[("governance", 1), ("identity", 1), ("identity", 1)],
    ];
    let base = Memory::default();
    let start = |registers: &[(&str, u64)], founders: &[u8]| {
        let founders: Vec<_> = founders.iter().map(|n| key(*n)).collect();
        let mut overlay = Overlay::new(&base);
        let outcome = registry.genesis(&genesis_of(registers, &founders), &mut overlay);
        outcome.map(|()| overlay.into_changes())
    };
    assert!(!start(good, &[1]).unwrap().is_empty());
    for registers in bad {
        match start(registers, &[1]) {
            Err(Halt::Refused(refusal)) => assert_eq!(refusal.code, "registers.bad-genesis"),
            other => panic!("{registers:?}: {other:?}"),
        }
    }
    assert!(start(good, &[1, 1]).is_err(), "a founder named twice");
}

/// Two registries with maps of different seeds, over the same blocks, write the same.
#[test]
fn every_node_writes_the_same() {
    let run = || {
        let mut world = World::new();
        let parties: Vec<_> = (10..20).map(|n| world.register(n)).collect();
        for (n, one) in parties.iter().enumerate() {
            let items: Vec<_> = (0..20)
                .map(|i| item((n * 20 + i) as u8).to_string())
                .collect();
            world.ok(one, &[], "trace/custody.claim", json!({"items": items}));
            let guardians: Vec<_> = parties
                .iter()
                .filter(|p| party(p) != party(one))
                .map(did)
                .collect();
            world.ok(
                one,
                &[],
                "identity/guardians.set",
                json!({"threshold": 3, "guardians": guardians}),
            );
        }
        world.state
    };
    assert_eq!(run(), run());
}
