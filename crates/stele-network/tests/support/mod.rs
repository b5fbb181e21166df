//! Networks of several validators in one process, with fictional members.
#![allow(dead_code, missing_docs)]

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};

use stele_core::block::Certificate;
use stele_core::cbor::BodyBuilder;
use stele_core::entry::{Entry, EntryBuilder};
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{RegisterName, TimeMs};
use stele_core::machine::Refusal;
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::{Finalised, Ledger, LedgerOptions, Progress, system_time};
use stele_network::ceremony::{Founded, found_from_seed};
use stele_network::keys::{MemorySecrets, NodeKey};
use stele_network::{Founder, FoundingPlan, certify_block_zero, sign_block_zero};
use stele_registers::Registry;

pub fn key(seed: u64) -> SigningKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    SigningKey::from_seed(Suite::Ed25519, &bytes).expect("32 bytes")
}

/// An address that was free a moment ago.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// What a founder starts its node with.
pub struct Place {
    pub node_key: NodeKey,
    /// The key of the member that runs the node.
    pub member: Arc<SigningKey>,
    pub secrets: Arc<MemorySecrets>,
    pub listen: SocketAddr,
    pub dir: tempfile::TempDir,
}

pub struct World {
    pub registry: Arc<Registry>,
    pub genesis: Genesis,
    pub block_zero: Certificate,
    pub places: Vec<Place>,
    nonce: AtomicU64,
}

impl World {
    /// Founds a network of `count` validators, each with its own folder.
    pub fn found(count: u64, epoch_blocks: u64, folder: impl Fn() -> tempfile::TempDir) -> Self {
        let addresses = (0..count).map(|_| free_address()).collect();
        let time = TimeMs::new(system_time().get() - 1000);
        Self::found_with(count, epoch_blocks, time, addresses, folder)
    }

    /// As [`World::found`], the same each time: for simulations, whose nodes need no addresses.
    pub fn found_at(
        count: u64,
        epoch_blocks: u64,
        time: TimeMs,
        folder: impl Fn() -> tempfile::TempDir,
    ) -> Self {
        let addresses =
            (0..count).map(|number| SocketAddr::from(([127, 0, 0, 1], 7_000 + number as u16)));
        Self::found_with(count, epoch_blocks, time, addresses.collect(), folder)
    }

    fn found_with(
        count: u64,
        epoch_blocks: u64,
        time: TimeMs,
        addresses: Vec<SocketAddr>,
        folder: impl Fn() -> tempfile::TempDir,
    ) -> Self {
        let registry = Arc::new(Registry::standard());
        let registers = registry.registers().map(|register| {
            let name = RegisterName::new(register.name()).expect("valid");
            (name, u64::from(register.version()))
        });
        let node_keys: Vec<_> = (0..count)
            .map(|number| NodeKey::from_seed(&[u8::try_from(number).expect("few") + 1; 32]))
            .collect();
        let founders = (0..count).map(|number| Founder {
            member: Member {
                name: format!("Fictional member {number}"),
                key: key(1_000 + number).public().clone(),
            },
            node_key: node_keys[number as usize].public(),
            address: addresses[number as usize].to_string(),
        });
        let plan = FoundingPlan {
            name: "Fictional network".to_owned(),
            time,
            epoch_blocks,
            registers: registers.collect(),
            founders: founders.collect(),
        };
        let founded = found_from_seed(&node_keys, &plan.context(), 1).expect("a key");
        let sharing = &founded[0].sharing;
        let genesis = plan.genesis(sharing).expect("the founders hold the shares");
        let block = Ledger::block_zero(&genesis, &*registry).expect("a genesis");
        let partials: Vec<_> = founded
            .iter()
            .map(|Founded { share, .. }| (share.index(), sign_block_zero(share, &block)))
            .collect();
        let block = certify_block_zero(sharing, block, &partials).expect("all have signed");
        let places = node_keys.into_iter().zip(addresses).zip(founded);
        let places = places
            .zip(1_000..)
            .map(|(((node_key, listen), founded), number)| {
                let dir = folder();
                let shares = BTreeMap::from([(1, founded.share)]);
                Ledger::create_certified(dir.path(), &genesis, &*registry, &block)
                    .expect("created");
                Place {
                    node_key,
                    member: Arc::new(key(number)),
                    secrets: Arc::new(MemorySecrets::new(shares)),
                    listen,
                    dir,
                }
            });
        Self {
            places: places.collect(),
            registry,
            genesis,
            block_zero: block,
            nonce: AtomicU64::new(0),
        }
    }

    /// Fills a folder with the ledger that a node joins with.
    pub fn folder_for_another(&self, dir: tempfile::TempDir) -> tempfile::TempDir {
        let ledger =
            Ledger::create_certified(dir.path(), &self.genesis, &*self.registry, &self.block_zero);
        ledger.expect("created");
        dir
    }

    pub fn options() -> LedgerOptions {
        LedgerOptions {
            disk_reserve_bytes: 0,
            ..LedgerOptions::default()
        }
    }

    pub fn entry_at(
        &self,
        signer: &SigningKey,
        now: u64,
        register: &str,
        command: &str,
        body: Vec<u8>,
    ) -> Entry {
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let register = RegisterName::new(register).expect("valid");
        let (from, until) = (TimeMs::new(now - 60_000), TimeMs::new(now + 600_000));
        EntryBuilder::new(self.genesis.network_id(), register, from, until, &nonce)
            .command(command, body)
            .sign(signer)
            .expect("a valid entry")
    }

    /// The registration of a fictional organisation.
    pub fn registration(&self, signer: &SigningKey, name: &str, now: u64) -> Entry {
        let body = BodyBuilder::new()
            .text("kind", "organisation")
            .text("name", name)
            .bytes_list("keys", &[signer.public().to_cose_key()])
            .build();
        self.entry_at(signer, now, "identity", "party.register", body)
    }

    /// A fictional supply-chain event of a member.
    pub fn event(&self, signer: &SigningKey, number: u64, now: u64) -> Entry {
        let mut commitment = [0; 32];
        commitment[..8].copy_from_slice(&number.to_le_bytes());
        let body = BodyBuilder::new()
            .text("event_id", &format!("urn:event:{number}"))
            .bytes("commitment", &commitment)
            .text("type", "ObjectEvent")
            .bytes_list("items", &[commitment])
            .build();
        self.entry_at(signer, now, "trace", "event.record", body)
    }
}

/// Submits; the last word comes through the channel.
pub fn submit(ledger: &Ledger, entry: &Entry) -> Receiver<Result<Finalised, Refusal>> {
    let (sender, receiver) = channel();
    let refused = sender.clone();
    let admitted = ledger.submit(entry.bytes().to_vec(), move |progress| {
        let _ = match progress {
            Progress::Admitted(_) => Ok(()),
            Progress::Refused(refusal) | Progress::Unknown(refusal) => sender.send(Err(refusal)),
            Progress::Final(done) => sender.send(Ok(*done)),
        };
    });
    if let Err(refusal) = admitted {
        let _ = refused.send(Err(refusal));
    }
    receiver
}

/// A temporary folder in memory where the machine has one.
pub fn quick_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(folder) = tempfile::tempdir_in(memory)
    {
        return folder;
    }
    tempfile::tempdir().expect("a temporary folder")
}

/// Shows what the nodes log, as `RUST_LOG` says.
pub fn log() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_test_writer()
        .try_init();
}
