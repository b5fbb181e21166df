//! Known traps, each in a run of its own: what other projects were caught by, and what this one was.

use std::sync::Arc;
use std::time::Duration;

use commonware_codec::Encode as _;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Finalization, Finalize, Proposal};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::{Hasher as _, Sha256};
use commonware_parallel::Sequential;
use commonware_runtime::{Clock as _, Runner as _, Spawner as _, Supervisor as _, deterministic};
use commonware_utils::non_empty;
use commonware_utils::ordered::Set;
use futures::StreamExt as _;
use futures::channel::mpsc;
use stele_core::id::{NetworkId, TimeMs};
use stele_ledger::ledger::Ledger;
use stele_network::keys::NodeKey;

use super::run::{Simulation, simulate_with};
use super::scenario::{Liar, Scenario};
use super::support::{World, quick_folder};
use crate::block::Digest;
use crate::certify::Handover;
use crate::chain::Chain;
use crate::committee::consensus_namespace;
use crate::follow::{FloorError, Follower, check_floor};
use crate::keys::{engine_key, node_key};
use crate::score::Score;
use crate::status::{Place, Progress};
use crate::sync::{Ask, Asker, Floor};

/// Load for so many seconds.
async fn load(simulation: &mut Simulation<'_>, seconds: u64) {
    for _ in 0..seconds * 4 {
        simulation.submit();
        simulation.context.sleep(Duration::from_millis(250)).await;
    }
}

/// Commonware monorepo issue 3727: after a crash the application is ahead of the consensus journal. Here the journal is rolled back to what
/// was synced, again and again, while our log keeps every block; the node must go on, and count nothing twice.
#[test]
fn a_log_ahead_of_the_engines_journal_goes_on() {
    let outcome = simulate_with(
        1,
        &Scenario::of(4),
        async |simulation: &mut Simulation<'_>, _| {
            for round in 0..8 {
                load(simulation, 2).await;
                let number = round % 4;
                simulation.kill(number).await;
                simulation.revive().await;
            }
            simulation.heal().await;
        },
    );
    assert!(outcome.blocks > 20, "{outcome:?}");
}

/// The engine's stores are lost and our log is whole: the node joins at a floor that f+1 others agree on, without anyone wiping anything, and
/// votes in no round of its last life.
#[test]
fn a_node_that_lost_the_engines_stores_joins_again() {
    simulate_with(
        2,
        &Scenario::of(4),
        async |simulation: &mut Simulation<'_>, _| {
            load(simulation, 6).await;
            simulation.kill(2).await;
            simulation.lose_store(2);
            load(simulation, 2).await;
            simulation.heal().await;
            assert_eq!(simulation.evidence(), 0, "it voted twice");
            // It takes part again: without it and another one nothing would become final.
            simulation.context.sleep(Duration::from_secs(30)).await;
            simulation.kill(0).await;
            let before = simulation.acknowledged();
            load(simulation, 20).await;
            assert!(simulation.acknowledged() > before, "it does not take part");
            simulation.heal().await;
        },
    );
}

/// The reverse: our log is an old copy and the engine's stores are whole. The engine would hand over only what comes after.
#[test]
fn a_log_behind_the_engines_journal_is_filled_from_the_others() {
    simulate_with(
        3,
        &Scenario::of(4),
        async |simulation: &mut Simulation<'_>, _| {
            // Long enough that the engine's store notes how far the ledger is.
            load(simulation, 12).await;
            simulation.kill(1).await;
            simulation.restore_from_the_founding(1);
            // It starts where nobody can tell it anything for a while.
            simulation.isolate(1).await;
            simulation.revive().await;
            load(simulation, 8).await;
            simulation.heal().await;
        },
    );
}

