//! An issuer's status list: made when something changes or an hour has passed, served as files.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde_json::json;
use stele_core::id::sha256;
use stele_credentials::Refusal;
use stele_credentials::status::rules::INDEX;
use stele_credentials::status::{BitOrder, Status, StatusBits, TokenStatusList, Width};
use stele_credentials::trust::Batch;

use crate::chain::{Chain, SigningParty};
use crate::desk::Desk;
use crate::store::OfficeFile;

/// How long a verifier may keep a list, in seconds, and after which time it is signed anew.
const TTL_SECONDS: u64 = 3600;
/// Two bits for each place: valid, revoked, suspended.
const WIDTH: Width = Width::Two;

/// The lists that are served, by issuer.
#[derive(Default)]
pub(crate) struct Lists(Mutex<HashMap<String, Made>>);

struct Made {
    at: u64,
    shards: Vec<String>,
    /// What the shards say, to look places up.
    bits: Vec<StatusBits>,
}

impl Lists {
    /// A shard as it is served; `None` if the list has no such shard.
    pub fn shard(
        &self,
        desk: &Desk,
        signer: &SigningParty,
        file: &OfficeFile,
        shard: usize,
        now: u64,
    ) -> Result<Option<String>, Refusal> {
        self.with(desk, signer, file, shard, now, |made| {
            made.shards.get(shard).cloned()
        })
    }

    /// The status at a place of a shard, by the list that is served.
    pub fn status(
        &self,
        desk: &Desk,
        signer: &SigningParty,
        file: &OfficeFile,
        (shard, index): (usize, u64),
        now: u64,
    ) -> Result<Status, Refusal> {
        self.with(desk, signer, file, shard, now, |made| {
            let bits = made.bits.get(shard).ok_or_else(|| INDEX.because(shard))?;
            bits.get(index).map(Status::from_value)
        })?
    }

    /// Reads a list that is young enough, and has the shard if there is one.
    fn with<T>(
        &self,
        desk: &Desk,
        signer: &SigningParty,
        file: &OfficeFile,
        shard: usize,
        now: u64,
        read: impl FnOnce(&Made) -> T,
    ) -> Result<T, Refusal> {
        let mut lists = self.0.lock();
        let made = match lists.get(&desk.name) {
            // Anybody may ask for a shard that nobody has: that makes no list anew.
            Some(made)
                if now < made.at + TTL_SECONDS
                    && (shard < made.shards.len() || made.shards.len() == shards(desk, file)?) =>
            {
                made
            }
            _ => {
                let made = make(desk, signer, file, now)?;
                lists.insert(desk.name.clone(), made);
                &lists[&desk.name]
            }
        };
        Ok(read(made))
    }

    /// Makes the list anew after a change, and publishes its root on the ledger.
    pub fn publish(
        &self,
        desk: &Desk,
        signer: &SigningParty,
        file: &OfficeFile,
        chain: &dyn Chain,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let made = make(desk, signer, file, now_ms / 1000)?;
        let mut tree = Batch::new();
        for shard in &made.shards {
            tree.push(&sha256(&[shard.as_bytes()]));
        }
        let uri = format!("{}/status", desk.issuer.identifier);
        let body = json!({
            "list": uri,
            "root": hex::encode(tree.root()),
            "shards": tree.count(),
            "shard_entries": desk.layout.shard_entries(),
            "bits": WIDTH.bits(),
            "made": now_ms,
            "uri": uri,
        });
        // A revocation takes effect at once, whatever the ledger says of the root.
        self.0.lock().insert(desk.name.clone(), made);
        chain.submit(&desk.settings.key, "status.publish", body)
    }
}

/// How many shards the list has: at least one.
fn shards(desk: &Desk, file: &OfficeFile) -> Result<usize, Refusal> {
    let count = file
        .numbers(&desk.name)?
        .div_ceil(desk.layout.shard_entries());
    Ok(usize::try_from(count).unwrap_or(usize::MAX).max(1))
}

fn make(desk: &Desk, signer: &SigningParty, file: &OfficeFile, now: u64) -> Result<Made, Refusal> {
    let places = desk.layout.shard_entries();
    let mut bits: Vec<StatusBits> = (0..shards(desk, file)?)
        .map(|_| StatusBits::new(WIDTH, BitOrder::LowFirst, places as usize))
        .collect();
    for (number, status) in file.not_valid(&desk.name)? {
        let (shard, place) = desk.layout.place(number);
        if let Some(bits) = bits.get_mut(shard as usize) {
            bits.set(place, status)?;
        }
    }
    let key_id = signer.key_id();
    let shards = (0..).zip(&bits).map(|(shard, bits)| {
        let uri = desk.layout.shard_uri(shard);
        TokenStatusList::new(&uri, now, None, Some(TTL_SECONDS), bits)
            .to_jwt(Some(&key_id), &*signer.key)
    });
    Ok(Made {
        at: now,
        shards: shards.collect::<Result<_, _>>()?,
        bits,
    })
}
