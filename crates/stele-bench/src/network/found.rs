//! Founding the network that is measured: keys, genesis and a folder for each validator.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use stele_core::genesis::Member;
use stele_core::id::{RegisterName, TimeMs};
use stele_ledger::ledger::{Ledger, system_time};
use stele_network::ceremony::found_in_process;
use stele_network::keys::NodeKey;
use stele_network::{Founder, FoundingPlan, certify_block_zero, sign_block_zero};

use super::{NetworkBenchError, VALIDATORS, failed, key};
use crate::workload;

/// Listeners on free ports of loopback. They hold their ports until they are dropped.
pub(super) fn free_ports() -> Result<(Vec<TcpListener>, Vec<SocketAddr>), NetworkBenchError> {
    let listeners: Result<Vec<_>, _> = (0..VALIDATORS)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect();
    let listeners = listeners.map_err(failed)?;
    let addresses: Result<Vec<_>, _> = listeners.iter().map(TcpListener::local_addr).collect();
    Ok((listeners, addresses.map_err(failed)?))
}

/// Founds a network whose validators listen at `listen` and are reached at `addresses`. Returns their folders.
pub(super) fn found(
    dir: &Path,
    listen: &[SocketAddr],
    addresses: &[SocketAddr],
) -> Result<Vec<PathBuf>, NetworkBenchError> {
    let registry = workload::registry();
    let node_keys: Vec<_> = (0..VALIDATORS).map(|_| NodeKey::generate()).collect();
    let founders = node_keys.iter().zip(addresses).zip(0..);
    let plan = FoundingPlan {
        name: "benchmark".to_owned(),
        time: TimeMs::new(system_time().get() - 1_000),
        epoch_blocks: 100_000,
        registers: registry
            .registers()
            .map(|register| {
                let name = RegisterName::new(register.name()).expect("valid");
                (name, u64::from(register.version()))
            })
            .collect(),
        founders: founders
            .map(|((node_key, address), number)| Founder {
                member: Member {
                    name: format!("Fictional operator {number}"),
                    key: key(0, number).public().clone(),
                },
                node_key: node_key.public(),
                address: address.to_string(),
            })
            .collect(),
    };
    let founded = found_in_process(&node_keys, &plan.context()).map_err(failed)?;
    let sharing = &founded[0].sharing;
    let genesis = plan.genesis(sharing).map_err(failed)?;
    let block = Ledger::block_zero(&genesis, &*registry).map_err(failed)?;
    let partials: Vec<_> = founded
        .iter()
        .map(|one| (one.share.index(), sign_block_zero(&one.share, &block)))
        .collect();
    let block = certify_block_zero(sharing, block, &partials).map_err(failed)?;
    let mut dirs = Vec::new();
    for (number, one) in founded.iter().enumerate() {
        let dir = dir.join(format!("validator-{number}"));
        Ledger::create_certified(&dir.join("ledger"), &genesis, &*registry, &block)
            .map_err(failed)?;
        node_keys[number]
            .save(&dir.join("node.key"))
            .map_err(failed)?;
        one.share.save(&dir.join("share.key")).map_err(failed)?;
        std::fs::write(dir.join("listen"), listen[number].to_string()).map_err(failed)?;
        std::fs::write(dir.join("number"), number.to_string()).map_err(failed)?;
        dirs.push(dir);
    }
    Ok(dirs)
}
