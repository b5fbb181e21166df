//! The engine beside the register itself: what the chain applies the engine replays, with the same clock; what the chain
//! refuses the engine refuses by the same rule.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use stele_core::block::Event;
use stele_core::entry::EntryBuilder;
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{Hash, Height, NetworkId, PartyId, RegisterName, TimeMs};
use stele_core::machine::{
    BlockContext, Fault, Judgement, Overlay, Refusal, StateMachine, StateReader,
};
use stele_core::suite::{SigningKey, Suite};
use stele_registers::service::{case, case_ref};
use stele_registers::{Registry, View, body_to_json, json_to_body};
use stele_services::{
    CaseEvent, Definition, Fact, Opening, choices, commitment, open_command, publish_command,
    replay,
};

use crate::support::{BUSINESS, PARKING, at};

#[derive(Default, Clone)]
struct Memory(HashMap<[u8; 32], Vec<u8>>);

impl StateReader for Memory {
    fn get_path(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0.get(path).cloned())
    }
}

struct Chain {
    registry: Registry,
    state: Memory,
    network: NetworkId,
    height: u64,
    time: u64,
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[n; 32]).unwrap()
}

fn party(n: u8) -> PartyId {
    PartyId::of_first_key(&key(n).public().kid())
}

const AUTHORITY: u8 = 1;
const OFFICE: u8 = 2;
const CITIZEN: u8 = 3;
const OTHER_OFFICE: u8 = 4;

impl Chain {
    fn new(time: u64) -> Self {
        let registry = Registry::standard();
        let registers = registry.registers();
        let names = registers.map(|one| (RegisterName::new(one.name()).unwrap(), 1));
        let genesis = Genesis {
            name: "test".to_owned(),
            time: TimeMs::new(time),
            network_key: key(200).public().clone(),
            members: vec![Member {
                name: "Fictional Authority".to_owned(),
                key: key(AUTHORITY).public().clone(),
            }],
            registers: names.collect(),
            committee: None,
        };
        let mut chain = Self {
            state: Memory::default(),
            network: genesis.network_id(),
            height: 0,
            time,
            registry,
        };
        let base = Memory::default();
        let mut overlay = Overlay::new(&base);
        chain.registry.genesis(&genesis, &mut overlay).unwrap();
        chain.write(overlay);
        for n in [OFFICE, CITIZEN, OTHER_OFFICE] {
            let cose: String = key(n)
                .public()
                .to_cose_key()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let body = json!({"kind": "authority", "keys": [cose]});
            chain
                .submit(n, &[], "identity", "party.register", body)
                .unwrap();
        }
        for (n, action) in [
            (AUTHORITY, "service/*"),
            (OFFICE, "service/decide"),
            (OTHER_OFFICE, "service/decide"),
        ] {
            let body = json!({"subject": party(n).did(), "action": action, "scope": "DE"});
            chain
                .submit(AUTHORITY, &[], "identity", "accreditation.grant", body)
                .unwrap();
        }
        chain
    }

    fn write(&mut self, overlay: Overlay<'_>) {
        for change in overlay.into_changes() {
            match change.value {
                Some(value) => self.state.0.insert(change.path, value),
                None => self.state.0.remove(&change.path),
            };
        }
    }

    fn submit(
        &mut self,
        signer: u8,
        cosigners: &[u8],
        register: &str,
        command: &str,
        body: Json,
    ) -> Result<Vec<Event>, Refusal> {
        self.height += 1;
        let spec = self.registry.command(register, command).unwrap();
        let body = json_to_body(spec.fields, &body).unwrap();
        let (from, until) = (TimeMs::new(self.time), TimeMs::new(self.time + 60_000));
        let name = RegisterName::new(register).unwrap();
        let builder =
            EntryBuilder::new(self.network, name, from, until, &self.height.to_be_bytes());
        let cosigners: Vec<_> = cosigners.iter().map(|n| key(*n)).collect();
        let cosigners: Vec<_> = cosigners.iter().collect();
        let entry = builder
            .command(command, body)
            .sign_with_cosigners(&key(signer), &cosigners)
            .unwrap();
        let block = BlockContext {
            network: self.network,
            height: Height::new(self.height),
            time: TimeMs::new(self.time),
        };
        let base = self.state.clone();
        let mut overlay = Overlay::new(&base);
        let executed = self.registry.execute(&block, &entry, &mut overlay).unwrap();
        match executed.outcome {
            Judgement::Applied => {
                self.write(overlay);
                Ok(executed.events)
            }
            Judgement::Refused { refusal, .. } => Err(refusal),
        }
    }

    fn case_event(&self, event: &Event) -> Option<CaseEvent> {
        let spec = self.registry.event(&event.name).unwrap();
        CaseEvent::from_register(
            &event.name,
            &body_to_json(spec.fields, &event.body).unwrap(),
        )
    }

    /// Publishes a definition and opens a case under it.
    fn open(&mut self, definition: &Definition) -> (Hash, Vec<CaseEvent>) {
        let publish = publish_command(definition);
        self.submit(AUTHORITY, &[], "service", "definition.publish", publish)
            .unwrap();
        let opening = Opening {
            case_id: [7; 32],
            authority: party(AUTHORITY),
            application: commitment(&[1; 32], b"application"),
            documents: vec![commitment(&[2; 32], b"document")],
            office: Some(party(OFFICE)),
        };
        let open = open_command(definition, &opening);
        let events = self.submit(CITIZEN, &[], "service", "case.open", open);
        let events = events.unwrap();
        let events = events
            .iter()
            .filter_map(|event| self.case_event(event))
            .collect();
        (
            case_ref(&party(CITIZEN), &Hash::from_bytes([7; 32])),
            events,
        )
    }
}

