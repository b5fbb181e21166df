//! A network in memory: blocks of one entry each, checked as the ledger would check them.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value as Json, json};
use stele_core::block::Event;
use stele_core::entry::{Entry, EntryBuilder};
use stele_core::genesis::{Committee, Genesis, Member, Validator};
use stele_core::id::{Hash, Height, KeyId, NetworkId, PartyId, RegisterName, TimeMs};
use stele_core::machine::{
    BlockContext, Fault, Halt, Judgement, Overlay, Refusal, StateMachine, StateReader,
};
use stele_core::suite::{SigningKey, Suite};
use stele_registers::{Registry, View, body_to_json, json_to_body};

/// State in a map; the order of its insertion must not matter.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub struct Memory(pub HashMap<[u8; 32], Vec<u8>>);

impl StateReader for Memory {
    fn get_path(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0.get(path).cloned())
    }
}

/// Why the world said no: the command's index and the refusal.
pub type Refused = (u64, Refusal);

pub struct World {
    pub registry: Registry,
    pub state: Memory,
    pub network: NetworkId,
    pub height: u64,
    pub time: u64,
    nonce: u64,
    /// Every code that has refused an entry.
    pub seen: BTreeSet<String>,
}

pub const START_MS: u64 = 1_700_000_000_000;

/// The key number `n`; founders have small numbers.
pub fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[n; 32]).unwrap()
}

pub fn kid(key: &SigningKey) -> KeyId {
    key.public().kid()
}

pub fn party(key: &SigningKey) -> PartyId {
    PartyId::of_first_key(&kid(key))
}

pub fn did(key: &SigningKey) -> String {
    party(key).did()
}

