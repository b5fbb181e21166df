//! Proofs of issuance from a real ledger.

use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;
use stele_core::cbor::BodyBuilder;
use stele_core::entry::EntryBuilder;
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{NetworkId, PartyId, RegisterName, TimeMs};
use stele_core::receipt::NetworkDescriptor;
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::{Ledger, LedgerOptions, Progress, system_time};
use stele_registers::Registry;

use super::rules::*;
use super::*;

const MINUTE_MS: u64 = 60_000;
const TYPE: &str = "https://example.org/diploma";
const SCOPE: &str = "XX/universities/letters";

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[n; 32]).unwrap()
}

fn party(key: &SigningKey) -> PartyId {
    PartyId::of_first_key(&key.public().kid())
}

fn credential(n: u64) -> Vec<u8> {
    format!("the signed diploma of the fictional person {n}").into_bytes()
}

/// A network on which the university 10 is accredited by the steward 1.
struct World {
    _folder: tempfile::TempDir,
    ledger: Ledger,
    network: NetworkId,
    descriptor: NetworkDescriptor,
    nonce: u64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("ledger");
        let registry = std::sync::Arc::new(Registry::standard());
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
        let ledger = Ledger::open(&dir, registry, key(200), LedgerOptions::default()).unwrap();
        let mut world = Self {
            _folder: folder,
            ledger,
            network: genesis.network_id(),
            descriptor: NetworkDescriptor::of_genesis(&genesis),
            nonce: 0,
        };
        let university = key(10);
        let register = BodyBuilder::new()
            .text("kind", "organisation")
            .bytes_list("keys", &[university.public().to_cose_key()]);
        world.ok(&university, "identity", "party.register", register);
        let grant = BodyBuilder::new()
            .bytes("subject", party(&university).as_bytes())
            .text("action", "credential/issue")
            .text("scope", "XX/universities");
        world.ok(&key(1), "identity", "accreditation.grant", grant);
        world
    }

    fn ok(&mut self, signer: &SigningKey, register: &str, command: &str, body: BodyBuilder) {
        self.nonce += 1;
        let now = system_time().get();
        let entry = EntryBuilder::new(
            self.network,
            RegisterName::new(register).unwrap(),
            TimeMs::new(now - MINUTE_MS),
            TimeMs::new(now + MINUTE_MS),
            &self.nonce.to_be_bytes(),
        )
        .command(command, body.build())
        .sign(signer)
        .unwrap();
        let (sender, receiver) = mpsc::channel();
        let submitted = self.ledger.submit(entry.into_bytes(), move |progress| {
            if let Progress::Final(done) = progress {
                sender.send(done.record.outcome).unwrap();
            }
        });
        submitted.unwrap();
        let outcome = receiver.recv_timeout(Duration::from_secs(60)).unwrap();
        let applied = matches!(outcome, stele_core::block::Outcome::Applied { .. });
        assert!(applied, "{outcome:?}");
    }

    fn issue(&mut self, batch: &Batch) {
        let issuer = key(10);
        let commit = BodyBuilder::new()
            .bytes("root", &batch.root())
            .uint("count", batch.count())
            .text("type", TYPE)
            .bytes("issuing_kid", issuer.public().kid().as_bytes())
            .text("scope", SCOPE);
        self.ok(&issuer, "credential", "issuance.commit", commit);
    }

    /// The proof of the credential at `index` with the salt of its index.
    fn proof(&self, batch: &Batch, index: u64, with_report: bool) -> IssuanceProof {
        let issuer = key(10);
        let keys =
            IssuanceProof::state_keys(&party(&issuer), &batch.root(), &issuer.public().kid());
        let keys: Vec<_> = keys.iter().map(|key| ("credential", &key[..])).collect();
        let asked = if with_report { &keys[..] } else { &keys[..1] };
        IssuanceProof {
            salt: [index as u8; 32],
            index,
            path: batch.path(index).unwrap(),
            receipt: self.ledger.state_receipt(asked).unwrap().encode(),
        }
    }
}

fn batch(count: u64) -> Batch {
    let mut batch = Batch::new();
    for n in 0..count {
        let place = batch.push(&commitment(&[n as u8; 32], &credential(n)));
        assert_eq!(place, n);
    }
    batch
}

/// A network, a batch of five, and the proof of the fourth.
fn issued() -> (World, IssuanceProof) {
    let mut world = World::new();
    let batch = batch(5);
    world.issue(&batch);
    let proof = world.proof(&batch, 3, true);
    (world, proof)
}

fn code<T: std::fmt::Debug>(result: Result<T, crate::Refusal>) -> &'static crate::refusal::Rule {
    result.expect_err("a refusal").rule()
}

#[test]
fn a_credential_stays_proven_after_its_issuer_is_gone() {
    let mut world = World::new();
    let batch = batch(5);
    world.issue(&batch);
    let proofs: Vec<_> = (0..5).map(|n| world.proof(&batch, n, true)).collect();
    world.ok(&key(10), "identity", "party.deactivate", BodyBuilder::new());
    for (n, proof) in (0..).zip(&proofs) {
        let proof = IssuanceProof::decode(&proof.encode()).unwrap();
        let found = proof
            .verify(&credential(n), key(10).public(), &world.descriptor)
            .unwrap();
        assert_eq!(found.issuer, party(&key(10)));
        assert_eq!(found.issuance.chain.len(), 1);
        assert!(matches!(found.key_report, KeyReport::NoneAsOf(..)));
        found.require(&party(&key(10)).did(), TYPE).unwrap();
        found.require_scope("XX/universities").unwrap();
    }
    // A receipt made later, and one that does not ask about reports.
    let later = world.proof(&batch, 2, false);
    let found = later
        .verify(&credential(2), key(10).public(), &world.descriptor)
        .unwrap();
    assert_eq!(found.key_report, KeyReport::NotAsked);
}

