//! Four validators over real links on loopback.

mod support;

use std::sync::Arc;
use std::time::Duration;

use stele_core::id::Height;
use stele_ledger::ledger::{Ledger, system_time};
use stele_network::{Identity, Network, NetworkOptions, Seat};
use support::{Place, World, key, quick_folder, submit};

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
