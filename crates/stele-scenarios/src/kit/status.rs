//! Revoked or not: an issuer's list in shards, served as files, and their root on the chain.

use stele_client::Final;
use stele_core::cbor::BodyBuilder;
use stele_core::id::sha256;
use stele_credentials::sd_jwt::StatusReference;
use stele_credentials::status::{BitOrder, Layout, StatusBits, TokenStatusList, Width};
use stele_credentials::trust::Batch;

use super::office::{Office, receipt_of_state, submit};
use super::state::status_key;
use super::{now_ms, random};
use crate::frame::{Run, ScenarioError};

/// A shard of a status list, its path, and the receipt of the list's root.
#[derive(Debug, Clone, Default)]
pub(crate) struct StatusProof {
    pub shard: String,
    pub path: Vec<[u8; 32]>,
    pub receipt: Vec<u8>,
}

/// An issuer's list, as it keeps and publishes it.
pub(crate) struct StatusLists {
    list: &'static str,
    layout: Layout,
    bits: Vec<StatusBits>,
    shards: Vec<String>,
    tree: Batch,
    receipt: Vec<u8>,
    made_ms: u64,
}

impl StatusLists {
    /// A list below the address `list` for `credentials` credentials, in shards of 2^`shard_bits` places.
    pub fn new(list: &'static str, shard_bits: u8, credentials: u64) -> Self {
        let layout = Layout::new(list, shard_bits, random::bytes());
        let shards = credentials.div_ceil(layout.shard_entries());
        let entries = layout.shard_entries() as usize;
        let bits = (0..shards).map(|_| StatusBits::new(Width::One, BitOrder::LowFirst, entries));
        Self {
            list,
            bits: bits.collect(),
            layout,
            shards: Vec::new(),
            tree: Batch::new(),
            receipt: Vec::new(),
            made_ms: 0,
        }
    }

    /// What credential `number` says about its place.
    pub fn reference(&self, number: u64) -> StatusReference {
        self.layout.reference(number)
    }

    /// Revokes a credential; it shows when the list is published again.
    ///
    /// # Errors
    /// [`ScenarioError::Broken`] for a number beyond the list.
    pub fn revoke(&mut self, number: u64) -> Result<(), ScenarioError> {
        let (shard, place) = self.layout.place(number);
        let bits = self.bits.get_mut(shard as usize);
        let bits = bits.ok_or_else(|| ScenarioError::broken("a shard", number.to_string()))?;
        bits.set(place, 1)
            .map_err(|refusal| ScenarioError::broken("a place in the list", refusal.to_string()))
    }

    /// What a holder carries for credential `number`.
    pub fn proof(&self, number: u64) -> StatusProof {
        let (shard, _) = self.layout.place(number);
        StatusProof {
            shard: self.shards.get(shard as usize).cloned().unwrap_or_default(),
            path: self.tree.path(shard).unwrap_or_default(),
            receipt: self.receipt.clone(),
        }
    }

    /// The signed shards, in their order.
    pub fn shards(&self) -> &[String] {
        &self.shards
    }

    /// Signs the list anew and publishes its root.
    ///
    /// # Errors
    /// Those of [`submit`].
    pub fn publish(
        &mut self,
        run: &mut Run<'_>,
        issuer: &Office,
        claim: &str,
    ) -> Result<Final, ScenarioError> {
        // The register wants each version to be younger than the one before.
        self.made_ms = now_ms().max(self.made_ms + 1);
        self.shards.clear();
        self.tree = Batch::new();
        for (shard, bits) in (0..).zip(&self.bits) {
            let uri = self.layout.shard_uri(shard);
            let list = TokenStatusList::new(&uri, self.made_ms / 1000, None, Some(3600), bits);
            let text = list
                .to_jwt(None, issuer.party.key())
                .map_err(|refusal| ScenarioError::broken("a signed list", refusal.to_string()))?;
            self.tree.push(&sha256(&[text.as_bytes()]));
            self.shards.push(text);
        }
        let body = BodyBuilder::new()
            .text("list", self.list)
            .bytes("root", &self.tree.root())
            .uint("shards", self.tree.count())
            .uint("shard_entries", self.layout.shard_entries())
            .uint("bits", 1)
            .uint("made", self.made_ms)
            .text("uri", self.list);
        let command = [("status.publish", body.build())];
        let (done, _) = submit(run, issuer, &[], "credential", &command, claim)?;
        let key = status_key(&issuer.party.id(), self.list);
        let (receipt, value) = receipt_of_state(run, "credential", &key)?;
        let there = value.is_some();
        run.check(there, "the list in the state", || "none".to_owned())?;
        run.evidence(format!("{claim}: its root stands in the state"), &receipt)?;
        self.receipt = receipt;
        Ok(done)
    }
}
