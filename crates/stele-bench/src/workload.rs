//! Networks to measure, and entries signed in advance.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use stele_core::cbor::BodyBuilder;
use stele_core::entry::{Entry, EntryBuilder};
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{NetworkId, PartyId, RegisterName, TimeMs, sha256};
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::{Ledger, LedgerError, LedgerOptions, system_time};
use stele_registers::Registry;

use crate::register::BenchRegister;

/// Half an hour: longer than a run, within the longest window.
const WINDOW_MS: u64 = 3_000_000;

/// A network of one in a folder, and parties that sign.
pub(crate) struct World {
    registry: Arc<Registry>,
    network: NetworkId,
    signers: Vec<SigningKey>,
}

fn key(kind: u8, number: u64) -> SigningKey {
    let seed = sha256(&[
        b"stele benchmark, not a secret",
        &[kind],
        &number.to_be_bytes(),
    ]);
    SigningKey::from_seed(Suite::Ed25519, &seed).expect("32 bytes")
}

pub(crate) fn registry() -> Arc<Registry> {
    let mut registers = Registry::standard_registers();
    registers.push(Arc::new(BenchRegister));
    Arc::new(Registry::new(registers))
}

impl World {
    /// Founds a network in `dir`.
    pub(crate) fn found(dir: &Path, signer_count: u64) -> Result<Self, LedgerError> {
        let registry = registry();
        let registers = registry
            .registers()
            .map(|register| {
                (
                    RegisterName::new(register.name()).expect("valid"),
                    u64::from(register.version()),
                )
            })
            .collect();
        let genesis = Genesis {
            name: "benchmark".to_owned(),
            time: TimeMs::new(system_time().get() - 1000),
            network_key: key(0, 0).public().clone(),
            members: vec![Member {
                name: "Fictional operator".to_owned(),
                key: key(0, 1).public().clone(),
            }],
            registers,
            committee: None,
        };
        Ledger::create(dir, &genesis, &*registry, &key(0, 0))?;
        let signers = (0..signer_count)
            .into_par_iter()
            .map(|number| key(1, number))
            .collect();
        Ok(Self {
            registry,
            network: genesis.network_id(),
            signers,
        })
    }

    /// Opens the ledger that [`World::found`] made.
    pub(crate) fn open(&self, dir: &Path) -> Result<Ledger, LedgerError> {
        open(dir, self.registry.clone())
    }

    /// An entry of the first signer that enrols a roll, made different from others by `number`.
    pub(crate) fn enrolment(&self, number: u64, kind: &str, records: &[u8]) -> Vec<u8> {
        let body = BodyBuilder::new()
            .text("kind", kind)
            .bytes("records", records)
            .build();
        let entry = self
            .builder("identity", number)
            .command("roll.enrol", body)
            .sign(&self.signers[0]);
        entry.expect("a valid entry").into_bytes()
    }

    /// The operator's entry that accredits the first signer as an identity provider.
    pub(crate) fn accreditation(&self) -> Vec<u8> {
        let provider = PartyId::of_first_key(&self.signers[0].public().kid());
        let body = BodyBuilder::new()
            .bytes("subject", provider.as_bytes())
            .text("action", stele_registers::identity::ANCHOR_ACTION)
            .build();
        let entry = self
            .builder("identity", u64::MAX)
            .command("accreditation.grant", body)
            .sign(&key(0, 1));
        entry.expect("a valid entry").into_bytes()
    }

    fn builder(&self, register: &str, number: u64) -> EntryBuilder {
        let now = system_time().get();
        let register = RegisterName::new(register).expect("valid");
        let nonce = [number.to_be_bytes(), now.to_be_bytes()].concat();
        EntryBuilder::new(
            self.network,
            register,
            TimeMs::new(now - 60_000),
            TimeMs::new(now + WINDOW_MS),
            &nonce,
        )
    }

    /// Entries that register all signers.
    pub(crate) fn registrations(&self) -> Vec<Vec<u8>> {
        let register = |(number, signer): (usize, &SigningKey)| {
            let body = BodyBuilder::new()
                .text("kind", "organisation")
                .bytes_list("keys", &[signer.public().to_cose_key()])
                .build();
            let entry = self
                .builder("identity", number as u64)
                .command("party.register", body)
                .sign(signer);
            entry.expect("a valid entry").into_bytes()
        };
        self.signers.par_iter().enumerate().map(register).collect()
    }

    /// `count` entries of the benchmark's register; entry `i` holds the commands that `commands(i)` gives.
    pub(crate) fn entries(
        &self,
        count: u64,
        commands: impl Fn(u64) -> Vec<(&'static str, Vec<u8>)> + Sync,
    ) -> Vec<Vec<u8>> {
        let sign = |number: u64| {
            // Spread over the signers, so that neighbours in a batch have different keys.
            let signer = &self.signers
                [(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.signers.len() as u64) as usize];
            let builder = self.builder("bench", number);
            let builder = commands(number)
                .into_iter()
                .fold(builder, |builder, (name, body)| builder.command(name, body));
            builder.sign(signer).expect("a valid entry").into_bytes()
        };
        (0..count).into_par_iter().map(sign).collect()
    }

    /// The parsed entries with their signers' keys, for the verification limit.
    pub(crate) fn with_keys(
        &self,
        entries: &[Vec<u8>],
    ) -> Vec<(Entry, stele_core::suite::PublicKey)> {
        let keys: std::collections::HashMap<_, _> = self
            .signers
            .iter()
            .map(|signer| (signer.public().kid(), signer.public().clone()))
            .collect();
        let parse = |bytes: &Vec<u8>| {
            let entry = Entry::decode(bytes.clone()).expect("a valid entry");
            let key = keys[&entry.header().kid].clone();
            (entry, key)
        };
        entries.par_iter().map(parse).collect()
    }
}

/// Opens a ledger that a benchmark left.
pub(crate) fn open(dir: &Path, registry: Arc<Registry>) -> Result<Ledger, LedgerError> {
    Ledger::open(dir, registry, key(0, 0), LedgerOptions::default())
}

/// Opens a ledger that a benchmark left, with the benchmark's registers.
pub(crate) fn reopen(dir: &Path) -> Result<Ledger, LedgerError> {
    open(dir, registry())
}

/// A command that keeps `value` under a key made from `number`.
pub(crate) fn put(salt: u8, number: u64) -> (&'static str, Vec<u8>) {
    let key = sha256(&[&[salt], &number.to_be_bytes()]);
    (
        "put",
        BodyBuilder::new()
            .bytes("key", &key)
            .bytes("value", &key)
            .build(),
    )
}

/// A command that moves 1 between two of `accounts` accounts.
pub(crate) fn transfer(accounts: u64, number: u64) -> (&'static str, Vec<u8>) {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (number >> 7).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    let (from, to) = (mixed % accounts, (mixed >> 24) % accounts);
    (
        "move",
        BodyBuilder::new()
            .uint("from", from)
            .uint("to", to)
            .uint("amount", 1)
            .build(),
    )
}

/// A command that opens `count` accounts.
pub(crate) fn open_accounts(first: u64, count: u64) -> (&'static str, Vec<u8>) {
    (
        "open",
        BodyBuilder::new()
            .uint("first", first)
            .uint("count", count)
            .uint("balance", 1_000_000)
            .build(),
    )
}
