//! Four validators over real links on loopback.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use stele_core::cbor::BodyBuilder;
use stele_core::id::{Height, PartyId};
use stele_core::suite::SigningKey;
use stele_ledger::ledger::{Ledger, system_time};
use stele_network::keys::{MemorySecrets, NodeKey, Secrets as _};
use stele_network::{Identity, Network, NetworkOptions, Seat};
use stele_registers::governance::{self, proposals::encode_action};
use support::{Place, World, free_address, key, quick_folder, submit};

/// How long a test waits for what must come at last.
const PATIENCE: Duration = Duration::from_secs(60);

struct Node {
    // Leaves the network before the ledger closes.
    network: Option<Network>,
    ledger: Arc<Ledger>,
}

fn start(world: &World, place: &Place) -> Node {
    let seat = Seat::default();
    let ledger = Ledger::open_network(
        place.dir.path(),
        world.registry.clone(),
        seat.certifier(),
        World::options(),
    );
    let ledger = Arc::new(ledger.expect("opens"));
    let options = NetworkOptions::new(place.listen, place.dir.path().join("engine"));
    let network = Network::start(
        seat,
        Arc::clone(&ledger),
        Identity {
            node_key: place.node_key.clone(),
            member: Some(place.member.clone()),
            secrets: place.secrets.clone(),
        },
        options,
    );
    Node {
        network: Some(network.expect("a committee")),
        ledger,
    }
}

#[test]
fn four_validators_make_entries_final_and_go_on_after_a_restart() {
    support::log();
    let world = World::found(4, 1_000_000, quick_folder);
    let mut nodes: Vec<_> = world
        .places
        .iter()
        .map(|place| start(&world, place))
        .collect();
    let signer = key(1_001);
    let mut last = Height::new(0);
    for number in 0..20 {
        let node = &nodes[number % 4];
        let entry = world.event(&signer, number as u64, system_time().get());
        let done = submit(&node.ledger, &entry)
            .recv_timeout(PATIENCE)
            .expect("in time");
        let done = done.expect("ordered");
        assert!(done.refusal.is_none(), "{:?}", done.refusal);
        last = last.max(done.record.height);
    }
    for node in &nodes {
        assert!(
            node.ledger
                .wait_above(Height::new(last.get() - 1), PATIENCE)
                >= last
        );
        let certificate = node.ledger.certificate(last).expect("final");
        assert_eq!(
            certificate,
            nodes[0].ledger.certificate(last).expect("final")
        );
        certificate
            .verify(&world.genesis.network_key)
            .expect("under the one key");
    }
    let status = nodes[0].network.as_ref().expect("runs").status();
    assert_eq!(
        (status.role, status.quorum, status.validators.len()),
        ("validator", 3, 4)
    );

    // One leaves; the others go on; it comes back and catches up.
    drop(nodes.remove(3));
    let entry = world.event(&signer, 1_000, system_time().get());
    let done = submit(&nodes[0].ledger, &entry)
        .recv_timeout(PATIENCE)
        .expect("in time");
    let height = done.expect("ordered").record.height;
    let back = start(&world, &world.places[3]);
    assert!(
        back.ledger
            .wait_above(Height::new(height.get() - 1), PATIENCE)
            >= height
    );
    assert_eq!(
        back.ledger.certificate(height).expect("final"),
        nodes[0].ledger.certificate(height).expect("final")
    );
}

/// Gives an entry in and waits until it is final and applied.
fn apply(
    world: &World,
    node: &Node,
    signer: &SigningKey,
    register: &str,
    command: &str,
    body: Vec<u8>,
) {
    let entry = world.entry_at(signer, system_time().get(), register, command, body);
    let done = submit(&node.ledger, &entry)
        .recv_timeout(PATIENCE)
        .expect("in time");
    let done = done.expect("ordered");
    assert!(done.refusal.is_none(), "{command}: {:?}", done.refusal);
}