pub fn cose(key: &SigningKey) -> String {
    hex(&key.public().to_cose_key())
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key of the node of the founder number `n`.
pub fn node(n: u8) -> SigningKey {
    key(100 + n)
}

/// The 32 bytes of [`node`]'s public key.
pub fn node_key(n: u8) -> [u8; 32] {
    let cose = node(n).public().to_cose_key();
    *cose.last_chunk().unwrap()
}

pub fn item(n: u8) -> Hash {
    stele_registers::trace::item_hash(&format!("urn:epc:id:sgtin:0000000.000000.{n}"))
}

pub fn genesis_of(registers: &[(&str, u64)], founders: &[SigningKey]) -> Genesis {
    let member = |(n, key): (usize, &SigningKey)| Member {
        name: format!("Founder {n} (fictional)"),
        key: key.public().clone(),
    };
    Genesis {
        name: "test".to_owned(),
        time: TimeMs::new(START_MS),
        network_key: key(200).public().clone(),
        members: founders.iter().enumerate().map(member).collect(),
        registers: registers
            .iter()
            .map(|(name, v)| (RegisterName::new(name).unwrap(), *v))
            .collect(),
        committee: None,
    }
}

impl World {
    /// A network of all standard registers whose founders hold the keys 1 and 2.
    pub fn new() -> Self {
        let registers = [
            ("credential", 1),
            ("governance", 1),
            ("identity", 1),
            ("service", 1),
            ("statement", 1),
            ("trace", 1),
        ];
        Self::with(Registry::standard(), &registers)
    }

    /// A network of `count` validators, whose founders hold the keys from 1 on and run a validator each.
    pub fn with_committee(count: u8) -> Self {
        Self::with_members(count, count)
    }

    /// As [`World::with_committee`], with more founders than validators.
    pub fn with_members(members: u8, count: u8) -> Self {
        let registers = [
            ("credential", 1),
            ("governance", 1),
            ("identity", 1),
            ("service", 1),
            ("statement", 1),
            ("trace", 1),
        ];
        let founders: Vec<_> = (1..=members).map(key).collect();
        let mut genesis = genesis_of(&registers, &founders);
        let mut validators: Vec<_> = (1..=count)
            .map(|n| Validator {
                member: usize::from(n) - 1,
                node_key: node_key(n),
                address: format!("validator-{n}.example:7100"),
            })
            .collect();
        validators.sort_by_key(|validator| validator.node_key);
        genesis.committee = Some(Committee {
            epoch_blocks: 10,
            sharing: vec![1],
            validators,
        });
        Self::of(Registry::standard(), genesis)
    }

    pub fn with(registry: Registry, registers: &[(&str, u64)]) -> Self {
        Self::of(registry, genesis_of(registers, &[key(1), key(2)]))
    }

    fn of(registry: Registry, genesis: Genesis) -> Self {
        let mut state = Memory::default();
        let base = Memory::default();
        let mut overlay = Overlay::new(&base);
        registry.genesis(&genesis, &mut overlay).unwrap();
        write(&mut state, overlay);
        let network = genesis.network_id();
        let seen = BTreeSet::new();
        Self {
            registry,
            state,
            network,
            height: 0,
            time: START_MS,
            nonce: 0,
            seen,
        }
    }

    pub fn view(&self, register: &'static str) -> View<'_> {
        View::new(&self.state, register)
    }

    /// Signs commands given in JSON. A command without a description gets an empty body.
    pub fn entry(
        &mut self,
        signer: &SigningKey,
        cosigners: &[&SigningKey],
        register: &str,
        commands: &[(&str, Json)],
    ) -> Entry {
        let bodies = commands.iter().map(|(name, body)| {
            let (target, bare) = name.split_once('/').unwrap_or((register, name));
            let fields = self
                .registry
                .command(target, bare)
                .map_or(&[][..], |spec| spec.fields);
            (
                (*name).to_owned(),
                json_to_body(fields, body).unwrap_or_else(|e| panic!("{name}: {e}")),
            )
        });
        let bodies: Vec<_> = bodies.collect();
        self.entry_raw(signer, cosigners, register, bodies)
    }

    pub fn entry_raw(
        &mut self,
        signer: &SigningKey,
        cosigners: &[&SigningKey],
        register: &str,
        commands: Vec<(String, Vec<u8>)>,
    ) -> Entry {
        self.nonce += 1;
        let register = RegisterName::new(register).unwrap();
        let (from, until) = (TimeMs::new(self.time), TimeMs::new(self.time + 60_000));
        let nonce = self.nonce.to_be_bytes();
        let mut builder = EntryBuilder::new(self.network, register, from, until, &nonce);
        for (name, body) in commands {
            builder = builder.command(&name, body);
        }
        builder.sign_with_cosigners(signer, cosigners).unwrap()
    }

    /// Finds the keys of an entry and checks its signatures, as admission does.
    pub fn admit(&self, entry: &Entry) -> Result<(), Refused> {
        let counter: Vec<_> = entry.countersignatures().collect();
        for signature in std::iter::once(entry.signature()).chain(counter) {
            match self.registry.find_key(&self.state, &signature.kid, entry) {
                Ok(key) => key
                    .verify(signature.alg, &signature.message, signature.signature)
                    .unwrap(),
                Err(Halt::Refused(refusal)) => return Err((0, refusal)),
                Err(Halt::Fault(fault)) => panic!("{fault}"),
            }
        }
        Ok(())
    }

    /// Executes entries as the next block, without admission.
    pub fn block(&mut self, entries: &[Entry]) -> Result<Vec<Result<Vec<Event>, Refused>>, Fault> {
        self.height += 1;
        self.time += 1000;
        let block = BlockContext {
            network: self.network,
            height: Height::new(self.height),
            time: TimeMs::new(self.time),
        };
        let mut outcomes = Vec::new();
        let base = self.state.clone();
        let mut overlay = Overlay::new(&base);
        for entry in entries {
            let executed = self.registry.execute(&block, entry, &mut overlay)?;
            outcomes.push(match executed.outcome {
                Judgement::Applied => Ok(executed.events),
                Judgement::Refused {
                    command_index,
                    refusal,
                } => {
                    assert!(executed.events.is_empty());
                    Err((command_index, refusal))
                }
            });
        }
        let changes = overlay.into_changes();
        if outcomes.iter().all(Result::is_err) {
            assert!(changes.is_empty(), "a refused entry left a trace");
        }
        for change in changes {
            match change.value {
                Some(value) => self.state.0.insert(change.path, value),
                None => self.state.0.remove(&change.path),
            };
        }
        for event in outcomes.iter().flatten().flatten() {
            let spec = self
                .registry
                .event(&event.name)
                .unwrap_or_else(|| panic!("{}", event.name));
            body_to_json(spec.fields, &event.body)
                .unwrap_or_else(|e| panic!("{}: {e}", event.name));
        }
        Ok(outcomes)
    }

    /// Admits one entry and executes it as the next block; notes the code of a refusal.
    pub fn submit(&mut self, entry: &Entry) -> Result<Vec<Event>, Refused> {
        let outcome = match self.admit(entry) {
            Ok(()) => self.block(std::slice::from_ref(entry)).unwrap().remove(0),
            Err(refused) => Err(refused),
        };
        if let Err((_, refusal)) = &outcome {
            assert!(
                refusal.sentence.len() > 10 && !refusal.hint.is_empty(),
                "{refusal:?}"
            );
            self.seen.insert(refusal.code.clone());
        }
        outcome
    }

    /// Submits one command that must apply.
    pub fn ok(
        &mut self,
        signer: &SigningKey,
        cosigners: &[&SigningKey],
        command: &str,
        body: Json,
    ) -> Vec<Event> {
        let (register, name) = command.split_once('/').unwrap();
        let entry = self.entry(signer, cosigners, register, &[(name, body)]);
        self.submit(&entry)
            .unwrap_or_else(|(_, refusal)| panic!("{command}: {refusal:?}"))
    }

    /// Submits one command that must be refused with `code`.
    pub fn no(
        &mut self,
        signer: &SigningKey,
        cosigners: &[&SigningKey],
        command: &str,
        body: Json,
        code: &str,
    ) {
        let (register, name) = command.split_once('/').unwrap();
        let entry = self.entry(signer, cosigners, register, &[(name, body)]);
        match self.submit(&entry) {
            Err((0, refusal)) => assert_eq!(refusal.code, code, "{}", refusal.sentence),
            other => panic!("{command}: expected {code}, got {other:?}"),
        }
    }

    /// Submits several commands in one entry; returns the refused index and code.
    pub fn many(
        &mut self,
        signer: &SigningKey,
        cosigners: &[&SigningKey],
        register: &str,
        commands: &[(&str, Json)],
    ) -> Result<Vec<Event>, (u64, String)> {
        let entry = self.entry(signer, cosigners, register, commands);
        self.submit(&entry)
            .map_err(|(index, refusal)| (index, refusal.code))
    }

    /// Registers the organisation that holds the key number `n`.
    pub fn register(&mut self, n: u8) -> SigningKey {
        let new = key(n);
        let body = json!({"kind": "organisation", "name": format!("Party {n} (fictional)"), "keys": [cose(&new)]});
        self.ok(&new, &[], "identity/party.register", body);
        new
    }

    /// Fails unless every rule of `register` has refused something in this world.
    pub fn assert_every_rule_refused(&self, register: &str) {
        let rules = self.registry.latest(register).unwrap().refusals();
        let missing: Vec<_> = rules
            .iter()
            .map(|rule| rule.code)
            .filter(|code| !self.seen.contains(*code))
            .collect();
        assert!(missing.is_empty(), "rules without a test: {missing:?}");
    }
}

fn write(state: &mut Memory, overlay: Overlay<'_>) {
    for change in overlay.into_changes() {
        state.0.insert(
            change.path,
            change.value.expect("a genesis removes nothing"),
        );
    }
}
