//! Revoked or not: lists in shards, served as files, and their root on the chain.

use stele_core::cbor::BodyBuilder;
use stele_core::id::sha256;
use stele_credentials::sd_jwt::StatusReference;
use stele_credentials::status::{BitOrder, Layout, StatusBits, TokenStatusList, Width};
use stele_credentials::trust::Batch;

use super::offices::{Offices, submit};
use super::papers::{GRADUATES, Numbers};
use super::shown::StatusProof;
use super::state::status_key;
use super::{Measured, figures};
use crate::frame::{Run, ScenarioError};
use crate::kit::random;

/// The faculty's list; its shards stand below it.
pub(super) const LIST: &str = "https://letters.example/status";
/// This year's first diploma: so many were issued before. This year begins in one shard and ends in the next.
pub(super) const FIRST_NUMBER: u64 = 4000;
/// Two to this many entries in a shard.
const SHARD_BITS: u8 = 12;
/// Diplomas of earlier years that were revoked.
const REVOKED_BEFORE: usize = 12;

/// The lists as the faculty keeps and publishes them.
pub(super) struct Lists {
    layout: Layout,
    bits: Vec<StatusBits>,
    shards: Vec<String>,
    tree: Batch,
    receipt: Vec<u8>,
    made_ms: u64,
}

impl Lists {
    /// Lists without entries.
    pub fn new() -> Self {
        let layout = Layout::new(LIST, SHARD_BITS, random::bytes());
        let shards = (FIRST_NUMBER + GRADUATES as u64).div_ceil(layout.shard_entries());
        let entries = layout.shard_entries() as usize;
        let bits = (0..shards).map(|_| StatusBits::new(Width::One, BitOrder::LowFirst, entries));
        Self {
            bits: bits.collect(),
            layout,
            shards: Vec::new(),
            tree: Batch::new(),
            receipt: Vec::new(),
            made_ms: 0,
        }
    }

    /// What diploma `number` says about its place.
    pub fn reference(&self, number: u64) -> StatusReference {
        self.layout.reference(number)
    }

    /// Revokes a diploma; it shows when the lists are published again.
    pub fn revoke(&mut self, number: u64) -> Result<(), ScenarioError> {
        let (shard, place) = self.layout.place(number);
        let bits = self.bits.get_mut(shard as usize);
        let bits = bits.ok_or_else(|| ScenarioError::broken("a shard", number.to_string()))?;
        bits.set(place, 1)
            .map_err(|refusal| ScenarioError::broken("a place in the list", refusal.to_string()))
    }

    /// What a holder carries: the shard, its path, and the receipt of the root.
    pub fn proof(&self, number: u64) -> StatusProof {
        let (shard, _) = self.layout.place(number);
        StatusProof {
            shard: self.shards.get(shard as usize).cloned().unwrap_or_default(),
            path: self.tree.path(shard).unwrap_or_default(),
            receipt: self.receipt.clone(),
        }
    }

    /// The entries of one shard, and the sizes of all, in bytes.
    pub fn sizes(&self) -> (u64, Vec<usize>) {
        (
            self.layout.shard_entries(),
            self.shards.iter().map(String::len).collect(),
        )
    }

    /// Signs the lists anew and publishes their root. Returns the block's time, in milliseconds since 1970.
    pub fn publish(
        &mut self,
        run: &mut Run<'_>,
        offices: &Offices,
        claim: &str,
    ) -> Result<u64, ScenarioError> {
        // The register wants each version to be younger than the one before.
        self.made_ms = figures::now_ms().max(self.made_ms + 1);
        self.shards.clear();
        self.tree = Batch::new();
        for (shard, bits) in (0..).zip(&self.bits) {
            let uri = self.layout.shard_uri(shard);
            let list = TokenStatusList::new(&uri, self.made_ms / 1000, None, Some(3600), bits);
            let text = list
                .to_jwt(None, offices.issuing.party.key())
                .map_err(|refusal| ScenarioError::broken("a signed list", refusal.to_string()))?;
            self.tree.push(&sha256(&[text.as_bytes()]));
            self.shards.push(text);
        }
        let body = BodyBuilder::new()
            .text("list", LIST)
            .bytes("root", &self.tree.root())
            .uint("shards", self.tree.count())
            .uint("shard_entries", self.layout.shard_entries())
            .uint("bits", 1)
            .uint("made", self.made_ms)
            .text("uri", LIST);
        let command = ("status.publish", body.build());
        let (done, _) = submit(run, &offices.faculty, &[], "credential", command, claim)?;
        let key = status_key(&offices.faculty.party.id(), LIST);
        let (receipt, value) =
            run.client()
                .verified_state("credential", &key)
                .map_err(ScenarioError::client(
                    "reading the receipt of the status list",
                ))?;
        run.check(value.is_some(), "the list in the state", || {
            "none".to_owned()
        })?;
        run.evidence(format!("{claim}: its root stands in the state"), &receipt)?;
        self.receipt = receipt;
        Ok(done.time_ms)
    }
}

pub(super) fn publish(
    run: &mut Run<'_>,
    offices: &Offices,
    lists: &mut Lists,
    measured: &mut Measured,
) -> Result<(), ScenarioError> {
    run.step("publish-status", |run| {
        let mut numbers = Numbers(run.seed() ^ 1);
        for _ in 0..REVOKED_BEFORE {
            lists.revoke(numbers.below(FIRST_NUMBER as usize) as u64)?;
        }
        lists.publish(run, offices, "The faculty published the status of all its diplomas")?;
        let (entries, sizes) = lists.sizes();
        for (shard, text) in lists.shards.iter().enumerate() {
            run.keep(&format!("status-{shard}.jwt"), text.as_bytes())?;
        }
        measured.shards = sizes;
        let detail = format!(
            "{} shards of {entries} places, of {} to {} bytes, lie beside this report as files for anybody; one root stands on the chain. \
             Up to {REVOKED_BEFORE} of {FIRST_NUMBER} diplomas of earlier years are revoked.",
            measured.shards.len(),
            measured.shards.iter().copied().min().unwrap_or(0),
            measured.shards.iter().copied().max().unwrap_or(0),
        );
        Ok(((), detail))
    })
}
