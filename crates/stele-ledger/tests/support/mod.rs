//! A network of one in a temporary folder, and parties that sign.
#![allow(dead_code, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

use stele_core::cbor::BodyBuilder;
use stele_core::entry::{Entry, EntryBuilder};
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{PartyId, RegisterName, TimeMs};
use stele_core::machine::Refusal;
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::{Finalised, Ledger, LedgerOptions, Progress, system_time};
use stele_registers::Registry;

static WORLDS: AtomicU64 = AtomicU64::new(0);

pub fn key(seed: u64) -> SigningKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    SigningKey::from_seed(Suite::Ed25519, &bytes).expect("32 bytes")
}

pub struct World {
    dir: tempfile::TempDir,
    registry: Arc<Registry>,
    genesis: Genesis,
    nonce: AtomicU64,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let registry = Arc::new(Registry::standard());
        let registers = registry
            .registers()
            .map(|register| {
                (
                    RegisterName::new(register.name()).expect("valid"),
                    u64::from(register.version()),
                )
            })
            .collect();
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let genesis = Genesis {
            name: format!("Fictional network {number}"),
            time: TimeMs::new(system_time().get() - 1000),
            network_key: key(1000).public().clone(),
            members: vec![Member {
                name: "Fictional Operator".to_owned(),
                key: key(1001).public().clone(),
            }],
            registers,
        };
        Ledger::create(dir.path(), &genesis, &*registry, &key(1000)).expect("created");
        Self {
            dir,
            registry,
            genesis,
            nonce: AtomicU64::new(0),
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn machine(&self) -> &Registry {
        &self.registry
    }

    pub fn open(&self) -> Ledger {
        self.open_with(LedgerOptions {
            disk_reserve_bytes: 0,
            ..LedgerOptions::default()
        })
    }

    pub fn open_with(&self, options: LedgerOptions) -> Ledger {
        Ledger::open(self.dir.path(), self.registry.clone(), key(1000), options).expect("opens")
    }

    pub fn register(&self, ledger: &Ledger, seed: u64, name: &str) -> Signer {
        let signer = Signer::new(seed);
        let body = BodyBuilder::new()
            .text("kind", "organisation")
            .text("name", name)
            .bytes_list("keys", &[signer.key().public().to_cose_key()])
            .build();
        let done = submit(
            ledger,
            &signer.entry(self, "identity", vec![("party.register", body)]),
        )
        .expect("ordered");
        assert!(done.refusal.is_none(), "{:?}", done.refusal);
        signer
    }
}

pub struct Signer {
    key: SigningKey,
}

impl Signer {
    pub fn new(seed: u64) -> Self {
        Self { key: key(seed) }
    }

    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    pub fn party(&self) -> PartyId {
        PartyId::of_first_key(&self.key.public().kid())
    }

    pub fn entry(&self, world: &World, register: &str, commands: Vec<(&str, Vec<u8>)>) -> Entry {
        let now = system_time().get();
        self.entry_at(world, now - 60_000, now + 600_000, register, commands)
    }

    pub fn entry_at(
        &self,
        world: &World,
        not_before: u64,
        not_after: u64,
        register: &str,
        commands: Vec<(&str, Vec<u8>)>,
    ) -> Entry {
        let nonce = world.nonce.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let register = RegisterName::new(register).expect("valid");
        let (from, until) = (TimeMs::new(not_before), TimeMs::new(not_after));
        let builder = EntryBuilder::new(world.genesis.network_id(), register, from, until, &nonce);
        let builder = commands
            .into_iter()
            .fold(builder, |builder, (name, body)| builder.command(name, body));
        builder.sign(&self.key).expect("a valid entry")
    }
}

/// An `event.record` command.
pub fn record_event(id: &str, commitment: [u8; 32]) -> (&'static str, Vec<u8>) {
    let body = BodyBuilder::new()
        .text("event_id", id)
        .bytes("commitment", &commitment)
        .text("type", "ObjectEvent")
        .bytes_list("items", &[commitment])
        .build();
    ("event.record", body)
}

pub fn submit(ledger: &Ledger, entry: &Entry) -> Result<Finalised, Refusal> {
    submit_bytes(ledger, entry.bytes().to_vec())
}

/// Submits and waits for the last word.
pub fn submit_bytes(ledger: &Ledger, bytes: Vec<u8>) -> Result<Finalised, Refusal> {
    let (sender, receiver) = channel();
    ledger.submit(bytes, move |progress| {
        let _ = match progress {
            Progress::Admitted(_) => Ok(()),
            Progress::Refused(refusal) => sender.send(Err(refusal)),
            Progress::Final(done) => sender.send(Ok(*done)),
        };
    })?;
    receiver.recv().expect("the ledger answers")
}