#[test]
fn refuses_receipts_that_do_not_hold() {
    let (world, proof) = issued();
    let mut other = world.descriptor.clone();
    other.key = key(201).public().clone();
    let refused = proof.verify(&credential(3), key(10).public(), &other);
    assert_eq!(code(refused), RECEIPT);
    let mut altered = proof;
    let last = altered.receipt.len() - 1;
    altered.receipt[last] ^= 1;
    let refused = altered.verify(&credential(3), key(10).public(), &world.descriptor);
    assert_eq!(code(refused), RECEIPT);
}

#[test]
fn refuses_another_credential() {
    let (world, proof) = issued();
    let check = |proof: &IssuanceProof, n: u64| {
        proof.verify(&credential(n), key(10).public(), &world.descriptor)
    };
    check(&proof, 3).unwrap();
    assert_eq!(code(check(&proof, 2)), NOT_COMMITTED);
    let changes: [fn(&mut IssuanceProof); 5] = [
        |proof| proof.salt[0] ^= 1,
        |proof| proof.index = 2,
        |proof| proof.index = 5,
        |proof| proof.path[0][0] ^= 1,
        |proof| proof.path.truncate(1),
    ];
    for change in changes {
        let mut altered = proof.clone();
        change(&mut altered);
        assert_eq!(code(check(&altered, 3)), NOT_COMMITTED);
    }
}

#[test]
fn refuses_another_signing_key() {
    let (world, proof) = issued();
    let refused = proof.verify(&credential(3), key(11).public(), &world.descriptor);
    assert_eq!(code(refused), OTHER_KEY);
}

#[test]
fn refuses_another_issuer() {
    let (world, proof) = issued();
    let found = proof.verify(&credential(3), key(10).public(), &world.descriptor);
    let refused = found.unwrap().require(&party(&key(11)).did(), TYPE);
    assert_eq!(code(refused), OTHER_ISSUER);
}

#[test]
fn refuses_a_type_nobody_committed_to() {
    let (world, proof) = issued();
    let found = proof.verify(&credential(3), key(10).public(), &world.descriptor);
    let refused = found.unwrap().require(&party(&key(10)).did(), "other");
    assert_eq!(code(refused), OTHER_TYPE);
}

#[test]
fn refuses_an_issuer_outside_its_accreditation() {
    let (world, proof) = issued();
    let found = proof.verify(&credential(3), key(10).public(), &world.descriptor);
    let found = found.unwrap();
    for wider in ["XX", "XX/universities", SCOPE] {
        found.require_scope(wider).unwrap();
    }
    for outside in [
        "YY",
        "XX/uni",
        "XX/universities/letters/latin",
        "XX/hospitals",
    ] {
        assert_eq!(code(found.require_scope(outside)), OUTSIDE_SCOPE);
    }
}

#[test]
fn refuses_what_a_stolen_key_signed() {
    let (mut world, early) = issued();
    let stolen = key(10).public().kid();
    let time = early
        .verify(&credential(3), key(10).public(), &world.descriptor)
        .unwrap()
        .issuance
        .time;
    let report = |since: u64| {
        BodyBuilder::new()
            .bytes("kid", stolen.as_bytes())
            .uint("since", since)
    };
    // Doubtful only after the batch: what was committed before stays valid, and the newer receipt says so.
    world.ok(
        &key(1),
        "credential",
        "key.compromised",
        report(time.get() + 1),
    );
    let proof = world.proof(&batch(5), 3, true);
    let found = proof.verify(&credential(3), key(10).public(), &world.descriptor);
    assert!(matches!(
        found.unwrap().key_report,
        KeyReport::LaterThanIssuance(_)
    ));
    // It was stolen earlier than was thought.
    world.ok(&key(1), "credential", "key.compromised", report(time.get()));
    let proof = world.proof(&batch(5), 3, true);
    let refused = proof.verify(&credential(3), key(10).public(), &world.descriptor);
    assert_eq!(code(refused), COMPROMISED);
}

#[test]
fn refuses_what_is_no_proof() {
    let (world, proof) = issued();
    let bytes = proof.encode();
    for cut in 0..bytes.len() {
        assert_eq!(code(IssuanceProof::decode(&bytes[..cut])), PROOF_MALFORMED);
    }
    let long = vec![0; PROOF_BYTES_MAX + 1];
    assert_eq!(code(IssuanceProof::decode(&long)), PROOF_MALFORMED);
    // A good receipt of something else.
    let other = world.ledger.state_receipt(&[("credential", b"nothing")]);
    let empty = IssuanceProof {
        receipt: other.unwrap().encode(),
        ..proof
    };
    let refused = empty.verify(&credential(3), key(10).public(), &world.descriptor);
    assert_eq!(code(refused), PROOF_MALFORMED);
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = IssuanceProof::decode(&bytes);
    }

    #[test]
    fn proofs_round_trip(salt: [u8; 32], index: u64, path in proptest::collection::vec(any::<[u8; 32]>(), 0..=24), receipt in proptest::collection::vec(any::<u8>(), 0..100)) {
        let proof = IssuanceProof { salt, index, path, receipt };
        prop_assert_eq!(IssuanceProof::decode(&proof.encode()).unwrap(), proof);
    }
}