/// A validator slept while the others ordered empty blocks and pruned them: nothing is missing in its log, and yet the engine
/// cannot go on from where it was.
#[test]
fn a_node_that_slept_past_what_others_keep_joins_again() {
    let scenario = Scenario {
        retention: 64,
        catch_up_at: 40,
        epoch_blocks: 1_000,
        ..Scenario::of(4)
    };
    simulate_with(4, &scenario, async |simulation: &mut Simulation<'_>, _| {
        load(simulation, 4).await;
        simulation.kill(3).await;
        // Sections of 256 blocks are pruned whole.
        simulation.context.sleep(Duration::from_secs(240)).await;
        simulation.heal().await;
        simulation.kill(0).await;
        let before = simulation.acknowledged();
        load(simulation, 20).await;
        assert!(simulation.acknowledged() > before, "it does not take part");
        simulation.heal().await;
    });
}

/// All nodes lose power at once while they write: nobody can tell anyone where the engine stood, and all go on from their own journals.
#[test]
fn all_nodes_lose_power_at_once() {
    let scenario = Scenario {
        power_cuts: 3,
        ..Scenario::of(4)
    };
    let outcome = simulate_with(
        5,
        &scenario,
        async |simulation: &mut Simulation<'_>, life| {
            load(simulation, 3).await;
            if life == 3 {
                simulation.heal().await;
            }
        },
    );
    assert_eq!(outcome.power_cuts, 3);
}

/// A liar serves a follower altered entries under true certificates, and says it is ahead of everyone: the follower finds out, cuts it off, and
/// goes on with the others.
#[test]
fn a_follower_is_served_altered_blocks() {
    let scenario = Scenario {
        liar: Liar::Blocks,
        follower: true,
        ..Scenario::of(4)
    };
    simulate_with(6, &scenario, async |simulation: &mut Simulation<'_>, _| {
        // Blocks are asked for in turn, so that the liar has its turn too.
        load(simulation, 24).await;
        simulation.heal().await;
        let follower = &simulation.nodes[&4];
        let faults = follower.faults();
        let fault = faults
            .values()
            .next()
            .expect("the follower noticed nothing");
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(fault.last.contains("not those of the block"), "{fault:?}");
    });
}

/// What each of three members answers, what is agreed on, and who is blamed.
type Answers = (
    [Option<(u64, u64)>; 3],
    Option<(u64, u64)>,
    &'static [usize],
);

/// The height of the ledger after a floor's block stands in no signature: f+1 members must say the same of the very block, and who says
/// otherwise is blamed.
#[test]
fn a_lie_about_the_ledgers_height_is_outvoted() {
    let cases: [Answers; 6] = [
        ([Some((9, 7)); 3], Some((9, 7)), &[]),
        (
            [Some((9, 3)), Some((9, 7)), Some((9, 7))],
            Some((9, 7)),
            &[0],
        ),
        (
            [Some((9, 7)), Some((9, 7)), Some((8, 7))],
            Some((9, 7)),
            &[2],
        ),
        ([Some((9, 7)), None, Some((9, 7))], Some((9, 7)), &[]),
        ([Some((9, 7)), None, None], None, &[]),
        ([Some((9, 7)), Some((9, 8)), None], None, &[]),
    ];
    for (answers, agreed, blamed) in cases {
        let world = World::found_at(4, 12, TimeMs::new(1_000), quick_folder);
        let dir = world.places[3].dir.path();
        let (certifier, _executed) = Handover::new();
        let ledger = Ledger::open_network(dir, world.registry.clone(), certifier, World::options());
        let chain = Chain::new(Arc::new(ledger.expect("opens")));
        let members: Vec<_> = world.places[..3]
            .iter()
            .map(|place| place.node_key.public())
            .collect();
        deterministic::Runner::default().start(async move |context| {
            let (asks, mut asked) = mpsc::unbounded();
            let progress = Progress::new(Arc::new(|| TimeMs::new(0)));
            for member in &members {
                progress.heard(*member, 7);
            }
            let score = Score::new(|_| {});
            let follower = Follower {
                context: context.child("follower"),
                chain: chain.clone(),
                progress,
                score: score.clone(),
                asker: Asker::new(context.child("asker"), asks),
            };
            let peers = members.clone();
            context.child("members").spawn(async move |_| {
                while let Some(ask) = asked.next().await {
                    let Ask::Place { peer, answer, .. } = ask else {
                        panic!("another question");
                    };
                    let number = peers.iter().position(|key| *key == node_key(&peer));
                    let place = answers[number.expect("a member")];
                    let place = place.map(|(position, height)| Place { position, height });
                    let _ = answer.send(place);
                }
            });
            let committee = chain.committee_numbered(1).expect("the founders");
            let block = Sha256::hash(&[b"a block"]);
            let found = follower.agreed_place(block, &committee).await;
            let found = found.map(|place| (place.position, place.height));
            assert_eq!(found, agreed, "{answers:?}");
            let faults: Vec<_> = score.all().into_keys().collect();
            let blamed: Vec<_> = blamed.iter().map(|number| members[*number]).collect();
            assert_eq!(faults, blamed, "{answers:?}");
        });
    }
}

