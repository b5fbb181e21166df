//! Names of a real ledger: parties through their versions, members of rolls, proofs, and a lost file of rolls.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use stele_core::cbor::BodyBuilder;
use stele_core::entry::EntryBuilder;
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{EntryId, Hash, NetworkId, PartyId, RegisterName, TimeMs};
use stele_core::merkle;
use stele_core::receipt::{NetworkDescriptor, verify};
use stele_core::suite::{SigningKey, Suite};
use stele_credentials::did::Did;
use stele_ledger::ledger::{Ledger, LedgerOptions, Progress, system_time};
use stele_registers::Registry;
use stele_registers::identity::{Roll, roll_id};
use stele_resolver::{Resolver, SteleDid, height_at, member_did};

const MINUTE_MS: u64 = 60_000;

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[n; 32]).unwrap()
}

fn party(key: &SigningKey) -> PartyId {
    PartyId::of_first_key(&key.public().kid())
}

struct World {
    ledger: Arc<Ledger>,
    network: NetworkId,
    descriptor: NetworkDescriptor,
    nonce: u64,
}

impl World {
    fn new(dir: &Path) -> Self {
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
                name: "Fictional operator".to_owned(),
                key: key(1).public().clone(),
            }],
            registers: registers.collect(),
            committee: None,
        };
        Ledger::create(dir, &genesis, &*registry, &key(200)).unwrap();
        let ledger = Ledger::open(dir, registry, key(200), LedgerOptions::default()).unwrap();
        Self {
            ledger: Arc::new(ledger),
            network: genesis.network_id(),
            descriptor: NetworkDescriptor::of_genesis(&genesis),
            nonce: 0,
        }
    }

    /// Submits a command of `identity` and waits until it has been applied.
    fn ok(
        &mut self,
        signer: &SigningKey,
        cosigners: &[&SigningKey],
        command: &str,
        body: BodyBuilder,
    ) -> EntryId {
        self.nonce += 1;
        let now = system_time().get();
        let entry = EntryBuilder::new(
            self.network,
            RegisterName::new("identity").unwrap(),
            TimeMs::new(now - MINUTE_MS),
            TimeMs::new(now + MINUTE_MS),
            &self.nonce.to_be_bytes(),
        )
        .command(command, body.build())
        .sign_with_cosigners(signer, cosigners)
        .unwrap();
        let (sender, receiver) = mpsc::channel();
        let id = entry.id();
        let submitted = self.ledger.submit(entry.into_bytes(), move |progress| {
            if !matches!(progress, Progress::Admitted(_)) {
                let _ = sender.send(progress);
            }
        });
        submitted.unwrap();
        match receiver.recv_timeout(Duration::from_secs(60)).unwrap() {
            Progress::Final(done) => assert!(
                matches!(
                    done.record.outcome,
                    stele_core::block::Outcome::Applied { .. }
                ),
                "{:?}",
                done.record.outcome
            ),
            other => panic!("{other:?}"),
        }
        id
    }

    fn register(&mut self, n: u8) -> SigningKey {
        let key = key(n);
        let body = BodyBuilder::new()
            .text("kind", "organisation")
            .text("name", "Fictional Mill")
            .bytes_list("keys", &[key.public().to_cose_key()]);
        self.ok(&key, &[], "party.register", body);
        key
    }
}

fn read(did: &str) -> (Did, SteleDid) {
    let did = Did::parse(did).unwrap();
    let name = SteleDid::parse(&did).unwrap();
    (did, name)
}

#[test]
fn a_party_resolves_through_its_versions() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(&folder.path().join("ledger"));
    let resolver =
        Resolver::open(Arc::clone(&world.ledger), &folder.path().join("rolls.dat")).unwrap();
    let (did, name) = read(&party(&key(10)).did());
    assert!(resolver.resolve(&did, &name, None).unwrap().is_none());

    let first = world.register(10);
    let registered = world.ledger.head().height();
    let before = resolver
        .resolve(&did, &name, None)
        .unwrap()
        .expect("a party");
    assert_eq!(before.document.methods.len(), 1);
    assert_eq!(before.metadata.version_id.as_deref(), Some("1"));

    let second = key(11);
    let rotate = BodyBuilder::new()
        .bytes("old", first.public().kid().as_bytes())
        .bytes("new_key", &second.public().to_cose_key());
    world.ok(&first, &[&second], "key.rotate", rotate);
    let rotated = world.ledger.head().height();
    let now = resolver
        .resolve(&did, &name, None)
        .unwrap()
        .expect("a party");
    assert_ne!(now.document.methods, before.document.methods);
    assert_eq!(now.metadata.version_id.as_deref(), Some("2"));
    assert_eq!(now.metadata.created, before.metadata.created);
    assert!(now.metadata.next_update.is_none());

    world.ok(&second, &[], "party.deactivate", BodyBuilder::new());
    let ended = resolver
        .resolve(&did, &name, None)
        .unwrap()
        .expect("a party");
    assert!(ended.metadata.deactivated && ended.document.methods.is_empty());

    // Every version by its height; before the first there is none.
    let at = |height| resolver.resolve(&did, &name, Some(height)).unwrap();
    let then = at(registered).expect("a party");
    assert_eq!(then.document, before.document);
    assert!(then.metadata.next_update.is_some() && !then.metadata.deactivated);
    assert_eq!(at(rotated).expect("a party").document, now.document);
    assert!(at(stele_core::id::Height::new(registered.get() - 1)).is_none());

    let proof = resolver.prove(&name).unwrap();
    let verified = verify(&proof.receipt.encode(), &world.descriptor).unwrap();
    assert_eq!(verified.state.len(), 1, "it has no keys any more");
    assert!(verified.state[0].value.is_some());
}

