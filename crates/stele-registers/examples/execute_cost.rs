//! Prints what executing one command costs, without signatures, storage or the state root.
//!
//! `cargo run --release -p stele-registers --example execute_cost`. The state is a hash map in memory; each entry is
//! executed once in one block; its key is looked up in the state as in a node.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::entry::{Entry, EntryBuilder};
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{Height, NetworkId, RegisterName, TimeMs, sha256};
use stele_core::machine::{BlockContext, Fault, Judgement, Overlay, StateMachine, StateReader};
use stele_core::suite::{SigningKey, Suite};
use stele_registers::{CommandSpec, Context, FieldSpec, FieldType, Register, Registry, Stop};

const ENTRIES: u64 = 20_000;

#[derive(Default)]
struct Memory(HashMap<[u8; 32], Vec<u8>>);

impl StateReader for Memory {
    fn get_path(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0.get(path).cloned())
    }
}

/// One insert for each command.
struct Insert;

impl Register for Insert {
    fn name(&self) -> &'static str {
        "insert"
    }
    fn version(&self) -> u32 {
        1
    }
    fn commands(&self) -> &'static [CommandSpec] {
        const KEY: FieldSpec = FieldSpec::required("key", FieldType::Hash, "where");
        &[CommandSpec {
            name: "put",
            doc: "Writes one key.",
            fields: &[KEY],
        }]
    }
    fn apply(
        &self,
        context: &mut Context<'_, '_>,
        _: &str,
        body: &mut Body<'_>,
    ) -> Result<(), Stop> {
        let key = body.bytes32("key")?;
        context.put(&key, vec![1; 32]);
        Ok(())
    }
}

fn main() {
    let founder = SigningKey::from_seed(Suite::Ed25519, &[1; 32]).expect("a seed of 32 bytes");
    let name = |name: &str| RegisterName::new(name).expect("a register name");
    let genesis = Genesis {
        name: "cost".to_owned(),
        time: TimeMs::new(1),
        network_key: founder.public().clone(),
        members: vec![Member {
            name: "Founder".to_owned(),
            key: founder.public().clone(),
        }],
        registers: ["governance", "identity", "trace", "insert"]
            .map(|n| (name(n), 1))
            .to_vec(),
        committee: None,
    };
    let mut registers = Registry::standard_registers();
    registers.push(Arc::new(Insert));
    let registry = Registry::new(registers);
    let empty = Memory::default();
    let mut overlay = Overlay::new(&empty);
    registry
        .genesis(&genesis, &mut overlay)
        .expect("a good genesis");
    let mut state = Memory::default();
    for change in overlay.into_changes() {
        state.0.insert(
            change.path,
            change.value.expect("a genesis removes nothing"),
        );
    }

    let network = genesis.network_id();
    let hash = |n: u64| sha256(&[&n.to_be_bytes()]);
    let sign = |register: &str, command: &str, body: &dyn Fn(u64) -> Vec<u8>, per_entry: u64| {
        let entry = |n: u64| {
            let window = (TimeMs::new(1), TimeMs::new(1000));
            let mut builder = EntryBuilder::new(
                network,
                name(register),
                window.0,
                window.1,
                &n.to_be_bytes(),
            );
            for i in 0..per_entry {
                builder = builder.command(command, body(n * per_entry + i));
            }
            builder.sign(&founder).expect("a good entry")
        };
        (0..ENTRIES / per_entry).map(entry).collect::<Vec<Entry>>()
    };
    let put = |n| BodyBuilder::new().bytes("key", &hash(n)).build();
    let record = |n: u64| {
        let body = BodyBuilder::new().text("event_id", &format!("urn:uuid:{n}"));
        body.bytes("commitment", &hash(n))
            .text("type", "ObjectEvent")
            .build()
    };
    let record_item = |n: u64| {
        let body = BodyBuilder::new().text("event_id", &format!("urn:uuid:{n}"));
        let body = body
            .bytes("commitment", &hash(n))
            .text("type", "ObjectEvent");
        body.bytes_list("items", &[hash(n)]).build()
    };
    let claim = |n: u64| BodyBuilder::new().bytes_list("items", &[hash(n)]).build();
    measure(
        &registry,
        &state,
        network,
        "insert/put, 1 per entry",
        sign("insert", "put", &put, 1),
    );
    measure(
        &registry,
        &state,
        network,
        "insert/put, 100 per entry",
        sign("insert", "put", &put, 100),
    );
    let entries = sign("trace", "event.record", &record, 1);
    measure(
        &registry,
        &state,
        network,
        "trace/event.record, no item",
        entries,
    );
    let entries = sign("trace", "event.record", &record_item, 1);
    measure(
        &registry,
        &state,
        network,
        "trace/event.record, one item",
        entries,
    );
    measure(
        &registry,
        &state,
        network,
        "trace/custody.claim, one item",
        sign("trace", "custody.claim", &claim, 1),
    );
}

#[allow(clippy::disallowed_methods, reason = "a measurement, not a register")]
#[allow(clippy::print_stdout, reason = "an example's figures")]
fn measure(
    registry: &Registry,
    state: &Memory,
    network: NetworkId,
    what: &str,
    entries: Vec<Entry>,
) {
    let block = BlockContext {
        network,
        height: Height::new(1),
        time: TimeMs::new(2),
    };
    let mut overlay = Overlay::new(state);
    let start = Instant::now();
    for entry in &entries {
        let executed = registry
            .execute(&block, entry, &mut overlay)
            .expect("memory does not fail");
        assert_eq!(executed.outcome, Judgement::Applied);
    }
    let spent = start.elapsed();
    let commands: usize = entries.iter().map(Entry::command_count).sum();
    let changes = overlay.into_changes().len();
    println!(
        "{what}: {} ns per command ({changes} changed keys)",
        spent.as_nanos() / commands as u128
    );
}
