//! A ledger of one validator with an accredited university, for tests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::{Map, Value, json};
use stele_core::entry::EntryBuilder;
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{NetworkId, PartyId, RegisterName, TimeMs};
use stele_core::receipt::NetworkDescriptor;
use stele_core::suite::{SigningKey, Suite};
use stele_credentials::Refusal;
use stele_credentials::did::{Did, Relationship, ResolutionOptions, Resolver as _, SelfContained};
use stele_credentials::jose::PublicKey;
use stele_ledger::ledger::{Ledger, LedgerOptions, Progress, system_time};
use stele_registers::{Registry, json_to_body};

use crate::chain::{Chain, SigningParty};
use crate::rules::{CHAIN, KEY, KEY_UNKNOWN};
use crate::settings::IssuerSettings;
use crate::{NewOffer, Office};

const MINUTE_MS: u64 = 60_000;
pub(crate) const BASE: &str = "https://registry.example";
pub(crate) const SCOPE: &str = "XX/universities";

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[n; 32]).unwrap()
}

/// A network on which the party of the key `university` is accredited by the steward; `stranger` is registered only.
pub(crate) struct World {
    _folder: tempfile::TempDir,
    ledger: Ledger,
    registry: Arc<Registry>,
    network: NetworkId,
    pub descriptor: NetworkDescriptor,
    keys: HashMap<&'static str, Arc<SigningKey>>,
    nonce: AtomicU64,
}

impl World {
    pub fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("ledger");
        let registry = Arc::new(Registry::standard());
        let registers = registry.registers().map(|register| {
            let name = RegisterName::new(register.name()).unwrap();
            (name, u64::from(register.version()))
        });
        let genesis = Genesis {
            name: "fictional".to_owned(),
            time: TimeMs::new(system_time().get() - 10 * MINUTE_MS),
            network_key: key(200).public().clone(),
            members: vec![Member {
                name: "Fictional ministry".to_owned(),
                key: key(1).public().clone(),
            }],
            registers: registers.collect(),
            committee: None,
        };
        Ledger::create(&dir, &genesis, &*registry, &key(200)).unwrap();
        let ledger =
            Ledger::open(&dir, registry.clone(), key(200), LedgerOptions::default()).unwrap();
        let keys = [("steward", 1), ("university", 10), ("stranger", 11)];
        let world = Arc::new(Self {
            _folder: folder,
            ledger,
            registry,
            network: genesis.network_id(),
            descriptor: NetworkDescriptor::of_genesis(&genesis),
            keys: keys.map(|(name, n)| (name, Arc::new(key(n)))).into(),
            nonce: AtomicU64::new(0),
        });
        for name in ["university", "stranger"] {
            let key = hex::encode(world.keys[name].public().to_cose_key());
            let body =
                json!({"kind": "organisation", "keys": [key], "name": format!("Fictional {name}")});
            world
                .apply(name, "identity", "party.register", &body)
                .unwrap();
        }
        let grant = json!({
            "subject": world.party("university").to_string(),
            "action": "credential/issue",
            "scope": SCOPE,
        });
        world
            .apply("steward", "identity", "accreditation.grant", &grant)
            .unwrap();
        world
    }

    pub fn party(&self, name: &str) -> PartyId {
        PartyId::of_first_key(&self.keys[name].public().kid())
    }

    pub fn apply(
        &self,
        signer: &str,
        register: &str,
        command: &str,
        body: &Value,
    ) -> Result<(), Refusal> {
        let nonce = u128::from(self.nonce.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
        let now = system_time().get();
        let spec = self.registry.command(register, command).unwrap();
        let body = json_to_body(spec.fields, body).map_err(|error| CHAIN.because(error))?;
        let (from, to) = (TimeMs::new(now - MINUTE_MS), TimeMs::new(now + MINUTE_MS));
        let name = RegisterName::new(register).unwrap();
        let entry = EntryBuilder::new(self.network, name, from, to, &nonce)
            .command(command, body)
            .sign(&self.keys[signer])
            .unwrap();
        let (sender, receiver) = mpsc::channel();
        self.ledger
            .submit(entry.into_bytes(), move |progress| {
                let done = match progress {
                    Progress::Admitted(_) => return,
                    Progress::Final(done) => done.refusal.clone(),
                    Progress::Refused(refusal) | Progress::Unknown(refusal) => Some(refusal),
                };
                let _ = sender.send(done);
            })
            .map_err(|refusal| CHAIN.because(refusal.code))?;
        match receiver.recv_timeout(Duration::from_secs(60)).unwrap() {
            None => Ok(()),
            Some(refusal) => Err(CHAIN.because(refusal.code)),
        }
    }
}