#[test]
fn heights_follow_block_times() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(&folder.path().join("ledger"));
    for n in 10..16 {
        world.register(n);
    }
    let head = world.ledger.head().height().get();
    let time = |height: u64| {
        let certificate = world
            .ledger
            .certificate(stele_core::id::Height::new(height));
        certificate.unwrap().header.time.get()
    };
    // Against the plain model: the last of all blocks that is not later.
    for moment in (0..=head).flat_map(|height| [time(height) - 1, time(height), time(height) + 1]) {
        let expected = (0..=head).rev().find(|height| time(*height) <= moment);
        let found = height_at(&world.ledger, TimeMs::new(moment)).unwrap();
        assert_eq!(found.map(stele_core::id::Height::get), expected);
    }
}

#[test]
fn members_resolve_with_proofs_and_without_the_file_of_rolls() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rolls.dat");
    let mut world = World::new(&folder.path().join("ledger"));
    let maker = world.register(10);
    let devices: Vec<_> = (50..70).map(key).collect();
    let records: Vec<u8> = devices
        .iter()
        .flat_map(|device| {
            let cose = device.public().to_cose_key();
            [cose.last_chunk::<32>().copied().unwrap(), [7; 32]].concat()
        })
        .collect();
    let enrol = BodyBuilder::new()
        .text("kind", "device")
        .bytes("records", &records);
    let roll = roll_id(&world.ok(&maker, &[], "roll.enrol", enrol), 0);
    let enrolled = world.ledger.head().height();

    let resolver = Resolver::open(Arc::clone(&world.ledger), &file).unwrap();
    for index in 0..20 {
        let (did, name) = read(&member_did(&roll, index));
        let found = resolver
            .resolve(&did, &name, None)
            .unwrap()
            .expect("a member");
        assert_eq!(found.document.methods.len(), 1);
        assert_eq!(found.document.controllers, [party(&maker).did()]);

        let proof = resolver.prove(&name).unwrap();
        let verified = verify(&proof.receipt.encode(), &world.descriptor).unwrap();
        let value = Roll::decode(verified.state[0].value.as_deref().unwrap()).unwrap();
        assert_eq!(verified.state[1].value, None, "nothing happened to it");
        let member = proof.member.expect("a record");
        let leaf = merkle::leaf_hash(&member.record);
        merkle::verify_inclusion(
            &leaf,
            index,
            value.count,
            &member.path,
            value.root.as_bytes(),
        )
        .unwrap();
    }
    let (did, name) = read(&member_did(&roll, 20));
    assert!(resolver.resolve(&did, &name, None).unwrap().is_none());
    let (did, name) = read(&member_did(&Hash::from_bytes([3; 32]), 0));
    assert!(resolver.resolve(&did, &name, None).unwrap().is_none());

    // It claims its place: from then on its party's document, and before that what was enrolled.
    let (did, name) = read(&member_did(&roll, 4));
    let path = resolver.prove(&name).unwrap().member.unwrap();
    let claim = BodyBuilder::new()
        .bytes("key", &devices[4].public().to_cose_key())
        .bytes("roll", roll.as_bytes())
        .uint("index", 4)
        .bytes("record", &path.record)
        .bytes_list("path", &path.path);
    world.ok(&devices[4], &[], "member.claim", claim);
    let now = resolver
        .resolve(&did, &name, None)
        .unwrap()
        .expect("a member");
    assert_eq!(now.document.also_known_as, [party(&devices[4]).did()]);
    let then = resolver.resolve(&did, &name, Some(enrolled)).unwrap();
    assert!(then.expect("a member").document.also_known_as.is_empty());
    assert_eq!(resolver.prove(&name).unwrap().receipt.state.len(), 4);

    // Damage and loss of the file cost nothing but a look into the log.
    drop(resolver);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let resolver = Resolver::open(Arc::clone(&world.ledger), &file).unwrap();
    let (did, name) = read(&member_did(&roll, 0));
    assert!(resolver.resolve(&did, &name, None).unwrap().is_some());
    drop(resolver);
    std::fs::remove_file(&file).unwrap();
    let resolver = Resolver::open(Arc::clone(&world.ledger), &file).unwrap();
    assert!(resolver.rolls().is_empty());
    assert!(resolver.resolve(&did, &name, None).unwrap().is_some());
    assert_eq!(resolver.rolls().len(), 1);
}
