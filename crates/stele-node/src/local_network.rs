//! A network of several validators on one machine: the same ceremony and the same files as among organisations, in one go.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use stele_core::genesis::Member;
use stele_core::id::RegisterName;
use stele_core::suite::Suite;
use stele_ledger::ledger::{Ledger, system_time};
use stele_network::ceremony::found_in_process;
use stele_network::keys::NodeKey;
use stele_network::{Founder, FoundingPlan, certify_block_zero, sign_block_zero};
use stele_registers::Registry;

use crate::auth::{Keystore, Unlock};
use crate::seat::Bundle;
use crate::{Home, NodeError, OPERATOR_KEY};

/// How many blocks of the engine make an epoch. A quiet network orders about two a second, and more when a committee waits for the next epoch.
pub const EPOCH_BLOCKS: u64 = 500;

/// The registers of this program at their versions, for a genesis.
pub fn registers_of(registry: &Registry) -> Vec<(RegisterName, u64)> {
    let mut registers: Vec<_> = registry
        .registers()
        .map(|register| {
            let name = RegisterName::new(register.name()).expect("registers have valid names");
            (name, u64::from(register.version()))
        })
        .collect();
    registers.sort();
    registers.dedup_by_key(|(name, _)| *name);
    registers
}

/// The homes of a network of `count` validators under `dir`; founds it where there is none. Returns whether it was founded now.
///
/// # Errors
/// [`NodeError`].
pub fn found(
    dir: &Path,
    name: &str,
    count: usize,
    registry: &Registry,
) -> Result<(Vec<PathBuf>, bool), NodeError> {
    found_with(dir, name, count, registry, EPOCH_BLOCKS)
}

/// As [`found`], with epochs of so many blocks of the engine.
///
/// # Errors
/// [`NodeError`].
pub fn found_with(
    dir: &Path,
    name: &str,
    count: usize,
    registry: &Registry,
    epoch_blocks: u64,
) -> Result<(Vec<PathBuf>, bool), NodeError> {
    let homes = homes(dir, count);
    if homes
        .iter()
        .all(|home| Ledger::exists(&Home::new(home).ledger()))
    {
        return Ok((homes, false));
    }
    let homes = found_homes(dir, name, &free_addresses(count)?, registry, epoch_blocks)?;
    Ok((homes, true))
}

fn homes(dir: &Path, count: usize) -> Vec<PathBuf> {
    let home = |number| dir.join(format!("validator-{number}"));
    (1..=count).map(home).collect()
}

/// Founds a network with a validator for each of these addresses, where it listens and is reached. Returns their homes under `dir`.
///
/// # Errors
/// [`NodeError`], also if one of the homes holds a ledger of another network.
pub fn found_at(
    dir: &Path,
    name: &str,
    addresses: &[SocketAddr],
    registry: &Registry,
) -> Result<Vec<PathBuf>, NodeError> {
    found_homes(dir, name, addresses, registry, EPOCH_BLOCKS)
}

fn found_homes(
    dir: &Path,
    name: &str,
    addresses: &[SocketAddr],
    registry: &Registry,
    epoch_blocks: u64,
) -> Result<Vec<PathBuf>, NodeError> {
    let count = addresses.len();
    let homes = homes(dir, count);
    let node_keys: Vec<_> = (0..count).map(|_| NodeKey::generate()).collect();
    let mut founders = Vec::with_capacity(count);
    for ((home, node_key), address) in homes.iter().zip(&node_keys).zip(addresses) {
        let home = Home::new(home);
        let keystore = Keystore::open(home.keys(), Unlock::Secret(home.secret()?))?;
        if !keystore.contains(OPERATOR_KEY) {
            keystore.generate(OPERATOR_KEY, Suite::Ed25519)?;
        }
        founders.push(Founder {
            member: Member {
                name: format!("Operator {} of {name}", founders.len() + 1),
                key: keystore.unlock(OPERATOR_KEY)?.public().clone(),
            },
            node_key: node_key.public(),
            address: address.to_string(),
        });
    }
    let plan = FoundingPlan {
        name: name.to_owned(),
        time: system_time(),
        epoch_blocks,
        registers: registers_of(registry),
        founders,
    };
    let founded = found_in_process(&node_keys, &plan.context())?;
    let sharing = &founded[0].sharing;
    let genesis = plan.genesis(sharing)?;
    let block = Ledger::block_zero(&genesis, registry)?;
    let partials: Vec<_> = founded
        .iter()
        .map(|one| (one.share.index(), sign_block_zero(&one.share, &block)))
        .collect();
    let bundle = Bundle {
        block_zero: certify_block_zero(sharing, block, &partials)?,
        genesis,
    };
    for (((home, node_key), address), one) in
        homes.iter().zip(&node_keys).zip(addresses).zip(&founded)
    {
        Home::new(home).take_seat(&bundle, registry, node_key, Some(&one.share), *address, &[])?;
    }
    Ok(homes)
}

/// Addresses on this machine that nobody listens on now.
fn free_addresses(count: usize) -> Result<Vec<SocketAddr>, NodeError> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let failed = |source| NodeError::Listen {
        address: any,
        source,
    };
    // All are held until all are known, so that none is given twice.
    let listeners: Result<Vec<_>, _> = (0..count).map(|_| TcpListener::bind(any)).collect();
    let addresses: Result<Vec<_>, _> = listeners
        .map_err(failed)?
        .iter()
        .map(TcpListener::local_addr)
        .collect();
    addresses.map_err(failed)
}
