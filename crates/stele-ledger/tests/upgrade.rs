//! A planned upgrade: a program without the version that governance names stops before its height, and its successor goes on.

mod support;

use std::sync::Arc;

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::Height;
use stele_core::machine::{Fault, Refusal, Upgrade};
use stele_ledger::ledger::Ledger;
use stele_registers::context::Context;
use stele_registers::register::{Register, Stop};
use stele_registers::spec::{CommandSpec, EventSpec, RefusalSpec};
use stele_registers::{Registry, trace};
use support::{Signer, World, key, record_event, submit};

/// The register `trace` in a version that only a newer program has, or under a name that only a newer program knows.
struct Newer {
    name: &'static str,
    version: u32,
}

impl Register for Newer {
    fn name(&self) -> &'static str {
        self.name
    }
    fn version(&self) -> u32 {
        self.version
    }
    fn reads(&self) -> &'static [&'static str] {
        trace::Trace.reads()
    }
    fn commands(&self) -> &'static [CommandSpec] {
        trace::Trace.commands()
    }
    fn events(&self) -> &'static [EventSpec] {
        trace::Trace.events()
    }
    fn refusals(&self) -> &'static [&'static RefusalSpec] {
        trace::Trace.refusals()
    }
    fn apply(
        &self,
        context: &mut Context<'_, '_>,
        command: &str,
        body: &mut Body<'_>,
    ) -> Result<(), Stop> {
        trace::Trace.apply(context, command, body)
    }
}

fn newer_program(name: &'static str, version: u32) -> Arc<Registry> {
    let mut registers = Registry::standard_registers();
    registers.push(Arc::new(Newer { name, version }));
    Arc::new(Registry::new(registers))
}

fn activate(world: &World, ledger: &Ledger, register: &str, version: u64, height: u64) {
    let body = BodyBuilder::new()
        .text("register", register)
        .uint("version", version)
        .uint("height", height)
        .build();
    let steward = Signer::new(1001);
    let entry = steward.entry(world, "governance", vec![("register.activate", body)]);
    let done = submit(ledger, &entry).expect("ordered");
    assert!(done.refusal.is_none(), "{:?}", done.refusal);
}

fn record(world: &World, ledger: &Ledger, register: &str, number: u8) -> Result<String, Refusal> {
    let operator = Signer::new(1001);
    let command = record_event(&format!("ni:///fictional-{number}"), [number; 32]);
    let done = submit(ledger, &operator.entry(world, register, vec![command]))?;
    assert!(done.refusal.is_none(), "{:?}", done.refusal);
    Ok(done.record.rule)
}

fn due(ledger: &Ledger, also: &[&str]) -> Result<Vec<(String, u64, u64)>, Fault> {
    let due = ledger.upgrades_due(also)?.into_iter();
    let parts = |upgrade: Upgrade| (upgrade.register, upgrade.version, upgrade.height.get());
    Ok(due.map(parts).collect())
}

#[test]
fn a_program_that_lacks_a_version_stops_before_its_height_and_its_successor_goes_on() {
    let world = World::new();
    let ledger = world.open();
    assert_eq!(due(&ledger, &[]).unwrap(), []);
    activate(&world, &ledger, "trace", 2, 4);
    // It is known ahead, and until then all goes on.
    assert_eq!(due(&ledger, &[]).unwrap(), [("trace".to_owned(), 2, 4)]);
    assert_eq!(record(&world, &ledger, "trace", 1).unwrap(), "trace@1");
    assert!(ledger.refusing().is_none());
    assert_eq!(record(&world, &ledger, "trace", 2).unwrap(), "trace@1");
    assert_eq!(ledger.head().height(), Height::new(3));

    let refusal = record(&world, &ledger, "trace", 3).unwrap_err();
    assert_eq!(refusal.code, "node.upgrade-needed");
    for word in ["block 4", "version 2", "register trace"] {
        assert!(refusal.sentence.contains(word), "{}", refusal.sentence);
    }
    assert_eq!(ledger.refusing(), Some(refusal.clone()));
    assert_eq!(record(&world, &ledger, "trace", 4).unwrap_err(), refusal);
    assert_eq!(ledger.head().height(), Height::new(3), "reads go on");
    drop(ledger);

    // The same program stops at the same place again.
    let ledger = world.open();
    let again = record(&world, &ledger, "trace", 5).unwrap_err();
    assert_eq!(again, refusal);
    drop(ledger);

    let program = newer_program("trace", 2);
    let ledger = Ledger::open(world.dir(), program, key(1000), World::options()).expect("opens");
    assert_eq!(due(&ledger, &[]).unwrap(), []);
    assert_eq!(record(&world, &ledger, "trace", 6).unwrap(), "trace@2");
    assert_eq!(ledger.head().height(), Height::new(4));
}

#[test]
fn entries_of_other_registers_stop_there_too() {
    let world = World::new();
    let ledger = world.open();
    activate(&world, &ledger, "trace", 2, 2);
    let body = BodyBuilder::new()
        .text("name", "Fictional Operator")
        .build();
    let entry = Signer::new(1001).entry(&world, "governance", vec![("member.describe", body)]);
    let refusal = submit(&ledger, &entry).unwrap_err();
    assert_eq!(refusal.code, "node.upgrade-needed");
}

#[test]
fn a_register_that_the_program_does_not_know_stops_it_with_its_first_entry() {
    let world = World::new();
    let ledger = world.open();
    activate(&world, &ledger, "trace-plus", 1, 2);
    // Nobody can list what a program does not know; whoever knows the name can ask.
    assert_eq!(due(&ledger, &[]).unwrap(), []);
    assert_eq!(
        due(&ledger, &["trace-plus", "trace"]).unwrap(),
        [("trace-plus".to_owned(), 1, 2)]
    );
    assert_eq!(record(&world, &ledger, "trace", 1).unwrap(), "trace@1");
    let refusal = record(&world, &ledger, "trace-plus", 2).unwrap_err();
    assert_eq!(refusal.code, "node.upgrade-needed");
    assert!(
        refusal.sentence.contains("trace-plus"),
        "{}",
        refusal.sentence
    );
    drop(ledger);
    let program = newer_program("trace-plus", 1);
    let ledger = Ledger::open(world.dir(), program, key(1000), World::options()).expect("opens");
    assert_eq!(
        record(&world, &ledger, "trace-plus", 3).unwrap(),
        "trace-plus@1"
    );
}

#[test]
fn a_ledger_opened_to_be_read_takes_nothing_and_shows_everything() {
    let world = World::new();
    let ledger = world.open();
    record(&world, &ledger, "trace", 1).unwrap();
    let head = ledger.head();
    drop(ledger);
    let options = || stele_ledger::ledger::LedgerOptions {
        read_only: true,
        ..World::options()
    };
    let ledger = world.open_with(options());
    assert!(ledger.is_read_only());
    let refusal = record(&world, &ledger, "trace", 2).unwrap_err();
    assert_eq!(refusal.code, "node.read-only");
    assert_eq!(ledger.refusing(), Some(refusal));
    assert_eq!(ledger.head(), head);
    drop(ledger);
    let ledger = world.open();
    assert_eq!(record(&world, &ledger, "trace", 2).unwrap(), "trace@1");
}
