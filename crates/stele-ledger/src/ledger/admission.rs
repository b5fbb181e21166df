//! Admission: what is checked of an entry before it may wait for a block.
//!
//! Shape, network and window are checked on the caller's thread; signatures are checked together with those of other
//! waiting entries, on all cores. Nothing refused here is recorded, and nothing here changes state.

use std::collections::HashMap;

use parking_lot::RwLock;
use rayon::prelude::*;
use stele_core::entry::{Entry, EntryError};
use stele_core::id::{EntryId, KeyId, NetworkId, TimeMs};
use stele_core::machine::{Halt, Refusal, StateMachine, StateReader};
use stele_core::suite::{BatchItem, PublicKey, verify_batch};

/// How many verified public keys are kept ready; about 300 bytes each for Ed25519.
const KEY_CACHE_MAX: usize = 1 << 18;
/// The fewest signatures worth a batch of their own on another core.
const BATCH_MIN: usize = 128;
/// How far a client's clock may run ahead of this node's, in milliseconds.
pub(crate) const CLOCK_TOLERANCE_MS: u64 = 2_000;

/// Public keys by key id. A key id is the hash of its key, so an entry of this cache can go stale only in one way:
/// the key is revoked; execution notices and removes it here.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    keys: RwLock<HashMap<KeyId, PublicKey>>,
}

impl KeyCache {
    fn get(&self, kid: &KeyId) -> Option<PublicKey> {
        self.keys.read().get(kid).cloned()
    }

    /// Keeps the key of an entry that applied. A key that an entry brings along is thus kept only once it is registered.
    pub(crate) fn note(&self, key: &PublicKey) {
        if self.keys.read().contains_key(&key.kid()) {
            return;
        }
        let mut keys = self.keys.write();
        if keys.len() >= KEY_CACHE_MAX {
            keys.clear();
        }
        keys.insert(key.kid(), key.clone());
    }

    pub(crate) fn remove(&self, kid: &KeyId) {
        self.keys.write().remove(kid);
    }
}

/// The refusal for bytes that are no entry.
pub(crate) fn refuse_shape(error: &EntryError) -> Refusal {
    let hint = match error {
        EntryError::TooLarge(_) => "Split the commands over several entries.",
        EntryError::NotCanonical(_) => {
            "Encode with the deterministic rules of RFC 8949 section 4.2.1."
        }
        EntryError::BadWindow => "Set not-after above not-before, and at most one hour later.",
        _ => "The format is described in docs/format.md, section 3.",
    };
    Refusal::new(error.code(), format!("{error}."), hint)
}

/// Checks the network and the window against a time.
pub(crate) fn check_header(
    entry: &Entry,
    network: &NetworkId,
    now: TimeMs,
    tolerance_ms: u64,
) -> Result<(), Refusal> {
    let header = entry.header();
    if header.network != *network {
        return Err(Refusal::new(
            "entry.other-network",
            format!(
                "The entry is signed for network {}, this is {network}.",
                header.network
            ),
            "Sign it for this network; an entry for one network is never valid on another.",
        ));
    }
    if now > header.not_after {
        return Err(Refusal::new(
            "entry.expired",
            format!(
                "The entry's window ended {} ms ago.",
                now.get() - header.not_after.get()
            ),
            "Sign it again with a new window; check the clock of the signing machine.",
        ));
    }
    if now.get() + tolerance_ms < header.not_before.get() {
        return Err(Refusal::new(
            "entry.not-yet-valid",
            format!(
                "The entry's window starts in {} ms.",
                header.not_before.get() - now.get()
            ),
            "Submit it later; check the clock of the signing machine.",
        ));
    }
    Ok(())
}

/// The code of the refusal of an entry that was ordered before.
pub(crate) const REPLAYED: &str = "entry.replayed";

pub(crate) fn refuse_replay(id: &EntryId) -> Refusal {
    Refusal::new(
        REPLAYED,
        format!("The entry {id} has been ordered already."),
        "Ask for its receipt; to do the same again, sign a new entry with another nonce.",
    )
}

/// The keys of an entry's signer and cosigners, in that order.
pub(crate) fn find_keys(
    entry: &Entry,
    machine: &dyn StateMachine,
    state: &dyn StateReader,
    cache: &KeyCache,
) -> Result<Vec<PublicKey>, Halt> {
    let find = |kid: &KeyId| match cache.get(kid) {
        Some(key) => Ok(key),
        None => machine.find_key(state, kid, entry),
    };
    core::iter::once(&entry.header().kid)
        .chain(entry.cosigner_kids())
        .map(find)
        .collect()
}

/// Checks all signatures of many entries on all cores. The verdicts are in the order of the entries.
pub(crate) fn check_signatures(entries: &[(&Entry, &[PublicKey])]) -> Vec<Result<(), Refusal>> {
    let chunk = entries
        .len()
        .div_ceil(rayon::current_num_threads())
        .max(BATCH_MIN);
    entries
        .par_chunks(chunk)
        .flat_map_iter(check_chunk)
        .collect()
}

fn check_chunk(entries: &[(&Entry, &[PublicKey])]) -> Vec<Result<(), Refusal>> {
    // One item per signature; `owner` leads back to the entry.
    let mut checks = Vec::with_capacity(entries.len());
    for (owner, (entry, keys)) in entries.iter().enumerate() {
        checks.push((owner, &keys[0], entry.signature()));
        checks.extend(
            entry
                .countersignatures()
                .zip(&keys[1..])
                .map(|(check, key)| (owner, key, check)),
        );
    }
    let items: Vec<_> = checks
        .iter()
        .map(|(_, key, check)| BatchItem {
            key,
            alg: check.alg,
            message: &check.message,
            signature: check.signature,
        })
        .collect();
    let mut verdicts = vec![Ok(()); entries.len()];
    for ((owner, _, check), result) in checks.iter().zip(verify_batch(&items)) {
        if let Err(error) = result {
            verdicts[*owner] = Err(Refusal::new(
                "entry.bad-signature",
                format!("The signature by key {} is not valid: {error}.", check.kid),
                "Sign exactly the Sig_structure of RFC 9052 section 4.4 with the key that kid names.",
            ));
        }
    }
    verdicts
}