/// A finalization counts under the committee, the epoch and the network that the state names, and is refused by name otherwise.
#[test]
fn a_floor_of_another_epoch_committee_or_network_is_refused_by_name() {
    let world = World::found_at(4, 12, TimeMs::new(1_000), quick_folder);
    let network = world.genesis.network_id();
    let dir = world.places[0].dir.path();
    let (certifier, _executed) = Handover::new();
    let ledger = Ledger::open_network(dir, world.registry.clone(), certifier, World::options());
    let chain = Chain::new(Arc::new(ledger.expect("opens")));
    let committee = chain.committee_numbered(1).expect("the founders");
    let round = Round::new(Epoch::new(2), View::new(9));
    let proposal = Proposal::new(round, View::new(8), Sha256::hash(&[b"a block"]));
    let floor = |network: &NetworkId, keys: &[NodeKey]| {
        let set = Set::from_iter_dedup(
            keys.iter()
                .map(|key| engine_key(&key.public()).expect("a key")),
        );
        let schemes: Vec<_> = keys
            .iter()
            .map(|key| Scheme::signer(&consensus_namespace(network), set.clone(), key.engine_key()))
            .map(|scheme| scheme.expect("a member"))
            .collect();
        let votes: Vec<_> = schemes
            .iter()
            .map(|scheme| Finalize::sign(scheme, proposal.clone()).expect("a member signs"))
            .collect();
        let finalization = Finalization::<Scheme, Digest>::from_finalizes(
            &schemes[0],
            non_empty![@votes.iter()],
            &Sequential,
        );
        Floor {
            finalization: finalization.expect("a quorum").encode().to_vec(),
            epoch: 2,
            committee: 1,
        }
    };
    let members: Vec<_> = world
        .places
        .iter()
        .map(|place| place.node_key.clone())
        .collect();
    let strangers: Vec<_> = (100..104)
        .map(|seed| NodeKey::from_seed(&[seed; 32]))
        .collect();
    let good = floor(&network, &members);
    let not_signed = FloorError::NotSigned {
        committee: 1,
        network,
    };
    let cases = [
        (good.clone(), None),
        (
            Floor {
                epoch: 3,
                ..good.clone()
            },
            Some(FloorError::OtherEpoch { named: 3, found: 2 }),
        ),
        (
            floor(&NetworkId::from_bytes([9; 32]), &members),
            Some(FloorError::NotSigned {
                committee: 1,
                network,
            }),
        ),
        (floor(&network, &strangers), Some(not_signed)),
        (
            Floor {
                finalization: vec![1, 2, 3],
                ..good
            },
            Some(FloorError::Unreadable),
        ),
    ];
    deterministic::Runner::default().start(async move |mut context| {
        for (floor, expected) in cases {
            let judged = check_floor(&mut context, &network, &floor, committee.clone());
            assert_eq!(judged.err(), expected);
        }
    });
}