/// The command of a fact, its signer and cosigner, given who has the case.
fn command(fact: &Fact, has: u8) -> (u8, Vec<u8>, &'static str, Json) {
    let hash = Hash::from_bytes([9; 32]).to_string();
    let other = if has == OFFICE { OTHER_OFFICE } else { OFFICE };
    match fact {
        Fact::Requested { items } => (has, vec![], "items.request", json!({"items": items})),
        Fact::Supplied { items } => (
            CITIZEN,
            vec![],
            "case.supply",
            json!({"items": items, "documents": [hash]}),
        ),
        Fact::Confirmed => (has, vec![], "items.confirm", json!({})),
        Fact::Extended { count } => (
            has,
            vec![],
            "period.extend",
            json!({"count": count, "reasons": hash}),
        ),
        Fact::HandedOver { .. } => (
            has,
            vec![other],
            "handover.transfer",
            json!({"to": party(other).did()}),
        ),
        Fact::Decided { outcome } => (
            has,
            vec![],
            "decision.make",
            json!({"outcome": outcome, "reasons": hash}),
        ),
        Fact::Deemed => (OTHER_OFFICE, vec![], "case.deem", json!({})),
        Fact::Appealed => (CITIZEN, vec![], "appeal.lodge", json!({"grounds": hash})),
        Fact::Settled { outcome } => (
            AUTHORITY,
            vec![],
            "appeal.decide",
            json!({"outcome": outcome, "reasons": hash}),
        ),
        Fact::Withdrawn => (CITIZEN, vec![], "case.withdraw", json!({})),
        Fact::Closed => (has, vec![], "case.close", json!({})),
        Fact::Opened { .. } => unreachable!("a case is opened once"),
    }
}

fn fact(items: Vec<String>) -> impl Strategy<Value = Fact> {
    let some = move || proptest::sample::subsequence(items.clone(), 1..=2);
    prop_oneof![
        3 => some().prop_map(|items| Fact::Requested { items }),
        5 => some().prop_map(|items| Fact::Supplied { items }),
        1 => Just(Fact::Confirmed),
        1 => (0..3u64).prop_map(|count| Fact::Extended { count }),
        2 => Just(Fact::HandedOver { to: String::new() }),
        1 => Just(Fact::Decided { outcome: "partly".into() }),
        2 => Just(Fact::Deemed),
        2 => Just(Fact::Appealed),
        2 => Just(Fact::Settled { outcome: "allowed".into() }),
        1 => Just(Fact::Withdrawn),
        2 => Just(Fact::Closed),
    ]
}

fn steps() -> impl Strategy<Value = Vec<(u64, Fact)>> {
    let items = ["employees", "identity", "zone"]
        .map(str::to_owned)
        .to_vec();
    proptest::collection::vec(
        (
            prop_oneof![2 => 0..6u64, 2 => 0..72u64, 1 => 0..1500u64],
            fact(items),
        ),
        1..30,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn engine_and_register_agree(parking in any::<bool>(), steps in steps()) {
        let text = if parking { PARKING } else { BUSINESS };
        let definition = Definition::read(text.as_bytes()).unwrap();
        let mut chain = Chain::new(at(&definition, 2026, 12, 1, 9));
        let (reference, mut events) = chain.open(&definition);
        let mut mirror = replay(&definition, &events).unwrap();
        for (hours, mut fact) in steps {
            chain.time += hours * 3_600_000;
            let has = if mirror.office == party(OFFICE).did() { OFFICE } else { OTHER_OFFICE };
            let (signer, cosigners, name, mut body) = command(&fact, has);
            if let Fact::HandedOver { to } = &mut fact {
                *to = body["to"].as_str().unwrap().to_owned();
            }
            body["case"] = json!(reference.to_string());
            let may = choices(&definition, &mirror, TimeMs::new(chain.time));
            let event = CaseEvent { time: chain.time, fact };
            let expected = mirror.apply(&definition, &event);
            match chain.submit(signer, &cosigners, "service", name, body) {
                Ok(emitted) => {
                    prop_assert_eq!(expected, Ok(()), "{:?}", event);
                    prop_assert_eq!(chain.case_event(&emitted[0]), Some(event.clone()));
                    prop_assert!(name == "handover.transfer" || name == "period.extend" || may.contains(&name), "{} not in {:?}", name, may);
                    events.push(event);
                }
                Err(refusal) => {
                    let illegal = expected.expect_err("the register has refused");
                    prop_assert_eq!(illegal.code(), refusal.code, "{:?}", event);
                }
            }
            let kept = case(View::new(&chain.state, "service"), &reference).unwrap().unwrap();
            prop_assert_eq!((kept.status, kept.clock, kept.complete), (mirror.status, mirror.clock, mirror.complete));
            prop_assert_eq!(kept.office.did(), mirror.office.clone());
            prop_assert!(kept.missing.iter().eq(&mirror.missing));
        }
        prop_assert_eq!(replay(&definition, &events).unwrap(), mirror);
    }
}
