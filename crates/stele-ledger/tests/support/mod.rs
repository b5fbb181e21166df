//! A network of one in a temporary folder, and parties that sign.
#![allow(dead_code, missing_docs)]

pub mod reading;
pub mod rng;
pub mod timed;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

use stele_core::cbor::BodyBuilder;
use stele_core::entry::{Entry, EntryBuilder};
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{PartyId, RegisterName, TimeMs};
use stele_core::machine::Refusal;
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::{Finalised, Ledger, LedgerError, LedgerOptions, Progress, system_time};
use stele_registers::Registry;

static WORLDS: AtomicU64 = AtomicU64::new(0);

pub fn key(seed: u64) -> SigningKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    SigningKey::from_seed(Suite::Ed25519, &bytes).expect("32 bytes")
}

enum Place {
    Own(tempfile::TempDir),
    Given(PathBuf),
}

pub struct World {
    place: Place,
    registry: Arc<Registry>,
    genesis: Genesis,
    nonce: AtomicU64,
}

impl World {
    pub fn new() -> Self {
        Self::create(Place::Own(tempfile::tempdir().expect("a temporary folder")))
    }

    /// A new network in a folder that somebody else cares for.
    pub fn new_in(dir: &Path) -> Self {
        Self::create(Place::Given(dir.to_owned()))
    }

    /// The network that is in a folder already, as another process sees it.
    pub fn attach(dir: &Path) -> Self {
        Self {
            place: Place::Given(dir.to_owned()),
            registry: Arc::new(Registry::standard()),
            genesis: Ledger::read_genesis(dir).expect("a ledger"),
            nonce: AtomicU64::new(u64::from(std::process::id()) << 32),
        }
    }

    fn create(place: Place) -> Self {
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
            committee: None,
        };
        let world = Self {
            place,
            registry,
            genesis,
            nonce: AtomicU64::new(0),
        };
        Ledger::create(world.dir(), &world.genesis, &*world.registry, &key(1000)).expect("created");
        world
    }

    pub fn dir(&self) -> &Path {
        match &self.place {
            Place::Own(dir) => dir.path(),
            Place::Given(dir) => dir,
        }
    }

    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// No reserve of disk space, so that the tests do not depend on the machine's.
    pub fn options() -> LedgerOptions {
        LedgerOptions {
            disk_reserve_bytes: 0,
            ..LedgerOptions::default()
        }
    }

    pub fn machine(&self) -> &Registry {
        &self.registry
    }

    pub fn open(&self) -> Ledger {
        self.open_with(Self::options())
    }

    pub fn open_with(&self, options: LedgerOptions) -> Ledger {
        self.try_open(self.dir(), options).expect("opens")
    }

    /// Opens this network's ledger in another folder, such as a damaged copy.
    pub fn try_open(&self, dir: &Path, options: LedgerOptions) -> Result<Ledger, LedgerError> {
        Ledger::open(dir, self.registry.clone(), key(1000), options)
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
            Progress::Refused(refusal) | Progress::Unknown(refusal) => sender.send(Err(refusal)),
            Progress::Final(done) => sender.send(Ok(*done)),
        };
    })?;
    receiver.recv().expect("the ledger answers")
}

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

/// A temporary folder in memory where the machine has one: the tests that open hundreds of ledgers need no disk.
pub fn quick_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(folder) = tempfile::tempdir_in(memory)
    {
        return folder;
    }
    tempfile::tempdir().expect("a temporary folder")
}