impl Chain for World {
    fn signer(&self, key: &str) -> Result<SigningParty, Refusal> {
        let found = self.keys.get(key).cloned();
        let key = found.ok_or_else(|| KEY.because(key))?;
        let party = PartyId::of_first_key(&key.public().kid());
        Ok(SigningParty {
            key,
            party,
            name: Some("Fictional University".to_owned()),
        })
    }

    fn submit(&self, key: &str, command: &str, body: Value) -> Result<(), Refusal> {
        self.apply(key, "credential", command, &body)
    }

    fn receipt(&self, keys: &[Vec<u8>]) -> Result<Vec<u8>, Refusal> {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| ("credential", key.as_slice()))
            .collect();
        let receipt = self.ledger.state_receipt(&keys);
        receipt
            .map(|receipt| receipt.encode())
            .map_err(|error| CHAIN.because(error))
    }

    fn assertion_key(&self, did: &str, key_id: Option<&str>) -> Result<PublicKey, Refusal> {
        if let Some(key) = self
            .keys
            .values()
            .find(|key| PartyId::of_first_key(&key.public().kid()).did() == did)
        {
            return PublicKey::from_core(key.public());
        }
        let did = Did::parse(did)?;
        let resolved = SelfContained.resolve(&did, &ResolutionOptions::default());
        let document = resolved.document.map_err(|_| KEY_UNKNOWN.because(&did))?;
        let key = document.key_for(Relationship::AssertionMethod, key_id.unwrap_or_default());
        key.cloned()
    }
}

/// An office with one issuer, `university`.
pub(crate) struct Opened {
    pub world: Arc<World>,
    pub office: Arc<Office>,
    pub folder: tempfile::TempDir,
}

pub(crate) fn settings() -> IssuerSettings {
    serde_json::from_value(json!({
        "display_name": "Fictional University",
        "key": "university",
        "scope": SCOPE,
        "kinds": [{
            "id": "diploma",
            "vct": "https://university.example/diploma",
            "display_name": "Fictional diploma",
            "valid_days": 3650,
            "claims": [
                {"name": "given_name", "display_name": "Given name"},
                {"name": "degree", "display_name": "Degree", "shown": "always"},
                {"name": "ects", "display_name": "ECTS points", "value": "integer"},
                {"name": "awarded", "display_name": "Awarded on", "value": "date"},
                {"name": "grade", "display_name": "Grade", "value": "number", "optional": true},
            ],
        }, {
            "id": "transcript",
            "vct": "https://university.example/transcript",
            "display_name": "Fictional transcript",
            "by_hand": true,
            "claims": [{"name": "given_name", "display_name": "Given name"}],
        }],
    }))
    .unwrap()
}

pub(crate) fn open() -> Opened {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let office = reopen(&world, &folder);
    office.put_issuer("university", settings()).unwrap();
    Opened {
        world,
        office,
        folder,
    }
}

pub(crate) fn reopen(world: &Arc<World>, folder: &tempfile::TempDir) -> Arc<Office> {
    let path = folder.path().join("offices.db");
    Arc::new(Office::open(&path, BASE, world.clone(), now()).unwrap())
}

pub(crate) fn now() -> u64 {
    system_time().get() / 1000
}

pub(crate) fn ada(wants_code: bool) -> NewOffer {
    let claims: Map<String, Value> = serde_json::from_value(json!({
        "given_name": "Fictional Ada",
        "degree": "Master of Science",
        "ects": 120,
        "awarded": "2026-09-30",
    }))
    .unwrap();
    NewOffer {
        kind: "diploma".to_owned(),
        reference: Some("F-1815".to_owned()),
        claims,
        wants_code,
    }
}