/// Founder 0 proposes, 1 and 2 agree.
fn decide(world: &World, nodes: &[Node], actions: &[Vec<u8>]) {
    let body = BodyBuilder::new()
        .text("title", "A fictional proposal")
        .bytes_list("actions", actions);
    apply(
        world,
        &nodes[0],
        &key(1_000),
        "governance",
        "proposal.open",
        body.build(),
    );
    let number = governance::proposal_count(nodes[0].ledger.state()).expect("readable");
    for voter in [1, 2] {
        let body = BodyBuilder::new()
            .uint("number", number)
            .bool("approve", true);
        let signer = key(1_000 + voter);
        apply(
            world,
            &nodes[voter as usize],
            &signer,
            "governance",
            "proposal.vote",
            body.build(),
        );
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn status(node: &Node) -> stele_network::Status {
    node.network.as_ref().expect("runs").status()
}

#[test]
fn a_member_joins_and_another_leaves_under_the_same_key() {
    support::log();
    let world = World::found(4, 200, quick_folder);
    let mut nodes: Vec<_> = world
        .places
        .iter()
        .map(|place| start(&world, place))
        .collect();

    // A fifth organisation: registered, taken in as a member, and as a validator.
    let fifth = Place {
        node_key: NodeKey::from_seed(&[77; 32]),
        member: Arc::new(key(5_000)),
        secrets: Arc::new(MemorySecrets::default()),
        listen: free_address(),
        dir: world.folder_for_another(quick_folder()),
    };
    let entry = world.registration(&fifth.member, "Fictional harbour", system_time().get());
    let done = submit(&nodes[0].ledger, &entry).recv_timeout(PATIENCE);
    assert!(done.expect("in time").expect("ordered").refusal.is_none());
    let party = PartyId::of_first_key(&fifth.member.public().kid());
    let member = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .text("name", "Fictional harbour");
    let validator = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .bytes("node-key", &fifth.node_key.public())
        .text("address", &fifth.listen.to_string())
        .build();
    let actions = [
        encode_action("member.add", &member.build()),
        encode_action("validator.add", &validator),
    ];
    decide(&world, &nodes, &actions);
    nodes.push(start(&world, &fifth));
    // Blocks go on: those of the epoch that ends are signed by a committee that the fifth does not belong to.
    let mut number = 10;
    wait_until("the fifth validates", || {
        let entry = world.event(&key(1_001), number, system_time().get());
        drop(submit(&nodes[0].ledger, &entry));
        number += 1;
        let status = status(&nodes[4]);
        status.role == "validator" && status.committee == 2 && status.quorum == 4
    });
    assert_eq!(fifth.secrets.shares().expect("kept").len(), 1);
    let signer = key(1_001);
    let entry = world.event(&signer, 1, system_time().get());
    let done = submit(&nodes[4].ledger, &entry).recv_timeout(PATIENCE);
    let height = done.expect("in time").expect("ordered").record.height;
    let certificate = nodes[4].ledger.certificate(height).expect("final");
    certificate
        .verify(&world.genesis.network_key)
        .expect("under the key that the founders made");

    // The first founder leaves. It goes on as a follower, and its old shares are destroyed everywhere.
    let body = BodyBuilder::new().bytes("node-key", &world.places[0].node_key.public());
    apply(
        &world,
        &nodes[0],
        &key(1_000),
        "governance",
        "validator.leave",
        body.build(),
    );
    wait_until("the first follows", || {
        let (first, fifth) = (status(&nodes[0]), status(&nodes[4]));
        first.role == "follower" && fifth.committee == 3 && fifth.validators.len() == 4
    });
    let entry = world.event(&signer, 2, system_time().get());
    let done = submit(&nodes[4].ledger, &entry).recv_timeout(PATIENCE);
    let height = done.expect("in time").expect("ordered").record.height;
    for node in &nodes {
        let reached = node
            .ledger
            .wait_above(Height::new(height.get() - 1), PATIENCE);
        assert!(reached >= height, "a node stays at {reached}");
        let certificate = node.ledger.certificate(height).expect("final");
        certificate
            .verify(&world.genesis.network_key)
            .expect("still under the one key");
    }
    wait_until("old shares are destroyed", || {
        let kept = fifth.secrets.shares().expect("kept");
        kept.into_keys().eq([3])
    });
}
